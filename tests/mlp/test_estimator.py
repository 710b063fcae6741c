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
from experiment import plain
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from moodcore import MLP, _core, load
from moodcore.estimators import memory


@parametrize_with_checks(
    [MLP(), plain(epochs=100), plain((8,), batch_size="full", learning_rate=0.1)]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


def test_parameters_and_defaults_are_the_cores():
    ours = {k: v for k, v in MLP().get_params().items() if k not in MLP._PYTHON_ONLY}
    core = json.loads(_core.defaults("mlp"))
    core["learning_rate_schedule"] = core["learning_rate_schedule"]["kind"]
    # The core has no rows to decide by.
    core["early_stopping"] = "auto"
    assert json.loads(json.dumps(ours)) == core


def test_learns_spirals(spirals):
    X, y = spirals
    model = plain((32, 32), learning_rate=0.05, epochs=200, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.97
    assert model.n_iter_ == 200 and len(model.history_["accuracy"]) == 200
    assert model.loss_ == model.history_["loss"][-1] < 0.1


def test_string_labels_and_frames(spirals):
    X, y = spirals
    frame = pd.DataFrame(X, columns=["left", "right"])
    names = np.array(["red", "green", "blue"])[y]
    model = plain(epochs=20, random_state=0).fit(frame, names)
    assert model.classes_.tolist() == ["blue", "green", "red"]
    assert set(model.predict(frame)) <= set(names)
    assert model.feature_names_in_.tolist() == ["left", "right"]


def test_same_seed_same_bits_whatever_the_threads(spirals):
    X, y = spirals

    def fit(**kw):
        return plain((40,), batch_size=300, epochs=5, random_state=7, **kw).fit(X, y)

    one, two = fit(n_jobs=1), fit(n_jobs=2)
    for a, b in zip(one.coefs_, two.coefs_, strict=True):
        assert a.tobytes() == b.tobytes()
    assert fit(n_jobs=1).coefs_[0].tobytes() == one.coefs_[0].tobytes()
    other = plain((40,), batch_size=300, epochs=5, random_state=8).fit(X, y)
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
        plain(epochs=1).fit(*spirals)


def test_pickle_and_clone(spirals):
    X, y = spirals
    model = plain(epochs=5, random_state=0).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert again.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert clone(model).fit(X, y).coefs_[0].tobytes() == model.coefs_[0].tobytes()


def test_inside_scikit_learns_tools(spirals):
    X, y = spirals
    pipe = make_pipeline(StandardScaler(), plain(epochs=10, random_state=0))
    assert cross_val_score(pipe, X, y, cv=3).mean() > 0.5
    grid = {"mlp__hidden_sizes": [(4,), (16, 16)], "mlp__batch_size": [32, "full"]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    assert search.best_params_["mlp__hidden_sizes"] == (16, 16)


def test_eval_set_and_callback(spirals):
    X, y = spirals
    seen = []
    model = plain(epochs=4, random_state=0)
    model.fit(X[:600], y[:600], eval_set=(X[600:], y[600:]), on_epoch=seen.append)
    assert [record["epoch"] for record in seen] == [1, 2, 3, 4]
    assert [record["eval_loss"] for record in seen] == model.history_["eval_loss"]
    assert model.history_["eval_accuracy"][-1] == model.score(X[600:], y[600:])


def test_a_callback_stops_training(spirals):
    def stop(record):
        if record["epoch"] == 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        plain(epochs=10**6).fit(*spirals, on_epoch=stop)


def test_callbacks_get_the_records_of_all_estimators(spirals):
    X, y = spirals
    seen = []
    model = plain(epochs=3, random_state=0, callbacks=[seen.append])
    model.fit(X[:600], y[:600], eval_set=(X[600:], y[600:]))
    assert [record["iteration"] for record in seen] == [0, 1, 2]
    assert [record["training"]["logloss"] for record in seen] == model.history_["loss"]
    assert [record["training"]["accuracy"] for record in seen] == model.history_["accuracy"]
    curves = {
        name: [record["validation_0"][name] for record in seen] for name in ("logloss", "accuracy")
    }
    assert model.evals_result_ == {"validation_0": curves}
    assert curves["logloss"] == model.history_["eval_loss"]
    assert model.best_iteration_ is None
    assert model.fit(X, y).evals_result_ == {}
    model.set_params(early_stopping=True, patience=1, learning_rate=1e-9).fit(X, y)
    assert list(model.evals_result_) == ["validation"]
    assert model.best_iteration_ == model.best_epoch_ - 1 == 0


@pytest.mark.parametrize("way", ["callbacks", "on_epoch"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_callback_that_returns_true_ends_training(spirals, way, early_stopping):
    def is_third(record):
        return record.get("iteration", record.get("epoch", 0) - 1) == 2

    shared = {"random_state": 0, "early_stopping": early_stopping}
    model = plain(epochs=10**6, **shared)
    if way == "callbacks":
        model.set_params(callbacks=[is_third]).fit(*spirals)
    else:
        model.fit(*spirals, on_epoch=is_third)
    expected = plain(epochs=3, **shared).fit(*spirals)
    assert model.n_iter_ == 3 and model.history_ == expected.history_
    assert model.best_epoch_ == expected.best_epoch_
    assert model.coefs_[0].tobytes() == expected.coefs_[0].tobytes()


def test_answers_of_callbacks_other_than_true_are_ignored(spirals):
    model = plain(epochs=3, callbacks=[lambda record: 1])
    assert model.fit(*spirals, on_epoch=lambda record: "more").n_iter_ == 3


def test_early_stopping_that_continues_keeps_the_network_unless_another_is_better(spirals):
    model = plain(epochs=300, random_state=0, warm_start=True).fit(*spirals)
    before = model.predict_proba(spirals[0]).tobytes()
    model.set_params(early_stopping=True, patience=2, tol=1e3).fit(*spirals)
    assert (model.best_epoch_, model.best_iteration_, model.n_iter_) == (0, None, 2)
    assert model.predict_proba(spirals[0]).tobytes() == before


def test_early_stopping(spirals):
    X, y = spirals
    model = plain((64,), learning_rate=0.2, epochs=2000, early_stopping=True, patience=5, tol=0.01,
                random_state=0).fit(X, y)  # fmt: skip
    assert model.n_iter_ < 2000
    losses = model.history_["eval_loss"]
    assert model.n_iter_ == model.best_epoch_ + 5
    assert losses[model.best_epoch_ - 1] <= min(losses) + 0.01


def test_warm_start_and_partial_fit_go_on(spirals):
    X, y = spirals
    through = plain(epochs=6, random_state=0).fit(X, y)
    warm = plain(epochs=3, warm_start=True, random_state=0)
    warm.fit(X, y).fit(X, y)
    assert warm.coefs_[0].tobytes() == through.coefs_[0].tobytes()
    partial = plain(random_state=0)
    for _ in range(6):
        partial.partial_fit(X, y, classes=[0, 1, 2])
    assert partial.coefs_[0].tobytes() == through.coefs_[0].tobytes()


def test_weights_count(spirals):
    X, y = spirals
    heavy = plain(epochs=30, class_weight={0: 50, 1: 1, 2: 1}, random_state=0).fit(X, y)
    assert (heavy.predict(X) == 0).mean() > 0.5
    doubled = plain(batch_size="full", epochs=20, random_state=0)
    twice = clone(doubled).fit(np.vstack([X, X[:100]]), np.hstack([y, y[:100]]))
    weight = np.r_[np.full(100, 2.0), np.ones(800)]
    doubled.fit(X, y, sample_weight=weight)
    assert doubled.coefs_[0].tobytes() == twice.coefs_[0].tobytes()
    without = plain(epochs=3, random_state=0).fit(X[100:], y[100:])
    zeros = plain(epochs=3, random_state=0).fit(X, y, sample_weight=(weight == 1).astype(float))
    assert zeros.coefs_[0].tobytes() == without.coefs_[0].tobytes()


def test_divergence_warns_and_keeps_finite_weights(spirals):
    X, y = spirals
    with pytest.warns(ConvergenceWarning, match="infinite or NaN in epoch"):
        model = plain(learning_rate=1e12, epochs=50, random_state=0).fit(X, y)
    assert all(np.isfinite(W).all() for W in model.coefs_)
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("kind", ["constant", "step", "cosine", "inverse-time"])
def test_schedules_run(kind, spirals):
    plain(epochs=3, learning_rate_schedule=kind).fit(*spirals)
    plain(epochs=3, learning_rate_schedule={"kind": kind, "warmup_epochs": 2}).fit(*spirals)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"learning_rate": 0}, "learning_rate must be finite and above 0, got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be finite, got nan"),
        ({"hidden_sizes": (16, -1)}, "hidden_sizes"),
        ({"batch_size": "all"}, "batch_size must be an int of at least 1 or 'full', got 'all'"),
        ({"momentum": 1.5}, r"momentum must be in \[0, 1\), got 1.5"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"init": "xavier"}, "init must be one of 'he', 'lecun', 'normal', got 'xavier'"),
        (
            {"learning_rate_schedule": {"kind": "step", "facor": 1}},
            "learning_rate_schedule has no key 'facor'; did you mean 'factor'",
        ),
        ({"nesterov": True, "momentum": 0.0}, "nesterov must be False when momentum is 0"),
        ({"hidden_sizes": (65536, 65536)}, "hidden_sizes must be widths .* got 4295"),
        ({"hidden_sizes": 0}, "hidden_sizes must be widths from 1 to 65536, got 0"),
        ({"activation": "rellu"}, "activation must be one of .* got 'rellu'; did you mean 'relu'"),
        ({"optimizer": "adm"}, "optimizer must be one of 'sgd', 'adam', got 'adm'"),
        (
            {"optimizer": "adam", "nesterov": True},
            "nesterov must be False when optimizer is 'adam'",
        ),
        ({"input_scaling": "robst"}, "input_scaling must be .* got 'robst'; did you mean 'robust'"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be at least 1, got 0"),
        ({"epochs": 2.5}, "epochs must be an int, got 2.5"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"n_jobs": 2**40}, "n_jobs must be at most 1024"),
    ],
)
def test_wrong_parameters_say_what_is_allowed(params, message, spirals):
    with pytest.raises(ValueError, match=message):
        plain(**params).fit(*spirals)


