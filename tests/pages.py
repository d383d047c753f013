"""Driving a page with Streamlit's own tester."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def rerun(app: AppTest) -> AppTest:
    """The page after another run, which must not have raised anything."""
    app.run()
    assert not app.exception, app.exception
    return app


def press(app: AppTest, label: str, number: int = 0) -> AppTest:
    """The page after the button of that label, or the n-th one of it, was clicked."""
    [button for button in app.button if button.label == label][number].click()
    return rerun(app)
