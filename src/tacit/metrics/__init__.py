"""Measures: pure functions of arrays and tensors, each giving a ``Figure`` with its uncertainty."""

from tacit.metrics.adversarial import (
    AdversarialDivergence,
    FGANDivergence,
    GANDivergence,
    MMDDivergence,
    Supremum,
    WGANDivergence,
    WGANGPDivergence,
    adversarial_divergences,
)
from tacit.metrics.clusters import (
    Contingency,
    accuracy,
    ari,
    contingency,
    many_to_one,
    matching,
    nmi,
    purity,
    silhouette,
    stability,
)
from tacit.metrics.distributions import Moments, fid, fid_unbiased, frechet_distance
from tacit.metrics.divergences import DIVERGENCES, divergence_1d, f_divergence, log_ratio
from tacit.metrics.features import Classifier, extract, load_classifier, pixels
from tacit.metrics.figure import Figure
from tacit.metrics.images import ClassMoments, inception_score, mode_score
from tacit.metrics.inference import ivom
from tacit.metrics.kernels import energy_distance, kid, mmd
from tacit.metrics.manifolds import PRDC, prdc
from tacit.metrics.modes import Modes, label_modes, missing_modes, modes, stacked_modes
from tacit.metrics.quality import (
    epe,
    iou,
    linear_probe,
    nearest_neighbour,
    parzen,
    psnr,
    sharpness,
    sharpness_difference,
    ssim,
)
from tacit.metrics.training import train_classifier
from tacit.metrics.transport import wasserstein1, wasserstein1_critic
from tacit.metrics.twosample import TwoSample, classifier_test, memorisation_test, two_sample_test

__all__ = [
    "DIVERGENCES",
    "PRDC",
    "AdversarialDivergence",
    "ClassMoments",
    "Classifier",
    "Contingency",
    "FGANDivergence",
    "Figure",
    "GANDivergence",
    "MMDDivergence",
    "Modes",
    "Moments",
    "Supremum",
    "TwoSample",
    "WGANDivergence",
    "WGANGPDivergence",
    "accuracy",
    "adversarial_divergences",
    "ari",
    "classifier_test",
    "contingency",
    "divergence_1d",
    "energy_distance",
    "epe",
    "extract",
    "f_divergence",
    "fid",
    "fid_unbiased",
    "frechet_distance",
    "inception_score",
    "iou",
    "ivom",
    "kid",
    "label_modes",
    "linear_probe",
    "load_classifier",
    "log_ratio",
    "many_to_one",
    "matching",
    "memorisation_test",
    "missing_modes",
    "mmd",
    "mode_score",
    "modes",
    "nearest_neighbour",
    "nmi",
    "parzen",
    "pixels",
    "prdc",
    "psnr",
    "purity",
    "sharpness",
    "sharpness_difference",
    "silhouette",
    "ssim",
    "stability",
    "stacked_modes",
    "train_classifier",
    "two_sample_test",
    "wasserstein1",
    "wasserstein1_critic",
]
