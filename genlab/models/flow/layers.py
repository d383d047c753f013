"""The layers of a flow: each ``(values) → (values, log |det|)`` of shapes ``(N, C, H, W)`` and ``(N,)`` or ``()``, and its `inverse`.

Points ``(N, D)`` are images of D channels and one pixel.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genlab.models.flow.transforms import parameters_of, transform, transform_back

_LEAST_SPREAD = 1e-6  # a variance below it is none: what is the same everywhere keeps its scale


class Step(nn.Module):
    """Activation norm, invertible 1×1 convolution, coupling."""

    def __init__(self, shape: tuple[int, int, int], hidden: int, kind: str, bins: int, *, mix: bool) -> None:
        super().__init__()
        self.norm = Norm(shape[0])
        self.mix = Mix(shape[0]) if mix else None
        self.coupling = Coupling(shape, hidden, kind, bins)

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """One after another."""
        values, total = self.norm(values)
        if self.mix is not None:
            values, log_det = self.mix(values)
            total = total + log_det
        values, log_det = self.coupling(values)
        return values, total + log_det

    def inverse(self, values: Tensor) -> Tensor:
        """Back, in the other order."""
        values = self.coupling.inverse(values)
        if self.mix is not None:
            values = self.mix.inverse(values)
        return self.norm.inverse(values)


class Norm(nn.Module):
    """Activation norm: z = (x − m) / d · eˢ + t for each channel (Kingma and Dhariwal 2018).

    Mean m and deviation d are those of the first batch it is trained on: buffers, which a resumed run finds in its checkpoint. At that
    first step gradients flow through them as through a batch norm's.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("spread", torch.ones(1, channels, 1, 1))
        self.register_buffer("started", torch.zeros((), dtype=torch.int64))
        self.mean: Tensor
        self.spread: Tensor
        self.started: Tensor

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """As above; log |det| = H · W · Σ (s − log d)."""
        mean, spread = self.mean, self.spread
        if self.training and not self.started:
            variance, mean = torch.var_mean(values, (0, 2, 3), correction=0, keepdim=True)
            spread = torch.where(variance > _LEAST_SPREAD, variance, torch.ones_like(variance)).sqrt()
            self.mean.copy_(mean.detach())
            self.spread.copy_(spread.detach())
            self.started.fill_(1)
        log_det = (self.log_scale - spread.log()).sum() * (values.shape[2] * values.shape[3])
        return (values - mean) * (self.log_scale.exp() / spread) + self.shift, log_det

    def inverse(self, values: Tensor) -> Tensor:
        """X = (z − t) · d e⁻ˢ + m."""
        return (values - self.shift) * (self.spread * (-self.log_scale).exp()) + self.mean


class Mix(nn.Module):
    """Invertible 1×1 convolution W = P L (U + diag(±eˢ)), started as a rotation (Kingma and Dhariwal 2018, equation 10)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.lower, self.upper = (nn.Parameter(torch.zeros(channels, channels)) for _ in range(2))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("order", torch.zeros(channels, dtype=torch.int64))
        self.register_buffer("sign", torch.zeros(channels))
        self.order: Tensor
        self.sign: Tensor
        if not self.lower.is_meta:  # where nothing takes memory there is nothing to fill
            self._start()

    @torch.no_grad()
    def _start(self) -> None:
        rotation = torch.linalg.qr(torch.randn(self.lower.shape, dtype=torch.float64))[0]
        permutation, lower, upper = torch.linalg.lu(rotation)
        diagonal = upper.diagonal()
        self.lower.copy_(lower.tril(-1))
        self.upper.copy_(upper.triu(1))
        self.log_scale.copy_(diagonal.abs().log())
        self.sign.copy_(diagonal.sign())
        self.order.copy_(permutation.argmax(1))

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Z = W x at every pixel; log |det| = H · W · Σ s."""
        lower, upper = self._factors()
        mixed = F.conv2d(values, (lower[self.order] @ upper)[:, :, None, None])
        return mixed, self.log_scale.sum() * (values.shape[2] * values.shape[3])

    def inverse(self, values: Tensor) -> Tensor:
        """X = W⁻¹ z: two triangles, solved in float64."""
        lower, upper = (factor.double() for factor in self._factors())
        mixed = values.movedim(1, 0).flatten(1).double()[self.order.argsort()]
        mixed = torch.linalg.solve_triangular(lower, mixed, upper=False, unitriangular=True)
        mixed = torch.linalg.solve_triangular(upper, mixed, upper=True)
        channels, *others = values.movedim(1, 0).shape
        back: Tensor = mixed.to(values.dtype).reshape(channels, *others).movedim(0, 1)
        return back

    def _factors(self) -> tuple[Tensor, Tensor]:
        lower = self.lower.tril(-1) + torch.eye(len(self.lower)).to(self.lower)
        return lower, self.upper.triu(1) + torch.diag(self.sign * self.log_scale.exp())


