"""A run is a folder: `config.json`, `metrics.jsonl`, `checkpoint.safetensors`, `samples/`, `log.txt`, `lock`, and a label if it has one.

ARCHITECTURE.md says what each file holds. Nothing here knows how to train; nothing here is pickled. torch loads only for weights,
so that listing runs stays quick.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genlab.errors import InputError, RunError, unknown_name
from genlab.settings import TrainSettings, validate

if TYPE_CHECKING:
    from torch import Tensor

    from genlab.causal.native_program import Painter
    from genlab.models.causal.model import CausalModel

FORMAT = 1
State = Literal["running", "finished", "stopped", "failed", "interrupted"]

_ENDS: dict[str, State] = {"finished": "finished", "stopped": "stopped", "failed": "failed"}
_WEIGHTS = {"best": "best", "ema": "ema", "raw": "model"}
# Asking whether a lock is held takes it for an instant, so a lock that is found held is tried again for this long.
_LOCK_PATIENCE_SECONDS = 0.3
_LABEL_LENGTH = 60


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
        return _one_line(label)[:_LABEL_LENGTH] or self.name

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
        _check_format(file, config)
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
                records.append(_record(line))
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


def runs_folder() -> Path:
    """Where runs go that were not told where: ``$GENLAB_RUNS_DIR``, or `runs` in the current folder."""
    return Path(os.environ.get("GENLAB_RUNS_DIR") or "runs")


def new_run_path(model: str, data: str) -> Path:
    """A fresh, empty folder ``<model>-<data>-<time>`` below :func:`runs_folder`, made at once so that nobody else gets it."""
    data = re.sub(r"[^A-Za-z0-9_]+", "-", Path(data).stem).strip("-") or "data"
    stem = f"{model}-{data}-{datetime.now():%Y%m%d-%H%M%S}"
    number = 1
    while True:
        path = runs_folder() / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            number += 1


def open_run(path: Run | Path | str) -> Run:
    """The run at a path, or of that name below :func:`runs_folder`, or a packaged pretrained model by its name.

    Raises:
        RunError: There is no run folder.
    """
    if isinstance(path, Run):
        return path
    packaged = pretrained_path(str(path))
    for folder in (Path(path), runs_folder() / path, packaged):
        if folder is not None and is_run(folder):
            return Run(folder)
    if Path(path).exists():
        raise RunError(f"{path} is not a run folder: it has no config.json")
    raise RunError(f"there is no run folder {path}")


def is_run(path: Path | str) -> bool:
    """Whether `path` is a run folder, sound or not."""
    return (Path(path) / "config.json").is_file()


def list_runs(folder: Path | str | None = None) -> list[Run]:
    """The runs directly below `folder` (by default :func:`runs_folder`), the one started or resumed last first."""
    folder = runs_folder() if folder is None else Path(folder)
    paths = [path for path in folder.iterdir() if is_run(path)] if folder.is_dir() else []
    return [Run(path) for path in sorted(paths, key=lambda path: (path / "config.json").stat().st_mtime, reverse=True)]


def remove_run(run: Run) -> None:
    """Delete a run folder with everything in it.

    Raises:
        RunError: It is not a run folder, or a process is training into it.
    """
    if not is_run(run.path):
        raise RunError(f"{run.path} is not a run folder: it has no config.json")
    with run.lock():
        shutil.rmtree(run.path)


def write_label(run: Run, label: str) -> None:
    """Give a run a label for people to read; an empty one takes it away. The folder keeps its name.

    Raises:
        InputError: The label is too long.
        RunError: The disk is full or refuses.
    """
    label = _one_line(label)
    if len(label) > _LABEL_LENGTH:
        raise InputError(f"label must have at most {_LABEL_LENGTH} characters; got {len(label)}")
    write_aside(run.path / "label.txt", (label + "\n").encode())


def request_learning_rate(run: Run, rate: float) -> None:
    """Ask the process that trains into the folder to go on with another learning rate from its next step on.

    Raises:
        InputError: The rate is out of the bounds of `TrainSettings.learning_rate`.
        RunError: The disk is full or refuses.
    """
    rate = validate(TrainSettings, {"learning_rate": rate}).learning_rate
    write_aside(run.path / "control.json", json.dumps({"learning_rate": rate}).encode())


def take_learning_rate(run: Run) -> float | None:
    """The rate that was asked for since the last call, or None. What is no valid request is dropped."""
    file = run.path / "control.json"
    if not file.exists():
        return None
    try:
        content = file.read_bytes()
        file.unlink()
        return validate(TrainSettings, {"learning_rate": json.loads(content)["learning_rate"]}).learning_rate
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_config(run: Run, config: Mapping[str, Any]) -> None:
    """Write `config.json`, aside first and then renamed."""
    write_aside(run.path / "config.json", (json.dumps({"format": FORMAT, **config}, indent=2) + "\n").encode())


def write_aside(path: Path, content: bytes) -> None:
    """Replace the file `path` by `content` in one instant: whoever reads finds the old file or the new one, never half of one.

    Raises:
        RunError: The disk is full or refuses. The old file, if there was one, is untouched and nothing is left beside it.
    """
    aside = path.with_name(path.name + ".tmp")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise RunError(f"{path} could not be written: {error.strerror}; what was there before is kept") from error


def save_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write named tensors and a JSON header as one safetensors file.

    Raises:
        RunError: As for :func:`write_aside`.
    """
    from safetensors.torch import save

    content = save(dict(tensors), metadata={"genlab": json.dumps({"format": FORMAT, **header})})
    write_aside(path, content)


