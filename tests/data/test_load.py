"""Every form of data that people have, on made files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from PIL import Image

from support import picture, write_idx
from tacit.data import Feed, Spec, load
from tacit.data.hub import from_datasets


def test_arrays_tensors_lists_and_pairs(rng):
    x = rng.normal(size=(7, 3))
    for data in (x, torch.from_numpy(x), x.tolist(), (x, np.arange(7)), load(x), x.astype(object)):
        source = load(data)
        assert source.shape == (3,) and source.kind == "vector" and np.allclose(source.read(0, 7), x)
    assert load((x, ["b", "a"] * 3 + [None])).labels.tolist() == [1, 0, 1, 0, 1, 0, -1]
    assert load((x, torch.tensor([3, 3, 9, 9, 3, -1, 9]))).class_names == ["3", "9"]
    assert load(torch.ones(2, 3, dtype=torch.bfloat16)).dtype == np.float32
    assert load(np.zeros((2, 3), bool)).dtype == bool
    assert load(np.zeros((4, 2, 8, 8, 8))).kind == "volume" and load(x, kind="sequence").shape == (3, 1)
    assert load(np.zeros((4, 6, 6)), kind="vector").shape == (36,)


def test_sparse_stays_sparse_until_a_batch(rng, monkeypatch):
    dense = rng.random((50, 400)) * (rng.random((50, 400)) < 0.05)
    source = load((sp.coo_matrix(dense), np.arange(50) % 3))
    spec = Spec.learn(source, "standard")
    largest = 0
    whole = sp.csr_array.toarray

    def toarray(matrix, *a, **k):
        nonlocal largest
        largest = max(largest, matrix.shape[0])
        return whole(matrix, *a, **k)

    monkeypatch.setattr(sp.csr_array, "toarray", toarray)
    batch = Feed(source, spec, 8, seed=0).next()
    assert source.sparse and largest == 8
    want = (dense[batch.index] - dense.mean(0)) / np.where(dense.std(0) > 0, dense.std(0), 1)
    np.testing.assert_allclose(batch.x, want, atol=1e-5)
    assert source.subset([3, 1]).sparse and np.allclose(source.subset([3, 1]).read(0, 2), dense[[3, 1]])


def test_npy_npz_and_scipy_npz(tmp_path, rng):
    x = rng.integers(0, 9, (6, 5, 4), np.uint8)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(6))
    np.save(tmp_path / "f.npy", np.asfortranarray(x))
    for name in ("x", "f"):
        assert np.array_equal(load(tmp_path / f"{name}.npy").read(0, 6)[:, 0], x)
    assert load(tmp_path / "x.npy", label=str(tmp_path / "y.npy")).labels.tolist() == list(range(6))
    np.savez(tmp_path / "a.npz", X=x, y=np.arange(6), other=x[:2])
    np.savez_compressed(tmp_path / "one.npz", anything=x)
    assert load(tmp_path / "a.npz").labels.tolist() == list(range(6)) and load(tmp_path / "one.npz").n == 6
    assert load(str(tmp_path / "a.npz"), key="other", label=None).n == 2
    sp.save_npz(tmp_path / "s.npz", sp.csr_matrix(np.eye(4)))
    assert load(tmp_path / "s.npz").sparse


def test_idx_plain_gz_folder_and_splits(mnist, tmp_path, rng):
    train, test = load(mnist), load(mnist, split="test")
    assert (train.n, test.n, train.shape, train.dtype) == (30, 20, (1, 28, 28), np.uint8)
    assert train.labels.tolist() == [k % 10 for k in range(30)] and train.name == "mnist/train"
    assert load(mnist, split="all").n == 50
    alone = load(mnist / "t10k-images-idx3-ubyte.gz")
    assert alone.labels is None and np.array_equal(alone.read(0, 20), test.read(0, 20))
    floats = rng.normal(size=(4, 3)).astype(">f4")
    assert np.array_equal(load(write_idx(tmp_path / "x-idx2-ubyte", floats, 0x0D)).read(0, 4), floats)


def test_hdf5_keys_groups_and_pictures(tmp_path, rng, monkeypatch):
    h5py = pytest.importorskip("h5py")
    x = rng.random((40, 256)).astype(np.float32)
    path = tmp_path / "usps" / "usps.h5"
    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        for split, rows in (("train", slice(0, 30)), ("test", slice(30, 40))):
            file.create_dataset(f"{split}/data", data=x[rows], chunks=(7, 16), compression="gzip")
            file.create_dataset(f"{split}/target", data=np.arange(40)[rows] % 10)
    a = load(path, key="train/data", label="train/target", shape=(16, 16))
    b = load(path.parent, shape=(1, 16, 16))
    assert a.shape == b.shape == (1, 16, 16) and a.labels.tolist() == b.labels.tolist()
    assert load(path, split="test").n == 10
    monkeypatch.setattr("tacit.data.source.STREAM_ABOVE_BYTES", 100)
    big = load(path, shape=(16, 16))
    assert not big.in_memory and big.blocks().tolist() == [0, 30]
    assert np.array_equal(big.take([29, 3]), a.take([29, 3]))


def test_picture_folder_with_labels_ids_and_fitting(tmp_path, rng):
    for k, name in enumerate(["cat/a.png", "cat/b.png", "dog/x.jpg", ".hidden/no.png"]):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(
            rng.integers(0, 256, (6, 5, 3), np.uint8) if k else np.full((6, 5), 7, np.uint8)
        ).save(path)
    source = load(tmp_path / "pets")
    assert (
        source.shape == (3, 6, 5)
        and source.class_names == ["cat", "dog"]
        and source.labels.tolist() == [0, 0, 1]
    )
    assert source.ids.tolist() == ["cat/a.png", "cat/b.png", "dog/x.jpg"] and (source.read(0, 1) == 7).all()
    fitted = load(tmp_path / "pets", shape=(4, 4))
    assert fitted.shape == (3, 4, 4) and load(tmp_path / "pets", shape=(1, 4, 4)).shape == (1, 4, 4)
    spec = Spec.learn(source)
    assert spec.undo(spec.prepare(source.read(0, 2))).shape == (2, 6, 5, 3)
    deep = tmp_path / "deep"
    deep.mkdir()
    Image.fromarray(np.full((3, 3), 40_000, np.uint16)).save(deep / "a.png")
    assert load(deep).dtype == np.uint16 and load(deep).read(0, 1).max() == 40_000


def test_picture_files_too_large_for_memory_are_decoded_as_needed(tmp_path, rng, monkeypatch):
    x = rng.integers(0, 256, (9, 4, 4), np.uint8)
    for k, row in enumerate(x):
        Image.fromarray(row).save(tmp_path / f"{k}.png")
    monkeypatch.setattr("tacit.data.pictures.STREAM_ABOVE_BYTES", 10)
    source = load(tmp_path)
    assert not source.in_memory and np.array_equal(source.read(2, 5)[:, 0], x[2:5])
    batch = Feed(source, Spec.learn(source), 3, 0).next()
    np.testing.assert_allclose(batch.x[:, 0] * 255, x[batch.index], atol=1e-4)


def hub_parquet(folder, rng, n=12, kind="PNG"):
    x = rng.integers(0, 256, (n, 5, 4, 3), np.uint8)
    folder.mkdir()
    frame = pd.DataFrame({"img": [{"bytes": picture(r, kind), "path": f"{k}.png"} for k, r in enumerate(x)]})
    frame["label"] = np.arange(n) % 3
    for split, rows in (("train", slice(0, 8)), ("test", slice(8, n))):
        frame[rows].to_parquet(folder / f"{split}-00000-of-00001.parquet", row_group_size=3)
    return x


def test_hub_parquet_folder_of_pictures(tmp_path, rng, monkeypatch):
    x = hub_parquet(tmp_path / "cifar", rng)
    source = load(tmp_path / "cifar")
    assert (source.n, source.shape, source.name) == (8, (3, 5, 4), "cifar/train")
    assert np.array_equal(source.layout.invert(source.read(0, 8)), x[:8])
    assert load(tmp_path / "cifar", split="test").labels.tolist() == [2, 0, 1, 2]
    assert load(tmp_path / "cifar", shape=(2, 2)).shape == (3, 2, 2)
    monkeypatch.setattr("tacit.data.columnar.STREAM_ABOVE_BYTES", 10)
    big = load(tmp_path / "cifar")
    assert not big.in_memory and np.array_equal(big.take([7, 0, 3]), source.take([7, 0, 3]))
    feed = Feed(big, Spec.learn(big), 4, 0)
    rows = torch.cat([feed.next().index for _ in range(2)])
    assert sorted(rows.tolist()) == list(range(8))


def test_parquet_columns_lists_and_streaming(tmp_path, rng, monkeypatch):
    frame = pd.DataFrame(rng.normal(size=(50, 3)).astype(np.float32), columns=["a", "b", "c"])
    frame["who"], frame["kind"] = [f"p{k}" for k in range(50)], ["x", "y"] * 25
    path = tmp_path / "t.parquet"
    frame.to_parquet(path, row_group_size=8)
    source = load(path, id="who", label="kind")
    assert (
        source.feature_names == ["a", "b", "c"] and source.ids[3] == "p3" and source.class_names == ["x", "y"]
    )
    assert load(path, columns=["c", "kind"]).feature_names == ["c", "kind=x", "kind=y"]
    monkeypatch.setattr("tacit.data.columnar.STREAM_ABOVE_BYTES", 10)
    for columns in (["a", "b", "c"], ["kind", "b"]):
        big = load(path, columns=columns, id="who")
        assert not big.in_memory
        monkeypatch.undo()
        small = load(path, columns=columns)
        monkeypatch.setattr("tacit.data.columnar.STREAM_ABOVE_BYTES", 10)
        assert np.array_equal(big.take([49, 0, 20]), small.take([49, 0, 20]))
        spec = Spec.learn(big, "standard")
        np.testing.assert_allclose(spec.shift, small.read(0, 50).astype(float).mean(0), atol=1e-12)
    vectors = tmp_path / "v.parquet"
    pd.DataFrame({"e": list(rng.normal(size=(6, 4))), "label": list("abcabc")}).to_parquet(vectors)
    assert load(vectors, key="e").shape == (4,) and load(vectors).class_names == ["a", "b", "c"]


def test_json_sequences_of_sets_numbers_and_rows(tmp_path):
    path = tmp_path / "songs.json"
    path.write_text('{"train": [[[60, 64], [], [67.0]], [[21]]], "test": [[[108], [60], [60], [61]]]}')
    source = load(path)
    assert source.shape == (4, 88) and source.lengths.tolist() == [3, 1] and source.name == "songs/train"
    on = [(r, t, int(source.feature_names[k])) for r, t, k in np.argwhere(source.read(0, 2))]
    assert on == [(0, 0, 60), (0, 0, 64), (0, 2, 67), (1, 0, 21)]
    spec = Spec.learn(source)
    assert spec.bounded and load(path, split="test").lengths.tolist() == [4]
    path.write_text("[[1.5, 2], [3]]")
    numbers = load(path)
    assert numbers.read(0, 2)[..., 0].tolist() == [[1.5, 2], [3, 0]]
    longer = Spec(shape=(5, 1), kind="sequence")
    assert load(path, like=longer).shape == (5, 1) and load(path, like=longer).lengths.tolist() == [2, 1]
    path.write_text("[[[1, 2], [3, 4]], [[5, 6]]]")
    assert load(path).shape == (2, 2)
    path.write_text('[{"a": 1, "b": "u"}, {"a": 2, "b": "v"}]')
    assert load(path).feature_names == ["a", "b=u", "b=v"]


def test_datasets_of_the_hub_library_become_sources(tmp_path):
    class Dataset:
        def __init__(self, frame):
            self.frame = frame

        def to_parquet(self, path):
            self.frame.to_parquet(path)

    found = {"train": Dataset(pd.DataFrame({"a": [1.0, 2], "label": [0, 1]})), "test": None}
    source = from_datasets(found, "hf:x", label="label")
    assert source.n == 2 and source.labels.tolist() == [0, 1] and source.feature_names == ["a"]


def test_saved_dataset_folder_of_the_real_library(tmp_path):
    datasets = pytest.importorskip("datasets", reason="needs the extra 'hub'")
    made = datasets.Dataset.from_dict({"a": [1.0, 2.0, 3.0], "label": [0, 1, 0]})
    datasets.DatasetDict({"train": made, "test": made.select([1])}).save_to_disk(tmp_path / "d")
    assert load(tmp_path / "d", label="label").n == 3 and load(tmp_path / "d", split="test").n == 1


def test_ids_survive_selection():
    frame = pd.DataFrame({"a": [1.0, 2, 3], "b": [4.0, 5, 6]}, index=["p", "q", "r"])
    source = load(frame)
    assert source.ids.tolist() == ["p", "q", "r"] and source.subset([2, 0]).ids.tolist() == ["r", "p"]
    assert load(frame.reset_index(drop=True)).ids is None
    assert source.subset(np.array([False, True, False])).read(0, 1).tolist() == [[2, 5]]


REAL = [
    ("mnist", {}, 60_000, (1, 28, 28), 10, (0, 255)),
    ("mnist", {"split": "test"}, 10_000, (1, 28, 28), 10, (0, 255)),
    ("cifar10", {"split": "test"}, 10_000, (3, 32, 32), 10, (0, 255)),
    ("usps", {"shape": (16, 16)}, 7_291, (1, 16, 16), 10, (0, 1)),
    ("usps", {"split": "test"}, 2_007, (256,), 10, (0, 1)),
    ("jsb", {}, 229, (640, 88), 0, (0, 1)),
    ("jsb", {"split": "valid"}, 76, (640, 88), 0, (0, 1)),
    ("cells", {}, 2_100, (20_670,), 16, (0, 303)),
]


@pytest.mark.parametrize(("name", "options", "n", "shape", "classes", "span"), REAL)
def test_real_data(real, name, options, n, shape, classes, span):
    source = load(real / name, **options)
    assert (source.n, source.shape) == (n, shape)
    rows = source.read(0, n)
    assert (rows.min(), rows.max()) == span
    if classes:
        counts = np.bincount(source.labels)
        assert len(counts) == classes == len(source.class_names)
        known = {
            ("mnist", 60_000): [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
            ("mnist", 10_000): [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
            ("cifar10", 10_000): [1000] * 10,
            ("usps", 7_291): [1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644],
            ("usps", 2_007): [359, 264, 198, 166, 200, 160, 170, 147, 166, 177],
            ("cells", 2_100): [550, 299, 268, 229, 184, 158, 102, 60, 53, 45, 30, 33, 33, 27, 21, 8],
        }
        assert counts.tolist() == known[name, n]
