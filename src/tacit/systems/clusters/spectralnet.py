"""SpectralNet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from tacit.core.game import Defaults, Phase, Player, Round, Terms, Turn, World
from tacit.core.nets import Nets
from tacit.core.parts import Networks, Rule
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.networks.mlp import MLP
from tacit.systems.clusters.codes import SiameseSpace, decaying
from tacit.uses.graph import cells_by_modularity, centroids_by_kmeans, degrees, edges, neighbours, self_tuned
from tacit.uses.whiten import in_order, orthonormal_cut, whitener


@dataclass(frozen=True, kw_only=True)
class SpectralNet(SiameseSpace):
    """Spectral clustering as a network: a map to the first eigenvectors of a neighbour graph, linear in the rows.

    min_F Σ_ij W_ij ‖y_i − y_j‖² / ΣW over orthonormal y = F(c(x)): the minimum is at the first eigenvectors of the graph's Laplacian.

    Four phases. *Code*: an autoencoder, c(x) ``(B, code_dim)``, whose input is changed by T and whose target is not. *Siamese*: a
    network S with the contrastive loss max(0, d(i, j) − m₊)² on pairs of near neighbours, one of them changed by T, and
    max(0, m₋ − d(i, r))² on random pairs. *Map*: W_ij = exp(−d²/(s_i·s_j)) on the k-NN graph of S's outputs; edges are drawn in
    proportion to W, and F's outputs ``(B, n_outputs)`` are made orthonormal by a Cholesky factor of a separate batch, drawn by degree
    for the normalised Laplacian and evenly for the unnormalised one. *Close*: the orthonormalising matrix of all rows, turned so that the
    map's columns are eigenvectors in order (``encode``); k-means on the map's rows. New points: one pass through c and F, nearest
    centroid.

    With as many outputs as clusters the cut has saddles where an output is a smooth wave along a cluster and not yet the cluster's
    indicator (two circles: the second output stays a coordinate). A few outputs more hold both, and the closing turn tells them apart.
    :func:`tacit.uses.capacity.spectral_capacity` states how large the networks must be at worst.

    Source: Shaham, Stanton, Li, Basri, Nadler & Kluger 2018, arXiv:1801.01587.

    Args:
        n_clusters: number of clusters.
        n_outputs: eigenvectors that F learns; 0 for 1.6·n_clusters, n_clusters + 2 at least.
        code_dim: width of the code space; 0 works on the rows themselves (for rows of a few numbers).
        code_networks, siamese_networks, map_networks: architectures of the three.
        siamese_dim: outputs of S; 0 builds the graph on the codes without a Siamese network.
        n_neighbors: neighbours in the graph.
        scale_neighbor: neighbour whose distance is the local scale s_i.
        pair_neighbors: nearest neighbours that count as positive pairs.
        margins: m₊ and m₋.
        laplacian: ``normalised`` or ``unnormalised``.
        augment: T; ``NoAugmentation()`` for the paper's own procedure.
        closing: ``kmeans`` as in the paper, on the first n_clusters columns, or ``cells``: k-means into ``cells`` cells on the
            row-normalised map, grouped into n_clusters by the modularity of the codes' k-NN graph, which favours clusters of like
            volume but does not ask for it; choose kmeans where a few clusters are much larger than the others.
        cells: number of those cells.
        map_batch: edges, and rows of the separate sample, in a step of the map.
        code_rule, siamese_rule, map_rule: how the three networks move.

    >>> import tacit
    >>> small = tacit.networks.MLP(widths=(32,))
    >>> net = tacit.SpectralNet(n_clusters=2, code_networks=small, siamese_networks=small, map_networks=small)
    >>> model = net.fit("moons", steps=30)
    >>> model.cluster([[0.0, 0.0]]).shape
    (1,)
    """

    n_clusters: int = 10
    n_outputs: int = 0
    map_networks: Networks = field(default_factory=lambda: MLP(widths=(1024, 1024, 512), critic_act="relu"))
    map_rule: Rule = field(default_factory=decaying)
    laplacian: Literal["normalised", "unnormalised"] = "normalised"
    closing: Literal["cells", "kmeans"] = "cells"
    cells: int = 120
    map_batch: int = 512

    family: ClassVar[str] = "clusters"
    paper: ClassVar[str] = "Shaham et al. 2018, arXiv:1801.01587"
    defaults: ClassVar[Defaults] = Defaults(steps=12_000, batch_size=256)
    run_only: ClassVar[tuple[str, ...]] = ("codes", "pairs", "edges", "edge_share")

    def validate(self) -> None:
        if min(self.n_clusters, self.n_neighbors, self.pair_neighbors, self.scale_neighbor, self.cells, self.map_batch) < 1:
            raise InputError(f"{self!r} has a size below 1; expected 1 or more; raise it")
        if min(self.n_outputs, self.siamese_dim, self.code_dim) < 0:
            got = f"n_outputs={self.n_outputs}, siamese_dim={self.siamese_dim}, code_dim={self.code_dim}"
            raise InputError(f"SpectralNet got {got}; expected 0 or more; raise the one that is below")
        for name, value, choices in (
            ("laplacian", self.laplacian, ("normalised", "unnormalised")), ("closing", self.closing, ("cells", "kmeans")),
        ):  # fmt: skip
            if value not in choices:
                raise InputError(f"SpectralNet got {name}={value!r}; expected {' or '.join(choices)}; choose one")

    def check(self, spec: Any, n_rows: int) -> None:
        least = max(self.n_clusters, self.outputs, self.n_neighbors + 1)
        if n_rows < least:
            raise InputError(
                f"SpectralNet got {n_rows} rows for n_clusters={self.n_clusters}, {self.outputs} outputs and {self.n_neighbors} "
                f"neighbours; expected at least {least} rows; lower them or add rows"
            )
        self.augment.check(spec)

    @property
    def outputs(self) -> int:
        return self.n_outputs or max(round(1.6 * self.n_clusters), self.n_clusters + 2)

    @property
    def couples_batch(self) -> bool:
        return True

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return super().nets(spec) | {"F": self.map_networks.encoder(self.code_spec(spec), self.outputs)}

    def players(self) -> tuple[Player, ...]:
        return (*super().players(), Player("map", owns=("F",), loss=self.cut))

    def phases(self) -> tuple[Phase, ...]:
        turn = Turn("map", self.map_rule, draw=self.draw_edges)
        spectral = Phase(turn, name="map", share=0.25, enter=self.build_graph, batch=self.map_batch)
        return (*super().phases(), spectral, Phase(name="close", enter=self.close))

    def build_graph(self, n: Nets, world: World) -> dict[str, Tensor]:
        codes = world.map(n.C)
        pairs, share = edges(self.graph(n, codes, world.seed))
        return {"codes": codes, "edges": pairs, "edge_share": share}

    def draw_edges(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        codes, share, size = memory["codes"], memory["edge_share"], len(batch)
        at = torch.searchsorted(share, rng.uniform(size, 2).double()).clamp_(max=len(share) - 1)
        pair, other = memory["edges"][at[:, 0]], memory["edges"][at[:, 1]]
        end = other.gather(1, rng.integers(2, size, 1)).squeeze(1)
        row = end if self.laplacian == "normalised" else rng.integers(len(codes), size)
        return Round(left=codes[pair[:, 0]], right=codes[pair[:, 1]], sample=codes[row])

    def cut(self, n: Nets, r: Round) -> Terms:
        return {"cut": orthonormal_cut(*n.F(torch.cat([r.sample, r.left, r.right])).chunk(3))}

    def close(self, n: Nets, world: World) -> dict[str, Tensor]:
        codes = world.map(n.C)
        graph = self.graph(n, codes, world.seed)
        y = torch.cat([n.F(c) for c in codes.split(4096)])
        whiten = whitener(y, degrees(graph) if self.laplacian == "normalised" else None, 1e-9)
        whiten, values = in_order(y, whiten, graph)
        rows = self.rows(y, whiten)
        if self.closing == "cells":
            near = neighbours(codes, self.n_neighbors, world.seed) if self.siamese_dim else None
            plain = self_tuned(*near, self.scale_neighbor) if near else graph
            centroids, cluster_of = cells_by_modularity(rows, plain, self.cells, self.n_clusters, world.seed)
        else:
            centroids, cluster_of = centroids_by_kmeans(rows, self.n_clusters, world.seed)
        return {"whiten": whiten, "values": values, "centroids": centroids, "cluster_of": cluster_of}

    def rows(self, y: Tensor, whiten: Tensor) -> Tensor:
        y = y @ whiten
        return nn.functional.normalize(y) if self.closing == "cells" else y[:, : self.n_clusters]

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.F(n.C(x)) @ n.memory["whiten"]

    def cluster(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        rows = self.rows(n.F(n.C(x)), n.memory["whiten"])
        return n.memory["cluster_of"][torch.cdist(rows, n.memory["centroids"]).argmin(1)]
