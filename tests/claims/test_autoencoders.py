"""What the claims about autoencoders set side by side, and how they judge."""

from __future__ import annotations

import numpy as np
import pytest

import tacit
from tacit.claims import Result, aae_mnist, aae_priors, autoencoder_pca, gmvae_mnist, pixelgan_mnist
from tacit.claims._clusters import figures, named_by_the_surest, one
from tacit.core import from_json, to_json


@pytest.mark.parametrize("small", [False, True])
def test_every_side_has_the_same_networks(small):
    for made in (aae_mnist.systems(small), aae_priors.systems(small), gmvae_mnist.systems(small), pixelgan_mnist.clusterers(small)):
        assert len({(s.networks, getattr(s, "critic_networks", None)) for s in made.values()}) == 1
        assert all(from_json(to_json(s)) == s for s in made.values())
    clusters = {name: s.n_clusters for name, s in aae_mnist.systems(small).items()}
    assert all(name.startswith(f"K={k}") for name, k in clusters.items())
    assert {s.stability == 0 for s in aae_mnist.systems(small).values()} == {True, False}


def test_the_surest_row_names_its_cluster():
    chances = np.array([[0.7, 0.2, 0.1], [0.9, 0.0, 0.1], [0.1, 0.6, 0.3], [0.2, 0.1, 0.7]])
    y = np.array([4, 1, 8, 8])
    fresh = np.array([[0.5, 0.3, 0.2], [0.0, 0.5, 0.4], [0.1, 0.2, 0.7]])
    assert named_by_the_surest(chances, y, fresh).tolist() == [1, 8, 8]


def test_a_run_of_a_claim_measures_what_it_fitted():
    system = tacit.ClusterAAE(n_clusters=4, latent_dim=2, networks=tacit.MLP(widths=(8,)), critic_networks=tacit.MLP(widths=(8,)))
    row = one(to_json(system), "digits", {}, {}, 0, {"steps": 3, "precision": "float32"})
    assert 0 <= row["ACC"] <= row["purity"] <= 1 and 0 <= row["surest"] <= row["purity"] and 1 <= row["clusters"] <= 4
    assert row["many-to-one"] == pytest.approx(row["purity"]), "the same rows name and are counted"
    found = {"a": {0: row, 1: {**row, "ACC": row["ACC"] + 0.1}}}
    assert figures(found, "ACC")["a ACC"] == pytest.approx(row["ACC"] + 0.05)
    assert figures(found, "ACC")["a ACC sd"] == pytest.approx(0.1 / np.sqrt(2))


def test_an_autoencoder_is_measured_beside_pca():
    rows = autoencoder_pca.errors(
        to_json(tacit.Autoencoder(latent_dim=2, networks=tacit.MLP(widths=(8,)))), 2, 5, 0, "digits", {}, {}
    )
    source = tacit.data.load("digits")
    x = source.read(0, source.n).reshape(source.n, -1) / 16
    assert rows["PCA clean"] < x.var(0).mean() < 2 * rows["PCA clean"] and rows["PCA noisy"] > rows["PCA clean"]
    assert rows["AE clean"] > rows["PCA clean"], "five steps are not enough"


@pytest.mark.parametrize(("ps", "verdict"), [((0.9, 0.3), True), ((0.9, 0.013), True), ((0.9, 0.012), False)])
def test_priors_are_judged_over_all_tests_together(ps, verdict):
    assert aae_priors.CLAIM.holds(Result(dict(enumerate(ps)), {"tests": 4.0})) == verdict


@pytest.mark.parametrize(("ten", "thirty", "verdict"), [(0.8, 0.91, True), (0.78, 0.95, False), (0.85, 0.89, False)])
def test_both_numbers_of_clusters_must_hold(ten, thirty, verdict):
    assert gmvae_mnist.CLAIM.holds(Result({0: ten}, {"K=30 surest": thirty})) == verdict
