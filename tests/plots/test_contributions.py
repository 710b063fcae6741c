"""Pictures of contributions: what they say, that all of it can be read, and what they refuse."""

import numpy as np
import pytest
from readable import clipped, overlapping, texts_of, visible_texts

from moodcore import plots

RNG = np.random.default_rng(0)
NAMES = ["energy", "instrumentalness", "tempo"]
MANY = [f"a feature of number {at}" for at in range(30)]


def swarm(n_rows, names, **options):
    found = RNG.normal(size=(n_rows, len(names))) * np.arange(1, len(names) + 1)
    return plots.contribution_swarm(found, RNG.normal(size=found.shape), names, **options)


PICTURES = {
    "waterfall": lambda: plots.contribution_waterfall(
        [0.5, -1.25, 2.0], NAMES, base=-0.3, values=["0.5", "0.001", "121.25"], output="calm"
    ),
    "one feature": lambda: plots.contribution_waterfall([0.0], ["energy"], base=0.0),
    "huge": lambda: plots.contribution_waterfall([1e9, -2e9, 1e-9], NAMES, base=5e8),
    "many features": lambda: plots.contribution_waterfall(RNG.normal(size=30), MANY, base=0.1),
    "swarm": lambda: swarm(200, NAMES, output="happy"),
    "swarm of one": lambda: swarm(1, NAMES),
    "swarm of many features": lambda: swarm(50, MANY),
    "nothing": lambda: plots.contribution_swarm(np.zeros((9, 2)), np.zeros((9, 2)), NAMES[:2]),
}


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_all_texts_can_be_read(make):
    texts = visible_texts(make().figure)
    assert not clipped(texts)
    assert not overlapping(texts)


def test_bars_lead_from_the_base_to_the_margin():
    ax = PICTURES["waterfall"]()
    bars = sorted(ax.patches, key=lambda bar: bar.get_y())
    starts, sizes = [bar.get_x() for bar in bars], [bar.get_width() for bar in bars]
    assert sizes == [2.0, -1.25, 0.5]
    np.testing.assert_allclose(starts, -0.3 + np.cumsum([0, *sizes[:-1]]))
    assert {"+2", "-1.25", "+0.5"} < set(texts_of(ax))
    assert "margin of calm: from -0.3 to 0.95" in texts_of(ax)
    assert "tempo = 121.25" in texts_of(ax)


def test_small_contributions_share_a_bar():
    ax = plots.contribution_waterfall(
        [1.0, 0.5, -4.0, 0.25], list("abcd"), base=0.0, max_features=3
    )
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["c", "a", "2 other features"]
    assert sorted(bar.get_width() for bar in ax.patches) == [-4.0, 0.75, 1.0]


def test_points_stand_at_their_contributions():
    found = np.array([[0.1, -3.0], [0.2, 4.0], [0.1, 0.0]])
    ax = plots.contribution_swarm(found, [[1, 5], [2, np.nan], [3, "x"]], ["low", "high"])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["high", "low"]
    drawn = np.concatenate([points.get_offsets() for points in ax.collections])
    for place, column in ((0, found[:, 1]), (1, found[:, 0])):
        near = np.abs(drawn[:, 1] - place) < 0.5
        assert sorted(drawn[near, 0]) == sorted(column)


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match=r"one number per feature, got .* and 2 names"):
        plots.contribution_waterfall([1.0], ["a", "b"], base=0.0)
    with pytest.raises(ValueError, match="must be finite, got nan for b"):
        plots.contribution_waterfall([1.0, np.nan], ["a", "b"], base=0.0)
    with pytest.raises(ValueError, match="tables of equal shape with at least one row"):
        plots.contribution_swarm(np.empty((0, 2)), np.empty((0, 2)), ["a", "b"])
