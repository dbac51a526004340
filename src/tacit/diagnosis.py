"""What ails an adversarial run, with the evidence and the cure that the literature has for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit.diagnostics.copies import copied
from tacit.errors import NotSupported
from tacit.model import Model

CURES = {
    "collapse": (
        "pack the discriminator (GAN(pack=2) or more), take VEEGAN or ModeRegularisedGAN, or let AdaGAN add generators for what is missing"
    ),
    "vanishing gradients": (
        "pay the generator by NonSaturating or LogRatio, add GradientNorm (zero-centred gradient penalty) or instance noise, or take "
        "Wasserstein with GradientPenalty"
    ),
    "rotation": (
        "give both players one turn with the rule Consensus or Extragradient, add GradientNorm, unroll the generator (UnrolledGAN), or "
        "lower the rates"
    ),
    "memorising discriminator": (
        "give it more rows, augment real and generated rows alike (instance noise), make D smaller, or stop earlier; GradientNorm helps"
    ),
}


@dataclass(frozen=True)
class Finding:
    """One question that a diagnosis asked.

    Attributes:
        fault: its name.
        found: whether the run has it; None where it could not be asked.
        says: the verdict in a sentence, with its figures.
        evidence: those figures by name.
        cure: what the literature does about it.
        rows: numbers of rows of the data that show it (what is missing), in falling order of weight.
    """

    fault: str
    found: bool | None
    says: str
    evidence: dict[str, float] = field(default_factory=dict)
    rows: tuple[int, ...] = ()

    @property
    def cure(self) -> str:
        return CURES[self.fault]

    def to_json(self) -> dict[str, Any]:
        return {
            "fault": self.fault, "found": self.found, "says": self.says, "evidence": self.evidence, "rows": list(self.rows),
            "cure": self.cure if self.found else "",
        }  # fmt: skip


def diagnose(model: Model, X: Any, held_out: Any = None, *, rows: int = 4000, seed: int = 0) -> tuple[Finding, ...]:
    """Ask a fitted adversarial model for collapse, vanishing gradients, rotation and a memorising discriminator.

    Nothing is read from labels. Collapse and the generator's gradient are judged on ``rows`` rows and as many samples; rotation
    needs the run's log, and memorising needs rows of the same kind that the model was not fitted on.

    Args:
        model: as fitted, or loaded from its run's folder (with its log).
        X: the rows that it was fitted on.
        held_out: other rows of the same kind.
        rows: how many rows and samples are looked at, at most.
        seed: of their choice and of the samples.

    Returns:
        One finding for each fault.

    Raises:
        NotSupported: a system that cannot sample, or that has no discriminator of rows.

    >>> import tacit
    >>> model = tacit.GAN(prior=tacit.Gaussian(2)).fit("ring8", steps=50)
    >>> [f.fault for f in diagnose(model, "ring8")]
    ['collapse', 'vanishing gradients', 'rotation', 'memorising discriminator']
    """
    system = model.system
    if not hasattr(system, "sample") or not hasattr(system, "verdict"):
        who = type(system).__name__
        raise NotSupported(f"{who} has no generator against a discriminator of rows; a diagnosis asks for a GAN; take one")
    source = model.source(X)
    chosen = np.sort(np.random.default_rng(seed).permutation(source.n)[:rows])
    real = model.spec.prepare(source.take(chosen))
    fake = torch.as_tensor(model.sample(len(real), seed=seed, raw=False))
    return (
        collapse(real, fake, chosen, seed), vanishing(model, real, fake), rotation(model.log),
        memorising(model, real, held_out, rows, seed),
    )  # fmt: skip


# ---------------------------------------------------------------------- collapse


def collapse(real: Tensor, fake: Tensor, numbers: np.ndarray, seed: int = 0) -> Finding:
    """Regions of the data that hold a far smaller share of the samples than of other rows, and samples all alike within theirs.

    Regions are k-means cells of half of the rows, as many as the silhouette asks for. One is missing where its samples are fewer
    than a tenth of what the other half says is due, and that is not chance (Poisson, one in 10⁴). The run has collapsed where
    missing regions hold a twentieth of the data, or the samples vary within their regions by less than a twentieth of what rows do.
    """
    from scipy.stats import poisson
    from sklearn.cluster import KMeans

    a, b = (t.flatten(1).double().cpu().numpy() for t in (real, fake))
    order = np.random.default_rng(seed).permutation(len(a))
    means: KMeans = _regions(a[order[::2]], seed)
    of_second, of_fake = means.predict(a[order[1::2]]), means.predict(b)
    k = means.n_clusters
    due, got = np.bincount(of_second, minlength=k) / len(of_second), np.bincount(of_fake, minlength=k)
    expected = due * len(b)
    absent = (got < 0.1 * expected) & (poisson.cdf(got, np.maximum(expected, 1e-9)) < 1e-4)
    missing = float(due[absent].sum())
    own = _within(a[order[1::2]], of_second, k)
    inside = _within(b, of_fake, k) / own if own > 0 else 1.0
    weight = np.argsort(-due * absent, kind="stable")[: int(absent.sum())]
    nearest = tuple(int(numbers[np.square(a - means.cluster_centers_[c]).sum(1).argmin()]) for c in weight)
    evidence = {"missing share": missing, "missing regions": float(absent.sum()), "regions": float(k), "variance within": inside}
    says = (
        f"{int(absent.sum())} of {k} regions of the data, with {missing:.0%} of its rows, get less than a tenth of the samples due to "
        f"them; within a region samples vary {inside:.2g} times as much as rows"
    )
    return Finding("collapse", missing >= 0.05 or inside < 0.05, says, evidence, nearest)


def _regions(rows: np.ndarray, seed: int) -> Any:
    """k-means with the number of cells, of a few, whose silhouette is greatest."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    best: tuple[float, Any] = (-2.0, None)
    for k in (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30):
        if 10 * k > len(rows) and best[1] is not None:
            break
        found = KMeans(min(k, len(np.unique(rows, axis=0))), n_init=3, random_state=seed).fit(rows)
        labels = found.labels_
        score = silhouette_score(rows, labels, sample_size=min(1000, len(rows)), random_state=seed) if len(set(labels)) > 1 else -1.0
        best = max(best, (score, found), key=lambda t: t[0])
    return best[1]


