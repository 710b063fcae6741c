"""Song files as people have them: each works, or fails with the option that makes it work."""

import json

import pandas as pd
import pytest

QUICK = ("--model", "gbt", "--set", "n_estimators=20", "--seed", 1)
MOODS = {"happy", "sad", "energetic", "calm"}


@pytest.fixture
def songs(real_data):
    return real_data / "songs"


def trained(moodcore, table, out, *options):
    done = moodcore("train", "--data", table, *options, *QUICK, "-o", out)
    assert done.code == 0, done.err
    return done


@pytest.mark.parametrize(
    "name",
    [
        "moods_api_names.csv",
        "moods_zip.zip",
        "moods_semicolon_decimal_comma.csv",
        "moods_tab_utf16.tsv",
    ],
)
def test_the_same_songs_in_any_layout(name, songs, moodcore, tmp_path):
    done = trained(moodcore, songs / name, tmp_path / "a.safetensors")
    same = trained(moodcore, songs / "moods_api_names.csv", tmp_path / "b.safetensors")
    assert done.out.splitlines()[0] == same.out.splitlines()[0]
    metrics = moodcore("evaluate", tmp_path / "a.safetensors", songs / name, "--json")
    assert metrics.code == 0, metrics.err
    assert {row["name"] for row in json.loads(metrics.out)["classes"]} == MOODS


def test_other_moods_are_labels_and_repeats_are_named(songs, moodcore, tmp_path):
    done = trained(moodcore, songs / "five_moods_with_repeats.csv", tmp_path / "m.safetensors")
    assert "copies" in done.err
    check = moodcore("data", "check", songs / "five_moods_with_repeats.csv")
    assert check.code == 0 and "506 songs repeat" in check.out, check.out


@pytest.mark.parametrize("name", ["three_moods_no_duration.csv", "playlists_few_features.csv"])
def test_missing_features_are_named_and_done_without(name, songs, moodcore, tmp_path):
    done = trained(moodcore, songs / name, tmp_path / "m.safetensors")
    assert "missing" in done.err or "without" in done.err


def test_an_unlabeled_export_is_scored_and_makes_playlists(songs, moodcore, tmp_path):
    model = tmp_path / "m.safetensors"
    trained(moodcore, songs / "moods_api_names.csv", model)
    export, out = songs / "exportify_download.csv", tmp_path / "scored.csv"
    done = moodcore("predict", model, export, "-o", out)
    assert done.code == 0, done.err
    rows = len(pd.read_csv(export))
    scored = pd.read_csv(out)
    assert len(scored) == rows and set(scored["predicted_label"]) <= MOODS
    refused = moodcore("train", "--data", export, *QUICK, "-o", tmp_path / "no.safetensors")
    assert refused.code == 2 and "label" in refused.err


def test_percentages_are_refused_with_the_way_out(songs, moodcore, tmp_path):
    table = songs / "percent_values_latin1.csv"
    done = moodcore("train", "--data", table, *QUICK, "-o", tmp_path / "m.safetensors")
    assert done.code == 2
    assert "100" in done.err or "percent" in done.err
    check = moodcore("data", "check", table)
    assert "percent" in check.out + check.err
