"""The roofs do the work that they are credited with: every register and every element counts in what they return."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from genlab import _core

pytestmark = pytest.mark.sanitized

RUN = "from genlab import _core; print(_core.roofline_multiply_adds(1000)[1], _core.info()['lanes'], _core.roofline_multiply_adds(1)[0])"


@pytest.mark.parametrize("isa", _core.info()["isas"])
def test_every_instruction_set_multiplies(isa):
    environment = {**os.environ, "GENLAB_ISA": isa, "OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", RUN], env=environment, capture_output=True, text=True, check=True)
    value, lanes, operations = done.stdout.split()
    assert float(value) == 2
    assert float(operations) == 2 * 12 * int(lanes) * 2  # chains, multiplication and addition, threads


def test_dot_products_count_every_round():
    if "bfloat16" not in _core.info()["dtypes"]:
        with pytest.raises(ValueError, match="bfloat16 must be false on instruction set"):
            _core.roofline_multiply_adds(1, True)
        return
    operations, value = _core.roofline_multiply_adds(12345, True)
    assert value == 2 * 12345
    assert operations == 2 * _core.roofline_multiply_adds(12345)[0]


def test_the_matrix_unit_counts_every_round():
    operations, value = _core.roofline_matrix_products(1234)
    assert (operations, value) in ((0, 0), (2 * 1024 * 32 * 1234 * _core.info()["threads"], 32 * 1234))
    environment = {**os.environ, "GENLAB_MATRIX_UNIT": "off"}
    code = "from genlab import _core; print(_core.roofline_matrix_products(7))"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(0.0, 0.0)"
    with pytest.raises(ValueError, match="rounds must be from 1 to 2\\^19; got 0"):
        _core.roofline_matrix_products(0)


@pytest.mark.parametrize("count", [0, 1, 191, 192, 193, 1000])
def test_reading_reads_every_element(count):
    x = np.arange(count, dtype=np.float32) % 7
    assert _core.roofline_read(x, 3) == 3 * x.sum()


def test_bad_calls_are_refused():
    for rounds in (0, 2**23 + 1):
        with pytest.raises(ValueError, match="rounds must be from 1 to 2\\^23; got"):
            _core.roofline_multiply_adds(rounds)
    with pytest.raises(ValueError, match="passes must be at least 1; got 0"):
        _core.roofline_read(np.zeros(3, np.float32), 0)
    with pytest.raises(ValueError, match="x must have dtype float32; got float64"):
        _core.roofline_read(np.zeros(3), 1)
