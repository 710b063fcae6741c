"""The page of a study of features: what it says is what was measured."""

import json
import re

import pandas as pd
import pytest

from moodcore.report.features import build, summary
from moodcore.report.features.build import make_page, read_study
from moodcore.report.page import SYNTHETIC

PICTURES = {"elimination_curves", "elimination_costs", "feature_measures", "correlation"}


@pytest.fixture(scope="module")
def study(runs):
    return runs("features")


@pytest.fixture(scope="module")
def text(study):
    return study.report.read_text(encoding="utf-8")


def test_every_picture_is_there_and_a_file(study, text):
    assert set(re.findall(r'<figure id="(\w+)"', text)) == PICTURES
    assert {one.stem for one in study.figures.iterdir()} == PICTURES


def test_the_summary_is_the_advice(study, text):
    metrics = json.loads(study.metrics.read_text())
    page = make_page(read_study(study))
    assert page.summary == [metrics["advice"][0], " ".join(metrics["advice"][1:])]
    assert summary(metrics).splitlines() == [SYNTHETIC, *metrics["advice"]]
    assert text.index(SYNTHETIC) < text.index("<h1>")


def test_headline_numbers_are_those_of_the_tables(study):
    choices = pd.read_csv(study.table("choices"))
    full = choices[choices["choice"] == "all"].set_index("model")["accuracy"]
    best = choices[choices["model"] == full.idxmax()].set_index("choice")["accuracy"]
    values = [one.value for one in make_page(read_study(study)).highlights]
    expected = [best["all"], best["published"], best["eliminated to 7"]]
    assert values[:3] == [f"{100 * share:.1f} %" for share in expected]
    assert values[3].endswith(" of 10")


def test_checks_speak_up(study):
    data = read_study(study)
    said = {one["name"]: one for one in make_page(data).checks}
    assert said["Failed trainings"]["ok"]
    data.trainings.loc[0, "failure"] = "ValueError: no"
    data.choices.loc[0, "accuracy_std"] = 0.05
    data.features["kept_filter 0.9"] = 0.5
    said = {one["name"]: one for one in make_page(data).checks}
    assert not any(one["ok"] for one in said.values())
    assert said["Failed trainings"]["text"].startswith("1 trainings failed")
    assert "MLP 5.0" in said["Fold spread"]["text"]
    assert "filter 0.9" in said["Steady choices"]["text"]


def test_checks_are_content_where_all_is_well(study):
    data = read_study(study)
    data.choices["accuracy_std"] = 0.001
    for name in [one for one in data.features.columns if one.startswith("kept_")]:
        data.features[name] = 1.0
    assert all(one["ok"] for one in make_page(data).checks)


def test_a_page_can_be_built_again(study, text):
    build(study)
    assert study.report.read_text(encoding="utf-8") == text
