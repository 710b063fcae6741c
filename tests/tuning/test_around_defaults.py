"""The search around the defaults of the estimators, on tables other than songs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import moodcore
from moodcore import GBT, MLP
from moodcore.datasets import load_dataset
from moodcore.errors import ConfigError
from moodcore.runs.candidate import Candidate, combine, fit_fold
from moodcore.runs.families import FAMILIES, family
from moodcore.runs.folds import split
from moodcore.runs.seeds import Stream, derive
from moodcore.runs.settings import read_toml, settings_of, write_toml
from moodcore.runs.spaces import CANDIDATES
from moodcore.tuning.folds import make_folds
from moodcore.tuning.plan import n_candidates, plan, search_space
from moodcore.tuning.settings import TuneSettings

RESULTS = ("metrics.json", "trials.csv", "curves.parquet", "config.toml", "model.safetensors")
QUIET = {"on_step": lambda state: None, "on_poll": lambda: None}


def settings(**changes):
    return TuneSettings(**{"target": "kind", "folds": 3} | changes)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(480, 4)).round(3), columns=[*"abcd"])
    frame["color"] = rng.choice(["red", "green", "blue"], 480)
    score = frame["a"] * frame["b"] + (frame["color"] == "red") + rng.normal(size=480)
    return frame, np.where(score > 0.3, "yes", "no")


@pytest.fixture(scope="module")
def folds(table):
    X, y = table
    wanted = settings()
    dataset = load_dataset(X, y=y)
    return make_folds(dataset, split(dataset, 0), wanted, ["gbt", "mlp"])


# The candidates.


def test_the_defaults_of_every_family_are_the_first_candidates():
    wanted = settings(model="all")
    space = search_space(wanted)
    found = plan(space, wanted)
    assert found[:4] == [Candidate(name, {}) for name in FAMILIES]
    arguments = [space.arguments(candidate, wanted) for candidate in found[:4]]
    # Platt scaling is for the report, and the defaults of SVM have none.
    assert arguments == [{}, {}, {"probability": True}, {}]
    assert len(found) == n_candidates(space, wanted) == len({str(c) for c in found})
    assert all(candidate.params for candidate in found[4:])


def test_epochs_are_for_all_candidates_but_the_defaults():
    wanted = settings(model="gbt", epochs=7, grid={"max_leaves": [4, 5]})
    space = search_space(wanted)
    found = [space.arguments(candidate, wanted) for candidate in plan(space, wanted)]
    assert found == [
        {},
        {"n_estimators": 7, "max_leaves": 4},
        {"n_estimators": 7, "max_leaves": 5},
    ]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_drawn_candidates_follow_the_defaults(sampler):
    wanted = settings(model="all", sampler=sampler, trials=9)
    found = plan(search_space(wanted), wanted)
    assert [candidate.params for candidate in found[:4]] == [{}] * 4
    assert len(found) == (9 if sampler == "random" else 4)


def test_each_table_of_a_list_is_a_grid_of_its_own():
    grid = [{"C": [1.0, 3.0], "gamma": 0.1}, {"C": [1.0], "gamma": 0.1}, {"kernel": "linear"}]
    wanted = settings(model="svm", grid=grid)
    assert [candidate.params for candidate in plan(search_space(wanted), wanted)] == [
        {},
        {"C": 1.0, "gamma": 0.1},
        {"C": 3.0, "gamma": 0.1},
        {"kernel": "linear"},
    ]


def test_songs_keep_the_experiment():
    wanted = TuneSettings()
    assert (wanted.base, wanted.epochs) == ("experiment", 300)
    assert wanted.grid == FAMILIES["mlp"].grid
    assert len(plan(search_space(wanted), wanted)) == 24
    assert settings().grid == [dict(table) for table in CANDIDATES["mlp"]]
    assert settings(study="optimizers").base == "experiment"


def test_settings_with_several_tables_are_read_again(tmp_path):
    for model in ("gbt", "all"):
        path = tmp_path / f"{model}.toml"
        path.write_text(write_toml(settings(model=model), "tune"))
        assert settings_of(TuneSettings, read_toml(path)) == settings(model=model)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": "default"}, "base 'default' does not exist; did you mean 'defaults'"),
        ({"grid": [3]}, r"grid must be a table of hyperparameters, got \[3\]"),
        ({"grid": [{}], "sampler": "tpe"}, "grid has several tables, which base 'defaults' and"),
        ({"grid": [{}], "base": "experiment"}, "grid has several tables"),
        ({"grid": {"gbt": [{}, 3]}, "model": "all"}, "grid: gbt must be a table"),
    ],
)
def test_wrong_settings_are_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        settings(**changes)


# Training on a fold.


class Kept:
    """A family whose models are kept."""

    def __init__(self, name):
        models = self.models = []

        class Estimator(family(name).estimator()):
            def fit(self, *arguments, **named):
                models.append(self)
                return super().fit(*arguments, **named)

        self.family = replace(family(name), estimator=lambda: Estimator)

    def fit(self, fold, metric="accuracy", **arguments):
        found = fit_fold(
            self.family, arguments, fold, seed=7, metric=metric, as_called=True, **QUIET
        )
        return found, self.models[-1]


@pytest.mark.parametrize(("name", "kind"), [("gbt", "native"), ("mlp", "numeric")])
def test_the_default_candidate_is_trained_as_a_user_would(name, kind, folds):
    fold = folds[kind, 0]
    found, model = Kept(name).fit(fold)
    plain = {"gbt": GBT, "mlp": MLP}[name](random_state=7, n_jobs=1)
    plain.fit(fold.X_train, fold.y_train)
    probabilities = plain.predict_proba(fold.X_valid)
    assert model.predict_proba(fold.X_valid).tobytes() == probabilities.tobytes()
    assert found.accuracy == plain.score(fold.X_valid, fold.y_valid)
    codes = np.searchsorted(plain.classes_, fold.y_valid)
    known = probabilities[np.arange(len(codes)), codes]
    assert found.log_loss == pytest.approx(-np.log(known).mean(), rel=1e-5)
    best = plain.best_iteration_
    assert found.n_steps == (plain.n_iter_ if best is None else best + 1)
    assert found.stages == ()


@pytest.mark.parametrize(
    ("name", "kind", "arguments"),
    [
        ("gbt", "native", {}),
        ("gbt", "native", {"early_stopping_rounds": 3, "n_estimators": 50}),
        ("mlp", "numeric", {}),
        ("mlp", "numeric", {"early_stopping": False, "epochs": 3}),
    ],
)
def test_validation_rows_do_not_change_the_model(name, kind, arguments, folds):
    fold = folds[kind, 0]
    models = []
    for y_valid in (fold.y_valid, np.where(fold.y_valid == "yes", "no", "yes")):
        kept = Kept(name)
        models.append(kept.fit(replace(fold, y_valid=y_valid), **arguments)[1])
    first, second = (model.predict_proba(fold.X_valid).tobytes() for model in models)
    assert first == second


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "log_loss", "roc_auc"])
def test_the_rounds_with_the_lowest_mean_log_loss_are_chosen(metric, folds):
    arguments = {"n_estimators": 120, "learning_rate": 0.3, "max_leaves": 8}
    results = []
    for number in range(3):
        fold = folds["native", number]
        found, _ = Kept("gbt").fit(fold, metric, **arguments)
        results.append(found)
        assert len(found.stages) > 5
        for stage in found.stages[::4]:
            part = GBT(**arguments | {"n_estimators": stage.n_steps}, random_state=7)
            part.fit(fold.X_train, fold.y_train)
            assert stage.accuracy == part.score(fold.X_valid, fold.y_valid)
            assert stage.train_accuracy == pytest.approx(part.score(fold.X_train, fold.y_train))
            assert stage.n_weights == family("gbt").size(part)
            assert stage.log_loss == pytest.approx(found.curves["valid_loss"][stage.n_steps - 1])
    combined = combine(1, Candidate("gbt", arguments), results)
    shared = set.intersection(*({s.n_steps for s in found.stages} for found in results))
    losses = {
        steps: np.mean([s.log_loss for f in results for s in f.stages if s.n_steps == steps])
        for steps in shared
    }
    assert combined.n_steps == min(losses, key=losses.get)
    assert combined.log_loss == pytest.approx(min(losses.values()))
    assert combined.n_steps < 60
    # A fold has two thirds of the training rows.
    assert combined.chosen == {"n_estimators": round(combined.n_steps * 1.5**0.5)}
    if metric == "log_loss":
        assert combined.score == pytest.approx(-combined.log_loss)


def test_rounds_are_as_passed_where_later_rounds_change_earlier_ones(folds):
    given = {"n_estimators": 5, "boosting": "dart"}
    found, model = Kept("gbt").fit(folds["native", 0], **given)
    assert found.stages == () and model.n_iter_ == found.n_steps == 5
    assert combine(0, Candidate("gbt", {}), [found, found]).chosen == {}


# The whole search.

GRID = [
    {"n_estimators": 40, "learning_rate": 0.2, "max_leaves": [3, 6]},
    {"reg_lambda": 5.0},
]
SMALL = {"model": "gbt", "folds": 3, "seed": 1, "n_jobs": 1, "grid": GRID}


def test_the_gain_over_the_defaults_is_reported(table, tmp_path):
    X, y = table
    result = moodcore.tune(X, y, out=tmp_path / "run", metric="log_loss", **SMALL)
    search, trials = result.metrics["search"], result.trials.set_index("number")
    gain = search["gain"]
    assert (gain["model"], gain["number"], gain["folds"]) == ("gbt", 0, 3)
    scores = trials.loc[[gain["candidate"], 0], [f"score_fold_{n}" for n in (1, 2, 3)]].to_numpy()
    assert gain["difference"] == pytest.approx((scores[0] - scores[1]).mean())
    assert gain["low"] <= gain["difference"] <= gain["high"]
    for text in (repr(result), result._repr_html_(), result.summary):
        assert "GBT() by default" in text
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert 'id="differences"' in page and "GBT() by default" in page
    assert search["families"][0]["varied"] == [
        "max_leaves", "n_estimators", "learning_rate", "reg_lambda",
    ]  # fmt: skip
    assert trials.loc[0, search["families"][0]["varied"]].isna().all()


def test_the_final_model_has_the_chosen_rounds(table):
    X, y = table
    grid = {"n_estimators": 60, "learning_rate": 0.2, "max_leaves": 3}
    result = moodcore.tune(X, y, metric="log_loss", **SMALL | {"grid": grid})
    best = result.metrics["search"]["best"]
    model = result.best_model.named_steps["classify"]
    if best["params"]:
        assert model.n_iter_ == best["chosen"]["n_estimators"] <= 60
        assert result.metrics["model"]["parameters"]["n_estimators"] == model.n_iter_
        assert "GBT() by default" in result.metrics["baselines"]
    else:
        assert result.metrics["model"]["parameters"] == {}
        assert "GBT() by default" not in result.metrics["baselines"]


@pytest.mark.parametrize("changes", [{}, {"sampler": "tpe", "trials": 5, "grid": None}])
def test_jobs_and_interruption_change_no_byte(changes, run, table, tmp_path):
    from moodcore.runs.interrupts import RunInterruptedError

    X, y = table
    path = tmp_path / "table.csv"
    X.assign(kind=y).to_csv(path, index=False)
    values = {name: value for name, value in SMALL.items() if name != "n_jobs"}
    wanted = settings(**values | {"data": str(path)} | changes)
    run(tmp_path / "one", wanted)
    with pytest.raises(RunInterruptedError):
        run(tmp_path / "two", wanted, jobs=2, after=2)
    run(tmp_path / "two", wanted, jobs=3)
    for name in RESULTS:
        first, second = ((tmp_path / run / name).read_bytes() for run in ("one", "two"))
        assert first == second, name


def test_pruners_work_with_models_that_choose_their_own_length(table):
    X, y = table
    grid = {
        "gbt": [{"learning_rate": [0.1, 0.2, 0.3, 0.001, 0.0001], "n_estimators": 30}],
        "mlp": {"early_stopping": [True, False], "epochs": 20},
        "svm": {"C": 1.0},
        "linear-svm": {"C": 1.0},
    }
    options = SMALL | {"model": "all", "grid": grid, "pruner": "median"}
    trials = moodcore.tune(X, y, **options).trials
    # Truth values stay what they are although other candidates have none.
    assert trials["early_stopping"].dropna().tolist() == [True, False]
    states = trials.groupby("model")["state"].apply(list)
    assert "pruned" in states["gbt"]
    assert states["svm"] == states["linear-svm"] == ["complete"] * 2


def test_the_saved_model_is_trained_on_all_rows_after_the_test(table):
    X, y = table
    results = {refit: moodcore.tune(X, y, refit=refit, **SMALL) for refit in ("all", "training")}
    tested, final = results["training"], results["all"]
    assert tested.metrics["test"] == final.metrics["test"]
    assert final.metrics["data"]["train_rows"] == 384
    model = tested.best_model
    parts = split(load_dataset(X, y=y), SMALL["seed"])
    assert np.mean(model.predict(parts.X_test) == parts.y_test) == pytest.approx(
        tested.metrics["test"]["accuracy"]
    )
    assert "refit" not in tested.metrics["model"]
    assert final.metrics["model"]["refit"]["rows"] == 480
    assert "trained on all 480 rows after the test" in repr(final)
    # The same as training on all rows by hand.
    arguments = final.metrics["model"]["refit"]["parameters"]
    seed = derive(SMALL["seed"], Stream.REFIT)
    plain = moodcore.tables.pipeline(GBT(**arguments, random_state=seed)).fit(X, y)
    assert final.best_model.predict_proba(X).tobytes() == plain.predict_proba(X).tobytes()


def test_rows_of_a_test_table_are_never_trained_on(table, tmp_path):
    X, y = table
    path = tmp_path / "test.csv"
    X.assign(kind=y)[400:].to_csv(path, index=False)
    result = moodcore.tune(X[:400].assign(kind=y[:400]), "kind", test=path, **SMALL)
    assert "refit" not in result.metrics["model"]
    predicted = result.best_model.predict(X[400:])
    assert np.mean(predicted == y[400:]) == pytest.approx(result.metrics["test"]["accuracy"])
