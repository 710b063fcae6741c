"""The page of `compare`: what the files say, and nothing else."""

import json
import re
from html import escape

import pandas as pd
import pytest

from moodcore.report import SYNTHETIC, summary
from moodcore.report.outcomes.compare import headline

PICTURES = {
    "accuracy",
    "log_loss",
    "differences",
    "learning_curves",
    "calibration",
    "agreement",
    *(f"precision-{name}" for name in ("sad", "happy", "energetic", "calm")),
    *(f"confusion-{name}" for name in ("gbt", "soft-vote", "linearsvm")),
    "confusion-my-model-with-a-long-name",
}


@pytest.fixture(scope="module")
def folder(runs):
    return runs("compare-songs")


@pytest.fixture(scope="module")
def text(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def test_every_picture_is_there_with_its_numbers(folder, text):
    assert {path.stem for path in (folder / "figures").iterdir()} == PICTURES
    assert text.count("<summary>Data<") == len(PICTURES)


def test_sections_follow_the_run(text):
    sections = re.findall(r'<section id="([a-z]+)"', text)
    assert sections == [
        "summary", "models", "pairs", "learning", "probabilities", "classes", "disagreements",
        "searches", "data", "checks", "provenance",
    ]  # fmt: skip


def test_the_page_says_what_the_files_say(folder, text):
    found = metrics_of(folder)
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    for sentence in headline(found).sentences:
        assert escape(sentence) in text
    table = pd.read_csv(folder / "summary.csv")
    for share in table["accuracy"]:
        assert f"{round(100 * share, 2):g}" in text
    assert f"{len(pd.read_csv(folder / 'disagreements.csv')):,} of 1,040 test songs" in text


def test_text_from_outside_is_escaped(text):
    assert "<my>" not in text
    assert "&lt;my&gt;" in text


def test_the_terminal_has_a_line_a_model(folder):
    lines = summary(metrics_of(folder)).splitlines()
    assert lines[0] == SYNTHETIC
    row = next(line for line in lines if line.startswith("LinearSVM  "))
    assert row.count("\N{EN DASH}") == 3


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        ("bb", " of 3 models"),
        ("bn", ", not significantly better than SVM"),
        ("nt", ", not significantly better than MLP and SVM"),
        ("nnnnn", ", not significantly better than 5 other models"),
    ],
)
def test_the_heading_names_the_models_of_equal_accuracy(folder, verdicts, says):
    names = ["MLP", "SVM", "LinearSVM", "soft vote", "nearest neighbours"]
    kinds = {"b": "better", "n": "no difference", "t": "test only"}
    pairs = [
        {"first": "GBT", "second": name, "verdict": kinds[verdict], "p_holm": 0.2}
        for name, verdict in zip(names, verdicts, strict=False)
    ]
    found = metrics_of(folder)
    best = next(row for row in found["summary"] if row["model"] == "GBT")
    others = [best | {"model": name} for name in names[: len(verdicts)]]
    found |= {"summary": [best, *others], "pairs": pairs}
    assert headline(found).title == f"GBT predicts song mood most accurately{says}"
