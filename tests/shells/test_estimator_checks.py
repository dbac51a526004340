"""scikit-learn's own checks of estimators, over every shell and the systems that are likely inside them."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import tacit
from shell_systems import RUN, SMALL, Softmax
from tacit.sklearn import Classifier, Clusterer, Generator, OutlierDetector, Transformer

SHELLS = [
    Clusterer(tacit.KMeans(n_clusters=3, n_init=2), device="cpu"),
    Clusterer(tacit.GaussianMixture(n_clusters=2, n_init=1), device="cpu"),
    Transformer(tacit.Autoencoder(latent_dim=2, networks=SMALL), **RUN),
    Transformer(tacit.VAE(latent_dim=2, networks=SMALL), **RUN),
    Generator(tacit.VAE(latent_dim=2, networks=SMALL), **RUN),
    Generator(tacit.GaussianMixture(n_clusters=2, n_init=1), device="cpu"),
    Classifier(Softmax(), device="cpu", precision="float32"),
    OutlierDetector(tacit.GaussianMixture(n_clusters=1, n_init=1), device="cpu"),
    OutlierDetector(tacit.Autoencoder(latent_dim=1, networks=SMALL), **RUN),
]


ROUNDING = "the check wants 1e-7 of float64; networks work in float32, whose last bits depend on the batch size"


def expected(estimator: Any) -> dict[str, str]:
    """Checks that cannot hold, with the reason."""
    if isinstance(estimator, Generator) and isinstance(estimator.system, tacit.VAE):
        return {"check_methods_subset_invariance": ROUNDING}
    if isinstance(estimator, OutlierDetector) and isinstance(estimator.system, tacit.Autoencoder):
        return {"check_methods_subset_invariance": ROUNDING}
    return {}


@parametrize_with_checks(SHELLS, expected_failed_checks=expected)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)
