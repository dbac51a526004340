"""Every system, small: what to build, on what data, for how long. A system that is not here fails the suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tacit

BATCH = 16


def vectors(n: int = 48, seed: int = 0) -> np.ndarray:
    means = 3.0 * np.random.default_rng(99).normal(size=(3, 6))
    return (means[np.arange(n) % 3] + np.random.default_rng(seed).normal(size=(n, 6))).astype(np.float32)


def pictures(n: int = 48, seed: int = 0) -> np.ndarray:
    """16 px, so that convolutions mix channels."""
    x = 0.1 * np.random.default_rng(seed).random((n, 1, 16, 16))
    for i in range(n):
        x[i, 0, 4 * (i % 4) : 4 * (i % 4) + 4] += 0.8
    return x.astype(np.float32)


@dataclass(frozen=True)
class Case:
    """A small instance of a system, its data (rows, seed) → array, and the run's options."""

    make: Callable[[], tacit.System]
    data: Callable[..., np.ndarray] = vectors
    steps: int = 8
    options: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    streams: Callable[[np.ndarray], dict[str, Any]] | None = None
    """What is fitted, from the rows, where the system learns from several streams."""

    def given(self, x: np.ndarray | None = None) -> Any:
        """What is fitted: the rows, or the streams made of them."""
        x = self.data() if x is None else x
        return x if self.streams is None else self.streams(x)

    @property
    def run(self) -> dict[str, Any]:
        return {"steps": self.steps, "batch_size": BATCH, "precision": "float32", "log_every": 2, **self.options}


@dataclass(frozen=True, kw_only=True)
class ConsensusGAN(tacit.GAN):
    """Both players in one turn, by consensus (Mescheder et al. 2017, arXiv:1705.10461)."""

    def phases(self) -> tuple[tacit.Phase, ...]:
        rule = tacit.Consensus(tacit.SGD(1e-2), gamma=0.5)
        return (tacit.Phase(tacit.Turn(("critic", "generator"), rule)),)


MLP = tacit.MLP(widths=(16,))
CONV = tacit.networks.DCGAN(width=4)
CALM = tacit.rules.HistoricalAveraging(tacit.Adam(1e-3), weight=0.5)
# Biases before a normalisation have no gradient but rounding; Adam would scale what historical averaging makes of that.
CALM_SGD = tacit.rules.HistoricalAveraging(tacit.SGD(1e-2), weight=0.5)
VIRTUAL = tacit.networks.VirtualBatch(tacit.MLP(widths=(16,), norm="batch", critic_norm="batch"), reference=6)