def read_tensors(path: Path, expected: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors named by `expected` out of a file of :func:`save_tensors`, and its header.

    Everything is compared before anything is returned: each group of names (what stands before the first ``/``) must hold the
    expected names and no others, of the expected shapes and dtypes.

    Raises:
        RunError: The file is missing, torn, of another format or fits another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    header = read_header(path)
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} could not be read: {error}") from None
    groups = {name.split("/", 1)[0] for name in expected}
    _compare_tensors(path, {name: tensor for name, tensor in tensors.items() if name.split("/", 1)[0] in groups}, expected)
    return {name: tensors[name] for name in expected}, header


def read_header(path: Path) -> dict[str, Any]:
    """The JSON header of a file of :func:`save_tensors`; of a checkpoint ``{"format", "model", "step", "epoch", "seconds", ...}``.

    Raises:
        RunError: The file is missing, torn, or not of this format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("genlab", "null"))
    except FileNotFoundError:
        raise RunError(f"{path} is missing") from None
    except (OSError, SafetensorError, ValueError) as error:
        raise RunError(f"{path} is torn or not a safetensors file: {error}") from None
    _check_format(path, header)
    return dict(header)


def save_model(model: CausalModel, path: Path | str) -> None:
    """Write a model's weights and config as one ``.safetensors`` file that :func:`load_model` takes.

    Raises:
        RunError: The disk is full or refuses.
    """
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    save_tensors(Path(path), tensors, {"model": model.config})


def pretrained_path(name: str) -> Path | None:
    """The folder of the packaged pretrained model `name` (`config.json` and `model.safetensors`), or None if there is none."""
    path = Path(__file__).parent / "pretrained" / name
    return path if re.fullmatch(r"[\w-]+", name) and is_run(path) else None


def load_model(path: Run | Path | str, *, weights: str = "best") -> CausalModel:
    """A trained model out of a run folder, a ``.safetensors`` file, or a packaged one by its name.

    Args:
        path: The run, its folder, a file written by :func:`save_model` or a run's checkpoint, or a pretrained model's name.
        weights: ``"best"`` (averaged weights of the best validation; the latest averaged ones before the first validation),
            ``"ema"`` (the latest averaged weights) or ``"raw"`` (the latest weights themselves). A file that holds only one set
            of weights gives that one.

    Raises:
        InputError: `weights` is not one of the three.
        RunError: The folder or file is missing, torn, of another format, or doesn't fit the model it names.
    """
    import torch

    from genlab.models import create_model

    if weights not in _WEIGHTS:
        raise unknown_name("weights", weights, _WEIGHTS)
    file = _weights_file(path)
    header = read_header(file)
    try:
        # On torch's "meta" device nothing takes memory: whatever network a header claims, the file's tensors must bear it out first.
        with torch.device("meta"):
            model: CausalModel = create_model(header["model"]["name"], **header["model"]["settings"])
    except (InputError, KeyError, TypeError) as error:
        raise RunError(f"{file} names a model that this genlab cannot build: {error}") from None
    group = _WEIGHTS[weights] if "step" in header else "model"
    averaged = {name for name, _ in model.named_parameters()}
    sources = {name: f"{group if name in averaged else 'model'}/{name}" for name in model.state_dict()}
    tensors, _ = read_tensors(file, {sources[name]: tensor for name, tensor in model.state_dict().items()})
    model.load_state_dict({name: tensors[source] for name, source in sources.items()}, assign=True)
    return model.eval()


def load_painter(name: str) -> Painter:
    """A packaged pretrained model that can only draw, loaded without torch: for a page that wants to show something at once.

    Raises:
        RunError: There is no such model, or its file is torn.
        InputError: It names a model that this genlab does not know.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    from genlab.causal.native_program import Painter
    from genlab.models import build_graph

    folder = pretrained_path(name)
    if folder is None:
        raise RunError(f"there is no packaged model {name!r}")
    described = Run(folder).config["model"]
    try:
        arrays = load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise RunError(f"{folder / 'model.safetensors'} could not be read: {error}") from None
    weights = {tensor.removeprefix("model/"): array for tensor, array in arrays.items()}
    return Painter(described["name"], build_graph(described["name"], **described["settings"]), weights)


