"""``genlab sample``: images out of a trained model."""

from __future__ import annotations

import argparse
from pathlib import Path

from genlab import __version__
from genlab.cli.parser import Commands
from genlab.cli.progress import sampling_progress
from genlab.errors import InputError
from genlab.runs import load_model


def add(commands: Commands) -> None:
    """The verb's options."""
    sample = commands.add_parser("sample", help="draw images from a trained model")
    sample.add_argument("model", metavar="RUN", help="a run's folder or name, or a .safetensors file")
    sample.add_argument("-n", type=int, default=64, help="number of images (default: 64)")
    sample.add_argument("--out", type=Path, default=Path("samples.png"), metavar="PNG", help="the picture (default: samples.png)")
    sample.add_argument("--seed", type=int, default=0, help="decides the draws (default: 0)")
    sample.add_argument("--temperature", type=float, default=1.0, help="below 1 favours the likely (default: 1)")
    sample.add_argument("--backend", default="auto", help="native, torch, naive or auto (default: auto)")
    sample.add_argument("--weights", default="best", help="best, ema or raw (default: best)")
    sample.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from genlab.images import grid, save_png
    from genlab.sampling import sample

    if arguments.out.suffix.lower() != ".png":
        raise InputError(f"--out must end in .png; got {str(arguments.out)!r}")
    if arguments.n < 1:
        raise InputError(f"-n must be at least 1; got {arguments.n}")
    model = load_model(arguments.model, weights=arguments.weights)
    with sampling_progress() as show:
        images = sample(
            model, arguments.n, seed=arguments.seed, backend=arguments.backend, temperature=arguments.temperature, on_progress=show
        )
    picture = grid(images, model.levels, scale=max(1, 56 // max(model.image_shape[1:])))
    text = f"genlab {__version__}: {arguments.n} images of {model.name}, seed {arguments.seed}, temperature {arguments.temperature:g}"
    save_png(arguments.out, picture, text={"Description": text})
    print(arguments.out)
    return 0
