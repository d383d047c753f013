"""Several processes of one training are one process, but for rounding; whatever befalls one of them ends all, and the run goes on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import genlab
from genlab import cli
from genlab.ablation import plan_of, study
from genlab.ablation.cluster import submit
from genlab.causal.operations import dropout
from genlab.domain import Batch
from genlab.errors import BackendError, InputError, TrainingError
from genlab.jobs import Study
from genlab.models import entries, settings_class
from genlab.models.causal.model import CausalModel
from genlab.models.contract import Compute
from genlab.runs import Run, read_header
from genlab.settings import TrainSettings
from genlab.training import Progress, gathering
from genlab.training.config import refuse_other, versions
from genlab.training.gathering import check_device
from genlab.training.shares import check_shares
from tests.systems import small
from tests.tiny import digits, tiny_model

BATCH = 19  # uneven for two, and no power of two


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that a training starts."""
    started: list[subprocess.Popen[bytes]] = []
    start = gathering._start

    def noted(*arguments: Any) -> subprocess.Popen[bytes]:
        started.append(start(*arguments))
        return started[-1]

    monkeypatch.setattr(gathering, "_start", noted)
    return started


def train(out: Path, model: Any = None, data: Any = None, **settings: Any) -> Run:
    fixed = {} if settings.get("resume") else {"batch_size": BATCH, "log_seconds": 0, "checkpoint_seconds": 1e6, "learning_rate": 1e-3}
    patience = {"sample_seconds": 1e6, "join_seconds": 300}
    return genlab.train(model or tiny_model(), data or digits("dynamic"), out=out, **fixed, **{**patience, **settings})


def losses(run: Run) -> list[float]:
    return [value for record in run.metrics("train") for name, value in record["values"].items() if name.endswith("loss")]


def assert_same_training(shared: Run, alone: Run, *, near: float = 1e-5) -> None:
    """Curves and every tensor of the checkpoint agree to rounding."""
    assert losses(shared) == pytest.approx(losses(alone), rel=near)
    ours, theirs = load_file(shared.checkpoint_path), load_file(alone.checkpoint_path)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name].double(), tensor.double(), rtol=1e-3, atol=2 * near, msg=name)


def at_step(step: int, do: Any) -> Any:
    done: list[int] = []

    def look(progress: Progress) -> None:
        if progress.step == step and not done:
            done.append(step)
            do()

    return look


# --- two are one -----------------------------------------------------------------------------------------------------------------


def test_two_processes_are_one_natively_and_one_goes_on_where_two_were_asked_to_stop(
    tmp_path: Path, children: list[subprocess.Popen[bytes]]
) -> None:
    alone = train(tmp_path / "alone", steps=5)
    # The child is asked, and both stop.
    shared = train(tmp_path / "shared", steps=5, processes=2, on_progress=at_step(2, lambda: children[0].send_signal(signal.SIGTERM)))
    assert shared.metrics("event")[-1]["event"] == "stopped"
    assert read_header(shared.checkpoint_path)["versions"]["processes"] == 2
    assert [child.poll() for child in children] in ([0], [-signal.SIGKILL])  # ended, or, on a busy machine, was not waited for any longer
    shared = train(tmp_path / "shared", resume=True)
    assert [record["event"] for record in shared.metrics("event")] == ["started", "stopped", "resumed", "finished"]
    assert "processes 2 → 1" in shared.metrics("event")[2]["message"]
    assert_same_training(shared, alone)
    assert not any("processes" in part for part in (shared.config, shared.config["training"]))


def test_two_go_on_where_one_stopped_in_the_torch_walk_with_dropout(tmp_path: Path) -> None:
    runs = []
    for name, processes in (("alone", 1), ("shared", 2)):
        model = small("pixelcnn_pp", image_shape=(1, 8, 8))
        train(tmp_path / name, model, digits(), steps=2, backend="torch")
        runs.append(train(tmp_path / name, model, digits(), steps=4, resume=True, processes=processes))
    assert_same_training(runs[1], runs[0])


