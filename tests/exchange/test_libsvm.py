"""libsvm reads what we write, and we read what libsvm trained."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodcore import SVM, exchange, load
from moodcore.exchange.libsvm_text import read_libsvm, write_libsvm

svmutil = pytest.importorskip("libsvm.svmutil")
# Kernel values are of single precision here, of double there.
ROUNDING = 1e-4
KERNELS = {
    "linear": ({"kernel": "linear"}, "-t 0"),
    "poly": ({"kernel": "poly", "degree": 2, "gamma": 0.3, "coef0": 1.0}, "-t 1 -d 2 -g .3 -r 1"),
    "rbf": ({"kernel": "rbf", "gamma": 0.4}, "-t 2 -g .4"),
    "sigmoid": ({"kernel": "sigmoid", "gamma": 0.05, "coef0": 0.1}, "-t 3 -g .05 -r .1"),
}


@pytest.fixture(scope="module")
def blobs():
    """Three classes that overlap; their labels are in no order in the rows."""
    rng = np.random.default_rng(0)
    y = np.array([7, -2, 3])[rng.integers(0, 3, size=100)]
    X = rng.normal(size=(100, 3)) + np.stack([y > 3, y < 0, y > 0], axis=1) * 1.5
    X[:, 1] *= rng.random(100) > 0.3
    return X.astype(np.float32).astype(np.float64), y


def classes_of(blobs, n_classes):
    X, y = blobs
    return (X, y) if n_classes == 3 else (X[y != 3], y[y != 3])


def their_predictions(svm, X, probability):
    labels, _, values = svmutil.svm_predict([0] * len(X), X.tolist(), svm,
                                            f"-q -b {int(probability)}")  # fmt: skip
    return np.array(labels), np.array(values), svm.get_labels()


@pytest.mark.parametrize("probability", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kernel", KERNELS)
def test_libsvm_predicts_the_same_from_what_we_write(
    kernel, n_classes, probability, blobs, tmp_path
):
    X, y = classes_of(blobs, n_classes)
    model = SVM(C=2, probability=probability, random_state=0, **KERNELS[kernel][0]).fit(X, y)
    exchange.export(model, tmp_path / "blobs.model")
    svm = svmutil.svm_load_model(str(tmp_path / "blobs.model"))
    labels, values, order = their_predictions(svm, X, probability)
    assert order == model.classes_.tolist()
    if probability:
        assert (model.classes_[values.argmax(axis=1)] == labels).all()
        np.testing.assert_allclose(values, model.predict_proba(X), rtol=0, atol=1e-5)
    else:
        assert (model.predict(X) == labels).all()
        np.testing.assert_allclose(values, model._pairwise(X), rtol=1e-5, atol=ROUNDING)


def trained_by_libsvm(X, y, kernel, probability, folder):
    """Return libsvm's predictions from its own file, its order of labels, and our model."""
    path = folder / "blobs.model"
    options = f"-q -c 2 {KERNELS[kernel][1]} -b {int(probability)}"
    svmutil.svm_save_model(str(path), svmutil.svm_train(y.tolist(), X.tolist(), options))
    svm = svmutil.svm_load_model(str(path))
    return *their_predictions(svm, X, probability), exchange.load(path)


