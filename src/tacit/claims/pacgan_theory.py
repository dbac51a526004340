"""What packing does to total variation, drawn from the theory."""

from __future__ import annotations

import numpy as np

from tacit.claims import Claim, Context, Result
from tacit.files import write_text


def run(context: Context) -> Result:
    """Random pairs against the reach that theory gives them, the lecture's pair, and the picture in the folder of the result."""
    from tacit.metrics import collapse
    from tacit.report.theory import packing

    outside = {}
    for seed in context.seeds:
        rng, worst = np.random.default_rng(seed), 0.0
        for _ in range(200 if context.small else 1_000):
            p, other = rng.dirichlet(np.ones(3) * 0.7), rng.dirichlet(np.ones(3) * 0.7)
            share = rng.uniform()
            pq = collapse.masses(p, share * other + (1 - share) * p)
            tau = collapse.total_variation(pq)
            for m in (2, 3):
                value = collapse.total_variation(collapse.packed(pq, m))
                collapsed = collapse.collapses(pq, 0.02, 0.1)
                low, high = collapse.reach_with_collapse(0.02, 0.1, tau, m) if collapsed else collapse.reach(tau, m)
                worst = max(worst, low - value, value - high)
        outside[seed] = worst
    lost, uneven = collapse.masses([0.2, 0.8], [0.0, 1.0]), collapse.masses([0.5, 0.5], [0.3, 0.7])
    found = {f"{name}, packs of {m}": collapse.total_variation(collapse.packed(pq, m)) for name, pq in
             (("a fifth lost", lost), ("nothing lost", uneven)) for m in (1, 2, 3)}  # fmt: skip
    if context.folder is not None:
        write_text(context.folder / "packing.svg", packing(points=7 if context.small else 19))
        context.say(f"the picture is {context.folder / 'packing.svg'}")
    return Result(outside, found, "how far any random pair's packed total variation lies outside the reach of the theorems (0: nowhere)")


CLAIM = Claim(
    id="pacgan-theory",
    paper="Lin et al. 2018, arXiv:1712.04086",
    published="pairs of total variation .2: packed by two, .36 where a fifth of the data is lost and .24 where none is",
    what="largest distance of a packed total variation outside the theorems' reach, over random pairs",
    run=run,
    threshold=1e-6,
    larger=False,
    minutes=2,
)
