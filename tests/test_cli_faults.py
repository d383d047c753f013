"""What may befall the command line: damaged and unreadable runs, missing rights, closed pipes, full disks, odd encodings and names."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from rights import mode
from tiny import digits, tiny_run

from genlab import cli
from genlab.cli import front, main
from genlab.images import save_png
from genlab.runs import Run

TINY = ["--set", "channels=2", "blocks=0", "binarize=threshold"]
VERBS = {
    "sample": ["sample", "run", "-n", "1", "--out", "out.png"],
    "complete": ["complete", "run", "--image", "digit.png", "-n", "1", "--out", "out.npz"],
    "evaluate": ["evaluate", "run", "--json", "out.json"],
    "export": ["export", "run", "--out", "out.py"],
    "list": ["runs", "list", "."],
    "show": ["runs", "show", "run"],
    "remove": ["runs", "remove", "run"],
    "resume": ["train", "--resume", "--out", "run", "--epochs", "1"],
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run that tests only copy."""
    return tiny_run(tmp_path_factory.mktemp("trained") / "run", epochs=1)


@pytest.fixture
def run(trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run in the current folder, with a picture beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "none"))
    shutil.copytree(trained.path, "run")
    save_png("digit.png", 255 - 255 * digits().test.images[0, 0])
    return tmp_path / "run"


def assert_a_sentence(capsys: pytest.CaptureFixture[str], code: int, allowed: set[int]) -> None:
    """The exit code is one of these, and whatever went wrong was told in one line."""
    errors = capsys.readouterr().err
    assert code in allowed, errors
    if code:
        # A training has said before what it began with, and in its log why it failed.
        assert re.search(r"^genlab: error: [^\n]+\n\Z", errors, re.MULTILINE), errors
        assert errors.count("genlab: error") == 1
        assert "Traceback" not in errors


# Damaged runs ------------------------------------------------------------------------------------------------------------------


