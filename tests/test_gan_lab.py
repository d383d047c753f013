"""The 2-D GAN lab's page and what it hands to the browser; the arithmetic there is held to torch's in test_gan_in_the_browser.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from genlab.dashboard.gan_lab.points import point_sets
from genlab.dashboard.gan_lab.settings import CHOICES, DRAWN
from genlab.dashboard.gan_lab.situations import BY_NAME, SITUATIONS
from genlab.dashboard.gan_lab.state import MOST_POINTS, MOST_STEPS, State, of_address, of_browser
from genlab.models.adversarial.losses import LOSSES
from tests.pages import components, rerun

ROOT = Path(__file__).parent.parent
PAGE = "genlab/dashboard/pages/gan_lab.py"


def opened(**query: object) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in query.items():
        app.query_params[name] = str(value)
    app.switch_page(PAGE)
    return rerun(app)


def shown(app: AppTest) -> Any:
    return json.loads(components(app)[0].proto.json)


def through_json(state: State) -> Any:
    return json.loads(json.dumps(state.as_data()))


# --- the page --------------------------------------------------------------------------------------------------------------------


def test_the_page_begins_with_a_healthy_game() -> None:
    data = shown(opened())
    assert data["state"] == State().as_data()
    assert [each["name"] for each in data["situations"]][:4] == ["healthy", "strong", "collapse", "oscillation"]
    assert set(data["points"]) == {"ring", "grid25", "spirals", "moons"}


def test_the_page_begins_where_the_address_says() -> None:
    data = shown(opened(situation="collapse", lr_d="0.02", seed=7, done="400b,lr_g:0.001,30d", points=""))
    assert data["state"]["situation"] == "collapse"
    assert data["state"]["settings"] == BY_NAME["collapse"].settings | {"lr_d": 0.02, "seed": 7}
    assert data["state"]["done"] == [[400, "b"], ["lr_g", 0.001], [30, "d"]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("situation", "nowhere"),
        ("loss", "<b>"),
        ("lr_d", "nan"),
        ("lr_g", "1e9"),
        ("moves", "1.5"),
        ("width", "1000000"),
        ("seed", "-1"),
        ("done", "400b,30x"),
        ("done", "data:grid25"),
        ("done", f"{MOST_STEPS + 1}b"),
        ("done", ",".join(["1b", "1d"] * 40)),
        ("points", "A"),
        ("points", "f39"),
        ("points", "A" * 5000),
    ],
)
def test_nonsense_in_the_address_counts_as_not_given(name: str, value: str) -> None:
    assert of_address({name: value}).as_data() == State().as_data()


# --- the state -------------------------------------------------------------------------------------------------------------------


def test_a_state_survives_browser_and_address() -> None:
    settings = BY_NAME["oscillation"].settings | {"data": DRAWN, "lr_d": 2.4e-5, "penalty": 0.31, "width": 16}
    state = State("oscillation", settings, ((120, "b"), ("loss", "hinge"), ("penalty", 0.0), (3, "g")), (0.1, -0.25, 1.5, -1.5))
    heard = of_browser(through_json(state))
    assert heard == state
    query = {name: str(value) for name, value in state.as_address().items() if value is not None}
    assert of_address(query) == state
    assert "loss" not in query  # as the situation has it
    assert max(len(value) for value in query.values()) < 100


def test_every_situation_and_cure_keeps_the_rules_and_has_a_short_address() -> None:
    for situation in SITUATIONS:
        state = State(situation.name)
        assert of_browser(through_json(state)) == State(situation.name, situation.settings)
        assert {name for name, value in state.as_address().items() if value is not None} <= {"situation"}
        if situation.cure is not None:
            changed = tuple((name, value) for name, value in situation.cure.settings.items())
            cured = State(situation.name, situation.settings, ((1, "b"), *changed))
            assert of_browser(through_json(cured)) == cured


def test_a_long_game_is_in_no_address_but_its_beginning_is() -> None:
    state = State("strong", done=((MOST_STEPS + 1, "b"),))
    assert state.as_address()["done"] is None
    assert state.as_address()["situation"] == "strong"


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {},
        {"situation": "nowhere"},
        {"settings": {}},
        {"settings": {**State().as_data()["settings"], "lr_d": "much"}},
        {"done": [[1, "x"]]},
        {"done": [[-1, "b"]]},
        {"done": [["data", "ring"]]},
        {"done": [[1]]},
        {"done": [[True, "b"]]},
        {"points": [0.1]},
        {"points": [9.0, 0.0]},
        {"points": [float("nan"), 0.0]},
        {"points": [0.0, 0.0] * (MOST_POINTS + 1)},
    ],
)
def test_nonsense_from_a_browser_is_not_heard(wrong: Any) -> None:
    assert of_browser(wrong if not wrong else {**State().as_data(), **wrong}) is None


# --- what it is made with --------------------------------------------------------------------------------------------------------


def test_points_are_the_librarys_scaled_to_the_plane() -> None:
    sets = point_sets()
    assert set(sets) | {DRAWN} == set(next(choice for choice in CHOICES if choice.name == "data").options or ())
    for each in sets.values():
        assert np.abs(each.values).max() < 1.2
        if each.centres is not None:
            assert np.abs(each.centres).max() == pytest.approx(1)
            assert each.sigma is not None
            nearest = np.linalg.norm(each.values[:, None] - each.centres, axis=2).min(1)
            assert np.sqrt((nearest**2).mean() / 2) == pytest.approx(each.sigma, rel=0.05)
    assert len(sets["ring"].centres if sets["ring"].centres is not None else ()) == 8
    assert len(sets["grid25"].centres if sets["grid25"].centres is not None else ()) == 25


def test_losses_have_the_librarys_names() -> None:
    assert set(next(choice for choice in CHOICES if choice.name == "loss").options or ()) == set(LOSSES)
