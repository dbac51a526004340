"""What a generator is told by a discriminator that is trained to the end while it stands still."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tacit.claims import Claim, Context, Result

NOISE = 0.5
"""σ of the instance noise, where the data lie in [0, 1]."""


def one(path: str, epochs: int, noise: float, norm: str, seed: int, steps: int, width: int) -> dict[str, float]:
    """Train a DCGAN for some epochs, freeze G, train a new D, and look at the gradients of G under both objectives.

    The new D is DCGAN's, with batch normalisation (``norm``), as the paper's. One that judges rows alone is shown beside it.
    """
    import torch

    import tacit
    from tacit import diagnostics

    torch.set_num_threads(1)
    gan = tacit.DCGAN(networks=tacit.networks.DCGAN(width=width, critic_norm="batch"), prior=tacit.Gaussian(64))
    rows = tacit.data.load(path, split="train")
    model = tacit.fit(gan, rows, steps=epochs * rows.n // 64, batch_size=64, seed=seed)
    judge = replace(gan, networks=tacit.networks.DCGAN(width=width, critic_norm=norm), instance_noise=noise, noise_fade=0.0)
    frozen = tacit.Model(judge, model.spec, tacit.core.Nets({"G": model.nets.G, "D": judge.nets(model.spec)["D"]}, {}))
    paid = {"log(1 − D)": tacit.Minimax(), "−log D": tacit.NonSaturating()}
    found = diagnostics.vanishing(
        frozen, rows, paid, steps=steps, readings=16, rows=128, rounds=4, seed=seed, batch_size=64, precision="float32"
    )
    low, high = found.norms["log(1 − D)"], found.norms["−log D"]
    return {
        "decades": found.decades("log(1 − D)"), "decades of −log D": found.decades("−log D"), "D's error": float(found.error[-1]),
        "‖∇‖ at the start": float(low[0]), "‖∇‖ at the end": float(low[-1]), "‖∇‖ of −log D at the end": float(high[-1]),
        "spread over size of −log D": float(found.spread["−log D"][-1] / high[-1]),
    }  # fmt: skip


def run(context: Context) -> Result:
    from joblib import Parallel, delayed

    path = context.data("mnist")
    steps, width = (600, 8) if context.small else (4000, 16)
    cases = {"after 1 epoch": (1, 0.0, "batch"), "after 1 epoch, with noise": (1, NOISE, "batch")}
    if not context.small:
        cases |= {"after 5 epochs": (5, 0.0, "batch"), "after 1 epoch, D of rows alone": (1, 0.0, "none")}
    tasks = [(name, seed) for name in cases for seed in context.seeds]
    results = Parallel(n_jobs=2)(delayed(one)(path, *cases[name], seed, steps, width) for name, seed in tasks)
    found: dict[str, dict[int, dict[str, float]]] = {name: {} for name in cases}
    for (name, seed), figures in zip(tasks, results, strict=True):
        found[name][seed] = figures
        context.say(f"{name}, seed {seed}: " + ", ".join(f"{k} {v:.3g}" for k, v in figures.items()))
    extra: dict[str, float] = {
        f"{name}: {k}, seed {seed}": v for name, by_seed in found.items() for seed, figures in by_seed.items() for k, v in figures.items()
    }
    values = {
        seed: max(found[name][seed]["decades"] for name in ("after 1 epoch", "after 5 epochs") if name in cases) for seed in context.seeds
    }
    return Result(values, extra, f"{steps} updates of a new D; ‖E ∇‖ over 4 × 128 rows; noise of σ = {NOISE} that does not fade")


def vanishes(decades: float) -> Any:
    """So many powers of ten without noise, at most one with it."""

    def holds(result: Result) -> bool:
        noisy = [v for k, v in result.extra.items() if "with noise: decades," in k]
        return min(result.values.values()) >= decades and max(noisy) <= 1.0

    return holds


CLAIM = Claim(
    id="arjovsky-bottou-decay",
    paper="Arjovsky & Bottou 2017, arXiv:1701.04862",
    published="gradients of log(1 − D) decay by up to 5 orders of magnitude in 4,000 steps (figure 2); −log D scatters",
    what="powers of ten by which G's gradient falls on MNIST while a new D is trained and G stands still",
    run=run,
    threshold=vanishes(3.0),
    small_threshold=vanishes(1.0),
    minutes=12,
    data=("mnist",),
)
