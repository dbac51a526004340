"""Resume state: one safetensors file, replaced atomically; its JSON rides in the header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from tacit.errors import InputError
from tacit.files import atomic

NAME = "checkpoint.safetensors"


def save(run: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Replace the run's checkpoint; a reader finds the old one or the new one whole."""
    flat = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    data = to_bytes(flat, metadata={"state": json.dumps(state)})
    with atomic(run / NAME, "wb") as f:
        f.write(data)


def load(run: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and state of the run's checkpoint.

    Raises:
        InputError: there is none, or it is damaged.
    """
    path = run / NAME
    if not path.is_file():
        raise InputError(f"{run} holds no checkpoint; expected {NAME}; start the run anew with tacit fit")
    try:
        with safe_open(path, "pt") as f:
            state = json.loads(f.metadata()["state"])
            tensors = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, TypeError) as e:
        raise InputError(f"{path} cannot be read ({e}); expected a whole checkpoint; start the run anew") from None
    return tensors, state


def nest(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries below ``prefix/``, without it."""
    return {k[len(prefix) + 1 :]: v for k, v in tensors.items() if k.startswith(prefix + "/")}


def flat(prefix: str, tensors: dict[str, Any]) -> dict[str, Tensor]:
    """Entries under ``prefix/``; numbers become tensors."""
    return {f"{prefix}/{k}": torch.as_tensor(v) for k, v in tensors.items()}


def pull(value: Any, tensors: dict[str, Tensor], path: str) -> Any:
    """JSON of a nested state whose tensors went to ``tensors`` under ``path``."""
    if isinstance(value, Tensor):
        tensors[path] = value
        return {"$tensor": path}
    if isinstance(value, dict):
        return {k: pull(v, tensors, f"{path}/{k}") for k, v in value.items()}
    return value


def push(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of :func:`pull`."""
    if isinstance(value, dict):
        if set(value) == {"$tensor"}:
            return tensors[value["$tensor"]]
        return {k: push(v, tensors) for k, v in value.items()}
    return value
