"""No lost run: kill -9, signals, a full disk, a NaN, refusals that write nothing."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import tacit
from support import environment, make_vectors
from tacit import files
from tacit.core import Nets, Rng
from tacit.core.game import Round
from tacit.engine import checkpoint
from tacit.engine import run as engine_run

SMALL = tacit.MLP(widths=(16,), norm="batch")
GAME = tacit.GAN(prior=tacit.Gaussian(4), networks=SMALL)
RUN: dict[str, Any] = {"batch_size": 16, "precision": "float32", "log_every": 3}

SCRIPT = """
import sys, time
import torch
torch.set_num_threads(1)
import tacit
from support import make_vectors

def pace(state):
    print(state["step"], flush=True)
    time.sleep(float(sys.argv[3]))

system = tacit.GAN(prior=tacit.Gaussian(4), networks=tacit.MLP(widths=(16,), norm="batch"))
options = dict(steps=int(sys.argv[2]), batch_size=16, precision="float32", log_every=3, checkpoint_every=sys.argv[4], ema=0.9)
try:
    tacit.fit(system, make_vectors(), run=sys.argv[1], callbacks=[pace], **options)
except tacit.TacitError as e:
    print(e, file=sys.stderr)
    sys.exit(e.exit_code)
"""


def lines(path: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in json.loads(x).items() if k not in ("time_s", "rate")} for x in path.read_text().splitlines()]


def started(folder: Path, steps: int, pause: float, every: str, until: int) -> subprocess.Popen[str]:
    """The script, once it has done ``until`` steps."""
    p = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(steps), str(pause), every],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    assert p.stdout
    for line in p.stdout:
        if int(line) >= until:
            return p
    raise AssertionError(p.stderr.read() if p.stderr else "")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that was never killed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    tacit.fit(GAME, make_vectors(), run=folder, steps=60, ema=0.9, **RUN)
    return folder


def same_run(a: Path, b: Path) -> None:
    assert lines(a / "log.jsonl") == lines(b / "log.jsonl")
    x, y = load_file(a / "weights.safetensors"), load_file(b / "weights.safetensors")
    assert x.keys() == y.keys()
    for k in x:
        assert torch.equal(x[k], y[k]), k


@pytest.mark.parametrize("every", ["1", "7"])
def test_killed_and_resumed_equals_never_killed(whole, tmp_path, every):
    folder = tmp_path / "run"
    p = started(folder, 60, 0.05, every, until=21)
    p.send_signal(signal.SIGKILL)
    assert p.wait(30) == -signal.SIGKILL
    p.communicate()
    assert not (folder / "system.json").exists()
    with pytest.raises(tacit.InputError, match=r"is not finished.*tacit resume"):
        tacit.load(folder)
    done = checkpoint.load(folder)[1]["done"]
    assert 14 <= done < 60
    model = tacit.resume(folder, make_vectors())
    same_run(folder, whole)
    assert model.info["steps"] == 60 and not (folder / checkpoint.NAME).exists()
    with pytest.raises(tacit.InputError, match="is finished"):
        tacit.resume(folder, make_vectors())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_says_so(whole, tmp_path, number):
    folder = tmp_path / "run"
    p = started(folder, 60, 0.2, "10m", until=6)
    p.send_signal(number)
    _, err = p.communicate(timeout=30)
    assert p.returncode == 128 + number
    assert err.strip().splitlines()[-1].startswith(f"stopped by {number.name} at step ")
    assert f"tacit resume {folder}" in err and "Traceback" not in err
    assert json.loads((folder / "system.json").read_text())["info"]["status"] == "interrupted"
    assert tacit.load(folder).sample(3).shape == (3, 6)
    tacit.resume(folder, make_vectors())
    same_run(folder, whole)


def full_disk(monkeypatch: pytest.MonkeyPatch, fails: Any) -> list[str]:
    """Writing a file whose name ``fails`` accepts ends as on a full disk, half way."""
    real, refused = os.replace, []

    def replace(src: str, dst: Any) -> None:
        if fails(Path(dst).name):
            refused.append(Path(dst).name)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(src, dst)

    monkeypatch.setattr(files.os, "replace", replace)
    return refused


def test_a_full_disk_at_a_checkpoint_warns_and_training_goes_on(whole, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    count = {"n": 0}

    def fails(name: str) -> bool:
        count["n"] += name == checkpoint.NAME
        return name == checkpoint.NAME and 2 <= count["n"] <= 4

    refused = full_disk(monkeypatch, fails)
    with pytest.warns(RuntimeWarning, match=r"a checkpoint could not be written .*No space left on device.*the last one is whole"):
        tacit.fit(GAME, make_vectors(), run=folder, steps=60, ema=0.9, checkpoint_every="10", **RUN)
    assert len(refused) == 3
    same_run(folder, whole)
    assert not list(folder.glob(".*tmp*"))


def test_a_full_disk_at_the_end_leaves_the_checkpoint_whole(whole, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    full_disk(monkeypatch, lambda name: name == "weights.safetensors")
    with pytest.raises(tacit.TacitError, match=r"could not be written.*No space left.*the last checkpoint is whole.*tacit resume"):
        tacit.fit(GAME, make_vectors(), run=folder, steps=60, ema=0.9, checkpoint_every="25", **RUN)
    assert checkpoint.load(folder)[1]["done"] == 50
    monkeypatch.undo()
    tacit.resume(folder, make_vectors())
    same_run(folder, whole)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    full_disk(monkeypatch, lambda name: name == "config.json")
    with pytest.raises(tacit.InputError, match=r"cannot be written .*No space left"):
        tacit.fit(GAME, make_vectors(), run=tmp_path / "run", steps=6, **RUN)


def test_a_log_that_cannot_be_written_is_caught_up_later(whole, tmp_path, monkeypatch):
    import builtins

    folder, real, bad = tmp_path / "run", builtins.open, {"n": 0}

    def opened(path: Any, *args: Any, **kw: Any) -> Any:
        if str(path).endswith("log.jsonl") and args and "a" in args[0]:
            bad["n"] += 1
            if 3 <= bad["n"] <= 5:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, *args, **kw)

    monkeypatch.setattr(builtins, "open", opened)
    with pytest.warns(RuntimeWarning, match="the log of .* could not be written"):
        tacit.fit(GAME, make_vectors(), run=folder, steps=60, ema=0.9, **RUN)
    monkeypatch.undo()
    same_run(folder, whole)


class Tap(nn.Module):
    """A layer with running statistics, so that a NaN would spoil them too."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


