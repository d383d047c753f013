"""What every model promises: what training, listing, saving and drawing ask of it, whatever its family."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genlab.datasets import load_dataset
from genlab.errors import GenlabError, InputError
from genlab.models import create_model, list_models
from genlab.models.contract import Model, Player
from genlab.testing.case import Case, array, broken, demand, same

_DRAWN = 16
# Of finite differences: their error is of the order of the step's square, and of rounding over the step.
_STEPS, _SLOPE_TOLERANCE = (1e-4, 1e-5, 1e-6), 1e-5
_FLOAT32_STEPS, _FLOAT32_SLOPE_TOLERANCE, _FLOAT32_DIRECTIONS = (1e-2, 3e-3, 1e-3), 2e-2, 4
_OFF_THE_KINK = 0.05
_PROMISED = [name for name in dir(Model) if not name.startswith("_")] + ["name"]


def is_a_model(case: Case) -> str:
    """It has what `genlab.models.contract.Model` lists."""
    missing = [name for name in _PROMISED if not hasattr(case.model, name)]
    demand(not missing, "a model has all that genlab.models.contract.Model lists", f"no {', '.join(missing)}")
    demand(isinstance(case.model, torch.nn.Module), "a model is a torch.nn.Module", type(case.model).__name__)
    domain = case.model.domain
    values = case.batch.values
    demand(values.shape[1:] == domain.shape, f"examples have the domain's shape {domain.shape}", f"a batch of {values.shape}")
    return f"a model of {domain}"


def config_builds_it_again(case: Case) -> str:
    """Its config is plain values and, if the catalogue knows it, makes the same network."""
    config = case.model.config
    try:
        plain = json.loads(json.dumps(config))
    except (TypeError, ValueError) as error:
        broken("config holds plain values alone, as JSON has them", error)
    demand(plain == config, "config is the same once written as JSON and read", f"{config!r}, then {plain!r}")
    demand({"name", "settings"} <= config.keys(), "config holds name and settings", sorted(config))
    if config["name"] not in list_models():
        return "plain values; the catalogue does not know the name"
    with torch.random.fork_rng(devices=[]):
        again = create_model(config["name"], **config["settings"])
    ours, theirs = ({name: tuple(tensor.shape) for name, tensor in model.state_dict().items()} for model in (case.model, again))
    demand(ours == theirs, "config makes a network of the same tensors", f"{_difference(ours, theirs)}")
    return "plain values that make the same network"


def players_share_all_parameters(case: Case) -> str:
    """Each parameter that is trained belongs to one player."""
    players = case.model.players
    names = [player.name for player in players]
    demand(len(players) > 0 and len(set(names)) == len(names), "players have names of their own", names)
    demand(all(player.moves >= 1 for player in players), "a player moves at least once a step", [player.moves for player in players])
    owners: dict[str, list[str]] = {}
    for parameter, tensor in case.model.named_parameters():
        if tensor.requires_grad:
            owners[parameter] = [player.name for player in players if player.owns(parameter)]
    for parameter, whose in owners.items():
        demand(len(whose) == 1, f"parameter {parameter!r} belongs to one player", f"{len(whose)}: {', '.join(whose) or 'nobody'}")
    for name in names:
        demand([name] in owners.values(), f"player {name!r} has parameters", "none")
    return f"{len(owners)} tensors shared among {', '.join(names)}"


def losses_are_numbers(case: Case) -> str:
    """Each player's total is a finite scalar, and its parts are numbers."""
    for player in case.model.players:
        terms = case.terms(case.copy().train(), player)
        total = terms.total
        demand(isinstance(total, torch.Tensor) and total.shape == (), f"the total of {player.name!r} is a scalar tensor", _what(total))
        demand(bool(total.isfinite()), f"the total of {player.name!r} is finite", total.item())
        for name, part in terms.parts.items():
            demand(
                array(part).shape == () and np.isfinite(array(part)), f"part {name!r} of {player.name!r} is a finite number", _what(part)
            )
            demand(not getattr(part, "requires_grad", False), f"part {name!r} of {player.name!r} is detached", "a gradient")
    return "finite, for every player"


def the_same_key_gives_the_same_loss(case: Case) -> str:
    """A second call with the same key draws the same numbers, and gives the same gradients."""
    for player in case.model.players:
        model = case.copy().train()
        first, second = (case.terms(each, player) for each in (model, case.copy().train()))
        promise = f"the same key gives {player.name!r} the same loss"
        demand(same(first.total, second.total), promise, f"{first.total.item()!r}, then {second.total.item()!r}")
        # Another batch in between must not matter: nothing but the key and the weights decides.
        again = case.copy().train()
        case.terms(again, player)
        third = case.terms(_with_state(again, case.model), player)
        demand(same(first.total, third.total), promise, f"{first.total.item()!r}, then {third.total.item()!r} after another call")
    return "bit for bit"


