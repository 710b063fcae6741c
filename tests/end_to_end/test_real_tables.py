"""Every command on real tables: categories, missing values, many classes, ids, no numbers."""

import json

import numpy as np
import pandas as pd
import pytest

TARGET = "target"
ROWS = 600
TABLES = ["adult", "car", "soybean", "titanic", "credit_g"]
SMALL = ("--folds", 2, "--jobs", 2, "--seed", 1)
GRID = """
[mlp]
hidden_sizes = [[8], [16]]
learning_rate = 0.05
[gbt]
max_leaves = [4, 8]
learning_rate = 0.3
[svm]
C = [1.0, 10.0]
gamma = 0.1
[linear-svm]
C = [0.1, 1.0]
loss = "squared_hinge"
"""


class Case:
    """A table, and the folder of its runs."""

    def __init__(self, path, folder):
        self.path, self.folder = path, folder
        (folder / "grid.toml").write_text(GRID)

    @property
    def data(self):
        return ("--data", self.path, "--target", TARGET, "--rows", ROWS)

    @property
    def run(self):
        return self.folder / "tuned"


@pytest.fixture(scope="module", params=TABLES)
def case(request, real_data, tmp_path_factory):
    path = real_data / "tables" / f"{request.param}.parquet"
    return Case(path, tmp_path_factory.mktemp(request.param))


def frame_of(case):
    return pd.read_parquet(case.path)


def tuned(case, moodcore):
    """Tune all families once per table."""
    if not case.run.exists():
        grid = ("--grid", case.folder / "grid.toml", "--epochs", 12)
        done = moodcore(
            "tune", *case.data, *SMALL, "--model", "all", *grid, "--out", case.run, "--json"
        )
        assert done.code == 0, done.err
        (case.folder / "tuned.json").write_text(done.out)
    return json.loads((case.folder / "tuned.json").read_text())


def test_check_recognizes_the_table(case, moodcore):
    done = moodcore("data", "check", case.path, "--target", TARGET)
    assert done.code == 0, done.err
    for name in frame_of(case).columns.drop(TARGET)[:5]:
        assert name in done.out
    assert "moodcore tune" in done.out


def test_tune_finds_a_model_better_than_the_majority(case, moodcore):
    metrics = tuned(case, moodcore)
    assert {family["model"] for family in metrics["search"]["families"]} == {
        "mlp", "gbt", "svm", "linear-svm",
    }  # fmt: skip
    assert metrics["search"]["failed"] == 0
    majority = metrics["baselines"]["majority class"]
    assert metrics["test"]["accuracy"] > majority["accuracy"]
    assert metrics["data"]["noun"] == "rows" and metrics["data"]["target"] == TARGET
    page = (case.run / "report.html").read_text(encoding="utf-8")
    assert "song" not in page.casefold()
    assert "published" not in page.casefold()


def test_the_model_predicts_the_rows_of_a_file(case, moodcore):
    tuned(case, moodcore)
    frame = frame_of(case)
    table, out = case.folder / "new.csv", case.folder / "predicted.csv"
    frame.drop(columns=TARGET).to_csv(table, index=False)
    done = moodcore("predict", case.run / "model.safetensors", table, "-o", out)
    assert done.code == 0, done.err
    predicted = pd.read_csv(out, dtype={"predicted_label": str})
    assert len(predicted) == len(frame)
    labels = frame[TARGET].astype(str).to_numpy()
    assert np.mean(predicted["predicted_label"].to_numpy() == labels) > 0.5
    done = moodcore("evaluate", case.run / "model.safetensors", case.path, "--json")
    assert done.code == 0, done.err
    accuracy = json.loads(done.out)["accuracy"]
    # CSV and Parquet hold the same values.
    assert accuracy == pytest.approx(np.mean(predicted["predicted_label"] == labels))


def test_the_model_is_explained(case, moodcore):
    tuned(case, moodcore)
    model = case.run / "model.safetensors"
    done = moodcore("explain", model, case.path, "--row", 0, "--row", 5, "--json")
    assert done.code == 0, done.err
    explained = json.loads(done.out)
    assert explained["format"] == "moodcore-explanation"


def test_compare_tests_the_differences(case, moodcore):
    out = case.folder / "compared"
    done = moodcore(
        "compare", *case.data, *SMALL, "--models", "gbt,linear-svm", "--repeats", 1,
        "--curve-sizes", 0, "--epochs", 20, "--out", out, "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    summary = pd.read_csv(out / "summary.csv")
    assert {"GBT", "LinearSVM", "majority class"} <= set(summary["model"])
    assert "song" not in (out / "report.html").read_text(encoding="utf-8").casefold()


def test_features_are_measured(case, moodcore):
    out = case.folder / "features"
    done = moodcore(
        "features", *case.data, *SMALL, "--models", "gbt,logistic-regression", "--repeats", 1,
        "--sizes", "3", "--thresholds", "0.9", "--epochs", 10, "--out", out, "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    features = pd.read_csv(out / "features.csv")
    assert set(features["feature"]) <= set(frame_of(case).columns)
    assert (out / "report.html").exists()


def test_pages_are_right_in_a_browser(case, moodcore, browser):
    tuned(case, moodcore)
    for page in sorted(case.folder.glob("*/report.html")):
        for width in (380, 1280):
            requests, messages = browser.show(page, width=width)
            assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
            assert messages == []
            wide = browser.ask(
                "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wide <= 0, (page, width)
