"""Training: deterministic, resumable bit for bit after any end, and honest about what went wrong."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny import digits, tiny_model

import genlab
from genlab.errors import BackendError, InputError, RunError, TrainingError
from genlab.runs import Run, load_model, read_header, request_learning_rate
from genlab.settings import TrainSettings, validate
from genlab.training import Progress, ema_decay_at, generator_at, learning_rate_at

STEPS_PER_EPOCH = 6  # 1437 digits in batches of 256


def train(model: Any, data: Any, **settings: Any) -> Run:
    """A training of few steps; a resumed run keeps the size of its batches."""
    return genlab.train(model, data, **(settings if settings.get("resume") else {"batch_size": 256, **settings}))


def tiny_run(out: Path, *, epochs: int = 1, **settings: Any) -> Run:
    """A run that was trained to its end."""
    return train(tiny_model(), digits(), epochs=epochs, out=out, **settings)


def assert_same_checkpoint(first: Run, second: Run) -> None:
    """Every tensor agrees bit for bit: weights, averages, Adam's moments."""
    ours, theirs = load_file(first.checkpoint_path), load_file(second.checkpoint_path)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    own, other = read_header(first.checkpoint_path), read_header(second.checkpoint_path)
    assert {name for name in own if own[name] != other[name]} <= {"seconds"}


