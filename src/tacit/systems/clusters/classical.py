"""scikit-learn's clusterers under the same uses: fitted once, frozen, and able to label new points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.cluster import SpectralClustering as SklearnSpectralClustering
from sklearn.mixture import GaussianMixture as SklearnGaussianMixture
from torch import Tensor

from tacit.core.game import Defaults, Phase, System, World
from tacit.core.nets import Nets
from tacit.core.rng import Rng
from tacit.errors import InputError


def _rows(world: World) -> np.ndarray:
    return world.array().flatten(1).double().cpu().numpy()


@dataclass(frozen=True, kw_only=True)
class _Classical(System):
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
class KMeans(_Classical):
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
class GaussianMixture(_Classical):
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


@dataclass(frozen=True, kw_only=True)
class SpectralClustering(_Classical):
    """Exact spectral clustering of a neighbour graph, for up to 20,000 rows.

    k-means on the first eigenvectors of a graph Laplacian L = I − D^{-1/2} W D^{-1/2} of the rows ``(n, d)``.

    Exact, on up to some ten thousand rows; new points get the majority label of their nearest fitted rows.
    Source: Shi & Malik 2000; Ng, Jordan & Weiss 2001; von Luxburg 2007, arXiv:0711.0189; scikit-learn's implementation.

    Args:
        n_clusters: number of clusters and of eigenvectors.
        affinity: ``nearest_neighbors`` graph or ``rbf`` kernel e^{−γd²}.
        n_neighbors: neighbours in the graph.
        gamma: of the kernel.
        assign_neighbors: fitted rows that vote on a new point.

    >>> import tacit
    >>> tacit.SpectralClustering(n_clusters=2).fit("moons").cluster("moons").shape
    (10000,)
    """

    affinity: Literal["nearest_neighbors", "rbf"] = "nearest_neighbors"
    n_neighbors: int = 10
    gamma: float = 1.0
    assign_neighbors: int = 5
    max_rows: ClassVar[int] = 20_000
    paper: ClassVar[str] = "von Luxburg 2007, arXiv:0711.0189"

    def validate(self) -> None:
        super().validate()
        if min(self.n_neighbors, self.assign_neighbors) < 1 or self.gamma <= 0:
            raise InputError(
                f"SpectralClustering got n_neighbors={self.n_neighbors}, assign_neighbors={self.assign_neighbors}, gamma={self.gamma}; "
                "expected 1 or more neighbours and a gamma above 0; raise them"
            )
        if self.affinity not in ("nearest_neighbors", "rbf"):
            raise InputError(f"SpectralClustering got affinity={self.affinity!r}; expected nearest_neighbors or rbf; choose one")

    def check(self, spec: Any, n_rows: int) -> None:
        super().check(spec, n_rows)
        if n_rows > self.max_rows:
            raise InputError(
                f"SpectralClustering got {n_rows} rows; expected at most {self.max_rows} for the exact eigenvectors; "
                "use SpectralNet, which is linear in the rows, or fewer rows"
            )

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(name="fit", enter=self._fit),)

    def _fit(self, n: Nets, world: World) -> dict[str, Tensor]:
        x = _rows(world)
        fit = SklearnSpectralClustering(
            self.n_clusters, affinity=self.affinity, n_neighbors=min(self.n_neighbors, len(x)), gamma=self.gamma,
            random_state=world.seed, assign_labels="kmeans",
        )  # fmt: skip
        labels = fit.fit_predict(x)
        return {"rows": world.array().flatten(1).float(), "labels": torch.from_numpy(labels.astype(np.int64))}

    def cluster(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return vote(x.flatten(1).float(), n.memory["rows"], n.memory["labels"], self.assign_neighbors, self.n_clusters)


def vote(x: Tensor, rows: Tensor, labels: Tensor, k: int, n_clusters: int) -> Tensor:
    """Majority label of the k nearest rows, the nearest deciding ties; ``(B,)``."""
    at = torch.cdist(x, rows).topk(min(k, len(rows)), largest=False).indices
    votes = torch.zeros(len(x), n_clusters, dtype=torch.float64, device=x.device)
    # Each extra is more than all that follow, and all together are less than a vote.
    extra = 0.5 ** torch.arange(2, at.shape[1] + 2, dtype=torch.float64, device=x.device)
    votes.scatter_add_(1, labels[at], (1 + extra).expand(len(x), -1))
    return votes.argmax(1)
