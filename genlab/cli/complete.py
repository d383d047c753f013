"""``genlab complete``: the rest of a picture, drawn by a trained model given its upper rows."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from genlab import __version__
from genlab.cli.files import fitted, read_bytes, require_place
from genlab.cli.parser import RUN, Commands, add_drawing
from genlab.cli.sample import draw, require_count, write_images
from genlab.errors import InputError


def add(commands: Commands) -> None:
    """The verb's options."""
    complete = commands.add_parser("complete", help="finish a picture of which a model is shown the upper rows")
    complete.add_argument("model", metavar="RUN", help=RUN)
    complete.add_argument("--image", type=Path, required=True, metavar="FILE", help="a PNG or JPEG, fitted to the model's images")
    complete.add_argument("--photograph", action="store_true", help="the picture is a digit on paper: find and centre it as MNIST's are")
    complete.add_argument("--rows", type=int, metavar="K", help="rows from the top that are kept (default: half of them)")
    complete.add_argument("-n", type=int, default=12, help="number of completions (default: 12)")
    complete.add_argument(
        "--out", type=Path, default=Path("completed.png"), metavar="FILE", help="a .png, or a .npz with the levels (default: completed.png)"
    )
    add_drawing(complete)
    complete.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    import numpy as np

    from genlab.models.contract import require
    from genlab.runs import load_model

    require_place("--out", arguments.out, ".png", ".npz")
    require_count(arguments.n)
    content = read_bytes("--image", arguments.image)
    model: Any = load_model(arguments.model, weights=arguments.weights)
    require(model, "causal", "genlab complete")
    height = model.domain.shape[1]
    rows = height // 2 if arguments.rows is None else arguments.rows
    if not 0 <= rows <= height:
        raise InputError(f"--rows must be from 0 to {height}, the rows of the model's images; got {rows}")
    known = fitted(content, model.domain, arguments.photograph)
    mask = np.zeros(model.domain.shape, bool)
    mask[:, :rows] = True
    images = draw(model, arguments, arguments.n, {"known": known, "known_mask": mask})
    text = f"genlab {__version__}: {arguments.n} completions of {rows} rows by {model.name}, seed {arguments.seed}"
    write_images(arguments.out, images, model, text, {"known": known, "known_mask": mask})
    print(arguments.out)
    return 0