@pytest.mark.parametrize("probability", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kernel", KERNELS)
def test_what_libsvm_trained_predicts_the_same(kernel, n_classes, probability, blobs, tmp_path):
    X, y = classes_of(blobs, n_classes)
    ascending = np.argsort(y, kind="stable")
    X, y = X[ascending], y[ascending]
    labels, values, order, model = trained_by_libsvm(X, y, kernel, probability, tmp_path)
    assert model.classes_.tolist() == order
    if probability:
        np.testing.assert_allclose(model.predict_proba(X), values, rtol=0, atol=1e-5)
    else:
        assert (model.predict(X) == labels).all()
        np.testing.assert_allclose(model._pairwise(X), values, rtol=1e-5, atol=ROUNDING)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.save(tmp_path / "own")
    again = load(tmp_path / "own")
    assert (again.decision_function(X) == model.decision_function(X)).all()
    assert np.isnan(again.duality_gap_).all()


@pytest.mark.parametrize("probability", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_labels_in_another_order_are_put_in_theirs(n_classes, probability, blobs, tmp_path):
    X, y = classes_of(blobs, n_classes)
    falling = np.argsort(-y, kind="stable")
    X, y = X[falling], y[falling]
    _, values, order, model = trained_by_libsvm(X, y, "rbf", probability, tmp_path)
    assert order == model.classes_.tolist()[::-1]
    if probability:
        # libsvm couples pairs until 0.005 / n_classes is left, and goes through them in order.
        atol = 1e-5 if n_classes == 2 else 0.005
        np.testing.assert_allclose(model.predict_proba(X)[:, ::-1], values, rtol=0, atol=atol)
    else:
        # Of classes 0, 1, 2 the pairs are 01, 02, 12; turned round they are 21, 20, 10.
        np.testing.assert_allclose(-model._pairwise(X)[:, ::-1], values, rtol=1e-5, atol=ROUNDING)


@given(
    seed=st.integers(0, 2**16),
    n_classes=st.integers(2, 5),
    kernel=st.sampled_from(sorted(KERNELS)),
    probability=st.booleans(),
)
@settings(max_examples=12, deadline=None)
def test_there_and_back_changes_no_bit(seed, n_classes, kernel, probability):
    rng = np.random.default_rng(seed)
    y = np.arange(12 * n_classes) % n_classes
    X = (rng.normal(size=(len(y), 2)) * (rng.random((len(y), 2)) < 0.8)).astype(np.float32)
    model = SVM(probability=probability, random_state=0, **KERNELS[kernel][0]).fit(X, y)
    again = read_libsvm(write_libsvm(model))
    np.testing.assert_array_equal(again._pairwise(X), model._pairwise(X))
    if probability:
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_labels_that_libsvm_lacks_become_positions_on_request(blobs, tmp_path):
    X, y = blobs
    names = np.array(["calm", "sad", "happy"])[np.searchsorted([-2, 3, 7], y)]
    model = SVM().fit(X, names)
    with pytest.raises(ValueError, match=r"32-bit integers, got 'calm'.*label_positions=True"):
        exchange.export(model, tmp_path / "model", format="libsvm")
    exchange.export(model, tmp_path / "model", format="libsvm", label_positions=True)
    assert "label 0 1 2" in (tmp_path / "model").read_text().splitlines()
    again = exchange.load(tmp_path / "model", classes=["calm", "happy", "sad"])
    assert (again.predict(X) == model.predict(X)).all()
    with pytest.raises(ValueError, match="classes must be 3 labels, got 2"):
        exchange.load(tmp_path / "model", classes=["calm", "happy"])


def test_columns_of_zeros_at_the_end_are_kept(blobs, tmp_path):
    X, y = blobs
    wide = np.pad(X, ((0, 0), (0, 3)))
    ours = SVM().fit(wide, y)
    exchange.export(ours, tmp_path / "ours.model")
    again = exchange.load(tmp_path / "ours.model")
    np.testing.assert_array_equal(again._pairwise(wide), ours._pairwise(wide))
    svm = svmutil.svm_train(y.tolist(), wide.tolist(), "-q")
    # libsvm omits zeros.
    svmutil.svm_save_model(str(tmp_path / "theirs"), svm)
    assert exchange.load(tmp_path / "theirs").n_features_in_ == X.shape[1]
    n_features = wide.shape[1]
    loaded = exchange.load(tmp_path / "theirs", n_features=n_features)
    assert (loaded.predict(wide) == their_predictions(svm, wide, False)[0]).all()
    with pytest.raises(ValueError, match=rf"n_features must be {X.shape[1]}, the columns in"):
        exchange.load(tmp_path / "theirs", n_features=1)
    with pytest.raises(ValueError, match="missing is an option for XGBoost files only"):
        exchange.load(tmp_path / "theirs", missing=0.0)


def test_other_machines_are_refused(blobs, tmp_path):
    X, y = blobs
    square = SVM(kernel="precomputed").fit(X @ X.T, y)
    with pytest.raises(ValueError, match="kernels linear, poly, rbf, sigmoid; got 'precomputed'"):
        exchange.export(square, tmp_path / "x.model")
    svm = svmutil.svm_train(y.tolist(), X.tolist(), "-q -s 3")
    svmutil.svm_save_model(str(tmp_path / "regression"), svm)
    with pytest.raises(ValueError, match=r"svm_type must be c_svc or nu_svc, got 'epsilon_svr'"):
        exchange.load(tmp_path / "regression")
