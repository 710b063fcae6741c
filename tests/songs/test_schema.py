"""The columns of the song table."""

import subprocess
import sys

import pytest

from moodcore import songs


def test_counts_of_the_classes_make_the_table():
    assert sum(songs.CLASS_COUNTS) == songs.N_SONGS == 277_938
    assert len(songs.CLASS_COUNTS) == len(songs.LABEL_NAMES)


def test_seven_features_are_left_of_ten():
    assert songs.SELECTED_FEATURES == (
        "danceability",
        "energy",
        "speechiness",
        "instrumentalness",
        "liveness",
        "valence",
        "tempo",
    )
    assert set(songs.SELECTED_FEATURES) | set(songs.CORRELATED) == set(songs.FEATURES)


def test_every_column_has_a_range():
    assert set(songs.RANGES) == {songs.DURATION, *songs.FEATURES}
    assert all(allowed.low < allowed.high for allowed in songs.RANGES.values())


def test_range_in_words():
    assert str(songs.RANGES["energy"]) == "0 to 1"
    assert str(songs.RANGES["loudness"]) == "-60 to 10 dB"
    assert str(songs.RANGES[songs.DURATION]) == "1 to 86,400,000 ms"


def test_every_public_name_is_there():
    for name in songs.__all__:
        assert getattr(songs, name) is not None
    assert dir(songs) == sorted(songs.__all__)


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        songs.lod  # noqa: B018


def test_the_schema_is_light():
    code = (
        "import sys; from moodcore import songs; songs.FEATURES; "
        "print([name for name in ('pandas', 'scipy', 'sklearn', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
