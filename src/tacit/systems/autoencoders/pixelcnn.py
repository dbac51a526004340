"""An exact likelihood of pictures, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from tacit.core.game import Defaults, Phase, Player, Round, System, Terms, Turn
from tacit.core.nets import Nets
from tacit.core.parts import Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.pixelcnn import PixelStack
from tacit.rules.optimisers import Adam


@dataclass(frozen=True, kw_only=True)
class PixelCNN(System):
    """Gated PixelCNN: max E log p(x) = E Σ_i log p(x_i | x_1 … x_{i−1}), each factor a softmax over the levels of a pixel.

    Masked convolutions in a vertical and a horizontal stack see all pixels before the one at hand. x ``(B, C, H, W)`` in [0, 1], read
    as ⌊levels·x⌋: two levels are pictures thresholded at ½, 256 are 8-bit pictures. ``score`` is log p(x), exact, nats a picture.

    Source: van den Oord et al. 2016, arXiv:1606.05328.

    Args:
        levels: of a pixel, 2 to 256.
        channels: features of each stack. layers, kernel, first_kernel: how many, and how wide (odd).
        rule: how the weights move.

    >>> import tacit
    >>> model = tacit.PixelCNN(channels=8, layers=2).fit("digits", steps=5)
    >>> model.score("digits").shape, model.sample(2).shape
    ((1797,), (2, 8, 8))
    """

    levels: int = 2
    channels: int = 32
    layers: int = 5
    kernel: int = 3
    first_kernel: int = 7
    rule: Rule = field(default_factory=lambda: Adam(2e-3, (0.9, 0.999), schedule="cosine"))

    family: ClassVar[str] = "autoencoders"
    paper: ClassVar[str] = "van den Oord et al. 2016, arXiv:1606.05328"
    defaults: ClassVar[Defaults] = Defaults(steps=5_000, batch_size=32)

    def validate(self) -> None:
        check_stack(self)

    def check(self, spec: Any, n_rows: int) -> None:
        check_pictures(self, spec)

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"P": PixelStack(spec.shape, self.levels, self.channels, self.layers, self.kernel, self.first_kernel)}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x)

    def players(self) -> tuple[Player, ...]:
        return (Player("pixelcnn", owns=("P",), loss=self.loss),)

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn("pixelcnn", self.rule)),)

    def loss(self, n: Nets, r: Round) -> Terms:
        return {"likelihood": -n.P(r.x).mean()}

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        return n.P.generate(rng.uniform(size, *n.P.shape))

    def score(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.P(x)


def check_stack(system: Any) -> None:
    """Refuse numbers that are no stack of layers (``InputError``)."""
    who, odd = type(system).__name__, (system.kernel, system.first_kernel)
    if not 2 <= system.levels <= 256 or min(system.channels, system.layers) < 1 or any(k < 3 or k % 2 == 0 for k in odd):
        raise InputError(
            f"{who} got levels={system.levels}, channels={system.channels}, layers={system.layers}, kernel={system.kernel}, "
            f"first_kernel={system.first_kernel}; expected 2 to 256 levels, 1 or more channels and layers, odd kernels of 3 or more; "
            "mend the one that is not"
        )


def check_pictures(system: Any, spec: Any) -> None:
    """Refuse data that has no pixels with levels (``InputError``)."""
    if spec.kind != "image" or len(spec.shape) != 3 or not spec.bounded:
        raise InputError(
            f"{type(system).__name__} got {spec.kind} data of shape {tuple(spec.shape)}; expected pictures in [0, 1]; state the shape of "
            "the pictures, or take VAE for vectors"
        )
