"""Back-propagation decoding: the latent of a row, by descent through the generator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tacit.core.parts import Prior
from tacit.core.rng import Rng
from tacit.errors import InputError

FORMS = ("plain", "modified")
STARTS = ("prior", "encoder")


class Inversion(NamedTuple):
    """``codes`` ``(B, dim)`` as the generator reads them, ``loss`` ``(B,)``, ``category`` ``(B,)`` int64, −1 where the prior has none.

    Tensors from :func:`invert`, arrays from :meth:`tacit.Model.invert`.
    """

    codes: Any
    loss: Any
    category: Any


def invert(
    decode: Callable[[Tensor], Tensor],
    x: Tensor,
    prior: Prior | None = None,
    *,
    form: str = "plain",
    encoded: Tensor | None = None,
    starts: int = 4,
    steps: int = 200,
    lr: float = 0.05,
    weight: float = 0.1,
    clip: float | None = None,
    polish: int = 0,
    rng: Rng | None = None,
    at_once: int = 4096,
) -> Inversion:
    """The latent whose decoding is nearest to each row, found by Adam with a rate that falls to 0 along a cosine.

    plain: argmin_z ‖G(z) − x‖² over all of z. modified: for each category k, from (z_n⁰, e_k), argmin over z_n alone of
    ‖G(z_n, e_k) − x‖₁ + λ‖z_n‖₂ with z_n clipped to [−c, c] after each step; the k of the lowest loss is kept. A prior without
    categories has one such descent. The best of the starts counts.

    Generators are steep along few directions of their latent and all but flat along the rest, where descent by gradients does not
    arrive. ``polish`` steps of Levenberg and Marquardt on ‖G(z) − x‖², over what descent moved, go there; what they find is kept
    where it lowers the loss. They are for rows in the generator's reach: its own samples.

    The starts are the same for every row, so that a row's answer does not depend on the others. Rows, categories and starts
    descend together, ``at_once`` at a time.

    Args:
        decode: G, ``(n, dim)`` → ``(n, *shape)``, differentiable.
        x: rows ``(B, *shape)`` as G makes them.
        prior: of the latents. Not needed for the plain form from codes.
        form: plain or modified.
        encoded: codes ``(B, dim)`` to start from, in place of draws of the prior: an encoder's.
        starts: draws of the prior, each of them a start for every row; in the modified form, for every category.
        steps, lr: of Adam. weight: λ.
        clip: c; None takes the prior's own bound, 6σ (.6 for σ = .1, the paper's). Read by the modified form.
        polish: second-order steps after the descent, each of as many passes as z has numbers.
        rng: of the draws.
        at_once: latents that descend together.

    Source: Creswell & Bharath 2016, arXiv:1611.05644 (plain); Mukherjee et al. 2019, arXiv:1809.03627, algorithm 2 (modified).

    Raises:
        InputError: an unknown form, nothing to start from, codes of another width, numbers below 1.

    >>> from tacit.priors import Gaussian
    >>> a = torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
    >>> found = invert(lambda z: z @ a, torch.tensor([[0.5, -1.0, -0.25]]), Gaussian(2), rng=Rng(0))
    >>> found.codes.round(decimals=2).tolist(), found.category.tolist()
    ([[0.5, -1.0]], [-1])
    """
    _check(x, prior, form, encoded, starts, steps, lr, weight, clip, polish, at_once)
    k = max(prior.n_categories, 1) if prior is not None and form == "modified" else 1
    begin = None
    if encoded is None:
        assert prior is not None
        flat = prior.join(prior.sample(starts * k, rng or Rng(0, x.device))).to(x)
        begin = flat[:, : prior.free] if form == "modified" else flat
    copies = k * (1 if encoded is not None else starts)
    found = []
    size = max(1, at_once // copies)
    for i in range(0, len(x), size):
        rows = x[i : i + size]
        if begin is not None:
            z = begin.repeat(len(rows), 1)
        else:
            assert encoded is not None
            code = encoded[i : i + size].to(x)
            z = (code[:, : prior.free] if prior is not None and form == "modified" else code).repeat_interleave(copies, 0)
        found.append(_descend(decode, rows, prior, form, z, k, copies, steps, lr, weight, clip, polish, at_once))
    return Inversion(*(torch.cat(pieces) for pieces in zip(*found, strict=True)))


def _descend(
    decode: Callable[[Tensor], Tensor], x: Tensor, prior: Prior | None, form: str, z: Tensor, k: int, copies: int, steps: int, lr: float,
    weight: float, clip: float | None, polish: int, at_once: int,
) -> Inversion:  # fmt: skip
    """One batch; copies of a row stand together, its categories vary fastest."""
    target = x.repeat_interleave(copies, 0)
    category = torch.arange(k, device=x.device).repeat(len(z) // k)
    modified = form == "modified"
    edge = (prior.bound if clip is None else clip) if modified and prior is not None else math.inf

    def whole(free: Tensor, k: Tensor) -> Tensor:
        return prior.place(free, k) if modified and prior is not None else free

    def loss(free: Tensor, k: Tensor, rows: Tensor) -> Tensor:
        off = (decode(whole(free, k)).to(rows.dtype) - rows).flatten(1)
        return off.abs().sum(1) + weight * free.norm(dim=1) if modified else off.square().sum(1)

    def refined(some: slice) -> Tensor:
        return marquardt(lambda v: decode(whole(v, chosen[some].repeat(len(v) // len(chosen[some])))), x[some], free[some], polish, edge)

    z = z.detach().clone().clamp_(-edge, edge).requires_grad_(True)
    adam = torch.optim.Adam([z], lr=lr)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    with torch.enable_grad():
        for _ in range(steps):
            now = loss(z, category, target).sum()
            if not now.requires_grad:
                raise InputError(
                    "invert got a decoder without a gradient, one that draws its rows; expected a differentiable one; encode the rows"
                )
            (z.grad,) = torch.autograd.grad(now, z)
            adam.step()
            rate.step()
            with torch.no_grad():
                z.clamp_(-edge, edge)
    with torch.no_grad():
        ends = torch.nan_to_num(loss(z, category, target), nan=math.inf, posinf=math.inf)
        least, which = ends.view(-1, copies).min(1)
        at = which + copies * torch.arange(len(x), device=x.device)
        free, chosen = z.detach()[at], category[at]
        if polish:
            size = max(1, at_once // free.shape[1])
            nearer = torch.cat([refined(slice(i, i + size)) for i in range(0, len(x), size)])
            there = loss(nearer, chosen, x)
            free, least = torch.where((there < least)[:, None], nearer, free), torch.fmin(there, least)
        codes = whole(free, chosen)
    if prior is None or not prior.n_categories:
        return Inversion(codes, least, torch.full_like(which, -1))
    return Inversion(codes, least, prior.latent(codes).categorical)


def marquardt(decode: Callable[[Tensor], Tensor], x: Tensor, z: Tensor, steps: int, edge: float = math.inf) -> Tensor:
    """min_z ‖G(z) − x‖² for each row by Levenberg and Marquardt: (JᵀJ + μ·diag JᵀJ)δ = Jᵀ(G(z) − x), z ← z − δ where that is nearer.

    μ falls by 4 after each step taken and rises by 4 after each refused. J comes from forward differentiation, a pass for each of
    z's numbers; the systems are solved in float64.

    Args:
        decode: G, which treats its rows one by one; called with ``m·B`` latents, the rows repeated in order.
        x: rows ``(B, *shape)``. z: where to begin, ``(B, d)``.
        edge: z is kept in [−edge, edge].

    Source: Marquardt 1963, doi:10.1137/0111030.

    >>> a = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.001, 0.002]])
    >>> marquardt(lambda z: z @ a, torch.tensor([[3.0, 6.002, 0.004]]), torch.zeros(1, 2), 10).round(decimals=2).tolist()
    [[3.0, 2.0]]
    """
    n, d = z.shape
    mu = z.new_full((n, 1), 1e-2, dtype=torch.float64)
    ways = torch.eye(d, dtype=z.dtype, device=z.device).repeat_interleave(n, 0)

    def off(v: Tensor) -> Tensor:
        return (decode(v).to(x.dtype) - x.repeat(len(v) // n, *[1] * (x.dim() - 1))).flatten(1)

    far = off(z)
    for _ in range(steps):
        slopes = torch.func.jvp(off, (z.repeat(d, 1),), (ways,))[1]  # type: ignore[misc]
        J = slopes.view(d, n, -1).permute(1, 2, 0).double()
        A, g = J.mT @ J, J.mT @ far.double()[:, :, None]
        scale = A.diagonal(dim1=1, dim2=2).clamp_min(1e-12)
        step = torch.linalg.solve(A + torch.diag_embed(mu * scale), g).squeeze(2)
        new = (z - step.to(z)).clamp(-edge, edge)
        there = off(new)
        better = there.square().sum(1) < far.square().sum(1)
        z, far = torch.where(better[:, None], new, z), torch.where(better[:, None], there, far)
        mu = torch.where(better[:, None], mu / 4, mu * 4).clamp(1e-12, 1e12)
    return z


def _check(
    x: Tensor, prior: Prior | None, form: str, encoded: Tensor | None, starts: int, steps: int, lr: float, weight: float,
    clip: float | None, polish: int, at_once: int,
) -> None:  # fmt: skip
    if form not in FORMS:
        raise InputError(f"invert got form={form!r}; expected plain or modified; choose one")
    if prior is None and (encoded is None or form == "modified"):
        raise InputError(
            "invert got no prior to draw starts from or to tell its pieces apart; expected one, or codes to start from in the plain "
            "form; start at the encoder"
        )
    if encoded is not None and (len(encoded) != len(x) or (prior is not None and encoded.shape[1:] != (prior.dim,))):
        raise InputError(
            f"invert got codes of shape {tuple(encoded.shape)} to start from for {len(x)} rows"
            + (f" and latents of width {prior.dim}" if prior is not None else "")
            + "; expected one latent for each row; start at draws of the prior"
        )
    if min(starts, steps, at_once) < 1 or lr <= 0 or min(weight, polish) < 0 or (clip is not None and clip <= 0):
        raise InputError(
            f"invert got starts={starts}, steps={steps}, at_once={at_once}, lr={lr}, weight={weight}, clip={clip}, polish={polish}; "
            "expected numbers of 1 or more, a rate and a clip above 0, a weight and a polish of 0 or more; mend the one that is not"
        )
