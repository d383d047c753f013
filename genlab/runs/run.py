"""One run folder: read at any time, appended to by the process that holds its lock."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from genlab.errors import RunError
from genlab.runs.files import write_aside
from genlab.runs.reader import FORMAT, LABEL_LENGTH, check_format, one_line, record_of

State = Literal["running", "finished", "stopped", "failed", "interrupted"]

_ENDS: dict[str, State] = {"finished": "finished", "stopped": "stopped", "failed": "failed"}
# Asking whether a lock is held takes it for an instant, so a lock that is found held is tried again for this long.
_LOCK_PATIENCE_SECONDS = 0.3


@dataclass(frozen=True)
class Run:
    """A run folder. Reading is safe at any time, also while another process trains into it.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def label(self) -> str:
        """What people call it: the label somebody gave it, else the folder's name. Plain text of one line, never to be taken for markup."""
        try:
            label = (self.path / "label.txt").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return self.name
        return one_line(label)[:LABEL_LENGTH] or self.name

    @property
    def config(self) -> dict[str, Any]:
        """What was asked for: ``{"format", "model", "data", "training", "seed", "versions"}``.

        Raises:
            RunError: `config.json` is missing, not JSON, or of another format.
        """
        file = self.path / "config.json"
        try:
            config = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"{self.path} is not a run folder: it has no config.json") from None
        except OSError as error:
            raise RunError(f"{file} could not be read: {error.strerror}") from None
        except ValueError as error:
            raise RunError(f"{file} is not JSON: {error}") from None
        check_format(file, config)
        missing = [key for key in ("model", "data", "training", "seed") if key not in config]
        if missing:
            raise RunError(f"{file} lacks {', '.join(missing)}")
        for part, key in (("model", "name"), ("model", "settings"), ("data", "name"), ("training", None)):
            if not isinstance(config[part], dict) or (key is not None and key not in config[part]):
                raise RunError(f"{file} holds no {part}{f'.{key}' if key else ''}; got {str(config[part])[:60]!r}")
        return dict(config)

    @property
    def checkpoint_path(self) -> Path:
        """Where the weights and the optimiser's state are."""
        return self.path / "checkpoint.safetensors"

    @property
    def sample_files(self) -> list[Path]:
        """The sample grids, in the order of their steps."""
        return sorted((self.path / "samples").glob("step-*.png"))

    @property
    def holder(self) -> int | None:
        """The id of the process that trains into the folder right now, or None; 0 if it hasn't said its id yet."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            # A shared lock: those who merely ask never turn each other away.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(os.read(descriptor, 32) or b"0")
        finally:
            os.close(descriptor)
        return None

    def metrics(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The records of `metrics.jsonl`, oldest first; ARCHITECTURE.md lists their keys.

        Args:
            kind: Only records of this kind: ``"train"``, ``"valid"``, ``"sample"`` or ``"event"``.

        Raises:
            RunError: A line is not JSON. The last one may be torn (its process was killed while writing) and is left out then.
        """
        records = []
        for number, line in enumerate(lines := self._metrics_lines(), 1):
            if kind is not None and f'"{kind}"' not in line:
                continue  # most lines are of another kind, and reading them is most of the work
            try:
                records.append(record_of(line))
            except ValueError:
                if number < len(lines):
                    raise RunError(f"{self.path / 'metrics.jsonl'} is torn at line {number}: {line[:60]!r}") from None
        return [record for record in records if kind is None or record["kind"] == kind]

    def state(self) -> State:
        """What became of the run: ``"running"``, ``"finished"``, ``"stopped"``, ``"failed"`` or ``"interrupted"``."""
        if self.holder is not None:
            return "running"
        events = self.metrics("event")
        return _ENDS.get(str(events[-1].get("event")), "interrupted") if events else "interrupted"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for writing; the kernel lets go of it when the process ends, however it ends.

        Raises:
            RunError: Another process holds it.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._take_lock(descriptor)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            yield
        finally:
            os.close(descriptor)

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Append one line to `metrics.jsonl`."""
        self._append("metrics.jsonl", json.dumps(record))

    def append_log(self, line: str) -> None:
        """Append one line, with the time of day, to `log.txt`."""
        self._append("log.txt", f"{datetime.now():%Y-%m-%d %H:%M:%S} {line}")

    def cut_back(self, step: int) -> None:
        """Drop records and sample grids later than `step`, and a torn last line: what a resumed run will write anew."""
        kept = [record for record in self.metrics() if record["step"] <= step]
        write_aside(self.path / "metrics.jsonl", "".join(json.dumps(record) + "\n" for record in kept).encode())
        for file in self.sample_files:
            if int(file.stem.removeprefix("step-")) > step:
                file.unlink()

    def _append(self, name: str, line: str) -> None:
        """Append a whole line or nothing."""
        content = (line + "\n").encode()
        reason = "the disk is full"
        with (self.path / name).open("ab", buffering=0) as file:
            end = file.tell()
            try:
                if file.write(content) == len(content):
                    return
            except OSError as error:
                reason = str(error.strerror)
            file.truncate(end)
        raise RunError(f"{self.path / name} could not be written: {reason}")

    def _metrics_lines(self) -> list[str]:
        try:
            return (self.path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def _take_lock(self, descriptor: int) -> None:
        deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    holder = os.read(descriptor, 32).decode() or "unknown"
                    raise RunError(f"{self.path} is locked: process {holder} is training into it") from None
                time.sleep(0.01)


def is_run(path: Path | str) -> bool:
    """Whether `path` is a run folder, sound or not."""
    return (Path(path) / "config.json").is_file()


def write_config(run: Run, config: Mapping[str, Any]) -> None:
    """Write `config.json`, aside first and then renamed."""
    write_aside(run.path / "config.json", (json.dumps({"format": FORMAT, **config}, indent=2) + "\n").encode())