@dataclass(frozen=True, kw_only=True)
class Breaks(tacit.System):
    """min_F E F(x)², whose second term is NaN from a step on."""

    at: int = 5

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"F": Tap()}

    def players(self) -> tuple[tacit.Player, ...]:
        return (tacit.Player("f", owns=("F",), loss=self.loss),)

    def loss(self, n: Nets, r: Round) -> dict[str, Tensor]:
        y = n.F(r.x).square().mean()
        return {"size": y, "broken": y * float("nan") if r.step + 1 >= self.at else 0 * y, "late": 0.1 * y}

    def phases(self) -> tuple[tacit.Phase, ...]:
        return (tacit.Phase(tacit.Turn("f", tacit.Adam(1e-2))),)

    def encode(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return n.F(x)


@pytest.mark.parametrize(("at", "kept"), [(2, 0), (11, 9)])
def test_a_nan_names_term_and_step_and_keeps_the_last_good_weights(tmp_path, at, kept):
    folder = tmp_path / "run"
    sentence = f"the term 'f/broken' was the first, at step {at}; " + (
        f"the weights of step {kept} are kept" if kept else "the initial weights are kept"
    )
    with pytest.raises(tacit.Diverged, match=sentence):
        tacit.fit(Breaks(at=at), make_vectors(), run=folder, steps=30, **RUN)
    model = tacit.load(folder, allow=(Breaks.__module__,))
    assert model.info["status"] == "diverged" and model.info["steps"] == kept
    want = tacit.fit(Breaks(at=99), make_vectors(), steps=30, callbacks=[lambda s: s["step"] >= kept], **RUN) if kept else None
    for k, v in model.nets.state().items():
        assert torch.isfinite(v).all(), k
        if want:
            assert torch.equal(v, want.nets.state()[k]), k
    assert np.isfinite(model.encode(make_vectors())).all()
    log = lines(folder / "log.jsonl") if kept else []
    assert len(log) == kept // 3 and all(np.isfinite(v) for line in log for k, v in line.items() if "/" in k)


def test_nothing_is_written_on_a_refusal(tmp_path):
    x, folder = make_vectors(), tmp_path / "run"
    for call in (
        lambda: tacit.fit(GAME, x, run=folder, stepps=3),
        lambda: tacit.fit(GAME, x, run=folder, steps=0),
        lambda: tacit.fit(GAME, x, run=folder, steps="many"),
        lambda: tacit.fit(GAME, x, run=folder, steps=2.5),
        lambda: tacit.fit(GAME, x, run=folder, seed=-1),
        lambda: tacit.fit(GAME, x, run=folder, seed="a"),
        lambda: tacit.fit(GAME, x, run=folder, precision="fp8"),
        lambda: tacit.fit(GAME, x, run=folder, device="abacus"),
        lambda: tacit.fit(GAME, x, run=folder, checkpoint_every="soon"),
        lambda: tacit.fit(GAME, x, run=folder, ema=1.5),
        lambda: tacit.fit(GAME, x, run=folder, ema=0.9, ema_networks=("Q",)),
        lambda: tacit.fit(GAME, x, run=folder, max_minutes=0),
        lambda: tacit.fit(GAME, x, run=folder, batch_size=10, accumulate=3),
        lambda: tacit.fit(GAME, x, run=folder, weights=np.ones(3)),
        lambda: tacit.fit(GAME, x, run=folder, weights=-np.ones(48)),
        lambda: tacit.fit(tacit.DCGAN(), x, run=folder),
        lambda: tacit.fit(tacit.VAE(likelihood="bernoulli"), x, run=folder),
        lambda: tacit.fit("gan", x, run=folder),
        lambda: tacit.fit(GAME, {"y": x}, run=folder),
    ):
        with pytest.raises(tacit.InputError) as e:
            call()
        assert "\n" not in str(e.value)
        assert not folder.exists()


def test_a_used_folder_is_refused_and_overwritten_when_asked(tmp_path):
    x, folder = make_vectors(), tmp_path / "run"
    for system, other in ((GAME, tacit.KMeans(n_clusters=2)), (tacit.KMeans(n_clusters=3), GAME)):
        tacit.fit(system, x, run=folder, steps=6, overwrite=True, **RUN)
        before = {p.name: p.read_bytes() for p in folder.iterdir()}
        with pytest.raises(tacit.InputError, match="already holds a run"):
            tacit.fit(other, x, run=folder, steps=6, **RUN)
        assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
        tacit.fit(other, x, run=folder, steps=6, overwrite=True, **RUN)
        assert tacit.load(folder).system == other
        assert tacit.engine.read_config(folder)["system"] == tacit.core.to_json(other)
        assert (folder / "log.jsonl").exists() == bool(other.players())
    saved = tacit.fit(GAME, x, steps=3, **RUN).save(tmp_path / "saved")
    with pytest.raises(tacit.InputError, match="already holds a run"):
        tacit.fit(GAME, x, run=saved, steps=3, **RUN)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(tacit.InputError, match="is a file"):
        tacit.fit(GAME, x, run=tmp_path / "file", steps=3, **RUN)
    own = tmp_path / "notes"
    own.mkdir()
    (own / "report.html").write_text("mine")
    tacit.fit(GAME, x, run=own, steps=3, **RUN)
    assert (own / "report.html").read_text() == "mine"


class Stop(Exception):
    pass


def halted(folder: Path, step: int, system: Any = GAME, **more: Any) -> None:
    def halt(state: dict[str, Any]) -> None:
        if state["step"] >= step:
            raise Stop

    X = more.pop("X", make_vectors())
    with pytest.raises(Stop):
        tacit.fit(system, X, run=folder, callbacks=[halt], checkpoint_every="1", **{**RUN, "steps": 30, **more})


def test_resume_refuses_what_is_not_that_run(tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(tacit.InputError, match="there is no run in"):
        tacit.resume(folder)
    halted(folder, 9)
    with pytest.raises(tacit.InputError, match=r"fitted on an array in memory.*pass it as X"):
        tacit.resume(folder)
    for other in (make_vectors(seed=1), make_vectors(n=47), make_vectors(d=5)):
        with pytest.raises(tacit.InputError, match="the data is not what the run"):
            tacit.resume(folder, other)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "format": 99, "tacit": "9.0"}))
    with pytest.raises(tacit.InputError, match=r"has format 99, written by Tacit 9\.0.*upgrade"):
        tacit.resume(folder, make_vectors())
    (folder / "config.json").write_text("{")
    with pytest.raises(tacit.InputError, match="cannot be read"):
        tacit.resume(folder, make_vectors())
    (folder / "config.json").write_text(json.dumps(config))
    whole = (folder / checkpoint.NAME).read_bytes()
    (folder / checkpoint.NAME).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(tacit.InputError, match="expected a whole checkpoint"):
        tacit.resume(folder, make_vectors())
    (folder / checkpoint.NAME).unlink()
    with pytest.raises(tacit.InputError, match="holds no checkpoint"):
        tacit.resume(folder, make_vectors())


