"""How many modes GANs in the plane find: PacGAN's own setting beside its table, and genlab's defaults in a minute each.

    python benchmarks/gan_modes.py --only pacgan --steps 4000            # ten seeds, plain and packed by two, on both sets of points
    python benchmarks/gan_modes.py --only defaults --minutes 1           # ten seeds, `genlab train gan2d --data … --minutes 1`
    python benchmarks/gan_modes.py --table                               # writes docs/models.md anew from the file alone

Each training is one entry of docs/gan-modes.json; what is there is not done again, so an interrupted call goes on, and two calls with
other `--data` may run side by side, a core each. PacGAN (Lin et al. 2018, table 1) trains 400,000 steps on 100,000 points, which is hours a
seed on two cores; how many were made here stands in the table, and the comparison is of plain with packed on equal steps.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import genlab
from genlab.measures import modes
from genlab.runs import load_model

ROOT = Path(__file__).parent.parent
FILE = ROOT / "docs" / "gan-modes.json"
DOCUMENT = ROOT / "docs" / "models.md"
SEEDS, DRAWN = 10, 2_500
DATA = ("ring", "grid25")
# Lin et al. 2018, appendix: 4 layers of 400 ReLUs with batch norm; 3 of 200 maxout units of 5 pieces; z in two dimensions; Adam 1e-4, 0.8.
PACGAN = {
    **{"loss": "nonsaturating", "latent": 2, "hidden": 400, "layers": 4, "activation": "relu", "batch_norm": True},
    **{"discriminator_hidden": 200, "discriminator_layers": 3, "maxout": 5},
    **{"generator_rate": 1.0, "discriminator_rate": 1.0, "beta1": 0.8, "beta2": 0.999, "middle": (0.0, 0.0), "spread": 1.0},
}
PACGAN_TRAINING = {"batch_size": 100, "learning_rate": 1e-4, "schedule": "constant", "warmup_steps": 0, "clip_norm": None, "ema_decay": 0.0}
PUBLISHED = {("ring", 1): "6.3", ("ring", 2): "7.9", ("grid25", 1): "17.3", ("grid25", 2): "23.8"}
QUIET = {"log_seconds": 1e6, "sample_seconds": 1e6, "checkpoint_seconds": 1e6}


def main() -> None:
    """Trains what is missing and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("pacgan", "defaults"), help="one of the two parts")
    parser.add_argument("--data", nargs="+", choices=DATA, default=DATA)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--steps", type=int, default=4_000, help="of PacGAN's setting (default: 4000)")
    parser.add_argument("--minutes", type=float, default=1.0, help="of the defaults (default: 1)")
    parser.add_argument("--table", action="store_true", help="train nothing")
    given = parser.parse_args()
    if not given.table:
        for seed in range(given.seeds):
            for name in given.data:
                if given.only != "defaults":
                    for packing in (1, 2):
                        once("pacgan", name, packing, seed, {**PACGAN, "packing": packing}, {**PACGAN_TRAINING, "steps": given.steps})
                if given.only != "pacgan":
                    once("defaults", name, 1, seed, {}, {"minutes": given.minutes})
    write_table()


def once(setting: str, name: str, packing: int, seed: int, settings: dict[str, Any], training: dict[str, Any]) -> None:
    """One training, unless the file has it."""
    key = {"setting": setting, "data": name, "packing": packing, "seed": seed}
    if any(key.items() <= entry.items() for entry in read()):
        return
    data = genlab.load_dataset(name)
    model = genlab.models.create_for(data, "gan2d", seed, settings)
    if settings:  # what follows from the data would be set by them
        model = genlab.create_model("gan2d", **{**model.config["settings"], **settings})
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        run = genlab.train(model, data, out=Path(folder) / "run", seed=seed, valid_images=DRAWN, **training, **QUIET)
        seconds = time.perf_counter() - begun
        if run.state() != "finished":
            raise SystemExit(f"{key} was stopped, and is not kept")
        drawn = genlab.sample(load_model(run), DRAWN, seed=seed)
        steps = run.metrics("event")[-1]["step"]
    found = modes(drawn, data.centres, data.sigma)
    entry = {**key, "steps": steps, "seconds": round(seconds, 1), "modes": found.found, "good": round(found.good.value, 4)}
    folder = os.open(FILE.parent, os.O_RDONLY)
    try:  # another call may be writing too
        fcntl.flock(folder, fcntl.LOCK_EX)
        aside = FILE.with_suffix(".new")
        aside.write_text(json.dumps([*read(), entry], indent=1) + "\n", encoding="utf-8")
        aside.replace(FILE)
    finally:
        os.close(folder)
    print(entry, flush=True)


def read() -> list[dict[str, Any]]:
    """What was trained so far."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else []


def write_table() -> None:
    """The part of the document between its marks."""
    entries = read()
    lines = [
        "| setting | data | modes found, mean | of | least | good points | seeds | steps | published |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for setting in ("pacgan", "defaults"):
        for name in DATA:
            for packing in (1, 2):
                rows = [entry for entry in entries if (entry["setting"], entry["data"], entry["packing"]) == (setting, name, packing)]
                if rows:
                    lines.append(_line(setting, name, packing, rows))
    text = DOCUMENT.read_text(encoding="utf-8")
    marks = re.compile(r"(<!-- gan modes -->\n).*?(<!-- /gan -->)", re.DOTALL)
    DOCUMENT.write_text(marks.sub(lambda match: match[1] + "\n".join(lines) + "\n" + match[2], text), encoding="utf-8")


def _line(setting: str, name: str, packing: int, rows: list[dict[str, Any]]) -> str:
    """One row, with standard errors over seeds."""
    found, good = (np.array([row[what] for row in rows], float) for what in ("modes", "good"))
    error = f" ± {found.std(ddof=1) / np.sqrt(len(found)):.1f}" if len(found) > 1 else ""
    words = ("PacGAN's network" if setting == "pacgan" else "genlab's defaults") + (f", packed by {packing}" if packing > 1 else "")
    published = PUBLISHED[name, packing] if setting == "pacgan" else "–"
    cells = [words, f"`{name}`", f"{found.mean():.1f}{error}", str(8 if name == "ring" else 25), f"{found.min():.0f}", f"{good.mean():.0%}"]
    steps = sorted({row["steps"] for row in rows})
    cells += [str(len(rows)), f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,}–{steps[-1]:,}", published]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