CASES: dict[str, Case] = {
    "autoencoder": Case(lambda: tacit.Autoencoder(latent_dim=3, networks=MLP, noise=0.1)),
    "vae": Case(lambda: tacit.VAE(latent_dim=3, networks=MLP)),
    "aae": Case(lambda: tacit.AAE(prior=tacit.priors.Petals(), networks=MLP, critic_networks=MLP, noise=0.1, stochastic=True)),
    "supervisedaae": Case(
        lambda: tacit.SupervisedAAE(n_classes=3, latent_dim=2, networks=MLP, critic_networks=MLP),
        streams=lambda x: (x, np.arange(len(x)) % 3),
    ),
    "clusteraae": Case(lambda: tacit.ClusterAAE(n_clusters=3, latent_dim=2, networks=MLP, critic_networks=MLP, stability=0.5)),
    "semisupervisedaae": Case(
        lambda: tacit.SemiSupervisedAAE(n_classes=3, latent_dim=2, networks=MLP, critic_networks=MLP, noise=0.1),
        streams=lambda x: {"x": x, "labelled": (x, np.arange(len(x)) % 3)},
    ),
    "gmvae": Case(
        lambda: tacit.GMVAE(n_clusters=3, latent_dim=4, style_dim=2, draws=2, min_information=0.3, networks=MLP, prior_networks=MLP)
    ),
    "pixelcnn": Case(lambda: tacit.PixelCNN(levels=4, channels=3, layers=2, first_kernel=3), pictures, steps=4),
    "pixelgan": Case(
        lambda: tacit.PixelGAN(
            prior=tacit.Gaussian(3), channels=3, layers=2, first_kernel=3, networks=CONV, critic_networks=MLP, stochastic=True
        ),
        pictures, steps=4,
    ),
    "clusterpixelgan": Case(
        lambda: tacit.ClusterPixelGAN(n_clusters=3, channels=3, layers=2, first_kernel=3, networks=MLP, critic_networks=MLP),
        pictures, steps=4,
    ),
    "gan": Case(lambda: tacit.GAN(prior=tacit.Gaussian(4), networks=MLP)),
    "wgangp": Case(lambda: tacit.WGANGP(prior=tacit.Gaussian(4), networks=MLP, critic_steps=2)),
    "unrolledgan": Case(
        lambda: tacit.UnrolledGAN(prior=tacit.Gaussian(4), networks=MLP, rule=tacit.rules.Unrolled(tacit.Adam(1e-3), 2)),
        options={"accumulate": 2},
    ),
    "wgan": Case(lambda: tacit.systems.WGAN(prior=tacit.Gaussian(4), networks=MLP, critic_steps=2)),
    "bgan": Case(lambda: tacit.systems.BGAN(prior=tacit.Gaussian(4), networks=MLP)),
    "fishergan": Case(lambda: tacit.FisherGAN(prior=tacit.Gaussian(4), networks=MLP)),
    "d2gan": Case(lambda: tacit.D2GAN(prior=tacit.Gaussian(4), networks=MLP, penalty=tacit.GradientNorm())),
    "dualinggan": Case(lambda: tacit.DualingGAN(prior=tacit.Gaussian(4), networks=MLP, n_features=24)),
    "denoisingfeaturematchinggan": Case(
        lambda: tacit.DenoisingFeatureMatchingGAN(
            prior=tacit.Gaussian(4), networks=MLP, penalty=tacit.GradientNorm(), denoiser=tacit.MLP(widths=(8,), norm="batch")
        )
    ),
    "ebgan": Case(
        lambda: tacit.EBGAN(prior=tacit.Gaussian(4), networks=MLP, code_dim=3, objective=tacit.objectives.EnergyMargin(3.0))
    ),
    "began": Case(lambda: tacit.BEGAN(prior=tacit.Gaussian(4), networks=CONV, code_dim=3), pictures, steps=6),
    "magan": Case(lambda: tacit.MAGAN(prior=tacit.Gaussian(4), networks=MLP, code_dim=3, pretraining=0.34), steps=12),
    "energygan": Case(lambda: tacit.EnergyGAN(prior=tacit.Gaussian(4), networks=MLP, level=0.01, penalty=tacit.GradientNorm(0.1))),
    "gmmn": Case(lambda: tacit.GMMN(space="code", networks=MLP, code_networks=MLP, code_dim=3, dropout=0.2)),
    "mmdgan": Case(
        lambda: tacit.MMDGAN(prior=tacit.Gaussian(4), networks=MLP, code_dim=3, critic_steps=2, burst_steps=3, burst_first=1, burst_every=5)
    ),
    "mcgan": Case(
        lambda: tacit.McGan(prior=tacit.Gaussian(4), networks=MLP, match="both", features=4, components=2, critic_steps=2)
    ),
    "dcgan": Case(
        lambda: tacit.systems.DCGAN(prior=tacit.Gaussian(4), networks=tacit.networks.DCGAN(width=4, critic_norm="batch")),
        pictures,
        steps=6,
    ),
    "ali": Case(lambda: tacit.ALI(prior=tacit.Gaussian(4), networks=MLP)),
    "veegan": Case(lambda: tacit.VEEGAN(prior=tacit.Gaussian(4), networks=MLP, penalty=tacit.GradientNorm())),
    "moderegularisedgan": Case(lambda: tacit.systems.ModeRegularisedGAN(prior=tacit.Gaussian(4), networks=MLP)),
    "mdgan": Case(lambda: tacit.MDGAN(prior=tacit.Gaussian(4), networks=CONV), pictures, steps=4),
    "mixgan": Case(lambda: tacit.MixGAN(prior=tacit.Gaussian(4), networks=MLP, n_pairs=2)),
    "improvedgan": Case(
        lambda: tacit.ImprovedGAN(
            prior=tacit.Gaussian(4), features=8, kernels=3, kernel_dim=2, feature_matching=True, rule=CALM, critic_rule=CALM,
            networks=VIRTUAL,
        )
    ),
    "adagan": Case(
        lambda: tacit.AdaGAN(
            base=tacit.FisherGAN(prior=tacit.Gaussian(4), networks=MLP), n_components=2, schedule="best", networks=MLP
        ),
        steps=12,
    ),
    "bayesiangan": Case(lambda: tacit.BayesianGAN(prior=tacit.Gaussian(4), networks=MLP, n_generators=2, n_discriminators=2)),
    "semisupervisedbayesiangan": Case(
        lambda: tacit.systems.SemiSupervisedBayesianGAN(prior=tacit.Gaussian(4), networks=MLP, n_classes=3, n_discriminators=2),
        streams=lambda x: {"x": x, "labelled": (x, np.arange(len(x)) % 3)},
    ),
    "clustergan": Case(
        lambda: tacit.ClusterGAN(n_clusters=3, latent_dim=4, networks=tacit.networks.DCGAN(width=4, dense=8)), pictures, steps=6
    ),
    "infogan": Case(
        lambda: tacit.InfoGAN(
            prior=tacit.priors.Codes(categories=(3, 2), uniform=1, gaussian=1, noise=4), networks=MLP, features=8,
            augment=tacit.Noise(0.1),
        )
    ),
    "catgan": Case(lambda: tacit.CatGAN(n_clusters=3, prior=tacit.Gaussian(4), networks=MLP)),
    "semisupervisedcatgan": Case(
        lambda: tacit.systems.SemiSupervisedCatGAN(
            n_classes=3, prior=tacit.Gaussian(4), networks=MLP, penalty=tacit.GradientNorm(0.1), stability=0.0
        ),
        streams=lambda x: {"x": x, "labelled": (x, np.arange(len(x)) % 3)},
    ),
    "rim": Case(lambda: tacit.RIM(n_clusters=3, networks=MLP)),
    "spectralnet": Case(
        lambda: tacit.SpectralNet(
            n_clusters=3, code_dim=4, code_networks=MLP, siamese_networks=MLP, map_networks=MLP, siamese_dim=3, n_neighbors=5,
            scale_neighbor=3, pair_neighbors=2, cells=9,
        ),
        steps=16,
    ),
    "kmeans": Case(lambda: tacit.KMeans(n_clusters=3, n_init=2)),
    "gaussianmixture": Case(lambda: tacit.GaussianMixture(n_clusters=3, n_init=1)),
    "distilled": Case(
        lambda: tacit.Distilled(n_clusters=3, components=4, networks=MLP, anchors=20),
        streams=lambda x: {"x": (x, np.arange(len(x)) % 3)},
    ),
    "spectralclustering": Case(lambda: tacit.SpectralClustering(n_clusters=3)),
}

