"""The Jensen–Shannon regulariser where data fill fewer dimensions than the space: who fools whom, and who lasts."""

from __future__ import annotations

from typing import Any

import numpy as np

from tacit.claims import Claim, Context, Result

MODES, SPREAD = 7, 0.03


def world(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Seven Gaussians on a circle of radius 1, in a plane in space: rows ``(n, 3)`` and means ``(7, 3)``."""
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * np.arange(MODES) / MODES
    means = np.stack([np.cos(angle), np.sin(angle)], 1)
    flat = means[rng.integers(MODES, size=n)] + SPREAD * rng.normal(size=(n, 2))
    plane = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0][:2]
    return (flat @ plane).astype(np.float32), means @ plane


def one(seed: int, short: int) -> dict[str, float]:
    """Both games for 5 × ``short`` updates of G; their modes after ``short`` and at the end, and the cross-test."""
    import torch

    import tacit
    from tacit import diagnostics, metrics

    torch.set_num_threads(1)
    x, means = world(20_000, seed)
    spec = tacit.data.Spec.learn(tacit.data.load(x))
    adam = tacit.Adam(5e-4, (0.5, 0.999))
    models: dict[str, tacit.Model] = {}
    figures: dict[str, float] = {}
    for name, penalty in (("plain", tacit.NoPenalty()), ("regularised", tacit.penalties.JensenShannonNorm(1.0))):
        game = tacit.GAN(
            prior=tacit.Gaussian(16), networks=tacit.MLP(widths=(128, 128)), penalty=penalty, rule=adam, critic_rule=adam, critic_steps=5
        )

        def look(state: dict[str, Any], name: str = name, game: tacit.System = game) -> None:
            if state["step"] in (short, 5 * short):
                when = "at T" if state["step"] == short else "at 5T"
                made = tacit.Model(game, spec, state["nets"]).sample(2500, seed=seed)
                found = metrics.modes(made, means, SPREAD, bootstrap=0)
                figures.update({f"{name}: modes {when}": float(found.captured), f"{name}: reverse KL {when}": found.reverse_kl.value})

        models[name] = tacit.fit(
            game, x, steps=5 * short, batch_size=128, precision="float32", seed=seed, log_every=short, callbacks=[look]
        )
    test = diagnostics.cross_test(models, world(10_000, seed + 1000)[0], seed=seed)
    for i, judge in enumerate(models):
        figures[f"D {judge} takes for real of data"] = float(test.real[i])
        for j, made in enumerate(models):
            figures[f"D {judge} takes for real of G {made}"] = float(test.fakes[i][j])
    return figures


def run(context: Context) -> Result:
    from joblib import Parallel, delayed

    short = 150 if context.small else 500
    results = Parallel(n_jobs=2)(delayed(one)(seed, short) for seed in context.seeds)
    extra: dict[str, float] = {}
    values: dict[int, float] = {}
    for seed, found in zip(context.seeds, results, strict=True):
        extra |= {f"{k}, seed {seed}": v for k, v in found.items()}
        values[seed] = found["D plain takes for real of G regularised"] - found["D regularised takes for real of G plain"]
        context.say(f"seed {seed}: " + ", ".join(f"{k} {v:.3g}" for k, v in found.items()))
    return Result(values, extra, f"γ = 1, five updates of D for each of G; T = {short} updates of G; unseen data")


def asymmetric(result: Result) -> bool:
    """In every run: the plain D knows its own G and takes the other's samples, the regularised D is not fooled; it lasts, and alone."""
    e = result.extra
    return all(
        e[f"D plain takes for real of G plain, seed {s}"] <= 0.05
        and e[f"D plain takes for real of G regularised, seed {s}"] >= 0.5
        and e[f"D regularised takes for real of G plain, seed {s}"] <= 0.05
        and e[f"regularised: modes at 5T, seed {s}"] == MODES > e[f"plain: modes at 5T, seed {s}"]
        for s in result.values
    )


CLAIM = Claim(
    id="roth-cross-testing",
    paper="Roth et al. 2017, arXiv:1705.09367",
    published="plain D on its own G .0013, on the regularised G 1.0; regularised D on the plain G 0.0; no collapse by far longer training",
    what="share of the regularised G's samples that the plain D takes for real, less the plain G's by the regularised D (a plane in space)",
    run=run,
    threshold=asymmetric,
    minutes=5,
)
