"""What is fuzzed: for each target a small corpus, a way to mutate it, and what reads it. A target is right if it returns or refuses."""

from __future__ import annotations

import gzip
import io
import json
import random
import shutil
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.mutate import mutated, mutated_json, mutated_lines, mutated_png
from genlab.errors import GenlabError

ROOT = Path(__file__).parents[1]
Mutate = Callable[[bytes, Sequence[bytes], random.Random], bytes]


@dataclass(frozen=True)
class Target:
    """One reader of foreign bytes.

    Attributes:
        corpus: Makes sound inputs, small ones.
        mutate: Makes another input of one of them.
        read: Reads an input with the help of an empty folder.
        refusals: What may be raised.
    """

    corpus: Callable[[], list[bytes]]
    mutate: Mutate
    read: Callable[[bytes, Path], object]
    refusals: tuple[type[Exception], ...] = (GenlabError,)


# --- data ------------------------------------------------------------------------------------------------------------------------


def _grey(count: int = 6, *shape: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, *(shape or (5, 4))), dtype=np.uint8)


def _idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def _idx_corpus() -> list[bytes]:
    images, labels = _idx(_grey()), _idx(np.arange(6))
    return [images, labels, gzip.compress(images, mtime=0), gzip.compress(labels, mtime=0)]


def _read_idx(content: bytes, folder: Path) -> None:
    from genlab.datasets import load_dataset

    (folder / "train-labels-idx1-ubyte").write_bytes(_idx(np.arange(6)))
    (folder / "train-images-idx3-ubyte").write_bytes(content)
    if _refused_or(lambda: _check(load_dataset(folder))):
        return
    (folder / "train-images-idx3-ubyte").write_bytes(_idx(_grey()))
    (folder / "train-labels-idx1-ubyte").write_bytes(content)
    _check(load_dataset(folder))


