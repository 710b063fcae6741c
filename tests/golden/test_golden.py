"""The results of every command are those of the golden data."""

import json
from pathlib import Path

import pytest
from golden_cases import CASES, prepare, run_case
from golden_comparison import differences, environment
from golden_runners import run_in_process

DATA = Path(__file__).parent / "data"
SHOWN = 20


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A folder with the song tables."""
    folder = tmp_path_factory.mktemp("golden")
    prepare(folder, run_in_process)
    return folder


def read(name):
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_results_are_unchanged(case, workspace):
    lines = differences(read(case.name), run_case(case, workspace, run_in_process))
    if not lines:
        return
    shown = "\n".join(f"{case.name}: {line}" for line in lines[:SHOWN])
    text = f"{len(lines)} values differ from data/{case.name}.json:\n{shown}"
    then, now = read("environment"), environment()
    if then != now:
        pytest.skip(f"{text}\nmade with other libraries: {then}, these are {now}")
    pytest.fail(text, pytrace=False)


def test_each_case_has_golden_data():
    files = {path.stem for path in DATA.glob("*.json")}
    assert files == {case.name for case in CASES} | {"environment"}


def test_differences_name_part_key_and_both_values():
    golden = {"metrics.json": {"test.accuracy": 0.8, "rows": 3, "label": "sad", "loss": None}}
    new = {"metrics.json": {"test.accuracy": 0.8 + 1e-9, "rows": 4, "loss": 0.5, "added": 1}}
    assert differences(golden, new) == [
        "metrics.json: rows: was 3, is 4 now",
        "metrics.json: label: was 'sad', is missing now",
        "metrics.json: loss: was None, is 0.5 now",
    ]
    assert differences({"trials.csv": {"0.C": 1.0}}, {}) == [
        "trials.csv: 0.C: was 1.0, is missing now"
    ]
