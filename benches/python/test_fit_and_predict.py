"""Benchmarks of training and prediction through Python.

Run `pytest benches/python --benchmark-enable --benchmark-only`, and compare rows of one run only.
With benchmarks disabled, as in the project's settings, every task runs once on a tiny table, so
that errors in this file are noticed.
"""

import numpy as np
import pytest

from moodcore import GBT, MLP, load, songs
from moodcore.model_files.container import save

# The network of the song experiment, whatever the defaults of `MLP` are.
PAPER = {
    "activation": "relu",
    "input_scaling": None,
    "optimizer": "sgd",
    "learning_rate": 0.005,
    "momentum": 0.9,
    "init": "he",
    "learning_rate_schedule": "constant",
    "early_stopping": False,
}


@pytest.fixture(scope="session")
def scale(request):
    """Return the fraction of the rows that is used: 1 for a measurement, tiny otherwise."""
    options = request.config.option
    measured = options.benchmark_enable or not options.benchmark_disable
    return 1.0 if measured else 0.002


def table(rows, features=7, classes=4):
    """Return rows labeled by a random teacher, so that there is something to learn."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, features)).astype(np.float32)
    teacher = rng.normal(size=(features, classes))
    noise = 0.3 * rng.normal(size=(rows, classes))
    return X, np.argmax(np.tanh(X @ teacher) + noise, axis=1)


SHAPES = pytest.mark.parametrize(
    ("hidden", "batch"), [((16, 16), 32), ((64, 256), 256)], ids=["16-16 by 32", "64-256 by 256"]
)


@SHAPES
def test_fit_one_epoch(benchmark, scale, hidden, batch):
    """Train one epoch on the balanced training rows, including input validation."""
    X, y = table(int(108_500 * scale))
    model = MLP(hidden, batch_size=batch, epochs=1, random_state=0, **PAPER)
    fitted = benchmark(model.fit, X, y)
    assert fitted.n_iter_ == 1


@SHAPES
def test_predict_probabilities(benchmark, scale, hidden, batch):
    """100,000 rows."""
    X, y = table(int(100_000 * scale))
    model = MLP(hidden, batch_size=batch, epochs=1, random_state=0, **PAPER).fit(X[:1000], y[:1000])
    assert benchmark(model.predict_proba, X).shape == (len(X), 4)


def test_synthesize(benchmark, scale):
    """As many songs as the published table has."""
    n_songs = int(songs.N_SONGS * scale)
    X, _ = benchmark(songs.synthesize, n_songs, random_state=0)
    assert len(X) == n_songs


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_load_songs(benchmark, scale, tmp_path, suffix):
    """A file of as many songs as the published table has, every value checked."""
    X, y = songs.synthesize(int(songs.N_SONGS * scale), random_state=0)
    labeled = X.assign(**{songs.LABEL: y})
    # Songs read from a file are measured ones, as far as the file tells: no warning is due.
    labeled.attrs.clear()
    path = tmp_path / f"songs.{suffix}"
    if suffix == "csv":
        labeled.to_csv(path, index=False)
    else:
        labeled.to_parquet(path, index=False)
    found, labels = benchmark(songs.load, path)
    assert found.shape == X.shape
    assert len(labels) == len(y)


@pytest.fixture(scope="session")
def model():
    """Fit a song pipeline."""
    X, y = songs.synthesize(1_000, random_state=0)
    network = MLP((64, 256), batch_size=32, epochs=1, random_state=0, **PAPER)
    return songs.pipeline(network, balance=True, random_state=0).fit(X, y)


def test_save(benchmark, model, tmp_path):
    """To the disk, and under its name."""
    path = tmp_path / "model.safetensors"
    benchmark(save, model, path)
    assert path.stat().st_size > 0


def test_load_model(benchmark, model, tmp_path):
    """Checked and ready to predict."""
    save(model, tmp_path / "model.safetensors")
    found = benchmark(load, tmp_path / "model.safetensors")
    assert found.n_features_in_ == model.n_features_in_


def test_boost_ten_rounds(benchmark, scale):
    """Ten rounds on the balanced songs, ten features, binning included."""
    X, y = table(int(135_000 * scale), features=10)
    fitted = benchmark(GBT(10, random_state=0).fit, X, y)
    assert fitted.n_iter_ == 10


def test_boosted_probabilities(benchmark, scale):
    """100,000 rows by 100 rounds."""
    X, y = table(int(100_000 * scale), features=10)
    model = GBT(100, random_state=0).fit(X[:2000], y[:2000])
    assert benchmark(model.predict_proba, X).shape == (len(X), 4)


def test_boosted_probabilities_of_one_row(benchmark):
    """The fast call, by 100 rounds."""
    X, y = table(2000, features=10)
    model = GBT(100, random_state=0).fit(X, y)
    assert len(benchmark(model.predict_proba_row, X[0].tolist())) == 4
