"""A study carried out: an ordinary run folder for each variant and seed, and one JSON file that gathers what came of them.

What is finished is never trained again, what is half done is resumed: a study that was interrupted, however, goes on where it stopped.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genlab.ablation.plan import Plan
from genlab.ablation.variants import Variant
from genlab.errors import InputError, RunError, TrainingError
from genlab.runs import Run, is_run, write_aside
from genlab.runs.lock import locked

if TYPE_CHECKING:
    from genlab.datasets import Dataset

FORMAT, FILE = 1, "ablation.json"
SAMPLES = 16
_DRAWS = 5  # of a dynamic binarisation
_COMPARED = 700
_BYTES_AT_MOST = 64 * 2**20

Watch = Callable[[int, Variant, int], Callable[[Any], object] | None]
"""Called before a training with its number from 0, variant and seed; what it returns is the training's `on_progress`."""


@dataclass(frozen=True)
class Kind:
    """What sort of study it is.

    Attributes:
        word: What people call it.
        file: Where its document is kept.
        measured: Plain values that a finished run gives with its data.
        write: Writes what stands beside the document in its folder.
        opening: Plain values that the document holds of the data alone.
    """

    word: str
    file: str
    measured: Callable[[Run, Any], dict[str, Any]]
    write: Callable[[Path, dict[str, Any]], None]
    opening: Callable[[Any], dict[str, Any]] = lambda _: {}


def study(
    plan: Plan, folder: Path | str, *, watch: Watch | None = None, kind: Kind | None = None, data: Dataset | None = None
) -> dict[str, Any]:
    """Train every variant with every seed, measure each, and return the document.

    Args:
        plan: What is asked for. Where the folder holds a study, that one's data, budget and settings must be the same; variants and seeds
            may be others.
        folder: Where the runs go, and the document; made if need be.
        watch: Hears of each training before it begins.
        kind: What is measured; None: `ABLATION`.
        data: The plan's, where they are loaded already.

    Raises:
        InputError: The folder holds another study, or something else.
        RunError: The folder cannot be written, or another process works in it.
        KeyboardInterrupt: After Ctrl-C; the same call goes on.
    """
    folder, kind = Path(folder), kind or ABLATION
    _make(folder, kind)
    with locked(folder):
        document = _begun(plan, folder, kind)
        _write(folder, document, kind)
        data = data or _load(plan)
        if not document["runs"]:
            document |= kind.opening(data)
        for number, (variant, seed) in enumerate(plan.runs):
            if any(_is_of(record, variant, seed) for record in document["runs"]):
                continue
            record = _trained(plan, variant, seed, folder, data, kind, watch(number, variant, seed) if watch else None)
            if record is None:
                return document  # somebody asked the training to stop
            document["runs"].append(record)
            _write(folder, document, kind)
    return document


def begin(plan: Plan, folder: Path | str, *, kind: Kind | None = None) -> None:
    """Write down what is asked for, so that `genlab ablate --out FOLDER` knows it; nothing is trained. As `study`.

    Raises:
        InputError: The folder holds another study, or something else.
        RunError: The folder cannot be written, or another process works in it.
    """
    folder, kind = Path(folder), kind or ABLATION
    _make(folder, kind)
    with locked(folder):
        _write(folder, _begun(plan, folder, kind), kind)


def is_trained(folder: Path, variant: Variant, seed: int) -> bool:
    """Whether that training has come to its end."""
    path = folder / f"{variant.name}-{seed}"
    return is_run(path) and Run(path).state() == "finished"


def train_one(
    plan: Plan, variant: Variant, seed: int, folder: Path, data: Any = None, on_progress: Callable[[Any], object] | None = None
) -> Run:
    """Train one variant with one seed to its end, from its checkpoint if it has one; a finished one is left alone.

    Raises:
        InputError: The network cannot be built for these images.
        TrainingError: The training failed.
    """
    from genlab.models import create_for
    from genlab.training import train

    path = folder / f"{variant.name}-{seed}"
    if not is_trained(folder, variant, seed):
        data = _load(plan) if data is None else data
        settings = {**plan.training, **variant.training, "seed": seed}
        model = create_for(data, variant.model, seed, variant.settings)
        train(model, data, out=path, resume=is_run(path), on_progress=on_progress, **settings)
    return Run(path)


def read(folder: Path | str, file: str = FILE) -> dict[str, Any]:
    """The document of a study, begun or finished.

    Raises:
        RunError: There is none, or it is not what a study writes.
    """
    path = Path(folder) / file
    try:
        if path.stat().st_size > _BYTES_AT_MOST:
            raise RunError(f"{path} must be at most {_BYTES_AT_MOST} bytes long; got {path.stat().st_size}")
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path} could not be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise RunError(f"{path} is no study of format {FORMAT}")
    if not isinstance(document.get("runs"), list) or not isinstance(document.get("plan"), dict):
        raise RunError(f"{path} must hold a plan and runs")
    return document


def _make(folder: Path, kind: Kind) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        foreign = [file.name for file in folder.iterdir() if file.name != "lock"] if not (folder / kind.file).exists() else []
    except OSError as error:
        raise RunError(f"{folder} could not be made: {error.strerror}") from None
    if foreign:
        raise InputError(f"out must be a new or empty folder, or that of a {kind.word}; {folder} holds {foreign[0]!r}")


