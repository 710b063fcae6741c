"""Folds: nothing of the validation rows gets into training."""

from dataclasses import replace

import numpy as np
import pytest

from moodcore.errors import ConfigError
from moodcore.runs.data import load
from moodcore.runs.folds import split
from moodcore.runs.seeds import Stream, derive
from moodcore.tuning.folds import make_folds
from moodcore.tuning.settings import TuneSettings


@pytest.fixture
def parts():
    settings = TuneSettings(rows=600, folds=3)
    dataset = load(settings)
    return dataset, split(dataset, 0), settings


def test_training_is_balanced_and_validation_natural(parts):
    dataset, part, settings = parts
    folds = list(make_folds(dataset, part, settings, ["mlp"]).values())
    natural = np.bincount(part.y_train) / len(part.y_train)
    assert sum(len(fold.y_valid) for fold in folds) == len(part.y_train)
    for fold in folds:
        assert len(set(np.bincount(fold.y_train))) == 1
        np.testing.assert_allclose(
            np.bincount(fold.y_valid) / len(fold.y_valid), natural, atol=0.02
        )
        for X in (fold.X_train, fold.X_valid):
            assert X.dtype == np.float32
            assert X.flags.c_contiguous
            assert X.shape[1] == len(fold.columns) == 7


def test_validation_rows_change_nothing_in_training(parts):
    dataset, part, settings = parts
    before = make_folds(dataset, part, settings, ["mlp"])["songs", 0]
    changed = part.X_train.copy()
    from sklearn.model_selection import StratifiedKFold

    cut = StratifiedKFold(3, shuffle=True, random_state=derive(0, Stream.FOLDS))
    _, valid = next(iter(cut.split(changed, part.y_train)))
    changed.iloc[valid] = changed.iloc[valid] * 100 + 1e6
    after = make_folds(dataset, replace(part, X_train=changed), settings, ["mlp"])["songs", 0]
    np.testing.assert_array_equal(before.X_train, after.X_train)
    assert not np.array_equal(before.X_valid, after.X_valid)


def test_split_is_stratified_and_disjoint(parts):
    _, part, _ = parts
    assert len(part.y_test) == 120
    assert not set(part.X_train.index) & set(part.X_test.index)


def test_fingerprint_sees_one_changed_value():
    songs = load(TuneSettings(rows=200))
    before = songs.fingerprint()
    assert before == load(TuneSettings(rows=200, seed=5)).fingerprint()
    songs.X.iloc[3, 2] += 1e-9
    assert songs.fingerprint() != before


def test_too_few_songs_for_the_folds():
    with pytest.raises(ConfigError, match="5 folds need at least 10"):
        load(TuneSettings(rows=20))
