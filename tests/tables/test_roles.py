"""Roles of columns."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from moodcore.errors import TableError
from moodcore.tables.roles import column_role, column_roles, suspicious_columns, to_numbers

N = 60
WORDS = [f"word {number}" for number in range(N)]

ROLES = [
    ("number", np.linspace(0, 1, N)),
    ("number", np.arange(N)),
    ("number", [1.0, None] * (N // 2)),
    ("number", pd.array([1, None, 3] * (N // 3), dtype="Int64")),
    ("number", [str(number / 7) for number in range(N)]),
    ("number", [*map(str, range(N - 1)), "unknown"]),
    ("category", [*map(str, range(N // 2)), *["a", "b"] * (N // 4)]),
    ("boolean", [True, False] * (N // 2)),
    ("boolean", [True, None, False] * (N // 3)),
    ("boolean", ["TRUE", "false"] * (N // 2)),
    ("category", ["a", "b", None] * (N // 3)),
    ("category", pd.Categorical([10, 20, 30] * (N // 3))),
    ("id", WORDS),
    ("category", [*WORDS[:50], *WORDS[:10]]),
    ("date", pd.date_range("2020-01-01", periods=N)),
    ("date", pd.period_range("2020-01", periods=N, freq="M")),
    ("date", pd.timedelta_range("1h", periods=N)),
    ("date", [f"2024-{1 + day % 12:02d}-{1 + day % 28:02d}" for day in range(N)]),
    ("date", [f"{1 + day % 28}/{1 + day % 12}/2024 10:30" for day in range(N)]),
    ("date", [datetime.time(hour % 24) for hour in range(N)]),
    ("date", [datetime.date(2024, 1, 1 + day % 28) for day in range(N)]),
    ("number", [Decimal(number) / 7 for number in range(N)]),
    ("constant", ["a"] * N),
    ("constant", [3] * N),
    ("category", ["a", None] * (N // 2)),
    ("empty", [None] * N),
    ("empty", [np.nan, None, "?"] * (N // 3)),
]


@pytest.mark.parametrize(("role", "values"), ROLES)
def test_role(role, values):
    assert column_role(pd.Series(values, name="x")).role == role


@pytest.mark.parametrize(
    "name",
    ["id", "track_id", "URI", "Track URI", "PassengerId", "userID", "index", "Unnamed: 0", ""],
)
def test_named_identifiers(name):
    assert column_role(pd.Series(range(N), name=name)).role == "id"


def test_an_identifier_is_unique():
    assert column_role(pd.Series([*range(N), 3], name="id")).role == "number"
    assert column_role(pd.Series(range(N), name="paid")).role == "number"


def test_few_unique_texts_are_categories():
    assert column_role(pd.Series(WORDS[:20], name="x")).role == "category"


def test_description_of_a_column():
    role = column_role(pd.Series([*map(str, range(N - 2)), "unknown", None], name="x"))
    assert (role.low, role.high, role.n_missing, role.odd) == (0, N - 3, 1, ("unknown",))
    role = column_role(pd.Series(["b", "a", "b", None], name="x"))
    assert (role.values, role.n_values, role.n_missing) == (("b", "a"), 2, 1)


@pytest.mark.parametrize("values", [[[1, 2]] * 4, [{"a": 1}] * 4, [object()] * 4])
def test_other_objects_are_refused(values):
    with pytest.raises(TableError, match=r"column 'x' holds .* values .*; allowed are numbers"):
        column_roles(pd.DataFrame({"x": pd.Series(values)}))


def test_complex_numbers_are_refused():
    with pytest.raises(TableError, match="column 'x': Complex data not supported: use real and"):
        column_roles(pd.DataFrame({"x": [1j, 2j]}))


def test_to_numbers():
    values = pd.Series(["1", " 2.5 ", "1e3", True, "false", None, "?", "high", "1_0", 10**400])
    numbers, bad = to_numbers(values)
    np.testing.assert_array_equal(numbers[:5], [1, 2.5, 1000, 1, 0])
    assert np.isnan(numbers[5:9]).all() and np.isinf(numbers[9])
    assert bad.tolist() == [False] * 7 + [True, True, False]


def test_suspicious_columns():
    rng = np.random.default_rng(0)
    label = pd.Series(rng.choice(["a", "b"], 400))
    frame = pd.DataFrame(
        {
            "plain": rng.normal(size=400),
            "gaps": np.where(np.arange(400) < 300, np.nan, np.arange(400)),
            "nearly": ["x"] * 398 + ["y"] * 2,
            "answer": label.map({"a": 1, "b": 0}),
            "mixed": [*map(str, [*range(398), 5]), "n. a."],
            "street": [f"street {row % 90}" for row in range(400)],
            "number": range(1, 401),
            "price": [f"${row % 40},500.00" for row in range(400)],
            "visits": [f"{row % 20}" if row % 3 else f"{row % 20},000" for row in range(400)],
            "uri": [f"{row:022d}" for row in range(400)],
        }
    )
    frame["again"] = frame["plain"].astype(str)
    frame["color"] = frame["nearly"].map({"x": "red", "y": "blue"})
    assert suspicious_columns(frame, column_roles(frame), label) == [
        "'gaps' is missing in 75% of rows",
        "'nearly' is 'x' in 99.5% of rows",
        "'answer' repeats the label",
        "'mixed' holds numbers and text such as 'n. a.'",
        "'street' has 90 distinct values",
        "'number' counts the rows",
        "'price' holds numbers as text, such as '$0,500.00': remove the signs",
        "'visits' holds numbers as text, such as '0,000': remove the signs",
        "'again' repeats 'plain'",
        "'color' is 'red' in 99.5% of rows",
        "'color' repeats 'nearly'",
    ]
