"""Layers that the architectures share."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn

from tacit.core.exchange import sum_over_ranks


def _world() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation for ``(B, C)`` and ``(B, C, …)``, whose statistics are those of all ranks together.

    On several ranks the batch's mean and mean square are averaged differentiably (twice differentiable), so that R ranks
    equal one. Source: Ioffe & Szegedy 2015, arXiv:1502.03167.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        return None

    def forward(self, input: Tensor) -> Tensor:
        world = _world()
        if not self.training or world == 1:
            return super().forward(input)
        x = input if input.dtype == torch.float64 else input.float()
        dims = [0, *range(2, x.dim())]
        shape = [1, -1, *[1] * (x.dim() - 2)]
        moments = sum_over_ranks(torch.stack([x.mean(dims), x.square().mean(dims)])) / world
        mean, var = moments[0], moments[1] - moments[0].square()
        with torch.no_grad():
            n = x.numel() // x.shape[1] * world
            assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            m = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, m)
            self.running_var.lerp_(var * n / max(n - 1, 1), m)
        y = (x - mean.view(shape)) * (var.view(shape) + self.eps).rsqrt()
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(input.dtype)


def norm_layer(kind: str, channels: int) -> nn.Module:
    """``batch``, ``layer`` (one group over all channels) or ``none``."""
    if kind == "batch":
        return BatchNorm(channels)
    if kind == "layer":
        return nn.GroupNorm(1, channels)
    return nn.Identity()


class Output(nn.Module):
    """Reshape to the spec's shape and bring into its range: a sigmoid for [0, 1], nothing for unbounded data."""

    def __init__(self, shape: tuple[int, ...], bounded: bool):
        super().__init__()
        self.shape, self.bounded = tuple(shape), bounded

    def forward(self, x: Tensor) -> Tensor:
        x = x.reshape(len(x), *self.shape)
        return torch.sigmoid(x) if self.bounded else x


class Centre(nn.Module):
    """Data in [0, 1] to [−1, 1]; unbounded data stay as they are; optionally flattened."""

    def __init__(self, bounded: bool, flat: bool = False):
        super().__init__()
        self.bounded, self.flat = bounded, flat

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1) if self.flat else x
        return x * 2 - 1 if self.bounded else x


class Joined(nn.Module):
    """A network that reads structured latents: the prior joins them first."""

    def __init__(self, prior: object, net: nn.Module):
        super().__init__()
        self.prior, self.net = prior, net

    def forward(self, z: object) -> Tensor:
        return self.net(self.prior.join(z) if not isinstance(z, Tensor) else z)  # type: ignore[attr-defined]


class Scalar(nn.Module):
    """``(B, 1)`` → ``(B,)``."""

    def forward(self, x: Tensor) -> Tensor:
        return x.squeeze(-1)


class Evened(nn.Module):
    """A network of which some outputs, the logits of categories, are batch-normalised, so that none starts ahead of the others.

    Args:
        net: data → ``(B, out)``. start, stop: which outputs. gain: their standard deviation at first.
    """

    def __init__(self, net: nn.Module, start: int, stop: int, gain: float = 2.0):
        super().__init__()
        self.net, self.start, self.stop, self.norm = net, start, stop, BatchNorm(stop - start)
        nn.init.constant_(self.norm.weight, gain)

    def forward(self, x: Tensor) -> Tensor:
        out = self.net(x)
        a, b = self.start, self.stop
        return torch.cat([out[:, :a], self.norm(out[:, a:b]), out[:, b:]], 1)


def trunk_and_head(encoder: nn.Module) -> tuple[nn.Sequential, nn.Linear]:
    """An encoder cut before its linear last layer: data → the last hidden layer ``(B, K)``, and that → its outputs.

    >>> from tacit.data import Spec
    >>> from tacit.networks import MLP
    >>> trunk, head = trunk_and_head(MLP(widths=(8, 5)).encoder(Spec(shape=(3,)), 1))
    >>> trunk(torch.zeros(2, 3)).shape, head.in_features
    (torch.Size([2, 5]), 5)
    """
    *trunk, head = encoder.children()
    assert isinstance(head, nn.Linear), "encoders end in a linear layer"
    return nn.Sequential(*trunk), head


@torch.no_grad()
def initialise(net: nn.Module, std: float | None, generator: torch.Generator | None = None) -> nn.Module:
    """N(0, std²) weights and zero biases in every linear and convolutional layer (None keeps PyTorch's own)."""
    if std is not None:
        for m in net.modules():
            if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                m.weight.normal_(0, std, generator=generator)
                if m.bias is not None:
                    m.bias.zero_()
    return net
