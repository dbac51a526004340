"""The state of a run, taken and put back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tacit.engine import checkpoint

if TYPE_CHECKING:
    from tacit.engine.run import Run


def collect(run: Run) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Everything that decides how the run goes on: tensors, and JSON."""
    flat = checkpoint.flat
    tensors = flat("net", run.nets.state()) | flat("memory", run.nets.memory) | flat("spec", run.spec.tensors())
    feed = checkpoint.pull(run.feed.state(), tensors, "feed")
    tensors |= {"rng/noise": run.rng.state(), "rng/rule": run.rule_rng.state(), "rng/torch": torch.get_rng_state()}
    if run.averages:
        tensors |= flat("ema", run.averages.state())
    tensors |= flat("record", run.record.state())
    for i, t in enumerate(run.turns):
        for j, (_, stepper) in enumerate(t.steppers):
            tensors |= flat(f"rule/{i}.{j}", stepper.state())
    state = {
        "phase": run.phase_index, "step": run.step, "done": run.done, "plan": run.plan, "scale": run.scale,
        "precisions": run.precisions, "plateau": run.plateau, "log_bytes": run.journal.bytes, "log_lines": len(run.log),
        "last": run.last, "elapsed": run.elapsed + time.monotonic() - run.started,
        "feed": feed, "spec": run.spec.to_json(),
        "callbacks": [c.state() if hasattr(c, "state") else None for c in run.callbacks],
    }  # fmt: skip
    return tensors, state


def restore_position(run: Run, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """What must be known before the phase begins: where the run was, its weights and its memory."""
    run.phase_index, run.step, run.done = state["phase"], state["step"], state["done"]
    run.opened = True
    run.plan, run.precisions, run.elapsed = state["plan"], state["precisions"], state["elapsed"]
    run.nets.load_state(checkpoint.nest(tensors, "net"))
    run.nets.memory.update({k: v.to(run.device) for k, v in checkpoint.nest(tensors, "memory").items()})
    if run.averages:
        run.averages.load_state(checkpoint.nest(tensors, "ema"))


def restore(run: Run, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """What the phase under way must know: position in the data, random streams, rules, readings, callbacks."""
    nest = checkpoint.nest
    run.scale, run.plateau, run.last = state["scale"], state["plateau"], state["last"]
    run.feed.load_state(checkpoint.push(state["feed"], tensors))
    run.rng.load_state(tensors["rng/noise"])
    run.rule_rng.load_state(tensors["rng/rule"])
    torch.set_rng_state(tensors["rng/torch"])
    run.record.load_state({k: v.to(run.device) if k == "buffer" else v for k, v in nest(tensors, "record").items()})
    for i, t in enumerate(run.turns):
        for j, (_, stepper) in enumerate(t.steppers):
            stepper.load_state(nest(tensors, f"rule/{i}.{j}"))
    for callback, s in zip(run.callbacks, state["callbacks"], strict=False):
        if s is not None and hasattr(callback, "load_state"):
            callback.load_state(s)
    run.saved_step = run.done
    run.journal.read(run.folder, state["log_bytes"])
