"""The plain autoencoder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from tacit.augmentations.noise import NoAugmentation
from tacit.core.game import Defaults, Phase, Player, Round, System, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Augmentation, Networks, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.mlp import MLP
from tacit.rules.optimisers import Adam


@dataclass(frozen=True, kw_only=True)
class Autoencoder(System):
    """Autoencoder: a short code from which the row can be rebuilt.

    min E‖x − D(E(T(x) + σ·ε))‖² per element, ε ~ N(0, I); σ > 0 makes it a denoising autoencoder. T, a small random change of the
    input whose target stays, makes the code blind to that change (a slant, a shift).

    x ``(B, *shape)``, code ``(B, latent_dim)``. Source: Hinton & Salakhutdinov 2006 (Science 313); Vincent et al. 2008
    (ICML) for the denoising form.

    Args:
        latent_dim: width of the code.
        networks: architecture of encoder and decoder.
        noise: σ, in units of the scaled data.
        augment: T.
        rule: how the weights move.

    >>> import tacit
    >>> model = tacit.Autoencoder(latent_dim=3).fit("digits", steps=20)
    >>> model.encode("digits").shape
    (1797, 3)
    """

    latent_dim: int = 10
    networks: Networks = field(default_factory=lambda: MLP(widths=(500, 500, 2000), critic_act="relu"))
    noise: float = 0.0
    augment: Augmentation = field(default_factory=NoAugmentation)
    rule: Rule = field(default_factory=lambda: Adam(1e-3, (0.9, 0.999), schedule="cosine"))

    family: ClassVar[str] = "autoencoders"
    paper: ClassVar[str] = "Hinton & Salakhutdinov 2006, doi:10.1126/science.1127647"
    defaults: ClassVar[Defaults] = Defaults(steps=5_000, batch_size=256)

    def validate(self) -> None:
        if self.latent_dim < 1 or self.noise < 0:
            raise InputError(
                f"Autoencoder got latent_dim={self.latent_dim}, noise={self.noise}; expected latent_dim >= 1 and noise >= 0; mend them"
            )

    def check(self, spec: Any, n_rows: int) -> None:
        self.augment.check(spec)

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"E": self.networks.encoder(spec, self.latent_dim), "D": self.networks.decoder(self.latent_dim, spec)}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        noise = rng.normal(*batch.x.shape) if self.noise else batch.x.new_zeros(())
        return Round(x=batch.x, noise=noise, t=self.augment.draw(batch.x, rng))

    def players(self) -> tuple[Player, ...]:
        return (Player("autoencoder", owns=("E", "D"), loss=self.loss),)

    def loss(self, n: Nets, r: Round) -> Terms:
        x = self.augment(r.x, r.t)
        x = x + self.noise * r.noise if self.noise else x
        return {"reconstruction": (n.D(n.E(x)).float() - r.x.float()).square().mean()}

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn("autoencoder", self.rule)),)

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.E(x)

    def decode(self, n: Nets, z: Tensor, rng: Rng) -> Tensor:
        return n.D(z)

    def reconstruct(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.D(n.E(x))

    def score(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return -(n.D(n.E(x)) - x).square().flatten(1).mean(1)