def directory(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.mkdir()


def pipe(file: Path) -> None:
    file.unlink(missing_ok=True)
    os.mkfifo(file)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no UTF-8": lambda file: file.write_bytes(b'{"kind": "event\xff"}\n' * 2),
    "empty": lambda file: file.write_bytes(b""),
    "half": lambda file: file.write_bytes(file.read_bytes()[: max(1, file.stat().st_size // 2)] if file.exists() else b"{"),
    "brackets": lambda file: file.write_bytes(b"[" * 10_000 + b"\n{}\n"),
    "a number": lambda file: file.write_bytes(b"1e400\n1\n"),
    "a folder": directory,
    "a pipe": pipe,
    "a link to itself": lambda file: (file.unlink(missing_ok=True), file.symlink_to(file.name)),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl", "checkpoint.safetensors", "lock", "label.txt", "control.json", "samples"])
def test_damage_is_told_in_a_sentence(run: Path, capsys: pytest.CaptureFixture[str], name: str, damage: str, verb: str) -> None:
    if name == "samples":
        shutil.rmtree(run / name)
    DAMAGES[damage](run / name)
    assert_a_sentence(capsys, main(VERBS[verb]), {0, 4})


# Missing rights ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("bits", [0o000, 0o500])
@pytest.mark.parametrize(
    "what", [".", "run", *(f"run/{name}" for name in ("config.json", "metrics.jsonl", "checkpoint.safetensors", "lock", "samples"))]
)
def test_missing_rights_are_told_in_a_sentence(run: Path, capsys: pytest.CaptureFixture[str], what: str, bits: int, verb: str) -> None:
    arguments = VERBS[verb]
    with mode(Path(what).resolve(), bits):
        code = main(arguments)
        errors = capsys.readouterr().err
    # What may not be read is not said to be missing.
    assert code in (0, 4)
    assert (code == 0) == ("genlab: error" not in errors)
    if code:
        assert re.search(r"^genlab: error: [^\n]*(Permission denied|lets nobody write)[^\n]*\n\Z", errors, re.MULTILINE), errors


@pytest.mark.parametrize("arguments", [["train", "pixelcnn", "--epochs", "1", *TINY], ["train", "pixelcnn", "--out", "locked/a", *TINY]])
def test_a_run_folder_that_cannot_be_made(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    Path("locked").mkdir()
    monkeypatch.setenv("GENLAB_RUNS_DIR", "locked/runs")
    with mode(Path("locked"), 0o500):
        code = main(arguments)
    assert_a_sentence(capsys, code, {4})


def test_answers_that_cannot_be_kept(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("locked").mkdir()
    monkeypatch.setenv("GENLAB_RUNS_DIR", "locked/runs")
    with mode(Path("locked"), 0o500):
        code = main(["quiz", "--csv", "q.csv"])
    assert_a_sentence(capsys, code, {4})


@pytest.mark.parametrize("verb", ["sample", "complete", "evaluate", "export"])
def test_a_full_disk_is_told_in_a_sentence_and_leaves_nothing(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    before = sorted(Path().rglob("*"))
    monkeypatch.setattr(os, "fsync", refuse)
    assert_a_sentence(capsys, main(VERBS[verb]), {4})
    assert sorted({*Path().rglob("*")} - {*before, run / "lock"}) == []


# What is printed ---------------------------------------------------------------------------------------------------------------


@contextmanager
def printing_to(stream: io.TextIOWrapper, *, errors: bool = False) -> Iterator[None]:
    """Standard output, and if asked standard error, go there."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = stream, stream if errors else before[1]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


@contextmanager
def a_reader_that_left() -> Iterator[io.TextIOWrapper]:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
        yield stream


@pytest.mark.parametrize(
    "arguments", [*(VERBS[verb] for verb in ("evaluate", "show", "list", "export", "resume")), ["info"], ["train", "--help"]]
)
def test_whatever_is_printed_degrades_where_the_encoding_is_poor(run: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    printed = io.BytesIO()
    with io.TextIOWrapper(printed, encoding="ascii") as stream, printing_to(stream, errors=True):
        assert main(arguments) == 0
        text = printed.getvalue().decode("ascii")
    if arguments[0] == "evaluate":
        assert re.search(r"test: \d+\.\d\d \+- \d\.\d\d nats an image", text)


@pytest.mark.parametrize(
    "arguments", [*(VERBS[verb] for verb in ("sample", "evaluate", "show", "list", "remove")), ["info"], ["--help"], ["train", "--help"]]
)
def test_a_reader_that_leaves_is_a_quiet_end(run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with a_reader_that_left() as stream, printing_to(stream):
        assert main(arguments) == 0
    assert capsys.readouterr().err == ""


def test_a_training_that_nobody_reads_stops_with_a_checkpoint(run: Path) -> None:
    with a_reader_that_left() as stream, printing_to(stream, errors=True):
        assert main(["train", "pixelcnn", "--minutes", "60", "--out", "a", *TINY]) == 0
    assert Run(Path("a")).state() == "stopped"
    assert main(["train", "--resume", "--out", "a", "--epochs", "1"]) == 0
    assert Run(Path("a")).state() == "finished"


def test_finished_is_finished_though_nobody_hears_of_it(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Leaves(io.StringIO):
        def write(self, text: str) -> int:
            if "finished" in text:
                raise BrokenPipeError
            return super().write(text)

    monkeypatch.setattr(sys, "stderr", Leaves())
    assert main(["train", "pixelcnn", "--epochs", "1", "--out", "a", *TINY]) == 0
    assert [record["event"] for record in Run(Path("a")).metrics("event")] == ["started", "finished"]


@pytest.mark.parametrize("verb", ["evaluate", "show", "list"])
def test_an_output_that_is_full_is_told(run: Path, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    with open("/dev/full", "w", encoding="utf-8") as stream, printing_to(stream):  # noqa: PTH123 - closed by hand below
        code = main(VERBS[verb])
    assert code == 4
    assert capsys.readouterr().err == "genlab: error: the output could not be written: No space left on device\n"


def test_a_strangers_words_do_not_steer_the_terminal(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = (run / "config.json").read_text()
    (run / "config.json").write_text(config.replace('"name": "digits"', '"name": "\\u001b]0;owned\\u0007"'))
    for verb in ("show", "list"):
        main(VERBS[verb])
    main(["evaluate", "run"])
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err
    assert "owned" in captured.out + captured.err


# Ctrl-C ------------------------------------------------------------------------------------------------------------------------


def interrupt(*_: object) -> int:
    signal.raise_signal(signal.SIGINT)
    return 0


@pytest.mark.parametrize("verb", VERBS)
def test_ctrl_c_is_a_quiet_end(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    module = getattr(front, {"list": "runs", "show": "runs", "remove": "runs", "resume": "train"}.get(verb, verb))
    monkeypatch.setattr(module, "run", interrupt)
    assert main(VERBS[verb]) == 130
    assert capsys.readouterr().err == "genlab: interrupted\n"


def test_ctrl_c_while_the_verbs_are_loaded_is_quiet_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "genlab.cli.front":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "genlab.cli.front")
    monkeypatch.delattr(cli, "front")
    monkeypatch.setattr(sys, "meta_path", [Interrupted, *sys.meta_path])
    assert main(["info"]) == 130


# Names -------------------------------------------------------------------------------------------------------------------------


def test_names_that_are_no_text_work(run: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    odd = os.fsdecode(b"r\xffn")
    Path("run").rename(odd)
    np.savez(os.fsdecode(b"d\xfe.npz"), images=digits().test.images[:40])
    for arguments in (
        ["sample", odd, "-n", "1", "--out", os.fsdecode(b"o\xfd.png")],
        ["evaluate", odd, "--json", os.fsdecode(b"e\xfc.json")],
        ["export", odd],
        ["runs", "list", "."],
        ["runs", "show", odd],
        ["train", "--resume", "--out", odd, "--epochs", "2"],
        [
            "train",
            "pixelcnn",
            "--data",
            os.fsdecode(b"d\xfe.npz"),
            "--epochs",
            "1",
            "--out",
            os.fsdecode(b"n\xfb"),
            "--set",
            "channels=2",
            "blocks=0",
        ],
        ["evaluate", os.fsdecode(b"n\xfb")],
        ["runs", "show", os.fsdecode(b"n\xfb")],
        ["runs", "remove", odd],
    ):
        assert main(arguments) == 0, arguments
    assert b"removed r\xffn" in capsysbinary.readouterr().out
    assert main(["sample", os.fsdecode(b"gone\xff")]) == 4
    assert b"there is no run folder gone\xff" in capsysbinary.readouterr().err


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "", "~nobody/x"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["sample", "NAME"],
        ["evaluate", "NAME"],
        ["export", "NAME"],
        ["runs", "show", "NAME"],
        ["train", "--resume", "--out", "NAME"],
        ["train", "pixelcnn", "--data", "NAME"],
        ["sample", "run", "--out", "NAME.png"],
        ["complete", "run", "--image", "NAME"],
        ["evaluate", "run", "--json", "NAME"],
    ],
)
def test_names_that_cannot_be_are_told_in_a_sentence(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], name: str
) -> None:
    code = main([word.replace("NAME", name) for word in arguments])
    assert_a_sentence(capsys, code, {2, 4} if (arguments[0], name) != ("sample", "") else {0, 2, 4})
