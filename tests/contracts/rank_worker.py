"""Fits every case of the table in float64 on the ranks of the environment; the first rank writes weights and logs."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

import torch
from contract_table import CASES, RANKS, Case
from safetensors.torch import save_file

import tacit


def fit(case: Case, **more: Any) -> tacit.Model:
    options = {**case.run, "precision": "float64", "seed": 5, **more}
    return tacit.fit(case.make(), case.given(), **options)


def main(out: str) -> None:
    torch.set_num_threads(1)
    first = True
    for name, case in {**CASES, **RANKS}.items():
        try:
            model = fit(case)
        except Exception:
            # The other rank meets the same; the cases that follow are still worth running.
            (Path(out) / f"{name}.error").write_text(traceback.format_exc())
            continue
        if model.info["ranks"] != 2:
            raise SystemExit(f"{name} ran on {model.info['ranks']} ranks")
        first = torch.distributed.get_rank() == 0
        if first:
            tensors = {**model.nets.state(), **{f"memory/{k}": v for k, v in model.nets.memory.items()}}
            save_file({k: v.contiguous().clone() for k, v in tensors.items()}, Path(out) / f"{name}.safetensors")
            (Path(out) / f"{name}.json").write_text(json.dumps(model.log))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
