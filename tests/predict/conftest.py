import pytest

from moodcore import GBT, songs


@pytest.fixture(scope="session")
def table():
    """Songs with uri and a column that no model knows."""
    X, _ = songs.synthesize(700, random_state=0)
    uri = [f"spotify:track:{at:05}" for at in range(len(X))]
    return X.assign(uri=uri, label_of_the_record='say "hi", all')


@pytest.fixture(scope="session")
def model():
    X, y = songs.synthesize(700, random_state=0)
    return songs.pipeline(GBT(5, random_state=0), random_state=0).fit(X, y)


@pytest.fixture(scope="session")
def model_file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "mood.safetensors"
    model.save(path)
    return path