def surroundings() -> dict[str, str]:
    """The environment of a process that imports what this one does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


# What training does ---------------------------------------------------------------------------------------------------------


def test_training_lowers_the_loss_and_leaves_the_best_weights_in_the_model(tmp_path: Path) -> None:
    model = tiny_model()
    before = genlab.evaluate(model, digits(), split="valid").nats
    run = train(model, digits(), epochs=3, out=tmp_path / "run", batch_size=64)
    validations = run.metrics("valid")
    assert len(validations) == 3
    assert validations[-1]["nats"] < 0.8 * before
    best = min(record["nats"] for record in validations)
    assert genlab.evaluate(model, digits(), split="valid").nats == pytest.approx(best, rel=1e-12)
    assert genlab.evaluate(load_model(run), digits(), split="valid").nats == pytest.approx(best, rel=1e-12)
    assert not model.training


def test_the_best_validation_is_kept_when_later_ones_are_worse(tmp_path: Path) -> None:
    model = tiny_model()
    spoilt: list[int] = []

    def spoil(progress: Progress) -> None:
        # After the second epoch's validation the weights are pushed away from any sense.
        if progress.step == 2 * STEPS_PER_EPOCH and progress.valid_bits_per_dim is not None and not spoilt:
            with torch.no_grad():
                next(model.parameters()).add_(3.0)
            spoilt.append(progress.step)

    run = train(model, digits(), epochs=4, out=tmp_path / "run", on_progress=spoil, ema_decay=0, learning_rate=1e-6)
    validations = run.metrics("valid")
    assert [record["best"] for record in validations[2:]] == [False, False]
    best = min(record["nats"] for record in validations)
    assert validations[-1]["nats"] > best
    assert genlab.evaluate(model, digits(), split="valid").nats == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("binarize", ["threshold", "dynamic"])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path: Path, binarize: str) -> None:
    runs = [
        train(tiny_model(), digits(binarize), epochs=1, seed=seed, out=tmp_path / name) for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert_same_checkpoint(runs[0], runs[1])
    name = "model/nodes.input.weight"
    assert not torch.equal(load_file(runs[0].checkpoint_path)[name], load_file(runs[2].checkpoint_path)[name])


def test_native_and_torch_train_alike(tmp_path: Path) -> None:
    runs = [tiny_run(tmp_path / backend, backend=backend) for backend in ("native", "torch")]
    native, plain = ([record["nats"] for record in run.metrics("valid")] for run in runs)
    assert native == pytest.approx(plain, rel=1e-3)


def test_training_leaves_the_callers_generators_alone(tmp_path: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    tiny_run(tmp_path / "run")
    assert torch.equal(torch.rand(3), expected)


def test_bfloat16_trains(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", backend="torch", dtype="bfloat16")
    assert run.metrics("valid")[-1]["bits_per_dim"] < 1
    assert {tensor.dtype for tensor in load_file(run.checkpoint_path).values()} == {torch.float32}


def test_an_epoch_shows_every_image_once() -> None:
    order = generator_at(0, 5, 0).permutation(100)
    assert sorted(order) == list(range(100))
    draws = [generator_at(*key).random() for key in ((0, 5, 0), (0, 5, 1), (0, 6, 0), (1, 5, 0))]
    assert len(set(draws)) == 4


def test_progress_is_reported_and_logged(tmp_path: Path) -> None:
    seen: list[Progress] = []
    run = tiny_run(tmp_path / "run", epochs=2, log_seconds=0, on_progress=seen.append)
    steps = [progress.step for progress in seen]
    assert steps == sorted(steps)
    assert set(steps) == set(range(2 * STEPS_PER_EPOCH + 1))
    last = seen[-1]
    assert (last.epoch, last.step, last.steps_total, last.seconds_left) == (2, 12, 12, 0)
    assert last.bits_per_dim == pytest.approx(last.loss / (64 * math.log(2)))
    assert last.valid_bits_per_dim == run.metrics("valid")[-1]["bits_per_dim"]
    assert last.images_per_second > 0
    assert str(last).startswith("epoch 2, step 12/12: 0.")
    log = (run.path / "log.txt").read_text().splitlines()
    messages = [progress.message for progress in seen if progress.message]
    assert [line.split(" ", 2)[2] for line in log] == messages
    assert messages[-1].startswith("finished 2 epochs: best validation 0.")


def test_at_most_so_many_images_are_validated(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", valid_images=10)
    model = load_model(run)
    assert run.metrics("valid")[-1]["nats"] == pytest.approx(genlab.evaluate(model, digits(), split="valid", limit=10).nats)


# Learning rates in mid-run ----------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """What a test raises where a process would be killed: nothing that training could tidy up after."""


def ask_at(run: Path, step: int, rate: float, *, kill_at: int | None = None) -> Any:
    """A watcher that asks for another rate once that step is done, and ends the process at another step."""
    asked: list[int] = []

    def watch(progress: Progress) -> None:
        if progress.step >= step and not asked:
            asked.append(progress.step)
            request_learning_rate(Run(run), rate)
        if kill_at is not None and progress.step >= kill_at:
            raise Killed

    return watch


def test_a_rate_changed_in_mid_run_and_interrupted_gives_the_weights_of_an_undisturbed_run(tmp_path: Path) -> None:
    often = {"epochs": 3, "log_seconds": 0}
    with pytest.raises(Killed):
        # Checkpoints are rare: the change at step 5 is newer than the only one, of step 0.
        train(tiny_model(), digits(), out=tmp_path / "a", on_progress=ask_at(tmp_path / "a", 5, 5e-4, kill_at=10), **often)
    broken = Run(tmp_path / "a")
    assert read_header(broken.checkpoint_path)["step"] == 0
    assert broken.config["training"]["learning_rates"] == [[5, 5e-4]]
    resumed = train(tiny_model(1), digits(), out=tmp_path / "a", resume=True)

    whole = train(tiny_model(), digits(), out=tmp_path / "b", learning_rates=[(5, 5e-4)], **often)
    plain = train(tiny_model(), digits(), out=tmp_path / "c", **often)
    assert_same_checkpoint(resumed, whole)
    name = "model/nodes.input.weight"
    assert not torch.equal(load_file(whole.checkpoint_path)[name], load_file(plain.checkpoint_path)[name])
    for run in (resumed, whole):
        changes = [record for record in run.metrics("event") if record["event"] == "learning_rate"]
        assert [(record["step"], record["message"]) for record in changes] == [(5, "learning rate 0.0005")]
        steps = [record["step"] for record in run.metrics()]
        assert steps == sorted(steps)


def test_a_change_replaces_the_rate_that_warm_up_and_schedule_scale() -> None:
    settings = TrainSettings(learning_rate=1e-2, learning_rates="30:1e-3,10:2e-3", warmup_steps=20)  # type: ignore[arg-type]
    assert settings.learning_rates == ((10, 2e-3), (30, 1e-3))
    plain = TrainSettings(learning_rate=1.0, warmup_steps=20)
    for step, rate in ((9, 1e-2), (10, 2e-3), (29, 2e-3), (30, 1e-3), (150, 1e-3)):
        assert learning_rate_at(step, settings, 200) == pytest.approx(rate * learning_rate_at(step, plain, 200))


@pytest.mark.parametrize("changes", ["x", "1:2:3", "5:0", "5:-1", "-1:0.1", "5:11", "5:nan", [(1, "x")], 3])
def test_changes_out_of_their_bounds_are_refused(changes: Any) -> None:
    with pytest.raises(InputError, match="learning_rates"):
        validate(TrainSettings, {"learning_rates": changes})


def test_a_run_of_an_older_genlab_lacks_the_new_settings_and_can_be_resumed(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run")
    config = run.config
    config["training"] = {name: value for name, value in config["training"].items() if name not in ("learning_rates", "steps")}
    (run.path / "config.json").write_text(json.dumps(config))
    assert train(tiny_model(), digits(), out=run.path, resume=True, epochs=2).metrics("valid")[-1]["epoch"] == 2


def test_a_number_of_steps_ends_a_run_without_touching_its_schedule(tmp_path: Path) -> None:
    short = tiny_run(tmp_path / "short", epochs=3, steps=8)
    assert short.metrics("event")[-1]["message"].startswith("finished 8 steps")
    assert short.metrics()[-1]["step"] == 8
    longer = tiny_run(tmp_path / "longer", epochs=3, log_seconds=0)
    rates = {record["step"]: record["learning_rate"] for record in longer.metrics("train")}
    assert short.metrics("train")[-1]["learning_rate"] == rates[8]
    # The longer run saw the same eight steps.
    resumed = train(tiny_model(), digits(), out=short.path, resume=True, epochs=3)
    names = [name for name in load_file(resumed.checkpoint_path) if name.startswith("model/")]
    ours, theirs = load_file(resumed.checkpoint_path), load_file(longer.checkpoint_path)
    assert [name for name in names if not torch.equal(ours[name], theirs[name])] == []


# Schedules ------------------------------------------------------------------------------------------------------------------


def test_warm_up_and_cosine() -> None:
    settings = TrainSettings(learning_rate=2.0, warmup_steps=10, schedule="cosine")
    rates = [learning_rate_at(step, settings, 200) for step in range(200)]
    assert rates[:10] == pytest.approx([0.2 * step for step in range(1, 11)])
    assert rates[10] == 2.0
    assert rates[105] == pytest.approx(1.0, rel=1e-6)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 1e-3


def test_without_a_known_end_a_cosine_stays_constant_and_says_so(tmp_path: Path) -> None:
    settings = TrainSettings(learning_rate=2.0, warmup_steps=10, schedule="cosine")
    assert learning_rate_at(10_000, settings, None) == 2.0
    run = train(tiny_model(), digits(), minutes=1e-4, out=tmp_path / "run")
    assert "learning rate stays constant" in run.metrics("event")[0]["message"]


def test_a_warm_up_takes_a_tenth_of_a_short_run_at_most() -> None:
    settings = TrainSettings(learning_rate=1.0, warmup_steps=50, schedule="constant")
    assert [learning_rate_at(step, settings, 20) for step in range(3)] == [0.5, 1.0, 1.0]
    assert learning_rate_at(0, settings, 5) == 1.0


def test_the_average_forgets_its_start() -> None:
    assert ema_decay_at(0, 0.999) == 0.1
    assert ema_decay_at(10**6, 0.999) == 0.999
    assert ema_decay_at(100, 0.0) == 0


# Ends -----------------------------------------------------------------------------------------------------------------------


def test_ten_epochs_unless_told_otherwise(tmp_path: Path) -> None:
    run = train(tiny_model(channels=1, blocks=0), digits(), out=tmp_path / "run")
    assert run.config["training"]["epochs"] == 10
    assert read_header(run.checkpoint_path)["step"] == 10 * STEPS_PER_EPOCH


def test_minutes_count_over_all_sessions(tmp_path: Path) -> None:
    path = tmp_path / "run"
    run = train(tiny_model(), digits(), minutes=0.002, out=path)
    first = read_header(run.checkpoint_path)
    assert run.state() == "finished"
    assert first["seconds"] >= 0.12
    # The same budget again is used up already; a larger one goes on.
    train(tiny_model(), digits(), minutes=0.002, out=path, resume=True)
    assert read_header(run.checkpoint_path)["step"] == first["step"]
    train(tiny_model(), digits(), minutes=first["seconds"] / 60 + 0.002, out=path, resume=True)
    second = read_header(run.checkpoint_path)
    assert second["step"] > first["step"]
    assert second["seconds"] >= first["seconds"] + 0.12
    assert run.metrics("valid")[-1]["step"] == second["step"], "a run that ends between epochs is validated where it ends"


def test_it_stops_early_without_a_better_validation(tmp_path: Path) -> None:
    # So small a rate leaves every float32 weight as it is: the first validation stays the best.
    run = tiny_run(tmp_path / "run", epochs=50, learning_rate=1e-30, patience=2)
    assert read_header(run.checkpoint_path)["epoch"] == 3
    assert "no better validation for 2 epochs" in run.metrics("event")[-1]["message"]


@pytest.mark.parametrize(
    ("name", "words"), [("SIGINT", "by Ctrl-C"), ("SIGTERM", "on request"), ("SIGHUP", "because its terminal was closed")]
)
def test_a_stop_signal_ends_cleanly_and_resuming_gives_the_same_bits(tmp_path: Path, name: str, words: str) -> None:
    unbroken = tiny_run(tmp_path / "unbroken", epochs=3)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    def stop(progress: Progress) -> None:
        # Once: a second signal would interrupt at once.
        if progress.step == 8 and not progress.message.startswith("stopped"):
            os.kill(os.getpid(), signal.Signals[name])

    arguments: dict[str, Any] = {"out": tmp_path / "stopped", "on_progress": stop, "log_seconds": 0}
    if name == "SIGINT":
        with pytest.raises(KeyboardInterrupt, match="resume"):
            tiny_run(epochs=3, **arguments)
    else:
        tiny_run(epochs=3, **arguments)
    stopped = Run(tmp_path / "stopped")
    assert stopped.state() == "stopped"
    assert stopped.metrics("event")[-1]["message"] == f"stopped at step 8 {words}"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before

    model = tiny_model(seed=9)
    train(model, digits(), out=stopped.path, resume=True)
    assert stopped.state() == "finished"
    assert_same_checkpoint(stopped, unbroken)
    assert [record["step"] for record in stopped.metrics("valid")] == [6, 12, 18]
    assert [record["event"] for record in stopped.metrics("event")] == ["started", "stopped", "resumed", "finished"]


def test_outside_the_main_thread_it_trains_without_handlers(tmp_path: Path) -> None:
    runs: list[Run] = []
    thread = threading.Thread(target=lambda: runs.append(tiny_run(tmp_path / "run")))
    thread.start()
    thread.join()
    assert runs[0].state() == "finished"


KILLED = """
    import sys
    import genlab
    from tiny import digits, tiny_model

    def wait_to_be_killed(progress):
        if progress.step == 8:
            print(flush=True)
            sys.stdin.read()

    folder, backend = sys.argv[1:]
    arguments = dict(epochs=2, batch_size=256, backend=backend, checkpoint_seconds=0, log_seconds=0)
    genlab.train(tiny_model(), digits("dynamic"), out=folder + "/killed", on_progress=wait_to_be_killed, **arguments)
