"""The tables of docs/models.md, out of the runs' own files: nats over minutes of each causal system.

    python benchmarks/models_table.py --study runs/systems --runs runs/mnist-gated [--document docs/models.md]
    python benchmarks/models_table.py --comparison runs/comparison-digits runs/comparison-mnist
    python benchmarks/models_table.py --latent runs/mnist-vae --probe runs/mnist-autoencoder/probe.json

A study is a folder of ``genlab ablate --models …``, a comparison one of ``genlab compare``, a run one of ``genlab train``; what
``genlab evaluate RUN --draws 5 --json RUN/test.json`` left in a run's folder is its test column, ``RUN/importance.json`` likewise that of
``--importance``, and ``RUN/cpu_seconds.txt``, where there is one, what ``time`` said of the training. Rows are written for what was really
trained; what is missing is a dash. A part whose folders are not named is left as it is.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from genlab import comparison
from genlab.ablation import read
from genlab.ablation.outcome import how_sure, rows
from genlab.comparison import findings, outcome
from genlab.runs import Run, load_model, open_run

MINUTES = (1, 2, 5, 10, 30, 60)
DOCUMENT = Path("docs/models.md")


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the folders and writes the document anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, metavar="FOLDER", help="of `genlab ablate`")
    parser.add_argument("--runs", type=Path, nargs="+", default=[], metavar="RUN", help="of `genlab train`")
    parser.add_argument("--latent", type=Path, nargs="+", default=[], metavar="RUN", help="of `genlab train`, models with a bound")
    parser.add_argument("--flow", type=Path, nargs="+", default=[], metavar="RUN", help="of `genlab train realnvp`")
    parser.add_argument("--matching", type=Path, nargs="+", default=[], metavar="RUN", help="of `genlab train flow_matching`")
    parser.add_argument("--pixelvae", type=Path, nargs="+", default=[], metavar="RUN", help="the same, beside plain causal models")
    parser.add_argument("--probe", type=Path, nargs="+", default=[], metavar="FILE", help="of `genlab probe --json`")
    parser.add_argument("--comparison", type=Path, nargs="+", default=[], metavar="FOLDER", help="of `genlab compare`")
    parser.add_argument("--document", type=Path, default=DOCUMENT, help=f"default: {DOCUMENT}")
    given = parser.parse_args(arguments)
    text = given.document.read_text(encoding="utf-8")
    if given.study is not None:
        text = between(text, "study", study_table(given.study))
    if given.runs:
        text = between(text, "runs", runs_table([open_run(folder) for folder in given.runs]))
    for part in ("latent", "pixelvae"):
        if folders := getattr(given, part):
            text = between(text, part, latent_tables([open_run(folder) for folder in folders]))
    if given.flow:
        text = between(text, "flow", flow_table([open_run(folder) for folder in given.flow]))
    if given.matching:
        text = between(text, "matching", matching_table([open_run(folder) for folder in given.matching]))
    if given.probe:
        text = between(text, "probe", "\n\n".join(probe_table(read_json(file)) for file in given.probe))
    if given.comparison:
        text = between(text, "comparison", "\n\n".join(comparison_table(folder) for folder in given.comparison))
    given.document.write_text(text, encoding="utf-8")


def between(text: str, part: str, written: str) -> str:
    """The text with what stands between a part's marks written anew."""
    marks = re.compile(rf"(<!-- models {part} -->\n).*?(<!-- /models -->)", re.DOTALL)
    if len(marks.findall(text)) != 1:
        raise SystemExit(f"the document must have the marks '<!-- models {part} -->' and '<!-- /models -->' once")
    return marks.sub(lambda match: match[1] + written + "\n" + match[2], text)


def study_table(folder: Path) -> str:
    """A row for each system of a study: test nats over its seeds, and validation nats on the way there."""
    document = read(folder)
    lines = table(
        ["system", "test nats", "seeds", "parameters", "steps", "minutes", *(f"{minutes} min" for minutes in MINUTES)],
        [
            [
                f"`{row.name}`",
                row.nats.text(2) if row.nats else "failed" if row.failures else "–",
                str(row.seeds),
                f"{row.parameters:,}" if row.parameters else "–",
                f"{row.steps:,.0f}" if row.seeds else "–",
                f"{row.seconds / 60:.1f}" if row.seeds else "–",
                *over_minutes([Run(folder / record["folder"]) for record in document["runs"] if record["variant"] == row.name]),
            ]
            for row in rows(document)
        ],
    )
    protocols = sorted({record["protocol"] for record in document["runs"] if "protocol" in record})
    return "\n".join([*lines, "", *protocols, how_sure(document)])


