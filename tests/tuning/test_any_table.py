"""The search on tables that are not songs: labels of any type, metrics, test rows, groups."""

import numpy as np
import pandas as pd
import pytest

import moodcore
from moodcore.errors import ConfigError
from moodcore.runs.listener import Listener

GRIDS = {
    "mlp": {"hidden_sizes": [[4]], "learning_rate": [0.05, 0.1], "batch_size": 32},
    "gbt": {"max_leaves": [3, 4], "learning_rate": 0.3, "min_child_samples": 5},
    "svm": {"C": [1.0, 3.0], "gamma": 0.1},
    "linear-svm": {"C": [0.1, 1.0]},
}
SMALL = {"folds": 2, "epochs": 8, "seed": 0, "n_jobs": 1}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=240).round(3),
            "color": rng.choice(["red", "green", "blue"], 240),
            "old": rng.random(240) < 0.5,
        }
    )
    frame.loc[::17, "size"] = np.nan
    score = frame["size"].fillna(0) + 2 * (frame["color"] == "red") - frame["old"]
    return frame, np.where(score > 0.3, "yes", "no")


@pytest.mark.parametrize("model", ["all", *GRIDS])
def test_every_family_takes_the_table(model, table):
    X, y = table
    grid = GRIDS if model == "all" else GRIDS[model]
    options = SMALL | ({"epochs": None} if "svm" in model else {})
    result = moodcore.tune(X, y, model=model, grid=grid, **options)
    assert result.metrics["test"]["accuracy"] > 0.6
    assert set(result.best_model.predict(X)) == {"yes", "no"}
    assert result.metrics["data"]["counts"] == {
        "no": int((y == "no").sum()),
        "yes": int((y == "yes").sum()),
    }
    assert not result.metrics["balanced"]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ({"no": 3, "yes": 7}, ["3", "7"]),
        ({"no": False, "yes": True}, ["False", "True"]),
        ({"no": "☹ no", "yes": "<b>yes</b>"}, ["<b>yes</b>", "☹ no"]),
    ],
)
def test_labels_of_any_type_come_back(labels, names, table):
    X, y = table
    coded = np.array([labels[label] for label in y])
    result = moodcore.tune(X, coded, model="gbt", grid=GRIDS["gbt"], **SMALL)
    assert [row["name"] for row in result.metrics["test"]["classes"]] == names
    predicted = result.best_model.predict(X)
    assert predicted.dtype == coded.dtype and set(predicted) == set(coded)


@pytest.mark.parametrize(
    "metric", ["accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc"]
)
def test_the_best_candidate_is_the_best_by_the_metric(metric, table):
    X, y = table
    grid = {"max_leaves": [2, 3, 6], "learning_rate": [0.01, 0.5], "min_child_samples": 5}
    result = moodcore.tune(X, y, model="gbt", metric=metric, grid=grid, **SMALL)
    trials = result.trials
    best, gain = result.metrics["search"]["best"], result.metrics["search"]["gain"]
    highest = trials.loc[trials["number"] == gain["candidate"], "score"].item()
    assert highest == trials["score"].max()
    assert best["number"] == (0 if gain["kept_default"] else gain["candidate"])
    assert (trials["score"] <= 0).all() == (metric == "log_loss")
    assert result.metrics["search"]["metric"] == metric
    if metric == "log_loss":
        # The loss of the best round on the validation rows.
        assert (-trials["score"]).tolist() == pytest.approx(trials["valid_loss"].tolist())


def test_a_family_without_probabilities_is_left_out_with_a_message(table):
    texts = []

    class Messages(Listener):
        def stage(self, text):
            texts.append(text)

    X, y = table
    options = {"metric": "log_loss", **SMALL}
    result = moodcore.tune(X, y, model="all", grid=GRIDS, listener=Messages(), **options)
    assert set(result.trials["model"]) == {"mlp", "gbt", "svm"}
    assert any("linear-svm is left out: metric log_loss needs" in text for text in texts)
    with pytest.raises(ConfigError, match="which linear-svm does not have"):
        moodcore.tune(X, y, model="linear-svm", **options | {"epochs": None})


def test_own_test_rows_are_used_once_and_for_nothing_else(table, tmp_path):
    X, y = table
    frame = X.assign(answer=y)
    frame.iloc[:160].to_csv(tmp_path / "train.csv", index=False)
    frame.iloc[160:].to_csv(tmp_path / "test.csv", index=False)
    result = moodcore.tune(
        tmp_path / "train.csv",
        "answer",
        test=tmp_path / "test.csv",
        model="gbt",
        grid=GRIDS["gbt"],
        **SMALL,
    )
    data = result.metrics["data"]
    assert (data["rows"], data["train_rows"], data["test_rows"]) == (160, 160, 80)
    right = result.best_model.predict(X.iloc[160:]) == y[160:]
    assert result.metrics["test"]["accuracy"] == pytest.approx(right.mean())


def test_the_result_is_short_and_read_again(table, tmp_path):
    X, y = table
    result = moodcore.tune(X, y, model="gbt", grid=GRIDS["gbt"], out=tmp_path / "run", **SMALL)
    assert len(repr(result)) < 1500
    again = moodcore.TuneResult.read(tmp_path / "run")
    assert again.metrics == result.metrics
    assert again.best_model.predict(X).tolist() == result.best_model.predict(X).tolist()
    assert result.report(tmp_path / "page.html").read_text(encoding="utf-8").count("<svg") > 3
