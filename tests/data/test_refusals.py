"""Bad data gets one sentence: what was got, what was expected, what to do."""

from __future__ import annotations

import gzip
import zipfile

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from PIL import Image

from support import picture, write_idx
from tacit.data import labelled, load, worlds
from tacit.errors import InputError

bad = np.ones((5, 2))
bad[3, 1] = np.nan


@pytest.mark.parametrize(
    ("data", "options", "told"),
    [
        ("digts", {}, "no file, folder or data set called 'digts'.*did you mean 'digits'"),
        ("nowhere/x.npy", {}, "no file, folder or data set"),
        ("ring8:wide", {}, "radius 'wide'"),
        ("moons:3", {}, "no data called 'moons:3'"),
        ("stacked", {}, "give the folder"),
        ("digits", {"label": "y"}, "label= was given"),
        (bad, {}, "NaN in row 3"),
        (np.where(np.isnan(bad), np.inf, bad), {}, "an infinite value in row 3"),
        (torch.tensor(bad), {}, "NaN in row 3"),
        (sp.csr_array(bad), {}, "NaN in row 3"),
        (np.ones((0, 3)), {}, "no rows"),
        (np.ones((3, 0)), {}, "holds no number"),
        (np.ones(5), {}, "one number a row"),
        (np.float64(3), {}, "single value"),
        (np.array([["a", "b"]]), {}, "expected real numbers"),
        (np.array([[1, "b"]], object), {}, "holds a str"),
        (np.ones((3, 2), complex), {}, "complex128; expected real numbers"),
        ([[1, 2], [3]], {}, "different lengths"),
        ((np.ones((3, 2)), [1, 2]), {}, "3 rows but 2 labels"),
        ((np.ones((3, 2)), [0.5, 1, 2]), {}, "hold 0.5; expected classes"),
        ((np.ones((3, 2)), np.ones((3, 2))), {}, "one label for each row"),
        (np.ones((3, 4)), {"kind": "imge"}, "did you mean 'image'"),
        (np.ones((3, 4)), {"kind": "image"}, "give shape="),
        (np.ones((3, 4)), {"shape": (3, 3)}, "product is 4"),
        (np.ones((3, 2, 2, 2, 2, 2)), {}, "expected .columns"),
        (np.ones((3, 2)), {"key": "X"}, "key= was given"),
        (pd.DataFrame({"a": [1]}), {"label": "b"}, "no column 'b'"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), {}, "two columns called 'a'"),
        (pd.DataFrame({"a": pd.to_datetime(["2020-01-01"])}), {}, "holds dates"),
        (pd.DataFrame({"a": [[1], [2]]}), {}, "holds list values"),
        (object(), {}, "holds a object"),
    ],
)
def test_bad_values(data, options, told):
    refused(lambda: load(data, **options), told)


