"""Latents of which a part is a code: categories, uniform and Gaussian numbers, beside noise that means nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from tacit.core.parts import Prior
from tacit.core.rng import Rng
from tacit.errors import InputError


class CodedLatent(NamedTuple):
    """``categorical`` ``(B, m)`` int64, ``uniform`` ``(B, u)``, ``gaussian`` ``(B, g)``, ``noise`` ``(B, d)``."""

    categorical: Tensor
    uniform: Tensor
    gaussian: Tensor
    noise: Tensor


class CodeReading(NamedTuple):
    """q(c|x): ``logits`` of each category, ``(B, K_i)``; ``mean`` and ``log_var`` of the continuous codes, ``(B, u + g)``."""

    logits: tuple[Tensor, ...]
    mean: Tensor
    log_var: Tensor


@dataclass(frozen=True)
class Codes(Prior):
    """z = (c, ε), p(c) = Π_i U{1 … K_i} · U[−1, 1]^u · N(0, I_g), ε ~ N(0, I_d) (Chen et al. 2016, arXiv:1606.03657).

    ``join`` gives ``(B, width + d)``: one-hot categories, uniform numbers, Gaussian numbers, noise. What an encoder puts out,
    ``(B, code_dim)``, are the parameters of q(c|x) = Π_i Cat(softmax) · Π_j N(μ_j, σ_j²); nothing reads the noise.

    Args:
        categories: K_i of each categorical code.
        uniform, gaussian: how many continuous codes of each kind, u and g.
        noise: d.

    >>> prior = Codes(categories=(3, 2), uniform=1, noise=4)
    >>> prior.dim, prior.width, prior.code_dim
    (10, 6, 7)
    >>> {name: round(nats, 3) for name, nats in prior.entropies().items()}
    {'category_1': 1.099, 'category_2': 0.693, 'uniform_1': 0.693}
    """

    categories: tuple[int, ...] = (10,)
    uniform: int = 2
    gaussian: int = 0
    noise: int = 62

    def validate(self) -> None:
        counts = (self.uniform, self.gaussian, self.noise)
        if min(counts) < 0 or any(k < 2 for k in self.categories) or not self.width:
            raise InputError(
                f"Codes got categories={self.categories}, uniform={self.uniform}, gaussian={self.gaussian}, noise={self.noise}; expected "
                "categories of 2 or more, counts of 0 or more, and at least one code; mend the one that is not"
            )

    @property
    def continuous(self) -> int:
        """Number of continuous codes, u + g."""
        return self.uniform + self.gaussian

    @property
    def width(self) -> int:
        """Width of the codes without the noise."""
        return sum(self.categories) + self.continuous

    @property
    def dim(self) -> int:
        return self.width + self.noise

    @property
    def code_dim(self) -> int:
        return self.width + self.continuous

    def sample(self, n: int, rng: Rng) -> CodedLatent:
        uniform, gaussian = rng.uniform(n, self.uniform, low=-1.0, high=1.0), rng.normal(n, self.gaussian)
        picked = [rng.integers(k, n) for k in self.categories]
        categorical = torch.stack(picked, 1) if picked else uniform.new_zeros((n, 0), dtype=torch.long)
        return CodedLatent(categorical, uniform, gaussian, rng.normal(n, self.noise))

    def join(self, z: CodedLatent) -> Tensor:
        numbers = torch.cat([z.uniform, z.gaussian, z.noise], 1)
        # Not one_hot, which reads its values back from the device and cannot be compiled.
        hot = [
            (z.categorical[:, i : i + 1] == torch.arange(k, device=numbers.device)).to(numbers.dtype) for i, k in enumerate(self.categories)
        ]
        return torch.cat([*hot, numbers], 1)

    def split(self, flat: Tensor) -> CodeReading:
        exact = flat if flat.dtype == torch.float64 else flat.float()
        ends = [0, *accumulate(self.categories)]
        mean, log_var = exact[:, ends[-1] :].chunk(2, 1) if self.continuous else (exact[:, ends[-1] :],) * 2
        return CodeReading(tuple(exact[:, a:b] for a, b in pairwise(ends)), mean, log_var.clamp(-12, 12))

    def embed(self, code: CodeReading) -> Tensor:
        """Probabilities of the categories, then the means, ``(B, width)``."""
        return torch.cat([*(t.softmax(1) for t in code.logits), code.mean], 1)

    def log_prob(self, z: CodedLatent) -> Tensor:
        inside = (z.uniform.abs() <= 1).all(1)
        rest = torch.cat([z.gaussian, z.noise], 1)
        value = -0.5 * rest.square().sum(1) - 0.5 * rest.shape[1] * math.log(2 * math.pi)
        value = value - self.uniform * math.log(2) - sum(math.log(k) for k in self.categories)
        return value.where(inside, value.new_full((), -math.inf))

    def log_q(self, code: CodeReading, z: CodedLatent) -> dict[str, Tensor]:
        """log q(c_i|x) of each code at the one that was drawn, in nats, ``(B,)``."""
        found = {
            f"category_{i + 1}": t.log_softmax(1).gather(1, z.categorical[:, i : i + 1]).squeeze(1) for i, t in enumerate(code.logits)
        }
        c = torch.cat([z.uniform, z.gaussian], 1)
        log_density = -0.5 * ((c - code.mean).square() * (-code.log_var).exp() + code.log_var + math.log(2 * math.pi))
        return found | dict(zip(self.numbers(), log_density.unbind(1), strict=True))

    def numbers(self) -> list[str]:
        """Names of the continuous codes, in order."""
        return [f"uniform_{i + 1}" for i in range(self.uniform)] + [f"gaussian_{i + 1}" for i in range(self.gaussian)]

    def entropies(self) -> dict[str, float]:
        """H(c_i) of each code in nats (differential for the continuous ones)."""
        categories = {f"category_{i + 1}": math.log(k) for i, k in enumerate(self.categories)}
        gaussian = 0.5 * math.log(2 * math.pi * math.e)
        return categories | {name: math.log(2) if name.startswith("uniform") else gaussian for name in self.numbers()}