def _weights_file(path: Run | Path | str) -> Path:
    """The safetensors file that `path` means."""
    if not isinstance(path, Run) and Path(path).suffix == ".safetensors":
        return Path(path)
    run = open_run(path)
    # Read for its checks alone: weights beside a torn config are not to be trusted.
    _ = run.config
    packaged = run.path / "model.safetensors"
    return packaged if packaged.exists() else run.checkpoint_path


def _record(line: str) -> dict[str, Any]:
    """One line of `metrics.jsonl`, if it is an object that says its kind and its step."""
    record = json.loads(line)
    if not (isinstance(record, dict) and "kind" in record and isinstance(record.get("step"), int)):
        raise ValueError(line)
    return record


def _one_line(text: str) -> str:
    """The text without what does not print, such as line ends and marks that turn the direction of writing."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _compare_tensors(path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Refuse tensors whose names, shapes or dtypes are not the expected ones."""
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise RunError(f"{path} does not fit the model: it lacks the tensor {name!r}")
        if name not in expected:
            raise RunError(f"{path} does not fit the model: it has a tensor {name!r} that the model has not")
        for what in ("shape", "dtype"):
            have, want = getattr(found[name], what), getattr(expected[name], what)
            if have != want:
                have, want = (str(tuple(have)), str(tuple(want))) if what == "shape" else (have, want)
                raise RunError(f"{path} does not fit the model: {name!r} has {what} {have}, the model's has {want}")


def _check_format(path: Path, header: Any) -> None:
    """Refuse a JSON value that isn't an object of this format."""
    if not isinstance(header, dict) or "format" not in header:
        raise RunError(f"{path} was not written by genlab: it names no format")
    if header["format"] != FORMAT:
        raise RunError(f"{path} has format {header['format']!r}, this version of genlab reads format {FORMAT}")


def _flush_folder(folder: Path) -> None:
    """Flush a folder to disk, without which a renamed file may be lost when the power fails."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
