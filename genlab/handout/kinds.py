"""The kinds of hand-out: a line each. To add one: its file here, with a `describe(model)`, its script, and its line."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from genlab.domain import Domain
from genlab.errors import InputError
from genlab.handout.described import Described
from genlab.models.contract import abilities


@dataclass(frozen=True)
class Kind:
    """A kind of hand-out.

    Attributes:
        name: Stem of its files here: ``.py`` with ``describe(model) -> Described``, and ``.js`` with a ``create(data, tensors)``.
        view: Stem of what the visitor sees: ``.html``, and ``.js`` with the ``kind`` that `page.js` shows.
        ability: What a model must be able to do, a name in `genlab.models.contract.ABILITIES`.
        of_images: Of images, not of points.
        words: Which models have it, for a reader.
        shared: Scripts of `genlab.browser` that it needs, beside `ink.js`.
        components: Components of `genlab.browser` that it shows.
        scripts: Further scripts of this room.
    """

    name: str
    view: str
    ability: str
    of_images: bool
    words: str
    shared: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()

    def fits(self, can: Collection[str], domain: Domain) -> bool:
        """Whether a model that can do so much, over such examples, can do what it takes."""
        return self.ability in can and domain.is_image == self.of_images

    def describe(self, model: Any) -> Described:
        """What the page must know of a model.

        Raises:
            InputError: It is beyond what the browser computes.
        """
        described: Described = import_module(f"genlab.handout.{self.name}").describe(model)
        return described


_OF_CODES = ("philox.js", "codes.js")

KINDS = (
    Kind(
        "causal",
        "pixels",
        "causal",
        True,
        "images drawn value after value from a list of nodes",
        shared=("player.js",),
        components=("theatre", "pad"),
        scripts=("philox.js", "distributions.js"),
    ),
    Kind("flow", "pictures", "invertible", True, "images that a flow of couplings makes of noise", ("decoder.js",), scripts=_OF_CODES),
    Kind("flow", "points", "invertible", False, "points of the plane that such a flow makes of noise", ("decoder.js",), scripts=_OF_CODES),
    Kind("network", "pictures", "latent", True, "images decoded from a code by a plain network", ("decoder.js",), scripts=_OF_CODES),
    Kind("network", "pictures", "judge", True, "images that a plain generator makes of noise", ("decoder.js",), scripts=_OF_CODES),
    Kind(
        "network", "points", "judge", False, "points of the plane that a plain generator makes of noise", ("decoder.js",), scripts=_OF_CODES
    ),
)


def kind_of(model: Any) -> Kind:
    """The first kind that a model has.

    Raises:
        InputError: It has none; the sentence says which have.
    """
    for kind in KINDS:
        if kind.fits(abilities(model), model.domain):
            return kind
    raise without(model, "can do nothing of the kind")


def without(model: Any, reason: str) -> InputError:
    """The sentence for a model that has no hand-out."""
    return InputError(f"model must be of a kind that has a hand-out: {'; '.join(kind.words for kind in KINDS)}; {model.name!r} {reason}")