def test_a_continued_model_resumes_with_its_own_scaling_and_row_weights(tmp_path):
    first = tacit.fit(GAME, make_vectors(), steps=6, **RUN)
    new, w = 2 + 1.5 * make_vectors(n=40, seed=4), np.arange(40.0)
    whole = tacit.fit(first, new, steps=30, weights=w, **RUN)
    halted(tmp_path / "run", 9, system=first, X=new, weights=w)
    again = tacit.resume(tmp_path / "run", new)
    for k, v in whole.nets.state().items():
        assert torch.equal(v, again.nets.state()[k]), k
    assert again.spec == first.spec and torch.equal(again.spec.shift, first.spec.shift)
    np.testing.assert_array_equal(again.sample(4), whole.sample(4))


def test_seconds_between_checkpoints(tmp_path, monkeypatch):
    """By a clock that moves .06 s at every third step: the start, and each first reading by which a tenth has passed."""
    clock, saved = [0.0], []
    monkeypatch.setattr(engine_run, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    real = checkpoint.save
    monkeypatch.setattr(checkpoint, "save", lambda *a: (saved.append(clock[0]), real(*a))[1])

    def tick(state: dict[str, Any]) -> None:
        clock[0] += 0.06

    tacit.fit(GAME, make_vectors(), run=tmp_path / "run", steps=30, checkpoint_every="0.1s", callbacks=[tick], **RUN)
    np.testing.assert_allclose(saved, 0.12 * np.arange(5), atol=1e-9)


KILLS: list[int] = []


@dataclass(frozen=True, kw_only=True)
class Closes(tacit.Autoencoder):
    """An autoencoder with phases that only enter, before and after; a signal comes in the one that KILLS names."""

    def phases(self) -> tuple[tacit.Phase, ...]:
        def enter(number: int) -> Any:
            def look(n: Nets, world: Any) -> dict[str, Tensor]:
                if number in KILLS:
                    os.kill(os.getpid(), signal.SIGINT)
                return {f"mean{number}": world.array().mean(0)}

            return look

        return (tacit.Phase(name="open", enter=enter(0)), *super().phases(), tacit.Phase(name="close", enter=enter(1)))


def test_a_signal_in_a_phase_that_only_enters_is_heard(tmp_path):
    system, x = Closes(latent_dim=2, networks=tacit.MLP(widths=(8,))), make_vectors()
    want = tacit.fit(system, x, run=tmp_path / "whole", steps=30, **RUN)
    KILLS[:] = [0]
    with pytest.raises(tacit.Interrupted, match="stopped by SIGINT at step 0; nothing was saved"):
        tacit.fit(system, x, run=tmp_path / "none", steps=30, **RUN)
    assert not (tmp_path / "none").exists()
    KILLS[:] = [1]
    with pytest.raises(tacit.Interrupted, match="by SIGINT at step 30; the last checkpoint is whole; go on with: tacit resume"):
        tacit.fit(system, x, run=tmp_path / "run", steps=30, **RUN)
    KILLS.clear()
    again = tacit.resume(tmp_path / "run", x, allow=(Closes.__module__,))
    same_run(tmp_path / "run", tmp_path / "whole")
    assert torch.equal(again.nets.memory["mean1"], want.nets.memory["mean1"])
