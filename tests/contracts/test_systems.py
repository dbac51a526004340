"""One suite over all systems: what every one of them keeps."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contract_table import CASES, RANKS, Case
from rank_worker import rows
from safetensors.torch import load_file

import tacit
from support import environment, python
from tacit.core import Nets, from_json, names, to_json
from tacit.core.checks import check_declaration
from tacit.core.part import build, get, kinds
from tacit.data import Spec
from tacit.data import load as load_data

SYSTEMS = sorted(CASES)
TRAINED = [n for n in SYSTEMS if any(p.turns for p in CASES[n].make().phases())]
CLUSTERERS = [n for n in SYSTEMS if hasattr(CASES[n].make(), "cluster") and hasattr(CASES[n].make(), "n_clusters")]
HERE = Path(__file__).parent


def tensors(model: tacit.Model) -> dict[str, torch.Tensor]:
    return {**model.nets.state(), **{f"memory/{k}": v for k, v in model.nets.memory.items()}}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for k in a:
        assert torch.equal(a[k], b[k]), k


def lines(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k not in ("time_s", "rate")} for line in log]


def use(model: tacit.Model, name: str, x: np.ndarray, seed: int = 3) -> np.ndarray:
    if name == "sample":
        return model.sample(5, seed=seed)
    if name == "decode":
        return model.decode(codes(model, 5), seed=seed)
    return getattr(model, name)(x, seed=seed)


def codes(model: tacit.Model, n: int) -> np.ndarray:
    """Latents of the width that the decoder reads."""
    prior = model.system.latents
    width = prior.dim if prior is not None else getattr(model.system, "latent_dim", None) or model.system.code_dim
    return np.random.default_rng(0).normal(size=(n, width)).astype(np.float32)


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Models of the table, fitted once each, with the folder of the run."""
    made: dict[str, tuple[tacit.Model, Path]] = {}

    def get_model(name: str) -> tuple[tacit.Model, Path]:
        if name not in made:
            case, folder = CASES[name], tmp_path_factory.mktemp(name) / "run"
            made[name] = tacit.fit(case.make(), case.given(), run=folder, **case.run), folder
        return made[name]

    return get_model


def test_every_registered_system_is_in_the_table():
    assert set(names("system")) == set(CASES)


@pytest.mark.parametrize("name", SYSTEMS)
def test_declares(name):
    case = CASES[name]
    system = case.make()
    spec = Spec.learn(load_data(case.data()), scale=system.scale)
    nets = Nets(system.nets(spec), system.memory(spec))
    players = check_declaration(system, nets, system.phases())
    assert system.phases()
    owned = {net for p in players.values() for net in p.owns}
    assert owned <= set(nets.names())
    taken = {player for phase in system.phases() for turn in phase.turns for player in turn.names}
    assert taken == set(players), "a player that never moves"
    for phase in system.phases():
        assert phase.turns or phase.enter, "a phase that does nothing"
    assert all(isinstance(v, torch.Tensor) for v in nets.memory.values())
    with pytest.raises(dataclasses.FrozenInstanceError):
        system.anything = 1
    assert hash(system) == hash(case.make()) and system == case.make()
    assert type(system)().defaults.steps >= 1


