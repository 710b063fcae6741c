"""Cut points of large tables: which rows they come from, and that it does not matter."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import log_loss

from moodcore import GBT, _core
from moodcore.estimators.gbt import training
from moodcore.estimators.gbt.auto import resolve

SAMPLE_ROWS = 262_144
CALM = {"colsample_bynode": 1.0, "boosting": "gbdt", "random_state": 0}


def splitmix64(rows):
    """Return the first number of the SplitMix64 stream of each row."""
    word = rows.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def sampled(n_rows):
    """Return the sample of a table: the rows with the smallest keys."""
    return np.sort(np.argsort(splitmix64(np.arange(n_rows)))[:SAMPLE_ROWS])


def cut_points(values, max_bin=254):
    """Return cut points between bins of equal shares, for values that hardly repeat."""
    values = np.sort(values)
    cuts, held, rest, bins = [], 0, len(values), max_bin
    share = -(-rest // bins)
    for low, high in pairwise(values):
        held, rest = held + 1, rest - 1
        if held >= share and len(cuts) + 1 < max_bin:
            cuts.append(low / 2 + high / 2)
            held, bins = 0, bins - 1
            share = -(-rest // max(bins, 1))
    return cuts


def with_cuts(model, cuts):
    """Return a model without trees whose numeric columns have these cut points."""
    arrays = model.core_model_.slice(0, 0).arrays()
    arrays["bin_values"] = np.concatenate(cuts)
    arrays["bin_offsets"] = np.cumsum([0, *map(len, cuts)]).astype(np.uint32)
    changed = model[:1]
    changed.core_model_ = _core.GbtModel(arrays)
    return changed


def test_the_sample_is_the_rows_with_the_smallest_keys():
    assert _core.gbt_sampled_rows(SAMPLE_ROWS) is None
    for n_rows in (SAMPLE_ROWS + 1, 400_000, 1_500_000):
        assert (_core.gbt_sampled_rows(n_rows) == sampled(n_rows)).all()


@pytest.mark.parametrize("weighted", [False, True])
def test_cut_points_come_from_the_sample_and_categories_from_all_rows(weighted):
    rng = np.random.default_rng(0)
    n_rows = 300_000
    rows = sampled(n_rows)
    X = np.column_stack([rng.normal(size=n_rows), rng.integers(0, 9, n_rows).astype(float)])
    # A category that no sampled row has.
    X[np.setdiff1d(np.arange(n_rows), rows)[5], 1] = 11.0
    y = (X[:, 0] + rng.normal(size=n_rows) > 0).astype(int)
    weight = rng.integers(1, 4, n_rows) if weighted else None
    model = GBT(1, categorical_features=[1], **CALM)
    full = model.fit(X, y, weight).core_model_.arrays()
    part = model.fit(X[rows], y[rows], None if weight is None else weight[rows])
    part = part.core_model_.arrays()
    n_cuts = part["bin_offsets"][1]
    assert (full["bin_values"][:n_cuts] == part["bin_values"][:n_cuts]).all()
    assert full["bin_values"][n_cuts:].tolist() == [*range(9), 11]
    assert part["bin_values"][n_cuts:].tolist() == [*range(9)]


TABLES = {
    "smooth": lambda X, noise: X[:, 0] + np.sin(3 * X[:, 1]) + noise,
    "sharp": lambda X, noise: (X[:, 0] > 0.123) + (X[:, 1] > X[:, 2]) - 1 + 0.3 * noise,
    "tails": lambda X, noise: np.sign(X[:, 0]) * np.log1p(abs(X[:, 0])) * X[:, 1] + noise,
}


@pytest.mark.parametrize("name", TABLES)
def test_the_loss_is_that_of_cut_points_of_all_rows(name):
    rng = np.random.default_rng(1)
    n_rows, n_held = 800_000, 200_000
    X = rng.normal(size=(n_rows, 3))
    if name == "tails":
        X = X / abs(rng.normal(size=X.shape))
    score = TABLES[name](X, rng.normal(size=n_rows))
    y = np.digitize(score, np.quantile(score, [0.3, 0.7]))
    train, held = slice(n_held, None), slice(0, n_held)
    model = GBT(12, learning_rate=0.3, max_bin=254, **CALM)
    of_sample = model.fit(X[train], y[train])
    start = with_cuts(of_sample, [cut_points(column) for column in X[train].T])
    of_all = GBT(**model.get_params()).fit(X[train], y[train], init_model=start)
    offsets = of_all.core_model_.arrays()["bin_offsets"]
    assert offsets.tolist() == of_sample.core_model_.arrays()["bin_offsets"].tolist()
    losses = [log_loss(y[held], model.predict_proba(X[held])) for model in (of_sample, of_all)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_the_number_of_rounds_is_searched_on_the_sample(monkeypatch):
    seen = []
    boost = training.boost

    def record(model, rows, sets, **options):
        seen.append(len(rows.y) + sum(len(held.y) for held in sets.values()))
        return boost(model, rows, sets, **options)

    monkeypatch.setattr(training, "boost", record)
    rng = np.random.default_rng(2)
    X = rng.normal(size=(SAMPLE_ROWS + 40_000, 2)).astype(np.float32)
    y = (X[:, 0] + 3 * rng.normal(size=len(X)) > 0).astype(int)
    model = GBT(random_state=0)
    model.seed_ = 0
    rows = training.training_rows(model, X, y, None, None, start=None, evaluated=False)
    resolve(model, rows, starts=True)
    assert seen == [SAMPLE_ROWS]
