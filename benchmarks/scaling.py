"""What a second process gives: ``python -m benchmarks.scaling`` trains one process with many threads, then several with one each.

The losses of their first steps are compared first; where they differ by more than rounding nothing is told. Both train in turn, and of the
images a second in their records the median is taken, without the first steps. Efficiency is the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FIRST_STEPS = 5  # while caches fill and the first step is one process's
COMPARED_STEPS = 8  # a step about doubles what rounding did before it, so later losses show nothing
TOLERANCE = 1e-4  # of those steps' losses; both sum in float32, in another order


def main() -> None:
    """Measure, print, and write the numbers if a file is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="pixelcnn", metavar="NAME")
    parser.add_argument("--data", default="mnist5k", metavar="NAME")
    parser.add_argument("--set", nargs="*", default=["binarize=threshold", "batch_size=64"], metavar="K=V", help="as of genlab train")
    parser.add_argument("--steps", type=int, default=40, help="of each training (default: 40)")
    parser.add_argument("--processes", type=int, default=2, help="to compare with one of as many threads (default: 2)")
    parser.add_argument("--repeats", type=int, default=3, help="trainings of each kind, in turn (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    arguments = parser.parse_args()
    speeds: dict[int, list[float]] = {1: [], arguments.processes: []}
    for _ in range(arguments.repeats):
        records = {processes: train(arguments, processes) for processes in speeds}
        compare(*records.values())
        for processes, found in records.items():
            speeds[processes].append(statistics.median(record["images_per_second"] for record in found[FIRST_STEPS:]))
    alone, shared = (statistics.median(found) for found in speeds.values())
    print(f"1 process, {arguments.processes} threads     {alone:10,.1f} images a second")
    print(f"{arguments.processes} processes, 1 thread    {shared:10,.1f} images a second")
    print(f"efficiency               {shared / alone:10.2f}")
    if arguments.json is not None:
        asked = {name: value for name, value in vars(arguments).items() if name != "json"}
        arguments.json.write_text(json.dumps({"asked": asked, "images_per_second": speeds, "efficiency": shared / alone}, indent=2) + "\n")


def train(arguments: argparse.Namespace, processes: int) -> list[dict[str, Any]]:
    """The records of a training, one a step."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "genlab", "train", arguments.model, "--data", arguments.data, "--out", f"{folder}/run"]
        command += [
            "--processes",
            str(processes),
            "--set",
            *arguments.set,
            f"steps={arguments.steps}",
            "log_seconds=0",
            "sample_seconds=1e6",
        ]
        # Several share what one has: each takes a part of these threads.
        surroundings = {**os.environ, "OMP_NUM_THREADS": str(arguments.processes)}
        subprocess.run(command, env=surroundings, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lines = (Path(folder) / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == "train"]


def compare(alone: list[dict[str, Any]], shared: list[dict[str, Any]]) -> None:
    """Refuse to time trainings that are not the same."""
    for one, other in zip(alone[:COMPARED_STEPS], shared[:COMPARED_STEPS], strict=True):
        losses = {name: value for name, value in one["values"].items() if name != "gradient_norm"}  # which swells what is rounded
        for name, value in losses.items():
            if abs(other["values"][name] - value) > TOLERANCE * max(1.0, abs(value)):
                raise SystemExit(f"step {one['step']}: {name} is {value} in one process and {other['values'][name]} in several")


if __name__ == "__main__":
    main()
