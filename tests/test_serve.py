"""``genlab serve``: what it refuses, what it tells, and that its server keeps a class within limits and ends when it is told to."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from genlab import classroom
from genlab.cli import main, serve
from genlab.dashboard.sampling_slot import SamplingSlot
from genlab.jobs import limits
from tests.browser import free_port
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """What the process would have become."""
    seen: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(serve, "_become", lambda command, environment: seen.append((command, environment)) or 0)
    monkeypatch.delenv("GENLAB_INSTRUCTOR_PIN", raising=False)
    monkeypatch.delenv(classroom.VARIABLE, raising=False)
    return seen


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "0"], "--port must be between 1 and 65535; got 0"),
        (["--address", "192.0.2.77"], r"--address must be one of this computer's, such as [\d.]+; got '192.0.2.77'"),
        (["--address", "no address"], r"--address must be one of this computer's, such as [\d.]+; got 'no address'"),
        (["--pin", "12345"], "--pin must have at least 6 characters, all of which can be typed; got 5"),
        (["--pin", ""], "--pin must have at least 6 characters, all of which can be typed; got 0"),
        (["--url", "lab.example.org"], "--url must be what visitors open, such as https://lab.example.org; got 'lab.example.org'"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    arguments: list[str], sentence: str, became: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments, *(["--port", str(free_port())] if "--port" not in arguments else [])]) == 2
    assert re.fullmatch(f"genlab: error: {sentence}\n", capsys.readouterr().err)
    assert became == []


def test_a_port_in_use_and_a_missing_streamlit_are_told(
    became: list[object], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
        assert capsys.readouterr().err == f"genlab: error: --port must be free; {port} is in use at 127.0.0.1\n"
    monkeypatch.setattr(serve, "find_spec", lambda name: None)
    assert main(["serve"]) == 2
    assert "the dashboard needs streamlit, which is not installed: pip install" in capsys.readouterr().err
    assert became == []


def test_a_class_gets_a_code_a_pin_and_limits(
    became: list[tuple[list[str], dict[str, str]]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    main(["serve", "--classroom", "--port", str(port)])
    said, (command, environment) = capsys.readouterr().out, became[0]
    url = f"http://{classroom.own_address()}:{port}"
    assert f"genlab answers at {url}\n" in said
    assert classroom.code_as_text(url) in said
    assert re.search(r"The instructor's PIN: \d{8}\n", said)
    assert environment["GENLAB_INSTRUCTOR_PIN"] in said
    assert environment[classroom.VARIABLE] == url
    assert {"--server.address=0.0.0.0", f"--server.port={port}", "--server.maxCacheDataSize=256mb"} <= set(command)
    main(["serve", "--port", str(port), "--pin", "correct horse"])  # without a class
    said, (command, environment) = capsys.readouterr().out, became[1]
    assert "genlab answers at http://127.0.0.1:" in said
    assert environment["GENLAB_INSTRUCTOR_PIN"] == "correct horse"
    assert classroom.VARIABLE not in environment
    assert not any("maxCacheDataSize" in each for each in command)
    main(["serve", "--classroom", "--port", str(port), "--url", "https://lab.example.org"])
    assert classroom.code_as_text("https://lab.example.org") in capsys.readouterr().out


def test_the_code_is_the_address() -> None:
    squares = classroom.code_as_squares("http://192.0.2.1:8501")
    side = len(squares)
    assert side in {21 + 4 * version for version in range(40)}
    finder = [[max(abs(y - 3), abs(x - 3)) != 2 for x in range(7)] for y in range(7)]  # a ring within a ring
    for top, left in ((0, 0), (0, side - 7), (side - 7, 0)):
        assert [row[left : left + 7] for row in squares[top : top + 7]] == finder
    assert squares != classroom.code_as_squares("http://192.0.2.1:8502")


def test_a_class_may_do_less_and_knows_it_by_the_environment() -> None:
    def of(environment: dict[str, str]) -> dict[str, float]:
        program = "import json; from dataclasses import asdict; from genlab import jobs; print(json.dumps(asdict(jobs.LIMITS)))"
        done = subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, **environment}, capture_output=True, text=True, check=True
        )
        found: dict[str, float] = json.loads(done.stdout)
        return found

    alone, in_class = of({}), of({classroom.VARIABLE: "http://192.0.2.1:8501"})
    assert in_class["jobs"] == limits.FOR_A_CLASS.jobs == 1
    assert all(in_class[name] <= most for name, most in alone.items() if name != "spare")  # of the disk, more is spared
    assert in_class["minutes"] * in_class["jobs_in_all"] <= 30  # whoever comes last has a turn within the lesson


def test_nobody_waits_for_anothers_drawing_longer_than_a_second() -> None:
    slot, drawing, may_end = SamplingSlot(patience=0.2), threading.Event(), threading.Event()

    def draw_for_long() -> None:
        with slot:
            drawing.set()
            may_end.wait(30)

    other = threading.Thread(target=draw_for_long)
    other.start()
    drawing.wait(30)
    slot.new_page()
    begun = time.monotonic()
    for _ in range(5):  # drawings of one page
        with slot:
            assert slot.locked()
    assert 0.15 < time.monotonic() - begun < 10  # all together they waited once, and the other has not ended
    assert slot.locked()  # and what they did not hold they did not release
    may_end.set()
    other.join()
    assert not slot.locked()
    with slot:
        assert slot.locked()
    assert SamplingSlot().patience == 1


def test_three_visitors_for_a_moment(tmp_path: Path) -> None:
    """The measurement itself: real websockets on a real server, which ends by SIGTERM while they are connected."""
    file = tmp_path / "figures.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "sixty_visitors.py"), "--visitors", "3", "--minutes", "0.1", "--think", "0.5"]
    command += ["--patience", "300"]  # other tests may have the processor
    done = subprocess.run([*command, "--json", str(file)], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(file.read_text())
    assert figures["errors"] == {}
    assert figures["arrivals"]["count"] == 3
    assert figures["clicks"]["count"] + figures["pages"]["count"] >= 1
    assert figures["memory_megabytes"]["highest"] > figures["memory_megabytes"]["at_rest"] > 10
    assert "| from the click to the last message |" in done.stdout


def listens_for(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for that signal."""
    caught = re.search(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "genlab", "serve", "--classroom", "--address", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        while "Uvicorn server started" not in (line := process.stdout.readline()):
            assert line, "it ended before it began"
        wait_until(lambda: listens_for(process.pid, signal.SIGQUIT))  # the last signal that Streamlit takes, after it says so
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(timeout=60) == 0
    assert "Traceback" not in rest