class Coupling(nn.Module):
    """(a, b) → (g(b; a), a): b goes through a monotone map whose parameters a network computes from a, and changes places with it.

    Of an odd number of channels the smaller part is a. `context` is what the network is told beside a.
    """

    def __init__(self, shape: tuple[int, int, int], hidden: int, kind: str, bins: int, context: int = 0) -> None:
        super().__init__()
        channels, *size = shape
        self.kind, self.kept, self.moved = kind, channels // 2, channels - channels // 2
        self.network = Network(self.kept + context, hidden, parameters_of(kind, bins) * self.moved, (size[0], size[1]))

    def forward(self, values: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Log |det| = Σ log |∂g/∂b|."""
        kept, moved = values[:, : self.kept], values[:, self.kept :]
        moved, log_slopes = transform(self.kind, moved, self._maps(kept, context))
        return torch.cat((moved, kept), 1), log_slopes.flatten(1).sum(1)

    def inverse(self, values: Tensor, context: Tensor | None = None) -> Tensor:
        """A is there, so its network's answer is there again."""
        moved, kept = values[:, : self.moved], values[:, self.moved :]
        return torch.cat((kept, transform_back(self.kind, moved, self._maps(kept, context))), 1)

    def _maps(self, kept: Tensor, context: Tensor | None) -> Tensor:
        told = kept if context is None else torch.cat((kept, context), 1)
        maps: Tensor = self.network(told)
        return maps.reshape(maps.shape[0], maps.shape[1] // self.moved, self.moved, *maps.shape[2:])  # -1 says nothing of no example


class OwnSpline(nn.Module):
    """A spline for each value, the same for all examples: each is brought close to a normal distribution by itself."""

    def __init__(self, shape: tuple[int, int, int], bins: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, parameters_of("spline", bins), *shape))

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Each value through its own."""
        values, log_slopes = transform("spline", values, self.weight)
        return values, log_slopes.flatten(1).sum(1)

    def inverse(self, values: Tensor) -> Tensor:
        """And back."""
        return transform_back("spline", values, self.weight)


class Network(nn.Module):
    """Two 3×3 convolutions (1×1 for points) and a 1×1 one that starts at zero; each place has biases of its own."""

    def __init__(self, inputs: int, hidden: int, outputs: int, size: tuple[int, int]) -> None:
        super().__init__()
        kernel = 1 if size == (1, 1) else 3
        self.place = nn.Parameter(torch.zeros(1, hidden, *size))
        self.first = nn.Conv2d(inputs, hidden, kernel, padding=kernel // 2, bias=False)
        self.middle = nn.Conv2d(hidden, hidden, kernel, padding=kernel // 2)
        self.last = nn.Conv2d(hidden, outputs, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, values: Tensor) -> Tensor:
        """``(N, outputs, H, W)``."""
        return self.last(F.silu(self.middle(F.silu(self.first(values) + self.place))))  # type: ignore[no-any-return]


def squeeze(values: Tensor) -> Tensor:
    """``(N, C, H, W)`` → ``(N, 4C, H/2, W/2)``: of each 2×2 pixels first one diagonal, then the other, the colours of a checkerboard."""
    a, b, c, d = (values[:, :, row::2, column::2] for row, column in ((0, 0), (1, 1), (0, 1), (1, 0)))
    return torch.cat((a, b, c, d), 1)


def unsqueeze(values: Tensor) -> Tensor:
    """The way back."""
    a, b, c, d = values.chunk(4, 1)
    even, odd = torch.stack((a, c), -1).flatten(-2), torch.stack((d, b), -1).flatten(-2)
    return torch.stack((even, odd), -2).flatten(-3, -2)
