"""A generator that matches all moments at once, without an opponent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from tacit.core.game import Defaults, Phase, Player, Round, System, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Networks, Prior, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.mlp import MLP
from tacit.objectives._kernels import mmd2
from tacit.priors.gaussian import Uniform
from tacit.rules.optimisers import Adam


@dataclass(frozen=True, kw_only=True)
class GMMN(System):
    """Generative moment matching network: min_G MMD(x, G(z)), MMD² = E k(x, x') + E k(G, G') − 2 E k(x, G).

    k is the mean of Gaussian kernels of several bandwidths; the V-statistic's root is minimised, x ``(B, *shape)``. In ``code``
    space an autoencoder is trained first and G generates its codes: min_G MMD(E(x), G(z)), and samples are decoded.

    Source: Li et al. 2015, arXiv:1502.02761.

    Args:
        space: data (GMMN-D) or code (GMMN-C).
        prior: distribution of z.
        bandwidths: σ of the kernels, in units of the space.
        code_dim: width of the code.
        dropout: share of x's entries that are hidden from the encoder while the autoencoder is trained.
        networks: architecture of all networks; in code space G is an ``MLP`` of ``code_networks``.
        code_networks: G's architecture in code space.
        squared: minimise MMD² rather than its root.

    >>> import tacit
    >>> model = tacit.GMMN(prior=tacit.priors.Uniform(2)).fit("ring8", steps=10)
    >>> model.sample(3).shape
    (3, 2)
    """

    space: Literal["data", "code"] = "data"
    networks: Networks = field(default_factory=lambda: MLP(widths=(256, 256, 64)))
    code_networks: Networks = field(default_factory=lambda: MLP(widths=(256, 256, 64)))
    prior: Prior = field(default_factory=lambda: Uniform(10))
    bandwidths: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
    code_dim: int = 32
    dropout: float = 0.0
    squared: bool = False
    rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.9, 0.999)))
    code_rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.9, 0.999)))

    family: ClassVar[str] = "games"
    paper: ClassVar[str] = "Li et al. 2015, arXiv:1502.02761"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=500)

    def validate(self) -> None:
        if self.space not in ("data", "code"):
            raise InputError(f"GMMN got space={self.space!r}; expected data or code; choose one")
        if not self.bandwidths or min(self.bandwidths) <= 0 or self.code_dim < 1 or not 0 <= self.dropout < 1:
            raise InputError(
                f"GMMN got bandwidths={self.bandwidths}, code_dim={self.code_dim}, dropout={self.dropout}; expected positive bandwidths, "
                "code_dim >= 1 and dropout in [0, 1); mend the one that is not"
            )

    @property
    def couples_batch(self) -> bool:
        return True

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        if self.space == "data":
            return {"G": self.networks.generator(self.prior, spec)}
        code = replace(spec, shape=(self.code_dim,), kind="vector", bounded=False)
        encoder, decoder = self.networks.encoder(spec, self.code_dim), self.networks.decoder(self.code_dim, spec)
        return {"G": self.code_networks.generator(self.prior, code), "E": encoder, "D": decoder}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        kept = (rng.uniform(*batch.x.shape) >= self.dropout) if self.dropout else None
        return Round(x=batch.x, z=self.prior.sample(len(batch), rng), kept=kept)

    def players(self) -> tuple[Player, ...]:
        generator = Player("generator", owns=("G",), loss=self.generator)
        return (generator,) if self.space == "data" else (Player("autoencoder", owns=("E", "D"), loss=self.autoencoder), generator)

    def autoencoder(self, n: Nets, r: Round) -> Terms:
        x = r.x if r.kept is None else r.x * r.kept / (1 - self.dropout)
        return {"reconstruction": (n.D(n.E(x)) - r.x).square().mean()}

    def generator(self, n: Nets, r: Round) -> Terms:
        with torch.no_grad():
            target = r.x if self.space == "data" else n.E(r.x)
        value = mmd2(target, n.G(r.z), self.bandwidths)
        return {"mmd": value if self.squared else (value.clamp_min(0) + 1e-8).sqrt()}

    def phases(self) -> tuple[Phase, ...]:
        generator = Phase(Turn("generator", self.rule), name="generator")
        return (generator,) if self.space == "data" else (Phase(Turn("autoencoder", self.code_rule), name="code"), generator)

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        made = n.G(self.prior.sample(size, rng))
        return made if self.space == "data" else n.D(made)
