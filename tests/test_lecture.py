"""The literature's numbers stand only beside runs of the same protocol."""

from genlab.lecture import published


def test_figures_of_one_protocol_come_best_last():
    figures = published("mnist", levels=2, binarize="dynamic")
    assert [figure.value for figure in figures] == sorted((figure.value for figure in figures), reverse=True)
    assert {figure.model: figure.value for figure in figures}["PixelCNN"] == 81.45
    assert all(figure.source for figure in figures)


def test_other_protocols_are_never_mixed_in():
    assert {figure.binarize for figure in published("mnist", levels=2, binarize="static")} == {"static"}
    assert published("mnist", levels=2, binarize="threshold") == []
    assert published("digits", levels=17, binarize=None) == []
