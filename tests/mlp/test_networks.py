"""Several networks whose scores are averaged."""

import pickle

import numpy as np
import pytest
from experiment import plain
from sklearn.metrics import log_loss

from moodcore import MLP, load
from moodcore.model_files.container import ModelFileError, save


def scores_by_hand(model, X):
    """Compute the scores from `coefs_` and `intercepts_` in double precision."""
    rows = model.input_scale_.apply(X).astype(float)
    for at, (weights, biases) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        rows = rows @ weights.astype(float) + biases
        rows = np.tanh(rows) if at < len(model.coefs_) - 1 else rows
    return rows


@pytest.mark.parametrize("hidden_sizes", [(), (8,), (8, 5), (6, 4, 3)])
@pytest.mark.parametrize("n_networks", [1, 2, 3])
def test_coefs_are_those_of_one_network_with_the_mean_scores(spirals, hidden_sizes, n_networks):
    X, y = spirals
    model = MLP(hidden_sizes, n_networks=n_networks, epochs=3, random_state=0).fit(X, y)
    widths = [n_networks * width for width in hidden_sizes]
    assert [len(biases) for biases in model.intercepts_] == [*widths, 3]
    assert all(part.dtype == np.float32 for part in (*model.coefs_, *model.intercepts_))
    np.testing.assert_allclose(scores_by_hand(model, X), model.logits(X), atol=1e-5)


def test_networks_differ_and_the_first_is_that_of_one_network(spirals):
    X, y = spirals
    single = plain((8,), epochs=3, random_state=0).fit(X, y)
    several = plain((8,), n_networks=2, epochs=3, random_state=0).fit(X, y)
    layers = several.core_model_.layers()
    for (weights, biases), at in zip(layers[:2], range(2), strict=True):
        np.testing.assert_array_equal(weights, single.coefs_[at])
        np.testing.assert_array_equal(biases, single.intercepts_[at])
    assert not np.array_equal(layers[0][0], layers[2][0])
    assert several.history_["loss"] != single.history_["loss"]


def test_early_stopping_evaluates_the_mean_scores(spirals):
    X, y = spirals
    model = MLP(epochs=30, patience=3, random_state=0)
    model.fit(X[::2], y[::2], eval_set=(X[1::2], y[1::2]))
    loss = log_loss(y[1::2], model.predict_proba(X[1::2]))
    assert loss == pytest.approx(model.history_["eval_loss"][model.best_iteration_], abs=1e-6)
    assert model.score(X[1::2], y[1::2]) == pytest.approx(
        model.history_["eval_accuracy"][model.best_iteration_]
    )


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_continues_with_all_networks(spirals, tmp_path, optimizer):
    X, y = spirals
    params = {"optimizer": optimizer, "n_networks": 3, "learning_rate": 0.003, "random_state": 0}
    through = plain((8, 4), epochs=6, **params).fit(X, y)
    half = plain((8, 4), epochs=3, warm_start=True, **params).fit(X, y)
    half.save(tmp_path / "half.safetensors")
    loaded = load(tmp_path / "half.safetensors").set_params(random_state=0)
    assert loaded.n_networks == 3
    np.testing.assert_array_equal(loaded.predict_proba(X), half.predict_proba(X))
    for model in (pickle.loads(pickle.dumps(half)), loaded, half):
        model.fit(X, y)
        for ours, theirs in zip(model.coefs_, through.coefs_, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    partial = plain((8, 4), **params)
    for _ in range(6):
        partial.partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_array_equal(partial.coefs_[1], through.coefs_[1])
    with pytest.raises(ValueError, match="n_networks must stay 3 when training continues, got 2"):
        half.set_params(n_networks=2).fit(X, y)


@pytest.mark.parametrize("n_networks", [0, 1025])
def test_numbers_of_networks_out_of_range_are_refused(spirals, n_networks):
    with pytest.raises(ValueError, match=f"n_networks must be from 1 to 1024, got {n_networks}"):
        MLP(n_networks=n_networks).fit(*spirals)


def test_a_file_with_another_number_of_networks_is_refused(spirals, tmp_path):
    model = MLP((4,), n_networks=2, epochs=1, random_state=0).fit(*spirals)
    path = tmp_path / "model.safetensors"
    save(model, path, provenance={})
    raw = path.read_bytes()
    assert raw.count(b'\\"n_networks\\": 2') + raw.count(b'\\"n_networks\\":2') == 1
    path.write_bytes(raw.replace(b'\\"n_networks\\": 2', b'\\"n_networks\\": 9').replace(
        b'\\"n_networks\\":2', b'\\"n_networks\\":9'))  # fmt: skip
    with pytest.raises(ModelFileError):
        load(path)