def _within(rows: np.ndarray, of: np.ndarray, k: int) -> float:
    """Median over regions of the variance inside, of those with two rows and more."""
    inside = [rows[of == c].var(0).sum() for c in range(k) if (of == c).sum() > 1]
    return float(np.median(inside)) if inside else 0.0


# ---------------------------------------------------------------------- vanishing gradients


def vanishing(model: Model, real: Tensor, fake: Tensor) -> Finding:
    """Whether the generator's samples still feel the discriminator.

    s = E‖∂ℓ/∂x‖·r / |E D(x) − E D(G(z))| at samples, ℓ a sample's own loss, r the root mean square distance of a sample to a row: the
    slope that G is paid along, in units of the slope that would lead from samples to data. It vanishes where D makes almost no
    mistake and s is below a hundredth: the payment saturates, or D is flat where samples are.
    """
    game: Any = model.system
    like = (model._device(), model._dtype())
    x, y = (t[:1000].to(*like) for t in (real, fake))
    n = copied(model, torch.float64)
    x, y = x.double(), y.double().requires_grad_(True)
    objective = getattr(game, "objective", None)
    with torch.enable_grad():
        out = game.verdict(n, y)
        paid = objective.generator(out, memory=n.memory) * len(y) if objective is not None else -out.sum()
        (g,) = torch.autograd.grad(paid, y)
    with torch.no_grad():
        on_real = game.verdict(n, x)
    on_fake = out.detach()
    apart = float((on_real.mean() - on_fake.mean()).abs())
    edge = float(on_real.mean() + on_fake.mean()) / 2
    up = 1.0 if float(on_real.mean()) >= float(on_fake.mean()) else -1.0
    wrong = float(((up * on_real <= up * edge).double().mean() + (up * on_fake > up * edge).double().mean()) / 2)
    far = float(torch.cdist(x[:300].flatten(1), y.detach()[:300].flatten(1)).square().mean().sqrt())
    slope = float(g.flatten(1).norm(dim=1).mean()) * far / max(apart, 1e-12)
    evidence = {"slope": slope, "discriminator's error": wrong, "gradient at samples": float(g.flatten(1).norm(dim=1).mean())}
    found = wrong < 0.02 and slope < 0.01
    says = (
        f"D mistakes {wrong:.1%} of rows and samples, and what it tells the generator is {slope:.2g} times the slope from samples to data"
    )
    return Finding("vanishing gradients", found, says, evidence)