def _saved(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _npz_corpus() -> list[bytes]:
    compressed, alone, fortran = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez_compressed(compressed, x_train=_grey(), y_train=np.arange(6), x_test=_grey(2))
    np.save(alone, _grey())
    np.save(fortran, np.asfortranarray(_grey().astype(">f4")))
    named = _saved(train=_grey(), val=_grey(2), test=_grey(2), levels=256)
    return [_saved(images=_grey(), labels=np.arange(6.0)), named, compressed.getvalue(), alone.getvalue(), fortran.getvalue()]


_NAMES = ("images", "labels", "train", "val", "y_val", "x_test", "holdout", "levels", "arr_0", "X_Train", "a/../b", "")


def _mutate_npz(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Of an archive half the time its members' bytes and names alone, under checksums that fit; else the bytes of the whole."""
    if not content.startswith(b"PK") or rng.random() < 0.5:
        return mutated(content, others, rng)
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            body = mutated(old.read(name), others, rng) if rng.random() < 0.5 else old.read(name)
            new.writestr(rng.choice(_NAMES) + ".npy" if rng.random() < 0.2 else name, body)
    return packed.getvalue()


def _read_npz(content: bytes, folder: Path) -> None:
    from genlab.datasets import load_dataset

    if not content.startswith(b"\x93"):
        (folder / "a.npz").write_bytes(content)
        return _check(load_dataset(folder / "a.npz"))
    (folder / "a.npy").write_bytes(content)
    _refused_or(lambda: load_dataset(folder / "a.npy"))
    with zipfile.ZipFile(folder / "b.npz", "w") as archive:  # with a checksum that fits, so that the array itself is looked at
        archive.writestr("images.npy", content)
        archive.writestr("labels.npy", content)
    return _check(load_dataset(folder / "b.npz"))


def _check(data: Any) -> None:
    """A dataset that was read holds levels below its number of levels, and labels from 0."""
    for split in (data.train, data.valid, data.test):
        assert split.images.dtype == np.uint8
        assert split.images.max() < data.levels
        assert split.labels is None or split.labels.min() >= 0
    data.describe().encode()
    json.dumps(data.record)


def _picture(kind: str, mode: str, **options: Any) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(_grey(16, 12, 3)).convert(mode).save(file, kind, **options)
    return file.getvalue()


def _picture_corpus() -> list[bytes]:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    kinds = [("PNG", mode) for mode in ("L", "1", "P", "RGB", "RGBA", "LA")] + [("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK")]
    kinds += [(kind, "RGB") for kind in ("BMP", "GIF", "PPM", "TIFF", "WEBP", "MPO")]
    packed = [_picture("TIFF", "RGB", compression=name) for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")]
    return [_picture(kind, mode) for kind, mode in kinds] + packed + [_picture("JPEG", "RGB", exif=exif), _picture("PNG", "L", exif=exif)]


def _read_pictures(content: bytes, folder: Path) -> None:
    from genlab.datasets import load_dataset
    from genlab.datasets.photograph import find_digit, read_photograph
    from genlab.datasets.picture import read_picture

    for name in ("a.png", "b.png", "c.png"):
        (folder / name).write_bytes(content)
    _refused_or(lambda: _check(load_dataset(folder, size=8)))
    _refused_or(lambda: read_picture(content, size=(28, 28), levels=17))
    find_digit(read_photograph(content))


# --- runs ------------------------------------------------------------------------------------------------------------------------


def _config_corpus() -> list[bytes]:
    return [path.read_bytes() for path in sorted((ROOT / "genlab" / "pretrained").glob("*/config.json"))]


def _metrics_corpus() -> list[bytes]:
    common = {"step": 5, "epoch": 0, "seconds": 1.5}
    old = [
        {"kind": "event", "event": "started", "step": 0, "message": "", "time": 1.7e9},
        {
            "kind": "train",
            **common,
            "loss": 9.0,
            "bits_per_dim": 0.5,
            "learning_rate": 1e-3,
            "gradient_norm": 1.0,
            "images_per_second": 9.0,
        },
        {"kind": "valid", **common, "nats": 9.0, "bits_per_dim": 0.5, "best": True},
        {"kind": "sample", "step": 5, "file": "samples/step-00000005.png"},
        {"kind": "event", "event": "finished", "step": 5, "message": "done", "time": 1.7e9},
    ]
    new = [{"kind": "valid", **common, "values": {"nats": 9.0, "bits_per_dim": 0.5}, "best": True}, *old[:1], *old[-1:]]
    return ["".join(json.dumps(record) + "\n" for record in records).encode() for records in (old, new)]


def _run_of(folder: Path, config: bytes, metrics: bytes, checkpoint: bytes | None = None) -> Any:
    from genlab.runs import Run

    (folder / "config.json").write_bytes(config)
    (folder / "metrics.jsonl").write_bytes(metrics)
    if checkpoint is not None:
        (folder / "checkpoint.safetensors").write_bytes(checkpoint)
    return Run(folder)


def _ask(run: Any) -> None:
    """Everything that lists, pages and the command line ask a run."""
    from genlab.export import script

    questions: list[Callable[[], object]] = [
        lambda: run.config,
        lambda: run.label,
        lambda: run.report.describe((run.best() or {}).get("values", {})),
        lambda: run.domain,
        lambda: run.abilities,
        lambda: run.metrics(),
        lambda: run.best_value(),
        lambda: run.state(),
    ]
    for question in questions:
        _refused_or(question)
    compile(script(run), "script", "exec")


def _read_config(content: bytes, folder: Path) -> None:
    _ask(_run_of(folder, content, _metrics_corpus()[0]))


def _read_metrics(content: bytes, folder: Path) -> None:
    _ask(_run_of(folder, _config_corpus()[0], content))


def _checkpoint_corpus() -> list[bytes]:
    import tempfile

    import torch

    from genlab.models import create_model
    from genlab.runs import save_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        torch.manual_seed(0)
        save_model(create_model("pixelcnn", image_shape=(1, 4, 4), levels=2, channels=2, blocks=0, first_kernel=3), path)
        return [path.read_bytes()]


def _mutate_checkpoint(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """The table of a safetensors file as a JSON tree, with a length that fits; or its bytes."""
    if rng.random() < 0.4:
        return mutated(content, others, rng)
    (length,) = struct.unpack("<Q", content[:8])
    table = json.loads(content[8 : 8 + length])
    if rng.random() < 0.5 and "genlab" in table.get("__metadata__", {}):
        table["__metadata__"]["genlab"] = mutated_json(table["__metadata__"]["genlab"].encode(), others, rng).decode(errors="replace")
        text = json.dumps(table).encode()
    else:
        text = mutated_json(json.dumps(table).encode(), others, rng)
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def _read_checkpoint(content: bytes, folder: Path) -> None:
    from genlab.runs import load_model, read_header

    path = folder / "model.safetensors"
    path.write_bytes(content)
    _refused_or(lambda: read_header(path))
    load_model(path)


# --- quiz and programs -------------------------------------------------------------------------------------------------------------


def _quiz_corpus() -> list[bytes]:
    own = (ROOT / "genlab" / "lecture" / "quiz.yaml").read_bytes()
    bomb = b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    return [own, own[: len(own) // 3], bomb, b"title: t\nquestions:\n- text: q\n  options: {a: b, c: d}\n  answers: [a]\n"]


def _read_quiz(content: bytes, folder: Path) -> None:
    from genlab.lecture.quiz import load

    path = folder / "quiz.yaml"
    path.write_bytes(content)
    load(path)


@cache
def _program_corpus() -> tuple[bytes, ...]:
    from genlab.causal.native_program import specification
    from genlab.models import create_model

    found = []
    for shape, levels in (((1, 4, 3), 2), ((3, 3, 3), 4)):
        graph = create_model("pixelcnn", image_shape=shape, levels=levels, channels=2, blocks=1, first_kernel=3).graph
        found += [
            json.dumps(specification(graph, mode, "float32"), default=lambda array: array.tolist()) for mode in ("score", "train", "sample")
        ]
    return tuple(text.encode() for text in found)


def _read_program(content: bytes, _folder: Path) -> None:
    """A program that is taken is run: three images scored, trained on and drawn."""
    from genlab.native import core

    try:
        spec = json.loads(content)
        masks = [np.asarray(layer["mask"], np.uint8) for layer in spec["layers"]]
        shape = tuple(spec["image_shape"])
        spec["layers"] = [{**layer, "mask": mask} for layer, mask in zip(spec["layers"], masks, strict=True)]
        images = np.zeros((3, *shape), np.uint8)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError, MemoryError):
        return  # no specification of anything
    if images.size > 10_000:
        return
    program = core().Program(spec)
    weights = [np.ones(mask.shape, np.float32) * 0.1 for mask in masks]
    biases = [np.zeros(len(mask) if mask.ndim else 0, np.float32) for mask in masks]
    for walk in (
        lambda: program.score(weights, biases, images, False),
        lambda: program.train(weights, biases, images),
        lambda: program.sample(weights, biases, images.copy(), np.zeros_like(images), np.full(images.shape, 0.5), 1.0),
    ):
        _refused_or(walk, _OF_PYBIND)


_OF_PYBIND = (ValueError, TypeError, KeyError, IndexError, RuntimeError, OverflowError)


# --- all ---------------------------------------------------------------------------------------------------------------------------


def _refused_or(question: Callable[[], object], refusals: tuple[type[Exception], ...] = (GenlabError,)) -> bool:
    """Whether a question was answered, not refused."""
    try:
        question()
    except refusals as error:
        str(error).encode()
        return False
    return True


TARGETS: dict[str, Target] = {
    "idx": Target(_idx_corpus, mutated, _read_idx),
    "npz": Target(_npz_corpus, _mutate_npz, _read_npz),
    "pictures": Target(_picture_corpus, mutated_png, _read_pictures),
    "config": Target(_config_corpus, mutated_json, _read_config),
    "metrics": Target(_metrics_corpus, mutated_lines, _read_metrics),
    "checkpoint": Target(_checkpoint_corpus, _mutate_checkpoint, _read_checkpoint),
    "quiz": Target(_quiz_corpus, mutated, _read_quiz),
    "programs": Target(lambda: list(_program_corpus()), mutated_json, _read_program, _OF_PYBIND),
}


def emptied(folder: Path) -> Path:
    """The folder with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
