"""Every model that is saved, on tables with categories, truth values and missing values."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moodcore import GBT, MLP, SVM, LinearSVM, load, predict, tables
from moodcore.errors import ConfigError, TableError
from moodcore.runs.listener import Listener

FAMILIES = {
    "mlp": MLP((4,), epochs=3, random_state=0),
    "gbt": GBT(5, random_state=0),
    "svm": SVM(probability=True, random_state=0),
    "linear-svm": LinearSVM(random_state=0),
}


@pytest.fixture(scope="module")
def people():
    """A table without songs: numbers, categories of text and of numbers, truth values, gaps."""
    rng = np.random.default_rng(0)
    n = 200
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n).astype(float),
            "job": rng.choice(["cook", "nurse", "NA ME", "pilot"], n),
            "zone": pd.Categorical(rng.choice([10, 20, 30], n)),
            "owns": rng.random(n) > 0.5,
            "rate": rng.normal(size=n),
        }
    )
    table["pays"] = np.where((table["age"] > 40) ^ (table["job"] == "cook"), "yes", "no")
    table.loc[::9, "age"] = np.nan
    table.loc[::11, "job"] = None
    table["id"] = [f"p{at:04}" for at in range(n)]
    return table


@pytest.fixture(scope="module")
def features(people):
    return people.drop(columns=["pays", "id"])


@pytest.fixture(scope="module")
def folder(people, tmp_path_factory):
    """The table in three formats, without labels."""
    path = tmp_path_factory.mktemp("people")
    people.to_csv(path / "people.csv", index=False)
    people.to_csv(path / "excel.csv", index=False, sep=";", decimal=",", encoding="utf-16")
    people.astype({"zone": int}).to_parquet(path / "people.parquet")
    return path


@pytest.fixture(scope="module", params=FAMILIES)
def model(request, features, people, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    fitted = tables.pipeline(FAMILIES[request.param]).fit(features, people["pays"])
    fitted.save(path, provenance={"target": "pays"})
    return load(path)


def labels_of(model, X):
    """Return the likeliest classes, or the predicted ones of a model without probabilities."""
    if not hasattr(model, "predict_proba"):
        return model.predict(X).tolist()
    return model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()


@pytest.mark.parametrize("name", ["people.csv", "excel.csv", "people.parquet"])
def test_pipelines_of_any_table_score_every_format(name, model, folder, features, tmp_path):
    report = predict.score(model, folder / name, tmp_path / "out.parquet")
    assert (report.n_read, report.n_scored) == (200, 200)
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert list(found)[:2] == ["id", "predicted_label"]
    assert found["predicted_label"].tolist() == labels_of(model, features)
    if hasattr(model, "predict_proba"):
        expected = model.predict_proba(features)
        assert np.array_equal(found[["probability_no", "probability_yes"]].to_numpy(), expected)


def test_values_that_no_model_takes_reject_their_rows(model, folder, people, tmp_path):
    odd = people.astype(object)
    odd.loc[3, "rate"] = "much"
    odd.loc[4, "rate"] = "inf"
    odd.loc[5, "owns"] = "perhaps"
    odd.loc[6, ["age", "job", "owns"]] = ["?", "never seen", "TRUE"]
    odd.to_csv(tmp_path / "odd.csv", index=False)
    report = predict.score(model, tmp_path / "odd.csv", tmp_path / "out.csv", on_error="skip")
    assert dict(report.rejected) == {
        "rate: not a number": 1,
        "rate: infinite": 1,
        "owns: not a number": 1,
    }
    assert report.n_scored == 197
    dated = people.assign(rate=pd.Timestamp("2024-01-01"))
    dated.astype({"zone": int}).to_parquet(tmp_path / "dated.parquet")
    with pytest.raises(TableError, match=r"dated.parquet: column 'rate' holds .*timestamp"):
        predict.score(model, tmp_path / "dated.parquet", tmp_path / "no.csv")


def test_labels_are_found_and_checked(model, folder, people, features, tmp_path):
    evaluation = predict.evaluate_file(model, folder / "people.csv")
    assert (evaluation.target, evaluation.noun) == ("pays", "rows")
    assert evaluation.metrics.accuracy == np.mean(labels_of(model, features) == people["pays"])
    named = people.rename(columns={"pays": "answer"})
    named.to_csv(tmp_path / "named.csv", index=False)
    with pytest.raises(ConfigError, match="label column 'pays' does not exist"):
        predict.evaluate_file(model, tmp_path / "named.csv")
    again = predict.evaluate_file(model, tmp_path / "named.csv", "answer")
    assert again.metrics == evaluation.metrics
    named.loc[7, "answer"] = "yess"
    named.to_csv(tmp_path / "named.csv", index=False)
    with pytest.raises(TableError, match=r"'yess' in row 7 is not a class .*did you mean 'yes'"):
        predict.evaluate_file(model, tmp_path / "named.csv", "answer")
    named.loc[7, "answer"] = ""
    named.to_csv(tmp_path / "named.csv", index=False)
    with pytest.raises(TableError, match="1 rows have no label, first row 7"):
        predict.evaluate_file(model, tmp_path / "named.csv", "answer")
    del model.provenance_
    with pytest.raises(ConfigError, match="name it with --target"):
        predict.evaluate_file(model, folder / "people.csv")
    model.provenance_ = {"target": "pays"}


@pytest.mark.parametrize("labels", [[1, 2], [True, False], [0.0, 1.0], ["1", "2"]])
def test_labels_of_every_type_are_matched_by_value(labels, features, tmp_path):
    X = features[["rate"]]
    y = np.array(labels)[(X["rate"] > 0).astype(int)]
    model = GBT(3, random_state=0).fit(X, y)
    X.assign(y=y).to_csv(tmp_path / "t.csv", index=False)
    X.assign(y=y).to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        assert predict.evaluate_file(model, tmp_path / name, "y").metrics.accuracy == 1.0


@pytest.mark.parametrize("family", ["mlp", "gbt", "svm", "linear-svm"])
def test_estimators_and_pipelines_of_scikit_learn(family, features, people, folder, tmp_path):
    X, y = features[["rate", "age"]].fillna(0), people["pays"]
    X.to_csv(tmp_path / "numbers.csv", index=False)
    for fitted in (FAMILIES[family].fit(X, y), make_pipeline(StandardScaler(), FAMILIES[family])):
        fitted.fit(X, y)
        predict.score(fitted, tmp_path / "numbers.csv", tmp_path / "out.csv")
        found = pd.read_csv(tmp_path / "out.csv")["predicted_label"]
        assert found.tolist() == labels_of(fitted, X)
    gaps = features[["rate", "age"]]
    gaps.to_csv(tmp_path / "gaps.csv", index=False)
    fitted = FAMILIES[family].fit(X, y)
    report = predict.score(fitted, tmp_path / "gaps.csv", tmp_path / "out.csv", on_error="skip")
    assert report.n_rejected == (0 if family == "gbt" else gaps["age"].isna().sum())


def test_columns_that_identify_rows_are_kept(features, people, folder, tmp_path):
    model = GBT(2).fit(features[["rate"]], people["pays"])
    for options, first in [({}, "id"), ({"id": "job"}, "job"), ({"keep": ["age"]}, "id")]:
        predict.score(model, folder / "people.csv", tmp_path / "out.csv", **options)
        assert next(iter(pd.read_csv(tmp_path / "out.csv"))) == first
    with pytest.raises(TableError, match=r"--id: missing column: 'ids' \(there is 'id'\)"):
        predict.score(model, folder / "people.csv", tmp_path / "out.csv", id="ids")


def test_the_table_of_training_is_recognized(people, tmp_path, capsys):
    from moodcore.cli import main

    people.to_csv(tmp_path / "people.csv", index=False)
    people[:150].to_csv(tmp_path / "part.csv", index=False)
    model = tmp_path / "m.safetensors"
    words = ["train", "--data", tmp_path / "people.csv", "--target", "pays", "--model", "gbt",
             "--set", "n_estimators=3", "-o", model]  # fmt: skip
    assert main([str(word) for word in words]) == 0
    capsys.readouterr()
    for name, is_known in (("people.csv", True), ("part.csv", False)):
        assert main(["evaluate", str(model), str(tmp_path / name), "--json"]) == 0
        out, err = capsys.readouterr()
        assert ("trained on rows of this table" in err) == is_known
        assert json.loads(out)["target"] == "pays"


def test_names_of_songs_stand_in_for_an_identifier(tmp_path):
    X = pd.DataFrame({"energy": [0.1, 0.2, 0.8, 0.9] * 5})
    model = GBT(3, min_child_samples=1, random_state=0).fit(X, ["low", "low", "high", "high"] * 5)
    table = X.assign(**{"Artist": "A", "Song Name": "B", "year": 2001})
    lines = []

    class Said(Listener):
        def stage(self, text):
            lines.append(text)

    def columns(frame, **options):
        frame.to_csv(tmp_path / "in.csv", index=False)
        predict.score(model, tmp_path / "in.csv", tmp_path / "out.csv", listener=Said(), **options)
        return pd.read_csv(tmp_path / "out.csv").columns.tolist()[: -len(model.classes_) - 1]

    assert columns(table) == ["Artist", "Song Name"] and lines == []
    assert columns(table.assign(id=range(20))) == ["id"]
    assert columns(table.assign(id=range(20)), keep=["year"]) == ["id", "year"]
    assert columns(X) == [] and lines == []
    assert columns(X.assign(year=2001)) == []
    assert "no column that identifies the rows was found; --keep COLUMN" in lines[-1]
