"""Who takes whose samples for real."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit.errors import NotSupported
from tacit.metrics.figure import Figure, mean_figure
from tacit.model import Model


@dataclass(frozen=True)
class CrossTest:
    """Shares of rows that each discriminator takes for real.

    Attributes:
        names: of the models.
        fakes: ``fakes[i][j]``, of G_j's samples by D_i: its own on the diagonal.
        real: ``real[i]``, of the data by D_i.
    """

    names: tuple[str, ...]
    fakes: tuple[tuple[Figure, ...], ...]
    real: tuple[Figure, ...]

    def table(self) -> np.ndarray:
        """The shares of ``fakes``, ``(k, k)``, rows by discriminator."""
        return np.array([[float(f) for f in row] for row in self.fakes])

    def __str__(self) -> str:
        width = max(len(n) for n in self.names) + 2
        head = " " * (width + 2) + "".join(f"{'G ' + n:>{width + 4}}" for n in self.names) + f"{'data':>{width + 4}}"
        lines = [
            f"{'D ' + n:<{width + 2}}" + "".join(f"{float(f):>{width + 4}.4f}" for f in (*row, own))
            for n, row, own in zip(self.names, self.fakes, self.real, strict=True)
        ]
        return "\n".join([head, *lines])


def cross_test(models: Mapping[str, Model], X: Any, *, n: int = 10_000, seed: int = 0) -> CrossTest:
    """Which share of G_j's samples, and of the data, does D_i take for real? (Roth et al. 2017, arXiv:1705.09367, section 4).

    Over logits a row is real above 0; over values and energies, on the side of the data of the midpoint between D_i's means on
    data and on its own samples.

    Args:
        models: fitted adversarial models of the same data, by name.
        X: data, as for ``fit``: up to ``n`` rows of it.
        n: samples of every generator.
        seed: of the samples.

    Raises:
        NotSupported: a system without a discriminator of rows, or that cannot sample.

    >>> import numpy as np, tacit
    >>> from tacit import diagnostics
    >>> at = lambda theta, psi: tacit.GAN(networks=tacit.networks.Dirac(theta, psi), prior=tacit.Gaussian(1), rule=tacit.SGD(1e-9))
    >>> two = {k: at(*v).fit(np.zeros((4, 1)), steps=1) for k, v in {"a": (1.0, -0.5), "b": (-1.0, -0.5)}.items()}
    >>> diagnostics.cross_test(two, np.zeros((4, 1)), n=10).table().tolist()
    [[0.0, 1.0], [0.0, 1.0]]
    """
    samples = {k: torch.as_tensor(m.sample(n, seed=seed, raw=False)) for k, m in models.items()}
    fakes, real = [], []
    for name, model in models.items():
        verdict = getattr(model.system, "verdict", None)
        if verdict is None:
            raise NotSupported(f"{type(model.system).__name__} has no discriminator of rows; cross-testing asks for a GAN; take one")
        source = model.source(X)
        rows = model.spec.prepare(source.read(0, min(source.n, n)))

        def outputs(x: Tensor, model: Model = model, verdict: Callable[..., Tensor] = verdict) -> np.ndarray:
            like = (model._device(), model._dtype())
            with torch.no_grad():
                return torch.cat([verdict(model.nets, part.to(*like)) for part in x.split(1024)]).double().cpu().numpy()

        own, mine = outputs(rows), outputs(samples[name])
        logit = getattr(getattr(model.system, "objective", None), "output", "logit") == "logit"
        edge = 0.0 if logit else (own.mean() + mine.mean()) / 2
        sign = 1.0 if logit or own.mean() >= mine.mean() else -1.0
        real.append(mean_figure(sign * own > sign * edge, 0.0, 1.0))
        fakes.append(tuple(mean_figure(sign * outputs(s) > sign * edge, 0.0, 1.0) for s in samples.values()))
    return CrossTest(tuple(models), tuple(fakes), tuple(real))