@pytest.mark.parametrize("name", SYSTEMS)
def test_trains_with_finite_terms(name, fitted):
    model, folder = fitted(name)
    assert model.info["status"] == "finished"
    assert all(torch.isfinite(v).all() for v in tensors(model).values() if v.is_floating_point())
    if name not in TRAINED:
        return
    on_disk = [json.loads(x) for x in (folder / "log.jsonl").read_text().splitlines()]
    assert on_disk == model.log and model.log[-1]["step"] == CASES[name].steps
    players = {p.name for p in CASES[name].make().players() if p.loss}
    logged = {f"{p.name}/{k}" for p in CASES[name].make().players() for k in p.logs}
    assert logged <= {k for line in model.log for k in line}
    for line in model.log:
        terms = {k: v for k, v in line.items() if "/" in k}
        assert terms and all(np.isfinite(v) for v in terms.values())
        assert {k.split("/")[0] for k in terms} <= players
        for player in {k.split("/")[0] for k in terms}:
            parts = [v for k, v in terms.items() if k.startswith(player + "/") and k not in (f"{player}/loss", *logged)]
            assert terms[f"{player}/loss"] == pytest.approx(sum(parts), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", TRAINED)
def test_a_turn_moves_what_its_players_own_and_nothing_else(name):
    case = CASES[name]
    seen = []

    def turn_by_turn(state: dict[str, Any]) -> bool:
        run = state["run"]
        for t in run.turns:
            before = {k: v.clone() for k, v in run.nets.state().items()}
            memory = {k: v.clone() for k, v in run.nets.memory.items()}
            t.field.rounds = [run._draw(1, 2, t.turn)]
            for _, stepper in t.steppers:
                stepper.schedule(0.5, 1.0)
            t.step()
            owned = {net for p in t.players for net in p.owns}
            after = run.nets.state()
            changed = {k.split(".")[0] for k in after if not torch.equal(after[k], before[k])}
            assert changed == {n for n in owned if run.nets.parameters((n,)) or n in changed}
            for k, v in memory.items():
                assert torch.equal(v, run.nets.memory[k]), f"a loss wrote the memory '{k}'"
            seen.append(t.turn.names)
        return True

    tacit.fit(case.make(), case.given(), callbacks=[turn_by_turn], **{**case.run, "log_every": 1})
    assert seen


class Stop(Exception):
    pass


@pytest.mark.parametrize("name", TRAINED)
def test_resumes_bit_for_bit(name, fitted, tmp_path):
    case, (whole, _) = CASES[name], fitted(name)
    phases = [line["phase"] for line in whole.log]
    # Once in the middle of each phase that trains, and once at the very last reading.
    stops = {whole.log[phases.index(p)]["step"] for p in phases} | {whole.log[-1]["step"]}
    for stop in sorted(stops):
        folder = tmp_path / str(stop)

        def halt(state: dict[str, Any], stop: int = stop) -> None:
            if state["step"] >= stop:
                raise Stop

        with pytest.raises(Stop):
            tacit.fit(case.make(), case.given(), run=folder, callbacks=[halt], checkpoint_every="1", **case.run)
        again = tacit.resume(folder, case.given())
        same(tensors(whole), tensors(again))
        assert lines(again.log) == lines(whole.log)
        assert lines([json.loads(x) for x in (folder / "log.jsonl").read_text().splitlines()]) == lines(whole.log)
        assert again.info["steps"] == whole.info["steps"]


@pytest.mark.parametrize("name", SYSTEMS)
def test_saves_and_loads_without_code(name, fitted):
    model, folder = fitted(name)
    again = tacit.load(folder)
    assert again.system == model.system
    same(tensors(model), tensors(again))
    x = CASES[name].data(9, seed=1)
    for u in tacit.can(model.system):
        np.testing.assert_array_equal(use(model, u, x), use(again, u, x))
    assert sorted(p.name for p in folder.iterdir() if p.suffix in (".pt", ".pkl", ".pickle", ".tmp")) == []


def test_loads_in_a_fresh_interpreter(fitted, tmp_path):
    model, folder = fitted("gan")
    code = "import sys, numpy as np, tacit; np.save(sys.argv[2], tacit.load(sys.argv[1]).sample(5, seed=3))"
    done = python(code, str(folder), str(tmp_path / "out.npy"))
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), model.sample(5, seed=3))


