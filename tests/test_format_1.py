"""A run of format 1, kept as an older genlab wrote it: listed, read, loaded, and resumed to the bits that the older genlab gave."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import digits, tiny_model

import genlab
from genlab.models.contract import NATS
from genlab.runs import Run, list_runs, load_model, read_header
from genlab.training.config import versions

KEPT = Path(__file__).parent / "kept"
SETTINGS = {"channels": 2, "blocks": 1, "first_kernel": 3}


@pytest.fixture
def old(tmp_path: Path) -> Run:
    """A copy that a test may go on with: stopped at step 30 of 46, the learning rate changed at step 10."""
    return Run(Path(shutil.copytree(KEPT / "format-1", tmp_path / "runs" / "old")))


def test_it_is_read_in_the_shape_of_format_2(old: Run) -> None:
    assert list_runs(old.path.parent) == [old]
    assert (old.config["format"], old.state(), old.report, old.abilities) == (1, "stopped", NATS, {"likelihood", "causal"})
    assert old.domain == digits("dynamic").domain
    valid = old.metrics("valid")
    assert valid[0]["values"] == {"nats": valid[0]["nats"], "bits_per_dim": valid[0]["bits_per_dim"]}
    assert old.best() == valid[0]
    assert old.best_value() == valid[0]["nats"]
    train = old.metrics("train")[-1]
    assert train["values"] == {name: train[name] for name in ("loss", "nats", "bits_per_dim", "gradient_norm")}
    assert train["nats"] == train["loss"]


@pytest.mark.parametrize("weights", ["best", "ema", "raw"])
def test_its_models_are_loaded(old: Run, weights: str) -> None:
    saved = load_file(old.checkpoint_path)
    group = {"raw": "model"}.get(weights, weights)
    assert all(torch.equal(tensor, saved[f"{group}/{name}"]) for name, tensor in load_model(old, weights=weights).state_dict().items())


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As the older genlab had it: threads decide the order in which gradients are added up."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_resumed_it_becomes_format_2_and_ends_with_the_bits_that_the_older_genlab_gave(old: Run) -> None:
    before = old.metrics()
    genlab.train(tiny_model(seed=5, **SETTINGS), digits("dynamic"), out=old.path, resume=True)
    assert old.config["format"] == read_header(old.checkpoint_path)["format"] == 2
    assert old.metrics()[: len(before)] == before
    stored = [json.loads(line) for line in (old.path / "metrics.jsonl").read_text().splitlines()]
    assert all("values" in record for record in stored if record["kind"] in ("train", "valid"))

    expected = load_file(KEPT / "format-1-resumed.safetensors")
    found = {name.replace("adam/model/", "adam/"): tensor for name, tensor in load_file(old.checkpoint_path).items()}
    assert found.keys() == expected.keys()
    recorded = read_header(KEPT / "format-1-resumed.safetensors")["versions"]
    same_machine = {**recorded, "genlab": genlab.__version__} == versions()
    for name, tensor in expected.items():
        if same_machine:
            assert torch.equal(found[name], tensor), name
        else:
            # Another processor or number of threads adds up in another order, and so does another version of torch.
            torch.testing.assert_close(found[name], tensor, rtol=2e-2, atol=1e-4, msg=name)
