"""The page of `compare`: what the files say, and nothing else."""

import json
import re

import pandas as pd
import pytest

from moodcore.report import SYNTHETIC
from moodcore.report.compare.summary import summary, title

PICTURES = {
    "accuracy",
    "log_loss",
    "differences",
    "learning_curves",
    "calibration",
    "agreement",
    *(f"precision-{name}" for name in ("sad", "happy", "energetic", "calm")),
    *(f"confusion-{name}" for name in ("mlp", "linearsvm", "gbt", "soft-vote")),
}


@pytest.fixture(scope="module")
def folder(runs):
    return runs("compare")


@pytest.fixture(scope="module")
def text(folder):
    return folder.report.read_text(encoding="utf-8")


def metrics_of(folder):
    return json.loads(folder.metrics.read_text(encoding="utf-8"))


def test_every_picture_is_there_with_its_numbers(folder, text):
    assert {path.stem for path in folder.figures.iterdir()} == PICTURES
    assert text.count("<summary>The numbers") == len(PICTURES)


def test_sections_follow_the_run(text):
    sections = re.findall(r'<section id="([a-z]+)"', text)
    assert sections == [
        "summary", "models", "pairs", "learning", "probabilities", "classes", "disagreements",
        "searches", "data", "checks", "made",
    ]  # fmt: skip


def test_the_page_says_what_the_files_say(folder, text):
    found = metrics_of(folder)
    # A number and its unit are not parted at the end of a line.
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    for sentence in (*found["outcome"], *found["pairs_in_words"]):
        assert sentence.replace("'", "&#39;").replace("<", "&lt;") in text
    table = pd.read_csv(folder.table("summary"))
    for share in table["accuracy"]:
        assert f"{100 * share:.2f}" in text
    assert f"{len(pd.read_csv(folder.table('disagreements'))):,} of 100 test songs" in text


def test_text_from_outside_is_escaped(text):
    assert "<b>" not in text
    assert "&lt;b&gt;" in text


def test_the_terminal_has_a_line_a_model(folder):
    lines = summary(metrics_of(folder)).splitlines()
    assert lines[0] == SYNTHETIC
    row = next(line for line in lines if line.startswith("LinearSVM  "))
    assert row.count("\N{EN DASH}") == 3


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        ("bb", "GBT is the most accurate of 3"),
        ("bn", "GBT comes first; SVM cannot be told apart from it"),
        ("nt", "GBT comes first; MLP and SVM cannot be told apart from it"),
        ("nnnnn", "GBT comes first; 5 others cannot be told apart from it"),
    ],
)
def test_the_heading_names_who_is_level(verdicts, says):
    names = ["MLP", "SVM", "LinearSVM", "soft vote", "nearest neighbours"]
    kinds = {"b": "better", "n": "no difference", "t": "test only"}
    pairs = [
        {"first": "GBT", "second": name, "verdict": kinds[one]}
        for name, one in zip(names, verdicts, strict=False)
    ]
    found = {"summary": [{"model": "GBT"}] * (len(verdicts) + 1), "pairs": pairs}
    assert title(found) == says
