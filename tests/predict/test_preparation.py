"""The short way to the classifier gives the bits of the pipeline."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from moodcore import GBT, MLP, songs
from moodcore.predict.preparation import Preparation
from moodcore.preprocessing import CorrelationFilter


@pytest.fixture(scope="module")
def data():
    return songs.synthesize(400, random_state=0)


@pytest.mark.parametrize("features", ["published", "all", ("tempo",), CorrelationFilter(0.6)])
@pytest.mark.parametrize("balance", [False, True])
def test_song_pipelines(features, balance, data):
    X, y = data
    network = MLP((4,), epochs=2, random_state=0)
    model = songs.pipeline(network, features=features, balance=balance, random_state=0).fit(X, y)
    assert_same(model, X)


@pytest.mark.parametrize(
    "scaler",
    [
        MinMaxScaler(feature_range=(-1, 0.5), clip=True),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
    ],
)
def test_scalers_with_options(scaler, data):
    X, y = data
    select = songs.pipeline(GBT(1))["select"]
    model = make_pipeline(select, scaler, GBT(3, random_state=0)).fit(X, y)
    # Beyond the range of training, where clipping counts.
    assert_same(model, X * 1.5)


def assert_same(model, X):
    good = np.arange(len(X)) % 3 > 0
    short = Preparation.of(model)
    rows = short.matrix({name: X[name].to_numpy() for name in X}, good)
    assert rows.tobytes() == np.asarray(model[:-1].transform(X[good])).tobytes()
    found = short.classifier.predict_proba(rows)
    assert found.tobytes() == model.predict_proba(X[good]).tobytes()


def test_other_pipelines_go_the_long_way(data):
    X, y = data
    select = songs.pipeline(GBT(1))["select"]
    assert Preparation.of(make_pipeline(select, RobustScaler(), GBT(1)).fit(X, y)) is None
    assert Preparation.of(make_pipeline(StandardScaler(), GBT(1)).fit(X, y)) is None
    assert Preparation.of(GBT(1).fit(X, y)) is None
