"""`--model all`, `--minutes`, and names that are almost right."""

import json
import re

import pandas as pd
import pytest

from moodcore.cli import main
from moodcore.runs.families import FAMILIES

SMALL = ("--model", "all", "--songs", "400", "--folds", "2", "--epochs", "3", "--seed", "5")
GRID = """
[mlp]
hidden_sizes = [[4], [4, 4]]
learning_rate = 0.05
batch_size = 64
[gbt]
max_leaves = [4, 6]
learning_rate = 0.3
reg_lambda = 1.0
[svm]
C = [1.0, 5.0]
gamma = 0.15
[linear-svm]
C = [0.1, 1.0]
loss = "hinge"
"""


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "grid.toml"
    path.write_text(GRID)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory, grid):
    run = tmp_path_factory.mktemp("all") / "run"
    asked = ("tune", *SMALL, "--grid", grid, "--jobs", 1, "--out", run)
    assert main([str(word) for word in asked]) == 0
    return run


def test_one_report_names_every_family(finished):
    text = (finished / "report.html").read_text(encoding="utf-8")
    for member in FAMILIES.values():
        assert f"<td>{member.estimator().__name__}</td>" in text
    assert set(pd.read_csv(finished / "trials.csv")["model"]) == set(FAMILIES)


def test_a_run_whose_time_was_over_goes_on_with_resume(finished, moodcore, tmp_path):
    run = tmp_path / "run"
    asked = ("tune", "--config", finished / "config.toml", "--minutes", 1e-9, "--out", run)
    done = moodcore(*asked, "--jobs", 1)
    assert done.code == 0, done.err
    assert "of 8 planned" in done.out
    assert f"moodcore tune --resume {run}" in done.err
    assert (run / "report.html").exists()
    again = moodcore("tune", "--resume", run, "--jobs", 2, "--json")
    assert again.code == 0, again.err
    assert re.search(r"16 folds, \d+ already done", again.err)
    told = json.loads(again.out)
    assert told["search"]["families"][0]["model"] == told["model"]["family"]
    for name in ("metrics.json", "trials.csv", "config.toml", "model.safetensors"):
        assert (finished / name).read_bytes() == (run / name).read_bytes(), name


def test_the_plan_names_every_family(grid, moodcore):
    asked = ("tune", *SMALL, "--grid", grid, "--dry-run")
    done = moodcore(*asked, "--minutes", 1e-9)
    assert done.code == 0, done.err
    for name, unit in {"mlp": "3 epochs", "gbt": "3 rounds", "svm": "1 fit"}.items():
        assert re.search(rf"^{name} +2 x 2 folds x {unit}", done.out, re.MULTILINE), done.out
    assert "--minutes 1e-09 ends it after about" in done.out
    plan = json.loads(moodcore(*asked, "--json").out)
    assert plan["candidates"] == 8 and plan["minutes"] is None
    assert [family["model"] for family in plan["families"]] == list(FAMILIES)
    assert sum(family["seconds"] for family in plan["families"]) == pytest.approx(plan["seconds"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "gtb"), "did you mean 'gbt'"),
        (("--model", "linear_svm"), "did you mean 'linear-svm'"),
        (("--sampler", "tpee"), "did you mean 'tpe'"),
        (("--pruner", "medain"), "did you mean 'median'"),
        (("--minuts", "3"), "--minutes"),
        (("--minutes", "0"), "--minutes"),
        (("--minutes", "nan"), "--minutes"),
        (("--model", "all", "--study", "optimizers"), "model must be 'mlp', got all"),
    ],
)
def test_bad_requests_are_explained(moodcore, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = moodcore("tune", *arguments)
    assert done.code == 2 and message in done.err and "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[gbtt]\nmax_leaves = 4", "did you mean 'gbt'"),
        ("[gbt]\nmax_leafs = 4", "did you mean 'max_leaves'"),
        ("max_leaves = [4]", "belong in the table of their family, such as [gbt]"),
        ("[gbt]\nmax_leaves = []", "max_leaves is an empty list"),
        ("[svm]\nC = [-1.0]", "C must be"),
    ],
)
def test_bad_grids_are_explained(moodcore, tmp_path, text, message):
    (tmp_path / "grid.toml").write_text(text)
    done = moodcore("tune", *SMALL, "--grid", tmp_path / "grid.toml")
    assert done.code == 2 and message in done.err, done.err
    assert [path.name for path in tmp_path.iterdir()] == ["grid.toml"]


def test_an_unknown_command_gets_the_nearest(moodcore):
    done = moodcore("tnue")
    assert done.code == 2 and "did you mean 'tune'" in done.err


def test_train_takes_one_family(moodcore, tmp_path):
    done = moodcore("train", "--model", "all", "-o", tmp_path / "model")
    assert done.code == 2 and "'all'" in done.err


def test_when_all_fail_the_command_says_why(moodcore, tmp_path):
    (tmp_path / "grid.toml").write_text('hidden_sizes = [[4]]\nclass_weight = {"7" = 2.0}')
    asked = ("tune", *SMALL[2:], "--grid", tmp_path / "grid.toml", "--out", tmp_path / "run")
    done = moodcore(*asked)
    assert done.code == 1
    assert "every candidate failed" in done.err and "class_weight" in done.err
    assert "bug" not in done.err


@pytest.mark.parametrize("name", ["tune", "compare", "features"])
def test_a_table_without_its_option_is_explained(moodcore, name):
    done = moodcore(name, "people.csv", "--target", "pays")
    assert done.code == 2
    assert "unexpected argument 'people.csv'; a table is given as --data FILE" in done.err
