"""Tables: categories, missing values, ids and labels, the same way for new data."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tacit.data import Spec, load
from tacit.errors import InputError

CSV = "name,age,colour,weight,group\n007,31,red,1.5,a\n008,,blue,2.5,b\n009,45,,3.5,a\n010,50,red,4.5,\n"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "people.csv"
    file.write_text(CSV)
    return file


def test_labels_ids_and_categories_by_name(path):
    source = load(path, id="name", label="group", missing="zero")
    assert source.feature_names == ["age", "colour=blue", "colour=red", "weight"]
    assert source.ids.tolist() == ["007", "008", "009", "010"]
    assert source.labels.tolist() == [0, 1, 0, -1] and source.class_names == ["a", "b"]
    assert source.read(1, 3).tolist() == [[0, 1, 0, 2.5], [45, 0, 0, 3.5]]
    assert load(path, columns=["weight"]).feature_names == ["weight"]


@pytest.mark.parametrize(("how", "age"), [("mean", 42.0), ("median", 45.0), ("zero", 0.0)])
def test_missing_values_are_filled_as_stated_and_alike_for_new_data(path, tmp_path, how, age):
    source = load(path, columns=["age", "weight"], missing=how)
    assert source.read(1, 2).tolist() == [[age, 2.5]]
    spec = Spec.learn(source)
    spec = Spec.from_json(json.loads(json.dumps(spec.to_json())), spec.tensors())
    new = tmp_path / "new.csv"
    new.write_text("weight,other,age\n9,x,\n8,y,100\n")
    assert load(new, like=spec).read(0, 2).tolist() == [[age, 9], [100, 8]]


def test_rows_with_missing_values_can_be_dropped_and_keep_their_names(path):
    source = load(path, id="name", label="group", missing="drop")
    assert source.ids.tolist() == ["007", "010"] and source.labels.tolist() == [0, -1]
    assert load(path, columns=["age"], missing="drop").ids.tolist() == [0, 2, 3]
    x = np.array([[1.0, np.nan], [2, 3]])
    assert load((x, [5, 6]), missing="drop").labels.tolist() == [1]
    assert load(x, missing="mean").read(0, 2).tolist() == [[1, 3], [2, 3]]


def test_new_data_is_encoded_with_the_categories_learnt(path, tmp_path):
    spec = Spec.learn(load(path, columns=["colour", "weight"], missing="mean"))
    new = tmp_path / "new.csv"
    new.write_text("weight,colour\n1,blue\n2,blue\n")
    source = load(new, like=spec)
    assert source.feature_names == ["colour=blue", "colour=red", "weight"]
    assert source.read(0, 1).tolist() == [[1, 0, 1]]
    frame = spec.frame(spec.prepare(source.read(0, 2)))
    assert frame["colour"].tolist() == ["blue", "blue"] and frame["weight"].tolist() == pytest.approx([1, 2])
    new.write_text("weight,colour\n1,bleu\n")
    with pytest.raises(InputError, match=r"'bleu' in row 1, which was not among .*did you mean 'blue'"):
        load(new, like=spec)
    new.write_text("weight,color\n1,blue\n")
    with pytest.raises(InputError, match="no column 'colour'; it has weight, color; did you mean 'color'"):
        load(new, like=spec)


def test_tsv_semicolons_gz_and_no_header(tmp_path):
    (tmp_path / "a.tsv").write_text("x\ty\n1\t2\n")
    (tmp_path / "b.csv").write_text("x;y\n1;2\n")
    (tmp_path / "c.csv").write_text("1,2\n3,4\n")
    pd.DataFrame({"x": [1], "y": [2]}).to_csv(tmp_path / "d.csv.gz", index=False)
    for name in ("a.tsv", "b.csv", "d.csv.gz"):
        assert load(tmp_path / name).read(0, 1).tolist() == [[1, 2]]
    assert load(tmp_path / "c.csv").read(0, 2).tolist() == [[1, 2], [3, 4]]


def test_columns_of_dataframes_of_any_type():
    frame = pd.DataFrame({
        "whole": pd.array([1, None], "Int64"), "flag": [True, False], "text": ["1.5", "2"],
        "kind": pd.Categorical(["u", "v"]), "single": np.array([1, 2], np.float32), 5: [7, 8],
    })  # fmt: skip
    source = load(frame, missing="mean")
    assert source.feature_names == ["whole", "flag", "text", "kind=u", "kind=v", "single", "5"]
    assert source.read(0, 2).tolist() == [[1, 1, 1.5, 1, 0, 1, 7], [1, 0, 2, 0, 1, 2, 8]]
    assert load(frame[["single"]]).dtype == np.float32 and load(frame[[5]]).dtype == np.int64


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        (CSV, {}, "missing values, first in row 2"),
        (CSV, {"label": "grup"}, "no column 'grup'.*did you mean 'group'"),
        (CSV, {"id": "nam"}, "did you mean 'name'"),
        (CSV, {"columns": ["ag"]}, "did you mean 'age'"),
        (CSV, {"missing": "men"}, "did you mean 'mean'"),
        (CSV, {"key": "x"}, "key= was given"),
        ("a,b\n1,2\nx,4\n5,6\n", {}, "the text 'x' in row 2; expected numbers"),
        ("a,b\n1,2,3\n", {}, "not a regular table"),
        ("a,b\n1,2\n1,2,3\n", {}, "not a regular table"),
        ("a,b\n1,inf\n", {}, "infinite value in row 1"),
        ("a,b\n", {}, "no rows"),
        ("a\n" + "".join(f"t{k}\n" for k in range(30)), {}, "30 different texts in 30 rows"),
        ("a,b\n1,\n2,\n", {"missing": "mean"}, "column 'b' of bad is empty"),
        ("a,b\n1,\n,2\n", {"missing": "drop"}, "missing value in every row"),
        ("y\na\n", {"label": "y"}, "no columns of data left"),
    ],
)
def test_bad_tables_get_one_sentence(tmp_path, text, options, told):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        load(path, **options)
    assert "\n" not in str(caught.value)