def test_two_play_a_game_of_two_players_of_whom_one_moves_twice(tmp_path: Path) -> None:
    runs = []
    for name, processes in (("alone", 1), ("shared", 2)):
        model = small("gan2d", loss="wasserstein", discriminator_moves=2)
        runs.append(train(tmp_path / name, model, genlab.load_dataset("ring"), steps=3, processes=processes))
    # Adam's first steps have the sign of each slope, whatever its size: where it is nearly 0, rounding decides.
    assert_same_training(runs[1], runs[0], near=1e-3)


@pytest.mark.parametrize(
    "name", [entry.name for entry in entries() if entry.module.startswith("genlab.") and entry.name != "wave_pixelcnn"]
)
def test_the_gradients_of_shares_are_the_whole_batchs_of_every_system(name: str) -> None:
    """Three shares that are not equal."""
    fields = settings_class(name).model_fields
    points = "levels" not in fields or name == "realnvp_points"
    model = small(name, **({"batch_norm": False} if "batch_norm" in fields else {}), **({} if points else {"image_shape": (1, 8, 8)}))
    data = genlab.load_dataset("ring") if model.domain.levels is None else digits()
    check_shares(model, data, TrainSettings(batch_size=BATCH), 3)


def test_dropout_in_a_share_is_that_of_the_whole_batch() -> None:
    for first, count in ((0, 5), (5, 6), (3, 1), (7, 25), (2**40 - 3, 9)):
        parts = list(dropout.shares(123, first, count))
        assert np.concatenate([np.arange(count)[part] for part, _ in parts]).tolist() == list(range(count))
        for part, key in parts:
            expected = dropout._words(123, first + part.stop, 7) if first < 1000 else None
            found = dropout._words(key, part.stop - part.start, 7)
            for ours, theirs in zip(found, expected or found, strict=True):
                assert np.array_equal(ours, theirs[-(part.stop - part.start) :])


def test_both_walks_draw_a_shares_dropout_alike() -> None:
    model, batch = small("pixelcnn_pp", image_shape=(1, 8, 8)).train(), digits().train.batch(np.random.default_rng(0), np.arange(7))
    share = Compute("native", key=(1, 2), first=3, whole=7)
    native, walked = (model.terms("model", batch[3:], replace(share, backend=backend)).total.item() for backend in ("native", "torch"))
    assert native == pytest.approx(walked, rel=1e-5)
    assert native != pytest.approx(model.terms("model", batch[3:], Compute("native", key=(1, 2))).total.item(), rel=1e-4)


# --- what cannot be shared -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: small("gan2d", batch_norm=True), "its batch norm takes the moments of a whole batch"),
        (lambda: small("gan2d", dropout=0.5), "its dropout draws for a whole batch"),
        (lambda: Forgetful(), "the loss of player 'model' is no mean over examples whose draws follow from their keys"),
    ],
)
def test_a_loss_that_needs_its_batch_whole_is_refused_by_name(model: Any, words: str, tmp_path: Path) -> None:
    made = model()
    data = genlab.load_dataset("ring") if made.domain.levels is None else digits()
    with pytest.raises(InputError, match=rf"processes must be 1 for model '\w+'.*({words})"):
        train(tmp_path / "run", made, data, steps=1, processes=2)
    assert not (tmp_path / "run" / "config.json").exists()


class Forgetful(CausalModel):
    """Draws for its batch without asking which share it is."""

    def __init__(self) -> None:
        made = tiny_model()
        super().__init__("pixelcnn", made.settings, made.graph)

    def terms(self, player: str, batch: Batch, how: Compute) -> Any:
        found = super().terms(player, batch, how)
        noise = how.generator().standard_normal(len(batch))
        return replace(found, total=found.total * (1 + noise.mean()))


