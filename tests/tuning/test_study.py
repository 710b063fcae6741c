"""The search: the same bytes for any number of jobs, nothing lost, nothing mixed."""

import numpy as np
import pandas as pd
import pytest

from moodcore.errors import ConfigError
from moodcore.runs.candidate import best_of
from moodcore.runs.folder import RunFolder, read_json
from moodcore.runs.interrupts import RunInterruptedError
from moodcore.runs.storage import Storage
from moodcore.tuning import study as studies
from moodcore.tuning.settings import TuneSettings

SMALL_GRID = {"hidden_sizes": [[4], [4, 4]], "learning_rate": [0.01, 0.05], "batch_size": 32}
RESULTS = ("metrics.json", "trials.csv", "curves.parquet", "optimizers.parquet", "config.toml")


def small(**changes):
    """Settings of a run of a second."""
    return TuneSettings(**{"rows": 400, "folds": 2, "epochs": 4, "grid": SMALL_GRID} | changes)


def test_a_run_leaves_everything(run, tmp_path):
    metrics, listener = run(tmp_path, small())
    assert sorted(listener.finished) == [0, 1, 2, 3]
    assert metrics == read_json(tmp_path / "metrics.json")
    trials = pd.read_csv(tmp_path / "trials.csv")
    assert list(trials["number"]) == [0, 1, 2, 3]
    assert set(trials["state"]) == {"complete"}
    folds = trials[["accuracy_fold_1", "accuracy_fold_2"]]
    assert trials["accuracy"].to_list() == pytest.approx(folds.mean(axis=1).to_list())
    curves = pd.read_parquet(tmp_path / "curves.parquet")
    assert curves.groupby("number")["epoch"].agg(["min", "max"]).to_numpy().tolist() == [[1, 4]] * 4
    assert metrics["test"]["n_rows"] == 80
    assert set(metrics["baselines"]) == {"majority class", "logistic regression"}
    assert (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sampler": "random", "trials": 3},
        {"sampler": "tpe", "trials": 3, "pruner": "median"},
        {"pruner": "halving", "epochs": 9},
    ],
)
def test_same_bytes_for_any_number_of_jobs(run, tmp_path, changes):
    for jobs in (1, 3):
        run(tmp_path / str(jobs), small(**changes), jobs=jobs)
    for name in RESULTS:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "3" / name).read_bytes(), name


@pytest.mark.parametrize("changes", [{}, {"sampler": "tpe", "trials": 5}])
def test_interrupted_then_resumed_gives_the_same_bytes(run, tmp_path, changes):
    run(tmp_path / "whole", small(**changes))
    with pytest.raises(RunInterruptedError):
        run(tmp_path / "parts", small(**changes), after=2)
    _, listener = run(tmp_path / "parts", small(**changes))
    assert listener.done_before == 2
    assert not {0, 1} & set(listener.finished)
    for name in RESULTS:
        whole, parts = (tmp_path / run / name for run in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes(), name


def test_stale_trials_are_failed_and_done_again(run, tmp_path):
    from optuna.trial import TrialState

    with pytest.raises(RunInterruptedError):
        run(tmp_path, small(), after=1)
    study = studies.open_study(Storage.of_file(RunFolder(tmp_path).study), small())
    # What a kill leaves: one trial in training, one not yet begun.
    for number in (1, 2):
        params = {"hidden_sizes": "4", "learning_rate": 0.01}
        study.enqueue_trial(params, user_attrs={"candidate": number})
    study.ask()
    states = [trial.state for trial in study.get_trials()]
    assert {TrialState.RUNNING, TrialState.WAITING} <= set(states)
    studies.close(study)
    run(tmp_path, small())
    study = studies.open_study(Storage.of_file(RunFolder(tmp_path).study), small())
    states = [trial.state for trial in study.get_trials()]
    assert states.count(TrialState.COMPLETE) == 4
    assert TrialState.FAIL in states
    assert not {TrialState.RUNNING, TrialState.WAITING} & set(states)
    numbers = [candidate.number for candidate in studies.finished(study).values()]
    studies.close(study)
    assert numbers == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 5}, "epochs was 4 when the run began and is 5 now"),
        ({"trials": 2}, "trials was not set when the run began and is 2 now"),
        ({"rows": 404}, "rows was 400 .* 404"),
    ],
)
def test_other_settings_are_refused(run, tmp_path, changes, message):
    with pytest.raises(RunInterruptedError):
        run(tmp_path, small(), after=1)
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, small(**changes))