RANKS: dict[str, Case] = {
    "summed-codes-with-penalty": Case(
        lambda: tacit.ClusterAAE(
            n_clusters=3, latent_dim=2, networks=MLP, critic_networks=MLP, summed=True, penalty=tacit.GradientNorm(), critic_steps=2
        ),
    ),
    "fixed-features": Case(
        lambda: tacit.GAN(
            prior=tacit.Gaussian(4), networks=tacit.networks.FixedFeatures(networks=MLP, fourier=5),
            objective=tacit.objectives.Bregman("pearson", relative=0.2),
        )
    ),
    "consensus": Case(
        lambda: ConsensusGAN(prior=tacit.Gaussian(4), networks=tacit.MLP(widths=(16,), act="tanh", critic_act="tanh")),
        options={"accumulate": 2},
    ),
    "local-stability": Case(
        lambda: tacit.GAN(
            prior=tacit.Gaussian(4), networks=tacit.MLP(widths=(16,), act="tanh", critic_act="tanh"),
            rule=tacit.rules.LocalStability(tacit.SGD(1e-2), 0.5),
        ),
        options={"accumulate": 2},
    ),
    "instance-noise": Case(
        lambda: tacit.GAN(prior=tacit.Gaussian(4), networks=MLP, penalty=tacit.GradientNorm(1.0), instance_noise=0.5),
        options={"accumulate": 2},
    ),
    "convolved": Case(
        lambda: tacit.GAN(
            prior=tacit.Gaussian(4), networks=MLP, objective=tacit.Minimax(), penalty=tacit.penalties.JensenShannonNorm(2.0, 0.01)
        ),
    ),
    "unrolled-batch-norm": Case(
        lambda: tacit.GAN(
            prior=tacit.Gaussian(4), networks=tacit.MLP(widths=(16,), norm="batch", critic_norm="batch", act="tanh", critic_act="tanh"),
            rule=tacit.rules.Unrolled(tacit.Adam(1e-3), 2, tacit.SGD(0.1)),
        ),
        steps=4,
    ),
    "spectral-norm": Case(
        lambda: tacit.GAN(prior=tacit.Gaussian(4), networks=MLP, penalty=tacit.SpectralNormalisation())
    ),
    "infogan-own-reader": Case(
        lambda: tacit.InfoGAN(
            prior=tacit.priors.Codes(categories=(3,), uniform=0, noise=4), networks=CONV, features=8, discrete=0.0, continuous=0.0,
            share=False, objective=tacit.Wasserstein(), penalty=tacit.WeightClipping(0.1),
        ),
        pictures, steps=3,
    ),
    "virtual-batch-norm-with-penalty": Case(
        lambda: tacit.WGANGP(
            prior=tacit.OneHotGaussian(3, 2), critic_steps=2, rule=CALM_SGD, critic_rule=CALM_SGD,
            networks=tacit.networks.VirtualBatch(tacit.networks.DCGAN(width=4, critic_norm="batch"), reference=3),
        ),
        pictures, steps=4,
    ),
    "ebgan-without-pulling-away": Case(
        lambda: tacit.EBGAN(
            prior=tacit.Gaussian(4), networks=CONV, code_dim=3, objective=tacit.objectives.EnergyMargin(3.0), pulling_away=0.0
        ),
        pictures, steps=4,
    ),
    "mcgan-dual": Case(lambda: tacit.McGan(prior=tacit.Gaussian(4), networks=MLP, form="dual", match="both", features=4, components=2)),
    "simultaneous": Case(
        lambda: tacit.GAN(
            prior=tacit.Gaussian(4), networks=MLP, objective=tacit.objectives.FDivergence("jensen-shannon"), simultaneous=True
        )
    ),
    "energygan-by-neighbours": Case(
        lambda: tacit.EnergyGAN(prior=tacit.Gaussian(4), networks=MLP, entropy="neighbours", neighbours=3)
    ),
    "batch-norm-resnet": Case(
        lambda: tacit.GAN(prior=tacit.Gaussian(4), networks=tacit.networks.ResNet(width=4)), pictures, steps=3
    ),
    "clustergan-uniform": Case(
        lambda: tacit.ClusterGAN(n_clusters=3, prior=tacit.Uniform(4), networks=MLP), options={"ema": 0.9}
    ),
    "mixture-ema": Case(
        lambda: tacit.GAN(prior=tacit.Mixture(3, 4), networks=tacit.MLP(widths=(16,), norm="batch")), options={"ema": 0.9}
    ),
}
"""Compositions beside the systems that two ranks must repeat as well."""
