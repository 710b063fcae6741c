"""What a user of the estimator meets."""

import json
import os
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from moodcore import MLP, _core
from moodcore.estimators import memory


@parametrize_with_checks([MLP(epochs=100), MLP((8,), batch_size="full", learning_rate=0.1)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


def test_parameters_and_defaults_are_the_cores():
    ours = {k: v for k, v in MLP().get_params().items() if k not in MLP._PYTHON_ONLY}
    core = json.loads(_core.defaults("mlp"))
    core["learning_rate_schedule"] = core["learning_rate_schedule"]["kind"]
    assert json.loads(json.dumps(ours)) == core


def test_learns_spirals(spirals):
    X, y = spirals
    model = MLP((32, 32), learning_rate=0.05, epochs=200, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.97
    assert model.n_iter_ == 200 and len(model.history_["accuracy"]) == 200
    assert model.loss_ == model.history_["loss"][-1] < 0.1


def test_string_labels_and_frames(spirals):
    X, y = spirals
    frame = pd.DataFrame(X, columns=["left", "right"])
    names = np.array(["red", "green", "blue"])[y]
    model = MLP(epochs=20, random_state=0).fit(frame, names)
    assert model.classes_.tolist() == ["blue", "green", "red"]
    assert set(model.predict(frame)) <= set(names)
    assert model.feature_names_in_.tolist() == ["left", "right"]


def test_same_seed_same_bits_whatever_the_threads(spirals):
    X, y = spirals

    def fit(**kw):
        return MLP((40,), batch_size=300, epochs=5, random_state=7, **kw).fit(X, y)

    one, two = fit(n_jobs=1), fit(n_jobs=2)
    for a, b in zip(one.coefs_, two.coefs_, strict=True):
        assert a.tobytes() == b.tobytes()
    assert fit(n_jobs=1).coefs_[0].tobytes() == one.coefs_[0].tobytes()
    other = MLP((40,), batch_size=300, epochs=5, random_state=8).fit(X, y)
    assert other.coefs_[0].tobytes() != one.coefs_[0].tobytes()


@pytest.mark.parametrize("isa", _core.instruction_sets())
def test_same_seed_same_bits_whatever_the_instruction_set(isa, spirals):
    X, y = spirals
    program = (
        "import sys, numpy as np; from moodcore import MLP\n"
        "d = np.load(sys.argv[1]); m = MLP((16, 5), epochs=2, random_state=3).fit(d['X'], d['y'])\n"
        "print(m.coefs_[0].tobytes().hex(), m.predict_proba(d['X'][:9]).tobytes().hex())"
    )
    here = MLP((16, 5), epochs=2, random_state=3).fit(X, y)
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file, X=X, y=y)
        file.flush()
        out = subprocess.run(
            [sys.executable, "-c", program, file.name],
            env={**os.environ, "MOODCORE_ISA": isa},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    assert out[0] == here.coefs_[0].tobytes().hex()
    assert out[1] == here.predict_proba(X[:9]).tobytes().hex()


def test_an_unknown_instruction_set_is_refused(monkeypatch, spirals):
    monkeypatch.setenv("MOODCORE_ISA", "sse9")
    with pytest.raises(ValueError, match=r"MOODCORE_ISA must be one of .*, got 'sse9'"):
        MLP(epochs=1).fit(*spirals)


def test_pickle_and_clone(spirals):
    X, y = spirals
    model = MLP(epochs=5, random_state=0).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert again.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert clone(model).fit(X, y).coefs_[0].tobytes() == model.coefs_[0].tobytes()


def test_inside_scikit_learns_tools(spirals):
    X, y = spirals
    pipe = make_pipeline(StandardScaler(), MLP(epochs=10, random_state=0))
    assert cross_val_score(pipe, X, y, cv=3).mean() > 0.5
    grid = {"mlp__hidden_sizes": [(4,), (16, 16)], "mlp__batch_size": [32, "full"]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    assert search.best_params_["mlp__hidden_sizes"] == (16, 16)


def test_eval_set_and_callback(spirals):
    X, y = spirals
    seen = []
    model = MLP(epochs=4, random_state=0)
    model.fit(X[:600], y[:600], eval_set=(X[600:], y[600:]), on_epoch=seen.append)
    assert [record["epoch"] for record in seen] == [1, 2, 3, 4]
    assert [record["eval_loss"] for record in seen] == model.history_["eval_loss"]
    assert model.history_["eval_accuracy"][-1] == model.score(X[600:], y[600:])


def test_a_callback_stops_training(spirals):
    def stop(record):
        if record["epoch"] == 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        MLP(epochs=10**6).fit(*spirals, on_epoch=stop)


def test_early_stopping(spirals):
    X, y = spirals
    model = MLP((64,), learning_rate=0.2, epochs=2000, early_stopping=True, patience=5, tol=0.01,
                random_state=0).fit(X, y)  # fmt: skip
    assert model.n_iter_ < 2000
    losses = model.history_["eval_loss"]
    assert model.n_iter_ == model.best_epoch_ + 5
    assert losses[model.best_epoch_ - 1] <= min(losses) + 0.01


def test_warm_start_and_partial_fit_go_on(spirals):
    X, y = spirals
    through = MLP(epochs=6, random_state=0).fit(X, y)
    warm = MLP(epochs=3, warm_start=True, random_state=0)
    warm.fit(X, y).fit(X, y)
    assert warm.coefs_[0].tobytes() == through.coefs_[0].tobytes()
    partial = MLP(random_state=0)
    for _ in range(6):
        partial.partial_fit(X, y, classes=[0, 1, 2])
    assert partial.coefs_[0].tobytes() == through.coefs_[0].tobytes()


def test_weights_count(spirals):
    X, y = spirals
    heavy = MLP(epochs=30, class_weight={0: 50, 1: 1, 2: 1}, random_state=0).fit(X, y)
    assert (heavy.predict(X) == 0).mean() > 0.5
    doubled = MLP(batch_size="full", epochs=20, random_state=0)
    twice = clone(doubled).fit(np.vstack([X, X[:100]]), np.hstack([y, y[:100]]))
    weight = np.r_[np.full(100, 2.0), np.ones(800)]
    doubled.fit(X, y, sample_weight=weight)
    assert doubled.coefs_[0].tobytes() == twice.coefs_[0].tobytes()
    without = MLP(epochs=3, random_state=0).fit(X[100:], y[100:])
    zeros = MLP(epochs=3, random_state=0).fit(X, y, sample_weight=(weight == 1).astype(float))
    assert zeros.coefs_[0].tobytes() == without.coefs_[0].tobytes()


def test_divergence_warns_and_keeps_finite_weights(spirals):
    X, y = spirals
    with pytest.warns(ConvergenceWarning, match="infinite or NaN in epoch"):
        model = MLP(learning_rate=1e12, epochs=50, random_state=0).fit(X, y)
    assert all(np.isfinite(W).all() for W in model.coefs_)
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("kind", ["constant", "step", "cosine", "inverse-time"])
def test_schedules_run(kind, spirals):
    MLP(epochs=3, learning_rate_schedule=kind).fit(*spirals)
    MLP(epochs=3, learning_rate_schedule={"kind": kind, "warmup_epochs": 2}).fit(*spirals)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"learning_rate": 0}, "learning_rate must be finite and above 0, got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be finite, got nan"),
        ({"hidden_sizes": (16, -1)}, "hidden_sizes"),
        ({"batch_size": "all"}, "batch_size must be an int of at least 1 or 'full', got 'all'"),
        ({"momentum": 1.5}, r"momentum must be in \[0, 1\), got 1.5"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"init": "xavier"}, "init must be one of 'he', 'normal', got 'xavier'"),
        (
            {"learning_rate_schedule": {"kind": "step", "facor": 1}},
            "learning_rate_schedule has no key 'facor'; did you mean 'factor'",
        ),
        ({"nesterov": True, "momentum": 0.0}, "nesterov must be false when momentum is 0"),
        ({"hidden_sizes": (65536, 65536)}, "hidden_sizes must be widths .* got 4295"),
        ({"hidden_sizes": 16}, "hidden_sizes must be a list, got 16"),
        ({"epochs": 2.5}, "epochs must be an int, got 2.5"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"n_jobs": 2**40}, "n_jobs must be at most 1024"),
    ],
)
def test_wrong_parameters_say_what_is_allowed(params, message, spirals):
    with pytest.raises(ValueError, match=message):
        MLP(**params).fit(*spirals)