def test_packs_and_free_bits_need_a_batch_whole() -> None:
    with pytest.raises(InputError, match=r"processes must be 1 for model 'gan2d', whose loss asks more of a batch: packing must divide"):
        check_shares(small("gan2d", packing=2), genlab.load_dataset("ring"), TrainSettings(batch_size=4), 4)
    with pytest.raises(InputError, match="processes must be 1 for model 'vae': free_bits is not 0"):
        check_shares(small("vae", image_shape=(1, 8, 8), free_bits=0.1), digits(), TrainSettings(), 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--processes", "0"], "--processes must be a whole number from 1 on; got 0"),
        (["--processes", "-2"], "--processes must be a whole number from 1 on; got -2"),
        (["--processes", "two"], "--processes must be a whole number; got 'two'"),
        (["--processes", "5", "--set", "batch_size=4"], "--processes must be at most batch_size, 4, so that each has an example; got 5"),
        (["--device", "cuda"], "--device must be there, and a GPU for each process; got 'cuda', and torch finds no GPU here"),
        (["--device", "tpu"], "--device must be cpu, cuda or cuda:N; got 'tpu'"),
        (["--device", "meta"], "--device must be cpu, cuda or cuda:N; got 'meta'"),
    ],
)
def test_bad_options_are_one_sentence(options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "cuda" in options and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    code = cli.main(
        ["train", "pixelcnn", "--data", "digits", "--set", "binarize=threshold", "steps=1", *options, "--out", str(tmp_path / "run")]
    )
    assert (code, capsys.readouterr().err) == (2, f"genlab: error: {words}\n")
    assert not (tmp_path / "run" / "config.json").exists()


def test_a_gpu_computes_by_torch_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(check_device("cuda", local=local, processes=2)) for local in (0, 1)] == ["cuda:0", "cuda:1"]
    assert str(check_device("cuda:1")) == "cuda:1"
    with pytest.raises(InputError, match="a GPU for each process; got 'cuda', and torch finds 2 here"):
        check_device("cuda", local=0, processes=3)
    with pytest.raises(InputError, match="device must be cuda where several processes take a GPU each; got 'cuda:1'"):
        check_device("cuda:1", local=0, processes=2)
    with pytest.raises(BackendError, match="backend 'native' computes on the CPU alone; device 'cuda' needs 'torch'"):
        train(tmp_path / "run", backend="native", device="cuda", steps=1)


# --- faults ----------------------------------------------------------------------------------------------------------------------


def test_a_killed_process_ends_all_and_one_goes_on(tmp_path: Path, children: list[subprocess.Popen[bytes]]) -> None:
    with pytest.raises(TrainingError, match="process 1 of 2 was ended by SIGKILL; the last checkpoint is kept, and any number"):
        train(tmp_path / "run", steps=5, processes=2, on_progress=at_step(2, lambda: children[0].kill()))
    run = Run(tmp_path / "run")
    assert (run.state(), run.metrics("event")[-1]["message"].split(";")[0]) == ("failed", "process 1 of 2 was ended by SIGKILL")
    assert [child.poll() for child in children] == [-signal.SIGKILL]
    run = train(tmp_path / "run", resume=True)
    assert_same_training(run, train(tmp_path / "alone", steps=5))


def test_a_process_that_ends_or_never_comes_ends_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command, words in (
        ("raise SystemExit(3)", "process 1 of 2 ended with exit code 3 before the first step"),
        ("import time; time.sleep(60)", "process 1 of 2 did not come within 0.5 seconds; join_seconds sets how long they wait"),
    ):
        monkeypatch.setattr(gathering, "_CHILD", ("-c", command))
        seconds = 0.5 if "sleep" in command else 30
        with pytest.raises(TrainingError, match=words):
            train(tmp_path / "run", steps=1, processes=2, join_seconds=seconds)
        assert not (tmp_path / "run" / "config.json").exists()


def test_a_port_in_use_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("MASTER_PORT", str(port))
        with pytest.raises(InputError, match=rf"port {port} must be free on 127\.0\.0\.1 \(MASTER_PORT\); it is in use"):
            train(tmp_path / "run", steps=1, processes=2)


