"""``genlab simulate``: what may come next in a series, drawn many times over by a trained model of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from genlab.cli.files import read_array, require_place, write_arrays
from genlab.cli.parser import RUN, Commands, add_drawing
from genlab.cli.sample import require_count
from genlab.errors import InputError

_SHARES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)


def add(commands: Commands) -> None:
    """The verb's options."""
    simulate = commands.add_parser("simulate", help="draw many futures of a series, given its past")
    simulate.add_argument("model", metavar="RUN", help=RUN)
    simulate.add_argument("--past", type=Path, metavar="FILE", help="levels as a .npy (default: how the run's own data end)")
    simulate.add_argument("--steps", type=int, metavar="N", help="of each future (default: as many as the model's length leaves)")
    simulate.add_argument("-n", type=int, default=200, help="number of futures (default: 200)")
    simulate.add_argument(
        "--out", type=Path, default=Path("futures.npz"), metavar="FILE", help="a .npz with the past, the futures and their quantiles"
    )
    add_drawing(simulate)
    simulate.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    import numpy as np

    from genlab.runs import load_model
    from genlab.simulation import quantiles, simulate

    require_place("--out", arguments.out, ".npz")
    require_count(arguments.n)
    past = _end_of_data(arguments.model) if arguments.past is None else read_array(arguments.past)
    model: Any = load_model(arguments.model, weights=arguments.weights)
    how = {"seed": arguments.seed, "temperature": arguments.temperature, "backend": arguments.backend}
    futures = simulate(model, past, arguments.n, steps=arguments.steps, **how)
    lines = quantiles(futures, _SHARES)
    write_arrays(arguments.out, past=np.asarray(past), futures=futures, shares=np.array(_SHARES), quantiles=lines)
    print(arguments.out)
    return 0


def _end_of_data(path: str) -> Any:
    """The last test stretch of the data that a run was trained on."""
    from genlab.measures.likelihood import load_run_data
    from genlab.runs import open_run

    if Path(path).suffix == ".safetensors":
        raise InputError(f"--past must be given with a .safetensors file, which doesn't know its dataset; got none with {path}")
    return load_run_data(open_run(path)).test.images[-1, 0, 0]
