"""Which pages there are, in the lecture's order: the one list that the sidebar and the map are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """A page.

    Attributes:
        name: Of its file in ``pages/``, and its address.
        title: In the sidebar and on the map.
        family: Which branch of the map it belongs to; none if it serves them all.
        needs: What a model must be able to do to be shown there, names in `genlab.models.contract.ABILITIES`.
        shares: Names in its address that a visitor takes along to the other pages which share them.
        loads: What it draws with and takes long to load.
    """

    name: str
    title: str
    family: str = ""
    needs: frozenset[str] = frozenset()
    shares: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """Its script, seen from `app.py`."""
        return f"genlab/dashboard/pages/{self.name}.py"


_CAUSAL: dict[str, Any] = {"family": "autoregressive", "needs": frozenset({"causal", "likelihood"}), "shares": ("model",)}
_RUN = ("run",)
_CHARTS = ("pandas", "altair")

SECTIONS: dict[str, list[Entry]] = {
    "": [Entry("map", "The map")],
    "One pixel after another": [
        Entry("theatre", "Pixel theatre", **_CAUSAL, loads=("pandas",)),
        Entry("completion", "Finish my digit", **_CAUSAL, loads=("pandas",)),
        Entry("temperature", "Temperature", **_CAUSAL, loads=_CHARTS),
        Entry("trust", "Do its numbers hold?", **_CAUSAL, loads=_CHARTS),
        Entry("slow", "Why was PixelRNN slow?", **_CAUSAL, loads=("pandas",)),
        Entry("uses", "What it is good for", family="autoregressive", loads=_CHARTS),
        Entry("ablation", "Which tricks pay?", family="autoregressive", loads=_CHARTS),
    ],
    "A code for each image": [
        Entry("autoencoder_lab", "Autoencoder lab", family="latent", needs=frozenset({"latent"}), loads=_CHARTS),
        Entry("vae_lab", "VAE lab", family="latent", needs=frozenset({"bound", "latent", "posterior"}), shares=("model",), loads=_CHARTS),
    ],
    "There and back": [Entry("reversible", "Reversible lab", family="reversible", needs=frozenset({"invertible"}), loads=("pandas",))],
    "Two adversaries": [
        Entry("slanted_land", "Slanted land", family="adversarial", loads=_CHARTS),
        Entry("gan_lab", "2-D GAN lab", family="adversarial", loads=("pandas",)),
    ],
    "Your own models": [
        Entry("training", "Training", shares=_RUN, loads=_CHARTS),
        Entry("runs", "Runs", shares=_RUN, loads=_CHARTS),
    ],
    "Looking back": [Entry("quiz", "Quiz", loads=_CHARTS), Entry("bench", "Bench", loads=_CHARTS)],
}

PAGES = {entry.name: entry for entries in SECTIONS.values() for entry in entries}
FIRST = "map"


def pages_of_family(family: str) -> tuple[str, ...]:
    """The names of the pages that show a family of models."""
    return tuple(name for name, entry in PAGES.items() if entry.family == family)
