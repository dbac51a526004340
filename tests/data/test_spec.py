"""What is learnt at fit is applied to new data, undone on output, and refuses what does not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tacit.data import Spec, load
from tacit.errors import InputError


def back(source, spec):
    return spec.undo(spec.prepare(source.read(0, source.n)))


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.int16]),
        st.tuples(st.integers(1, 12), st.integers(1, 5)),
        elements={"min_value": 0, "max_value": 100},
    ),
    st.sampled_from(["auto", "range", "standard", "none", "log"]),
)
def test_undo_takes_back_prepare_for_any_table(x, scale):
    source = load(x)
    spec = Spec.learn(source, scale)
    again = Spec.from_json(json.loads(json.dumps(spec.to_json())), spec.tensors())
    assert again == spec
    prepared = spec.prepare(x)
    assert prepared.dtype == torch.float32 and torch.isfinite(prepared).all()
    assert torch.equal(prepared, again.prepare(x))
    if spec.bounded:
        assert prepared.min() >= 0 and prepared.max() <= 1
    out = again.undo(prepared)
    assert out.dtype == x.dtype and out.shape == x.shape
    np.testing.assert_allclose(out, x, rtol=2e-5, atol=2e-4)
    spec.check(source)


@pytest.mark.parametrize(
    "shape", [(4, 9, 7), (4, 9, 7, 3), (4, 3, 9, 7), (4, 9, 7, 1), (4, 1, 9, 7), (4, 2, 9, 7)]
)
def test_pictures_of_bytes_come_back_exactly_in_the_layout_given(shape, rng):
    x = rng.integers(0, 256, shape, np.uint8)
    source = load(x)
    spec = Spec.learn(source)
    assert spec.shape[1:] == (9, 7) and spec.kind == "image" and spec.bounded
    prepared = spec.prepare(source.read(0, 4))
    assert tuple(prepared.shape[1:]) == spec.shape
    assert prepared.max() == x.max() / np.float32(255)
    out = spec.undo(prepared)
    assert out.dtype == np.uint8 and np.array_equal(out, x)


def test_flat_rows_become_pictures_and_go_back_flat(rng):
    x = rng.random((5, 256)).astype(np.float32)
    for shape in ((16, 16), (1, 16, 16), (16, 16, 1)):
        source = load(x, shape=shape)
        assert source.shape == (1, 16, 16) and source.kind == "image"
        assert np.array_equal(back(source, Spec.learn(source)), x)
    with pytest.raises(InputError, match="holds 225 numbers but a row has 256"):
        load(x, shape=(15, 15))


def test_float_pictures_keep_the_unit_range_and_learn_others():
    unit = load(np.linspace(0, 1, 2 * 9).reshape(2, 3, 3))
    spec = Spec.learn(unit)
    assert (
        spec.scale == "none"
        and spec.bounded
        and torch.equal(spec.prepare(unit.read(0, 2)).flatten()[-1:], torch.ones(1))
    )
    signed = load(np.linspace(-1, 1, 18).reshape(2, 3, 3))
    spec = Spec.learn(signed)
    x = spec.prepare(signed.read(0, 2))
    assert spec.bounded and (x.min(), x.max()) == (0, 1)
    np.testing.assert_allclose(back(signed, spec), np.linspace(-1, 1, 18).reshape(2, 3, 3), atol=1e-6)


def test_vectors_are_standardised_by_column_and_constants_do_not_divide_by_zero(rng):
    x = rng.normal([5, 1e9, 3], [1, 1e3, 0], (500, 3))
    source = load(x)
    spec = Spec.learn(source)
    z = spec.prepare(x)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(z.std(0, correction=0), [1, 1, 0], atol=1e-4)
    np.testing.assert_allclose(spec.undo(z), x, rtol=1e-9, atol=1e-4)
    assert not spec.bounded and Spec.learn(load(rng.random((50, 3)))).bounded


def test_log_scale_is_log2_over_its_maximum():
    x = np.array([[0, 1], [3, 7]])
    spec = Spec.learn(load(x), "log")
    np.testing.assert_allclose(spec.prepare(x), [[0, 1 / 3], [2 / 3, 1]], atol=1e-6)
    assert np.array_equal(spec.undo(spec.prepare(x)), x)
    with pytest.raises(InputError, match="counts from 0"):
        Spec.learn(load(x - 1), "log")


def test_statistics_in_blocks_equal_statistics_at_once(rng, monkeypatch):
    monkeypatch.setattr("tacit.data.source.BLOCK_BYTES", 64)
    x = rng.normal(1e6, 1, (301, 3))
    spec = Spec.learn(load(x), "standard")
    np.testing.assert_allclose(spec.shift, x.mean(0), rtol=1e-13)
    np.testing.assert_allclose(spec.gain, x.std(0), rtol=1e-7)


def test_whole_numbers_are_clipped_to_their_type():
    source = load(np.array([[0, 255], [128, 3]], np.uint8))
    spec = Spec.learn(source)
    assert spec.undo(torch.tensor([[99.0, -99.0]])).tolist() == [[255, 0]]
    wide = Spec(shape=(1,), raw_dtype="int64")
    assert wide.undo(torch.tensor([[1e30]])).tolist() == [[2**63 - 1]]
    assert Spec(shape=(1,), raw_dtype="bool").undo(torch.tensor([[0.7], [0.2]])).tolist() == [[True], [False]]


def test_a_spec_made_by_hand_needs_three_facts():
    spec = Spec(shape=(1, 28, 28), kind="image", bounded=True)
    x = torch.full((2, 1, 28, 28), 1.5)
    assert spec.dim == 784 and spec.prepare(x).max() == 1 and spec.undo(x).shape == (2, 1, 28, 28)
    assert x.max() == 1.5, "the rows given are not changed"


unit, bytes_ = np.random.default_rng(1).random((6, 8, 8)), np.arange(6 * 64).reshape(6, 8, 8) % 256
table = np.random.default_rng(2).normal(size=(30, 3))


@pytest.mark.parametrize(
    ("learnt", "given", "told"),
    [
        (unit, unit * 255, "the model learnt 0 to 1"),
        (unit, bytes_.astype(np.uint8), "the model learnt 0 to 1"),
        (bytes_.astype(np.uint8), unit, "multiply by 255"),
        (bytes_.astype(float), unit, "same units"),
        (unit, unit[:, :7], r"rows of shape \(1, 7, 8\); the model learnt \(1, 8, 8\)"),
        (unit, unit.reshape(6, 64), r"shape=\(8, 8\) to reshape"),
        (table, np.tile(table, 2), "rows of shape"),
        (table, table * 1e4, "same units"),
        (table, unit, "kind 'image'"),
        (np.abs(table) % 1, table - 5, "the model learnt 0 to 1"),
    ],
)
def test_new_data_that_does_not_fit_is_refused(learnt, given, told):
    spec = Spec.learn(load(learnt))
    spec.check(load(learnt[:3]))
    with pytest.raises(InputError, match=told):
        spec.check(load(given))


def test_other_columns_are_refused():
    pd = pytest.importorskip("pandas")
    spec = Spec.learn(load(pd.DataFrame(table, columns=["a", "b", "c"])))
    with pytest.raises(InputError, match="column 'c' where the model learnt 'b'"):
        spec.check(load(pd.DataFrame(table, columns=["a", "c", "b"])))


def test_like_brings_new_data_into_the_layout_that_was_learnt(rng):
    x = rng.integers(0, 256, (4, 6, 6, 3), np.uint8)
    spec = Spec.learn(load(x))
    for new in (x[:1], np.moveaxis(x[:1], -1, 1)):
        source = load(new, like=spec)
        spec.check(source)
        assert np.array_equal(source.read(0, 1)[0], np.moveaxis(x[0], -1, 0))
    y = Spec.learn(load((table, ["a", "b", "c"] * 10)))
    assert load((table[:2], ["c", "z"]), like=y).labels.tolist() == [2, 3] and y.n_classes == 3


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="did you mean 'standard'"):
        Spec.learn(load(table), "standart")
