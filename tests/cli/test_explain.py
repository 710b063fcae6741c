"""`moodcore explain` on a small model of songs."""

import json

import pytest

from moodcore import GBT, MLP, songs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("explain")
    X, y = songs.synthesize(300, random_state=0)
    X.assign(labels=y).to_csv(path / "songs.csv", index=False)
    for name, model in {"gbt": GBT(5, random_state=0), "mlp": MLP((4,), epochs=3)}.items():
        songs.pipeline(model, random_state=0).fit(X, y).save(path / name)
    return path


def test_one_song_as_text_json_and_picture(folder, moodcore, tmp_path):
    row = ("explain", folder / "gbt", folder / "songs.csv", "--row", 17)
    done = moodcore(*row, "--class", "calm", "-o", tmp_path / "song.svg")
    assert done.code == 0, done.err
    assert done.out.startswith("row 17: ")
    assert "contributions to calm" in done.out
    assert "TreeSHAP" in done.out
    assert (tmp_path / "song.svg").read_text().startswith("<svg")
    done = moodcore(*row, "--json")
    told = json.loads(done.out)
    assert (told["format"], told["version"]) == ("moodcore-explanation", 1)
    assert [row["row"] for row in told["rows"]] == [17]
    for parts in told["rows"][0]["classes"].values():
        assert parts["base"] + sum(parts["contributions"].values()) == pytest.approx(
            parts["margin"]
        )


def test_many_songs_by_size_and_as_swarms(folder, moodcore, tmp_path):
    done = moodcore("explain", folder / "gbt", folder / "songs.csv", "-o", tmp_path / "all.png")
    assert done.code == 0, done.err
    assert done.out.startswith("mean size of the contributions to 200 rows")
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")


def test_networks_take_a_background(folder, moodcore):
    row = ("explain", folder / "mlp", folder / "songs.csv", "--row", 3, "--row", 4)
    done = moodcore(*row, "--background", folder / "songs.csv")
    assert done.code == 0, done.err
    assert "measured from the mean over 100" in done.out
    assert moodcore(*row, "--background", folder / "songs.csv").out == done.out
    assert done.out.index("row 3: ") < done.out.index("row 4: ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--row", 300], "there is no row 300; rows are 0 to 299"),
        (["--row", -1], "-1 is not in the range"),
        (["--class", "hapy"], "did you mean 'happy'?"),
        (["-o", "song.gif"], "the file name must end in .svg or .png, got '.gif'"),
        (["--background", "songs.csv"], "GBT takes no background"),
        (["--background", "none.csv", "--row", 1], "none.csv"),
    ],
)
def test_wrong_requests_say_what_is_allowed(folder, moodcore, words, says, monkeypatch):
    monkeypatch.chdir(folder)
    done = moodcore("explain", folder / "gbt", folder / "songs.csv", *words)
    assert done.code == 2
    assert says in done.err
    assert not done.out
