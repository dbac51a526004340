"""Arithmetic: bf16 autocast where the hardware has it and it is faster."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import torch

from tacit.errors import InputError

CHOICES = ("auto", "float32", "bf16", "float64")


def has_bf16(device: torch.device) -> bool:
    """Whether the processor or GPU multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(getattr(torch.cpu, p, lambda: False)() for p in probes)
    return False


def context(precision: str, device: torch.device) -> Callable[[], contextlib.AbstractContextManager[object]]:
    """A factory of contexts to open inside each evaluation of a field."""
    if precision == "bf16":
        return lambda: torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext


def check(precision: str) -> None:
    if precision not in CHOICES:
        raise InputError(f"there is no precision '{precision}'; expected one of: {', '.join(CHOICES)}; use auto")


def timed(run: Callable[[], object], device: torch.device, repeats: int = 3) -> float:
    """Seconds of the fastest of a few calls, after one that warms up."""
    best = float("inf")
    for i in range(repeats + 1):
        _wait(device)
        start = time.perf_counter()
        run()
        _wait(device)
        if i:
            best = min(best, time.perf_counter() - start)
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
