import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits, make_moons
from torch import nn

from tacit import metrics as m
from tacit.errors import InputError


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return (x.reshape(-1, 1, 8, 8).astype(np.float32) / 16)[order], y[order]


@pytest.fixture(scope="module")
def net(digits):
    x, y = digits
    return m.train_classifier(
        x[:1400], y[:1400], test=(x[1400:], y[1400:]), epochs=10, batch_size=64, width=8
    )


def test_pictures_are_learnt(net, digits):
    x, y = digits
    assert float(net.accuracy) > 0.97 and net.accuracy.n == 397
    p = net.probabilities(x[1400:])
    assert p.shape == (397, 10) and np.allclose(p.sum(1), 1)
    assert (net.classes[p.argmax(1)] == net.predict(x[1400:])).all()
    assert np.mean(net.predict(torch.from_numpy(x[1400:])) == y[1400:]) == pytest.approx(float(net.accuracy))
    assert not net.training


def test_features_tell_moved_pictures_from_real_ones(net, digits):
    x, _ = digits
    f = m.extract(net, x)
    assert f.shape == (1797, 128) and f.dtype == np.float64
    good = m.fid(f[:800], f[800:1600], error=False)
    bad = m.fid(f[:800], m.extract(net, np.roll(x[800:1600], 3, axis=2)), error=False)
    assert bad.value > 5 * good.value


def test_batches_do_not_matter_and_the_mode_is_restored(net, digits):
    x, _ = digits
    np.testing.assert_allclose(m.extract(net, x[:50], batch_size=7), m.extract(net, x[:50]), atol=1e-5)
    plain = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 4)).train()
    assert m.extract(plain, x[:5]).shape == (5, 4) and plain.training
    assert (m.extract(plain, x[:5]) == m.extract(plain, x[:5])).all()
    assert (m.extract("pixels", x) == m.pixels(x)).all() and m.pixels(x).shape == (1797, 64)


def test_saved_and_loaded_is_the_same_network(net, digits, tmp_path):
    x, _ = digits
    path = tmp_path / "deep" / "digits.safetensors"
    net.save(path)
    again = m.load_classifier(path)
    assert (again.probabilities(x) == net.probabilities(x)).all()
    assert again.accuracy == net.accuracy and (again.classes == net.classes).all()
    assert (m.extract(path, x) == m.extract(net, x)).all()
    assert [p.name for p in path.parent.iterdir()] == ["digits.safetensors"]
    net.save(path)
    assert m.load_classifier(str(path)).options == net.options


def test_vectors_are_learnt_in_any_units_and_labels_keep_their_numbers():
    x, y = make_moons(1200, noise=0.1, random_state=0)
    labels = np.where(y == 0, 7, 42)
    labels[::10] = -1
    net = m.train_classifier(x * [1e4, 1e-3], labels, epochs=30)
    assert float(net.accuracy) > 0.97 and set(net.predict(x * [1e4, 1e-3])) == {7, 42}
    assert net.accuracy.n == 108


def test_training_is_seeded_and_leaves_the_global_generator_alone(digits):
    x, y = digits
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    a, b, c = (m.train_classifier(x[:300], y[:300], epochs=1, width=4, seed=s) for s in (0, 0, 1))
    assert all(
        torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )
    assert not torch.equal(a.head.weight, c.head.weight)
    assert torch.equal(state, torch.get_rng_state()) and (numpy_state == np.random.get_state()[1]).all()


@pytest.mark.parametrize("shape", [(1, 5, 5), (3, 16, 16), (1, 28, 28), (3, 32, 32), (3, 64, 48)])
def test_every_picture_size_builds(shape):
    net = m.Classifier(shape, [0, 1, 2], width=4).eval()
    x = torch.rand(2, *shape)
    assert net(x).shape == (2, 3) and net.features(x).shape == (2, 128)


def test_bytes_and_unit_range_are_not_mixed_up(digits):
    x, y = digits
    in_bytes = (x * 255).astype(np.uint8)
    net = m.train_classifier(in_bytes[:400], y[:400], epochs=1, width=4)
    with pytest.raises(InputError, match=r"trained on 0\.\.255"):
        m.extract(net, x)
    unit = m.train_classifier(x[:400], y[:400], epochs=1, width=4)
    with pytest.raises(InputError, match="same scale"):
        unit.predict(in_bytes)
    assert net.predict(in_bytes[:3]).shape == (3,)


def test_progress_is_told(digits):
    x, y = digits
    seen = []
    m.train_classifier(
        x[:300], y[:300], epochs=2, batch_size=100, width=4, progress=lambda *a: seen.append(a)
    )
    assert [s[:2] for s in seen] == [(i, 4) for i in range(1, 5)] and all(np.isfinite(s[2]) for s in seen)


def broken_files(tmp_path, net):
    text, plain, newer, other = (tmp_path / n for n in ("text", "plain", "newer", "other"))
    text.write_text("not weights")
    save_file({"a": torch.ones(2)}, plain)
    about = {"format": 99, "shape": [1, 8, 8], "classes": [0, 1], "options": {}, "accuracy": None}
    save_file({"a": torch.ones(2)}, newer, metadata={"tacit-features": json.dumps(about)})
    save_file({"a": torch.ones(2)}, other, metadata={"tacit-features": json.dumps(about | {"format": 1})})
    return {
        tmp_path / "absent": "there is no file",
        text: "does not hold a classifier",
        plain: "does not hold a classifier",
        newer: "format 99",
        other: "does not hold a classifier",
    }


def test_other_files_are_refused(tmp_path, net):
    for path, message in broken_files(tmp_path, net).items():
        with pytest.raises(InputError, match=message):
            m.load_classifier(path)
