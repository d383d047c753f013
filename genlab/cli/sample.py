"""``genlab sample``: what a trained model draws, as a picture or as arrays."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from genlab import __version__
from genlab.cli.files import fitted, read_array, read_bytes, require_place, write_arrays, write_picture
from genlab.cli.parser import RUN, Commands, add_drawing
from genlab.cli.progress import sampling_progress
from genlab.errors import InputError
from genlab.runs import load_model

_IMAGES = 64


def add(commands: Commands) -> None:
    """The verb's options."""
    sample = commands.add_parser("sample", help="draw images from a trained model")
    sample.add_argument("model", metavar="RUN", help=RUN)
    sample.add_argument("-n", type=int, help=f"number of images (default: {_IMAGES}, or as many as there are labels)")
    sample.add_argument(
        "--out", type=Path, default=Path("samples.png"), metavar="FILE", help="a .png, or a .npz with the levels (default: samples.png)"
    )
    sample.add_argument("--labels", type=int, nargs="+", metavar="L", help="classes to draw: one for all, or one for each image")
    sample.add_argument(
        "--condition",
        type=Path,
        metavar="FILE",
        help="what a model goes by that is given a small or a grey image: a PNG or JPEG to make it from, or its levels as .npy",
    )
    add_drawing(sample)
    sample.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    require_place("--out", arguments.out, ".png", ".npz")
    labels = arguments.labels
    count = arguments.n if arguments.n is not None else len(labels) if labels and len(labels) > 1 else _IMAGES
    require_count(count)
    if labels and len(labels) not in (1, count):
        raise InputError(f"--labels must be one class for all images or {count}, one for each; got {len(labels)}")
    options: dict[str, Any] = {} if labels is None else {"labels": labels * count if len(labels) == 1 else labels}
    told = None if arguments.condition is None else _read(arguments.condition)
    model: Any = load_model(arguments.model, weights=arguments.weights)
    if told is not None:
        options["condition"] = _made(told, arguments.condition, model) if isinstance(told, bytes) else told
    images = draw(model, arguments, count, options)
    text = f"genlab {__version__}: {count} images of {model.name}, seed {arguments.seed}, temperature {arguments.temperature:g}"
    write_images(arguments.out, images, model, text, options)
    print(arguments.out)
    return 0


def _read(path: Path) -> Any:
    """The levels in a ``.npy``, or the bytes of a picture."""
    content = read_bytes("--condition", path)
    return read_array(path) if path.suffix.lower() == ".npy" else content


def _made(content: bytes, path: Path, model: Any) -> Any:
    """What a model is given in training of a picture like this."""
    made = getattr(model, "condition", None)
    if made is None:
        raise InputError(f"--condition must not be a picture: model {model.name!r} makes nothing of one; got {str(path)!r}")
    return made.of(fitted(content, model.domain)[None])[0]


def require_count(count: int) -> None:
    """Refuse to draw nothing."""
    if count < 1:
        raise InputError(f"-n must be at least 1; got {count}")


def draw(model: Any, arguments: argparse.Namespace, images_wanted: int, options: dict[str, Any]) -> Any:
    """What the model draws, as the arguments of `add_drawing` say."""
    from genlab.sampling import sample

    _require_room(model, arguments.out, images_wanted)
    # What isn't asked for isn't passed on: not every model knows every option.
    usual = {"backend": "auto", "temperature": 1.0}
    chosen = {name: getattr(arguments, name) for name, value in usual.items() if getattr(arguments, name) != value}
    passes = 0

    def count(now: int, _: Any) -> None:
        nonlocal passes
        passes = now

    if arguments.backend == "jacobi":
        chosen["on_pass"] = count
    with sampling_progress() as show:
        if show is not None:
            chosen["on_progress"] = show
        images = sample(model, images_wanted, seed=arguments.seed, **chosen, **options)
    if passes:
        print(f"genlab: {passes} full forward passes, where one for each value is {model.domain.size}", file=sys.stderr)
    return images


def _require_room(model: Any, path: Path, count: int) -> None:
    """Refuse more images than one picture holds, before they are drawn."""
    from genlab.images import LARGEST

    if path.suffix.lower() == ".png" and model.domain.is_image:
        channels, height, width = model.domain.shape
        most = LARGEST // (channels * (height * _scale(model) + 1) * (width * _scale(model) + 1))
        if count > most:
            raise InputError(f"-n must be at most {most:,}, which fill one picture; got {count}. Give an --out that ends in .npz for more")


def _scale(model: Any) -> int:
    """So many pixels of the picture to a side of an image's pixel, that one can see them."""
    height, width = model.domain.shape[1:]
    return int(max(1, 56 // max(height, width)))


def write_images(path: Path, images: Any, model: Any, text: str, arrays: dict[str, Any]) -> None:
    """A grid of the images under a ``.png``, the levels themselves under a ``.npz``, with the other arrays."""
    from genlab.images import grid

    domain = model.domain
    if path.suffix.lower() == ".npz":
        write_arrays(path, images=images, **arrays)
    elif not domain.is_image or domain.levels is None:
        raise InputError(f"--out must end in .npz for model {model.name!r}, which draws no images; got {str(path)!r}")
    else:
        write_picture(path, grid(images, domain.levels, scale=_scale(model)), text)
