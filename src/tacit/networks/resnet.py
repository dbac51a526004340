"""A small residual network for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from tacit.core.parts import Networks, Prior
from tacit.errors import InputError
from tacit.networks.activations import activation, check_activations
from tacit.networks.dcgan import ChannelsLast, levels
from tacit.networks.layers import Centre, Joined, Output, Scalar, norm_layer


class Block(nn.Module):
    """Two 3×3 convolutions and a shortcut; up- or downsampling by 2, or neither."""

    def __init__(self, a: int, b: int, norm: str, sample: str, act: str = "relu"):
        super().__init__()
        self.n1, self.n2, self.sample = norm_layer(norm, a), norm_layer(norm, b), sample
        self.c1, self.c2 = nn.Conv2d(a, b, 3, padding=1), nn.Conv2d(b, b, 3, padding=1)
        self.skip = nn.Conv2d(a, b, 1) if a != b else nn.Identity()
        self.a1, self.a2 = activation(act), activation(act)

    def _up(self, x: Tensor) -> Tensor:
        return interpolate(x, scale_factor=2, mode="nearest") if self.sample == "up" else x

    def _down(self, x: Tensor) -> Tensor:
        return avg_pool2d(x, 2) if self.sample == "down" else x

    def forward(self, x: Tensor) -> Tensor:
        y = self.c1(self._up(self.a1(self.n1(x))))
        y = self._down(self.c2(self.a2(self.n2(y))))
        return y + self._down(self.skip(self._up(x)))


@dataclass(frozen=True)
class ResNet(Networks):
    """Residual generator and critic of Gulrajani et al. 2017 (arXiv:1704.00028), for any even side of 8 px or more.

    Args:
        width: channels of every block.
        norm, critic_norm: ``batch``, ``layer`` or ``none``.
        act, critic_act: hidden activations of generators and of critics, as an ``MLP`` names them (relu, mu-relu:0.5, lsu …;
            Nock et al. 2017, arXiv:1707.04385).
    """

    width: int = 64
    norm: str = "batch"
    critic_norm: str = "none"
    act: str = "relu"
    critic_act: str = "relu"

    def validate(self) -> None:
        if self.width < 1:
            raise InputError(f"ResNet got width={self.width}; expected 1 or more; try 64")
        for n in (self.norm, self.critic_norm):
            if n not in ("batch", "layer", "none"):
                raise InputError(f"ResNet got norm={n!r}; expected batch, layer or none; choose one")
        check_activations(self, "act", "critic_act")

    def check(self, spec: Any) -> None:
        if spec.kind != "image" or len(spec.shape) != 3 or min(levels(s) for s in spec.shape[1:]) < 1:
            raise InputError(
                f"ResNet got {spec.kind} data of shape {tuple(spec.shape)}; expected pictures with even sides of 8 px or more; "
                "use networks=MLP(), or state the shape of the pictures"
            )

    def decoder(self, dim: int, spec: Any) -> nn.Module:
        self.check(spec)
        c, h, w = spec.shape
        k, f = min(levels(h), levels(w)), self.width
        net = nn.Sequential(
            nn.Linear(dim, f * (h >> k) * (w >> k)), nn.Unflatten(1, (f, h >> k, w >> k)), ChannelsLast(),
            *(Block(f, f, self.norm, "up", self.act) for _ in range(k)),
            *(m for m in (norm_layer(self.norm, f),) if not isinstance(m, nn.Identity)), activation(self.act),
            nn.Conv2d(f, c, 3, padding=1), Output(spec.shape, spec.bounded),
        )  # fmt: skip
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def generator(self, prior: Prior, spec: Any) -> nn.Module:
        return Joined(prior, self.decoder(prior.dim, spec))

    def encoder(self, spec: Any, out: int) -> nn.Module:
        self.check(spec)
        c, h, w = spec.shape
        k, f = min(levels(h), levels(w)), self.width
        net = nn.Sequential(
            Centre(spec.bounded), ChannelsLast(), nn.Conv2d(c, f, 3, padding=1),
            *(Block(f, f, self.critic_norm, how, self.critic_act) for how in (*["down"] * k, "keep")), activation(self.critic_act),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(f, out),
        )  # fmt: skip
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def critic(self, spec: Any, out: int = 1) -> nn.Module:
        net = self.encoder(spec, out)
        return nn.Sequential(net, Scalar()) if out == 1 else net
