"""The tables of image GANs in docs/models.md, out of the runs' own files; that of slide 65's switches out of the study that is shipped.

    genlab evaluate runs/mnist-dcgan --samples --json runs/mnist-dcgan/samples.json
    python benchmarks/gan_images.py runs/mnist-dcgan runs/mnist-lapgan

A row is written for each run that is named and has both; rows of others stay. Nothing is typed in.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from genlab.ablation import read, table
from genlab.runs import Run, load_model, open_run

DOCUMENT = Path(__file__).parent.parent / "docs" / "models.md"
SWITCHES = Path(__file__).parent.parent / "genlab" / "ablation" / "shipped" / "switches"
HEAD = ("run", "data", "minutes", "steps", "parameters", "precision", "recall", "density", "coverage", "digit Fréchet", "copies, pixels")


def main() -> None:
    """Reads the folders and writes the part between the marks anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "runs", nargs="*", metavar="RUN", help="of `genlab train`, with a samples.json of `genlab evaluate --samples --json`"
    )
    runs = [open_run(folder) for folder in parser.parse_args().runs]
    rows = {line[0]: line for line in (*written("gan images"), *(row(run) for run in runs))}
    write("gan images", [list(HEAD), ["---", "---", *["---:"] * (len(HEAD) - 2)], *rows.values()])
    head, *body = table(read(SWITCHES))
    write("gan switches", [head, ["---", *["---:"] * (len(head) - 1)], *body])


def marks(mark: str) -> re.Pattern[str]:
    """What finds a table between its marks."""
    return re.compile(rf"(<!-- {mark} -->\n)(.*?)(<!-- /gan -->)", re.DOTALL)


def written(mark: str) -> list[list[str]]:
    """The rows that a table has now."""
    found = marks(mark).search(DOCUMENT.read_text(encoding="utf-8"))
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in found[2].splitlines()[2:]] if found else []


def write(mark: str, cells: list[list[str]]) -> None:
    """A table between its marks, anew."""
    lines = "\n".join(f"| {' | '.join(line)} |" for line in cells)
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(marks(mark).sub(lambda match: f"{match[1]}{lines}\n{match[3]}", text), encoding="utf-8")


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
