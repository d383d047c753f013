"""The command: ``python -m fuzz TARGET --seconds N``; ``all`` gives each target its share. What is found is kept; the code is then 1."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.targets import TARGETS, emptied
from fuzz.worker import ENDED

ROOT = Path(__file__).parents[1]
MOST_FINDINGS = 20
SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # files that live for a millisecond never meet a disk


@dataclass
class Outcome:
    """What came of one target.

    Attributes:
        executions: Inputs that were read.
        refused: Of those, how many were refused.
        findings: For each fault the file of its input, and the last line of why.
    """

    executions: int = 0
    refused: int = 0
    findings: list[tuple[Path, str]] = field(default_factory=list)


def fuzz(name: str, seconds: float, seed: int, keep: Path) -> Outcome:
    """One target for some seconds; each fault costs a child, and the next begins behind it."""
    outcome, end, first, reasons = Outcome(), time.monotonic() + seconds, 0, set()
    while (left := end - time.monotonic()) > 0 and len(outcome.findings) < MOST_FINDINGS:
        with tempfile.TemporaryDirectory(prefix="genlab-fuzz-", dir=SCRATCH) as scratch:
            folder = Path(scratch)
            command = [sys.executable, "-m", "fuzz.worker", name, str(seed), str(first), str(left), scratch]
            child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
            number = folder / "number"
            done, refused = map(int, number.read_text().split()) if number.exists() else (first, 0)
            outcome.executions += done - first
            outcome.refused += refused
            if child.returncode == ENDED:
                break
            if not (folder / "input").exists():
                raise SystemExit(f"{name} could not begin:\n{child.stderr}")
            reason = _reason(child)
            if reason not in reasons:  # one input for each fault is enough
                reasons.add(reason)
                outcome.findings.append((_kept(name, (folder / "input").read_bytes(), child.stderr, keep), reason))
            first = done + 1
            outcome.executions += 1
    return outcome


def _reason(child: subprocess.CompletedProcess[str]) -> str:
    """The last line of what a child said, and where it was; or the signal that it died of."""
    lines = [line.strip() for line in child.stderr.splitlines() if line.strip()]
    if child.returncode < 0:
        return f"died of signal {-child.returncode}"
    if any(line.startswith("Timeout") for line in lines):
        return "took too long"
    places = [line for line in lines if line.startswith("File ")]
    return f"{lines[-1] if lines else child.returncode} ({places[-1] if places else 'nowhere'})"


def _kept(name: str, content: bytes, why: str, keep: Path) -> Path:
    """The file in which a finding is kept, with what was said beside it."""
    keep.mkdir(parents=True, exist_ok=True)
    path = keep / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    path.write_bytes(content)
    path.with_suffix(".txt").write_text(why)
    return path


def main(arguments: list[str] | None = None) -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("target", choices=["all", *TARGETS], help="what is fuzzed")
    parser.add_argument("--seconds", type=float, default=60, help="in all; 'all' gives each target its share")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="folder for inputs that show a fault")
    parser.add_argument("--replay", type=Path, help="reads this one input, and no mutation")
    asked = parser.parse_args(arguments)
    if asked.replay is not None:
        with tempfile.TemporaryDirectory(prefix="genlab-fuzz-", dir=SCRATCH) as scratch:
            TARGETS[asked.target].read(asked.replay.read_bytes(), emptied(Path(scratch) / "scratch"))
        return 0
    names = list(TARGETS) if asked.target == "all" else [asked.target]
    found = False
    for name in names:
        outcome = fuzz(name, asked.seconds / len(names), asked.seed, asked.keep.absolute())
        print(f"{name}: {outcome.executions:,} inputs, {outcome.refused:,} refused, {len(outcome.findings)} faults", flush=True)
        for path, reason in outcome.findings:
            print(f"  {path}: {reason}", flush=True)
        found |= bool(outcome.findings)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
