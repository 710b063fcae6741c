"""Pages about tables that are not songs."""

import json
import re
import warnings
from html import unescape

import pytest
from generic import CATEGORIES, LETTERS, NUMBERS, RUNS

from moodcore import report


@pytest.fixture(scope="module", params=[name for name in RUNS if "songs" not in name])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(name, runs):
    return runs(name)


@pytest.fixture(scope="module")
def text(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def words_of(text):
    body = re.sub(r"(?s)<style>.*?</style>|<svg.*?</svg>|<!--.*?-->", "", text)
    return unescape(re.sub(r"<[^>]*>", " ", body))


def test_nothing_is_said_of_songs(folder, text):
    said = words_of(text) + report.summary(json.loads((folder / "metrics.json").read_text()))
    assert not re.search(r"(?i)\b(songs?|synthetic|music|published|moods?)\b", said)
    assert not re.search(r"(?i)balanced classes|downsampled|after balancing", said)
    assert "rows" in said


def test_names_are_escaped(text):
    assert not re.search(r"<(b|i|id|target|my|mine|x|\d)>", text)
    assert "&lt;target&gt;" in text


def test_figures_are_files(folder, text):
    figures = re.findall(r'<figure id="([\w-]+)"', text)
    assert {path.stem for path in (folder / "figures").iterdir()} == set(figures)
    assert len(figures) == len(set(figures))


@pytest.mark.parametrize("name", ["letters", "compare-letters"], indirect=True)
def test_of_many_classes_the_confusions_are_listed(text):
    assert "Most frequent confusions of GBT" in text
    assert "Confusion matrix" not in text
    for letter in LETTERS:
        assert letter in words_of(text) or f'title="{letter}"' in unescape(text)


@pytest.mark.parametrize("name", ["letters", "features-letters"], indirect=True)
def test_of_many_features_the_most_correlated_are_drawn(text):
    assert "The 14 most correlated features." in text
    for feature in (*NUMBERS, *CATEGORIES):
        assert feature in words_of(text) or f'title="{feature}"' in unescape(text)


@pytest.mark.parametrize("name", ["booleans", "one-number", "features-categories"], indirect=True)
def test_without_two_numbers_there_is_no_correlation(text):
    assert 'id="correlation"' not in text


@pytest.mark.parametrize("name", ["compare-letters"], indirect=True)
def test_of_many_classes_the_hardest_have_curves(text):
    assert len(re.findall(r'<figure id="precision-', text)) == 6
    assert "Precision-recall curves of the 6 classes with the lowest average precision" in text


@pytest.mark.parametrize("name", ["compare-letters"], indirect=True)
def test_classes_that_look_like_missing_values_or_numbers_keep_their_names(text):
    precisions = text[text.index("Average precision (area") :]
    for letter in ("NA", "01"):
        assert re.search(rf'<th scope="row">{letter}</th><td class="number">0\.\d', precisions)


def test_building_gives_no_warning_and_the_same_page(folder, text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert report.build(folder) == folder / "report.html"
    assert (folder / "report.html").read_text(encoding="utf-8") == text
