"""Bad input: one sentence, exit code 2, no traceback, nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

AE = "fit autoencoder digits -o out --steps 2"
CASES = [
    # the program and its commands
    ("clusterr cg digits", "'clusterr'", "did you mean 'cluster'"),
    ("frobnicate", "'frobnicate'", "expected one of"),
    ("--colour", "'--colour'", "see tacit --help"),
    ("fit", "SYSTEM", "expected"),
    ("fit clustergan", "no DATA", "expected"),
    ("cluster cg", "no DATA", "expected"),
    ("cluster cg digits extra", "'extra'", "fewer"),
    ("systems extra", "'extra'", "fewer"),
    # systems and parts
    ("fit clutsergan digits", "'clutsergan'", "did you mean 'clustergan'"),
    ("fit nonsense digits", "'nonsense'", "expected one of"),
    ("fit clustergan digits --objective wassertein", "'wassertein'", "did you mean 'wasserstein'"),
    ("fit clustergan digits --penalty zzz", "'zzz'", "expected one of"),
    ("fit clustergan digits --n-cluster 10", "'--n-cluster'", "did you mean '--n-clusters'"),
    ("fit gan digits --penalty gradient-penalty --penalty.wieght 3", "'--penalty.wieght'", "did you mean '--penalty.weight'"),
    ("fit clustergan digits --penalty.one-sided", "'--penalty.one-sided'", "--help"),
    ("fit clustergan digits --n-clusters ten", "'ten'", "a whole number"),
    ("fit clustergan digits --n-clusters 2.5", "'2.5'", "a whole number"),
    ("fit clustergan digits --beta-n much", "'much'", "a number"),
    ("fit clustergan digits --n-clusters", "--n-clusters", "without a value"),
    ("fit clustergan digits --rule.betas 0.5", "'0.5'", "2 values"),
    ("fit clustergan digits --rule.schedule cosin", "'cosin'", "did you mean 'cosine'"),
    ("fit autoencoder digits --networks.widths 12,x", "'x'", "a whole number"),
    ("fit autoencoder digits --latent-dim 0", "latent_dim=0", "expected"),
    ("fit gan digits --objective wasserstein", "Wasserstein", "GradientPenalty"),
    ("fit autoencoder moons --networks dcgan", "moons|vector", "expected pictures"),
    ("fit kmeans few.npy --n-clusters 9", "n_clusters=9", "no more clusters than rows"),
    # the run
    (f"{AE} --steps 0", "steps=0", "1 or more"),
    (f"{AE} --steps many", "'many'", "a whole number"),
    (f"{AE} --batch-size -3", "batch_size=-3", "1 or more"),
    (f"{AE} --device tpu", "'tpu'", "expected"),
    (f"{AE} --precision float8", "float8", "expected"),
    (f"{AE} --checkpoint-every soon", "'soon'", "expected seconds"),
    (f"{AE} --ema 1.5", "1.5", "expected"),
    (f"{AE} --max-minutes 0", "max_minutes=0", "more than 0"),
    (f"{AE} --accumulate 7 --batch-size 64", "64 rows", "multiple of 7"),
    (f"{AE} --seed -1", "seed=-1", "0 or more"),
    (f"{AE} --stepz 3", "'--stepz'", "did you mean '--steps'"),
    (f"{AE} --patience 5", "--patience", "expected both"),
    (f"{AE} --watch generator/loss --patience 5", "'generator/loss'", "autoencoder"),
    (f"{AE} --patience 0 --watch autoencoder/loss", "patience=0", "1 or more"),
    ("fit autoencoder digits --steps 2 -o words.txt/run", "words.txt", "a folder"),
    ("fit autoencoder digits --steps 2 -o ae", "ae already holds a run", "overwrite"),
    ("fit --config nowhere.json digits -o out", "nowhere.json", "expected the config.json"),
    ("fit --config broken.json digits -o out", "broken.json", "mend it"),
    ("fit --config plain.json digits -o out", "plain.json", "'system'"),
    ("fit gan --config ae/config.json digits -o out", "'gan'", "autoencoder"),
    ("fit --config ae/config.json --from ae digits -o out", "both", "one of them"),
    ("fit --from nowhere digits -o out", "nowhere", "expected a folder"),
    ("fit --from ae digits --latent-dim 7 --steps 2 -o out", "ae", "same networks"),
    ("fit --from ae moons --steps 2 -o out", "moons", "the model learnt"),
    # the data
    ("fit autoencoder digitz -o out", "'digitz'", "did you mean 'digits'"),
    ("fit autoencoder nan.npy -o out", "nan.npy|nan", "expected|NaN|missing"),
    ("fit autoencoder empty.csv -o out", "empty.csv", "expected"),
    ("fit autoencoder words.txt -o out", "words.txt", "expected"),
    ("fit autoencoder model.pkl -o out", "model.pkl", "pickle"),
    ("fit autoencoder holes.csv -o out", "missing values", "choose missing="),
    ("fit autoencoder table.csv --label kind -o out", "'kind'", "species"),
    ("fit autoencoder table.csv --missing maybe -o out", "'maybe'", "expected one of"),
    ("fit autoencoder flat.npy --shape 9,9 -o out", "9", "64"),
    ("fit autoencoder flat.npy --shape a,b -o out", "'a'", "a whole number"),
    ("fit autoencoder weighted.csv --id name --weights ww -o out", "'ww'", "did you mean 'w'"),
    ("fit autoencoder digits --weights w -o out", "'w'", "expected a .npy file"),
    ("fit autoencoder few.npy --weights flat.npy -o out", "weights", "expected"),
    # parts from elsewhere
    ("fit gan ring8 --objective nowhere_at_all:Logistic -o out", "nowhere_at_all:Logistic", "Python path"),
    ("fit gan ring8 --objective json:JSONDecoder -o out", "json:JSONDecoder", "is not a part"),
    ("fit gan ring8 --objective tacit.penalties:NoPenalty -o out", "tacit.penalties:NoPenalty", "of the kind objective"),
    ("fit nowhere_at_all:Mine ring8 -o out", "nowhere_at_all:Mine", "Python path"),
    # comparisons
    ("compare moons -o out", "no compositions", "--of"),
    ("compare --of gan -o out", "no DATA", "expected"),
    ("compare moons --of gaan -o out", "'gaan'", "did you mean 'gan'"),
    ("compare moons --of gan:objetive=hinge -o out", "'objetive'", "did you mean 'objective'"),
    ("compare moons --of gan:objective=hinj -o out", "'hinj'", "did you mean 'hinge'"),
    ("compare moons --of gan:objective -o out", "'objective' has no value", "OPTION=VALUE"),
    ("compare moons --of gan:pack=2,pack=3 -o out", "pack stands twice", "leave one out"),
    ("compare moons --of gan:objective=wasserstein -o out", "Wasserstein", "GradientPenalty"),
    ("compare moons --of gan --of gan -o out", "'gan' twice", "--of other="),
    ("compare moons --of gan --networkz mlp -o out", "'--networkz'", "did you mean '--networks'"),
    ("compare moons --of gan --of kmeans --pack 2 -o out", "--pack", "options that all have"),
    ("compare moons --of gan --of gmmn -o out", "batch_size", "expected one for all"),
    ("compare moons --of gan --networks dcgan -o out", "moons|vector", "expected pictures"),
    ("compare moons --of gan --seeds 0 -o out", "'0'", "1 or more"),
    ("compare moons --of gan --seeds 1,1 -o out", "[1, 1]", "all different"),
    ("compare moons --of gan --seed 3 -o out", "'--seed'", "did you mean '--seeds'"),
    ("compare moons --of gan --precision auto -o out", "auto", "name one"),
    ("compare moons --of gan --steps 0 -o out", "steps=0", "1 or more"),
    ("compare moons --of gan --jobs 0 -o out", "--jobs", "1 or more"),
    ("compare moons --of gan -n 1 -o out", "samples=1", "2 or more"),
    ("compare moonz --of gan -o out", "'moonz'", "did you mean 'moons'"),
    ("compare nan.npy --of gan -o out", "nan", "expected|NaN|missing"),
    ("compare moons --of gan --features words.txt -o out", "words.txt", "expected"),
    ("compare flat.npy --of gan --features trained -o out", "no labels|has none", "name the labels"),
    ("compare moons --of gan --test-split test -o out", "split", "moons"),
    ("compare moons --of gan -o words.txt", "words.txt", "a folder"),
    ("compare moons --of gan --list nowhere.json -o out", "nowhere.json", "check the path"),
    ("compare moons --list broken.json -o out", "broken.json", "mend it"),
    ("compare moons --list plain.json -o out", "holds dict", "expected a list"),
    # uses
    ("resume nowhere", "nowhere", "expected a folder"),
    ("resume ae", "ae is finished", "fit --from"),
    ("sample ae -o s.npy", "cannot sample", "systems that can"),
    ("sample gan -o s.png", "s.png", "use .npy"),
    ("sample gan", "no -o", "expected a file"),
    ("sample gan -n 0 -o s.npy", "'0'", "1 or more"),
    ("sample gan -n 4 -o s.txt", "s.txt", "rename"),
    ("cluster ae digits", "cannot cluster", "clustergan"),
    ("cluster cg odd.npy -o l.csv", "odd", "(63,)"),
    ("cluster cg digits -o l.npy", "l.npy", ".csv"),
    ("cluster cg nowhere.npy -o l.csv", "nowhere.npy", "expected a path"),
    ("cluster nowhere digits", "nowhere", "expected a folder"),
    ("encode gan ring8 -o z.npy", "cannot encode", "systems that can"),
    ("encode ae digits -o ae", "'ae'", "expected"),
    ("evaluate cg digits --features nowhere.safetensors", "nowhere.safetensors", "expected"),
    ("evaluate cg digits --k 0", "--k 0", "1 or more"),
    ("features moons.npy -o f.safetensors", "moons.npy", "expected a path"),
    ("features flat.npy -o f.safetensors", "flat", "no labels"),
    ("cite nothing", "'nothing'", "expected one of"),
    ("reproduce moonshot", "'moonshot'", "claim"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "got", "expected"), CASES, ids=[c[0][:60] for c in CASES])
def test_bad_input(line: str, got: str, expected: str, shop: Path, tacit: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop)
    before = {p: p.stat().st_mtime_ns for p in shop.rglob("*")}
    answer = tacit(*line.split())
    lines = answer.err.strip().splitlines()
    assert answer.code == 2, answer
    assert len(lines) == 1 and lines[0].startswith("error: "), answer.err
    assert "Traceback" not in answer.err + answer.out
    assert answer.out == ""
    assert any(g in lines[0] for g in got.split("|")), lines[0]
    assert any(e in lines[0] for e in expected.split("|")), lines[0]
    assert {p: p.stat().st_mtime_ns for p in shop.rglob("*")} == before


def test_the_table_is_large_enough() -> None:
    assert len({line for line, _, _ in CASES}) == len(CASES) >= 30


def test_an_unexpected_error_is_one_line_and_says_how_to_see_more(tacit: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    from tacit.cli import systems

    def broken() -> list[dict]:
        raise KeyError("inner")

    monkeypatch.setattr(systems, "rows", broken)
    answer = tacit("systems")
    assert answer.code == 1
    assert len(answer.err.strip().splitlines()) == 1
    assert "KeyError" in answer.err and "TACIT_DEBUG=1" in answer.err
    monkeypatch.setenv("TACIT_DEBUG", "1")
    assert "Traceback" in tacit("systems").err
