"""The report: complete, offline, and honest about its songs."""

import re
from html.parser import HTMLParser

import pytest

from moodcore import report
from moodcore.report.summary import SYNTHETIC
from moodcore.tuning import run_folder
from moodcore.tuning.experiment import Experiment
from moodcore.tuning.settings import Settings

FIGURES = {
    "class_counts",
    "correlation_all",
    "correlation_kept",
    "optimizers_per_epoch",
    "optimizers_per_update",
}
SEARCH_FIGURES = {"grid_overview", "learning_rates", "shapes", "candidates", "confusion_matrix"}


class Quiet:
    """A listener that shows nothing."""

    def __getattr__(self, name):
        return lambda *arguments: None


class Page(HTMLParser):
    """Collects what the tests look at."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.loads, self.words, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag in ("script", "link", "iframe", "object", "embed"):
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
        if data.strip() and self.open[-1] not in ("style", "title"):
            self.words.append(data.strip())


def make_run(path, **changes):
    grid = {"hidden_sizes": [[4], [4, 4]], "learning_rate": [0.01, 0.05]}
    settings = Settings(**{"songs": 400, "folds": 2, "epochs": 3, "grid": grid} | changes)
    folder = run_folder.RunFolder(path)
    folder.write_settings(settings)
    experiment = Experiment(settings, jobs=1, listener=Quiet(), command="moodcore tune --x '<b>'")
    experiment.run(folder, experiment.check(), experiment.load())
    report.build(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def text(folder):
    return folder.report.read_text(encoding="utf-8")


def test_every_picture_is_there(folder, text):
    assert {path.stem for path in folder.figures.iterdir()} == FIGURES | SEARCH_FIGURES
    assert set(Page(text).ids) >= FIGURES | SEARCH_FIGURES
    assert text.count("<svg") == len(FIGURES | SEARCH_FIGURES)
    assert text.count("<summary>The numbers</summary>") == len(FIGURES | SEARCH_FIGURES)


def test_nothing_is_loaded(text):
    assert Page(text).loads == []
    assert not re.search(r"url\(\s*['\"]?(?!#)", text)
    assert "@import" not in text


def test_first_line_says_synthetic(text):
    assert Page(text).words[0] == SYNTHETIC


def test_measured_songs_are_not_called_synthetic(tmp_path):
    from moodcore import songs

    X, y = songs.synthesize(400, random_state=1)
    X.assign(**{songs.LABEL: y}).to_csv(tmp_path / "songs.csv", index=False)
    (tmp_path / "run").mkdir()
    found = make_run(tmp_path / "run", data=str(tmp_path / "songs.csv"), songs=None)
    assert "synthetic" not in " ".join(Page(found.report.read_text(encoding="utf-8")).words)


def test_sections_and_anchors(text):
    ids = Page(text).ids
    anchors = re.findall(r'href="#([a-z_]+)"', text)
    assert {"summary", "data", "preprocessing", "search", "optimizers"} <= set(anchors) <= set(ids)
    assert {"model", "checks", "made"} <= set(anchors)


def test_ids_are_not_repeated(text):
    ids = Page(text).ids
    assert len(ids) == len(set(ids))


def test_text_from_outside_is_escaped(text):
    assert "<b>" not in text
    assert "&lt;b&gt;" in text


def test_dark_narrow_and_printed(text):
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert 'name="viewport"' in text
    for start in (match.start() for match in re.finditer("<table", text)):
        assert '<div class="wide">' in text[start - 20 : start]


def test_rebuilding_gives_the_same_page(folder, text):
    report.build(folder)
    assert folder.report.read_text(encoding="utf-8") == text


def test_optimizers_alone(tmp_path):
    found = make_run(tmp_path, study="optimizers")
    assert {path.stem for path in found.figures.iterdir()} == FIGURES
    assert 'id="search"' not in found.report.read_text(encoding="utf-8")
