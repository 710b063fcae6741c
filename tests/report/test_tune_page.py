"""The page of `tune`: complete, offline, and honest about its songs."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from moodcore import report
from moodcore.report import SYNTHETIC

FIGURES = {
    "class_counts",
    "correlation",
    "optimizers_per_epoch",
    "optimizers_per_update",
}
SEARCH_FIGURES = {"grid_overview", "learning_rates", "shapes", "candidates", "confusion_matrix"}
SEARCH_FIGURES |= {"calibration", "class_curves", "rejection"}


class Page(HTMLParser):
    """Collects what the tests look at."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.loads, self.words, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag in ("iframe", "object", "embed"):
            self.loads.append(tag)
        self.loads += [
            found[name]
            for name in ("src", "href", "xlink:href", "srcset", "action")
            if found.get(name) and not found[name].startswith(("#", "data:"))
        ]
        if "id" in found:
            self.ids.append(found["id"])
        self.open.append(tag)

    def handle_data(self, data):
        if data.strip() and self.open[-1] not in ("style", "title", "script"):
            self.words.append(data.strip())


@pytest.fixture(scope="module")
def folder(runs):
    return runs("mlp")


@pytest.fixture(scope="module")
def text(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def test_every_picture_is_there(folder, text):
    assert {path.stem for path in (folder / "figures").iterdir()} == FIGURES | SEARCH_FIGURES
    assert set(Page(text).ids) >= FIGURES | SEARCH_FIGURES
    assert text.count("<svg") == len(FIGURES | SEARCH_FIGURES)
    assert text.count("<summary>Data<") == len(FIGURES | SEARCH_FIGURES)


def test_nothing_is_loaded(text):
    assert Page(text).loads == []
    assert not re.search(r"url\(\s*['\"]?(?!#)", text)
    assert "@import" not in text


def test_the_page_allows_its_own_script_only(text):
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.split("; ") == [
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        f"script-src 'sha256-{digest}'",
    ]


def test_predictions_are_kept_and_shown(folder, text):
    predictions = pd.read_parquet(folder / "predictions.parquet")
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    test, classes = metrics["test"], list(metrics["data"]["counts"])
    assert len(predictions) == test["n_rows"]
    right = predictions["class"] == predictions["predicted"]
    assert right.mean() == pytest.approx(test["accuracy"])
    probabilities = predictions[[f"probability_{name}" for name in classes]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    codes = predictions["class"].map(classes.index).to_numpy()
    log_loss = -np.log(probabilities[np.arange(len(codes)), codes]).mean()
    assert log_loss == pytest.approx(test["log_loss"], rel=1e-5)
    wrong = predictions[~right]
    confidence = wrong[[f"probability_{name}" for name in classes]].max(axis=1)
    first = wrong.loc[confidence.idxmax()]
    assert f">{first['row']}</th>" in text


def test_points_of_curves_show_their_values(text):
    titles = re.findall(r"<circle [^>]*><title>([^<]*)</title></circle>", text)
    assert any(
        re.fullmatch(r"GBT|MLP: confidence .* 0\.\d+, accuracy .*", title) for title in titles
    )
    assert any(title.startswith("0.05: epoch 3, validation") for title in titles)


def test_first_line_says_synthetic(text):
    assert Page(text).words[:2] == ["Skip to the summary", SYNTHETIC]


def test_measured_songs_are_not_called_synthetic(make_run, tmp_path):
    from moodcore import songs

    X, y = songs.synthesize(400, random_state=1)
    X.assign(**{songs.LABEL: y}).to_csv(tmp_path / "songs.csv", index=False)
    found = make_run(tmp_path / "run", str(tmp_path / "songs.csv"), rows=None)
    assert "synthetic" not in " ".join(
        Page((found / "report.html").read_text(encoding="utf-8")).words
    )


def test_sections_and_anchors(text):
    ids = Page(text).ids
    anchors = re.findall(r'href="#([a-z_]+)"', text)
    assert {"summary", "data", "preprocessing", "search", "optimizers"} <= set(anchors) <= set(ids)
    assert {"model", "checks", "provenance"} <= set(anchors)


def test_the_tutorial_names_figures_that_the_page_has(text):
    root = Path(__file__).parents[2]
    tutorial = (root / "docs/tutorials/optimizers.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|[^|]+\| (\w+): \*([^*|]+)\* \|", tutorial, re.MULTILINE)
    assert len(rows) == 6
    for section, figure in rows:
        (part,) = re.findall(f">{section}</h2>.*?</section>", text, re.DOTALL)
        assert re.search(rf"<strong>Figure \d+\. {figure}\.</strong>", part), figure


def test_ids_are_not_repeated(text):
    ids = Page(text).ids
    assert len(ids) == len(set(ids))


def test_rebuilding_gives_the_same_page(folder, text):
    report.build(folder)
    assert (folder / "report.html").read_text(encoding="utf-8") == text


def test_optimizers_alone(runs):
    found = runs("optimizers")
    assert {path.stem for path in (found / "figures").iterdir()} == FIGURES
    text = (found / "report.html").read_text(encoding="utf-8")
    assert 'id="search"' not in text
    assert 'id="checks"' not in text
