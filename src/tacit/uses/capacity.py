"""How large a network must be to do what spectral clustering does."""

from __future__ import annotations

import math
from typing import NamedTuple

from tacit.errors import InputError


class Capacity(NamedTuple):
    """What a VC dimension asks of a network.

    Attributes:
        dimension: lower bound of the VC dimension.
        weights: least number of weights of finite precision: a class of 2^(bits·weights) functions shatters at most bits·weights points.
        weights_times_units: least product of weights and sigmoid units, whose VC dimension is O(weights²·units²), with the constant
            taken as 1.
    """

    dimension: int
    weights: int
    weights_times_units: float


def spectral_capacity(n: int, bits: int = 32) -> Capacity:
    """VCdim(F_n) ≥ n/10: the maps that spectral clustering makes of n points shatter a tenth of them, so a network needs that capacity.

    F_n are the partitions in two of n points in ℝᵈ, d ≥ 3, by spectral clustering with a Gaussian affinity, as the points move. The
    bound is on what a network may be asked for at worst; clusters of real data are far simpler than the points that attain it.

    Source: Shaham et al. 2018, arXiv:1801.01587, section 4; the networks' dimensions from Shalev-Shwartz & Ben-David 2014, chapter 20.

    Args:
        n: points.
        bits: of a weight.

    Raises:
        InputError: fewer than 10 points, or no bits.

    >>> spectral_capacity(70_000)
    Capacity(dimension=7000, weights=219, weights_times_units=83.66600265340756)
    """
    if n < 10 or bits < 1:
        raise InputError(f"the capacity got n={n}, bits={bits}; expected 10 or more points and 1 or more bits; give as many")
    dimension = n // 10
    return Capacity(dimension, math.ceil(dimension / bits), math.sqrt(dimension))
