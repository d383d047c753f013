"""Which models there are: a line each, readable without torch. A family from outside the package adds its own with `register`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from genlab.domain import Domain
from genlab.errors import InputError, unknown_name
from genlab.models.contract import ABILITIES


@dataclass(frozen=True)
class Entry:
    """A model in the catalogue.

    Attributes:
        name: What `genlab.create_model` calls it.
        module: Where it lives: a module with a pydantic ``Settings`` and ``create(name, settings)``, which makes the model.
        family: ``"autoregressive"``, ``"latent"``, ``"reversible"``, ``"adversarial"``, or any other word of whoever adds one.
        abilities: Names in `genlab.models.contract.ABILITIES`.
        paper: Who described it.
        words: One sentence for the reader.
        of_points: Its abilities over points, if it has others there than over images.
    """

    name: str
    module: str
    family: str
    abilities: frozenset[str]
    paper: str
    words: str
    of_points: frozenset[str] | None = None

    def abilities_over(self, domain: Domain) -> frozenset[str]:
        """What its models of such examples can do."""
        return self.of_points if self.of_points is not None and domain.levels is None else self.abilities


_AUTOREGRESSIVE = frozenset({"likelihood", "causal"})
_ADVERSARIAL = frozenset({"judge"})
_VARIATIONAL = frozenset({"bound", "latent", "posterior"})

_ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "pixelcnn",
            "genlab.models.causal.pixelcnn",
            "autoregressive",
            _AUTOREGRESSIVE,
            "van den Oord et al. 2016",
            "Masked convolutions see the pixels before; training is parallel, drawing goes pixel by pixel.",
        ),
        Entry(
            "wave_pixelcnn",
            "genlab.models.causal.wave_pixelcnn",
            "autoregressive",
            _AUTOREGRESSIVE,
            "van den Oord et al. 2016c",
            "A series, step after step: dilated and gated convolutions, each layer twice as far back; simulates what comes next.",
        ),
        Entry(
            "multiscale_pixelcnn",
            "genlab.models.causal.multiscale_pixelcnn",
            "autoregressive",
            frozenset({"likelihood"}),
            "van den Oord et al. 2016",
            "A small image first, then the pixels between those that are there, scale by scale; a Gated PixelCNN draws each.",
        ),
        Entry(
            "gated_pixelcnn",
            "genlab.models.causal.gated_pixelcnn",
            "autoregressive",
            _AUTOREGRESSIVE,
            "van den Oord et al. 2016b",
            "A stack of rows above and a stack to the left leave no blind spot; tanh · σ gates, and classes if there are any.",
        ),
        Entry(
            "pixelcnn_pp",
            "genlab.models.causal.pixelcnn_pp",
            "autoregressive",
            _AUTOREGRESSIVE,
            "Salimans et al. 2017",
            "A whole pixel from a mixture of logistics; to coarser maps and back with short-cuts; dropout, and classes if there are any.",
        ),
        Entry(
            "row_lstm",
            "genlab.models.causal.row_lstm",
            "autoregressive",
            _AUTOREGRESSIVE,
            "van den Oord et al. 2016",
            "PixelRNN: an LSTM goes down the image row by row and sees a triangle that widens upwards.",
        ),
        Entry(
            "diagonal_bilstm",
            "genlab.models.causal.diagonal_bilstm",
            "autoregressive",
            _AUTOREGRESSIVE,
            "van den Oord et al. 2016",
            "PixelRNN: two LSTMs cross the image along its diagonals and together see every earlier pixel, in every layer.",
        ),
        Entry(
            "autoencoder",
            "genlab.models.latent.autoencoder",
            "latent",
            frozenset({"latent"}),
            "Hinton and Salakhutdinov 2006",
            "Through a bottleneck and back: a short code for each image, and no distribution over them; denoising as a switch.",
        ),
        Entry(
            "vae",
            "genlab.models.latent.vae",
            "latent",
            _VARIATIONAL,
            "Kingma and Welling 2014",
            "Codes with a prior: an encoder that says how sure it is, a decoder, and a lower bound on log p.",
        ),
        Entry(
            "pixelvae",
            "genlab.models.latent.pixelvae",
            "latent",
            _VARIATIONAL,
            "Gulrajani et al. 2017",
            "A VAE whose decoder is a causal list: the code says what the whole looks like, pixel after pixel the texture.",
        ),
        Entry(
            "realnvp",
            "genlab.models.flow.realnvp",
            "reversible",
            frozenset({"bound", "latent", "invertible"}),
            "Dinh et al. 2017",
            "A bijection between data and noise in coupling layers: there and back without loss; exact on points, a bound on levels.",
            of_points=frozenset({"likelihood", "latent", "invertible"}),
        ),
        Entry(
            "flow_matching",
            "genlab.models.continuous.flow_matching",
            "flow_matching",
            frozenset(),
            "Lipman et al. 2023",
            "A velocity field carries noise to data, learned along straight lines between the two; with a density of points.",
            of_points=frozenset({"likelihood"}),
        ),
        Entry(
            "gan2d",
            "genlab.models.adversarial.gan2d",
            "adversarial",
            _ADVERSARIAL,
            "Goodfellow et al. 2014",
            "Points in the plane from a game of two: one draws, one judges; five losses, packing, and the modes it has found.",
        ),
        Entry(
            "mlp_gan",
            "genlab.models.adversarial.mlp_gan",
            "adversarial",
            _ADVERSARIAL,
            "Goodfellow et al. 2014",
            "Images from the same game between perceptrons, with classes if there are any and every stabiliser as a switch.",
        ),
        Entry(
            "dcgan",
            "genlab.models.adversarial.dcgan",
            "adversarial",
            _ADVERSARIAL,
            "Radford et al. 2016",
            "Images at one go: strided convolutions draw, strided convolutions judge; classes if there are any.",
        ),
        Entry(
            "lapgan",
            "genlab.models.adversarial.lapgan",
            "adversarial",
            _ADVERSARIAL,
            "Denton et al. 2015",
            "A small image, then what each finer one has beyond it: a pair of players a scale, 7 → 14 → 28; classes if there are any.",
        ),
    )
}


def entries() -> tuple[Entry, ...]:
    """Every model, in the catalogue's order."""
    return tuple(_ENTRIES.values())


def entry(name: str) -> Entry:
    """A model's line.

    Raises:
        InputError: The name is unknown; the answer lists the known ones.
    """
    if name not in _ENTRIES:
        raise unknown_name("model", name, _ENTRIES)
    return _ENTRIES[name]


def register(new: Entry) -> None:
    """Add a model that lives outside this package; adding the same line again changes nothing.

    Raises:
        InputError: The name is another model's, or an ability is not known.
    """
    if _ENTRIES.setdefault(new.name, new) != new:
        raise InputError(f"name must be new to the catalogue; {new.name!r} is {_ENTRIES[new.name].module}")
    for ability in new.abilities | (new.of_points or frozenset()):
        if ability not in ABILITIES:
            del _ENTRIES[new.name]
            raise unknown_name("ability", ability, ABILITIES)


def module_of(name: str) -> Any:
    """The module of a model."""
    return import_module(entry(name).module)
