"""What a study is asked for, checked and plain enough to be written down: variants, seeds, budget, data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from genlab.ablation.variants import ALIKE, SWITCHES, VARIANTS, Variant, of_model, systems
from genlab.errors import InputError, RunError, unknown_name
from genlab.models import settings_class
from genlab.settings import FROM_DATA, DataSettings, TrainSettings, validate

SYSTEMS = "systems"
SLIDE_65 = "switches"
"""Names that stand for several variants, alone."""
SEEDS_AT_MOST = 100


@dataclass(frozen=True)
class Plan:
    """What is trained.

    Attributes:
        variants: In order; the first is what the others are held against.
        seeds: Every variant is trained with each.
        data: Settings of the data.
        training: Settings of the training, the budget among them.
        left_out: A sentence for each variant that this genlab cannot train.
    """

    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    data: Mapping[str, Any]
    training: Mapping[str, Any]
    left_out: tuple[str, ...] = ()

    @property
    def runs(self) -> list[tuple[Variant, int]]:
        """Every training, seed by seed, so that a study which is stopped early compares all variants by fewer seeds."""
        return [(variant, seed) for seed in self.seeds for variant in self.variants]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "variants": [asdict(variant) for variant in self.variants],
            "seeds": list(self.seeds),
            "data": dict(self.data),
            "training": dict(self.training),
            "left_out": list(self.left_out),
        }


def plan_again(
    stored: Mapping[str, Any],
    *,
    seeds: int | None = None,
    data: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan that was written down, its names and values checked as if somebody had typed them.

    Args:
        stored: What `Plan.as_json` gave.
        seeds: Another number of them.
        data: Settings in place of those that were written down.
        training: Likewise.

    Raises:
        InputError: A value breaks a rule.
        RunError: It is no plan.
    """
    try:
        chosen = [Variant(**{name: each[name] for name in Variant.__dataclass_fields__}) for each in stored["variants"]]
        count = len(stored["seeds"]) if seeds is None else seeds
        parts = _checked(count, {**stored["data"], **(data or {})}, {**stored["training"], **(training or {})})
        left_out = tuple(str(sentence) for sentence in stored["left_out"])
        for variant in chosen:
            if not re.fullmatch(r"[\w-]{1,60}", variant.name):  # it becomes a folder's name
                raise InputError(f"a variant's name must be letters, digits and hyphens; got {variant.name!r:.80}")
            validate(TrainSettings, variant.training)
        return Plan(tuple(_with(variant, {}) for variant in chosen), left_out=left_out, **parts)
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"the plan of the study cannot be read: {type(error).__name__} {error}") from None


def plan_of(
    *,
    variants: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    seeds: int = 3,
    data: Mapping[str, Any] | None = None,
    model: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> Plan:
    """A plan out of what somebody asks for.

    Args:
        variants: Names in `VARIANTS`, or alone ``"systems"``, every model of the catalogue with a likelihood, or
            ``"switches"``, those of a GAN; None takes all of `VARIANTS`.
        models: Instead, names of the catalogue.
        seeds: How many.
        data: Settings of the data.
        model: Settings of every model that has them.
        training: Settings of the training; a budget of ``minutes``, ``steps`` or ``epochs`` must be among them.

    Raises:
        InputError: A name is unknown, a setting breaks its rule, or nothing remains to be trained.
    """
    if variants and models:
        raise InputError(f"variants and models must not be given both; got {', '.join(variants)} and {', '.join(models)}")
    parts = _checked(seeds, data or {}, training or {})
    chosen = [of_model(name) for name in dict.fromkeys(models)] if models else _chosen(variants)
    obstacles = {variant.name: variant.obstacle() for variant in chosen}
    left_out = tuple(f"{name} is left out: {obstacle}" for name, obstacle in obstacles.items() if obstacle)
    usual = {} if models or list(variants or ()) in ([SYSTEMS], [SLIDE_65]) else ALIKE
    able = tuple(_with(variant, {**usual, **(model or {})}) for variant in chosen if not obstacles[variant.name])
    if not able:
        raise InputError(f"variants must hold one that can be trained; got none: {'; '.join(left_out)}")
    return Plan(able, left_out=left_out, **parts)


def _checked(seeds: int, data: Mapping[str, Any], training: Mapping[str, Any]) -> dict[str, Any]:
    """Seeds, data and training of a plan."""
    if not 1 <= seeds <= SEEDS_AT_MOST:
        raise InputError(f"seeds must be between 1 and {SEEDS_AT_MOST}; got {seeds}")
    if "seed" in training:
        raise InputError(f"training.seed must not be set: every variant is trained with seeds 0 to {seeds - 1}; got {training['seed']!r}")
    if all(training.get(name) is None for name in ("minutes", "steps", "epochs")):
        raise InputError("minutes, steps or epochs must say how long each variant is trained; got none of them")
    return {
        "seeds": tuple(range(seeds)),
        "data": validate(DataSettings, data).model_dump(mode="json"),
        "training": validate(TrainSettings, training).model_dump(mode="json", exclude_defaults=True),
    }


def _chosen(names: Sequence[str] | None) -> list[Variant]:
    known = {variant.name: variant for variant in VARIANTS}
    if names is None:
        return list(VARIANTS)
    if list(names) == [SYSTEMS]:
        return list(systems())
    if list(names) == [SLIDE_65]:
        return list(SWITCHES)
    for name in names:
        if name not in known:
            raise unknown_name("variants", name, [*known, SYSTEMS, SLIDE_65])
    return [known[name] for name in dict.fromkeys(names)]


def _with(variant: Variant, usual: Mapping[str, Any]) -> Variant:
    """The variant with all the settings that its model has, checked; those that the data decide stay open."""
    kind = settings_class(variant.model)
    settings = {name: value for name, value in usual.items() if name in kind.model_fields} | dict(variant.settings)
    checked = validate(kind, settings).model_dump(mode="json", exclude=set(FROM_DATA))
    return Variant(variant.name, variant.trick, variant.words, variant.model, checked, dict(variant.training))