def runs_table(runs: Sequence[Run]) -> str:
    """A row for each run."""
    return "\n".join(
        table(
            ["run", "system", "data", "test nats", "validation, best", "parameters", "epochs", *(f"{minutes} min" for minutes in MINUTES)],
            [_run_row(run) for run in runs],
        )
    )


def _run_row(run: Run) -> list[str]:
    config, best = run.config, run.best()
    steps = run.metrics("train")
    data = config["data"]
    state = run.state()
    return [
        f"`{run.name}`" + ("" if state == "finished" else f" ({state})"),
        f"`{config['model']['name']}`",
        " ".join(str(word) for word in (data["record"]["name"], data.get("binarize")) if word),
        _tested(run),
        f"{best['nats']:.2f}" if best else "–",
        _parameters(run),
        f"{steps[-1]['epoch']} of {config['training']['epochs'] or '–'}" if steps else "–",
        *over_minutes([run]),
    ]


def latent_tables(runs: Sequence[Run]) -> str:
    """A table for each set of images, for bounds on different data do not compare."""
    data: dict[str, list[Run]] = {}
    for run in runs:
        data.setdefault(run.config["data"]["record"]["name"], []).append(run)
    return "\n\n".join(latent_table(group) for group in data.values())


def latent_table(runs: Sequence[Run]) -> str:
    """A row for each run: what its log p is at least, and how the bound is made up; exact systems beside them."""
    head = ["run", "system", "log p, test", "reconstruction", "KL", "latents used", "by importance", "parameters", "epochs", "minutes"]
    lines = table([*head, "CPU minutes"], [_latent_row(run) for run in runs])
    protocols = sorted({read_json(run.path / "test.json")["protocol"] for run in runs if (run.path / "test.json").exists()})
    return "\n".join([*lines, "", *protocols])


def _latent_row(run: Run) -> list[str]:
    found, weighted = read_json(run.path / "test.json"), read_json(run.path / "importance.json")
    parts, code = found.get("parts", {}), found.get("code", {})
    steps, cpu = run.metrics("train"), run.path / "cpu_seconds.txt"
    return [
        f"`{run.name}`",
        f"`{run.config['model']['name']}`",
        f"{'≥ ' if found['is_bound'] else ''}{_log_p(found)}" if found else "–",
        f"{parts['reconstruction']:.2f}" if "reconstruction" in parts else "–",
        f"{parts['kl']:.2f}" if "kl" in parts else "–",
        f"{code['active']} of {len(code['kl'])}" if code else "–",
        f"≥ {_log_p(weighted)} ({weighted['importance']:,} codes, {weighted['images']:,} images)" if weighted else "–",
        _parameters(run),
        str(steps[-1]["epoch"]) if steps else "–",
        f"{steps[-1]['seconds'] / 60:.1f}" if steps else "–",
        f"{float(cpu.read_text(encoding='utf-8')) / 60:.1f}" if cpu.exists() else "–",
    ]


def flow_table(runs: Sequence[Run]) -> str:
    """A row for each run of a flow over levels, and what was published under the same protocol."""
    head = ["run", "bits/dim, test", "nats", "by importance", "parameters", "epochs", "minutes"]
    lines = table(head, [_flow_row(run) for run in runs])
    found = [read_json(run.path / "test.json") for run in runs]
    published = {(each["model"], each["value"], each["unit"], each["source"]) for one in found for each in one.get("published", [])}
    told = [f"- {model}: {value:g} {unit} ({source})" for model, value, unit, source in sorted(published, key=lambda each: -each[1])]
    return "\n".join([*lines, "", *sorted({one["protocol"] for one in found if one}), "", "Published:", "", *told])


def _flow_row(run: Run) -> list[str]:
    found, weighted, steps = read_json(run.path / "test.json"), read_json(run.path / "importance.json"), run.metrics("train")
    draws = f"{weighted['importance']:,} draws, {weighted['images']:,} images" if weighted else ""
    return [
        f"`{run.name}`",
        f"≤ {found['bits_per_dim']:.4f}" if found else "–",
        f"≤ {found['nats']:.1f} ± {found['standard_error']:.1f}" if found else "–",
        f"≤ {weighted['bits_per_dim']:.4f} ({draws})" if weighted else "–",
        _parameters(run),
        f"{steps[-1]['step'] * run.config['training']['batch_size'] / run.config['data']['record']['images']['train']:.1f}"
        if steps
        else "–",
        f"{steps[-1]['seconds'] / 60:.1f}" if steps else "–",
    ]


def matching_table(runs: Sequence[Run]) -> str:
    """A row for each run of flow matching, with what ``genlab evaluate --samples --json RUN/test.json`` found of it."""
    head = ["run", "data", "velocity error, validation", "log p, test", "coverage", "digit Fréchet", "parameters", "steps", "minutes"]
    return "\n".join(table(head, [_matching_row(run) for run in runs]))


