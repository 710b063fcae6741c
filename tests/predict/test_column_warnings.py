"""Other units, lost signs and zeros are noticed before a run, with counts and a guess."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

from moodcore import GBT, LinearSVM, load, predict, songs
from moodcore.songs.column_checks import training_ranges

ODD = {
    "percent": ("energy", lambda x: 100 * x, "percent instead of shares?"),
    "lost sign": ("loudness", np.abs, "the sign is lost?"),
    "no tempo": ("tempo", lambda x: 0 * x, "0 for an unknown tempo?"),
    "constant": ("valence", lambda x: 0 * x + 0.5, "the column is constant"),
    "fractions": ("valence", lambda x: x / 100, "a 100th as large"),
}


@pytest.fixture(scope="module")
def wide():
    """A model that takes every feature."""
    X, y = songs.synthesize(700, random_state=0)
    return songs.pipeline(GBT(3, random_state=0), features="all").fit(X, y)


@pytest.mark.parametrize(("column", "change", "guess"), ODD.values(), ids=ODD)
def test_odd_columns_are_named_with_counts(column, change, guess, table, wide, tmp_path):
    odd = table.assign(**{column: change(table[column])})
    odd.to_parquet(tmp_path / "odd.parquet")
    report = predict.score(
        wide, tmp_path / "odd.parquet", tmp_path / "out.parquet", on_error="skip"
    )
    (found,) = report.warnings[str(tmp_path / "odd.parquet")]
    assert (found.column, found.n_rows) == (column, 700)
    assert found.n_odd > 350
    assert guess in str(found)


def test_songs_like_those_of_training_give_no_warnings(wide, tmp_path):
    for seed in range(3):
        X, _ = songs.synthesize(2000, random_state=seed + 1)
        X.to_parquet(tmp_path / "songs.parquet")
        report = predict.score(wide, tmp_path / "songs.parquet", tmp_path / "out.parquet")
        assert not report.warnings


def test_few_rows_show_nothing(wide, table, tmp_path):
    table.head(5).assign(tempo=0.0).to_parquet(tmp_path / "five.parquet")
    report = predict.score(wide, tmp_path / "five.parquet", tmp_path / "out.parquet")
    assert not report.warnings


def test_ranges_are_kept_with_the_model(wide, tmp_path):
    X, _ = songs.synthesize(700, random_state=0)
    found = training_ranges(wide)
    assert list(found) == list(songs.FEATURES)
    for name, one in found.items():
        assert (one.low, one.high) == (X[name].min(), X[name].max())
        assert one.rare_low <= one.quarter <= one.median <= one.three_quarters <= one.rare_high
    wide.save(tmp_path / "wide")
    assert training_ranges(load(tmp_path / "wide")) == found


def test_models_of_older_files_know_the_ends(wide, tmp_path):
    older = copy.copy(wide)
    del older.training_quantiles_
    older.save(tmp_path / "older")
    found = training_ranges(load(tmp_path / "older"))
    X, _ = songs.synthesize(700, random_state=0)
    assert {name: (one.low, one.high) for name, one in found.items()} == {
        name: (X[name].min(), X[name].max()) for name in songs.FEATURES
    }
    assert training_ranges(GBT(1).fit(pd.DataFrame({"x": [0.0, 1.0]}), [0, 1])) == {}


def test_the_pipeline_itself_warns_of_values_that_no_song_has(wide, tmp_path):
    X, _ = songs.synthesize(50, random_state=1)
    percent = X.assign(energy=100 * X["energy"])
    for rows in (percent, percent.iloc[[0]]):
        for method in ("predict", "predict_proba", "decision_function"):
            with pytest.warns(UserWarning, match="'energy': .* outside the possible"):
                getattr(wide, method)(rows)
        with pytest.warns(UserWarning, match="'energy': .* outside the possible"):
            wide.explain(rows)
    wide.save(tmp_path / "wide")
    for model in (wide, load(tmp_path / "wide"), pickle.loads(pickle.dumps(wide))):
        with pytest.warns(UserWarning, match="percent instead of shares"):
            model.predict(percent)
    # Songs that were in percent in training, too, are what the model knows.
    y = np.arange(50) % 2
    songs.pipeline(GBT(1)).fit(percent, y).predict(percent)
    assert not hasattr(songs.pipeline(LinearSVM()).fit(X, y), "predict_proba")
