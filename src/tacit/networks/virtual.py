"""Virtual batch normalisation: every row is normalised with a reference batch that is fixed at the start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tacit.core.parts import Networks, Prior
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.layers import Joined
from tacit.networks.mlp import MLP


class VirtualBatchNorm(nn.Module):
    """y = γ·(h − m)/√(v + ε) + β, m and v over the R rows of reference, which come first, and the row itself.

    The reference rows are normalised by their own statistics alone, so that nothing depends on the rest of the batch; h is
    ``(R + B, C)`` or ``(R + B, C, …)``, and so is what comes back; statistics are taken in float32 or better.

    Args:
        norm: the batch normalisation that it replaces: its γ, β and ε are kept.
        rows: R.
    """

    def __init__(self, norm: nn.modules.batchnorm._BatchNorm, rows: int):
        super().__init__()
        self.weight, self.bias, self.eps, self.rows = norm.weight, norm.bias, norm.eps, rows

    def forward(self, h: Tensor) -> Tensor:
        x = h if h.dtype == torch.float64 else h.float()
        flat = x.flatten(2) if x.dim() > 2 else x.unsqueeze(2)
        mean, var = flat.mean(2), flat.var(2, unbiased=False)
        m = mean[: self.rows].mean(0)
        v = var[: self.rows].mean(0) + mean[: self.rows].var(0, unbiased=False)
        share = 1.0 / (self.rows + 1)
        both = m + share * (mean[self.rows :] - m)
        spread = (1 - share) * (v + (m - both).square()) + share * (var[self.rows :] + (mean[self.rows :] - both).square())
        shape = [len(x), -1, *[1] * (x.dim() - 2)]
        m, v = torch.cat([m.expand(self.rows, -1), both]), torch.cat([v.expand(self.rows, -1), spread])
        y = (x - m.view(shape)) * (v.view(shape) + self.eps).rsqrt()
        if self.weight is not None:
            y = y * self.weight.view(1, *shape[1:]) + self.bias.view(1, *shape[1:])
        return y.to(h.dtype)


class Referenced(nn.Module):
    """A network whose rows are preceded by a reference batch, kept in its state; only what follows comes out."""

    def __init__(self, net: nn.Module, reference: Tensor, filled: bool):
        super().__init__()
        self.net, self.filled = net, filled
        self.register_buffer("reference", reference)
        self.register_load_state_dict_post_hook(lambda module, missing: setattr(module, "filled", True))

    def fill(self, rows: Tensor) -> None:
        """Choose the reference batch; a batch that was chosen stays."""
        if not self.filled:
            self.reference.copy_(rows)  # type: ignore[operator]
            self.filled = True

    def forward(self, x: Tensor) -> Tensor:
        if not self.filled:
            raise InputError(
                "VirtualBatch in a critic got no reference rows, which this system does not choose; expected a game of a critic "
                "and a generator (GAN, ImprovedGAN, …); give inner.critic_norm 'none' or 'layer'"
            )
        reference: Tensor = self.reference  # type: ignore[assignment]
        return self.net(torch.cat([reference.to(x.dtype), x]))[len(reference) :]


@dataclass(frozen=True)
class VirtualBatch(Networks):
    """Other networks with virtual batch normalisation where they have batch normalisation (Salimans et al. 2016, arXiv:1606.03498).

    y = γ·(h − m)/√(v + ε) + β, m and v over the R reference activations and the row's own, each row with the weight 1/(R + 1).
    The reference batch is chosen once, at the start: latents of the prior for generators, rows of the data for critics. It is saved
    with the weights and runs through the network before every batch, at its present weights. A row's output depends on no
    other row of its batch, in training as in use, so that penalties on rows allow it.

    Args:
        inner: what builds the networks; ``norm="batch"`` becomes virtual in generators, ``critic_norm="batch"`` in critics.
        reference: R; each pass costs that many rows more.

    >>> import tacit
    >>> nets = tacit.networks.VirtualBatch(tacit.MLP(widths=(32,), norm="batch"), reference=16)
    >>> model = tacit.GAN(networks=nets, prior=tacit.Gaussian(2)).fit("ring8", steps=5)
    >>> model.sample(1).shape
    (1, 2)
    """

    inner: Networks = field(default_factory=lambda: MLP(norm="batch"))
    reference: int = 64

    def validate(self) -> None:
        if self.reference < 2:
            raise InputError(f"VirtualBatch got reference={self.reference}; expected 2 rows or more; a usual batch has 64")
        if "virtual" not in (self.norm, self.critic_norm):
            raise InputError(
                f"VirtualBatch around {type(self.inner).__name__} has no meaning, since that has no batch normalisation to replace; "
                "expected norm='batch' or critic_norm='batch' there; set one"
            )

    @property
    def norm(self) -> str:
        """Normalisation of generators: ``virtual`` where the inner networks have ``batch``."""
        return _named(self.inner, "norm")

    @property
    def critic_norm(self) -> str:
        """Normalisation of critics: ``virtual`` where the inner networks have ``batch``."""
        return _named(self.inner, "critic_norm")

    def check(self, spec: Any) -> None:
        self.inner.check(spec)

    def generator(self, prior: Prior, spec: Any) -> nn.Module:
        net = self.inner.generator(prior, spec)
        if self.norm != "virtual":
            return net
        # Like the initial weights it comes from the stream that the run seeds.
        rng = Rng(int(torch.randint(2**31, (1,))))
        z = prior.join(prior.sample(self.reference, rng))
        return Joined(prior, Referenced(_replaced(net, self.reference), z, filled=True))

    def decoder(self, dim: int, spec: Any) -> nn.Module:
        if self.norm == "virtual":
            raise InputError(
                "VirtualBatch in a decoder has no meaning, since no code is known at the start to refer to; expected a generator over "
                "a prior; give inner.norm 'none' or 'layer'"
            )
        return self.inner.decoder(dim, spec)

    def _critic(self, net: nn.Module, spec: Any) -> nn.Module:
        if self.critic_norm != "virtual":
            return net
        return Referenced(_replaced(net, self.reference), torch.zeros(self.reference, *spec.shape), filled=False)

    def critic(self, spec: Any, out: int = 1) -> nn.Module:
        return self._critic(self.inner.critic(spec, out), spec)

    def encoder(self, spec: Any, out: int) -> nn.Module:
        return self._critic(self.inner.encoder(spec, out), spec)


def refer(nets: Iterable[nn.Module], first: Any) -> None:
    """Choose the reference rows of every network that has none: ``first(R)``, ``(R, *shape)``."""
    for net in nets:
        for module in net.modules():
            if isinstance(module, Referenced):
                module.fill(first(len(module.reference)))  # type: ignore[arg-type]


def _named(inner: Networks, name: str) -> str:
    kind = getattr(inner, name, "none")
    return "virtual" if kind == "batch" else kind


def _replaced(net: nn.Module, rows: int) -> nn.Module:
    for name, child in net.named_children():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            setattr(net, name, VirtualBatchNorm(child, rows))
        else:
            _replaced(child, rows)
    return net
