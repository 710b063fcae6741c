"""Linear machines in model files: what is saved comes back to the bit, and no file does harm."""

import hashlib
import json

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moodcore import LinearSVM, load, songs
from moodcore.model_files.container import ModelFileError, save

MODELS = {
    "four classes": ({}, np.array(["a", "b", "c", "d"])),
    "hinge": ({"loss": "hinge", "C": np.float32(0.5), "dual": True}, np.arange(4)),
    "weights": ({"class_weight": {0: 2.0, 3: 0.5}, "n_jobs": 2}, np.arange(4)),
    "balanced": ({"class_weight": "balanced", "penalty": "l1"}, np.arange(4)),
    "two classes": ({"fit_intercept": False}, np.array([1.0, 2.0, 2.0, 1.0])),
}


@pytest.mark.parametrize(("params", "labels"), MODELS.values(), ids=MODELS)
def test_round_trip(params, labels, clouds, tmp_path):
    X, y = clouds
    model = LinearSVM(random_state=0, **params).fit(X, labels[y])
    model.save(tmp_path / "one", provenance={"seed": 0})
    again = load(tmp_path / "one")
    save(again, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "one").read_bytes()
    assert again.decision_function(X).tobytes() == model.decision_function(X).tobytes()
    assert again.predict(X).tolist() == model.predict(X).tolist()
    assert again.n_iter_ == model.n_iter_ and again.provenance_ == {"seed": 0}
    wanted = model.get_params() | {"random_state": None}
    assert again.get_params() == wanted


def test_parts_of_pipelines(tmp_path):
    X, y = songs.synthesize(300, random_state=0)
    for model in (
        make_pipeline(StandardScaler(), LinearSVM()),
        songs.pipeline(LinearSVM(), balance=True, random_state=0),
    ):
        model.fit(X, y)
        save(model, tmp_path / "model")
        again = load(tmp_path / "model")
        assert again.predict(X).tolist() == model.predict(X).tolist()


def test_only_fitted_models_are_saved(tmp_path):
    with pytest.raises(NotFittedError):
        LinearSVM().save(tmp_path / "model")


def forge(path, change):
    """Write the file again with a changed header and changed arrays, and a checksum that fits."""
    with safetensors.safe_open(str(path), framework="numpy") as file:
        header = json.loads(file.metadata()["moodcore"].partition("\n")[2])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(header["model"], arrays)
    text = json.dumps(header, sort_keys=True)
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    metadata = {"moodcore": f"{digest.hexdigest()}\n{text}"}
    safetensors.numpy.save_file(arrays, str(path), metadata=metadata)


def put(**values):
    return lambda model, arrays: model.update(values)


def param(**values):
    return lambda model, arrays: model["params"].update(values)


def array(name, value):
    def change(model, arrays):
        arrays[f"model.{name}"] = np.ascontiguousarray(value(arrays[f"model.{name}"]))

    return change


def with_nan(values):
    values = values.copy()
    values.flat[1] = np.nan
    return values


FORGED = {
    "too few rows": (array("coef", lambda a: a[1:]), r"of shape \(4, 5\)"),
    "too few columns": (array("coef", lambda a: a[:, 1:]), r"of shape \(4, 5\)"),
    "single precision": (array("coef", lambda a: a.astype("f4")), "must be float64"),
    "a weight that is none": (array("coef", with_nan), "not finite"),
    "an intercept that is none": (array("intercept", with_nan), "not finite"),
    "an infinite intercept": (array("intercept", lambda a: a + np.inf), "not finite"),
    "too many intercepts": (array("intercept", lambda a: np.r_[a, 1.0]), r"of shape \(4,\)"),
    "no weights": (lambda model, arrays: arrays.pop("model.coef"), "model.coef"),
    "another number of features": (put(n_features=6), r"of shape \(4, 6\)"),
    "two classes": (put(classes={"dtype": "<i8", "values": [0, 1]}), r"of shape \(1, 5\)"),
    "one class": (put(classes={"dtype": "<i8", "values": [0]}), "at least 2 classes"),
    "classes upside down": (put(classes={"dtype": "<i8", "values": [3, 2, 1, 0]}), "ascending"),
    "no iterations": (put(n_iter=0), "n_iter must be at least 1"),
    "a wrong C": (param(C=-1.0), "C must be finite and above 0"),
    "no such loss": (param(loss="log"), "must be one of"),
    "no such parameter": (param(kernel="rbf"), "kernel"),
    "threads": (param(n_jobs=0), "n_jobs"),
}


@pytest.mark.parametrize(("change", "message"), FORGED.values(), ids=FORGED)
def test_forged_files_are_refused(change, message, clouds, tmp_path):
    LinearSVM().fit(*clouds).save(tmp_path / "model")
    forge(tmp_path / "model", change)
    with pytest.raises(ModelFileError, match=message):
        load(tmp_path / "model")


def test_a_forged_file_without_a_change_is_read(clouds, tmp_path):
    LinearSVM().fit(*clouds).save(tmp_path / "model")
    forge(tmp_path / "model", lambda model, arrays: None)
    load(tmp_path / "model")
