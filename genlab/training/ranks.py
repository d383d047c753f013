"""The processes of one training, and what passes between them.

Process 0 owns the run: it holds every tensor, moves the players, validates and writes. The others hold the model alone. Before a move
all have process 0's weights; each finds the gradient of its share of the batch, and process 0 gets their sum. So a checkpoint knows
nothing of how many there were, and no two processes can drift apart.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed

from genlab.errors import InputError, TrainingError

_FIGURES = 63  # as many as a player's loss may name; with the wish to stop, 64 numbers go over a step
_LOOK_SECONDS = 0.02
_LEAVE_SECONDS = 10.0
_TOLD, _ALL_HERE = "told", "all here"


class LostProcessError(TrainingError):
    """A process of a training ended, or never came: nothing is wrong with the model."""


class Ranks:
    """This process among those of a training; by default it is alone, and nothing passes.

    Attributes:
        rank: Its number, from 0.
        size: How many there are.
        device: What it computes on.
    """

    def __init__(
        self,
        rank: int = 0,
        size: int = 1,
        *,
        store: Any = None,
        device: torch.device | None = None,
        seconds: float = 60.0,
        received: list[str] | None = None,
        children: Mapping[int, subprocess.Popen[bytes]] | None = None,
    ) -> None:
        self.rank, self.size = rank, size
        self._store, self._seconds, self._children = store, seconds, children or {}
        self.device = device or torch.device("cpu")
        self._received = [] if received is None else received

    # --- before the first step -------------------------------------------------------------------------------------------------------

    def meet(self) -> None:
        """Wait until all are here.

        Raises:
            TrainingError: One did not come within the time limit, or ended before.
        """
        if self.rank:
            self._store.set(f"here/{self.rank}", "")
            with self._reached():
                self._store.wait([_ALL_HERE], timedelta(seconds=self._seconds))
            return
        self._await("here", "did not come")
        self._store.set(_ALL_HERE, "")

    def tell(self, told: Mapping[str, Any]) -> None:
        """Process 0 says what is trained, and hears whether the others have the same.

        Raises:
            InputError: One has something else; its own sentence.
            TrainingError: One did not answer within the time limit, or ended.
        """
        if self.size == 1:
            return
        self._store.set(_TOLD, json.dumps(told))
        self._await("answer", "did not say what it has")
        for rank in range(1, self.size):
            if sentence := self._store.get(f"answer/{rank}").decode():
                raise InputError(f"process {rank} of {self.size}: {sentence}")

    def hear_what(self) -> dict[str, Any]:
        """What process 0 told."""
        with self._reached():
            self._store.wait([_TOLD], timedelta(seconds=self._seconds))
            told: dict[str, Any] = json.loads(self._store.get(_TOLD))
        return told

    def answer(self, sentence: str) -> None:
        """Tell process 0 what is wrong here, or nothing."""
        with self._reached():
            self._store.set(f"answer/{self.rank}", sentence)

    # --- every step ------------------------------------------------------------------------------------------------------------------

    def share(self, count: int) -> slice:
        """Which of `count` examples are this process's: as many as everybody's, the first processes one more."""
        size, more = divmod(count, self.size)
        begin = self.rank * size + min(self.rank, more)
        return slice(begin, begin + size + (self.rank < more))

    def all_or_nothing(self, count: int) -> slice:
        """All `count` examples are process 0's."""
        return slice(0, 0 if self.rank else count)

    def call(self, moment: Sequence[int] | None) -> None:
        """Process 0 calls all to a move, of four numbers, or, with None, home."""
        if self.size > 1:
            with self._reached():
                numbers = torch.tensor([0, 0, 0, 0, 0] if moment is None else [1, *moment], device=self.device)
                distributed.broadcast(numbers, 0)

    def hear(self) -> list[int] | None:
        """What process 0 calls to."""
        numbers = torch.zeros(5, dtype=torch.int64, device=self.device)
        with self._reached():
            distributed.broadcast(numbers, 0)
        goes_on, *moment = numbers.tolist()
        return moment if goes_on else None

    def add_up(self, gradients: Sequence[Tensor], figures: Mapping[str, float], weight: float) -> dict[str, float]:
        """The sum of everybody's gradients, in those of process 0; the mean of figures by the weights of their shares, for process 0.

        A process that was asked to stop says so here, and process 0 is then asked too.
        """
        if self.size == 1:
            return dict(figures)
        if len(figures) > _FIGURES:
            raise InputError(f"a loss may have at most {_FIGURES - 1} parts where several processes share it; got {len(figures) - 1}")
        self._sum(gradients)
        numbers = torch.zeros(1 + _FIGURES, dtype=torch.float64)
        numbers[0] = float(bool(self._received))
        numbers[1 : 1 + len(figures)] = weight * torch.tensor(list(figures.values()), dtype=torch.float64)
        numbers = numbers.to(self.device)
        with self._reached():
            distributed.reduce(numbers, 0)
        wish, *means = numbers.tolist()
        if self.rank == 0 and wish and not self._received:
            self._received.append(signal.SIGTERM.name)
        return dict(zip(figures, means, strict=False))

    def average(self, tensors: Sequence[Tensor], weight: float) -> None:
        """The mean of everybody's tensors by their weights, in those of process 0."""
        for tensor in tensors:
            tensor.mul_(weight)
        self._sum(tensors)

    def send(self, tensors: Sequence[Tensor]) -> None:
        """Process 0's tensors, in everybody's."""
        if self.size > 1:
            self._together(tensors, lambda flat: distributed.broadcast(flat, 0), back=self.rank > 0)

    def call_home(self) -> None:
        """The end: process 0 calls all home, and nobody hangs up before all have heard it."""
        if self.rank:
            with suppress(RuntimeError):
                self._store.set(f"left/{self.rank}", "")
        else:
            self.call(None)
            with suppress(TrainingError):
                self._await("left", "did not leave", seconds=_LEAVE_SECONDS)

    def lament(self, sentence: str) -> None:
        """Leave process 0 a word on why this one ends."""
        if self.rank:
            with suppress(RuntimeError):
                self._store.set(f"failed/{self.rank}", sentence)

    # --- how -------------------------------------------------------------------------------------------------------------------------

    def _sum(self, tensors: Sequence[Tensor]) -> None:
        self._together(tensors, lambda flat: distributed.reduce(flat, 0), back=self.rank == 0)

    @torch.no_grad()
    def _together(self, tensors: Sequence[Tensor], pass_on: Callable[[Tensor], object], *, back: bool) -> None:
        """Pass tensors on as one of each dtype, which costs one delay and not hundreds."""
        for dtype in sorted({tensor.dtype for tensor in tensors}, key=str):
            same = [tensor for tensor in tensors if tensor.dtype == dtype]
            flat = torch.cat([tensor.detach().reshape(-1) for tensor in same])
            with self._reached():
                pass_on(flat)
            if back:
                for tensor, part in zip(same, torch.split(flat, [tensor.numel() for tensor in same]), strict=True):
                    tensor.copy_(part.view_as(tensor))

    def _await(self, what: str, failing: str, seconds: float | None = None) -> None:
        """Process 0 waits for a word of each other."""
        limit = self._seconds if seconds is None else seconds
        deadline = time.monotonic() + limit
        missing = list(range(1, self.size))
        while missing := [rank for rank in missing if not self._store.check([f"{what}/{rank}"])]:
            for rank in missing:
                if rank in self._children and self._children[rank].poll() is not None:
                    raise LostProcessError(f"{self._how_it_ended(rank)} before the first step")
            if time.monotonic() > deadline:
                raise LostProcessError(
                    f"process {missing[0]} of {self.size} {failing} within {limit:g} seconds; join_seconds sets how long they wait"
                )
            time.sleep(_LOOK_SECONDS)

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """What torch says when a process is gone becomes a sentence that says which.

        Raises:
            TrainingError: One is gone, or has not answered for too long.
        """
        try:
            yield
        except RuntimeError as error:
            kept = "the last checkpoint is kept, and any number of processes can resume it"
            raise LostProcessError(f"{self._who_ended(error)}; {kept}") from None

    def _who_ended(self, error: RuntimeError) -> str:
        if self.rank:
            return f"process {self.rank} of {self.size} lost process 0"
        deadline = time.monotonic() + _LEAVE_SECONDS  # the connection ends before the kernel says that its process did
        while time.monotonic() < deadline:
            for rank in range(1, self.size):
                with suppress(RuntimeError):
                    if self._store.check([f"failed/{rank}"]):
                        return f"process {rank} of {self.size} ended: {self._store.get(f'failed/{rank}').decode()}"
                if rank in self._children and self._children[rank].poll() is not None:
                    return self._how_it_ended(rank)
            time.sleep(_LOOK_SECONDS)
        return f"one of {self.size} processes was lost ({str(error).splitlines()[0][:200]})"

    def _how_it_ended(self, rank: int) -> str:
        code = self._children[rank].returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"process {rank} of {self.size} {how}"
