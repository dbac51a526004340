"""scikit-learn's clusterers under the same uses: fitted once, frozen, and able to label new points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.mixture import GaussianMixture as SklearnGaussianMixture
from torch import Tensor

from tacit.core.game import Defaults, Phase, System, World
from tacit.core.nets import Nets
from tacit.core.rng import Rng
from tacit.errors import InputError


def _rows(world: World) -> np.ndarray:
    return world.array().flatten(1).double().cpu().numpy()


@dataclass(frozen=True, kw_only=True)
class Classical(System):
    """Base: the number of clusters is checked against the rows."""

    abstract: ClassVar[bool] = True
    n_clusters: int = 8
    family: ClassVar[str] = "clusters"
    defaults: ClassVar[Defaults] = Defaults(steps=1)

    def validate(self) -> None:
        if self.n_clusters < 1:
            raise InputError(f"{type(self).__name__} got n_clusters={self.n_clusters}; expected 1 or more; ask for at least 1")

    def check(self, spec: Any, n_rows: int) -> None:
        if self.n_clusters > n_rows:
            raise InputError(
                f"{type(self).__name__} got n_clusters={self.n_clusters} for {n_rows} rows; expected no more clusters than rows; "
                "lower n_clusters"
            )


@dataclass(frozen=True, kw_only=True)
class KMeans(Classical):
    """k-means: clusters around centroids.

    min_{c, m} Σᵢ ‖xᵢ − m_{c(i)}‖², rows ``(n, d)`` scaled as the spec says; new points go to the nearest centroid.

    Source: Lloyd 1982; k-means++ starts of Arthur & Vassilvitskii 2007; scikit-learn's implementation.

    Args:
        n_clusters: number of clusters.
        n_init: starts, of which the best is kept.
        max_iter: iterations of a start.

    >>> import tacit
    >>> tacit.KMeans(n_clusters=3).fit("moons").cluster([[0.0, 0.0]]).shape
    (1,)
    """

    n_init: int = 10
    max_iter: int = 300
    paper: ClassVar[str] = "Lloyd 1982, doi:10.1109/TIT.1982.1056489"

    def validate(self) -> None:
        super().validate()
        if min(self.n_init, self.max_iter) < 1:
            raise InputError(f"KMeans got n_init={self.n_init}, max_iter={self.max_iter}; expected 1 or more; raise them")

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(name="fit", enter=self._fit),)

    def _fit(self, n: Nets, world: World) -> dict[str, Tensor]:
        fit = SklearnKMeans(self.n_clusters, n_init=self.n_init, max_iter=self.max_iter, random_state=world.seed)
        fit.fit(_rows(world))
        return {"centroids": torch.from_numpy(fit.cluster_centers_)}

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return torch.cdist(x.flatten(1).double(), n.memory["centroids"])

    def cluster(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.encode(n, x, rng).argmin(1)


@dataclass(frozen=True, kw_only=True)
class GaussianMixture(Classical):
    """Mixture of Gaussians: soft clusters with a density.

    max Σᵢ log Σ_k π_k N(xᵢ; μ_k, Σ_k) by expectation maximisation; rows ``(n, d)``.

    Source: Dempster, Laird & Rubin 1977; scikit-learn's implementation. ``score`` is log p(x) in nats of the scaled data.

    Args:
        n_clusters: number of components.
        covariance: full, tied, diag or spherical.
        reg: added to the covariances' diagonal.
        n_init: starts, of which the best is kept.

    >>> import tacit
    >>> tacit.GaussianMixture(n_clusters=2).fit("moons").score("moons").shape
    (10000,)
    """

    covariance: Literal["full", "tied", "diag", "spherical"] = "full"
    reg: float = 1e-4
    n_init: int = 3
    paper: ClassVar[str] = "Dempster et al. 1977, doi:10.1111/j.2517-6161.1977.tb01600.x"

    def validate(self) -> None:
        super().validate()
        if self.n_init < 1 or self.reg < 0:
            raise InputError(
                f"GaussianMixture got n_init={self.n_init}, reg={self.reg}; expected n_init >= 1 and reg >= 0; mend them"
            )
        if self.covariance not in ("full", "tied", "diag", "spherical"):
            raise InputError(
                f"GaussianMixture got covariance={self.covariance!r}; expected full, tied, diag or spherical; choose one"
            )

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(name="fit", enter=self._fit),)

    def _fit(self, n: Nets, world: World) -> dict[str, Tensor]:
        fit = SklearnGaussianMixture(
            self.n_clusters, covariance_type=self.covariance, reg_covar=self.reg, n_init=self.n_init, random_state=world.seed
        ).fit(_rows(world))
        factors = {"full": fit.precisions_cholesky_}
        if self.covariance != "full":
            d, k = fit.means_.shape[1], self.n_clusters
            c = fit.precisions_cholesky_
            factors["full"] = {
                "tied": lambda: np.broadcast_to(c, (k, d, d)),
                "diag": lambda: np.stack([np.diag(v) for v in c]),
                "spherical": lambda: np.stack([np.eye(d) * v for v in c]),
            }[self.covariance]()
        return {
            "means": torch.from_numpy(fit.means_),
            "factors": torch.from_numpy(np.ascontiguousarray(factors["full"])),
            "log_weights": torch.from_numpy(np.log(fit.weights_)),
        }

    def _log_joint(self, n: Nets, x: Tensor) -> Tensor:
        m = n.memory
        x = x.flatten(1).double()
        y = torch.einsum("bd,kde->bke", x, m["factors"]) - torch.einsum("kd,kde->ke", m["means"], m["factors"])
        log_det = m["factors"].diagonal(dim1=1, dim2=2).log().sum(1)
        return m["log_weights"] + log_det - 0.5 * (y.square().sum(2) + x.shape[1] * np.log(2 * np.pi))

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self._log_joint(n, x).softmax(1)

    def cluster(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self._log_joint(n, x).argmax(1)

    def score(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self._log_joint(n, x).logsumexp(1)

    def sample(self, n: Nets, size: int, rng: Rng) -> Tensor:
        m = n.memory
        k = torch.searchsorted(m["log_weights"].exp().cumsum(0), rng.uniform(size).double().unsqueeze(1)).squeeze(1)
        k = k.clamp(max=self.n_clusters - 1)
        d = m["means"].shape[1]
        noise = rng.normal(size, d).double()
        # Σ = (FFᵀ)⁻¹ with F upper triangular, so μ + F⁻ᵀε has covariance Σ.
        x = m["means"][k]
        for j in range(self.n_clusters):
            at = (k == j).nonzero().squeeze(1)
            x[at] += torch.linalg.solve_triangular(m["factors"][j].mT, noise[at].mT, upper=False).mT
        return x.float()
