"""The page of a study of features: what it says is what was measured."""

import json
import re
from html import escape

import pandas as pd
import pytest

from moodcore.report import SYNTHETIC, build, summary
from moodcore.report.blocks import hyperparameters
from moodcore.report.outcomes.features import Study, headline
from moodcore.report.pages.features import _compared

PICTURES = {"elimination_curves", "elimination_costs", "feature_measures", "correlation"}


@pytest.fixture(scope="module")
def study(runs):
    return runs("features-songs")


@pytest.fixture(scope="module")
def metrics(study):
    return json.loads((study / "metrics.json").read_text())


@pytest.fixture(scope="module")
def text(study):
    return (study / "report.html").read_text(encoding="utf-8")


def test_every_picture_is_there_and_a_file(study, text):
    assert set(re.findall(r'<figure id="(\w+)"', text)) == PICTURES
    assert {file.stem for file in (study / "figures").iterdir()} == PICTURES


def test_the_summary_is_on_the_page(metrics, text):
    lines = summary(metrics).splitlines()
    assert lines[0] == SYNTHETIC
    assert text.index(SYNTHETIC) < text.index("<h1>")
    for sentence in lines:
        assert escape(sentence) in text.replace("\N{NO-BREAK SPACE}", " ")


def test_headline_numbers_are_those_of_the_tables(study, metrics):
    choices = pd.DataFrame(metrics["choices"])
    full = choices[choices["choice"] == "all"].set_index("model")["accuracy"]
    best = choices[choices["model"] == full.idxmax()].set_index("choice")["accuracy"]
    values = [value for value, _ in headline(metrics).highlights]
    expected = [best["all"], best["published"], best["eliminated to 7"]]
    assert values[:3] == [f"{100 * share:.1f} %" for share in expected]
    assert values[3].endswith(" of 10")


def test_the_recommendation_is_the_first_sentence(metrics):
    found = metrics | {"recommended": metrics["recommended"] | {"features": ["energy", "tempo"]}}
    shown = headline(found)
    assert shown.title == "Predicting song mood with GBT needs 2 of 10 features"
    assert shown.sentences[0].startswith(
        "2 of 10 features are enough for GBT (energy and tempo): with these, selected by recursive "
        "elimination, it reaches "
    )
    every = metrics | {"recommended": metrics["recommended"] | {"features": ["x"] * 10}}
    assert headline(every).sentences[0].startswith("Keep all 10 features")
    none = metrics | {"recommended": None}
    assert headline(none).sentences == ["No model could be trained on all features."]


def cost(metrics, choice):
    model = metrics["recommended"]["model"]
    (row,) = (r for r in metrics["choices"] if (r["choice"], r["model"]) == (choice, model))
    return f"{100 * row['cost']:.1f}"


def test_the_cost_of_elimination_is_that_of_the_number_left_out(metrics):
    """With --sizes 7 nothing is known of leaving out one or two."""
    every = metrics["recommended"] | {"features": ["x"] * 10, "largest_size": 7}
    shown = headline(metrics | {"recommended": every})
    assert shown.title == "Predicting song mood with GBT needs 10 of 10 features"
    assert shown.sentences[0] == (
        "Keep all 10 features: leaving out 3, the fewest that were measured, costs GBT "
        f"{cost(metrics, 'eliminated to 7')} points of accuracy."
    )
    shown = headline(metrics | {"recommended": every | {"largest_size": None}})
    assert shown.sentences[0] == "Keep all 10 features: no elimination was measured with GBT."


def test_a_run_that_the_time_limit_ended_early_is_reported(metrics):
    model = metrics["recommended"]["model"]
    rows = [r for r in metrics["choices"] if r["choice"] == "all" or r["model"] != model]
    every = metrics["recommended"] | {"features": ["x"] * 10, "largest_size": None}
    shown = headline(metrics | {"choices": rows, "recommended": every, "complete": False})
    assert not any("published" in label for _, label in shown.highlights)


def test_a_test_is_reported(metrics):
    assert not any("Test accuracy" in sentence for sentence in headline(metrics).sentences)
    tested = metrics | {"test": {"accuracy": 0.9, "n_rows": 100}}
    assert any(
        "recommended features: 90.0 % (100 held-out songs), 95 % CI 82.6 to 94.5." in sentence
        for sentence in headline(tested).sentences
    )


def test_checks_warn(metrics):
    found = json.loads(json.dumps(metrics))
    checks = {check["name"]: check for check in headline(found).checks}
    assert checks["Failed training runs"]["ok"]
    found["trainings"][0]["failure"] = "ValueError: no"
    found["choices"][0]["accuracy_std"] = 0.05
    for row in found["features"]:
        row["kept_filter 0.9"] = 0.5
    checks = {check["name"]: check for check in headline(found).checks}
    assert not any(check["ok"] for check in checks.values())
    assert checks["Failed training runs"]["text"] == (
        "1 training run of GBT failed (ValueError: no)."
    )
    assert "GBT 5.0" in checks["Variation between folds"]["text"]
    assert "filter 0.9" in checks["Stability of the selection"]["text"]


def test_checks_pass_where_all_is_well(metrics):
    found = json.loads(json.dumps(metrics))
    for row in found["choices"]:
        row["accuracy_std"] = 0.001
    for row in found["features"]:
        row |= {name: 1.0 for name in row if name.startswith("kept_")}
    assert all(check["ok"] for check in headline(found).checks)


def test_a_page_can_be_built_again(study, text):
    build(study)
    assert (study / "report.html").read_text(encoding="utf-8") == text


def test_the_page_names_the_hyperparameters(metrics, text):
    # The run of version 0.1 does not say whose hyperparameters its models have.
    assert "Models of moodcore have" not in text
    songs = {"settings": metrics["settings"] | {"base": "experiment", "epochs": 100}}
    assert hyperparameters(songs) == (
        " Models of moodcore have the hyperparameters of the song experiment, with at most 100 "
        "epochs or boosting rounds."
    )
    settings = {"models": ["gbt", "mine"], "base": "defaults"}
    found = " Models of moodcore have the default hyperparameters of their classes"
    assert hyperparameters({"settings": settings}) == f"{found}."
    few = hyperparameters({"settings": settings | {"epochs": 9}})
    assert few == f"{found}, with at most 9 epochs or boosting rounds."
    assert hyperparameters({"settings": settings | {"models": ["mine"]}}) == ""


def test_costs_are_shown_down_to_the_recommended_number(metrics):
    def shown(size):
        recommended = metrics["recommended"] | {"features": ["energy"] * size}
        table = _compared(Study(metrics | {"recommended": recommended}))
        return table.loc[table["kind"] == "elimination", "n_features"].min()

    sizes = [row["n_features"] for row in metrics["choices"] if row["kind"] == "elimination"]
    least = min(sizes)
    assert shown(least) == least
    assert shown(10) > least
    without = _compared(Study(metrics | {"recommended": None}))
    assert without["n_features"].min() > least
