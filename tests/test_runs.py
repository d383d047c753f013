"""The run folder: read while another process writes, refused when torn, never half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import digits, tiny_model, tiny_run

import genlab
from genlab.errors import InputError, RunError
from genlab.models.contract import NATS
from genlab.runs import (
    Run,
    list_runs,
    load_model,
    new_run_path,
    open_run,
    pretrained_path,
    read_header,
    remove_run,
    save_model,
    save_tensors,
    write_aside,
    write_config,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run; tests read it and copy it, and leave it as it is."""
    return tiny_run(tmp_path_factory.mktemp("runs") / "finished", epochs=2)


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Run:
    """A copy that a test may spoil."""
    path = tmp_path / "copy"
    (path / "samples").mkdir(parents=True)
    for file in finished.path.rglob("*"):
        if file.is_file():
            (path / file.relative_to(finished.path)).write_bytes(file.read_bytes())
    return Run(path)


@contextmanager
def locked_by_another_process(path: Path) -> Iterator[int]:
    """Meanwhile another process holds the folder's lock; yields its id."""
    code = """
        import sys
        from pathlib import Path
        from genlab.runs import Run
        with Run(Path(sys.argv[1])).lock():
            print(flush=True)
            sys.stdin.read()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield process.pid
        process.kill()


def test_a_run_is_the_folder_the_contract_describes(finished: Run) -> None:
    names = {file.name for file in finished.path.iterdir()}
    assert names == {"config.json", "metrics.jsonl", "checkpoint.safetensors", "samples", "log.txt", "lock"}
    assert finished.config.keys() == {"format", "model", "report", "abilities", "domain", "data", "training", "seed", "versions"}
    assert (finished.report, finished.abilities, finished.domain) == (NATS, {"likelihood", "causal"}, digits().domain)
    assert finished.config["model"] == tiny_model().config
    assert finished.config["data"]["record"] == digits().record
    assert [file.name for file in finished.sample_files] == ["step-00000000.png", "step-00000046.png"]
    groups = {name.rsplit("/", 1)[0] for name in load_file(finished.checkpoint_path)}
    assert groups == {"model", "ema", "best", "adam/model/exp_avg", "adam/model/exp_avg_sq"}
    header = read_header(finished.checkpoint_path)
    assert (header["format"], header["step"], header["epoch"], header["moves"]) == (2, 46, 2, {"model": 46})


def test_metrics_by_kind(finished: Run) -> None:
    assert [record["step"] for record in finished.metrics("valid")] == [23, 46]
    assert [record["event"] for record in finished.metrics("event")] == ["started", "finished"]
    figures = {"loss", "nats", "bits_per_dim", "gradient_norm"}
    keys = {"kind", "step", "epoch", "seconds", "values", "learning_rate", "images_per_second"}
    for record in finished.metrics("train"):
        assert record["values"].keys() == figures
        assert record.keys() == keys | figures, "each figure is found under its own name too"
    stored = [json.loads(line) for line in (finished.path / "metrics.jsonl").read_text().splitlines()]
    assert all(record.keys() == keys for record in stored if record["kind"] == "train")


def test_a_torn_last_line_is_left_out(run: Run) -> None:
    whole = run.metrics()
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "st')
    assert run.metrics() == whole


def test_a_torn_line_before_the_last_is_an_error_that_names_it(run: Run) -> None:
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    lines[1] = lines[1][:10]
    (run.path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(RunError, match="line 2"):
        run.metrics()


def test_cutting_back_drops_what_is_later_and_what_is_torn(run: Run) -> None:
    kept = [record for record in run.metrics() if record["step"] <= 23]
    assert kept != run.metrics()
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"kind"')
    run.cut_back(23)
    assert run.metrics() == kept
    assert (run.path / "metrics.jsonl").read_text().endswith("}\n")
    assert [file.name for file in run.sample_files] == ["step-00000000.png"]


@pytest.mark.parametrize(
    ("event", "state"),
    [("finished", "finished"), ("stopped", "stopped"), ("failed", "failed"), ("started", "interrupted"), ("resumed", "interrupted")],
)
def test_the_state_follows_from_the_last_event(run: Run, event: str, state: str) -> None:
    run.append_metrics({"kind": "event", "event": event, "step": 46, "message": "", "time": 0.0})
    assert run.state() == state


def test_a_run_without_events_was_interrupted(run: Run) -> None:
    (run.path / "metrics.jsonl").unlink()
    assert run.state() == "interrupted"


def test_a_locked_run_is_running_and_refuses_others(run: Run) -> None:
    assert run.holder is None
    with locked_by_another_process(run.path) as pid:
        assert run.holder == pid
        assert run.state() == "running"
        with pytest.raises(RunError, match=f"process {pid}"):
            remove_run(run)
        with pytest.raises(RunError, match=f"process {pid}"):
            genlab.train(tiny_model(), digits(), out=run.path, resume=True)
    # The process was killed, and with it went its lock.
    assert run.state() == "finished"
    remove_run(run)
    assert not run.path.exists()


def test_asking_who_holds_the_lock_takes_it_from_nobody(run: Run) -> None:
    with run.lock():
        assert run.holder == os.getpid()
        assert run.holder == os.getpid()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "not a run folder"),
        ("{", "not JSON"),
        ("[]", "names no format"),
        ('{"format": 99}', "has format 99, this version of genlab reads formats 1 and 2"),
        ('{"format": 1, "model": {}}', "lacks data, training, seed"),
    ],
)
def test_a_broken_config_is_one_sentence(run: Run, content: str | None, sentence: str) -> None:
    file = run.path / "config.json"
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(RunError, match=sentence):
        _ = run.config
    with pytest.raises(RunError, match=sentence):
        load_model(run.path)


@pytest.mark.parametrize("size", [0, 5, 100, -1])
def test_a_truncated_checkpoint_is_refused(run: Run, size: int) -> None:
    content = run.checkpoint_path.read_bytes()
    run.checkpoint_path.write_bytes(content[:size])
    with pytest.raises(RunError, match=r"checkpoint\.safetensors is torn or not a safetensors file"):
        load_model(run)
    with pytest.raises(RunError, match="torn"):
        genlab.train(tiny_model(), digits(), out=run.path, resume=True, epochs=3)
    assert run.state() == "finished", "a refused run is left as it was"


def test_a_missing_checkpoint_is_refused(run: Run) -> None:
    run.checkpoint_path.unlink()
    with pytest.raises(RunError, match="missing"):
        load_model(run)


def rewrite_checkpoint(run: Run, *, header: dict[str, object] | None = None, **changed: torch.Tensor | None) -> None:
    tensors = load_file(run.checkpoint_path) | changed
    header = read_header(run.checkpoint_path) | (header or {})
    save_tensors(run.checkpoint_path, {name: tensor for name, tensor in tensors.items() if tensor is not None}, header)


@pytest.mark.parametrize(
    ("name", "tensor", "sentence"),
    [
        ("model/nodes.input.bias", None, r"lacks the tensor 'model/nodes\.input\.bias'"),
        ("model/nodes.input.bias", torch.zeros(9), r"has shape \(9,\), the model's has \(8,\)"),
        ("model/nodes.input.bias", torch.zeros(8, dtype=torch.float64), "has dtype torch.float64, the model's has torch.float32"),
        ("model/nodes.extra.bias", torch.zeros(8), r"a tensor 'model/nodes\.extra\.bias' that the model has not"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused_before_anything_is_touched(
    run: Run, name: str, tensor: torch.Tensor | None, sentence: str
) -> None:
    rewrite_checkpoint(run, **{name: tensor})
    with pytest.raises(RunError, match=sentence):
        load_model(run, weights="raw")
    model = tiny_model(seed=5)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(RunError, match=sentence):
        genlab.train(model, digits(), out=run.path, resume=True, epochs=3)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ({"format": 3}, "has format 3"),
        ({"model": {"name": "pixelsnail", "settings": {}}}, "cannot build.*pixelsnail"),
        ({"model": {"name": "pixelcnn", "settings": {"channels": 0}}}, "cannot build.*channels"),
        ({"model": None}, "cannot build"),
    ],
)
def test_a_header_nobody_understands_is_refused(run: Run, header: dict[str, object], sentence: str) -> None:
    rewrite_checkpoint(run, header=header)
    with pytest.raises(RunError, match=sentence):
        load_model(run)


def test_a_header_without_its_numbers_cannot_be_resumed(run: Run) -> None:
    rewrite_checkpoint(run, header={"seconds": None})
    with pytest.raises(RunError, match="header that lacks a number"):
        genlab.train(tiny_model(), digits(), out=run.path, resume=True, epochs=3)


@pytest.mark.parametrize(("weights", "group"), [("best", "best"), ("ema", "ema"), ("raw", "model")])
def test_load_model_gives_the_weights_asked_for(finished: Run, weights: str, group: str) -> None:
    saved = load_file(finished.checkpoint_path)
    for form in (finished, finished.path, str(finished.path), finished.checkpoint_path):
        model = load_model(form, weights=weights)
        assert all(torch.equal(tensor, saved[f"{group}/{name}"]) for name, tensor in model.state_dict().items())
        assert not model.training


def test_load_model_refuses_unknown_weights(finished: Run) -> None:
    with pytest.raises(InputError, match="weights must be one of best, ema, raw; got 'last'"):
        load_model(finished, weights="last")


def test_a_saved_model_comes_back(tmp_path: Path) -> None:
    model = tiny_model(seed=3)
    save_model(model, tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    assert again.config == model.config
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run folder"):
        load_model(tmp_path / "missing")
    with pytest.raises(RunError, match="missing"):
        load_model(tmp_path / "missing.safetensors")
    with pytest.raises(RunError, match="not a run folder"):
        open_run(tmp_path)
    with pytest.raises(RunError, match="not a run folder"):
        remove_run(Run(tmp_path))
    save_file({"model/a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(RunError, match="was not written by genlab"):
        load_model(tmp_path / "foreign.safetensors")


def test_runs_are_found_by_name_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Run) -> None:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "all"))
    assert list_runs() == []
    paths = [new_run_path("pixelcnn", "some/folder/my photos.npz") for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(path.name.startswith("pixelcnn-my-photos-") for path in paths)
    assert list_runs() == [], "an empty folder is no run yet"
    for age, path in enumerate(paths):
        write_config(Run(path), finished.config)
        os.utime(path / "config.json", (1000 - age, 1000 - age))
    assert list_runs() == [Run(path) for path in paths]
    assert open_run(paths[1].name) == Run(paths[1])


@pytest.mark.parametrize("name", ["nothing-of-this-name", "../runs", ""])
def test_there_is_no_pretrained_model_of_a_foreign_name(name: str) -> None:
    assert pretrained_path(name) is None


def test_a_refused_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    """A real fault: the kernel refuses to let the file grow, as a full disk would."""
    code = """
        import resource, signal, sys
        from pathlib import Path
        from genlab.errors import RunError
        from genlab.runs import Run, write_aside
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        folder = Path(sys.argv[1])
        for write in (lambda: write_aside(folder / "file", bytes(5000)), lambda: Run(folder).append_log("x" * 5000)):
            try:
                write()
            except RunError as error:
                print(error)
    """
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "log.txt").write_bytes(b"one line\n")
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], capture_output=True, text=True, check=True)
    assert "what was there before is kept" in result.stdout.splitlines()[0]
    assert "log.txt could not be written" in result.stdout.splitlines()[1]
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"file": b"old", "log.txt": b"one line\n"}


def test_writing_into_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="could not be written: No such file or directory"):
        write_aside(tmp_path / "missing" / "file", b"")
