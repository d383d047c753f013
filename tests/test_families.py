"""Every system of the catalogue, at 4×4 pixels, keeps the promises of its abilities."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import genlab
from genlab.models import entries, settings_class
from genlab.testing import check_model

# What makes a system small, where it has such a setting.
SMALL: dict[str, Any] = {"image_shape": (1, 4, 4), "levels": 2, "channels": 4, "blocks": 1, "hidden": 8}


@pytest.mark.parametrize("name", [entry.name for entry in entries()])
def test_a_system_keeps_its_promises(name: str) -> None:
    fields = settings_class(name).model_fields
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = genlab.create_model(name, **{setting: value for setting, value in SMALL.items() if setting in fields})
    found = check_model(model)
    assert [check for check in ("resumes_bit_for_bit", "draws_examples") if "not tried" in found[check]] == []
