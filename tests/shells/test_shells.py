"""What a scikit-learn user does with a shell: parameters inside the system, searches, pipelines, pickles, refusals."""

from __future__ import annotations

import pickle
import pickletools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import tacit
from shell_systems import RUN, SMALL, Softmax
from tacit.errors import InputError
from tacit.sklearn import Classifier, Clusterer, Generator, OutlierDetector, Transformer

KMEANS = tacit.KMeans(n_clusters=3, n_init=2)
CODER = tacit.Autoencoder(latent_dim=2, networks=SMALL)
WGAN = tacit.WGANGP(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(8,)))


def blobs(n: int = 90, d: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return 6.0 * np.eye(3, d)[y] + 0.3 * rng.normal(size=(n, d)), y


def test_parameters_reach_the_system_and_its_parts() -> None:
    shell = Clusterer(WGAN)
    params = shell.get_params()
    assert params["system"] is WGAN and params["system__penalty__weight"] == 10.0
    assert params["system__networks__widths"] == (8,) and params["system__critic_steps"] == 5
    assert not any("__" in k for k in shell.get_params(deep=False))
    shell.set_params(system__penalty__weight=3.0, system__critic_steps=2, steps=7)
    assert (shell.system.penalty.weight, shell.system.critic_steps, shell.steps) == (3.0, 2, 7)
    assert WGAN.penalty.weight == 10.0 and shell.system.prior is WGAN.prior


def test_a_part_and_its_field_can_be_set_together() -> None:
    shell = Generator(WGAN).set_params(system__penalty__weight=5.0, system__penalty=tacit.GradientPenalty(1.0, one_sided=True))
    assert shell.system.penalty == tacit.GradientPenalty(5.0, one_sided=True)
    swapped = shell.set_params(system=KMEANS, system__n_clusters=5)
    assert swapped.system == tacit.KMeans(n_clusters=5, n_init=2)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"system__n_cluster": 4}, "did you mean 'n_clusters'"),
        ({"stepz": 4}, "did you mean 'steps'"),
        ({"system__n_clusters__x": 4}, "expected a part with fields"),
        ({"steps__x": 4}, "expected a part with fields"),
        ({"system__n_clusters": "many"}, "expected int"),
        ({"system__n_clusters": 0}, "expected 1 or more"),
    ],
)
def test_a_wrong_parameter_is_explained_and_changes_nothing(params: dict[str, Any], words: str) -> None:
    shell = Clusterer(KMEANS)
    before = shell.get_params()
    with pytest.raises(InputError, match=words):
        shell.set_params(**{"random_state": 3, **params})
    assert shell.get_params() == before


def test_a_composition_without_meaning_is_refused_as_a_whole() -> None:
    with pytest.raises(InputError, match="Lipschitz"):
        Generator(WGAN).set_params(system__penalty=tacit.NoPenalty())
    Generator(WGAN).set_params(system__penalty=tacit.NoPenalty(), system__objective=tacit.NonSaturating())


def test_clone_copies_parameters_and_no_fit() -> None:
    X, _ = blobs()
    shell = Clusterer(KMEANS, random_state=1).fit(X)
    copy = clone(shell)
    assert copy.get_params() == shell.get_params() and not hasattr(copy, "model_")


def test_a_search_over_the_systems_own_fields() -> None:
    X, y = blobs()
    search = GridSearchCV(
        Clusterer(KMEANS, random_state=0, device="cpu"), {"system__n_clusters": [2, 3, 6]}, cv=3, scoring="adjusted_rand_score"
    ).fit(X, y)
    assert search.best_params_ == {"system__n_clusters": 3} and search.best_score_ == 1.0
    density = GridSearchCV(
        Generator(tacit.GaussianMixture(n_init=1), random_state=0, device="cpu"), {"system__n_clusters": [1, 3]}, cv=3
    ).fit(X[::-1])
    assert density.best_params_ == {"system__n_clusters": 3}


