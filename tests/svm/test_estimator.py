"""What a user of the estimator meets."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from moodcore import SVM, _core, load
from moodcore.estimators.progress import polled

# What scikit-learn's own SVC declares.
UNEQUAL = dict.fromkeys(
    (
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    ),
    "two rows of weight one are another path to the optimum than one of weight two",
)


@parametrize_with_checks(
    [SVM(), SVM(kernel="linear", C=0.1), SVM(probability=True)],
    expected_failed_checks=lambda _: UNEQUAL,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore:features differ:UserWarning")
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


def test_parameters_and_defaults_are_the_cores():
    ours = {k: v for k, v in SVM().get_params().items() if k not in SVM._PYTHON_ONLY}
    assert json.loads(json.dumps(ours)) == json.loads(_core.defaults("svm"))


def test_string_labels_and_frames(blobs):
    X, y = blobs
    frame = pd.DataFrame(X, columns=list("abcd"))
    names = np.array(["red", "green", "blue"])[y]
    model = SVM().fit(frame, names)
    assert model.classes_.tolist() == ["blue", "green", "red"]
    assert model.score(frame, names) > 0.75
    assert model.feature_names_in_.tolist() == list("abcd")


def outputs(model, X):
    """Everything that training and prediction give, as bytes."""
    parts = [model.support_, model.dual_coef_, model.intercept_, model.n_iter_]
    parts += [model.dual_objective_, model.duality_gap_, model.probA_, model.decision_function(X)]
    return b"".join(part.tobytes() for part in parts)


@pytest.mark.parametrize(
    "params",
    [
        {"C": 30.0, "probability": True, "random_state": 0},
        {"kernel": "poly", "coef0": 1.0},
        {"kernel": "sigmoid", "gamma": 0.02},
        {"kernel": "linear", "C": 3.0},
    ],
)
def test_same_bits_whatever_the_threads_and_the_instructions(blobs, params, monkeypatch):
    # More rows than a working set, so that rows are shrunk and threads share a pair.
    X, y = np.vstack([blobs[0], blobs[0] + np.float32(0.3)] * 3), np.tile(blobs[1], 6)
    wanted = outputs(SVM(**params, n_jobs=1).fit(X, y), X)
    for n_jobs in (2, 3):
        assert outputs(SVM(**params, n_jobs=n_jobs).fit(X, y), X) == wanted
    for name in _core.instruction_sets():
        monkeypatch.setenv("MOODCORE_ISA", name)
        assert outputs(SVM(**params, n_jobs=2).fit(X, y), X) == wanted, name


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_probabilities_are_calibrated():
    X, y = load_digits(return_X_y=True)
    X, new, y, truth = X[:1200] / 16, X[1200:] / 16, y[:1200], y[1200:]
    ours = SVM(probability=True, random_state=0).fit(X, y)
    peer = SVC(probability=True, random_state=0).fit(X, y)
    p = ours.predict_proba(new)
    assert p.shape == (len(new), 10) and (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(ours.predict_log_proba(new), np.log(p))
    # The folds are others, so the sigmoids are not the same; they are as good.
    assert log_loss(truth, p) < 1.1 * log_loss(truth, peer.predict_proba(new))
    assert (p.argmax(axis=1) == ours.predict(new)).mean() > 0.97
    with pytest.raises(AttributeError, match="predict_proba"):
        SVM().fit(X, y).predict_proba(X)


def test_probabilities_of_two_classes_follow_the_sigmoid(blobs):
    X, y = blobs[0][blobs[1] < 2], blobs[1][blobs[1] < 2]
    model = SVM(probability=True, random_state=0).fit(X, y)
    # The sigmoid is that of the pair's first class.
    first = 1 / (1 + np.exp(model.probA_ * -model.decision_function(X) + model.probB_))
    np.testing.assert_allclose(model.predict_proba(X)[:, 0], first, rtol=1e-9)


@pytest.mark.parametrize("shape", ["ovr", "ovo"])
def test_decisions_of_either_shape(blobs, shape):
    X, y = blobs
    ours = SVM(decision_function_shape=shape, tol=1e-5).fit(X, y)
    peer = SVC(decision_function_shape=shape, tol=1e-5).fit(X, y)
    np.testing.assert_allclose(ours.decision_function(X), peer.decision_function(X), atol=1e-3)


def test_ties_are_broken_on_request(blobs):
    X, y = blobs
    model = SVM(break_ties=True).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), model.decision_function(X).argmax(axis=1))
    with pytest.raises(ValueError, match='break_ties=True needs decision_function_shape="ovr"'):
        SVM(break_ties=True, decision_function_shape="ovo").fit(X, y).predict(X)


def test_in_pipeline_and_grid_search(blobs):
    X, y = blobs
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SVM()), {"svm__C": [0.1, 1.0], "svm__gamma": [0.1, 1.0]}
    )
    assert search.fit(X, y).best_score_ > 0.7
    K = X @ X.T
    scores = GridSearchCV(SVM(kernel="precomputed"), {"C": [0.1, 1.0]}).fit(K, y)
    assert scores.best_score_ > 0.7


def test_pickle_clone_and_file(blobs, tmp_path):
    X, y = blobs
    names = np.array(["red", "green", "blue"])[y]
    model = SVM(probability=True, random_state=0, class_weight={"red": 2.0, "blue": 1.0}).fit(
        X, names
    )
    model.save(tmp_path / "model.safetensors")
    for again in (pickle.loads(pickle.dumps(model)), load(tmp_path / "model.safetensors")):
        assert outputs(again, X) == outputs(model, X)
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
        assert again.get_params() | {"random_state": 0} == model.get_params()
    fresh = clone(model)
    with pytest.raises(NotFittedError):
        fresh.predict(X)


def test_limits_and_scales_are_warned_of(blobs):
    X, y = blobs
    with pytest.warns(ConvergenceWarning, match=r"max_iter \(3\) before tol .* for 0 and 1"):
        model = SVM(max_iter=3).fit(X, y)
    assert model.fit_status_ == 1 and (model.n_iter_ <= 3).all()
    with pytest.warns(UserWarning, match="differ by orders of magnitude .* in column 1"):
        SVM().fit(X * np.array([1, 1e5, 1, 1], dtype=np.float32), y)


def test_reports_what_was_done(blobs, capsys):
    SVM(verbose=1).fit(*blobs)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[0].startswith("0 against 1: ")


def test_ctrl_c_ends_training():
    program = (
        "import os, signal, threading, time\n"
        "import numpy as np\n"
        "from moodcore import SVM\n"
        "from moodcore.estimators.progress import polled\n"
        "rng = np.random.default_rng(0)\n"
        "X = rng.normal(size=(60_000, 8)); y = rng.integers(0, 2, 60_000)\n"
        "training = threading.Event()\n"
        "def interrupt():\n"
        "    training.wait(); time.sleep(0.2)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Thread(target=interrupt).start()\n"
        "try:\n"
        "    with polled(training.set):\n"
        "        SVM(C=1e4).fit(X, y)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "interrupted"


def test_an_exception_of_the_listener_comes_back(blobs):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20_000, 5)), rng.integers(0, 2, 20_000)

    def stop():
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"), polled(stop):
        SVM(C=1e4).fit(X, y)


def test_probabilities_that_were_not_fitted():
    X, y = load_digits(return_X_y=True)
    X, y = X[:90], y[:90]
    model = SVM().fit(X, y).set_params(probability=True)
    with pytest.raises(NotFittedError, match="was fitted with probability=False: fit it again"):
        model.predict_proba(X)
