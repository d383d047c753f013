"""How the processes of a training come together: those that torchrun started, or children of this one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed
from torch._C._distributed_c10d import PrefixStore, TCPStore

from genlab.errors import InputError, TrainingError
from genlab.training.ranks import Ranks

_HERE = "127.0.0.1"
_CHILD = ("-m", "genlab.training")
_SILENCE = timedelta(hours=6)  # while process 0 validates and draws, the others hear nothing; one that died is noticed at once
_END_SECONDS = 30.0


@dataclass(frozen=True)
class Place:
    """Where this process stands among all, as torchrun says it in the environment.

    Attributes:
        rank: Its number, from 0.
        size: How many there are.
        local: Its number on this machine.
        neighbours: How many there are on this machine, itself among them.
        host: Where process 0 answers.
        port: And at which port.
        is_hosted: Whether torchrun itself answers there.
    """

    rank: int
    size: int
    local: int
    neighbours: int
    host: str
    port: int
    is_hosted: bool

    @classmethod
    def of_environment(cls) -> Place | None:
        """None if nobody started this process as one of several.

        Raises:
            InputError: The variables contradict each other.
        """
        if "RANK" not in os.environ or os.environ.get("WORLD_SIZE", "1") == "1":
            return None
        names = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
        said = {name: os.environ.get(name) for name in names}
        try:
            rank, size, port = int(said["RANK"] or ""), int(said["WORLD_SIZE"] or ""), int(said["MASTER_PORT"] or "")
            local, neighbours = int(os.environ.get("LOCAL_RANK", rank)), int(os.environ.get("LOCAL_WORLD_SIZE", size))
        except ValueError:
            rank = size = port = local = neighbours = -1
        if not (0 <= rank < size and 0 < port < 65536 and said["MASTER_ADDR"] and local >= 0):
            got = ", ".join(f"{name}={value}" for name, value in said.items())
            raise InputError(f"RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT must say which of how many processes this is; got {got}")
        is_hosted = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        return cls(rank, size, local, neighbours, str(said["MASTER_ADDR"]), port, is_hosted)


def is_follower() -> bool:
    """Whether torchrun has started this process as one that helps another to train, and writes nothing."""
    place = Place.of_environment()
    return place is not None and place.rank > 0


def check_processes(processes: int | None, batch_size: int, place: Place | None) -> int:
    """How many processes there are to be.

    Raises:
        InputError: Below 1, more than a batch has examples, or not what torchrun has started.
    """
    if processes is not None and (not isinstance(processes, int) or isinstance(processes, bool) or processes < 1):
        raise InputError(f"processes must be a whole number from 1 on; got {processes!r}")
    if place and processes not in (None, place.size):
        raise InputError(f"processes must be the {place.size} that were started already (WORLD_SIZE), or not be given; got {processes}")
    size = place.size if place else processes or 1
    if size > batch_size:
        raise InputError(f"processes must be at most batch_size, {batch_size}, so that each has an example; got {size}")
    return size


def check_device(device: str | None, *, local: int = 0, processes: int = 1) -> torch.device:
    """The device of this process.

    Args:
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``; None is the CPU.
        local: This process's number on its machine: of several, each has a GPU of its own.
        processes: How many there are on this machine.

    Raises:
        InputError: Another name, or it is not there.
    """
    try:
        found = torch.device(device or "cpu")
    except (RuntimeError, TypeError):
        found = torch.device("meta")
    if found.type not in ("cpu", "cuda"):
        raise InputError(f"device must be cpu, cuda or cuda:N; got {device!r}")
    if found.type == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = (found.index or 0) if processes == 1 else local
    if processes > 1 and found.index is not None:
        raise InputError(f"device must be cuda where several processes take a GPU each; got {device!r}")
    if max(index, processes - 1) >= count:
        have = "torch finds no GPU here" if count == 0 else f"torch finds {count} here"
        raise InputError(f"device must be there, and a GPU for each process; got {device!r}, and {have}")
    return torch.device("cuda", index)


@contextmanager
def gathered(size: int, place: Place | None, *, device: torch.device, seconds: float, received: list[str]) -> Iterator[Ranks]:
    """All processes of a training, met; when it ends all end, however it ends.

    Args:
        size: How many; 1 is this one alone.
        place: Where this one stands among those that torchrun started; None starts the others as children.
        device: Of this process.
        seconds: How long they wait for one another.
        received: Signals that came in, as of `stop_signals`.

    Raises:
        InputError: The port is in use, or torch's processes are at work already.
        TrainingError: One does not come.
    """
    if size == 1:
        yield Ranks()
        return
    if distributed.is_initialized():
        raise InputError("processes must be 1 in a process that torch.distributed is at work in; destroy its process group first")
    children: dict[int, subprocess.Popen[bytes]] = {}
    started_here = place is None
    with _fewer_threads(size if started_here else 1), _loopback(only=started_here):
        try:
            place = place or Place(0, size, 0, size, _HERE, _port(), is_hosted=False)
            store = _store(place, seconds)
            if started_here:
                children |= {rank: _start(rank, size, store.port, device, seconds) for rank in range(1, size)}
            # In torchrun's store stands what earlier trainings of the same processes said.
            own = PrefixStore(f"genlab/{store.add(f'genlab/{place.rank}', 1)}", store)
            ranks = Ranks(place.rank, size, store=own, device=device, seconds=seconds, received=received, children=children)
            with _met(ranks, own):
                yield ranks
        except BaseException:
            _end(children, seconds=0)
            raise
        finally:
            _end(children, seconds=_END_SECONDS)


@contextmanager
def _met(ranks: Ranks, store: Any) -> Iterator[Ranks]:
    """All are here, and hear one another."""
    ranks.meet()
    backend = "nccl" if ranks.device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, store=store, rank=ranks.rank, world_size=ranks.size, timeout=_SILENCE)
    try:
        yield ranks
        ranks.call_home()
    except Exception as error:
        ranks.lament(str(error) or type(error).__name__)
        raise
    finally:
        distributed.destroy_process_group()


def _store(place: Place, seconds: float) -> Any:
    """Where processes leave each other words."""
    hosts = place.rank == 0 and not place.is_hosted
    try:
        return TCPStore(place.host, place.port, place.size, hosts, timedelta(seconds=seconds), wait_for_workers=False)
    except (RuntimeError, ValueError) as error:
        if hosts and "EADDRINUSE" in str(error):
            raise InputError(f"port {place.port} must be free on {place.host} (MASTER_PORT); it is in use") from None
        if hosts:
            raise InputError(f"{place.host}:{place.port} (MASTER_ADDR, MASTER_PORT) could not be listened at: {_first(error)}") from None
        raise TrainingError(
            f"process 0 of {place.size} did not answer at {place.host}:{place.port} within {seconds:g} seconds; "
            "join_seconds sets how long they wait"
        ) from None


def _port() -> int:
    """Where children find this process: at any port that is free, unless MASTER_PORT names one."""
    said = os.environ.get("MASTER_PORT", "0")
    if not (said.isdecimal() and int(said) < 65536):
        raise InputError(f"MASTER_PORT must be a port's number below 65536; got {said!r}")
    return int(said)


def _start(rank: int, size: int, port: int, device: torch.device, seconds: float) -> subprocess.Popen[bytes]:
    """A process that follows this one."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(size),
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": _HERE,
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
    command = [sys.executable, *_CHILD, device.type, str(seconds)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _end(children: Mapping[int, subprocess.Popen[bytes]], *, seconds: float) -> None:
    """They hold nothing that has to be saved."""
    for child in children.values():
        with suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
        if child.poll() is None:
            child.kill()
            child.wait()


@contextmanager
def _fewer_threads(processes: int) -> Iterator[None]:
    """Processes of one machine share its threads."""
    before = torch.get_num_threads()
    if processes > 1:
        torch.set_num_threads(max(1, before // processes))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _loopback(*, only: bool) -> Iterator[None]:
    """Processes of one machine need no network, and a machine's name need not lead anywhere."""
    names = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    if not only or not names or "GLOO_SOCKET_IFNAME" in os.environ:
        yield
        return
    os.environ["GLOO_SOCKET_IFNAME"] = names[0]
    try:
        yield
    finally:
        del os.environ["GLOO_SOCKET_IFNAME"]


def _first(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
