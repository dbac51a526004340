"""Runs and data that the command line's tests share, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch

from tacit.cli import main


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def tacit(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Run a command line in this process: exit code, standard output, standard error."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERMINAL_WIDTH", "160")
    for name in ("RANK", "WORLD_SIZE", "TACIT_DEBUG", "TACIT_DATA"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: Any) -> Answer:
        capsys.readouterr()
        code = main([str(w) for w in words])
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data files and finished runs."""
    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=90)
    x = rng.normal(size=(90, 3)) + 6 * y[:, None]
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame.insert(0, "name", [f"r{i:03d}" for i in range(90)])
    frame["species"] = np.array(["ant", "bee", "cat"])[y]
    frame["w"] = (y == 0).astype(float)
    frame.drop(columns="w").to_csv(folder / "table.csv", index=False)
    frame.drop(columns=["species", "w"]).head(10).to_csv(folder / "new.csv", index=False)
    frame.drop(columns="species").to_csv(folder / "weighted.csv", index=False)
    holes = frame.drop(columns=["species", "w", "name"])
    holes.loc[4, "b"] = np.nan
    holes.to_csv(folder / "holes.csv", index=False)
    (folder / "empty.csv").write_text("")
    (folder / "words.txt").write_text("hello\n")
    (folder / "model.pkl").write_bytes(b"\x80\x04.")
    np.save(folder / "flat.npy", rng.random((40, 64)).astype(np.float32))
    np.save(folder / "odd.npy", rng.random((40, 63)).astype(np.float32))
    nan = rng.random((40, 4))
    nan[3, 1] = np.nan
    np.save(folder / "nan.npy", nan)
    np.save(folder / "few.npy", rng.random((3, 4)))
    (folder / "broken.json").write_text("{")
    (folder / "plain.json").write_text("{}")
    small = ["--networks", "mlp", "--networks.widths", "16", "--steps", "4", "--device", "cpu", "--quiet", "--no-report"]
    assert main(["fit", "clustergan", "digits", "-o", f"{folder}/cg", *small]) == 0
    assert main(["fit", "autoencoder", "digits", "-o", f"{folder}/ae", "--latent-dim", "3", *small]) == 0
    assert main(["fit", "gan", "ring8", "-o", f"{folder}/gan", *small]) == 0
    table = [f"{folder}/table.csv", "--label", "species", "--id", "name", "-o", f"{folder}/km", "--quiet", "--no-report"]
    assert main(["fit", "kmeans", *table, "--n-clusters", "3"]) == 0
    return folder
