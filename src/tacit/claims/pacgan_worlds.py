"""Packing on the worlds of the mode-collapse literature, with its two controls."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from tacit.claims import Claim, Context, Result
from tacit.claims._generators import Found, contest, flat
from tacit.core import System

PACKS = ("PacDCGAN2", "PacDCGAN3", "PacDCGAN4")


def grid25(context: Context) -> Result:
    """The authors' networks at a quarter of their widths; their full variant is 400,000 updates by 10 seeds.

    A step has 100 packs, so that larger packs see more rows, as the authors' do; hence the control with as many rows a step.
    """
    from tacit.comparison.laboratory import packs

    steps = 2_000 if context.small else 100_000
    options: dict[str, Any] = {"steps": steps, "samples": 2_500, "compile": not context.small}
    made = packs()
    wide: System = packs(critic_width=100)["GAN"]
    found: Found = {}
    for name, system in made.items():
        found |= contest(context, {name: system}, "grid25", batch_size=100 * system.pack, **options)
    found |= contest(context, {"GAN, larger discriminator": wide}, "grid25", batch_size=100, **options)
    found |= contest(context, {"GAN, batch of 400": made["GAN"]}, "grid25", batch_size=400, **options)
    return captured(context, found, f"{steps:,} updates of 100 packs; G: 4 layers of 100, batch normalisation; D: 3 of 50 maxout units")


def ring8(context: Context) -> Result:
    """GAN and its packs over small networks, and the controls: a discriminator as large as any pack's, a batch as large."""
    from tacit.comparison.laboratory import compositions

    steps = 3_000 if context.small else 20_000
    made: dict[str, System] = {k: v for k, v in compositions("ring8").items() if "GAN" in k and "VEE" not in k and "Unrolled" not in k}
    options: dict[str, Any] = {"steps": steps, "batch_size": 120, "samples": 2_500}
    found = contest(context, made, "ring8", **options)
    base: Any = made["GAN"]
    wide = replace(base, networks=replace(base.networks, widths=(256, 256)))
    found |= contest(context, {"GAN, wider networks": wide}, "ring8", **options)
    found |= contest(context, {"GAN, batch of 480": base}, "ring8", **options | {"batch_size": 480})
    return captured(context, found, f"{steps:,} updates of 120 rows, MLP of 128-128; 2,500 samples")


def captured(context: Context, found: Found, notes: str) -> Result:
    """Modes that packs of 4 capture beyond the plain game, for each seed."""
    best = {seed: found["PacGAN4"][seed]["modes"] - found["GAN"][seed]["modes"] for seed in context.seeds}
    return Result(best, flat(found, "modes", "high-quality share", "reverse KL"), notes)


def stacked(context: Context, steps: int = 20_000, kept: tuple[str, ...] = ("DCGAN", *PACKS, "ALI", "VEEGAN")) -> Result:
    """A quarter of the papers' widths."""
    from tacit.comparison.laboratory import compositions

    world = f"stacked:{context.data('mnist')}"
    kept, steps = (kept[:2], 1_500) if context.small else (kept, steps)
    made = {k: v for k, v in compositions(world, 8 if context.small else 16).items() if k in kept}
    found = contest(context, made, world, steps=steps, batch_size=60, samples=26_000)
    ratio = {seed: found["PacDCGAN2"][seed]["modes"] / max(found["DCGAN"][seed]["modes"], 1.0) for seed in context.seeds}
    return Result(ratio, flat(found, "modes", "reverse KL"), f"{steps:,} updates of 60 rows; a quarter of the papers' width")


def ordered(result: Result) -> bool:
    """Every pack captures more modes than the plain game and both controls, in the mean over seeds."""
    packs = [result.extra[f"PacGAN{m} modes"] for m in (2, 3, 4)]
    others = [v for k, v in result.extra.items() if k.startswith("GAN") and k.endswith(" modes")]
    return min(packs) > max(others)


LIN = "Lin et al. 2018, arXiv:1712.04086"
CLAIMS = (
    Claim(
        id="pacgan-grid25", paper=LIN, published="modes of 25: GAN 17.3, PacGAN2 23.8, PacGAN3 24.6, PacGAN4 24.8",
        what="modes that packs of 4 capture on grid25 beyond the plain game; every pack above the game and above both controls",
        run=grid25, threshold=ordered, minutes=45,
    ),
    Claim(
        id="pacgan-ring8", paper=LIN, published="modes of 8: GAN 6.3, PacGAN2 7.9, PacGAN3 7.8, PacGAN4 7.8",
        what="modes that packs of 4 capture on ring8 beyond the plain game; every pack above the game and above both controls",
        run=ring8, threshold=ordered, minutes=15,
    ),
    Claim(
        id="pacgan-stacked", paper=LIN, published="modes of 1,000: DCGAN 99, PacDCGAN2 to PacDCGAN4 1,000; ALI 16, VEEGAN 150",
        what="modes that PacDCGAN2 captures on stacked digits over those of DCGAN (at least 2)",
        run=stacked, threshold=2.0, minutes=50, data=("mnist",),
    ),
    Claim(
        id="pacgan-stacked-early", paper=LIN, published="modes of 1,000 when trained: DCGAN 99, PacDCGAN2 to PacDCGAN4 1,000",
        what="modes that PacDCGAN2 captures on stacked digits over those of DCGAN (at least 2), after an eighth of those updates",
        run=partial(stacked, steps=2_500, kept=("DCGAN", *PACKS)), threshold=2.0, minutes=6, data=("mnist",),
    ),
)  # fmt: skip
