"""Files of version 1 stay readable, with the same bits; a stranger can read them too."""

import json
from pathlib import Path

import numpy as np
import own_reader
import pandas as pd
import pytest

from moodcore import load
from moodcore.model_files.container import save

FOLDER = Path(__file__).parent / "version_1"
ANSWERS = json.loads((FOLDER / "answers.json").read_text(encoding="utf-8"))
MODELS = sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def rows_of(name):
    return pd.DataFrame(ANSWERS[name]["rows"]).astype(
        {column: "category" for column in ("letter",) if column in ANSWERS[name]["rows"]}
    )


def classifier_of(described):
    """The description of the classifier at the end of pipelines and wrappers."""
    while "steps" in described or "estimator" in described:
        described = described["steps"][-1][1] if "steps" in described else described["estimator"]
    return described


def test_each_file_has_answers():
    assert sorted(ANSWERS) == MODELS != []


@pytest.mark.parametrize("name", MODELS)
def test_the_same_bits_as_when_it_was_written(name, tmp_path):
    model, rows = load(FOLDER / f"{name}.safetensors"), rows_of(name)
    for method in set(ANSWERS[name]) - {"rows"}:
        assert getattr(model, method)(rows).tolist() == ANSWERS[name][method], method
    assert model.provenance_ == {"made by": "make_version_1.py"}
    # Saved again, it is read again.
    save(model, tmp_path / "again")
    again = load(tmp_path / "again")
    assert again.predict(rows).tolist() == ANSWERS[name]["predict"]


@pytest.mark.parametrize("name", MODELS)
def test_a_reader_written_from_the_page_alone_agrees(name):
    described, arrays = own_reader.read(FOLDER / f"{name}.safetensors")
    columns = {column: np.array(values) for column, values in ANSWERS[name]["rows"].items()}
    found = own_reader.run(described, "model", columns, arrays)
    classifier = classifier_of(described)
    if classifier["kind"] == "SVM":
        # The page gives decisions pair by pair; the votes follow from them.
        labels = classifier["classes"]["values"]
        first, second = np.triu_indices(len(labels), k=1)
        winners = np.where(found > 0, first, second)
        codes = [np.bincount(row, minlength=len(labels)).argmax() for row in winners]
        assert [labels[code] for code in codes] == ANSWERS[name]["predict"]
    else:
        kind = "decision_function" if classifier["kind"] == "LinearSVM" else "predict_proba"
        np.testing.assert_allclose(found, ANSWERS[name][kind], rtol=1e-5, atol=1e-6)
