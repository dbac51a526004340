"""Fully connected networks, for any shape."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

from torch import nn

from tacit.core.parts import Networks, Prior
from tacit.errors import InputError
from tacit.networks.activations import activation, check_activations
from tacit.networks.layers import Centre, Joined, Output, Scalar, initialise, norm_layer


@dataclass(frozen=True)
class MLP(Networks):
    """Dense layers of the given widths; pictures are flattened.

    Args:
        widths: hidden layers, from the data inwards; generators and decoders run them backwards.
        norm: ``batch``, ``layer`` or ``none``, in generators and decoders.
        critic_norm: the same, in critics and encoders.
        act, critic_act: hidden activations of generators and of critics: relu, leaky-relu, parametric-relu, elu, softplus, tanh,
            silu, or one with a signature: log2-softplus, mu-relu, lsu (Nock et al. 2017, arXiv:1707.04385). Numbers follow
            after colons: leaky-relu:0.1, elu:1:2 (α, β), mu-relu:0.5 (μ).
        init_std: standard deviation of the initial weights; 0 keeps PyTorch's default.
    """

    widths: tuple[int, ...] = (256, 256)
    norm: str = "none"
    critic_norm: str = "none"
    act: str = "relu"
    critic_act: str = "leaky-relu"
    init_std: float = 0.0

    def validate(self) -> None:
        if any(w < 1 for w in self.widths):
            raise InputError(f"MLP got widths={self.widths}; expected positive numbers; give e.g. (256, 256)")
        for n in (self.norm, self.critic_norm):
            if n not in ("batch", "layer", "none"):
                raise InputError(f"MLP got norm={n!r}; expected batch, layer or none; choose one")
        check_activations(self, "act", "critic_act")

    def _stack(self, sizes: list[int], norm: str, act: str) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for a, b in pairwise(sizes):
            layers += [nn.Linear(a, b), norm_layer(norm, b), activation(act)]
        return [m for m in layers if not isinstance(m, nn.Identity)]

    def _finish(self, net: nn.Module) -> nn.Module:
        return initialise(net, self.init_std or None)

    def decoder(self, dim: int, spec: Any) -> nn.Module:
        sizes = [dim, *reversed(self.widths)]
        d = prod(spec.shape)
        body = nn.Sequential(
            *self._stack(sizes, self.norm, self.act), nn.Linear(sizes[-1], d), Output(spec.shape, spec.bounded)
        )
        return self._finish(body)

    def generator(self, prior: Prior, spec: Any) -> nn.Module:
        return Joined(prior, self.decoder(prior.dim, spec))

    def encoder(self, spec: Any, out: int) -> nn.Module:
        sizes = [prod(spec.shape), *self.widths]
        return self._finish(
            nn.Sequential(
                Centre(spec.bounded, flat=True),
                *self._stack(sizes, self.critic_norm, self.critic_act),
                nn.Linear(sizes[-1], out),
            )
        )

    def critic(self, spec: Any, out: int = 1) -> nn.Module:
        net = self.encoder(spec, out)
        return nn.Sequential(net, Scalar()) if out == 1 else net
