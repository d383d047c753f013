"""Every system of the catalogue, at 4×4 pixels, keeps the promises of its abilities."""

from __future__ import annotations

import pytest
import systems

from genlab.models import entries
from genlab.testing import check_model


@pytest.mark.parametrize("name", [entry.name for entry in entries()])
def test_a_system_keeps_its_promises(name: str) -> None:
    found = check_model(systems.small(name))
    assert [check for check in ("resumes_bit_for_bit", "draws_examples") if "not tried" in found[check]] == []
