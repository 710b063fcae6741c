"""A small table with a column of every kind."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def _people():
    rng = np.random.default_rng(0)
    n = 240
    age = rng.integers(18, 80, n).astype(float)
    job = rng.choice(["cook", "nurse", "clerk"], n, p=[0.5, 0.3, 0.2]).astype(object)
    job[:3] = "pilot"
    member = rng.random(n) < 0.4
    score = rng.normal(size=n)
    pays = (age - 50) / 10 + 3 * (job == "nurse") + rng.normal(size=n) > 0
    age[rng.random(n) < 0.1] = np.nan
    jobs = pd.Series(job, dtype=object)
    jobs[(rng.random(n) < 0.05) & (job != "pilot")] = None
    return pd.DataFrame(
        {
            "person_id": [f"p{number:04d}" for number in range(n)],
            "age": age,
            "job": jobs,
            "member": member,
            "score": score,
            "joined": pd.date_range("2020-01-01", periods=n).strftime("%Y-%m-%d"),
            "country": "Norway",
            "empty": np.nan,
            "pays": np.where(pays, "yes", "no"),
        }
    )


@pytest.fixture
def people(_people):
    """240 people: numbers, a category with a rare value, identifiers, dates, and gaps."""
    return _people.copy()
