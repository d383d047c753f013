"""What ``genlab evaluate --samples`` says of any model: where its samples lie."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any


def of_samples(model: Any, data: Any, *, split: str, limit: int | None, seed: int) -> dict[str, Any]:
    """Precision, recall, density, coverage, a Fréchet distance and the search for copies, printed, and as plain values."""
    from genlab.measures.memorisation import memorisation
    from genlab.measures.modes import modes
    from genlab.measures.neighbours import EXAMPLES, neighbours

    lies = neighbours(model, data, split=split, limit=limit, seed=seed)
    print(f"samples: {lies.drawn} drawn, {lies.real} real, in {lies.space}, k = {lies.neighbours}")
    for name in ("precision", "recall", "density", "coverage"):
        print(f"  {name} {getattr(lies, name).text(3)}")
    if lies.frechet is not None:
        print(f"  Fréchet distance of digit features {lies.frechet.text(2)} (not FID)")
    found: dict[str, Any] = {"neighbours": asdict(lies), "memorisation": {}}
    for space in ("coordinates",) if not data.domain.is_image else dict.fromkeys(("pixels", lies.space)):
        copies = memorisation(model, data, space=space, seed=seed)
        verdict = "it memorises" if copies.memorises else "no sign of memorising"
        print(f"nearest training example in {space}: excess over held-out ones {copies.excess.text(3)}, {verdict}")
        found["memorisation"][space] = {**asdict(copies.excess), "samples": copies.samples, "memorises": copies.memorises}
    if data.centres is not None:
        from genlab.sampling import sample

        seen = modes(sample(model, EXAMPLES // 2, seed=seed), data.centres, data.sigma)
        print(f"modes: {seen.found} of {seen.modes} found, {seen.good.text(3)} of {seen.points} points good")
        found["modes"] = asdict(seen)
    return found
