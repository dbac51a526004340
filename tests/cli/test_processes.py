"""Real processes: a run that is told to stop and goes on, and two ranks that speak with one voice."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tacit.errors import Interrupted

ROOT = Path(__file__).parents[2]
NETS = ("--networks.widths", "16", "--latent-dim", "2", "--device", "cpu", "--precision", "float32", "--no-report")


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}


def weights(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "weights.safetensors")


def curve(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("time_s", "rate")} for line in lines]


def test_sigterm_saves_and_resume_gives_the_run_that_was_never_stopped(tacit: Callable, tmp_path: Path) -> None:
    steps = 6000
    words = ["fit", "autoencoder", "moons", "--steps", str(steps), "--log-every", "50", "--seed", "1", *NETS]
    words += ["--patience", "4000", "--watch", "autoencoder/loss", "--min-delta", "1e6"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tacit", *words, "-o", tmp_path / "cut"], env=environment(), stderr=subprocess.PIPE, text=True
    )
    log, until = tmp_path / "cut" / "log.jsonl", time.monotonic() + 60
    while not (log.exists() and log.stat().st_size > 2000) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    lines = err.strip().splitlines()
    assert lines[-1].startswith("error: stopped by SIGTERM at step ") and lines[-1].endswith(f"tacit resume {tmp_path / 'cut'}")
    assert "Traceback" not in err
    done = int(lines[-1].split("at step ")[1].split(";")[0])
    assert 0 < done < 4000
    answer = tacit("resume", tmp_path / "cut", "--no-report")
    assert answer.code == 0 and "stopped early" in answer.err, answer
    assert tacit(*words, "-o", tmp_path / "whole").code == 0
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")
    one, two = weights(tmp_path / "cut"), weights(tmp_path / "whole")
    assert all(np.array_equal(one[k], two[k]) for k in two)
    assert json.loads((tmp_path / "cut" / "system.json").read_text())["info"]["steps"] == 4050
    assert tacit("resume", tmp_path / "cut").code == 2


def torchrun(*words: str, program: tuple[str, ...] = ("-m", "tacit")) -> subprocess.CompletedProcess[str]:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-addr", "127.0.0.1",
         "--master-port", str(port), *program, *words],
        env=environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_two_ranks_speak_once_and_equal_one(tacit: Callable, tmp_path: Path) -> None:
    words = ["fit", "autoencoder", "moons", "--steps", "20", "--batch-size", "64", "--log-every", "5", *NETS]
    two = torchrun(*words, "-o", str(tmp_path / "two"))
    assert two.returncode == 0, two.stderr
    assert two.stderr.count("the run is in") == 1 and two.stdout == ""
    assert tacit(*words, "-o", tmp_path / "one").code == 0
    a, b = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert all(np.allclose(a[k], b[k], atol=1e-5) for k in a)
    info = json.loads((tmp_path / "two" / "system.json").read_text())["info"]
    assert info["ranks"] == 2 and len(curve(tmp_path / "two")) == 4


LATE = """
import os, sys, time
from tacit.cli import main

if os.environ["RANK"] == sys.argv[1]:
    time.sleep(2.0)
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("late", ["0", "1"])
def test_two_ranks_report_an_error_once(tmp_path: Path, late: str) -> None:
    """Whichever rank fails first: torchrun stops the others as soon as one has ended."""
    (tmp_path / "late.py").write_text(LATE)
    words = [late, "fit", "autoencoder", "digitz", "-o", str(tmp_path / "run")]
    found = torchrun(*words, program=(str(tmp_path / "late.py"),))
    assert found.returncode != 0
    assert found.stderr.count("error: there is no file") == 1, found.stderr
    assert not (tmp_path / "run").exists()


def test_ranks_that_a_signal_stops_do_not_wait(tacit: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """torchrun sends the signal to all of them; the first says it."""

    def stopped(words: list[str]) -> int:
        raise Interrupted("stopped by SIGTERM at step 3", signal.SIGTERM)

    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr("tacit.cli._run", stopped)
    monkeypatch.setattr("tacit.cli.time.sleep", lambda seconds: pytest.fail("it waited"))
    answer = tacit("fit", "autoencoder", "moons")
    assert answer.code == 143 and answer.err == answer.out == ""


def test_a_rank_that_fails_alone_is_heard(tacit: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr("tacit.cli.PATIENCE", 0.0)
    answer = tacit("fit", "autoencoder", "digitz")
    assert answer.code == 2 and answer.err.startswith("rank 1: error: there is no file") and answer.out == ""
