"""Models in the core: copies, arrays that cannot be written to, parts that do not fit."""

import copy
import pickle

import numpy as np
import pytest

from moodcore import GBT, MLP, SVM, LinearSVM, _core

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3)).astype(np.float32)
Y = RNG.integers(0, 3, 80)
MODELS = {
    "MLP": MLP((4, 5), epochs=2, random_state=0).fit(X, Y),
    "MLP by SGD": MLP(
        (4,), n_networks=1, epochs=2, optimizer="sgd", activation="selu", random_state=0
    ).fit(X, Y),
    "GBT": GBT(4, min_child_samples=2, random_state=0).fit(X, Y),
    "SVM": SVM(probability=True, random_state=0).fit(X, Y),
    "precomputed": SVM(kernel="precomputed").fit(X @ X.T, Y),
    "LinearSVM": LinearSVM(random_state=0).fit(X, Y),
}


def answers(model, rows):
    method = "predict_proba" if hasattr(model, "predict_proba") else "decision_function"
    return getattr(model, method)(rows).tobytes()


@pytest.mark.parametrize("name", MODELS)
def test_copies_answer_as_the_original(name):
    model = MODELS[name]
    rows = X @ X.T if name == "precomputed" else X
    for again in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert answers(again, rows) == answers(model, rows)
    core = copy.deepcopy(model.core_model_)
    assert type(core) is type(model.core_model_) and core is not model.core_model_
    # skops calls the type with the arguments, and accepts no function in its place.
    assert core.__reduce__()[0] is type(core)


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("MLP", "coefs_"),
        ("MLP", "intercepts_"),
        ("SVM", "support_vectors_"),
        ("LinearSVM", "coef_"),
        ("LinearSVM", "intercept_"),
    ],
)
def test_arrays_that_the_core_would_not_see_cannot_be_written_to(name, attribute):
    values = getattr(MODELS[name], attribute)
    array = values[0] if isinstance(values, list) else values
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 0


def test_decisions_of_linear_machines_are_sums_feature_by_feature():
    model = MODELS["LinearSVM"]
    scores = np.tile(model.intercept_, (len(X), 1))
    for feature, weights in zip(X.astype(np.float64).T, model.coef_.T, strict=True):
        scores += feature[:, None] * weights
    assert model.decision_function(X).tobytes() == scores.tobytes()
    one_by_one = [model.decision_function(row[None])[0] for row in X]
    assert np.array(one_by_one).tobytes() == scores.tobytes()


def test_a_row_of_trees_ends_at_the_best_round():
    model = GBT(
        60, min_child_samples=2, learning_rate=0.9, early_stopping_rounds=2, random_state=0
    ).fit(X, Y > 0)
    assert model.n_predicting_rounds_ < model.n_iter_
    for row in X[:20]:
        expected = model.predict_proba(row[None].astype(np.float64))[0].tolist()
        assert model.predict_proba_row(row.tolist()) == expected
    assert model[: model.n_predicting_rounds_].predict_proba(X).tobytes() == answers(model, X)


def test_predictions_use_the_kernel_of_training():
    model = SVM(kernel="poly", degree=2, coef0=1.0).fit(X, Y)
    before = answers(model, X)
    assert answers(model.set_params(kernel="rbf", degree=5, coef0=9.0), X) == before


WEIGHTS, BIASES = np.ones((3, 2), np.float32), np.zeros(2, np.float32)
KERNEL, NONE = ("rbf", 0.5, 3, 0.0), (np.empty(0), np.empty(0))
COUNTS, VECTORS = np.array([1, 1], np.uint32), np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("make", "parts", "message"),
    [
        (_core.MlpModel, ([],), "at least one layer"),
        (_core.MlpModel, ([(WEIGHTS, BIASES), (WEIGHTS, BIASES)],), "as many inputs as"),
        (_core.MlpModel, ([(WEIGHTS, BIASES[:1])],), "biases"),
        (_core.MlpModel, ([(WEIGHTS * np.nan, BIASES)],), "finite"),
        (_core.MlpModel, ([(WEIGHTS, BIASES)], []), "layers"),
        (_core.LinearSvmModel, (np.ones((2, 3)), np.ones(3)), "a row for each of 3"),
        (_core.LinearSvmModel, (np.ones((0, 3)), np.ones(0)), "a row for each of 0"),
        (
            _core.SvmModel,
            (KERNEL, COUNTS, VECTORS[:1], np.ones((1, 2)), np.ones(1), NONE),
            "2 support vectors, got 1",
        ),
        (
            _core.SvmModel,
            (KERNEL, COUNTS, VECTORS, np.ones((1, 3)), np.ones(1), NONE),
            "coefficients",
        ),
        (
            _core.SvmModel,
            (KERNEL, COUNTS, VECTORS, np.ones((1, 2)), np.ones(1), (np.ones(1), np.ones(2))),
            "a sigmoid for each of 1",
        ),
        (
            _core.SvmModel,
            (("gauss", *KERNEL[1:]), COUNTS, VECTORS, np.ones((1, 2)), np.ones(1), NONE),
            "gauss",
        ),
        (
            _core.SvmModel,
            (("rbf", -1.0, 3, 0.0), COUNTS, VECTORS, np.ones((1, 2)), np.ones(1), NONE),
            "gamma must be",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(make, parts, message):
    with pytest.raises(ValueError, match=message):
        make(*parts)


def test_learners_have_names():
    with pytest.raises(ValueError, match="learner must be one of 'gbt', 'linear_svm', 'mlp'"):
        _core.defaults("forest")