def test_wrong_data_say_where(spirals):
    X, y = spirals
    model = plain(epochs=1, random_state=0).fit(X, y)
    big = X.copy()
    big[5, 1] = 1e300
    with pytest.raises(ValueError, match=r"float32 .* row 5, column 1"):
        model.predict(big)
    with pytest.raises(ValueError, match=r"only classes seen in training .* in row 1"):
        model.fit(X, y, eval_set=(X[:2], [0, 9]))
    with pytest.raises(
        TypeError, match=r"eval_set must be a tuple \(X, y\), a list .* got ndarray"
    ):
        model.fit(X, y, eval_set=X)
    with pytest.raises(NotFittedError):
        plain().predict(X)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        plain().partial_fit(X, y)
    with pytest.raises(ValueError, match="hidden_sizes must stay"):
        plain(epochs=1, warm_start=True).fit(X, y).set_params(hidden_sizes=(3,)).fit(X, y)


def test_verbose_prints_epochs(spirals, capsys):
    model = plain(epochs=4, verbose=2).fit(*spirals)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["iteration 0", "iteration 2"]
    loss, accuracy = (model.history_[name][2] for name in ("loss", "accuracy"))
    assert lines[1] == f"iteration 2: training logloss={loss:.5f} training accuracy={accuracy:.5f}"


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
        "        MLP(epochs=10**7, early_stopping=False).fit(X, y)\n"
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
        plain((8, 9)).fit(*spirals)


