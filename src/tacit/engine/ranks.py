"""Several processes as one: PyTorch's process groups, as torchrun starts them."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from tacit.core.exchange import sum_over_ranks
from tacit.errors import InputError


@dataclass(frozen=True)
class Ranks:
    """This process's place among the others."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def mean(self, tensors: list[Tensor]) -> list[Tensor]:
        """Average a list of tensors over ranks, in one exchange for each dtype; differentiable where they have a graph."""
        if self.world == 1:
            return tensors
        out = list(tensors)
        # In order of appearance: a set's order differs between processes, and exchanges would not match.
        for dtype in dict.fromkeys(t.dtype for t in tensors):
            at = [i for i, t in enumerate(tensors) if t.dtype == dtype]
            flat = torch.cat([tensors[i].reshape(-1) for i in at])
            if flat.requires_grad and torch.is_grad_enabled():
                flat = sum_over_ranks(flat) / self.world
            else:
                dist.all_reduce(flat)
                flat /= self.world
            start = 0
            for i in at:
                n = tensors[i].numel()
                out[i] = flat[start : start + n].view_as(tensors[i])
                start += n
        return out

    def mean_one(self, tensor: Tensor) -> Tensor:
        return self.mean([tensor])[0]

    def agree(self, value: float) -> float:
        """The first rank's value, on every rank."""
        if self.world == 1:
            return value
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        t = torch.tensor([value], dtype=torch.float64, device=device)
        dist.broadcast(t, 0)
        return float(t.item())

    def any(self, flag: bool) -> bool:
        """Whether any rank says yes."""
        if self.world == 1:
            return flag
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        t = torch.tensor([float(flag)], device=device)
        dist.all_reduce(t, op=dist.ReduceOp.MAX)
        return bool(t.item() > 0)

    def wait(self) -> None:
        if self.world > 1:
            dist.barrier()


def join() -> Ranks:
    """Join the process group that torchrun announced in the environment, or be alone."""
    if dist.is_available() and dist.is_initialized():
        return Ranks(dist.get_rank(), dist.get_world_size())
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ:
        # Its functions keep the group of their import as a default, and optimisers import it: then destroy_process_group
        # does not close the group, and its threads sometimes end the interpreter with SIGABRT.
        import torch.distributed.nn.functional

        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return Ranks(dist.get_rank(), dist.get_world_size())
    return Ranks()


def device_for(name: str, ranks: Ranks) -> torch.device:
    """``auto`` is CUDA, then Apple's GPU, then the CPU; each rank takes a GPU of its own.

    Raises:
        InputError: the device is unknown or absent.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"there is no device '{name}'; expected auto, cpu, cuda or mps; choose one of them") from None
    absent = (device.type == "cuda" and not torch.cuda.is_available()) or (
        device.type == "mps" and not torch.backends.mps.is_available()
    )
    if absent or device.type not in ("cpu", "cuda", "mps"):
        raise InputError(f"the device '{name}' is not available on this machine; expected one that is; use --device auto")
    if device.type == "cuda" and device.index is None:
        local = int(os.environ.get("LOCAL_RANK", ranks.rank)) % torch.cuda.device_count()
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    return device
