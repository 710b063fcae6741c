"""`moodcore data check` on songs and on any table."""

import json

import numpy as np
import pandas as pd
import pytest

from moodcore import songs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with songs of other names and a table of people."""
    X, y = songs.synthesize(200, random_state=0)
    table = X.drop(columns="spec_rate").rename(columns={songs.DURATION: "length"})
    moods = np.array(songs.LABEL_NAMES)[y]
    table.assign(mood=moods, artist="someone").to_csv(tmp_path / "songs.csv", index=False)
    repeated = pd.concat([table, table[:7]])
    repeated.assign(mood=[*moods, *np.roll(moods, 1)[:7]]).to_csv(
        tmp_path / "repeated.csv", index=False
    )
    table.to_csv(tmp_path / "unlabeled.csv", index=False)
    people = pd.DataFrame(
        {
            "person": [f"p{row}" for row in range(60)],
            "age": [*range(20, 79), None],
            "job": ["cook", "nurse", "pilot"] * 20,
            "pays": ["no", "yes"] * 29 + ["maybe"] * 2,
        }
    )
    people.to_csv(tmp_path / "people.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_songs(folder, moodcore):
    done = moodcore("data", "check", "songs.csv")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "songs.csv: 200 songs, 12 columns, 11 of them to learn from"
    assert "'spec_rate' computed: speechiness divided by duration" in lines
    (energy,) = [line.split() for line in lines if line.startswith("energy ")]
    assert energy[:2] == ["energy", "feature"] and energy[3] == "0"
    (artist,) = [line for line in lines if line.startswith("artist ")]
    assert artist.split()[1:3] == ["constant,", "ignored"]
    (happy,) = [line for line in lines if line.startswith("happy ")]
    assert happy.split() == ["happy", "77", "38.5%"]
    assert lines[-1] == "next: moodcore tune --data songs.csv"


def test_copies(folder, moodcore):
    done = moodcore("data", "check", "repeated.csv", "--json")
    found = json.loads(done.out)
    different = found["copies"]["conflicting"] // 2
    assert found["copies"]["repeated"] == 7 and 0 < different < 7
    assert any("kept on one side of every split" in note for note in found["notes"])
    text = moodcore("data", "check", "repeated.csv").out
    assert f"7 songs repeat an earlier one; {2 * different} have a copy with another label" in text


def test_one_copy(folder, moodcore):
    table = pd.read_csv("songs.csv")
    pd.concat([table, table[:1]]).to_csv("one.csv", index=False)
    text = moodcore("data", "check", "one.csv").out
    assert "1 song repeats an earlier one; 0 have a copy with another label" in text


def test_unlabeled_songs(folder, moodcore):
    done = moodcore("data", "check", "unlabeled.csv")
    assert done.code == 0, done.err
    assert "no labels" in done.out.splitlines()
    assert done.out.endswith("next: moodcore predict MODEL unlabeled.csv -o scored.csv\n")


def test_any_table_suggests_a_target(folder, moodcore):
    done = moodcore("data", "check", "people.csv")
    assert done.code == 0, done.err
    assert done.out.startswith("people.csv: 60 rows, 4 columns\n")
    assert done.out.endswith("next: moodcore data check people.csv --target pays\n")


def test_any_table_with_a_target(folder, moodcore):
    done = moodcore("data", "check", "people.csv", "--target", "pays", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert [(column["name"], column["role"]) for column in found["columns"]] == [
        ("person", "id"),
        ("age", "number"),
        ("job", "category"),
        ("pays", "label"),
    ]
    assert (found["columns"][1]["low"], found["columns"][1]["high"]) == (20, 78)
    assert (found["columns"][1]["missing"], found["columns"][2]["values"]) == (1, 3)
    assert found["classes"] == {"maybe": 2, "no": 29, "yes": 29}
    assert found["features"] == ["age", "job"]
    (few,) = found["warnings"]
    assert few.startswith("5 folds need at least 10 rows of every class") and "'maybe' (2)" in few
    assert found["command"] == "moodcore tune --data people.csv --target pays --model all"


def test_wrong_names(folder, moodcore):
    done = moodcore("data", "check", "people.csv", "--target", "pay")
    assert done.code == 2
    assert "target 'pay' does not exist; did you mean 'pays'?" in done.err
    done = moodcore("data", "check", "people.csv", "--target", "pays", "--drop", "age,jb")
    assert "drop: column 'jb' does not exist; did you mean 'job'?" in done.err
