"""``genlab evaluate``: a split's score under a trained model."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from genlab.cli.evaluate_samples import of_samples
from genlab.cli.files import require_place
from genlab.cli.parser import RUN, Commands
from genlab.cli.settings import assigned, data_settings, load_data
from genlab.errors import InputError
from genlab.runs import Run, load_model, open_run, write_aside


def add(commands: Commands) -> None:
    """The verb's options."""
    evaluate = commands.add_parser(
        "evaluate", help="score a split under a trained model, in nats and bits/dim, exactly or by a bound; or by what it reports"
    )
    evaluate.add_argument("model", metavar="RUN", help=RUN)
    evaluate.add_argument("--data", metavar="NAME", help="other images than the run's own; needed with a .safetensors file")
    evaluate.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="K=V", help="settings of the data, such as binarize=dynamic"
    )
    evaluate.add_argument("--split", default="test", help="train, valid or test (default: test)")
    evaluate.add_argument("--draws", type=int, default=1, help="binarisations drawn per image, if dynamic (default: 1)")
    evaluate.add_argument("--seed", type=int, default=0, help="decides those draws (default: 0)")
    evaluate.add_argument("--backend", default="auto", help="native, torch or auto (default: auto)")
    evaluate.add_argument("--calibration", action="store_true", help="whether its probabilities mean what they say: the reliability curve")
    evaluate.add_argument("--typicality", action="store_true", help="whether its own samples are as likely as these images")
    evaluate.add_argument(
        "--importance",
        type=int,
        default=1,
        metavar="K",
        help="codes an image of an importance-weighted bound, up to thousands (default: 1)",
    )
    evaluate.add_argument(
        "--samples",
        action="store_true",
        help="where its samples lie: precision, recall, density, coverage, a Fréchet distance, modes, and whether they are copies",
    )
    evaluate.add_argument("--limit", type=int, metavar="N", help="only the first so many images (default: all)")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    evaluate.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from genlab.measures.likelihood import evaluate
    from genlab.models.contract import abilities

    require_place("--json", arguments.json)
    is_file = Path(arguments.model).suffix == ".safetensors"
    if is_file and arguments.data is None:
        raise InputError(f"--data must be given with a .safetensors file, which doesn't know its dataset; got none with {arguments.model}")
    run = None if is_file else open_run(arguments.model)
    data = _other_data(arguments, run)
    model: Any = load_model(arguments.model)
    of_log_p = arguments.calibration or arguments.typicality or (arguments.draws, arguments.importance) != (1, 1)
    if model.report.kind == "distance" and not ({"likelihood", "bound"} & abilities(model) or of_log_p):
        return _reported(arguments, model, run, data)
    result = evaluate(
        run or model,
        data,
        limit=arguments.limit,
        split=arguments.split,
        draws=arguments.draws,
        seed=arguments.seed,
        backend=arguments.backend,
        importance=arguments.importance,
    )
    error = "" if result.standard_error is None else f" ± {result.standard_error:.2f}"
    bits = "" if result.bits_per_dim is None else f" {result.bits_per_dim:.4f} bits/dim,"
    print(f"{result.split}: {result.nats:.2f}{error} {result.words},{bits} {result.images} {result.example}s")
    if result.parts:
        print("made of: " + ", ".join(f"{name} {value:.2f}" for name, value in result.parts.items()))
    print(result.protocol)
    for figure in result.published:
        print(f"published: {figure.value:g} {figure.unit}, {figure.model} ({figure.source})")
    more = _more(arguments, model, run, data, result.images)
    if arguments.json is not None:
        document = {"model": str(arguments.model), **asdict(result), **more}
        write_aside(arguments.json, (json.dumps(document, indent=2) + "\n").encode())
    return 0


