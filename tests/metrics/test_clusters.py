from itertools import permutations

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.datasets import load_digits

from tacit import metrics as m


def labellings(seed, n=300, classes=5, clusters=4):
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    c = np.where(rng.random(n) < 0.5, y % clusters, rng.integers(clusters, size=n))
    return y, c


@pytest.mark.parametrize(
    ("classes", "clusters"), [(2, 2), (3, 3), (4, 2), (2, 5), (5, 5), (6, 6), (6, 4), (3, 6), (1, 3)]
)
def test_accuracy_is_the_best_of_all_assignments(classes, clusters):
    y, c = labellings(classes * 10 + clusters, 60, classes, clusters)
    side = max(classes, clusters)
    best = max(np.mean(np.array(p)[c] == y) for p in permutations(range(side)))
    assert float(m.accuracy(y, c)) == pytest.approx(best)


def test_matching_is_one_to_one_and_gives_the_accuracy():
    y, c = labellings(3, 200, 6, 6)
    pairs = m.matching(y, c)
    assert len(set(pairs.values())) == len(pairs) == 6
    assert np.mean([pairs[i] == j for i, j in zip(c, y, strict=True)]) == pytest.approx(
        float(m.accuracy(y, c))
    )


def test_splitting_a_class_costs_accuracy_but_not_purity():
    y, c = [0] * 6 + [1] * 4, [0] * 3 + [1] * 3 + [2] * 4
    assert float(m.accuracy(y, c)) == pytest.approx(0.7)
    assert float(m.purity(y, c)) == 1.0
    assert m.matching(y, c).keys() <= {0, 1, 2} and len(m.matching(y, c)) == 2


def test_many_to_one_chooses_on_fitted_rows_and_counts_on_others():
    y, c = labellings(1, 400, 3, 6)
    fit, new = slice(0, 150), slice(150, None)
    takes = {j: np.bincount(y[fit][c[fit] == j]).argmax() for j in np.unique(c[fit])}
    want = np.mean([takes[j] == i for i, j in zip(y[new], c[new], strict=True)])
    got = m.many_to_one(y[fit], c[fit], y[new], c[new])
    assert float(got) == pytest.approx(want) and got.low <= want <= got.high
    assert float(m.many_to_one(y, c, y, c)) == pytest.approx(float(m.purity(y, c)))
    assert float(got) < float(m.purity(y[new], c[new])), "purity reads the labels that it counts"


def test_a_cluster_without_a_fitted_row_is_wrong_and_unknown_labels_are_left_out():
    assert float(m.many_to_one([0, 1, -1], [0, 1, 2], [0, 1, 1, -1], [0, 1, 2, 2])) == pytest.approx(2 / 3)
    with pytest.raises(m._check.InputError, match="expected at least one known label"):
        m.many_to_one([-1], [0], [0], [0])


@pytest.mark.parametrize("seed", range(5))
def test_nmi_and_ari_equal_scikit_learn(seed):
    y, c = labellings(seed, 50 + 100 * seed, 2 + seed, 7 - seed)
    assert float(m.nmi(y, c)) == pytest.approx(sk.normalized_mutual_info_score(y, c), abs=1e-12)
    assert float(m.ari(y, c)) == pytest.approx(sk.adjusted_rand_score(y, c), abs=1e-12)


@pytest.mark.parametrize(
    "pair", [([0, 0, 0], [1, 1, 1]), ([0, 0, 0], [0, 1, 2]), ([0, 1, 2], [0, 1, 2]), ([0], [1])]
)
def test_degenerate_labellings_equal_scikit_learn(pair):
    assert float(m.nmi(*pair)) == pytest.approx(sk.normalized_mutual_info_score(*pair))
    assert float(m.ari(*pair)) == pytest.approx(sk.adjusted_rand_score(*pair))


def test_purity_by_hand_and_contingency_equals_scikit_learn():
    y, c = labellings(7)
    table = m.contingency(y, c)
    assert (table.table == sk.cluster.contingency_matrix(y, c)).all()
    assert table.table.sum() == 300
    by_hand = sum(max(np.sum((c == j) & (y == i)) for i in range(5)) for j in range(4)) / 300
    assert float(m.purity(y, c)) == pytest.approx(by_hand)


def test_unknown_labels_are_left_out_but_noise_clusters_are_not():
    y, c = labellings(1)
    some = y.copy()
    some[::3] = -1
    keep = some != -1
    for measure in (m.accuracy, m.purity, m.nmi, m.ari):
        assert measure(some, c) == measure(y[keep], c[keep])
    assert m.accuracy(some, c).n == keep.sum()
    assert float(m.accuracy([0, 0, 1, 1], [0, -1, -1, 1])) == 0.5


def test_words_and_integers_give_the_same():
    y, c = labellings(2)
    words = np.array(["ant", "bee", "cat", "dog", "elk"])[y]
    assert m.accuracy(words, c) == m.accuracy(y, c)


def test_bootstrap_interval_covers_the_truth_and_error_matches_repetition():
    p = np.array([[0.40, 0.10], [0.05, 0.45]])
    rng, n, inside, values, errors = np.random.default_rng(0), 400, 0, [], []
    for i in range(200):
        cell = rng.choice(4, size=n, p=p.ravel())
        f = m.accuracy(cell // 2, cell % 2, bootstrap=100, seed=i)
        inside += f.low <= 0.85 <= f.high
        values.append(f.value)
        errors.append(f.se)
    assert inside / 200 == pytest.approx(0.95, abs=0.05)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)


def test_bootstrap_is_seeded_and_bounded():
    y, c = labellings(4)
    assert m.nmi(y, c, seed=1) == m.nmi(y, c, seed=1)
    assert m.nmi(y, c, seed=1) != m.nmi(y, c, seed=2)
    perfect = m.accuracy(y, y)
    assert (perfect.value, perfect.se, perfect.low, perfect.high) == (1.0, 0.0, 1.0, 1.0)
    assert m.ari(y, c, bootstrap=0).se is None


def test_silhouette_equals_scikit_learn_whole_and_sampled():
    x, y = load_digits(return_X_y=True)
    whole = m.silhouette(x, y)
    assert float(whole) == pytest.approx(sk.silhouette_score(x, y), abs=1e-12)
    sampled = m.silhouette(x, y, sample=600, seed=3)
    assert sampled.n == 600
    assert float(sampled) == pytest.approx(float(whole), abs=4 * sampled.se)
    marked = y.copy()
    marked[y == 9] = -1
    assert float(m.silhouette(x, marked)) == pytest.approx(sk.silhouette_score(x[y < 9], y[y < 9]), abs=1e-12)


def test_stability_is_the_mean_ari_of_pairs():
    runs = [labellings(s)[1] for s in range(4)]
    pairs = [sk.adjusted_rand_score(runs[i], runs[j]) for i in range(4) for j in range(i)]
    f = m.stability(runs)
    assert float(f) == pytest.approx(np.mean(pairs)) and f.low <= f.value <= f.high
    noise = np.array([-1, -1, 0, 0, 1])
    assert float(m.stability([noise, noise])) == 1.0
    assert m.stability([noise, noise]).n == 5