def _matching_row(run: Run) -> list[str]:
    found, best, steps = read_json(run.path / "test.json"), run.best(), run.metrics("train")
    lies = found.get("neighbours", {})
    return [
        f"`{run.name}`",
        f"`{run.config['data']['record']['name']}`",
        f"{best['velocity_error']:.4f}" if best else "–",
        f"{_log_p(found)} nats" if "nats" in found else "–",
        *(
            f"{one['value']:.3f} ({one['low']:.3f}–{one['high']:.3f})" if (one := lies.get(name)) else "–"
            for name in ("coverage", "frechet")
        ),
        _parameters(run),
        f"{steps[-1]['step']:,}" if steps else "–",
        f"{steps[-1]['seconds'] / 60:.1f}" if steps else "–",
    ]


def _log_p(found: dict[str, Any]) -> str:
    error = "" if found["standard_error"] is None else f" ± {found['standard_error']:.2f}"
    return f"{-found['nats']:.2f}{error}"


def comparison_table(folder: Path) -> str:
    """A row for each figure of a comparison, a column for each model; what that says of the families, and of what is said of them."""
    document = comparison.read(folder)
    found, held_out = comparison.rows(document), outcome.real(document)
    lines = table(
        [document["plan"]["data"]["name"], *(f"`{row.name}`" for row in found), "real, held out"],
        [
            [
                outcome.FIGURES[key].head,
                *(row.text(key) for row in found),
                held_out.text(key) if held_out and key in held_out.figures else "",
            ]
            for key in outcome.columns(found)
        ],
    )
    balances = [
        f"- {each.family}: + {'; '.join(each.pros) or 'nothing'}. − {'; '.join(each.cons) or 'nothing'}."
        for each in findings.balances(found)
    ]
    claims = [[each.family, f"{each.claim} ({each.source})", f"**{each.verdict}**", each.evidence] for each in findings.findings(found)]
    told = " ".join([*outcome.conditions(document), outcome.how_sure(document)])
    return "\n".join([told, "", *lines, "", *balances, "", *table(["family", "what is said", "verdict", "evidence"], claims)])


def probe_table(found: dict[str, Any]) -> str:
    """A row for each number of labels, a column for each kind of features."""
    readings = found["readings"]
    kinds = list(dict.fromkeys((each["features"], each["size"]) for each in readings))
    counts = list(dict.fromkeys(each["labels"] for each in readings))
    by = {(each["features"], each["labels"]): each["accuracy"] for each in readings}
    cells = {key: f"{100 * value['value']:.1f}% ({100 * value['low']:.1f}–{100 * value['high']:.1f})" for key, value in by.items()}
    lines = table(
        ["labels", *(f"{name}, {size}" for name, size in kinds)],
        [[f"{count:,}", *(cells[name, count] for name, _ in kinds)] for count in counts],
    )
    first = readings[0]
    images = f"{first['held_out']:,} test images"
    told = f"`{found['model']}` on {found['data']}: {images}, 95% intervals over {first['draws']} draws of the labels."
    return "\n".join([told, "", *lines])


def read_json(file: Path) -> dict[str, Any]:
    """What a file holds; nothing if it is not there."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def over_minutes(runs: Sequence[Run]) -> list[str]:
    """The mean over runs of the best validation nats within so many minutes of training; a dash where no run has got so far."""
    cells = []
    for minutes in MINUTES:
        found = []
        for run in runs:
            seen = [record for record in run.metrics("valid") if "nats" in record]
            within = [record["nats"] for record in seen if record["seconds"] <= 60 * minutes]
            # A run that ended sooner says nothing of later; its last validation stands at its end.
            trained = max((record["seconds"] for record in run.metrics("train")), default=0.0)
            if within and trained >= 0.95 * 60 * minutes:
                found.append(min(within))
        cells.append(f"{sum(found) / len(found):.2f}" if found and len(found) == len(runs) else "–")
    return cells


def _tested(run: Run) -> str:
    found = read_json(run.path / "test.json")
    if not found:
        return "–"
    error = "" if found["standard_error"] is None else f" ± {found['standard_error']:.2f}"
    return f"{found['nats']:.2f}{error}"


def _parameters(run: Run) -> str:
    count: Callable[[], int] | None = getattr(load_model(run), "parameter_count", None) if run.checkpoint_path.exists() else None
    return f"{count():,}" if count else "–"


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """Lines of Markdown."""
    return [f"| {' | '.join(line)} |" for line in (head, ["---", *["---:"] * (len(head) - 1)], *body)]


if __name__ == "__main__":
    main()