def test_forms_of_evaluation_sets_and_their_weights(spirals):
    X, y = spirals
    weight = np.linspace(0.5, 2, 300)
    train, held = (X[:600], y[:600]), (X[600:], y[600:])

    def curve(**given):
        return plain(epochs=3, random_state=0).fit(*train, **given).history_["eval_loss"]

    unweighted = curve(eval_set=held)
    assert curve(eval_set=[held]) == unweighted == curve(X_val=held[0], y_val=held[1])
    weighted = curve(eval_set=[held], sample_weight_eval_set=[weight])
    assert weighted != unweighted
    assert weighted == curve(X_val=held[0], y_val=held[1], sample_weight_val=weight)
    with pytest.raises(ValueError, match="one evaluation set for MLP, got 2"):
        curve(eval_set=[held, held])


def test_a_class_of_weight_zero_is_left_out(spirals):
    X, y = spirals
    model = plain(epochs=20, class_weight={2: 0.0}, random_state=0).fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict_proba(X)[:, 2].mean() < 0.1
    with pytest.raises(ValueError, match="class_weight must be above 0 for at least one class"):
        plain(class_weight={0: 0.0, 1: 0.0, 2: 0.0}).fit(X, y)


def test_early_stopping_with_a_class_of_one_row(spirals):
    X, y = spirals
    y = np.where(np.arange(len(y)) == 5, 7, y)
    model = plain(epochs=5, early_stopping=True, random_state=0).fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2, 7]