def gradients_are_slopes(case: Case) -> str:
    """Each player's gradient is finite, moves its own parameters, and agrees with finite differences."""
    for player in case.model.players:
        model = case.copy().train()
        own = _own(model, player)
        gradients = torch.autograd.grad(case.terms(model, player).total, list(own.values()), allow_unused=True)
        for name, gradient in zip(own, gradients, strict=True):
            demand(gradient is None or bool(gradient.isfinite().all()), f"the gradient of {name!r} is finite", "a value that is not")
        moved = any(gradient is not None and bool((gradient != 0).any()) for gradient in gradients)
        demand(moved, f"the loss of {player.name!r} depends on its own parameters", "no gradient")
    return f"agree with finite differences to {_slopes(case):.1e}"


def _slopes(case: Case) -> float:
    """The largest disagreement between gradient and finite differences, along random directions."""
    worst = 0.0
    for player in case.model.players:
        try:
            off, allowed = _slope_off(case, case.copy().double(), player, _STEPS, case.seed), _SLOPE_TOLERANCE
        except (RuntimeError, TypeError):
            # It computes in float32 alone, where steps are so large that kinks lie between: one direction without will do.
            directions = range(case.seed, case.seed + _FLOAT32_DIRECTIONS)
            off = min(_slope_off(case, case.copy(), player, _FLOAT32_STEPS, direction) for direction in directions)
            allowed = _FLOAT32_SLOPE_TOLERANCE
        promise = f"the gradient of {player.name!r} is the slope of its loss to {allowed:g} of its size"
        demand(off < allowed, promise, f"{off:.1e} from finite differences")
        worst = max(worst, off)
    return worst


def _slope_off(case: Case, model: Any, player: Player, steps: tuple[float, ...], seed: int) -> float:
    """How far the gradient along a random direction is from (L(θ + h d) − L(θ − h d)) / 2h, in parts of Σ |g| |d|, beyond rounding."""
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    own = _own(model.train(), player)
    generator = torch.Generator().manual_seed(seed)

    def drawn(scale: float) -> list[torch.Tensor]:
        return [scale * torch.randn(tensor.shape, generator=generator).to(tensor) for tensor in own.values()]

    # Off the first weights, where biases of 0 put whatever sees nothing right on the kink of a ReLU.
    start = [tensor.detach() + shift for tensor, shift in zip(own.values(), drawn(_OFF_THE_KINK), strict=True)]
    direction = drawn(1.0)

    def loss(step: float) -> torch.Tensor:
        model.load_state_dict(state)
        with torch.no_grad():
            for tensor, begin, along in zip(own.values(), start, direction, strict=True):
                tensor.copy_(begin + step * along)
        return case.terms(model, player).total

    total = loss(0.0)
    rounding = 4 * torch.finfo(total.dtype).eps * abs(float(total.detach()))
    gradients = torch.autograd.grad(total, list(own.values()), allow_unused=True)
    pairs = [(gradient.double(), along.double()) for gradient, along in zip(gradients, direction, strict=True) if gradient is not None]
    slope = sum(float((gradient * along).sum()) for gradient, along in pairs)
    size = sum(float((gradient * along).abs().sum()) for gradient, along in pairs)
    # A kink between two points gives way when they draw nearer; a wrong gradient does not.
    off = min(abs(float((loss(h) - loss(-h)).detach()) / (2 * h) - slope) - rounding / (2 * h) for h in steps)
    return max(0.0, off) / max(size, 1e-12)


def validation_reports(case: Case) -> str:
    """`validate` gives float64 figures of each example, its report's among them, always the same, and changes nothing."""
    model, report = case.copy().eval(), case.model.report
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found, again = case.figures(model), case.figures(model)
    demand(report.key in found, f"validate gives the report's figure {report.key!r}", sorted(found))
    shapes = [(len(case.batch),)] + ([()] if report.kind == "distance" else [])
    for name, figures in found.items():
        values = np.asarray(figures)
        demand(values.dtype == np.float64, f"figure {name!r} is float64", values.dtype)
        demand(values.shape in shapes, f"figure {name!r} has shape {' or '.join(map(str, shapes))}", values.shape)
        demand(bool(np.isfinite(values).all()), f"figure {name!r} is finite", values)
        demand(same(values, again[name]), f"the same key gives the same figure {name!r}", f"{values}, then {again[name]}")
    changed = [name for name, tensor in model.state_dict().items() if not same(tensor, before[name])]
    demand(not changed, "validating changes no tensor of the model", ", ".join(changed))
    return f"{', '.join(sorted(found))}"


def a_state_dict_is_all_there_is(case: Case) -> str:
    """Its state dict, loaded into a network with other weights, gives the same losses: nothing else decides."""
    for player in case.model.players:
        other = case.copy().train()
        case.terms(other, player)  # what a model notes down elsewhere than in its state
        with torch.no_grad():
            for tensor in other.parameters():
                tensor.add_(1)
        ours, theirs = (case.terms(model, player).total for model in (case.copy().train(), _with_state(other, case.model)))
        demand(same(ours, theirs), "a state dict holds all that decides a loss", f"{ours.item()!r}, then {theirs.item()!r}")
    return f"{len(case.model.state_dict())} tensors"


