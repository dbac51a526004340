"""Paths between codes: straight, along an arc, or as the prior has it."""

from __future__ import annotations

import torch
from torch import Tensor

from tacit.core.parts import Prior
from tacit.errors import InputError
from tacit.priors.gaussian import arc

PATHS = ("linear", "spherical", "prior")


def ways(prior: Prior | None) -> tuple[str, ...]:
    """The paths that there are between codes of a prior, the last of them the most apt.

    >>> from tacit.priors import Gaussian
    >>> ways(Gaussian(2)), ways(None)
    (('linear', 'spherical', 'prior'), ('linear',))
    """
    if prior is None:
        return PATHS[:1]
    return PATHS if type(prior).path is not Prior.path else PATHS[:2]


def path(a: Tensor, b: Tensor, points: int = 10, *, how: str = "linear", prior: Prior | None = None) -> Tensor:
    """Codes on the way from a to b, both ends included.

    linear: (1 − t)a + tb. Between draws of N(0, I) in many dimensions it leaves the shell ‖z‖ ≈ √d in which all draws lie;
    of a one-hot z_c it passes through codes that no generator was trained on.
    spherical: an arc about 0, lengths changing evenly. The right one for N(0, σ²I).
    prior: through latents that are drawn (:meth:`tacit.core.parts.Prior.path`): the arc for a Gaussian; between equal quantiles for
    a uniform; where the distribution is in pieces (components, categories), within them, with a leap half way.

    Args:
        a, b: codes ``(B, dim)``.
        points: S, 2 or more.
        how: linear, spherical or prior.
        prior: of the codes, for ``how="prior"``.

    Returns:
        ``(B, S, dim)``.

    Source: White 2016, arXiv:1609.04468 (spherical).

    Raises:
        InputError: an unknown path, codes that do not match, a prior that is missing.

    >>> path(torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0]]), 3).tolist()
    [[[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]]
    """
    if how not in PATHS:
        raise InputError(f"got the path {how!r}; expected one of: {', '.join(PATHS)}; choose one")
    if a.dim() != 2 or a.shape != b.shape:
        got = f"{tuple(a.shape)} and {tuple(b.shape)}"
        raise InputError(f"a path got ends of shapes {got}; expected (B, dim) twice; pass two sets of codes")
    if points < 2:
        raise InputError(f"a path got points={points}; expected 2 or more; ask for both ends at least")
    t = torch.linspace(0, 1, points, dtype=a.dtype, device=a.device)
    if how == "linear":
        return (1 - t)[:, None] * a[:, None] + t[:, None] * b[:, None]
    if how == "spherical":
        return arc(a, b, t)
    if prior is None or a.shape[1] != prior.dim:
        raise InputError(
            f"the prior's path got codes of width {a.shape[1]} and the prior {prior!r}; expected the prior of these codes; "
            "take linear or spherical"
        )
    return prior.path(a, b, t)
