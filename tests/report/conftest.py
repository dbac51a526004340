"""Small runs of every kind, fitted once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import tacit
from tacit.report import write

NASTY = "<script>alert('x')</script>&\"quotes\""


@pytest.fixture(scope="session")
def table_csv(tmp_path_factory):
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=150)
    x = rng.normal(0, 4, (3, 4))[y] + rng.normal(size=(150, 4))
    frame = pd.DataFrame(x, columns=["height_cm", NASTY, "c", "d"])
    frame["kind"] = np.array(["ash", "</script><b>oak</b>", "elm"])[y]
    path = tmp_path_factory.mktemp("data") / "table.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def runs(tmp_path_factory, table_csv):
    """name → run folder."""
    torch.set_num_threads(1)
    base = tmp_path_factory.mktemp("runs")
    small = tacit.networks.MLP(widths=(32,))
    asked = {
        "kmeans": (tacit.KMeans(n_clusters=10, n_init=1), "digits", {}),
        "vae": (tacit.VAE(latent_dim=4, networks=small), "digits", {"steps": 30}),
        "plane": (tacit.Autoencoder(latent_dim=2, networks=small), "digits", {"steps": 10}),
        "ring": (tacit.GAN(prior=tacit.Gaussian(2), networks=small), "ring8", {"steps": 20}),
        "gan": (tacit.GAN(prior=tacit.Gaussian(2), networks=small), "digits", {"steps": 10}),
        "clustergan": (
            tacit.ClusterGAN(n_clusters=4, latent_dim=3, networks=tacit.networks.DCGAN(width=4)), "digits", {"steps": 10},
        ),
        "table": (tacit.GaussianMixture(n_clusters=3), str(table_csv), {"load": {"label": "kind"}}),
        "moons": (tacit.SpectralClustering(n_clusters=2), tacit.data.load("moons").take(np.arange(200)), {}),
    }  # fmt: skip
    for name, (system, data, options) in asked.items():
        tacit.fit(system, data, run=base / name, **options)
    return {name: base / name for name in asked}


@pytest.fixture(scope="session")
def pages(runs):
    """name → text of the report, without the slow maps."""
    return {name: write(folder, methods=[]).read_text(encoding="utf-8") for name, folder in runs.items()}
