"""Evaluation sets and progress: what estimators that train in iterations share."""

import numpy as np
import pytest
import sklearn
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from moodcore import GBT
from moodcore.estimators.evaluation import EvaluationSet, evaluation_sets
from moodcore.estimators.progress import current_poll, polled, progress_line
from moodcore.estimators.rows import hold_out

A, B = (np.zeros((3, 2)), np.zeros(3)), (np.ones((2, 2)), np.ones(2))
WEIGHT = np.array([1.0, 2.0, 3.0])


def names_and_weights(sets):
    return [(each.name, each.sample_weight) for each in sets]


def test_all_forms_of_evaluation_sets():
    assert evaluation_sets(None) == []
    for form in (A, [A], (A,)):
        (only,) = evaluation_sets(form)
        assert (only.name, only.X, only.y) == ("validation_0", *A)
    assert names_and_weights(evaluation_sets([A, B])) == [
        ("validation_0", None),
        ("validation_1", None),
    ]
    assert names_and_weights(evaluation_sets({"a": A, "b": B})) == [("a", None), ("b", None)]
    assert names_and_weights(evaluation_sets([A, B], eval_names=["a", "b"])) == [
        ("a", None),
        ("b", None),
    ]


def test_weights_of_evaluation_sets():
    for weights in (WEIGHT, [WEIGHT]):
        assert names_and_weights(evaluation_sets(A, sample_weight_eval_set=weights)) == [
            ("validation_0", WEIGHT)
        ]
    sets = evaluation_sets({"a": A, "b": B}, sample_weight_eval_set={"a": WEIGHT})
    assert names_and_weights(sets) == [("a", WEIGHT), ("b", None)]
    X, y = A
    assert evaluation_sets(None, X_val=X, y_val=y, sample_weight_val=WEIGHT) == [
        EvaluationSet("validation", X, y, WEIGHT)
    ]


@pytest.mark.parametrize(
    ("passed", "error", "message"),
    [
        ({"eval_set": 3}, TypeError, "eval_set must be a tuple .X, y., a list .* got int"),
        ({"eval_set": [A[0]]}, TypeError, "must contain tuples .X, y., got ndarray for 'valid"),
        ({"eval_set": A, "eval_names": ["a", "b"]}, ValueError, "eval_names must be a different"),
        ({"eval_set": [A, B], "eval_names": ["a", "a"]}, ValueError, "different name for each"),
        ({"eval_set": [A, B], "sample_weight_eval_set": [None]}, ValueError, "each of 2 sets"),
        (
            {"eval_set": {"a": A}, "sample_weight_eval_set": {"b": WEIGHT}},
            ValueError,
            "must have names of evaluation sets .* got 'b'",
        ),
        ({"sample_weight_eval_set": [WEIGHT]}, ValueError, "needs eval_set"),
        ({"X_val": A[0]}, ValueError, "X_val is passed, but y_val is not"),
        ({"y_val": A[1]}, ValueError, "y_val is passed, but X_val is not"),
        ({"sample_weight_val": WEIGHT}, ValueError, "sample_weight_val needs X_val and y_val"),
        ({"eval_set": A, "X_val": A[0], "y_val": A[1]}, ValueError, "pass either eval_set or"),
    ],
)
def test_wrong_evaluation_sets(passed, error, message):
    with pytest.raises(error, match=message):
        evaluation_sets(passed.pop("eval_set", None), **passed)


def table(n_rows, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(100, 10, size=(n_rows, 3))
    return X, (X[:, 0] + 5 * rng.normal(size=n_rows) > 100).astype(int)


def test_a_pipeline_transforms_the_evaluation_rows():
    (X, y), (X_val, y_val) = table(300, 0), table(100, 1)
    weight = np.random.default_rng(2).uniform(0.5, 2, 100)
    with sklearn.config_context(enable_metadata_routing=True):
        model = GBT(20, early_stopping_rounds=5, random_state=0).set_fit_request(
            X_val=True, y_val=True, sample_weight_val=True
        )
        pipe = Pipeline([("scale", StandardScaler()), ("model", model)], transform_input=["X_val"])
        pipe.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
    scaler = StandardScaler().fit(X)
    expected = GBT(20, early_stopping_rounds=5, random_state=0).fit(
        scaler.transform(X),
        y,
        eval_set={"validation": (scaler.transform(X_val), y_val)},
        sample_weight_eval_set=[weight],
    )
    assert pipe[-1].evals_result_ == expected.evals_result_


def test_polled_reaches_a_fit_inside_of_a_pipeline_and_ends_with_the_context():
    calls = []
    X, y = table(2_000, 0)
    # Long enough that training is polled on a fast computer.
    pipe = Pipeline([("scale", StandardScaler()), ("model", GBT(1_000))])
    with polled(lambda: calls.append(1)):
        with polled(None):
            assert current_poll() is None
        pipe.fit(X, y)
    assert calls and current_poll() is None
    before = len(calls)
    pipe.fit(X, y)
    assert len(calls) == before


def test_verbose_prints_the_training_loss(capsys):
    X, y = table(300, 0)
    records = []
    GBT(3, verbose=2, callbacks=[records.append]).fit(X, y)
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        progress_line(record["iteration"], {"training": record["training"]})
        for record in records[::2]
    ]
    model = GBT(3).fit(X, y, eval_set={"same": (X, y)})
    losses = [record["training"]["logloss"] for record in records]
    assert losses == model.evals_result_["same"]["logloss"]
    accuracy = np.mean(model.predict(X) == y)
    assert records[-1]["training"]["accuracy"] == pytest.approx(accuracy, abs=1e-12)


def test_the_only_row_of_a_class_is_not_held_out():
    y = np.repeat([0, 1, 2, 3], [40, 30, 1, 1])
    for seed in range(20):
        kept, held = hold_out(y, 0.1, seed)
        assert len(held) == 8 and set(y[held]) == {0, 1}
        np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(72))


def test_all_classes_of_one_row_and_few_rows():
    kept, held = hold_out(np.arange(5), 0.5, 0)
    assert (len(kept), len(held)) == (2, 3)
    kept, held = hold_out(np.array([0, 0]), 0.9, 0)
    assert (len(kept), len(held)) == (1, 1)
    with pytest.raises(ValueError, match="at least 2 rows"):
        hold_out(np.array([0]), 0.5, 0)
