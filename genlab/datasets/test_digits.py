"""A thousand of MNIST's test digits that come with genlab, for showing a model digits that it never saw; not for measuring anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from genlab.datasets.dataset import bernoulli
from genlab.datasets.source import Bytes
from genlab.settings import DataSettings

COUNT = 32
"""So many are shown where each is looked at."""
ALL = 1000
_SHOWN = (
    "72104149590690159734966540740131347271211742351244635560419578937464307029173297762784736136931417696054992194873974449254767"
    "90585665781016467317182029955156034465465451447232718181850892501110903164236111395294593903655722712841733887922415987230442"
    "41957728268577918180301994182129759264158292040028471240274330031965259293042071121533978656138105131556185179462250656372088"
    "54114033761621928619525442838245031775797192142920491481845988376003026649333239126805666388275896184125919754089910523789406"
    "39521313657422632654897130383193446421825488400232770874479690980460635483393337808217065438096380996868578602402231975108462"
    "67932982292735918020521376712580372409186774349195173976913783367285851144310770794485540821084504061732672693146254206217341"
    "05431174994840245116471942415538314568941538032512834408833173596326136072171424217961124817748073131077035527669283522560829"
    "28888749306632132293005781446029147473988471212232323917403558632676632781175649513347891169144540622315120381267162390122089"
)
LABELS = tuple(map(int, _SHOWN))
"""What they show, as in MNIST's own file of labels."""
_SIZE = 28
_NATIVE_LEVELS = 256


def mnist_test_digits(settings: DataSettings, count: int = COUNT) -> Bytes:
    """The first test images of MNIST under the rules of `settings`: binarised, quantised or as they are.

    Args:
        settings: Those rules.
        count: So many, at most `ALL`.

    Returns:
        uint8 ``(count, 1, 28, 28)``.
    """
    from PIL import Image

    with Image.open(Path(__file__).with_name("mnist_test_digits.png")) as file:
        intensities = np.asarray(file.convert("L")).reshape(ALL, 1, _SIZE, _SIZE)[:count]
    if settings.binarize == "dynamic":
        return bernoulli(np.random.default_rng(settings.seed), intensities, _NATIVE_LEVELS)
    levels = 2 if settings.binarize else (settings.levels or _NATIVE_LEVELS)
    digits: Bytes = (intensities.astype(np.int64) * levels // _NATIVE_LEVELS).astype(np.uint8)
    return digits