def _reported(arguments: argparse.Namespace, model: Any, run: Run | None, data: Any) -> int:
    """Of a model that says nothing of log p: the figures that it reports."""
    from genlab.measures import measure
    from genlab.measures.likelihood import load_run_data
    from genlab.models.contract import require

    for option, ability in (("calibration", "causal"), ("typicality", "likelihood")):
        if getattr(arguments, option):
            require(model, ability, f"--{option}")
    data = load_run_data(run) if data is None and run else data
    if arguments.limit is not None and arguments.limit < 1:
        raise InputError(f"limit must be at least 1; got {arguments.limit}")
    found = measure(model, data, split=arguments.split, limit=arguments.limit, seed=arguments.seed, backend=arguments.backend)
    for name, figure in found.items():
        error = "" if figure.standard_error is None else f" ± {figure.standard_error:.2g}"
        words = model.report.words if name == model.report.key else name.replace("_", " ")
        print(f"{arguments.split}: {figure.mean:.5g}{error} {words}, {figure.examples} examples")
    lie = of_samples(model, data, split=arguments.split, limit=arguments.limit, seed=arguments.seed) if arguments.samples else {}
    if arguments.json is not None:
        document = {
            "model": str(arguments.model),
            "split": arguments.split,
            "figures": {name: asdict(each) for name, each in found.items()},
            **lie,
        }
        write_aside(arguments.json, (json.dumps(document, indent=2) + "\n").encode())
    return 0


def _more(arguments: argparse.Namespace, model: Any, run: Run | None, data: Any, images: int) -> dict[str, Any]:
    """What else there is to say, printed, and as plain values: what was asked for, and what a code is used for where there is one."""
    import numpy as np

    from genlab.measures.figures import generator_of, split_of
    from genlab.measures.likelihood import load_run_data
    from genlab.models.contract import abilities

    has_code = "posterior" in abilities(model) and images > 1
    if not (arguments.calibration or arguments.typicality or arguments.samples or has_code):
        return {}
    data = load_run_data(run) if data is None and run else data
    split = split_of(data, arguments.split)
    batch = split.batch(generator_of(arguments.seed, 0), np.arange(images))
    asked = {"seed": arguments.seed, "backend": arguments.backend}
    found: dict[str, Any] = {"code": _code(model, batch)} if has_code else {}
    if arguments.calibration:
        found["calibration"] = _calibration(model, batch, asked)
    if arguments.typicality:
        found["typicality"] = _typicality(model, batch, asked)
    if arguments.samples:
        found |= of_samples(model, data, split=arguments.split, limit=arguments.limit, seed=arguments.seed)
    return found


def _code(model: Any, batch: Any) -> dict[str, Any]:
    from genlab.measures.collapse import code_use

    use = code_use(model, batch)
    print(f"code: {use.sentence}")
    print("KL of each latent: " + " ".join(f"{nats:.2f}" for nats in sorted(use.kl, reverse=True)))
    return {"kl": use.kl.tolist(), "activity": use.activity.tolist(), "active": int(use.active.sum()), "sentence": use.sentence}


def _calibration(model: Any, batch: Any, asked: dict[str, Any]) -> dict[str, Any]:
    from genlab.measures.calibration import calibration

    curve = calibration(model, batch, **asked)
    print(f"calibration: expected error {curve.error.text(4)}, {curve.events:,} events in {curve.images} images")
    print(f"{'said':>8}{'happened':>10}  {'95%':<16}{'events':>10}")
    for each in curve.bins:
        print(f"{each.said:8.3f}{each.happened.value:10.3f}  {each.happened.low:.3f} to {each.happened.high:.3f}{each.count:13,}")
    return asdict(curve)


def _typicality(model: Any, batch: Any, asked: dict[str, Any]) -> dict[str, Any]:
    from genlab.measures.typicality import QUANTILES, typicality

    both = typicality(model, batch, **asked)
    print(f"typicality: a sample is {both.gap.text(2)} nats likelier than an image; {both.inside.text(2)} of the images are inside")
    for words, spread in (("samples", both.drawn), ("images", both.held_out)):
        at = ", ".join(f"{100 * share:g}% {value:.2f}" for share, value in zip(QUANTILES, spread.quantiles, strict=True))
        print(f"  log p of {len(spread.values)} {words}: mean {spread.mean.text(2)}; quantiles {at}")
    spreads = {
        words: asdict(spread) | {"values": spread.values.tolist()} for words, spread in (("drawn", both.drawn), ("held_out", both.held_out))
    }
    return {**spreads, "gap": asdict(both.gap), "inside": asdict(both.inside)}


def _other_data(arguments: argparse.Namespace, run: Run | None) -> Any:
    """The dataset of --data and --set, like the run's own in all that isn't given; None if nothing is given."""
    from genlab.settings import DataSettings

    if arguments.data is None and not arguments.set:
        return None
    names = [name for name in DataSettings.model_fields if name != "name"]
    settings = data_settings(run.config) if run else {}
    settings |= {name: value for (_, name), value in assigned(arguments.set, {"data": names}).items()}
    return load_data(settings if arguments.data is None else {**settings, "name": arguments.data})
