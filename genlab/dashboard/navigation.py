"""Which pages there are, in the lecture's order: the one list that the sidebar, the map and the way from slide to slide are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PAGES_FOLDER = Path(__file__).parent / "pages"


@dataclass(frozen=True)
class Slides:
    """Some of the lecture's slides.

    Attributes:
        first: The number of the first.
        last: Of the last.
        words: What they say.
        at: What the page's address says where that is shown.
    """

    first: int
    last: int
    words: str
    at: Mapping[str, str] = field(default_factory=dict)


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
        slides: What of the lecture is shown there, in the lecture's order; a page without any lies beside the lecture's way.
    """

    name: str
    title: str
    family: str = ""
    needs: frozenset[str] = frozenset()
    shares: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()
    slides: tuple[Slides, ...] = ()

    @property
    def slides_in_words(self) -> str:
        """Their numbers, ``"Slides 11–14, 16–17"``; nothing if there are none."""
        numbers = sorted({number for each in self.slides for number in range(each.first, each.last + 1)})
        starts = [number for number in numbers if number - 1 not in numbers]
        ends = [number for number in numbers if number + 1 not in numbers]
        spans = [str(first) if first == last else f"{first}–{last}" for first, last in zip(starts, ends, strict=True)]
        return f"Slide{'s' if len(numbers) > 1 else ''} {', '.join(spans)}" if spans else ""

    @property
    def file(self) -> str:
        """Its script, found from every front door."""
        return str(_PAGES_FOLDER / f"{self.name}.py")


_CAUSAL: dict[str, Any] = {"family": "autoregressive", "needs": frozenset({"causal", "likelihood"}), "shares": ("model",)}
_RUN = ("run",)
_CHARTS = ("pandas", "altair")

