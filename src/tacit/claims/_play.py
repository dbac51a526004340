"""Games of a few numbers, and where they go."""

from __future__ import annotations

from typing import Any

import numpy as np


def path(system: Any, X: Any, steps: int, seed: int = 0, **options: Any) -> np.ndarray:
    """All weights in float64 after each step, ``(steps, weights)``: D's, then G's."""
    import torch

    import tacit

    found: list[np.ndarray] = []

    def keep(state: dict[str, Any]) -> None:
        weights = state["nets"].parameters(("D", "G"))
        found.append(torch.cat([w.detach().reshape(-1) for w in weights]).numpy().copy())

    options = {"batch_size": len(X), **options}
    tacit.fit(system, X, steps=steps, seed=seed, precision="float64", log_every=1, callbacks=[keep], **options)
    return np.stack(found)


def factor(radius: np.ndarray) -> float:
    """By which a radius grows at every step: from the line through its logarithm."""
    return float(np.exp(np.polyfit(np.arange(len(radius)), np.log(radius), 1)[0]))


def dirac(theta: float, psi: float, rule: Any, critic_rule: Any = None, **parts: Any) -> Any:
    """The Dirac game; where no objective is given, the bilinear one, L_D = ψθ and L_G = −ψθ."""
    import tacit

    line = {} if "objective" in parts else {"objective": tacit.Wasserstein(), "penalty": tacit.WeightClipping(1e9)}
    options = {"simultaneous": True, **line, **parts}
    return tacit.GAN(
        networks=tacit.networks.Dirac(theta, psi), prior=tacit.Gaussian(1), rule=rule, critic_rule=critic_rule or rule, **options
    )
