"""Driving a page with Streamlit's own tester."""

from __future__ import annotations

from typing import Any

from streamlit.testing.v1 import AppTest

from genlab.dashboard.frame import FAULT


def rerun(app: AppTest) -> AppTest:
    """The page after another run, which must not have raised anything."""
    app.run()
    assert not app.exception, app.exception
    assert not [error.value for error in app.error if error.value.startswith(FAULT)]
    return app


def components(app: AppTest) -> list[Any]:
    """The page's moving pictures, without what every page has."""
    everywhere = ("genlab_link", "genlab_save", "genlab_manners", "genlab_visitor", "genlab_podium")
    return [each for each in app.get("bidi_component") if each.proto.component_name not in everywhere]


def press(app: AppTest, label: str, number: int = 0) -> AppTest:
    """The page after the button of that label, or the n-th one of it, was clicked."""
    [button for button in app.button if button.label == label][number].click()
    return rerun(app)