@pytest.fixture(scope="session")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the whole table on two gloo ranks."""
    out = tmp_path_factory.mktemp("ranks")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = []
    for r in range(2):
        with open(out / f"{r}.txt", "w") as f:
            env = environment(**common, RANK=str(r), LOCAL_RANK=str(r))
            ranks.append(subprocess.Popen([sys.executable, str(HERE / "rank_worker.py"), str(out)], stdout=f, stderr=f, env=env))
    codes = [p.wait(timeout=180) for p in ranks]
    assert codes == [0, 0], "\n".join((out / f"{r}.txt").read_text()[-3000:] for r in range(2))
    return out


@pytest.mark.parametrize("name", [*SYSTEMS, *RANKS])
def test_two_ranks_equal_one(name, two_ranks):
    case: Case = {**CASES, **RANKS}[name]
    system = case.make()
    error = two_ranks / f"{name}.error"
    assert not error.exists(), error.read_text()[-2000:]
    got, log = load_file(two_ranks / f"{name}.safetensors"), json.loads((two_ranks / f"{name}.json").read_text())
    options = {**case.run, "precision": "float64", "seed": 5}
    one = tacit.fit(system, case.given(), **options)
    want = tensors(one)
    assert got.keys() == want.keys()
    if system.couples_batch:
        pytest.skip("its loss couples the rows of a batch, as it says; it ran on two ranks")
    for k in want:
        torch.testing.assert_close(got[k], want[k], rtol=1e-8, atol=1e-8, msg=lambda m, k=k: f"{k}: {m}")
    for a, b in zip(lines(log), lines(one.log), strict=True):
        assert a.keys() == b.keys()
        assert all(a[k] == pytest.approx(b[k], rel=1e-7, abs=1e-9) for k in a if "/" in k)


def test_measures_over_two_ranks_equal_one_pass(two_ranks):
    (a, p), (b, q) = rows(0), rows(1)
    m = tacit.metrics
    want = {
        "n": 101, "fid": float(m.fid(a, b)), "lone": float(m.fid(a, b)), "is": float(m.inception_score(p, splits=1)),
        "ms": float(m.mode_score(p, q)),
    }  # fmt: skip
    for rank in range(2):
        assert json.loads((two_ranks / f"measures-{rank}.json").read_text()) == pytest.approx(want, abs=1e-9, rel=1e-9)


def refused(call: Any, *words: str) -> str:
    with pytest.raises(tacit.InputError) as e:
        call()
    message = str(e.value)
    assert "\n" not in message and message.count(";") >= 1, message
    for word in words:
        assert word in message, message
    return message


@pytest.mark.parametrize("name", SYSTEMS)
def test_refuses_bad_data(name, fitted, tmp_path):
    case, (model, _) = CASES[name], fitted(name)
    bad = case.data()
    bad.reshape(len(bad), -1)[7, 3] = np.nan
    folder = tmp_path / "run"
    refused(lambda: tacit.fit(case.make(), case.given(bad), run=folder, **case.run))
    refused(lambda: tacit.fit(case.make(), case.given(case.data()[:0]), run=folder, **case.run))
    assert not folder.exists()
    for u in tacit.can(model.system):
        if u not in ("sample", "decode"):
            refused(lambda u=u: getattr(model, u)(case.data()[..., :-2]))
            refused(lambda u=u: getattr(model, u)(bad))
            refused(lambda u=u: getattr(model, u)(case.data()[:0]))
    if "decode" in tacit.can(model.system):
        z = codes(model, 3)
        refused(lambda: model.decode(z[:, :-1]))
        refused(lambda: model.decode(z * np.nan))
        refused(lambda: model.decode(z[0]))


@pytest.mark.parametrize("name", CLUSTERERS)
def test_refuses_more_clusters_than_points(name, tmp_path):
    case = CASES[name]
    system = dataclasses.replace(case.make(), n_clusters=60)
    refused(lambda: tacit.fit(system, case.given(case.data(48)), run=tmp_path / "run", **case.run), "60", "48")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", SYSTEMS)
def test_uses_work_on_unseen_data_and_on_one_row(name, fitted):
    case, (model, _) = CASES[name], fitted(name)
    x = case.data(9, seed=1)
    able = tacit.can(model.system)
    assert able
    for u in able:
        out = use(model, u, x)
        np.testing.assert_array_equal(out, use(model, u, x))
        assert np.isfinite(out).all()
        if u in ("sample", "decode", "reconstruct"):
            assert out.shape == (5 if u != "reconstruct" else 9, *x.shape[1:]) and out.dtype == x.dtype
            continue
        assert len(out) == 9
        if u in ("cluster", "predict"):
            assert out.shape == (9,) and out.dtype == np.int64 and out.min() >= 0
            if hasattr(model.system, "n_clusters"):
                assert out.max() < model.system.n_clusters
            np.testing.assert_array_equal(out, np.concatenate([use(model, u, x[i : i + 1]) for i in range(9)]))
        elif u == "score":
            assert out.shape == (9,) and use(model, u, x[:1]).shape == (1,)
        else:
            assert out.ndim == 2
            np.testing.assert_allclose(use(model, u, x[4:5])[0], out[4], rtol=1e-4, atol=1e-5)
    for u in set(tacit.model.USES) - set(able):
        with pytest.raises(tacit.NotSupported, match=f"cannot {u}; systems that can"):
            getattr(model, u)(*([] if u == "sample" else [x]))


@pytest.mark.parametrize("name", CLUSTERERS)
def test_the_same_ids_every_time(name, fitted):
    case, (model, folder) = CASES[name], fitted(name)
    x = case.data()
    ids = model.cluster(x)
    for seed in range(3):
        np.testing.assert_array_equal(model.cluster(x, seed=seed), ids)
    np.testing.assert_array_equal(model.cluster(x[::-1].copy())[::-1], ids)
    np.testing.assert_array_equal(tacit.load(folder).cluster(x), ids)


@pytest.mark.parametrize("name", SYSTEMS)
def test_says_what_it_solves_and_whose_it_is(name):
    cls = get("system", name)
    doc = cls.__doc__ or ""
    assert re.search(r"(min|max|=|←|~).*[Σ‖∇=−²(]", doc), "no equation"
    assert re.search(r"(1[89]|20)\d\d", doc), "no source"
    assert re.search(r"(1[89]|20)\d\d", cls.paper) and re.search(r"arXiv:\d{4}\.\d{4,5}|doi:10\.|https?://", cls.paper)
    assert cls.family
    assert ">>>" in doc, "no example"


def round_trip(value: Any) -> None:
    text = json.dumps(to_json(value))
    again = from_json(json.loads(text))
    assert again == value and type(again) is type(value)
    assert json.dumps(to_json(again)) == text


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_is_json_and_back(name):
    round_trip(CASES[name].make())
    round_trip(get("system", name)())


PARTS = [(kind, name) for kind in kinds() for name in names(kind)]


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_a_part_is_json_and_back(kind, name):
    cls = get(kind, name)
    part = cls()
    round_trip(part)
    assert cls.__doc__ and not cls.__doc__.startswith(cls.__name__ + "("), "no docstring of its own"
    for spelling in (name.upper(), name.replace("-", "_"), name.replace("-", "")):
        assert get(kind, spelling) is cls


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_an_unknown_option_is_refused_with_the_nearest(kind, name):
    cls = get(kind, name)
    fields = [f.name for f in dataclasses.fields(cls)]
    refused(lambda: build(cls, {"zzzz": 1}), "has no option 'zzzz'") if fields else None
    for f in fields:
        typo = f + "x"
        assert f"did you mean '{f}'" in refused(lambda typo=typo: build(cls, {typo: 1}), typo)
    refused(lambda: get(kind, "x" + name + "y"), f"did you mean '{name}'")


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_value_of_the_wrong_type_is_refused(name):
    cls = get("system", name)
    for f in dataclasses.fields(cls):
        if type(getattr(cls(), f.name)) in (int, float):
            refused(lambda f=f: build(cls, {f.name: "three"}), f.name, "'three'")


def test_nothing_here_reads_a_pickle():
    assert os.environ.get("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD") is None
