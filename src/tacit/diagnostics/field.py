"""The joint field of a game at a model: its size, its Jacobian's spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigs
from torch import Tensor

from tacit.core.field import Field
from tacit.diagnostics.copies import copied, descending, rounds_of
from tacit.errors import InputError, suggest
from tacit.model import Model

EXACT = 4096
"""The most weights whose Jacobian is taken as a whole."""


def joint(
    model: Model, X: Any, players: Sequence[str] = (), *, rows: int = 256, rounds: int = 1, seed: int = 0, progress: float = 1.0
) -> Field:
    """The field v = (∂L_1/∂θ_1, …, ∂L_k/∂θ_k) of a model's last game at its weights, in float64, on rows drawn from ``X``.

    Networks are as in training (batch statistics), on a copy. A penalty that is computed every few steps counts with the weight
    of the step at which it is due.

    Args:
        model: a fitted model.
        X: data, as for ``fit``.
        players: whose gradients; all that descend a loss in the last phase with turns, where none are named.
        rows, rounds: rows of a round, and rounds that are averaged.
        seed: of rows and noise.
        progress: where in the phase annealed terms are taken, 0 … 1.

    Raises:
        InputError: a player that does not play, or data that the model cannot read.

    >>> import numpy as np, tacit
    >>> from tacit import diagnostics
    >>> game = tacit.GAN(networks=tacit.networks.Dirac(theta=0.0, psi=0.0), prior=tacit.Gaussian(1), penalty=tacit.GradientNorm(1.0))
    >>> model = game.fit(np.zeros((4, 1)), steps=1)
    >>> diagnostics.spectrum(diagnostics.joint(model, np.zeros((4, 1)), rows=4)).round(6)
    array([-0.5+0.j, -0.5+0.j])
    """
    n = copied(model, torch.float64)
    chosen = [p for p in descending(model.system) if not players or p.name in players]
    known = [p.name for p in descending(model.system)]
    for name in players:
        if name not in known:
            raise InputError(
                f"{type(model.system).__name__} has no player '{name}' with a loss in its last phase{suggest(name, known) or ';'} "
                f"expected some of: {', '.join(known)}; mend the name"
            )
    drawn = rounds_of(model, n, X, rows, rounds, seed, chosen[0].name, progress)
    field = Field(model.system, n, chosen, drawn)
    field._foreign = n.buffers()
    return field


def norms(field: Field) -> dict[str, float]:
    """‖v_i‖ of every player, in units of its loss per unit of weight.

    >>> import numpy as np, tacit
    >>> from tacit import diagnostics
    >>> game = tacit.GAN(networks=tacit.networks.Dirac(theta=2.0, psi=0.0), prior=tacit.Gaussian(1), rule=tacit.SGD(1e-9))
    >>> model = game.fit(np.zeros((4, 1)), steps=1, precision="float64")
    >>> {k: round(v, 3) for k, v in diagnostics.norms(diagnostics.joint(model, np.zeros((4, 1)))).items()}
    {'critic': 1.0, 'generator': 0.0}
    """
    with torch.no_grad():
        values, found, at = field(), {}, 0
    for name, group in zip(field.names, field.weights, strict=True):
        own = values[at : at + len(group)]
        at += len(group)
        found[name] = float(sum(g.square().sum() for g in own) ** 0.5)
    return found


def spectrum(field: Field, k: int | None = None, *, gamma: float = 0.0, which: str = "LR", seed: int = 0) -> np.ndarray:
    """Eigenvalues of the flow's Jacobian, θ' = −v(θ): play settles at a point where all real parts are negative.

    A simultaneous step of length h multiplies a deviation along an eigenvector by 1 + hλ, so that it shrinks where
    h < −2·Re λ/|λ|². The whole spectrum is exact; the leading part is ARPACK's, by products with the Jacobian.

    Args:
        field: of :func:`joint`.
        k: the number of leading eigenvalues; None for all, of at most 4,096 weights.
        gamma: the spectrum under consensus, v + γ·∇½‖v‖², instead (Mescheder et al. 2017, arXiv:1705.10461).
        which: what leads: ``LR`` the largest real parts, ``LM`` the largest sizes, ``LI`` the largest imaginary parts.
        seed: of ARPACK's start.

    Returns:
        Complex ``(k,)``, by falling real part.

    Raises:
        InputError: too many weights for all of it, or a k that is not in 1 … weights − 2.
    """
    weights = [w for ws in field.weights for w in ws]
    size = sum(w.numel() for w in weights)
    if k is None and size > EXACT:
        raise InputError(f"the game has {size} weights, too many for the whole spectrum; expected at most {EXACT}; give k")
    if k is not None and not 1 <= k <= size - 2:
        raise InputError(f"spectrum got k={k} for {size} weights; expected 1 to {size - 2}; leave k out for the whole spectrum")
    with torch.enable_grad(), field._visiting():
        flow = -_field(field, weights, gamma)
        if not flow.requires_grad:
            return np.zeros(k or size, dtype=np.complex128)
        if k is None:
            values = np.linalg.eigvals(_jacobian(flow, weights).cpu().numpy()).astype(np.complex128)
        else:
            # A matrix and its transpose have one spectrum.
            def product(u: np.ndarray) -> np.ndarray:
                return _product(flow, weights, torch.as_tensor(u.ravel()).to(flow)).cpu().numpy()

            start = np.random.default_rng(seed).normal(size=size)
            operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
            values = eigs(operator, k=k, which=which, v0=start, return_eigenvectors=False)
    return values[np.lexsort((-values.imag, -values.real))]


def _field(field: Field, weights: Sequence[Tensor], gamma: float) -> Tensor:
    """v as one vector, with its graph."""
    total: list[Tensor] = []
    for r in field.rounds:
        grads, _ = field.evaluate(r, create_graph=True)
        total = grads if not total else [a + b for a, b in zip(total, grads, strict=True)]
    v = [g / len(field.rounds) for g in total]
    if gamma:
        size = 0.5 * torch.stack([g.square().sum() for g in v]).sum()
        pull = torch.autograd.grad(size, weights, create_graph=True, allow_unused=True)
        v = [g if p is None else g + gamma * p for g, p in zip(v, pull, strict=True)]
    return torch.cat([g.reshape(-1) for g in v])


def _product(flow: Tensor, weights: Sequence[Tensor], u: Tensor, many: bool = False) -> Tensor:
    """Jᵀu, or a row of it for each row of u."""
    got = torch.autograd.grad(flow, weights, u, retain_graph=True, allow_unused=True, is_grads_batched=many)
    lead = u.shape[:-1] if many else ()
    flat = [w.new_zeros(*lead, w.numel()) if g is None else g.reshape(*lead, -1) for g, w in zip(got, weights, strict=True)]
    return torch.cat(flat, -1)


def _jacobian(flow: Tensor, weights: Sequence[Tensor]) -> Tensor:
    unit = torch.eye(len(flow), dtype=flow.dtype, device=flow.device)
    try:
        return torch.cat([_product(flow, weights, rows, many=True) for rows in unit.split(256)])
    except RuntimeError:
        # Some operations have no batched derivative; one row at a time is slower and always works.
        return torch.stack([_product(flow, weights, row) for row in unit])