def test_a_process_that_torchrun_started_with_other_data_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    there = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
    command = ["train", "pixelcnn", "--data", "digits", "--set", "binarize=threshold", "channels=4", "blocks=1", f"batch_size={BATCH}"]
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **there, "RANK": "1"}
    other = subprocess.Popen(
        [sys.executable, "-m", "genlab", *command, "data.seed=1"], env=surroundings, stderr=subprocess.PIPE, cwd=tmp_path
    )
    for name, value in {**there, "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"process 1 of 2: data\.seed must be 0 as in process 0; got 1"):
        train(tmp_path / "run", data=digits(), steps=1)
    said = other.communicate(timeout=60)[1].decode()
    assert (other.returncode, said) == (2, "genlab: error: data.seed must be 0 as in process 0; got 1\n")
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]


def test_another_version_is_refused_by_name() -> None:
    data, model = digits(), tiny_model()
    config = {
        "model": model.config,
        "data": {**data.settings.model_dump(mode="json"), "record": data.record},
        "training": TrainSettings().model_dump(mode="json"),
        "seed": 0,
    }
    told = {"config": config, "versions": versions()}
    refuse_other(told, model, data, {"batch_size": 64, "steps": 3})
    with pytest.raises(InputError, match=r"version of genlab must be '0\.0\.1' as in process 0"):
        refuse_other({**told, "versions": {**versions(), "genlab": "0.0.1"}}, model, data, {})
    with pytest.raises(InputError, match=r"training\.batch_size must be 64 as in process 0; got 8"):
        refuse_other(told, model, data, {"batch_size": 8})
    with pytest.raises(InputError, match=r"model\.channels must be 4 as in process 0; got 6"):
        refuse_other(told, tiny_model(channels=6), data, {})


# --- studies -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # submitit leaves its logs open
def test_a_cluster_trains_what_a_study_then_gathers(tmp_path: Path) -> None:
    submitit = pytest.importorskip("submitit")
    budget, data = {"steps": 2, "sample_seconds": 1e6}, {"name": "digits", "binarize": "threshold"}
    plan = plan_of(models=["pixelcnn"], seeds=2, data=data, model={"channels": 4, "blocks": 1}, training=budget)
    executor, jobs = submitit.AutoExecutor(tmp_path / "logs", cluster="debug"), []

    class Noted:
        def submit(self, *what: Any) -> Any:
            jobs.append(executor.submit(*what))
            return jobs[-1]

    assert len(submit(plan, tmp_path / "study", "any", executor=Noted())) == 2
    assert [job.result() for job in jobs] == ["finished", "finished"]
    assert submit(plan, tmp_path / "study", "any", executor=Noted()) == []
    assert [record["steps"] for record in study(plan, tmp_path / "study")["runs"]] == [2, 2]


def test_studies_are_handed_on_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        "genlab.jobs.start_study", lambda *what, verb: asked.append((verb, *what)) or Study("a", tmp_path / "a", verb, place=2)
    )
    assert cli.main(["ablate", "--models", "pixelcnn", "--steps", "3", "--set", "channels=4", "--queue"]) == 0
    assert asked == [("ablate", "digits", ["--seeds", "3", "--models", "pixelcnn", "--set", "channels=4", "--steps", "3"])]
    assert capsys.readouterr().out == f"queued; place 2 in the queue\n{tmp_path / 'a'}\n"
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert cli.main(["ablate", "--models", "pixelcnn", "--slurm", "cpu", "--out", str(tmp_path / "b")]) == 2
    assert "--slurm must" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_the_document_says_what_was_measured() -> None:
    folder = Path(__file__).parents[1] / "docs"
    measured = json.loads((folder / "scaling.json").read_text(encoding="utf-8"))
    assert f"it said {measured['efficiency']:.2f} (" in (folder / "scaling.md").read_text(encoding="utf-8")
