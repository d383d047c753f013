"""How runs end and go on: what is said, what is refused with a way on, and what may change between two sessions."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import digits, tiny_model

import genlab
from genlab.domain import Domain
from genlab.errors import InputError, RunError
from genlab.models.causal.own import of_graph
from genlab.models.contract import NATS, Report
from genlab.runs import Run, load_model, save_model
from genlab.training import Progress
from genlab.training.endings import count_of, doubts
from genlab.training.samples import save_sample

SMALL: dict[str, Any] = {"channels": 1, "blocks": 0, "first_kernel": 3}
QUICK: dict[str, Any] = {"epochs": 1, "batch_size": 512}  # three steps


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return genlab.train(tiny_model(**SMALL), digits(), out=tmp_path_factory.mktemp("endings") / "run", **QUICK)


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Run:
    return Run(Path(shutil.copytree(finished.path, tmp_path / "copy")))


def files_of(run: Run) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()}


# Going on -------------------------------------------------------------------------------------------------------------------


def test_a_run_whose_checkpoint_is_gone_is_not_begun_anew_over_its_records(run: Run) -> None:
    run.checkpoint_path.unlink()
    before = files_of(run)
    with pytest.raises(
        RunError, match=r"checkpoint\.safetensors is missing, though the run came to step 3: put it back to go on, or train anew"
    ):
        genlab.train(tiny_model(**SMALL), digits(), out=run.path, resume=True, epochs=2)
    assert files_of(run).keys() - before.keys() <= {run.path / "lock"}
    assert all(content == before[file] for file, content in files_of(run).items() if file.name != "lock")


def test_the_same_images_under_another_name_go_on_and_others_do_not(tmp_path: Path) -> None:
    images = 15 * digits().train.intensities[:200]
    np.savez(tmp_path / "old.npz", images=images)
    np.savez(tmp_path / "other.npz", images=images[::-1])
    settings = {"binarize": "threshold"}
    run = genlab.train(tiny_model(**SMALL), genlab.load_dataset(tmp_path / "old.npz", **settings), out=tmp_path / "run", **QUICK)
    (tmp_path / "old.npz").rename(tmp_path / "new.npz")
    genlab.train(tiny_model(**SMALL), genlab.load_dataset(tmp_path / "new.npz", **settings), out=run.path, resume=True, epochs=2)
    assert run.config["data"]["name"] == str(tmp_path / "new.npz")
    with pytest.raises(InputError, match=r"data\.sha256 must be"):
        genlab.train(tiny_model(**SMALL), genlab.load_dataset(tmp_path / "other.npz", **settings), out=run.path, resume=True, epochs=3)


def test_a_new_learning_rate_on_resume_is_a_change_at_that_step(run: Run, tmp_path: Path) -> None:
    constant = {"schedule": "constant", "warmup_steps": 0, "batch_size": 512}
    half = genlab.train(tiny_model(**SMALL), digits(), out=tmp_path / "half", epochs=1, **constant)
    genlab.train(tiny_model(**SMALL), digits(), out=half.path, resume=True, epochs=2, learning_rate=1e-3)
    training = half.config["training"]
    assert (training["learning_rate"], training["learning_rates"]) == (4e-3, [[3, 1e-3]])
    changes = [(record["step"], record["message"]) for record in half.metrics("event") if record["event"] == "learning_rate"]
    assert changes == [(3, "learning rate 0.001")]
    whole = genlab.train(tiny_model(**SMALL), digits(), out=tmp_path / "whole", epochs=2, learning_rates=[(3, 1e-3)], **constant)
    ours, theirs = load_file(half.checkpoint_path), load_file(whole.checkpoint_path)
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    # The rate that it began with is no change.
    genlab.train(tiny_model(**SMALL), digits(), out=half.path, resume=True, epochs=3, learning_rate=4e-3)
    assert half.config["training"]["learning_rates"] == [[3, 1e-3]]


def test_what_a_killed_process_left_half_written_is_cleared_away(run: Run) -> None:
    left = [run.path / "checkpoint.safetensors.tmp", run.path / "samples" / ".step-00000002.png.4711", run.path / "config.json.tmp"]
    for file in left:
        file.write_bytes(b"half")
    kept = run.path / "notes.txt"
    kept.write_text("mine")
    genlab.train(tiny_model(**SMALL), digits(), out=run.path, resume=True)
    assert [file for file in left if file.exists()] == []
    assert kept.exists()


# Number formats -------------------------------------------------------------------------------------------------------------


def test_a_model_in_double_trains_loads_and_goes_on(tmp_path: Path) -> None:
    run = genlab.train(tiny_model(**SMALL).double(), digits(), out=tmp_path / "run", **QUICK)
    for weights in ("best", "ema", "raw"):
        assert {parameter.dtype for parameter in load_model(run, weights=weights).parameters()} == {torch.float64}
    genlab.train(load_model(run), digits(), out=run.path, resume=True, epochs=2)
    assert run.state() == "finished"
    with pytest.raises(RunError, match=r"has dtype torch\.float64, the model's has torch\.float32"):
        genlab.train(tiny_model(**SMALL), digits(), out=run.path, resume=True, epochs=3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_model_in_half_is_refused_before_there_is_a_folder(tmp_path: Path, dtype: torch.dtype) -> None:
    with pytest.raises(InputError, match=r"model must hold its parameters in float32 or float64 to be trained.*model\.float\(\)"):
        genlab.train(tiny_model(**SMALL).to(dtype), digits(), out=tmp_path / "run", **QUICK)
    assert not (tmp_path / "run").exists()
    save_model(tiny_model(**SMALL).to(dtype), tmp_path / "model.safetensors")
    assert next(load_model(tmp_path / "model.safetensors").parameters()).dtype == torch.float32  # kept small, computed with in full


# Weights from elsewhere -----------------------------------------------------------------------------------------------------


def test_a_model_that_is_in_no_catalogue_is_refused_before_there_is_a_folder(tmp_path: Path) -> None:
    model = of_graph(tiny_model().graph, name="mine")
    with pytest.raises(InputError, match=r"model must be in the catalogue.*genlab\.models\.register.*got 'mine'"):
        genlab.train(model, digits(), steps=1, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_plain_state_dict_is_loaded_into_a_model(tmp_path: Path) -> None:
    source, target = tiny_model(seed=3, **SMALL), tiny_model(seed=4, **SMALL)
    save_file(source.state_dict(), tmp_path / "plain.safetensors")
    assert load_model(tmp_path / "plain.safetensors", model=target) is target
    assert all(torch.equal(tensor, target.state_dict()[name]) for name, tensor in source.state_dict().items())
    with pytest.raises(RunError, match="was not written by genlab"):
        load_model(tmp_path / "plain.safetensors")
    with pytest.raises(RunError, match="does not fit the model"):
        load_model(tmp_path / "plain.safetensors", model=tiny_model())


def test_a_run_is_loaded_into_a_model_as_well(finished: Run) -> None:
    target = tiny_model(seed=4, **SMALL)
    load_model(finished, model=target)
    assert all(torch.equal(tensor, target.state_dict()[name]) for name, tensor in load_model(finished).state_dict().items())


# Who reads along ------------------------------------------------------------------------------------------------------------


def test_whoever_leaves_the_pipe_does_not_end_the_run(tmp_path: Path) -> None:
    told: list[int] = []

    def leave(progress: Progress) -> None:
        told.append(progress.step)
        raise BrokenPipeError

    run = genlab.train(tiny_model(**SMALL), digits(), out=tmp_path / "run", on_progress=leave, **QUICK)
    assert told == [0]
    assert run.state() == "finished"
    assert "nobody reads along any more" in (run.path / "log.txt").read_text()


def test_what_a_watcher_does_after_the_end_is_no_failure_of_the_run(tmp_path: Path) -> None:
    def fall(progress: Progress) -> None:
        if progress.message.startswith("finished"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        genlab.train(tiny_model(**SMALL), digits(), out=tmp_path / "run", on_progress=fall, **QUICK)
    assert [record["event"] for record in Run(tmp_path / "run").metrics("event")] == ["started", "finished"]


# What is said ---------------------------------------------------------------------------------------------------------------


def test_a_run_no_better_than_uniform_says_so_and_why_that_may_be(tmp_path: Path) -> None:
    run = genlab.train(
        tiny_model(**SMALL), digits(), out=tmp_path / "run", learning_rate=10, ema_decay=0, clip_norm=None, warmup_steps=0, **QUICK
    )
    assert run.best_value() > 64 * math.log(2)
    said = run.metrics("event")[-1]["message"]
    assert "no better than all levels being equally likely (44.36 nats): the learning rate may be too high" in said


def test_only_an_exact_report_over_levels_is_held_against_uniform() -> None:
    def doubted(report: Report, levels: int | None, value: float) -> bool:
        model: Any = SimpleNamespace(report=report, domain=Domain((1, 8, 8), levels))
        return bool(doubts(model, {report.key: value}))

    assert doubted(NATS, 2, 45)
    assert not doubted(NATS, 2, 44)
    assert doubted(Report("log_prob", "exact", "nats", lower_is_better=False), 2, -45)
    assert not doubted(Report("nats", "bound", "nats"), 2, 45)
    assert not doubted(NATS, None, 45)
    assert not doubted(Report("frechet", "distance", "distance"), 2, 45)


@pytest.mark.parametrize(
    ("number", "words"), [(1, "1 minute"), (1.0, "1 minute"), (0.5, "0.5 minutes"), (2, "2 minutes"), (2000, "2,000 minutes")]
)
def test_one_is_singular(number: float, words: str) -> None:
    assert count_of(number, "minute") == words


# Samples --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("domain", "suffix"), [(Domain((2,)), ".npz"), (Domain((2, 4, 4), 3), ".npz"), (Domain((3, 4, 4), 3), ".png")])
def test_what_is_no_picture_is_kept_as_numbers(tmp_path: Path, domain: Domain, suffix: str) -> None:
    def draw(n: int, seed: int, options: Any) -> np.ndarray:
        return np.full((n, *domain.shape), seed, np.float32 if domain.levels is None else np.uint8)

    model: Any = SimpleNamespace(domain=domain, sample=draw)
    file = save_sample(tmp_path, 12, model, "auto", draw(1, 0, None))
    assert file == tmp_path / "samples" / f"step-00000012{suffix}"
    if suffix == ".npz":
        assert np.load(file)["values"].shape[1:] == domain.shape
    assert Run(tmp_path).sample_files == ([file] if suffix == ".png" else [])


def test_a_class_conditional_model_trains_on_labels_and_draws_each_class_in_turn(tmp_path: Path) -> None:
    run = genlab.train(tiny_model(**SMALL, classes=10), digits(), out=tmp_path / "run", **QUICK)
    model, test = load_model(run), digits().test
    assert [file.name for file in run.sample_files] == ["step-00000000.png", "step-00000003.png"]
    given = genlab.log_prob(model, test.images[:7], labels=test.labels[:7])
    assert np.allclose(
        given, [genlab.log_prob(model, test.images[i : i + 1], labels=test.labels[i : i + 1])[0] for i in range(7)], atol=1e-4
    )
    assert genlab.evaluate(model, digits(), limit=7).nats == pytest.approx(-given.mean())
    with pytest.raises(InputError, match=r"labels must be given for each of 7 images; got shape \(3,\)"):
        genlab.log_prob(model, test.images[:7], labels=test.labels[:3])


def test_rooms_are_attributes_like_their_neighbours() -> None:
    for name in ("runs", "export", "receptive_field", "measures", "training"):
        assert getattr(genlab, name).__name__ == f"genlab.{name}"
        assert name in dir(genlab)
