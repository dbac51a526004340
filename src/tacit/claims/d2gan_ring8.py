"""Two discriminators of opposite taste keep the modes that one loses."""

from __future__ import annotations

import statistics
from typing import Any

from tacit.claims import Claim, Context, Result
from tacit.claims._generators import contest, flat
from tacit.core import System


def systems() -> dict[str, System]:
    """The same networks, prior and rule for both; the GAN also with a rate five times as high, for what it is worth."""
    from tacit.networks.mlp import MLP
    from tacit.priors.gaussian import Gaussian
    from tacit.rules.optimisers import Adam
    from tacit.systems.games.d2gan import D2GAN
    from tacit.systems.games.gan import GAN

    same: dict[str, Any] = {"prior": Gaussian(256), "networks": MLP(widths=(128, 128))}
    slow, fast = Adam(2e-4), Adam(1e-3)
    return {
        "D2GAN": D2GAN(alpha=0.2, beta=0.1, rule=slow, critic_rule=slow, **same),
        "GAN": GAN(rule=slow, critic_rule=slow, **same),
        "GAN, fast": GAN(rule=fast, critic_rule=fast, **same),
    }


def run(context: Context) -> Result:
    """Modes with a sample within three standard deviations, of 2,500 samples."""
    steps = 1500 if context.small else 6000
    found = contest(context, systems(), "ring8", steps=steps, batch_size=512, samples=2500, precision="float32")
    medians = {f"{name} median": statistics.median(s["modes"] for s in by_seed.values()) for name, by_seed in found.items()}
    least = {"D2GAN least": min(s["modes"] for s in found["D2GAN"].values())}
    values = {seed: scores["modes"] for seed, scores in found["D2GAN"].items()}
    return Result(values, {**medians, **least, **flat(found, "modes", "high-quality share", "reverse KL", "minutes")})


def holds(result: Result) -> bool:
    """All eight with every seed, and a lower median for the GAN of the same rule."""
    return result.extra["D2GAN least"] == 8 and result.extra["GAN median"] < 8


CLAIM = Claim(
    id="d2gan-ring8",
    paper="Nguyen et al. 2017, arXiv:1709.03831",
    published="all eight modes, where a GAN cycles through some",
    what="modes of ring8 captured by D2GAN (every seed 8 of 8, GAN's median lower), same networks, rule and updates",
    run=run,
    threshold=holds,
    small_threshold=lambda result: result.extra["D2GAN least"] > result.extra["GAN median"],
    minutes=6,
)