"""
RESUMED = """
    import sys
    import genlab
    from tiny import digits, tiny_model

    folder, backend = sys.argv[1:]
    genlab.train(tiny_model(), digits("dynamic"), epochs=2, batch_size=256, backend=backend, out=folder + "/unbroken")
    genlab.train(tiny_model(seed=9), digits("dynamic"), out=folder + "/killed", resume=True)
"""


@pytest.mark.parametrize(("backend", "threads"), [("native", 2), ("torch", 1)])
def test_killed_and_resumed_it_gives_the_weights_of_a_run_never_killed(tmp_path: Path, backend: str, threads: int) -> None:
    # Passive: threads that spin while they wait would starve each other on a busy machine.
    environment = {**surroundings(), "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), backend],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    killed = Run(tmp_path / "killed")
    assert killed.state() == "interrupted"
    assert read_header(killed.checkpoint_path)["step"] == 7
    # What a process leaves that is killed while it writes.
    (killed.path / "checkpoint.safetensors.tmp").write_bytes(b"half a checkpo")
    with (killed.path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "tr')

    subprocess.run([sys.executable, "-c", textwrap.dedent(RESUMED), str(tmp_path), backend], check=True, env=environment)
    assert_same_checkpoint(killed, Run(tmp_path / "unbroken"))
    assert read_header(killed.checkpoint_path)["versions"][f"{backend}_threads"] == threads
    assert "rounding" not in killed.metrics("event")[-2]["message"]
    steps = [record["step"] for record in killed.metrics("train")]
    assert steps == sorted(set(steps)), "what is trained again is recorded once"
    assert [record["step"] for record in killed.metrics("valid")] == [6, 12]


# Resuming -------------------------------------------------------------------------------------------------------------------


def test_more_epochs_go_on_where_the_run_ended(tmp_path: Path) -> None:
    whole = tiny_run(tmp_path / "whole", epochs=2, schedule="constant", warmup_steps=0)
    half = tiny_run(tmp_path / "half", epochs=1, schedule="constant", warmup_steps=0)
    train(tiny_model(), digits(), epochs=2, out=half.path, resume=True)
    assert_same_checkpoint(half, whole)
    assert half.config["training"]["epochs"] == 2


def test_a_new_budget_replaces_the_old_one(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", epochs=1)
    train(tiny_model(), digits(), minutes=10, epochs=2, out=run.path, resume=True)
    assert (run.config["training"]["epochs"], run.config["training"]["minutes"]) == (2, 10)
    train(tiny_model(), digits(), epochs=3, out=run.path, resume=True)
    assert (run.config["training"]["epochs"], run.config["training"]["minutes"]) == (3, None)
    assert read_header(run.checkpoint_path)["epoch"] == 3


def test_how_often_may_change(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run")
    train(tiny_model(), digits(), epochs=2, out=run.path, resume=True, log_seconds=0, checkpoint_seconds=5, patience=9)
    assert run.config["training"]["patience"] == 9


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"batch_size": 32}, r"training\.batch_size must be 256 to resume .*; got 32"),
        ({"seed": 1}, r"training\.seed must be 0 to resume .*; got 1"),
        ({"backend": "torch"}, r"training\.backend must be 'auto' to resume .*; got 'torch'"),
        ({"model": {"channels": 3}}, r"model\.channels must be 4 to resume .*; got 3"),
        ({"data": "dynamic"}, r"data\.binarize must be 'threshold' to resume .*; got 'dynamic'"),
    ],
)
def test_a_different_config_is_refused_by_the_name_of_the_difference(tmp_path: Path, changed: dict[str, Any], sentence: str) -> None:
    run = tiny_run(tmp_path / "run")
    before = {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()}
    model = tiny_model(**changed.pop("model", {}))
    data = digits(changed.pop("data", "threshold"))
    with pytest.raises(InputError, match=sentence):
        train(model, data, epochs=2, out=run.path, resume=True, **changed)
    assert {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()} == before


def test_other_images_under_the_same_name_are_refused(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run")
    config = run.config
    config["data"]["record"]["sha256"] = "0" * 64
    (run.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"data\.sha256 must be '0000"):
        train(tiny_model(), digits(), epochs=2, out=run.path, resume=True)


def test_another_number_of_threads_is_said(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", backend="torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        train(tiny_model(), digits(), out=run.path, resume=True)
    finally:
        torch.set_num_threads(threads)
    assert f"to rounding only: torch_threads {threads} → {threads + 1}" in run.metrics("event")[-2]["message"]


def test_a_run_killed_before_its_first_checkpoint_starts_again(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run")
    whole = load_file(run.checkpoint_path)
    run.checkpoint_path.unlink()
    lines = (run.path / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run.path / "metrics.jsonl").write_text(lines[0])
    train(tiny_model(), digits(), out=run.path, resume=True)
    assert all(torch.equal(tensor, whole[name]) for name, tensor in load_file(run.checkpoint_path).items())


def test_there_must_be_something_to_resume(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="nothing to resume"):
        train(tiny_model(), digits(), out=tmp_path, resume=True)
    with pytest.raises(InputError, match="out must name the run folder to resume"):
        train(tiny_model(), digits(), resume=True)


# Bad input ------------------------------------------------------------------------------------------------------------------


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run")
    with pytest.raises(InputError, match="holds a run already"):
        tiny_run(run.path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "letter.txt").write_text("precious")
    for path in (tmp_path / "folder", tmp_path / "folder" / "letter.txt"):
        with pytest.raises(InputError, match="must be a new or empty folder"):
            tiny_run(path)
    assert [file.name for file in (tmp_path / "folder").iterdir()] == ["letter.txt"]
    with pytest.raises(RunError, match="could not be made"):
        tiny_run(tmp_path / "folder" / "letter.txt" / "run")


def test_without_out_a_new_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path))
    run = train(tiny_model(), digits(), epochs=1)
    assert run.path.parent == tmp_path
    assert run.name.startswith("pixelcnn-digits-")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"epochs": 0}, "epochs should be greater than or equal to 1; got 0"),
        ({"minutes": -1}, "minutes should be greater than 0; got -1"),
        ({"batchsize": 3}, "got 'batchsize'"),
        ({"backend": "cuda"}, "backend .*'native'.*; got 'cuda'"),
    ],
)
def test_a_bad_setting_is_refused_and_leaves_no_run(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        train(tiny_model(), digits(), out=tmp_path / "run", **settings)
    assert not (tmp_path / "run" / "config.json").exists()


def test_data_must_fit_the_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data must have the model's image_shape, \(1, 9, 9\); dataset 'digits' has \(1, 8, 8\)"):
        train(tiny_model(image_shape=(1, 9, 9)), digits(), out=tmp_path / "run")
    with pytest.raises(InputError, match="data must have the model's levels, 3; dataset 'digits' has 2"):
        train(tiny_model(levels=3), digits(), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_backend_that_cannot_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genlab.models.causal.model.native_info", lambda: {"dtypes": ["float32", "float64"], "isa": "avx2"})
    with pytest.raises(BackendError, match="bfloat16"):
        tiny_run(tmp_path / "run", backend="native", dtype="bfloat16")
    assert Run(tmp_path / "run").state() == "failed"


# Faults ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["native", "torch"])
def test_a_gradient_that_is_not_finite_stops_training_and_is_named(tmp_path: Path, backend: str) -> None:
    model = tiny_model()
    weight = model.get_parameter("nodes.block1_conv.weight")
    calls: list[int] = []

    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return gradient * math.nan if len(calls) == 8 else gradient

    weight.register_hook(spoil)
    with pytest.raises(TrainingError, match=r"gradient of 'nodes\.block1_conv\.weight' is not finite any more at step 8"):
        train(model, digits(), epochs=2, out=tmp_path / "run", checkpoint_seconds=0, backend=backend)
    run = Run(tmp_path / "run")
    assert run.state() == "failed"
    assert "block1_conv" in run.metrics("event")[-1]["message"]
    assert read_header(run.checkpoint_path)["step"] == 7
    assert all(torch.isfinite(tensor).all() for tensor in load_file(run.checkpoint_path).values())
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
    # With the fault gone, the run goes on.
    train(tiny_model(), digits(), out=run.path, resume=True)
    assert run.state() == "finished"


@pytest.mark.parametrize("backend", ["native", "torch"])
def test_a_weight_that_is_not_finite_is_named_and_never_saved(tmp_path: Path, backend: str) -> None:
    model = tiny_model()

    def spoil(progress: Progress) -> None:
        if progress.step == 3:
            with torch.no_grad():
                model.get_parameter("nodes.head.bias").fill_(math.inf)

    with pytest.raises(TrainingError, match=r"nodes\.head\.bias' is not finite any more"):
        train(model, digits(), epochs=1, out=tmp_path / "run", log_seconds=0, checkpoint_seconds=0, on_progress=spoil, backend=backend)
    run = Run(tmp_path / "run")
    assert read_header(run.checkpoint_path)["step"] == 2
    assert all(torch.isfinite(tensor).all() for tensor in load_file(run.checkpoint_path).values())


def test_a_loss_that_is_not_finite_names_the_weight(tmp_path: Path) -> None:
    model = tiny_model()

    def spoil(progress: Progress) -> None:
        if progress.step == 3:
            with torch.no_grad():
                model.get_parameter("nodes.head.bias").fill_(math.nan)

    with pytest.raises(TrainingError, match=r"weight 'nodes\.head\.bias' is not finite any more at step 4"):
        train(model, digits(), epochs=1, out=tmp_path / "run", log_seconds=0, on_progress=spoil)


def test_an_error_of_the_caller_ends_the_run_as_failed(tmp_path: Path) -> None:
    def fall(progress: Progress) -> None:
        if progress.step == STEPS_PER_EPOCH:
            raise ZeroDivisionError("the caller's own")

    with pytest.raises(ZeroDivisionError):
        tiny_run(tmp_path / "run", on_progress=fall)
    assert Run(tmp_path / "run").state() == "failed"
    assert Run(tmp_path / "run").metrics("event")[-1]["message"] == "the caller's own"


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    """A real fault: from step 8 on the kernel refuses files of more than a few kilobytes, as a full disk would."""
    code = """
        import resource, signal, sys
        import genlab
        from genlab.errors import RunError
        from test_training import tiny_run

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        def fill_the_disk(progress):
            if progress.step == 8:
                resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, 16_000))

        try:
            tiny_run(sys.argv[1], epochs=2, log_seconds=0, checkpoint_seconds=0, on_progress=fill_the_disk)
        except RunError as error:
            print(error)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "run")], capture_output=True, text=True, check=True, env=surroundings()
    )
    assert "checkpoint.safetensors could not be written: File too large; what was there before is kept" in result.stdout
    run = Run(tmp_path / "run")
    assert read_header(run.checkpoint_path)["step"] == 7
    assert list(run.path.glob("*.tmp")) == []
    assert run.state() == "failed"
    train(tiny_model(), digits(), out=run.path, resume=True)
    assert_same_checkpoint(run, tiny_run(tmp_path / "unbroken", epochs=2))


def test_sampling_uses_the_averaged_weights(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run")
    from PIL import Image

    from genlab.images import grid

    images = genlab.sample(load_model(run, weights="ema"), 64, seed=0)
    assert np.array_equal(np.asarray(Image.open(run.sample_files[-1])), grid(images, 2, scale=7))
