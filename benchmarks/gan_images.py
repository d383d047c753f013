"""The table of image GANs in docs/models.md, out of the runs' own files.

    genlab evaluate runs/mnist-dcgan --samples --json runs/mnist-dcgan/samples.json
    python benchmarks/gan_images.py runs/mnist-dcgan runs/mnist-lapgan

A row is written for each run that has both; nothing is typed in.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from genlab.runs import Run, load_model, open_run

DOCUMENT = Path(__file__).parent.parent / "docs" / "models.md"
HEAD = ("run", "data", "minutes", "steps", "parameters", "precision", "recall", "density", "coverage", "digit Fréchet", "copies, pixels")


def main() -> None:
    """Reads the folders and writes the part between the marks anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="of `genlab train`, with a samples.json of `genlab evaluate --samples --json`"
    )
    runs = [open_run(folder) for folder in parser.parse_args().runs]
    lines = [f"| {' | '.join(line)} |" for line in (HEAD, ["---", "---", *["---:"] * (len(HEAD) - 2)], *(row(run) for run in runs))]
    text = DOCUMENT.read_text(encoding="utf-8")
    marks = re.compile(r"(<!-- gan images -->\n).*?(<!-- /gan -->)", re.DOTALL)
    DOCUMENT.write_text(marks.sub(lambda match: match[1] + "\n".join(lines) + "\n" + match[2], text), encoding="utf-8")


def row(run: Run) -> list[str]:
    """The cells of a run."""
    found: dict[str, Any] = json.loads((run.path / "samples.json").read_text(encoding="utf-8"))
    last = run.metrics("train")[-1]
    lies = found["neighbours"]
    copies = found["memorisation"]["pixels"]
    return [
        f"`{run.name}`",
        f"`{run.config['data']['record']['name']}`",
        f"{last['seconds'] / 60:.1f}",
        f"{last['step']:,}",
        f"{sum(parameter.numel() for parameter in load_model(run).parameters()):,}",
        *(_estimate(lies[name], 3) for name in ("precision", "recall", "density", "coverage")),
        _estimate(lies["frechet"], 2),
        _estimate(copies, 2),
    ]


def _estimate(found: dict[str, float], digits: int) -> str:
    return f"{found['value']:.{digits}f} ({found['low']:.{digits}f}–{found['high']:.{digits}f})"


if __name__ == "__main__":
    main()