def test_early_stopping_by_accuracy(spirals):
    X, y = spirals
    model = plain(epochs=60, early_stopping=True, eval_metric="accuracy", patience=60, tol=0.0,
                random_state=0).fit(X, y)  # fmt: skip
    accuracies = model.history_["eval_accuracy"]
    assert accuracies[model.best_epoch_ - 1] == max(accuracies)


def test_a_warm_start_after_early_stopping_is_never_worse(spirals):
    X, y = spirals
    model = plain(epochs=60, early_stopping=True, patience=5, learning_rate=0.1, warm_start=True,
                random_state=0)  # fmt: skip
    losses = []
    for _ in range(4):
        model.fit(X[:600], y[:600], eval_set=(X[600:], y[600:]))
        probabilities = model.predict_proba(X[600:])[np.arange(300), y[600:]]
        losses.append(-np.log(probabilities).mean())
    assert losses == sorted(losses, reverse=True)


def test_one_hidden_layer_by_its_width(spirals):
    X, y = spirals
    by_int, by_tuple = (plain(sizes, epochs=2, random_state=0).fit(X, y) for sizes in (8, (8,)))
    np.testing.assert_array_equal(by_int.coefs_[0], by_tuple.coefs_[0])
    warm = plain(8, epochs=1, warm_start=True, random_state=0).fit(X, y).fit(X, y)
    assert len(warm.intercepts_[0]) == 8


@pytest.mark.parametrize("scaling", ["robust", "standard"])
def test_scaled_inputs_may_have_any_unit(scaling, spirals):
    X, y = spirals
    units = np.array([1e-9, 1e12])
    offset = np.array([0.0, 1e14])
    model = plain((32, 32), epochs=60, optimizer="adam", input_scaling=scaling, random_state=0)
    score = model.fit(X, y).score(X, y)
    assert model.fit(X * units + offset, y).score(X * units + offset, y) > score - 0.1 > 0.6
    far = np.full((1, 2), 1e300)
    assert np.isfinite(model.predict_proba(far)).all()
    again = pickle.loads(pickle.dumps(model))
    assert again.predict_proba(far).tobytes() == model.predict_proba(far).tobytes()
    warm = clone(model).set_params(warm_start=True).fit(X, y)
    center = warm.input_scale_.center
    np.testing.assert_array_equal(warm.fit(X * 2, y).input_scale_.center, center)


def test_scores_that_are_not_finite_are_refused(spirals):
    X, y = spirals
    model = plain(epochs=2, input_scaling=None, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="the scores of row 1 of X are not finite"):
        model.predict_proba(np.array([[0.0, 1.0], [3e38, -3e38]]))


def test_adam_continues_where_it_stopped(spirals, tmp_path):
    X, y = spirals
    params = {"optimizer": "adam", "dropout": 0.2, "weight_decay": 0.1, "random_state": 0}
    through = plain(epochs=6, learning_rate_schedule="constant", **params).fit(X, y)
    half = plain(epochs=3, learning_rate_schedule="constant", warm_start=True, **params).fit(X, y)
    half.save(tmp_path / "half.safetensors")
    loaded = load(tmp_path / "half.safetensors").set_params(random_state=0)
    for model in (half, loaded, pickle.loads(pickle.dumps(loaded))):
        model.fit(X, y)
        np.testing.assert_array_equal(model.coefs_[0], through.coefs_[0])
    with pytest.raises(ValueError, match="activation must stay 'relu' when training continues"):
        half.set_params(activation="tanh").fit(X, y)


def test_one_hidden_layer_may_be_given_as_its_width():
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    model = MLP(hidden_sizes=100, n_networks=1, epochs=1, random_state=0).fit(X, y)
    same = MLP(hidden_sizes=(100,), n_networks=1, epochs=1, random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), same.predict_proba(X))
    assert model.coefs_[0].shape == (3, 100)
