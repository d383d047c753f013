"""The literature's numbers stand only beside runs of the same protocol; the lecture's own come out as it prints them."""

import math

import numpy as np
import pytest

from genlab.lecture import published, worked
from genlab.lecture.worked import error_of, ideal_losses, judge
from genlab.toy_gan import discriminate


def test_figures_of_one_protocol_come_best_last():
    figures = published("mnist", levels=2, binarize="dynamic")
    assert [figure.value for figure in figures] == sorted((figure.value for figure in figures), reverse=True)
    assert {figure.model: figure.value for figure in figures}["PixelCNN"] == 81.45
    assert all(figure.source for figure in figures)


def test_other_protocols_are_never_mixed_in():
    assert {figure.binarize for figure in published("mnist", levels=2, binarize="static")} == {"static"}
    assert published("mnist", levels=2, binarize="threshold") == []
    assert published("digits", levels=17, binarize=None) == []


# --- worked numbers --------------------------------------------------------------------------------------------------------------


def test_the_discriminator_of_slides_51_and_52():
    face, noise = judge(worked.FACE), judge(worked.NOISE)
    assert face.products == (1, 0, 0, 1)
    assert (face.logit, round(face.probability, 2), face.verdict) == (1, 0.73, "face")
    assert noise.products == (0.25, -1, -0.5, 0.75)
    assert (noise.logit, round(noise.probability, 2), noise.verdict) == (-1.5, 0.18, "not a face")
    assert math.copysign(1, face.products[1]) == 1


def test_the_five_pictures_of_slide_53():
    judgements = [judge(picture) for picture in worked.PICTURES]
    assert [judgement.logit for judgement in judgements] == [0, 0, 1, 0.5, -1.5]
    assert [judgement.verdict for judgement in judgements] == ["undecided", "undecided", "face", "face", "not a face"]
    assert [judgement.probability for judgement in judgements[:2]] == [0.5, 0.5]


def test_the_library_judges_as_the_lecture_does():
    expected = [judge(picture).probability for picture in worked.PICTURES]
    np.testing.assert_allclose(discriminate(worked.PICTURES, worked.D_WEIGHTS, worked.D_BIAS), expected, rtol=1e-15)


def test_errors_of_predictions():
    low, high = worked.PREDICTIONS
    assert round(error_of(low, real=False), 3) == 0.105
    assert round(error_of(high, real=False), 2) == 2.30
    assert round(error_of(low, real=True), 2) == 2.30
    assert round(error_of(high, real=True), 3) == 0.105


def test_ideal_losses_are_ln_4_and_ln_2():
    assert ideal_losses() == pytest.approx((math.log(4), math.log(2)), rel=1e-15)
    assert [round(loss, 3) for loss in ideal_losses()] == [1.386, 0.693]