def test_bad_files(tmp_path):
    def file(name, content=b""):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    np.save(tmp_path / "good.npy", np.ones((100, 9)))
    good = (tmp_path / "good.npy").read_bytes()
    np.save(tmp_path / "objects.npy", np.array([{}, 1], object), allow_pickle=True)
    np.savez(tmp_path / "two.npz", first=np.ones((3, 2)), second=np.ones((4, 2)))
    np.savez(tmp_path / "objects.npz", X=np.array([[None], [1]], object))
    png = picture(np.zeros((4, 4), np.uint8))
    idx = write_idx(tmp_path / "a-images-idx3-ubyte", np.ones((3, 2, 2), np.uint8)).read_bytes()
    pd.DataFrame({"a": [1.0], "b": [2.0]}).to_parquet(tmp_path / "t.parquet")
    cases = [
        (file("empty.npy"), {}, "is empty"),
        (file("cut.npy", good[:-8]), {}, "cut short: 7,320 bytes where 7,328"),
        (file("header.npy", good[:20]), {}, "not a readable .npy"),
        (file("text.npy", b"hello world"), {}, "not a readable .npy"),
        (tmp_path / "objects.npy", {}, "Python objects, which would have to be unpickled"),
        (tmp_path / "objects.npz", {}, "Python objects, which would have to be unpickled"),
        (tmp_path / "two.npz", {}, "holds first, second; expected to be told which"),
        (tmp_path / "two.npz", {"key": "frist"}, "it holds first, second; did you mean 'first'"),
        (file("cut.npz", (tmp_path / "two.npz").read_bytes()[:90]), {}, "not a readable .npz"),
        (file("b-idx3-ubyte", b"\x01" + idx[1:]), {}, "starts with 01 00 08 03, which is not IDX"),
        (file("c-idx3-ubyte", idx[:-1]), {}, "is cut short: 27 bytes where 28"),
        (file("d-idx3-ubyte", idx + b"0"), {}, "is too long"),
        (file("e-idx3-ubyte.gz", gzip.compress(idx)[:-9]), {}, "damaged .gz"),
        (file("t.h5", b"not hdf5"), {}, "not a readable HDF5"),
        (file("cut.parquet", (tmp_path / "t.parquet").read_bytes()[:-9]), {}, "not a readable parquet"),
        (tmp_path / "t.parquet", {"key": "c"}, "no column 'c'; it has a, b"),
        (tmp_path / "t.parquet", {"label": "bb"}, "did you mean 'b'"),
        (file("l.csv", b"a,b\n\xff\xfe,1\n"), {}, "not text in UTF-8"),
        (file("s.json", b'{"train": [[1, 2'), {}, "not readable JSON"),
        (file("n.json", b"[[1, NaN]]"), {}, "has NaN; expected finite"),
        (file("m.json", b"[[1, [2]]]"), {}, "mixes numbers and lists"),
        (file("o.json", b'[["a"]]'), {}, "has 'a' in a sequence"),
        (file("p.json", b'{"train": [[1]], "test": [[1]]}'), {"split": "tset"}, "did you mean 'test'"),
        (file("model.pkl", b"x"), {}, "is a pickle"),
        (file("x.docx", b"x"), {}, "of a kind that cannot be read"),
        (tmp_path / "nowhere.npy", {}, "no file, folder"),
        (tmp_path / "goood.npy", {}, "did you mean 'good.npy'"),
    ]
    assert zipfile.is_zipfile(tmp_path / "two.npz") and png
    for path, options, told in cases:
        refused(lambda p=path, o=options: load(p, **o), told)


def test_bad_folders(tmp_path, mnist):
    empty, mixed, broken, shards = (tmp_path / n for n in ("empty", "mixed", "broken", "shards"))
    for folder in (empty, mixed, broken, shards):
        folder.mkdir()
    for k in range(3):
        Image.new("L", (4, 4)).save(mixed / f"{k}.png")
    Image.new("L", (5, 4)).save(mixed / "odd.png")
    Image.new("L", (4, 4)).save(broken / "a.png")
    (broken / "b.png").write_bytes((broken / "a.png").read_bytes()[:40])
    pd.DataFrame({"a": [1]}).to_parquet(shards / "train-00000-of-00002.parquet")
    refused(lambda: load(empty), "holds no pictures")
    refused(lambda: load(mixed), r"2 sizes: 3 are 4 × 4 px but odd.png is 5 × 4.*give shape=")
    refused(lambda: load(broken), "b.png is not a readable picture")
    refused(lambda: load(shards), "1 of the 2 'train' files")
    refused(lambda: load(mnist, split="tets"), "has no split 'tets'; it has t.*did you mean 'test'")
    refused(lambda: load(mixed, split="train"), "split= was given")
    (mixed / "odd.png").unlink()
    refused(lambda: load(f"stacked:{mixed}"), "labelled grey pictures")
    (mnist / "train-labels-idx1-ubyte.gz").unlink()
    write_idx(mnist / "train-labels-idx1-ubyte.gz", np.zeros(29, np.uint8))
    refused(lambda: load(mnist), "30 rows but 29 labels")


def test_the_hub_needs_its_extra(monkeypatch):
    import builtins

    real = builtins.__import__

    def without(name, *a, **k):
        if name.split(".")[0] == "datasets":
            raise ImportError(name)
        return real(name, *a, **k)

    monkeypatch.setattr("importlib.import_module", lambda name: without(name))
    refused(lambda: load("hf:ylecun/mnist"), r"tacit\[hub\]")


def test_bad_requests_for_labels():
    digits = load("digits")
    refused(lambda: labelled(load(np.ones((3, 2))), count=1), "has no labels")
    refused(lambda: labelled(digits), "exactly one of")
    refused(lambda: labelled(digits, fraction=2), "from 0 to 1")
    refused(lambda: labelled(digits, count=9999), "1797 rows have labels")
    refused(lambda: digits.take([1797]), "which has 1797 rows")
    refused(lambda: digits.with_labels([1, 2]), "one for each row")
    refused(lambda: worlds.modes("moons"), "no Gaussian modes")


def refused(call, told):
    with pytest.raises(InputError, match=told) as caught:
        call()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
