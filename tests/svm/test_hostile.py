"""Data and parameters that a person could get wrong: an answer, never a NaN, never a hang."""

import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
from parts_of_files import changed, rewritten

from moodcore import SVM, load
from moodcore.model_files.container import ModelFileError

pytestmark = [
    pytest.mark.filterwarnings("ignore:features differ:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def assert_finite(model, X):
    for values in (model.dual_coef_, model.intercept_, model.duality_gap_, model.dual_objective_):
        assert np.isfinite(values).all()
    assert np.isfinite(model.decision_function(X)).all()
    assert set(model.predict(X)) <= set(model.classes_)


RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=(60, 3)).astype(np.float32)
LABELS = np.arange(60) % 2
TABLES = {
    "opposite labels": (np.repeat(NOISE[:30], 2, axis=0), LABELS),
    "constant features": (np.ones((60, 3), dtype=np.float32), LABELS),
    "one row per class": (NOISE[:3], np.arange(3)),
    "one row against many": (NOISE, (np.arange(60) == 7).astype(int)),
    "large features": (NOISE * np.float32(1e8), LABELS),
    "far from the origin": (NOISE + np.float32(1e6), LABELS),
    "tiny features": (NOISE * np.float32(1e-20), LABELS),
    "one huge value": (np.where(np.arange(180).reshape(60, 3) == 4, 1e12, NOISE), LABELS),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf", "sigmoid"])
@pytest.mark.parametrize("C", [1e-6, 1.0, 1e6])
def test_any_table_gives_a_finite_model(name, kernel, C):
    X, y = TABLES[name]
    model = SVM(C, kernel=kernel, max_iter=200_000).fit(X, y)
    assert_finite(model, X)
    # Subnormal coefficients would slow down prediction.
    size = np.abs(model.dual_coef_)
    assert ((size == 0) | (size >= np.finfo(float).tiny)).all()


def test_kernel_values_beyond_the_range_of_numbers_are_refused():
    with pytest.raises(ValueError, match=r"at most 1e100, got .*; scale the features first"):
        SVM(kernel="poly", gamma=1.0).fit(NOISE * 1e20, LABELS)


def test_opposite_labels_end_at_the_bound():
    X, y = TABLES["opposite labels"]
    model = SVM(C=2.0).fit(X, y)
    assert model.fit_status_ == 0
    np.testing.assert_allclose(np.abs(model.dual_coef_), 2.0)


@pytest.mark.parametrize("gamma", [0.0, 1e-30, 1e6])
def test_any_width(gamma):
    assert_finite(SVM(gamma=gamma).fit(NOISE, LABELS), NOISE)


def test_calibration_of_classes_that_folds_leave_out():
    X, y = NOISE[:6], np.array([0, 1, 1, 1, 1, 1])
    model = SVM(probability=True, random_state=0).fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()
    few = SVM(probability=True, random_state=0).fit(X[:3], [0, 1, 2])
    np.testing.assert_allclose(few.predict_proba(X).sum(axis=1), 1)


WRONG = [
    ({"C": 0.0}, "C must be finite and above 0, got 0"),
    ({"C": -1}, "C must be finite and above 0, got -1"),
    ({"C": float("inf")}, "C must be finite and above 0, got inf; for a hard margin set it to"),
    ({"C": "large"}, "C must be a float, got 'large'"),
    (
        {"kernel": "gauss"},
        "kernel must be one of 'linear', 'poly', 'rbf', 'sigmoid', 'precomputed' or a callable, "
        "got 'gauss'",
    ),
    ({"kernel": "rbg"}, "got 'rbg'; did you mean 'rbf'?"),
    ({"kernel": 5}, "'precomputed' or a callable, got 5"),
    ({"gamma": "wide"}, "gamma must be 'scale', 'auto' or a float of at least 0, got 'wide'"),
    ({"gamma": -0.1}, "gamma must be 'scale', 'auto' or a finite float of at least 0, got -0.1"),
    ({"degree": 2.5}, "degree must be an int, got 2.5"),
    ({"degree": 101}, "degree must be from 0 to 100, got 101"),
    ({"tol": 0}, "tol must be finite and above 0, got 0"),
    ({"cache_size": -5}, "cache_size must be finite and above 0, got -5"),
    ({"max_iter": -2}, "max_iter must be at least 0, or -1 for no limit, got -2"),
    ({"shrinking": "yes"}, "shrinking must be a bool, got 'yes'"),
    (
        {"decision_function_shape": "both"},
        "decision_function_shape must be one of 'ovr', 'ovo', got 'both'",
    ),
    ({"n_jobs": 0}, "n_jobs must be"),
    ({"break_ties": "yes"}, "break_ties must be a bool, got 'yes'"),
    ({"verbose": "yes"}, "verbose must be an int of at least 0, got 'yes'"),
    ({"class_weight": "balance"}, "must be None, \"balanced\" or a dict, got 'balance'"),
    ({"class_weight": {0: -1}}, "class_weight must be finite numbers of at least 0, got -1"),
    ({"class_weight": {0: 0}}, "class_weight must be above 0, got 0 for class"),
]


@pytest.mark.parametrize(("params", "message"), WRONG)
def test_wrong_parameters_are_named(params, message):
    with pytest.raises(ValueError) as caught:
        SVM(**params).fit(NOISE, LABELS)
    assert message in str(caught.value)


def test_wrong_data_are_named():
    X = NOISE.copy()
    with pytest.raises(ValueError, match="at least two classes, got 1 class"):
        SVM().fit(X, np.zeros(60))
    with pytest.raises(ValueError, match="NaN"):
        SVM().fit(np.where(X > 2, np.nan, X), LABELS)
    with pytest.raises(ValueError, match="kernel values must be at most 1e100"):
        SVM(kernel="linear").fit(X * np.float64(1e60), LABELS)
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        SVM().fit(X, LABELS, -np.ones(60))
    with pytest.raises(ValueError, match="at least one non-zero number"):
        SVM().fit(X, LABELS, np.zeros(60))
    with pytest.raises(ValueError, match="must be a square matrix"):
        SVM(kernel="precomputed").fit(X, LABELS)
    with pytest.raises(ValueError, match=r"must return an array of shape \(60, 60\)"):
        SVM(kernel=lambda A, B: A).fit(X, LABELS)
    with pytest.raises(ValueError, match="expecting 3 features"):
        SVM().fit(X, LABELS).predict(X[:, :2])


FORGED_ARRAYS = {
    "rows beyond the table": ("support", lambda rows: rows + np.int32(60)),
    "the same row twice": ("support", np.zeros_like),
    "one vector more": ("n_support", lambda counts: counts + np.int32(1)),
    "fewer than no vectors": ("n_support", lambda counts: -counts),
    "coefficients missing": ("dual_coef", lambda coef: coef[:, 1:].copy()),
    "coefficients not numbers": ("dual_coef", lambda coef: coef * np.nan),
    "intercept infinite": ("intercept", lambda intercept: intercept + np.inf),
    "vectors too narrow": ("support_vectors", lambda vectors: vectors[:, :2].copy()),
    "no sigmoids": ("sigmoid_slope", lambda slopes: slopes[:0]),
}
FORGED_VALUES = {
    "gamma": -1.0,
    "classes.values": [1, 0],
    "params.probability": "often",
    "params.kernel": "precomputed",
    "params.degree": 1.5,
    "n_rows": 3,
    "fit_status": "done",
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("svm") / "model.safetensors"
    SVM(probability=True, random_state=0).fit(NOISE, LABELS).save(path)
    return path.read_bytes()


@pytest.mark.parametrize(("name", "forge"), FORGED_ARRAYS.values(), ids=FORGED_ARRAYS)
def test_forged_arrays_are_refused(saved, name, forge, tmp_path):
    arrays = safetensors.numpy.load(saved)
    arrays[f"model.{name}"] = forge(arrays[f"model.{name}"])
    (tmp_path / "model").write_bytes(rewritten(saved, arrays))
    with pytest.raises(ModelFileError):
        load(tmp_path / "model")


@pytest.mark.parametrize(("name", "value"), FORGED_VALUES.items())
def test_forged_values_are_refused(saved, name, value, tmp_path):
    (tmp_path / "model").write_bytes(changed(saved, f"model.{name}", value))
    with pytest.raises(ModelFileError):
        load(tmp_path / "model")


def test_a_callable_kernel_cannot_be_saved(tmp_path):
    model = SVM(kernel=lambda A, B: A @ B.T).fit(NOISE, LABELS)
    with pytest.raises(TypeError, match="callable cannot be saved"):
        model.save(tmp_path / "model")


def test_parameters_set_after_training_change_no_saved_model(tmp_path):
    model = SVM(kernel="poly", probability=True, random_state=0).fit(NOISE, LABELS)
    expected = model.predict_proba(NOISE)
    model.set_params(kernel="rbf", degree=7, coef0=5.0, probability=False)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict_proba(NOISE), expected)


def test_memory_stays_below_the_cache_and_some_times_the_data():
    program = (
        "import resource, warnings\n"
        "import numpy as np\n"
        "from moodcore import SVM\n"
        "warnings.simplefilter('ignore')\n"
        "rng = np.random.default_rng(0)\n"
        "X = rng.normal(size=(50_000, 40)).astype(np.float32)\n"
        "y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)\n"
        "SVM(n_jobs=2).fit(X[:500], y[:500])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "SVM(n_jobs=2, cache_size=4, max_iter=3000).fit(X, y)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    # The table has 8 MB, its kernel values 10,000.
    assert int(done.stdout) / 1024 < 4 + 7 * 8
