"""Real or generated?: rounds, shares with their intervals, machines and guards that learn a line, and what is kept of people's rounds."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

import genlab
from genlab import challenge_store, kept
from genlab.challenge import above, draw, learn_line, let_in, make_round, score, separation, threshold_for, train_guard
from genlab.challenge_store import Played
from genlab.domain import Domain
from genlab.errors import InputError
from genlab.measures.fooling import FOOLING_WORDS, NO_TALLY, Share, Tally, fooling_rate, tally
from tests.systems import small
from tests.tiny import digits, tiny_model


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))


# --- shares ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trials", [1, 2, 7, 30, 1000])
def test_the_interval_is_wilsons(trials: int) -> None:
    from scipy.stats import binomtest

    for hits in {0, 1, trials // 2, trials - 1, trials}:
        expected = binomtest(hits, trials).proportion_ci(method="wilson")
        found = fooling_rate(hits, trials).estimate
        assert found is not None
        assert found.value == hits / trials
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_what_a_share_says() -> None:
    assert [fooling_rate(*each).verdict for each in ((0, 0), (5, 10), (41, 100), (40, 100), (59, 100), (60, 100))] == [
        "nothing",
        "half",
        "half",
        "below",
        "half",
        "above",
    ]
    assert set(FOOLING_WORDS) == {"nothing", "half", "below", "above"}
    assert fooling_rate(0, 0).estimate is None
    assert fooling_rate(21, 50).brief() == "42% (29–56%)"
    assert fooling_rate(21, 50).text() == "42% of 50 (95%: 29 to 56%)"
    for wrong in ((-1, 3), (4, 3)):
        with pytest.raises(InputError, match="hits must be from 0 to trials, 3"):
            fooling_rate(*wrong)


@pytest.mark.parametrize("seed", range(5))
def test_a_tally_counts_each_picture_once(seed: int) -> None:
    generated, called_real = np.random.default_rng(seed).random((2, 1 + 7 * seed)) < 0.5
    pictures = list(zip(generated, called_real, strict=True))
    came = tally(generated, called_real, 3.0)
    assert came.right.hits == sum(made != real for made, real in pictures)
    assert came.fooling == Share(sum(made and real for made, real in pictures), sum(made for made, _ in pictures))
    assert came.passing == Share(sum(real and not made for made, real in pictures), sum(not made for made, _ in pictures))
    assert came + NO_TALLY == came
    assert (came + came).pace == came.pace == 3.0 / len(pictures)


# --- rounds ------------------------------------------------------------------------------------------------------------------------


def test_a_round_follows_from_its_address_alone() -> None:
    model, real = tiny_model(), digits().test.images
    one, again = (make_round(model, real, seed=3, number=2, name="tiny") for _ in range(2))
    assert np.array_equal(one.images, again.images)
    assert np.array_equal(one.generated, again.generated)
    others: list[dict[str, Any]] = [{"seed": 4}, {"number": 1}, {"name": "other"}, {"size": 16}]
    for other in others:
        made = make_round(model, real, **{"seed": 3, "number": 2, "name": "tiny", **other})
        assert not np.array_equal(one.images, made.images[:9]), other


def test_real_pictures_are_held_out_ones_and_the_others_are_drawn_and_half_of_all_are() -> None:
    model, real = tiny_model(), digits().test.images
    known = {image.tobytes() for image in real}
    rounds = [make_round(model, real, size=16, number=number) for number in range(40)]
    for each in rounds:
        assert [image.tobytes() in known for image in each.images] == (~each.generated).tolist()
        held_out = [image.tobytes() for image in each.images[~each.generated]]
        assert len(held_out) == len({*held_out}) or len(known) < len(real)
        assert each.images.max() < 2
    share = Share(int(sum(each.generated.sum() for each in rounds)), 640).estimate
    assert share is not None
    assert share.low < 0.5 < share.high


def test_rounds_that_cannot_be_made_are_refused() -> None:
    model, real = tiny_model(), digits().test.images
    wrong: dict[str, Any]
    for wrong, sentence in (
        ({"size": 0}, "size must be from 1 to 64; got 0"),
        ({"size": 65}, "size must be from 1 to 64; got 65"),
        ({"seed": -1}, "seed must be from 0"),
        ({"number": 2**31}, "number must be from 0"),
    ):
        with pytest.raises(InputError, match=sentence):
            make_round(model, real, **wrong)
    with pytest.raises(InputError, match=r"real must be at least 9 images \(1, 8, 8\); got shape \(3, 1, 8, 8\)"):
        make_round(model, real[:3])
    with pytest.raises(InputError, match="model must draw pictures to be told from real ones; 'gan2d' draws 2, real values"):
        make_round(small("gan2d"), real)


def test_classes_are_drawn_evenly() -> None:
    images = draw(small("mlp_gan", classes=3), 12, 0)
    assert images.shape == (12, 1, 4, 4)
    assert np.array_equal(images[:5], draw(small("mlp_gan", classes=3), 12, 0)[:5])


# --- machines and guards -----------------------------------------------------------------------------------------------------------


def test_what_a_model_makes_of_pictures_is_its_own_number() -> None:
    images = digits().test.images[:5]
    model = tiny_model()
    assert np.array_equal(score(model, images), genlab.log_prob(model, images))
    vae = small("vae", image_shape=(1, 8, 8))
    assert np.array_equal(score(vae, images), genlab.bound(vae, images))
    judge = score(small("mlp_gan", image_shape=(1, 8, 8)), images)
    assert ((judge > 0) & (judge < 1)).all()
    assert score(small("mlp_gan", image_shape=(1, 8, 8), classes=10), images).shape == (5,)
    with pytest.raises(InputError, match="classes of digits, or none, to judge pictures without labels; 'mlp_gan' has 3"):
        score(small("mlp_gan", image_shape=(1, 8, 8), classes=3), images)
    with pytest.raises(InputError, match="an opinion on what is real, an exact likelihood, a lower bound"):
        score(small("autoencoder", image_shape=(1, 8, 8)), images)


@pytest.mark.parametrize("seed", range(20))
def test_no_line_is_better_than_the_one_that_was_learned(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ours, theirs = (rng.integers(0, 10, rng.integers(1, 13)).astype(float) for _ in range(2))

    def right(threshold: float, real_above: bool) -> float:
        return float(((ours > threshold) == real_above).mean() + ((theirs > threshold) != real_above).mean())

    line = learn_line(ours, theirs)
    assert right(line.threshold, line.real_above) == pytest.approx(
        max(right(t + 0.5, side) for t in range(-1, 10) for side in (True, False))
    )
    assert line.calls_real(ours).tolist() == [(value > line.threshold) == line.real_above for value in ours]


def test_lines_and_doors_need_scores() -> None:
    nothing, one = np.zeros(0), np.ones(1)
    for ours, theirs in ((nothing, one), (one, nothing), (np.array([np.nan]), one)):
        with pytest.raises(InputError, match="scores must be finite and of both kinds"):
            learn_line(ours, theirs)
    for scores, share in ((nothing, 0.5), (one, 1.1)):
        with pytest.raises(InputError, match="share must be from 0 to 1"):
            threshold_for(scores, share)
    with pytest.raises(InputError, match="a guard needs pictures of both kinds"):
        train_guard(np.zeros((0, 1, 8, 8), np.uint8), np.zeros((2, 1, 8, 8), np.uint8), Domain((1, 8, 8), 2))


@pytest.mark.parametrize("count", [1, 7, 40])
def test_a_door_lets_in_as_many_as_it_was_told_and_no_higher_threshold_would(count: int) -> None:
    real = np.random.default_rng(count).integers(0, 20, count).astype(float)
    for percent in range(101):
        threshold = threshold_for(real, percent / 100)
        assert 100 * let_in(real, threshold).hits >= percent * count
        assert 100 * let_in(real, threshold + 1e-6).hits < percent * count or percent == 0


def test_separation_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    real, generated = rng.integers(0, 6, 30).astype(float), rng.integers(0, 5, 20).astype(float)
    pairs = (real[:, None] > generated).mean() + 0.5 * (real[:, None] == generated).mean()
    assert separation(real, generated) == pytest.approx(pairs)
    cuts = np.arange(-1.5, 7)[::-1]
    # Which is the area under the two rates, by trapezoids.
    assert separation(real, generated) == pytest.approx(np.trapezoid(above(real, cuts), above(generated, cuts)))


def test_a_guard_keeps_out_what_it_has_seen() -> None:
    real, drawn = digits().test.images, draw(tiny_model(), 180, 1)
    guard = train_guard(real[::2], drawn[::2], digits().domain)
    assert separation(guard.score(real[1::2]), guard.score(drawn[1::2])) > 0.9
    # Its weights are where the penalised loss is flat.
    colours = np.random.default_rng(0).integers(0, 4, (40, 3, 4, 4)).astype(np.uint8)
    assert np.isfinite(train_guard(colours[:20], colours[20:], Domain((3, 4, 4), 4)).score(colours)).all()


# --- what is kept ------------------------------------------------------------------------------------------------------------------


def played(number: int = 1, *, right: int = 9, model: str = "digits-pixelcnn", generated: int = 4) -> Played:
    """A round of nine, of which so many were told rightly; mistakes are real ones that were marked."""
    return Played(model, "grid", 0, number, Tally(1, 9, generated, 0, right - generated, 18.0))


def test_rounds_come_back_and_count_once() -> None:
    assert challenge_store.remember(" Ada ", played(right=7))
    assert not challenge_store.remember("Ada", played(right=9))  # now that the truth was shown
    assert challenge_store.remember("Ada", played(2))
    assert challenge_store.recall("Ada") == [played(right=7), played(2)]
    assert challenge_store.recall("ADA") == []
    challenge_store.remember("ADA", played())
    assert challenge_store.alike("Ada") == ["ADA"]
    with pytest.raises(InputError, match="name must have 1 to 60 visible characters; got 0"):
        challenge_store.remember(" \u200b", played())


def test_the_board_is_in_the_order_of_what_is_certain() -> None:
    challenge_store.remember("lucky", played(right=9))
    for number in range(20):
        challenge_store.remember("steady", played(number, right=8))
    challenge_store.remember("Eve", played(right=5, model="other", generated=0))
    assert [name for name, _ in challenge_store.board()] == ["steady", "lucky", "Eve"]
    steady = dict(challenge_store.board())["steady"]
    assert steady == Tally(20, 180, 80, 0, 80, 360.0)
    assert steady.pace == 2
    assert {name: came.rounds for name, came in challenge_store.models()} == {"digits-pixelcnn": 21, "other": 1}


def test_the_export_and_the_reset() -> None:
    challenge_store.remember("=Eve", played(right=6))
    challenge_store.remember("Ada", played())
    rows = list(csv.DictReader(challenge_store.export_csv().splitlines()))
    assert [row["name"] for row in rows] == ["'=Eve", "Ada"]
    assert tuple(rows[0]) == challenge_store.COLUMNS
    assert {key: rows[0][key] for key in ("model", "kind", "round", "pictures", "generated", "fooled", "real", "passed", "seconds")} == {
        "model": "digits-pixelcnn",
        "kind": "grid",
        "round": "1",
        "pictures": "9",
        "generated": "4",
        "fooled": "0",
        "real": "5",
        "passed": "2",
        "seconds": "18.000",
    }
    assert len(challenge_store.export_csv("Ada").splitlines()) == 2
    assert challenge_store.reset() == 2
    assert challenge_store.board() == challenge_store.models() == []
    assert challenge_store.remember("Ada", played())


def test_many_writers_at_once_lose_nothing() -> None:
    threads = [Thread(target=lambda name=f"n{n}": [challenge_store.remember(name, played(p)) for p in range(4)]) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(came.rounds for _, came in challenge_store.board()) == 24


def test_faults_of_the_database_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    challenge_store.remember("Ada", played())
    monkeypatch.setattr(challenge_store, "MOST_ROUNDS", 1)
    with pytest.raises(challenge_store.ChallengeStoreError, match="the challenge keeps at most 1 rounds"):
        challenge_store.remember("Ada", played(2))
    monkeypatch.setattr(challenge_store, "MOST_ROUNDS", 10)
    monkeypatch.setattr(kept, "BUSY_SECONDS", 0.01)
    with sqlite3.connect(tmp_path / "runs" / ".quiz" / "challenge.sqlite") as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(challenge_store.ChallengeStoreError, match=r"the results of the challenge, .*, could not be used: .*locked"):
            challenge_store.remember("Ada", played(2))
    other.close()