def test_other_songs_are_refused(run, tmp_path):
    from moodcore import songs

    X, y = songs.synthesize(400, random_state=3)
    table = X.assign(**{songs.LABEL: y})
    path = tmp_path / "songs.csv"
    table.to_csv(path, index=False)
    settings = small(data=str(path), rows=None)
    with pytest.raises(RunInterruptedError):
        run(tmp_path / "run", settings, after=1)
    table.loc[0, "valence"] = 0.5
    table.to_csv(path, index=False)
    with pytest.raises(ConfigError, match="data have changed"):
        run(tmp_path / "run", settings)


def test_pruned_candidates_have_a_curve_and_no_accuracy(run, tmp_path):
    grid = {"hidden_sizes": [[4]], "learning_rate": [0.05, 0.06, 0.04, 0.05001, 1e-6, 2e-6]}
    metrics, _ = run(tmp_path, small(pruner="median", epochs=9, grid=grid), jobs=2)
    trials = pd.read_csv(tmp_path / "trials.csv")
    pruned = trials[trials["state"] == "pruned"]
    assert metrics["search"]["pruned"] == len(pruned) > 0
    assert pruned["accuracy"].isna().all()
    curves = pd.read_parquet(tmp_path / "curves.parquet")
    lengths = curves.groupby("number").size()
    assert (lengths[pruned["number"]] < 9).all()


def test_interrupt_gives_open_candidates_back(run, tmp_path):
    from optuna.trial import TrialState

    with pytest.raises(RunInterruptedError):
        run(tmp_path, small(), after=1)
    study = studies.open_study(Storage.of_file(RunFolder(tmp_path).study), small())
    states = [trial.state for trial in study.get_trials()]
    studies.close(study)
    assert TrialState.FAIL in states
    assert not {TrialState.RUNNING, TrialState.WAITING} & set(states)


@pytest.mark.parametrize("name", ["median", "halving"])
def test_a_snapshot_sent_elsewhere_decides_like_the_study(name):
    import pickle

    import optuna

    from moodcore.tuning.pruning import PrunerSnapshot, make_pruner, repeat_reports, rungs

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    asked, copied = (
        optuna.create_study(direction="maximize", pruner=make_pruner(name, 27)) for _ in range(2)
    )
    rng = np.random.default_rng(0)
    decisions = []
    for _ in range(30):
        elsewhere = pickle.loads(pickle.dumps(PrunerSnapshot.of(copied))).begin()
        trial, told = asked.ask(), []
        for step in rungs(27):
            value = float(rng.random())
            for running in (elsewhere, trial):
                running.report(value, step)
            told.append((step, value))
            decisions.append(trial.should_prune())
            assert elsewhere.should_prune() == decisions[-1]
            if decisions[-1]:
                break
        copy = copied.ask()
        repeat_reports(copy, tuple(told))
        for study, current in ((asked, trial), (copied, copy)):
            if decisions[-1]:
                study.tell(current, state=optuna.trial.TrialState.PRUNED)
            else:
                study.tell(current, told[-1][1])
    assert 5 < sum(decisions) < len(decisions) - 5


def test_equal_candidates_go_to_the_smaller_network(run, tmp_path):
    from moodcore.runs.candidate import Candidate, pruned

    base = pruned(0, Candidate("mlp", {}), {})
    from dataclasses import replace

    results = [
        base,
        replace(base, number=1, score=0.8, n_weights=50),
        replace(base, number=2, score=0.8, n_weights=20),
        replace(base, number=3, score=0.8, n_weights=20),
        replace(base, number=4, score=0.7, n_weights=5),
    ]
    assert best_of(results).number == 2


def test_diverging_candidates_are_reported(run, tmp_path):
    grid = {"hidden_sizes": [[4]], "learning_rate": [0.01, 1e6]}
    metrics, _ = run(tmp_path, small(grid=grid))
    check = next(item for item in metrics["checks"] if item["name"] == "Divergence")
    assert not check["ok"]
    assert "1" in check["text"]
