"""Pages of runs that version 0.1.0 made."""

import json
import shutil
from pathlib import Path

import pytest

from moodcore import report

RUNS = Path(__file__).parents[1] / "golden" / "version_1_runs"


@pytest.fixture(params=["tune", "compare", "features"])
def folder(request, tmp_path):
    return Path(shutil.copytree(RUNS / f"{request.param}-finished", tmp_path / "run"))


def numbers_of(metrics):
    """Accuracies that the page must show, in percent."""
    if "test" not in metrics:
        return [row["accuracy"] for row in metrics["choices"]]
    test = metrics["test"]
    tested = test if isinstance(test, list) else [test, *metrics["baselines"].values()]
    return [row["accuracy"] for row in tested]


def test_the_page_has_the_numbers_of_the_run(folder):
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    text = report.build(folder).read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    for share in numbers_of(metrics):
        assert f"{round(100 * share, 2):g}" in text
    for sentence in report.summary(metrics).splitlines()[-2:]:
        assert sentence in text
    assert " songs" in text