def test_shells_follow_each_other_in_a_pipeline() -> None:
    X, y = blobs()
    coder = Transformer(CODER, **{**RUN, "steps": 60}, random_state=0)
    pipe = Pipeline([("scale", StandardScaler()), ("code", coder), ("cluster", Clusterer(KMEANS, random_state=0, device="cpu"))])
    pipe.set_params(code__system__latent_dim=3, code__system__rule__lr=0.03, cluster__system__n_clusters=3)
    labels = pipe.fit_predict(X)
    assert adjusted_rand_score(y, labels) > 0.9
    assert np.array_equal(pipe.predict(X), labels)
    assert pipe[:-1].transform(X).shape == (90, 3)
    assert list(pipe[:-1].get_feature_names_out()) == ["transformer0", "transformer1", "transformer2"]
    frame = make_pipeline(StandardScaler(), clone(coder)).set_output(transform="pandas").fit_transform(X)
    assert isinstance(frame, pd.DataFrame) and frame.shape == (90, 3)


def test_random_state_is_read_as_scikit_learn_reads_it() -> None:
    X, _ = blobs()

    def codes(state: Any) -> np.ndarray:
        return Transformer(CODER, **RUN, random_state=state).fit_transform(X)

    assert np.array_equal(codes(0), codes(0)) and not np.array_equal(codes(0), codes(1))
    assert np.array_equal(codes(np.random.RandomState(5)), codes(np.random.RandomState(5)))
    shared = np.random.RandomState(5)
    assert not np.array_equal(codes(shared), codes(shared))
    assert np.array_equal(codes(3), tacit.fit(CODER, X, seed=3, **RUN).encode(X))
    with pytest.raises(ValueError, match="cannot be used to seed"):
        codes("today")


FITTED = {
    "clusterer": (Clusterer(KMEANS, random_state=0, device="cpu"), "predict"),
    "transformer": (Transformer(CODER, **RUN, random_state=0), "transform"),
    "generator": (Generator(tacit.GaussianMixture(n_clusters=2), random_state=0, device="cpu"), "score_samples"),
    "detector": (OutlierDetector(CODER, **RUN, random_state=0), "decision_function"),
    "classifier of one's own": (Classifier(Softmax(), random_state=0, device="cpu"), "predict"),
}


@pytest.mark.parametrize("name", FITTED)
def test_a_fitted_shell_pickles_as_plain_bytes(name: str) -> None:
    X, y = blobs()
    shell, use = FITTED[name]
    shell = clone(shell).fit(X, y)
    data = pickle.dumps(shell)
    words = [str(arg) for op, arg, _ in pickletools.genops(data) if op.name in ("GLOBAL", "SHORT_BINUNICODE", "BINUNICODE")]
    assert not [w for w in words if w.split(".")[0].split(" ")[0] == "torch"]
    again = pickle.loads(data)
    assert np.array_equal(getattr(again, use)(X), getattr(shell, use)(X))
    assert again.n_features_in_ == 4 and again.model_.run is None and again.model_.log == shell.model_.log
    assert len(pickle.dumps(again)) == pytest.approx(len(data), rel=0.01)


def test_outliers_are_found_at_the_stated_share() -> None:
    X, _ = blobs()
    far = np.vstack([X, 40 + X[:4]])
    detector = OutlierDetector(tacit.GaussianMixture(n_clusters=1), contamination=4 / 94, random_state=0).fit(far)
    assert np.flatnonzero(detector.predict(far) == -1).tolist() == [90, 91, 92, 93]
    assert np.array_equal(detector.predict(far) == 1, detector.decision_function(far) >= 0)
    with pytest.raises(InputError, match=r"share in \(0, 0.5\]"):
        OutlierDetector(tacit.GaussianMixture(), contamination=0.7).fit(X)


def test_a_classifier_gives_back_the_callers_classes_and_skips_unlabelled_rows() -> None:
    X, y = blobs()
    names = np.array(["ant", "bee", "cat"])[y]
    shell = Classifier(Softmax(), random_state=0, device="cpu")
    assert (shell.fit(X, names).predict(X) == names).mean() == 1.0
    few = np.where(np.arange(90) < 9, names, "?")
    part = clone(shell).set_params(unlabelled="?").fit(X, few)
    assert list(part.classes_) == ["ant", "bee", "cat"] and part.score(X, names) > 0.95
    with pytest.raises(InputError, match="all 90 rows are unlabelled"):
        clone(part).fit(X, ["?"] * 90)


