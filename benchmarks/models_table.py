"""The tables of docs/models.md, out of the runs' own files: nats over minutes of each causal system.

    python benchmarks/models_table.py --study runs/systems --runs runs/mnist-gated [--document docs/models.md]

A study is a folder of ``genlab ablate --models …``, a run one of ``genlab train``; what
``genlab evaluate RUN --draws 5 --json RUN/test.json`` left in a run's folder is its test column. Rows are written for what was really
trained; what is missing is a dash. A part whose folders are not named is left as it is.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from genlab.ablation import read
from genlab.ablation.outcome import how_sure, rows
from genlab.runs import Run, load_model, open_run

MINUTES = (1, 2, 5, 10, 30, 60)
DOCUMENT = Path("docs/models.md")


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the folders and writes the document anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, metavar="FOLDER", help="of `genlab ablate`")
    parser.add_argument("--runs", type=Path, nargs="+", default=[], metavar="RUN", help="of `genlab train`")
    parser.add_argument("--document", type=Path, default=DOCUMENT, help=f"default: {DOCUMENT}")
    given = parser.parse_args(arguments)
    text = given.document.read_text(encoding="utf-8")
    if given.study is not None:
        text = between(text, "study", study_table(given.study))
    if given.runs:
        text = between(text, "runs", runs_table([open_run(folder) for folder in given.runs]))
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
    file = run.path / "test.json"
    if not file.exists():
        return "–"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
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
