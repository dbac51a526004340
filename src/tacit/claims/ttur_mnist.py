"""Two time scales against one on MNIST."""

from __future__ import annotations

from tacit.claims import Claim, Context, Result
from tacit.claims._generators import contest, flat, summary

SINGLE = ((2e-4, 2e-4), (5e-4, 5e-4), (1e-3, 1e-3), (2e-3, 2e-3))
TWO = ((5e-4, 1e-3), (5e-4, 2e-3), (1e-3, 5e-4), (1e-3, 2e-3))


def run(context: Context) -> Result:
    """DCGAN with the rates of G and D as named, the same networks, updates and rows; the best mean FID of each grid."""
    import tacit

    def system(g: float, d: float) -> tacit.System:
        rates = {"rule": tacit.Adam(g, (0.5, 0.999)), "critic_rule": tacit.Adam(d, (0.5, 0.999))}
        return tacit.DCGAN(networks=tacit.networks.DCGAN(width=16, critic_norm="none"), prior=tacit.Gaussian(32), **rates)

    small = context.small
    data = "digits" if small else context.data("mnist")
    load, test = ({}, {}) if small else ({"split": "train"}, {"split": "test"})
    grids = {f"G {g:g}, D {d:g}": system(g, d) for g, d in (SINGLE[:1] + TWO[:1] if small else SINGLE + TWO)}
    found = contest(context, grids, data, load=load, test=test, steps=300 if small else 1_500, batch_size=64, samples=5_000)
    means = {name: m for name, (m, _) in summary(found, "FID").items()}
    one = min((n for n in means if n.split("G ")[1].split(",")[0] == n.split("D ")[1]), key=means.__getitem__)
    two = min((n for n in means if n.split("G ")[1].split(",")[0] != n.split("D ")[1]), key=means.__getitem__)
    gain = {seed: found[one][seed]["FID"] - found[two][seed]["FID"] for seed in context.seeds}
    return Result(gain, flat(found, "FID"), f"best of one rate: {one}; best of two: {two}; features of a classifier trained here")


CLAIM = Claim(
    id="ttur-mnist",
    paper="Heusel et al. 2017, arXiv:1706.08500",
    published="better FID than one rate, on CelebA, CIFAR-10, SVHN and LSUN",
    what="FID of the best single rate less that of the best pair of rates, DCGAN of a quarter of the width on MNIST (more than 0)",
    run=run,
    threshold=lambda r: sum(r.values.values()) > 0,
    minutes=20,
    data=("mnist",),
)