def _begun(plan: Plan, folder: Path, kind: Kind) -> dict[str, Any]:
    """A new document, or the one that the folder holds, for a plan like its own."""
    asked = plan.as_json()
    if not (folder / kind.file).exists():
        return {"format": FORMAT, "plan": asked, "runs": []}
    document = read(folder, kind.file)
    was = document["plan"]
    for part in ("data", "training"):
        for name in sorted(was.get(part, {}).keys() | asked[part].keys()):
            before, now = was.get(part, {}).get(name), asked[part].get(name)
            if before != now:
                raise InputError(f"{part}.{name} must be {before!r} to go on with the {kind.word} in {folder}; got {now!r}")
    settings = {variant["name"]: variant for variant in was.get("variants", ())}
    for variant in asked["variants"]:
        if (before := settings.get(variant["name"], variant)) != variant:
            raise InputError(f"variant {variant['name']!r} must have the settings of the {kind.word} in {folder}, {before}; got {variant}")
    return {**document, "plan": asked}


def _load(plan: Plan) -> Any:
    from genlab.datasets import load_dataset

    settings = dict(plan.data)
    return load_dataset(settings.pop("name"), **settings)


def _trained(
    plan: Plan, variant: Variant, seed: int, folder: Path, data: Any, kind: Kind, on_progress: Callable[[Any], object] | None
) -> dict[str, Any] | None:
    """What came of one variant with one seed, trained to its end; None if somebody asked it to stop before."""
    path = folder / f"{variant.name}-{seed}"
    record = {"variant": variant.name, "seed": seed, "folder": path.name}
    try:
        run = train_one(plan, variant, seed, folder, data, on_progress)
    except TrainingError as error:
        return {**record, "failed": str(error)}
    except InputError as error:
        # A network that cannot be built for these images says so; the others are compared all the same.
        if is_run(path):
            raise
        return {**record, "failed": str(error)}
    return None if run.state() != "finished" else {**record, **kind.measured(run, data)}


def _figures(run: Run, data: Any) -> dict[str, Any]:
    """A finished run's figures, cost and samples."""
    from genlab.runs import load_model
    from genlab.sampling import sample

    model: Any = load_model(run)
    began = time.perf_counter()
    images = sample(model, SAMPLES, seed=0, **_some_classes(model))
    drawing = time.perf_counter() - began
    steps = run.metrics("train")[-1]
    return {
        **(_likelihood(run, data) if {"likelihood", "bound"} & run.abilities else _nearness(model, data)),
        "seconds": steps["seconds"],
        "steps": steps["step"],
        "parameters": parameters_of(model),
        "drawing_seconds": drawing,
        "samples": stored(images, data.levels),
    }


def _likelihood(run: Run, data: Any) -> dict[str, Any]:
    """What the test images cost."""
    from genlab.measures.likelihood import evaluate

    found = evaluate(run, data, draws=_DRAWS)
    names = ("nats", "standard_error", "bits_per_dim", "images", "protocol")
    return {name: getattr(found, name) for name in names}


def _nearness(model: Any, data: Any) -> dict[str, Any]:
    """Where samples lie among training images, of which there are enough: of a model without a likelihood."""
    from genlab.measures.neighbours import neighbours

    found = neighbours(model, data, split="train", limit=_COMPARED)
    if found.frechet is None:
        return {"failed": f"without a likelihood it is measured in digit features, which images of {data.domain} have none of"}
    protocol = f"{found.drawn} samples beside {found.real} images, in {found.space}, k = {found.neighbours}"
    figures = {"frechet": found.frechet.value, "precision": found.precision.value, "recall": found.recall.value}
    return {**figures, "standard_error": None, "images": found.real, "protocol": protocol}


def stored(images: NDArray[np.uint8], levels: int) -> dict[str, Any]:
    """Images as plain values."""
    return {"shape": list(images.shape), "levels": levels, "base64": base64.b64encode(images.tobytes()).decode()}


def _some_classes(model: Any) -> dict[str, Any]:
    """Each class in turn, for a model that must be told one."""
    classes = getattr(model, "classes", 0)
    return {"labels": [number % classes for number in range(SAMPLES)]} if classes else {}


def parameters_of(model: Any) -> int:
    """Those that are used: masked weights do not count, where a model can tell."""
    if hasattr(model, "parameter_count"):
        return int(model.parameter_count())
    return sum(parameter.numel() for parameter in model.parameters())


def _is_of(record: Any, variant: Variant, seed: int) -> bool:
    return isinstance(record, dict) and (record.get("variant"), record.get("seed")) == (variant.name, seed)


def _write(folder: Path, document: dict[str, Any], kind: Kind) -> None:
    write_aside(folder / kind.file, (json.dumps(document, indent=1) + "\n").encode())
    kind.write(folder, document)


def _write_table(folder: Path, document: dict[str, Any]) -> None:
    from genlab.ablation.outcome import table

    write_aside(folder / "ablation.md", "\n".join(markdown(table(document))).encode() + b"\n")


def markdown(cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table as Markdown has it."""
    head, *body = cells
    for row in (head, ["---"] * len(head), *body):
        yield f"| {' | '.join(row)} |"


ABLATION = Kind("study", FILE, _figures, _write_table)
"""Test likelihoods, or where a model has none its samples, and what each trick is worth."""
