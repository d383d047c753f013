"""A claim with a button beside it that runs the real check, on the model the page shows, and tells what came out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from genlab.dashboard.frame import say
from genlab.dashboard.stage.sources import Source, model_of
from genlab.dashboard.words import duration
from genlab.errors import GenlabError

if TYPE_CHECKING:
    from genlab.models.causal.model import CausalModel
    from genlab.proofs import Proof

LABELS = {
    "no_leak": "Look for leaks",
    "sums_to_one": "Sum it up",
    "samples_fit": "Count samples",
    "native_is_torch": "Compare walks",
    "inverse_returns": "There and back",
    "log_det_is_the_jacobians": "Take the Jacobian",
    "integrates_to_one": "Add it up",
    "bounds_rise": "Watch bounds rise",
    "kl_fits_draws": "Draw the KL",
    "gradient_is_slope": "Nudge the weights",
}
"""What each button does: a screen reader lists them without the claims beside them."""


def proof_button(name: str, claim: str, source: Source) -> None:
    """Show the claim, the button, and once it was pressed the finding.

    Args:
        name: Of a function in `genlab.proofs`.
        claim: In Markdown.
        source: The model it is checked on.
    """
    with st.container(border=True):
        words, button = st.columns([3, 1], vertical_alignment="center")
        words.markdown(claim)
        if button.button(LABELS[name], key=f"check {name}", width="stretch"):
            with st.spinner("Checking …"):
                try:
                    st.session_state[f"proof {name}"] = (source, check(name)(model_of(source), **source.told))
                except GenlabError as error:
                    say(st.warning, "This cannot be checked here: {}", error)
        checked, proof = st.session_state.get(f"proof {name}", (None, None))
        if proof is not None and checked == source:
            _tell(proof)


def check(name: str) -> Callable[[CausalModel], Proof]:
    """The check of that name."""
    from genlab import proofs

    found: Callable[[CausalModel], Proof] = getattr(proofs, name)
    return found


def _tell(proof: Proof) -> None:
    show = st.info if proof.holds is None else st.success if proof.holds else st.error
    show(f"**{proof.verdict.capitalize()}.** {proof.sentence} The check took {duration(proof.seconds)}.")