SECTIONS: dict[str, list[Entry]] = {
    "": [
        Entry(
            "map",
            "The map",
            slides=(
                Slides(6, 6, "Supervised and unsupervised learning"),
                Slides(7, 7, "Generative models: explicit and implicit density"),
                Slides(8, 8, "Why generative models"),
                Slides(9, 10, "A tree of generative models"),
            ),
        ),
        Entry(
            "challenge",
            "Real or generated?",
            loads=_CHARTS,
            slides=(
                Slides(3, 4, "A challenge that protects a door, and images made to pass it", {"part": "door"}),
                Slides(5, 5, "Can you still tell?", {"part": "grid"}),
            ),
        ),
        Entry("gallery", "A decade of samples", slides=(Slides(5, 5, "Samples of a decade"),)),
        Entry(
            "uses",
            "What it is good for",
            family="autoregressive",
            loads=_CHARTS,
            slides=(Slides(8, 8, "Super-resolution, colourisation, simulation"),),
        ),
    ],
    "One pixel after another": [
        Entry(
            "theatre",
            "Pixel theatre",
            **_CAUSAL,
            loads=("pandas",),
            slides=(
                Slides(11, 14, "PixelRNN: pixels from the corner, each given those before it"),
                Slides(16, 16, "PixelCNN: p(x) = ∏ p(xᵢ | x₁ … xᵢ₋₁)"),
            ),
        ),
        Entry("slow", "Why was PixelRNN slow?", **_CAUSAL, loads=("pandas",), slides=(Slides(15, 16, "Sequential generation: very slow"),)),
        Entry(
            "completion",
            "Finish my digit",
            **_CAUSAL,
            loads=("pandas",),
            slides=(Slides(16, 16, "Drawing goes on from any known context"),),
        ),
        Entry("temperature", "Temperature", **_CAUSAL, loads=_CHARTS, slides=(Slides(17, 17, "Samples"),)),
        Entry(
            "trust", "Do its numbers hold?", **_CAUSAL, loads=_CHARTS, slides=(Slides(18, 18, "A likelihood is a good evaluation metric"),)
        ),
        Entry(
            "ablation",
            "Which tricks pay?",
            family="autoregressive",
            loads=_CHARTS,
            slides=(Slides(18, 18, "Gated layers, short-cuts, logistic loss, multi-scale, tricks"),),
        ),
    ],
    "Side by side": [
        Entry("comparison", "Families side by side", loads=_CHARTS, slides=(Slides(19, 19, "Four approaches, with their pros and cons"),))
    ],
    "There and back": [
        Entry(
            "reversible",
            "Reversible lab",
            family="reversible",
            needs=frozenset({"invertible"}),
            loads=("pandas",),
            slides=(Slides(19, 19, "Reversible architectures"),),
        ),
        Entry(
            "noise_to_data",
            "From noise to data",
            family="flow_matching",
            loads=_CHARTS,
            slides=(Slides(19, 19, "What came after the four"),),
        ),
    ],
    "A code for each image": [
        Entry(
            "autoencoder_lab",
            "Autoencoder lab",
            family="latent",
            needs=frozenset({"latent"}),
            loads=_CHARTS,
            slides=(Slides(20, 25, "Autoencoders: features that rebuild the image, then serve a classifier"),),
        ),
        Entry(
            "vae_lab",
            "VAE lab",
            family="latent",
            needs=frozenset({"bound", "latent", "posterior"}),
            shares=("model",),
            loads=_CHARTS,
            slides=(Slides(26, 32, "Variational autoencoders: prior, decoder, encoder, a lower bound on an integral"),),
        ),
    ],
    "Two adversaries": [
        Entry(
            "gan_lab",
            "2-D GAN lab",
            family="adversarial",
            loads=("pandas",),
            slides=(
                Slides(33, 42, "A generator tries to fool a discriminator"),
                Slides(61, 61, "The minimax game"),
            ),
        ),
        Entry(
            "slanted_land",
            "Slanted land",
            family="adversarial",
            loads=_CHARTS,
            slides=(
                Slides(43, 50, "Images of four pixels: faces and no faces", {"part": "1"}),
                Slides(51, 53, "A discriminator of one neuron", {"part": "2"}),
                Slides(54, 56, "A generator; one step of training", {"part": "4"}),
                Slides(57, 58, "Error functions: −ln(p), −ln(1 − p)", {"part": "3"}),
            ),
        ),
        Entry(
            "miracle",
            "Three miracles",
            family="adversarial",
            loads=_CHARTS,
            slides=(Slides(59, 60, "Three reasons why it is a miracle that GANs work"),),
        ),
        Entry(
            "gan_images",
            "GANs on images",
            family="adversarial",
            needs=frozenset({"judge"}),
            shares=("model",),
            loads=_CHARTS,
            slides=(Slides(62, 62, "Samples, and what D thinks of them"),),
        ),
    ],
    "Your own models": [
        Entry("training", "Training", shares=_RUN, loads=_CHARTS),
        Entry("runs", "Runs", shares=_RUN, loads=_CHARTS),
    ],
    "Looking back": [
        Entry("memorisation", "Draws, or remembers?", loads=_CHARTS, slides=(Slides(62, 63, "Samples with their nearest training image"),)),
        Entry("quiz", "Quiz", loads=_CHARTS, slides=(Slides(64, 65, "Six questions to reflect on"),)),
        Entry("bench", "Bench", loads=_CHARTS),
    ],
    "For the lecturer": [Entry("classroom", "Classroom")],
}

PAGES = {entry.name: entry for entries in SECTIONS.values() for entry in entries}
FIRST = "map"


def pages_of_family(family: str) -> tuple[str, ...]:
    """The names of the pages that show a family of models."""
    return tuple(name for name, entry in PAGES.items() if entry.family == family)


def next_of(page: str) -> str | None:
    """The page that comes next on the lecture's way, also from a page that lies beside it; None at its end."""
    names = list(PAGES)
    return next((name for name in names[names.index(page) + 1 :] if PAGES[name].slides), None)


def previous_of(page: str) -> str | None:
    """The page that comes before on the lecture's way; None at its beginning."""
    names = list(PAGES)
    return next((name for name in reversed(names[: names.index(page)]) if PAGES[name].slides), None)
