"""Spectral clustering of a graph that is built on the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from tacit.core.game import Phase, World
from tacit.core.nets import Nets
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.systems.clusters.classical import Classical
from tacit.uses.affinity import Affinity, Join, Weight
from tacit.uses.graph import Search
from tacit.uses.partition import Cut, clustered, coordinates, extend, extend_landmarks, fit_landmarks, vote
from tacit.uses.spectrum import Laplacian, spectrum

CHOICES = {
    "graph": Join, "weight": Weight, "laplacian": Laplacian, "cut": Cut, "search": Search,
    "new_points": Literal["auto", "vote", "nystrom"],
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SpectralClustering(Classical):
    """Spectral clustering: rows become the nodes of a graph, its first eigenvectors are their new coordinates, and those are clustered.

    Graph: w_ij = 1 where j is one of the k nearest neighbours of i or i one of j's, or w_ij = e^{−‖x_i − x_j‖²/σ²}. Eigenvectors: L·v = λ·v
    for L = D − W, D_ii = Σ_j w_ij, D^{-1/2}(D − W)D^{-1/2} or D^{-1}(D − W); min v'Lv over unit v orthogonal to 1 is the second. Rows
    ``(n, d)``, scaled as the spec says.

    The neighbour graph is sparse, and 70,000 rows need less than 2 GiB; a full graph beyond 3,000 rows is never written down, its
    products take O(n²·d) a step, and ``landmarks`` approximates it in O(n·m). ``encode`` gives the eigenvectors' entries, by Nyström's
    extension. A graph that is known already is clustered by :func:`tacit.uses.partition.partition`.

    Source: Shi & Malik 2000; Ng, Jordan & Weiss 2001; von Luxburg 2007, arXiv:0711.0189; scales of Zelnik-Manor & Perona 2004; landmarks of
    Fowlkes et al. 2004.

    Args:
        n_clusters: number of clusters.
        graph: ``neighbors``, by *or*, or ``full``.
        weight: ``one``; ``gaussian`` e^{−d²/σ²}; ``self_tuned`` e^{−d²/(s_i·s_j)}, s_i the distance to the ``scale_neighbor``-th nearest.
        n_neighbors: neighbours in the graph.
        sigma: σ; 0 for the median of the s_i, among the landmarks where there are any.
        scale_neighbor: which neighbour sets a scale.
        laplacian: ``random_walk`` (scikit-learn's), ``symmetric`` (rows normalised, Ng et al.) or ``unnormalised`` (the lecture's D − W).
        n_vectors: eigenvectors, counted from the constant one; 0 for n_clusters, and 2 for two clusters' sign and sweep.
        cut: ``kmeans``; or of the second eigenvector its ``sign``, or the best ``sweep`` (least ratio cut; normalised cut with the other
            two Laplacians) along it, both for two clusters.
        landmarks: rows that a full graph is approximated by; 0 for none.
        new_points: ``vote`` of the nearest fitted rows, or nearest centroid after Nyström's extension (``nystrom``); ``auto`` is vote, and
            nystrom with landmarks.
        assign_neighbors: fitted rows that vote.
        search: how neighbours are found: ``exact``, ``pynndescent``, ``faiss``, or ``auto``, pynndescent beyond 20,000 rows.

    >>> import tacit
    >>> tacit.SpectralClustering(n_clusters=2).fit("moons").cluster("moons").shape
    (10000,)
    """

    graph: Join = "neighbors"
    weight: Weight = "one"
    n_neighbors: int = 10
    sigma: float = 0.0
    scale_neighbor: int = 7
    laplacian: Laplacian = "random_walk"
    n_vectors: int = 0
    cut: Cut = "kmeans"
    landmarks: int = 0
    new_points: Literal["auto", "vote", "nystrom"] = "auto"
    assign_neighbors: int = 5
    search: Search = "auto"
    paper: ClassVar[str] = "von Luxburg 2007, arXiv:0711.0189"

    def validate(self) -> None:
        super().validate()
        got = f"SpectralClustering got graph={self.graph!r}, weight={self.weight!r}, laplacian={self.laplacian!r}, cut={self.cut!r}"
        for name, choices in CHOICES.items():
            if getattr(self, name) not in get_args(choices):
                of = ", ".join(get_args(choices))
                raise InputError(f"SpectralClustering got {name}={getattr(self, name)!r}; expected {of}; choose one")
        if min(self.n_neighbors, self.assign_neighbors, self.scale_neighbor) < 1 or min(self.sigma, self.n_vectors, self.landmarks) < 0:
            raise InputError(
                f"SpectralClustering got n_neighbors={self.n_neighbors}, assign_neighbors={self.assign_neighbors}, "
                f"scale_neighbor={self.scale_neighbor}, sigma={self.sigma}, n_vectors={self.n_vectors}, landmarks={self.landmarks}; "
                "expected 1 or more neighbours and nothing below 0; raise them"
            )
        if self.graph == "full" and self.weight == "one":
            raise InputError(f"{got}: all rows joined alike; expected weights that tell near from far; choose gaussian or self_tuned")
        if self.cut != "kmeans" and self.n_clusters != 2:
            raise InputError(f"{got} for n_clusters={self.n_clusters}; expected 2, for one vector parts in two; use cut='kmeans'")
        if self.cut != "kmeans" and self.n_vectors == 1:
            raise InputError(f"{got} and n_vectors=1; expected the second eigenvector to be there; use n_vectors=2")
        if self.landmarks and (self.graph == "neighbors" or self.weight == "self_tuned" or self.laplacian == "unnormalised"):
            raise InputError(
                f"{got} and landmarks={self.landmarks}; expected graph='full', weight='gaussian' and a normalised Laplacian, which alone "
                "landmarks approximate; choose those or landmarks=0"
            )
        if self.landmarks and self.cut == "sweep":
            raise InputError(f"{got} and landmarks={self.landmarks}; expected a graph to sweep over; use cut='sign' or landmarks=0")
        if self.landmarks and self.new_points == "vote":
            raise InputError(f"{got}, new_points='vote' and landmarks, which alone are kept; expected nystrom; use new_points='nystrom'")

    def check(self, spec: Any, n_rows: int) -> None:
        super().check(spec, n_rows)
        if n_rows < max(self.vectors, 2) or 0 < self.landmarks < self.vectors:
            raise InputError(
                f"SpectralClustering got {n_rows} rows and landmarks={self.landmarks} for {self.vectors} eigenvectors; expected at least "
                "as many, and 2 rows; lower n_vectors or add rows"
            )

    @property
    def vectors(self) -> int:
        return self.n_vectors or max(self.n_clusters, 2 if self.cut != "kmeans" else 1)

    @property
    def affinity(self) -> Affinity:
        return Affinity(self.graph, self.weight, self.n_neighbors, self.sigma, self.scale_neighbor, self.search)

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(name="fit", enter=self._fit),)

    def _fit(self, n: Nets, world: World) -> dict[str, Tensor]:
        x, seed = world.array().flatten(1).float().cpu().numpy(), world.seed
        if self.landmarks:
            kept, y = fit_landmarks(x, self.landmarks, self.affinity, self.vectors, self.laplacian, seed)
            graph = None
        else:
            graph, about = self.affinity.fit(x, seed)
            found = spectrum(graph, self.vectors, self.laplacian, seed)
            y = found.vectors
            kept = {"rows": x, "values": found.values, "vectors": found.vectors, "degrees": found.degrees, **about}
        y = coordinates(y, self.laplacian, self.cut)
        labels, centroids = clustered(y, graph, self.n_clusters, self.laplacian, self.cut, seed)
        kept |= {"labels": labels, "centroids": centroids}
        return {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in kept.items()}

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        kept = {k: v.cpu().numpy() for k, v in n.memory.items()}
        how = extend_landmarks if self.landmarks else extend
        return torch.from_numpy(how(x.flatten(1).float().cpu().numpy(), kept, self.affinity, self.laplacian)).to(x.device)

    def cluster(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        m = n.memory
        if self.new_points == "nystrom" or self.landmarks:
            y = coordinates(self.encode(n, x, rng).cpu().numpy(), self.laplacian, self.cut)
            return torch.cdist(torch.from_numpy(y).to(m["centroids"]), m["centroids"]).argmin(1)
        return vote(x.flatten(1).float(), m["rows"], m["labels"], self.assign_neighbors, self.n_clusters)