def test_wrong_data_say_where(spirals):
    X, y = spirals
    model = MLP(epochs=1, random_state=0).fit(X, y)
    big = X.copy()
    big[5, 1] = 1e300
    with pytest.raises(ValueError, match=r"float32 .* row 5, column 1"):
        model.predict(big)
    with pytest.raises(ValueError, match=r"only classes seen in training .* in row 1"):
        model.fit(X, y, eval_set=(X[:2], [0, 9]))
    with pytest.raises(TypeError, match=r"eval_set must be a tuple \(X, y\), got ndarray"):
        model.fit(X, y, eval_set=X)
    with pytest.raises(NotFittedError):
        MLP().predict(X)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        MLP().partial_fit(X, y)
    with pytest.raises(ValueError, match="hidden_sizes must stay"):
        MLP(epochs=1, warm_start=True).fit(X, y).set_params(hidden_sizes=(3,)).fit(X, y)


def test_verbose_prints_epochs(spirals, capsys):
    MLP(epochs=4, verbose=2).fit(*spirals)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 2", "epoch 4"]


def test_ctrl_c_ends_training_at_once(spirals):
    program = (
        "import numpy as np, os, signal, threading, time\n"
        "from moodcore import MLP\n"
        "from moodcore.estimators.progress import polled\n"
        "X = np.random.default_rng(0).normal(size=(50_000, 8)); y = X[:, 0] > 0\n"
        "training = threading.Event()\n"
        "def interrupt():\n"
        "    training.wait(); time.sleep(0.2)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Thread(target=interrupt).start()\n"
        "try:\n"
        "    with polled(training.set):\n"
        "        MLP(epochs=10**7).fit(X, y)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "interrupted"


def test_import_is_light():
    program = (
        "import sys, moodcore\n"
        "heavy = {'pandas', 'matplotlib', 'sklearn', 'optuna', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_networks_too_large_for_the_memory_are_refused(spirals, monkeypatch):
    def refuse(*_args, **_keywords):
        raise MemoryError

    monkeypatch.setattr(memory, "np", SimpleNamespace(empty=refuse, uint8=np.uint8))
    with pytest.raises(MemoryError, match=r"hidden_sizes \(8, 9\) needs about 0.0 GiB at once"):
        MLP((8, 9)).fit(*spirals)