def draws_examples(case: Case) -> str:
    """`sample` gives values of its domain that follow from the seed; what it does not know it refuses."""
    model, domain = case.copy().eval(), case.model.domain
    kind = np.float32 if domain.levels is None else np.uint8
    options = case.options(_DRAWN)
    drawn, again, other = (model.sample(_DRAWN, seed, options) for seed in (1, 1, 2))
    demand(drawn.dtype == kind, f"samples are {np.dtype(kind)}", drawn.dtype)
    demand(drawn.shape == (_DRAWN, *domain.shape), f"samples have shape {(_DRAWN, *domain.shape)}", drawn.shape)
    in_range = bool(np.isfinite(drawn).all()) if domain.levels is None else int(drawn.max()) < domain.levels
    demand(in_range, f"samples lie in the domain of {domain}", f"values up to {drawn.max()}")
    demand(same(drawn, again), "the same seed draws the same samples", "others")
    varied = not (drawn == drawn[0]).all()
    demand(not (varied and same(drawn, other)), "another seed draws other samples", "the same")
    none = model.sample(0, 1, case.options(0))
    demand(none.shape == (0, *domain.shape), f"no samples have shape {(0, *domain.shape)}", none.shape)
    passed_over: object = "that it is passed over"
    try:
        model.sample(1, 1, {**case.options(1), "no such option": 1})
    except InputError:
        passed_over = None
    except Exception as error:  # whatever else comes is the finding
        passed_over = repr(error)
    demand(passed_over is None, "an option that sample does not know is an InputError", passed_over)
    return f"{np.dtype(kind)} {drawn.shape[1:]}, from the seed"


def resumes_bit_for_bit(case: Case) -> str:
    """Trained for two steps at once or one after the other, it has the same parameters and buffers, averages and optimisers."""
    from safetensors.torch import load_file

    from genlab.training import train

    data = _dataset(case)
    if isinstance(data, str):
        return data
    settings: dict[str, Any] = {
        "batch_size": max(1, len(data.train) // 2),
        "seed": 3,
        "log_seconds": 0,
        "sample_seconds": 1e6,
        "warmup_steps": 0,
    }
    settings |= {"schedule": "constant", "valid_images": 8}
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        once = train(case.copy(), data, steps=2, out=Path(folder) / "once", **settings)
        train(case.copy(), data, steps=1, out=Path(folder) / "twice", **settings)
        twice = train(case.copy(), data, steps=2, out=Path(folder) / "twice", resume=True)
        ours, theirs = (load_file(run.checkpoint_path) for run in (once, twice))
    demand(ours.keys() == theirs.keys(), "a resumed run has the tensors of an unbroken one", _difference(ours, theirs))
    off = [name for name in ours if not name.startswith("best/") and not same(ours[name], theirs[name])]
    demand(not off, "a resumed run has the bits of an unbroken one", f"others in {', '.join(off[:5])}")
    return f"{len(ours)} tensors of a checkpoint"


CONTRACT: tuple[Callable[[Case], str], ...] = (
    is_a_model,
    config_builds_it_again,
    players_share_all_parameters,
    losses_are_numbers,
    the_same_key_gives_the_same_loss,
    gradients_are_slopes,
    validation_reports,
    a_state_dict_is_all_there_is,
    draws_examples,
    resumes_bit_for_bit,
)


def _own(model: Any, player: Player) -> dict[str, Any]:
    return {name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad and player.owns(name)}


def _with_state(model: Any, of: Any) -> Any:
    """The model with another's tensors."""
    model.load_state_dict({name: tensor.clone() for name, tensor in of.state_dict().items()})
    return model


def _dataset(case: Case) -> Any:
    """Twenty examples for training, made of the batch; or why there are none."""
    if case.model.name not in list_models():
        return "not tried: only models of the catalogue are resumed; genlab.models.register adds one"
    if case.batch.given:
        return "not tried: no dataset has given maps"
    domain = case.model.domain
    values = np.resize(case.batch.values, (24, *domain.shape))
    labels = None if case.batch.labels is None else np.resize(case.batch.labels, 24)
    try:
        if domain.levels is None:
            return load_dataset(points=values, labels=labels)
        if domain.shape[0] not in (1, 3):
            return "not tried: no dataset has images of that many channels"
        return load_dataset(images=values, labels=labels, source_levels=domain.levels)
    except GenlabError as error:
        return f"not tried: {error}"


def _difference(ours: Any, theirs: Any) -> str:
    return ", ".join(sorted(name for name in ours.keys() | theirs.keys() if name not in ours or name not in theirs)) or "other shapes"


def _what(value: Any) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else repr(value)
