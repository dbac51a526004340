"""A critic of clipped weights as a ruler of the earth mover's distance."""

from __future__ import annotations

import numpy as np

from tacit.claims import Claim, Context, Result

SHIFTS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


def run(context: Context) -> Result:
    """For each shift train WGAN's critic, as published, against a generator that stands still, and read its estimate.

    W₁(N(μ, 1), N(0, 1)) = μ. The estimate, E_p D − E_q D by quadrature, is in the critic's own unit K: what is asked is that
    it ranks the shifts and is proportional to them, with one K for all.
    """
    import tacit
    from tacit.claims._known import Frozen, Gaussians, Grid, trained
    from tacit.systems import WGAN

    published = WGAN()
    q = Gaussians()
    correlation, ranks, through, spread = {}, {}, {}, {}
    for seed in context.seeds:
        found = []
        for shift in SHIFTS:
            p = Gaussians((shift,), (1.0,), (1.0,))
            system = Frozen(
                prior=q, objective=published.objective, penalty=published.penalty, critic_rule=published.critic_rule,
                networks=tacit.MLP(widths=(64, 64), critic_act="relu"),
            )  # fmt: skip
            model = trained(p, system, seed, steps=300 if context.small else 1000, batch_size=256, n=50_000)
            grid = Grid.of(p, q, -7.0, 14.0)
            v = grid.outputs(model)
            found.append(float(((grid.p - grid.q) * v).sum()))
        y, x = np.array(found), np.array(SHIFTS)
        correlation[seed] = float(np.corrcoef(x, y)[0, 1])
        ranks[seed] = float(bool(np.all(np.diff(y) > 0)))
        unit = float(x @ y / (x @ x))
        through[seed] = float(x @ y / np.sqrt((x @ x) * (y @ y)))
        spread[seed] = float(np.max(np.abs(y / unit / x - 1)))
        context.say(f"seed {seed}: r {correlation[seed]:.5f}, K {unit:.4g}, estimates/K {np.round(y / unit, 3).tolist()}")
    extra = {
        "least r": min(correlation.values()), "share ranked rightly": float(np.mean(list(ranks.values()))),
        "cosine (proportional through 0)": float(np.mean(list(through.values()))),
        "largest deviation from one unit": max(spread.values()),
    }  # fmt: skip
    return Result(correlation, extra)


CLAIM = Claim(
    id="wgan-w1",
    paper="Arjovsky et al. 2017, arXiv:1701.07875",
    published="the critic's loss estimates W1, up to a constant that the clipping sets (section 3)",
    what="correlation of a clipped critic's estimate with the true W1 over eight shifts of a Gaussian; all ranked rightly",
    run=run,
    threshold=lambda r: min(r.values.values()) >= 0.99 and r.extra["share ranked rightly"] == 1.0,
    minutes=1.5,
)
