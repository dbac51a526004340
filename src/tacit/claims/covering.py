"""Games that must cover the data: mode regularisers, VEEGAN, mixtures of games."""

from __future__ import annotations

from typing import Any

from tacit.claims import Claim, Context, Result
from tacit.claims._generators import contest, flat


def mode_regularised(context: Context) -> Result:
    """DCGAN, its mode-regularised form and MDGAN over the same networks; mode score on MNIST, missing modes on stacked digits."""
    import tacit

    small = context.small
    nets = {"networks": tacit.networks.DCGAN(width=8 if small else 16), "prior": tacit.Gaussian(32)}
    made = {
        "DCGAN": tacit.DCGAN(**nets), "mode-regularised": tacit.systems.ModeRegularisedGAN(**nets), "MDGAN": tacit.MDGAN(**nets),
    }  # fmt: skip
    path = context.data("mnist")
    options: dict[str, Any] = {"batch_size": 64, "steps": 250 if small else 2_000}
    plain = contest(context, made, path, load={"split": "train"}, test={"split": "test"}, samples=2_000 if small else 5_000, **options)
    stacked = contest(context, made, f"stacked:{path}", samples=26_000, **options)
    missing = {f"{k} missing of 1,000 {s}": 1000 - v["modes"] for k, of in stacked.items() for s, v in of.items()}
    better = {s: plain["mode-regularised"][s]["mode score"] - plain["DCGAN"][s]["mode score"] for s in context.seeds}
    return Result(better, flat(plain, "mode score", "FID") | flat(stacked, "modes") | missing, "features of a classifier trained here")


def veegan(context: Context) -> Result:
    """VEEGAN against GAN, ALI and unrolled GAN over the same networks, on both worlds."""
    from tacit.comparison.laboratory import compositions

    extra: dict[str, float] = {}
    more: dict[int, float] = {}
    for world, steps in (("ring8", 10_000), ("grid25", 20_000)):
        made = {k: v for k, v in compositions(world).items() if k in ("GAN", "ALI", "Unrolled GAN", "VEEGAN")}
        found = contest(context, made, world, steps=steps // 10 if context.small else steps, batch_size=120, samples=2_500)
        extra |= {f"{world} {k}": v for k, v in flat(found, "modes", "reverse KL", "high-quality share").items()}
        more = {s: found["VEEGAN"][s]["modes"] - max(found[k][s]["modes"] for k in ("GAN", "ALI")) for s in context.seeds}
    return Result(more, extra, "one rate for all; unrolled by 5 steps")


def veegan_holds(result: Result) -> bool:
    """More modes and lower reverse KL than GAN and ALI, no fewer modes than unrolled, on both worlds, in the mean."""
    x = result.extra
    return all(
        x[f"{w} VEEGAN modes"] > x[f"{w} {k} modes"] and x[f"{w} VEEGAN reverse KL"] < x[f"{w} {k} reverse KL"]
        for w in ("ring8", "grid25") for k in ("GAN", "ALI")
    ) and all(x[f"{w} VEEGAN modes"] >= x[f"{w} Unrolled GAN modes"] for w in ("ring8", "grid25"))  # fmt: skip


def mix(context: Context) -> Result:
    """Three pairs against one, Wasserstein with a gradient penalty, each network as large and as many updates."""
    import tacit

    rate = tacit.Adam(1e-3, (0.5, 0.9))
    same: dict[str, Any] = {
        "prior": tacit.Gaussian(2), "networks": tacit.MLP(widths=(64, 64)), "rule": rate, "critic_rule": rate, "critic_steps": 1,
    }  # fmt: skip
    made = {"WGAN-GP": tacit.WGANGP(**same), "MIX+WGAN-GP": tacit.MixGAN(n_pairs=3, **same)}
    found = contest(context, made, "grid25", steps=500 if context.small else 6_000, batch_size=120, samples=2_500)
    more = {s: found["MIX+WGAN-GP"][s]["modes"] - found["WGAN-GP"][s]["modes"] for s in context.seeds}
    return Result(more, flat(found, "modes", "high-quality share", "reverse KL"), "the mixture has three times the weights")


CLAIMS = (
    Claim(
        id="mode-regularised", paper="Che et al. 2017, arXiv:1612.02136",
        published="better mode score and fewer missing modes than DCGAN (tables)",
        what="mode score of the mode-regularised GAN less DCGAN's on MNIST, with fewer missing modes on stacked digits",
        run=mode_regularised, minutes=30, data=("mnist",),
        threshold=lambda r: sum(r.values.values()) > 0 and r.extra["mode-regularised modes"] > r.extra["DCGAN modes"],
    ),
    Claim(
        id="veegan-modes", paper="Srivastava et al. 2017, arXiv:1705.07761",
        published="ring 8 of 8, grid 24.6 of 25; GAN 1 and 3.3, ALI 2.8 and 15.8",
        what="modes that VEEGAN captures beyond the better of GAN and ALI; on ring8 and grid25 also lower reverse KL, unrolled not above",
        run=veegan, threshold=veegan_holds, minutes=25,
    ),
    Claim(
        id="mix-grid25", paper="Arora et al. 2017, arXiv:1703.00573", published="CIFAR-10 inception score 4.04 for MIX+WGAN-GP (as cited)",
        what="modes of grid25 that three pairs capture beyond one (more than 0 in the mean)",
        run=mix, threshold=lambda r: sum(r.values.values()) > 0, minutes=6,
    ),
)  # fmt: skip
