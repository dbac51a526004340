"""Convolutional networks for pictures of any even size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tacit.core.parts import Networks, Prior
from tacit.errors import InputError
from tacit.networks.activations import activation, check_activations
from tacit.networks.layers import Centre, Joined, Output, Scalar, initialise, norm_layer


def levels(side: int, floor: int = 4) -> int:
    """How often a side can be halved and stay at ``floor`` or above (28 → 2, 32 → 3, 64 → 4, 8 → 1)."""
    k = 0
    while side % 2 == 0 and side // 2 >= floor:
        side, k = side // 2, k + 1
    return k


class ChannelsLast(nn.Module):
    """Hand pictures on in the layout that convolutions run fastest in."""

    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class DCGAN(Networks):
    """Strided 4×4 convolutions, no pooling (Radford et al. 2016, arXiv:1511.06434).

    A side is halved as long as it stays even and at least 4; the first convolution has ``width`` channels and each
    level doubles them, up to 8·width.

    Args:
        width: channels next to the picture.
        dense: units of a fully connected layer next to the latent (InfoGAN's and ClusterGAN's 1024); 0 for none.
        norm: ``batch``, ``layer`` or ``none`` in generators and decoders.
        critic_norm: the same in critics and encoders (never ``batch`` under a gradient penalty).
        init_std: standard deviation of the initial weights; 0 keeps PyTorch's default.
        act, critic_act: hidden activations of generators and of critics, as an ``MLP`` names them (relu, mu-relu:0.5, lsu …;
            Nock et al. 2017, arXiv:1707.04385).
    """

    width: int = 64
    dense: int = 0
    norm: str = "batch"
    critic_norm: str = "none"
    init_std: float = 0.02
    act: str = "relu"
    critic_act: str = "leaky-relu"

    def validate(self) -> None:
        if self.width < 1 or self.dense < 0:
            raise InputError(f"DCGAN got width={self.width}, dense={self.dense}; expected width >= 1 and dense >= 0; mend them")
        for n in (self.norm, self.critic_norm):
            if n not in ("batch", "layer", "none"):
                raise InputError(f"DCGAN got norm={n!r}; expected batch, layer or none; choose one")
        check_activations(self, "act", "critic_act")

    def check(self, spec: Any) -> None:
        if spec.kind != "image" or len(spec.shape) != 3:
            raise InputError(
                f"DCGAN got {spec.kind} data of shape {tuple(spec.shape)}; expected pictures (channels, height, width); "
                "use networks=MLP(), or state the shape of the pictures"
            )
        if min(levels(s) for s in spec.shape[1:]) < 1:
            raise InputError(
                f"DCGAN got pictures of {spec.shape[1]}×{spec.shape[2]} px; expected even sides of 8 px or more; "
                "pad or resize the pictures, or use networks=MLP()"
            )

    def _plan(self, spec: Any) -> tuple[int, list[int], tuple[int, int]]:
        self.check(spec)
        c, h, w = spec.shape
        k = min(levels(h), levels(w))
        return c, [self.width * min(2**i, 8) for i in range(k)], (h >> k, w >> k)

    def _finish(self, net: nn.Module) -> nn.Module:
        return initialise(net, self.init_std or None).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def decoder(self, dim: int, spec: Any) -> nn.Module:
        c, widths, (h, w) = self._plan(spec)
        layers: list[nn.Module] = []
        if self.dense:
            layers += [nn.Linear(dim, self.dense), norm_layer(self.norm, self.dense), activation(self.act)]
            dim = self.dense
        layers += [
            nn.Linear(dim, widths[-1] * h * w), norm_layer(self.norm, widths[-1] * h * w), activation(self.act),
            nn.Unflatten(1, (widths[-1], h, w)), ChannelsLast(),
        ]  # fmt: skip
        for a, b in zip(widths[::-1], [*widths[-2::-1], c], strict=True):
            layers += [nn.ConvTranspose2d(a, b, 4, 2, 1), norm_layer(self.norm, b), activation(self.act)]
        return self._finish(nn.Sequential(*_live(layers[:-2]), Output(spec.shape, spec.bounded)))

    def generator(self, prior: Prior, spec: Any) -> nn.Module:
        return Joined(prior, self.decoder(prior.dim, spec))

    def encoder(self, spec: Any, out: int) -> nn.Module:
        c, widths, (h, w) = self._plan(spec)
        layers: list[nn.Module] = [Centre(spec.bounded), ChannelsLast()]
        for i, (a, b) in enumerate(zip([c, *widths[:-1]], widths, strict=True)):
            layers += [nn.Conv2d(a, b, 4, 2, 1), norm_layer(self.critic_norm if i else "none", b), activation(self.critic_act)]
        d = widths[-1] * h * w
        layers.append(nn.Flatten())
        if self.dense:
            layers += [nn.Linear(d, self.dense), norm_layer(self.critic_norm, self.dense), activation(self.critic_act)]
            d = self.dense
        return self._finish(nn.Sequential(*_live(layers), nn.Linear(d, out)))

    def critic(self, spec: Any, out: int = 1) -> nn.Module:
        net = self.encoder(spec, out)
        return nn.Sequential(net, Scalar()) if out == 1 else net


def _live(layers: list[nn.Module]) -> list[nn.Module]:
    return [m for m in layers if not isinstance(m, nn.Identity)]