def test_generated_rows_have_the_fitted_rows_shape_and_units() -> None:
    X, _ = blobs()
    shell = Generator(tacit.GaussianMixture(n_clusters=3), random_state=0, device="cpu").fit(100 * X)
    rows = shell.sample(300, random_state=1)
    assert rows.shape == (300, 4) and np.array_equal(rows, shell.sample(300, random_state=1))
    assert rows[:, :3].max() == pytest.approx(600, rel=0.25)
    assert shell.score(100 * X) == pytest.approx(shell.score_samples(100 * X).mean())


def test_pictures_flat_or_not() -> None:
    X = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    conv = tacit.VAE(latent_dim=2, networks=tacit.networks.DCGAN(width=4))
    flat = Transformer(conv, **RUN, random_state=0, shape=(8, 8)).fit(X.reshape(40, 64))
    deep = Transformer(conv, **RUN, random_state=0).fit(X)
    assert np.array_equal(flat.transform(X.reshape(40, 64)), deep.transform(X))
    back = flat.inverse_transform(flat.transform(X.reshape(40, 64)))
    assert back.shape == (40, 64) and back.dtype == np.uint8
    with pytest.raises(InputError, match="expected pictures"):
        Transformer(conv, **RUN).fit(X.reshape(40, 64))


def test_sparse_rows_give_what_dense_rows_give() -> None:
    X, _ = blobs()
    X = np.where(np.abs(X) < 1, 0, X)
    dense, sparse = (Clusterer(KMEANS, random_state=0, device="cpu").fit(x) for x in (X, sp.csr_matrix(X)))
    assert np.array_equal(dense.labels_, sparse.labels_)
    assert np.array_equal(dense.predict(X), sparse.predict(sp.coo_array(X)))


def test_one_row_can_be_labelled_but_not_learnt_from() -> None:
    X, _ = blobs()
    shell = Clusterer(KMEANS, random_state=0, device="cpu").fit(X)
    assert shell.predict(X[:1]).tolist() == shell.labels_[:1].tolist()
    with pytest.raises(ValueError, match="1 sample"):
        clone(shell).fit(X[:1])


def test_columns_keep_their_names_and_order() -> None:
    X, _ = blobs()
    frame = pd.DataFrame(X, columns=list("abcd"))
    shell = Clusterer(KMEANS, random_state=0, device="cpu").fit(frame)
    assert list(shell.feature_names_in_) == list("abcd") and shell.n_features_in_ == 4
    with pytest.raises(ValueError, match="feature names"):
        shell.predict(frame[list("badc")])
    with pytest.raises(ValueError, match="expecting 4 features"):
        shell.predict(X[:, :3])


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        (Clusterer(CODER), "Autoencoder, which cannot cluster.*kmeans"),
        (Transformer(WGAN), "WGANGP, which cannot encode.*vae"),
        (Generator(KMEANS), "KMeans, which cannot sample.*vae"),
        (OutlierDetector(KMEANS), "KMeans, which cannot score"),
        (Classifier(KMEANS), "KMeans, which cannot predict"),
        (Clusterer(), "system=None; expected a system"),
        (Clusterer(tacit.KMeans), "expected a system.*pass an instance"),
    ],
)
def test_a_shell_refuses_a_system_that_cannot_do_its_work(shell: Any, words: str) -> None:
    X, y = blobs()
    with pytest.raises(InputError, match=words):
        shell.fit(X, y)


def test_methods_exist_where_the_system_has_them() -> None:
    X, _ = blobs()
    assert hasattr(Clusterer(KMEANS), "transform") and not hasattr(Clusterer(WGAN), "transform")
    assert hasattr(Transformer(CODER), "inverse_transform") and not hasattr(Transformer(KMEANS), "inverse_transform")
    assert hasattr(Generator(tacit.VAE()), "score_samples") and not hasattr(Generator(WGAN), "score_samples")
    for shell, use in FITTED.values():
        with pytest.raises(NotFittedError):
            getattr(clone(shell), use)(X)


def test_run_options_reach_the_fit() -> None:
    X, _ = blobs()
    lines: list[int] = []
    options = {"log_every": 2, "callbacks": [lambda state: lines.append(state["step"])], "ema": 0.9}
    shell = Transformer(CODER, **{**RUN, "steps": 6}, random_state=0, fit_options=options).fit(X)
    assert lines == [2, 4, 6] and shell.model_.info["steps"] == 6 and shell.model_.info["batch_size"] == 16
    with pytest.raises(InputError, match="did you mean 'log_every'"):
        clone(shell).set_params(fit_options={"log_evry": 2}).fit(X)