# ---------------------------------------------------------------------- rotation


def rotation(log: list[dict[str, Any]], least: int = 40) -> Finding:
    """Whether the players' losses come round and round: a regular swing in the second half of the log.

    The autocorrelation of a loss, its trend taken out, falls below −.5 and rises again above .6 at about twice that lag; noise does
    not come back. The swing must not be dying: its size in the last quarter is at least half of that in the third.
    """
    last = log[-1]["phase"] if log else ""
    lines = [line for line in log if line.get("phase") == last]
    half = lines[len(lines) // 2 :]
    if len(half) < least:
        says = f"the second half of the log has {len(half)} lines, too few to see a swing in; expected {least}: log more often (log_every)"
        return Finding("rotation", None, says)
    best: dict[str, float] = {"return": 0.0, "trough": 0.0, "period": math.nan, "lasting": math.nan}
    for name in (k for k in half[0] if k.endswith("/loss") or k.endswith("/adversarial")):
        series = np.array([line.get(name, math.nan) for line in half], float)
        if not np.isfinite(series).all() or np.ptp(series) < 1e-12:
            continue
        swing = _swing(series)
        if swing["return"] > best["return"]:
            best = swing
    found = best["return"] > 0.6 and best["trough"] < -0.5 and best["lasting"] > 0.5
    every = (half[-1]["step"] - half[0]["step"]) / (len(half) - 1)
    back = f"autocorrelation {best['trough']:.2f}, then {best['return']:.2f}"
    says = (
        f"the losses repeat themselves every {best['period'] * every:.0f} steps ({back})"
        if found
        else f"no lasting swing: the strongest return of a loss's autocorrelation is {best['return']:.2f}"
    )
    return Finding("rotation", found, says, {k: v for k, v in best.items() if math.isfinite(v)})


def _swing(series: np.ndarray) -> dict[str, float]:
    n = len(series)
    t = np.linspace(-1, 1, n)
    flat = series - np.polynomial.Polynomial.fit(t, series, 2)(t)
    # Lines of one swing are alike: what is left of noise is averaged away over a twentieth of the series.
    width = max(n // 40, 1)
    flat = np.convolve(flat, np.ones(width) / width, mode="valid")
    n = len(flat)
    r = np.array([float((flat[: n - k] * flat[k:]).sum()) * n / (n - k) for k in range(n // 2)]) / max(float((flat**2).sum()), 1e-300)
    down = int(np.argmin(r[: max(n // 3, 2)]))
    window = r[int(1.5 * down) : int(2.6 * down) + 1]
    back = float(window.max()) if down >= 2 and len(window) else 0.0
    early, late = flat[n // 4 : n // 2].std(), flat[3 * n // 4 :].std()
    return {"return": back, "trough": float(r[down]), "period": float(2 * down), "lasting": float(late / max(early, 1e-300))}


# ---------------------------------------------------------------------- memory


def memorising(model: Model, real: Tensor, held_out: Any, rows: int, seed: int) -> Finding:
    """Whether D tells rows that it was trained on from rows that it was not: the area under the ROC curve, ½ where it cannot."""
    if held_out is None:
        return Finding("memorising discriminator", None, "not asked: it needs rows that the model was not fitted on; give held-out rows")
    from scipy.stats import mannwhitneyu

    source = model.source(held_out)
    chosen = np.sort(np.random.default_rng(seed).permutation(source.n)[:rows])
    other = model.spec.prepare(source.take(chosen))
    verdict: Callable[..., Tensor] = model.system.verdict  # type: ignore[attr-defined]
    n = copied(model, torch.float32).train(False)
    with torch.no_grad():
        seen, new = (torch.cat([verdict(n, p.float()) for p in t.split(512)]).double().numpy() for t in (real, other))
    test = mannwhitneyu(seen, new)
    area = float(test.statistic) / (len(seen) * len(new))
    found = abs(area - 0.5) > 0.15 and float(test.pvalue) < 1e-3
    says = f"D ranks a row of its training above a new one with probability {area:.2f} (p = {float(test.pvalue):.1g}; .50 is blind)"
    return Finding("memorising discriminator", found, says, {"area": area, "p": float(test.pvalue)})
