"""Spectral normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from tacit.core.parts import Penalty


@dataclass(frozen=True)
class SpectralNormalisation(Penalty):
    """W ← W/σ(W) in every linear and convolutional layer, σ by power iteration (Miyato et al. 2018, arXiv:1802.05957)."""

    iterations: int = 1
    lipschitz: ClassVar[bool] = True

    def wrap(self, net: nn.Module) -> nn.Module:
        for m in net.modules():
            if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
                spectral_norm(m, n_power_iterations=self.iterations)
        return net
