"""Values left out at random while a model trains; which ones follows from a key, so that both walks leave out the same."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from genlab.causal.operations.base import Operation
from genlab.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from genlab.causal.lowering import Lowering, Step
    from genlab.causal.node import Node
    from genlab.causal.program import Instruction

_LOW = 0xFFFFFFFF


class Dropout(Operation):
    """x / (1 − rate) where h ≥ rate · 2³², else 0 (Srivastava et al. 2014); x itself wherever nobody trains.

    h is a hash of (key, image of the batch, node, position), as csrc/operations/dropout.hpp computes it: no generator whose state would
    have to be kept, nor the order in which anything is computed. Positions count ``(row, column, channel)``.
    """

    name = "dropout"
    draws = True

    def check(self, node: Node, known: Mapping[str, Node]) -> None:
        super().check(node, known)
        if not 0 <= node.rate < 1:
            raise InputError(f"rate of node {node.name!r} ({self.name}) must be at least 0 and below 1; got {node.rate}")

    def compute(self, sources: Sequence[torch.Tensor]) -> torch.Tensor:
        return sources[0]

    def drop(self, node: Node, source: torch.Tensor, key: int) -> torch.Tensor:
        """The map ``(N, channels, H, W)`` with values left out."""
        import torch

        _, channels, height, width = source.shape
        low, high = (torch.from_numpy(word.astype(np.int64))[:, None, None, None] for word in _words(key, len(source), stream(node)))
        position = torch.arange(height * width * channels).reshape(1, height, width, channels).permute(0, 3, 1, 2)
        kept = _mixed(_mixed(position + low & _LOW) ^ high) >= int(node.rate * 2**32)
        return source * kept.to(source.device) / (1 - node.rate)

    def lower(self, lowering: Lowering, step: Step) -> None:
        lowering.emit_elementwise(step)
        _mark(lowering.program.forward[-1], step.node)

    def lower_gradient(self, lowering: Lowering, step: Step, grad: int) -> None:
        part = lowering.new(step.node)
        lowering.emit_backward("dropout_grad", grad=grad, out=part)
        _mark(lowering.program.backward[-1], step.node)
        lowering.pass_on(step.node.inputs[0], part)


def stream(node: Node) -> int:
    """What tells a node's draws from another's: a number that follows from its name alone."""
    return zlib.crc32(node.name.encode()) & 0x3FFFFFFF


def shares(key: int, first: int, count: int) -> Iterator[tuple[slice, int]]:
    """The images `first` … `first` + `count` − 1 of a step's batch, in parts that each draw under a key of their own what they draw there.

    An image enters the hash by S(key) xor its number, S a bijection. In a part of 2ᵏ images from a multiple m of 2ᵏ on, a number is
    m xor the number within the part, so that the part's key is S⁻¹(S(key) xor m).

    Yields:
        A slice of 0 … `count` − 1 and its key.
    """
    done = 0
    while done < count:
        begin = first + done
        size = 1 << ((count - done).bit_length() - 1)
        while begin % size:
            size //= 2
        with np.errstate(over="ignore"):
            image = int(_splitmix(np.uint64(key))) ^ begin
        yield slice(done, done + size), _unsplitmix(image)
        done += size


def _mark(instruction: Instruction, node: Node) -> None:
    instruction.rate, instruction.stream = node.rate, stream(node)


def _words(key: int, images: int, stream: int) -> tuple[np.ndarray, np.ndarray]:
    """Two words of 32 bits for each image, uint64 ``(N,)``."""
    with np.errstate(over="ignore"):
        image = _splitmix(np.uint64(key)) ^ np.arange(images, dtype=np.uint64)
        words = _splitmix(_splitmix(image) ^ np.uint64(stream))
    return words & np.uint64(_LOW), words >> np.uint64(32)


def _splitmix(x: np.ndarray | np.uint64) -> np.ndarray:
    """A bijection of 64 bits that leaves nothing to be recognised (Steele et al. 2014)."""
    x = np.asarray(x, np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def _unsplitmix(x: int) -> int:
    """The way back of `_splitmix`."""
    x = (_unshifted(x, 31) * pow(0x94D049BB133111EB, -1, 2**64)) % 2**64
    x = (_unshifted(x, 27) * pow(0xBF58476D1CE4E5B9, -1, 2**64)) % 2**64
    return (_unshifted(x, 30) - 0x9E3779B97F4A7C15) % 2**64


def _unshifted(x: int, bits: int) -> int:
    """The y with y xor (y >> bits) = x, of 64 bits."""
    y = x
    for _ in range(64 // bits):
        y = x ^ (y >> bits)
    return y


def _mixed(x: torch.Tensor) -> torch.Tensor:
    """A bijection of 32 bits, in int64 (C. Wellons' lowbias32)."""
    x = (x ^ (x >> 16)) * 0x7FEB352D & _LOW
    x = (x ^ (x >> 15)) * 0x846CA68B & _LOW
    return x ^ (x >> 16)
