"""Processes as the kernel knows them: when one was born, whether it lives, how it is started and ended. Knows no job."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

_LAST_GRACE_SECONDS = 2.0  # between the signal that can be caught and the one that cannot


@dataclass(frozen=True)
class Detached:
    """A process that was started here.

    Attributes:
        pid: Its id.
        born: See `born_at`; None if it was dead before anybody could look.
    """

    pid: int
    born: str | None


def detach(command: list[str], output: Any) -> Detached:
    """Start a process that neither Ctrl-C in the server's terminal nor the server's end reaches."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    # Until it is collected, nobody else can be given its id: the birth that is read here is its own.
    born = born_at(process.pid)
    # Whoever starts a process has to collect it, or it remains as a zombie.
    Thread(target=process.wait, daemon=True).start()
    return Detached(process.pid, born)


def is_alive(pid: int | None, born: str | None) -> bool:
    """Whether that very process lives. One whose birth nobody could read was dead by then."""
    return pid is not None and born is not None and born_at(pid) == born


def end(pid: int, born: str, grace: float) -> None:
    """End a process that was asked to end: by a second SIGTERM once `grace` seconds are over, then by SIGKILL."""
    for seconds, number in ((grace, signal.SIGTERM), (_LAST_GRACE_SECONDS, signal.SIGKILL)):
        deadline = time.monotonic() + seconds
        while is_alive(pid, born) and time.monotonic() < deadline:
            time.sleep(0.05)
        send(pid, born, number)


def send(pid: int, born: str | None, number: signal.Signals) -> None:
    """Send a signal to that very process, and to no later one that was given the same id."""
    if is_alive(pid, born):
        with suppress(ProcessLookupError):  # it may end between the look and the signal
            os.kill(pid, number)


def born_at(pid: int) -> str | None:
    """When the process was born, in words that no other process shares; None if it is dead, zombies included."""
    if not Path("/proc/self/stat").exists():
        return _born_by_ps(pid)
    try:
        # The second field is the program's name in brackets and may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    state, clock_ticks = fields[0], fields[19]
    return None if state in "ZX" else f"{boot} {clock_ticks}"


def _born_by_ps(pid: int) -> str | None:
    """The same where there is no /proc, as on macOS."""
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    state, _, born = answer.strip().partition(" ")
    return born.strip() if state and not state.startswith("Z") else None
