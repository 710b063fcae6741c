"""Files of table pipelines whose text was changed, with a checksum that fits."""

import pandas as pd
import pytest
from parts_of_files import rewritten, text_of, with_text
from safetensors.numpy import load

import moodcore
from moodcore import GBT, MLP, ModelFileError
from moodcore.tables import pipeline


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """The bytes of a small pipeline."""
    path = tmp_path_factory.mktemp("tables") / "model"
    table = pd.DataFrame({"age": [1.0, 2.0, None, 4.0] * 5, "job": ["cook", "nurse"] * 10})
    model = pipeline(MLP((2,), epochs=1, random_state=0), class_names=("No", "Yes"))
    model.fit(table, ["n", "y"] * 10).save(path)
    return path.read_bytes()


def refusal(tmp_path, data):
    path = tmp_path / "model"
    path.write_bytes(data)
    with pytest.raises(ModelFileError) as caught:
        moodcore.load(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"kind": "category"', '"kind": "catogery"', "must hold numbers or categories of text"),
        ('["cook", "nurse"]', '["cook", "cook"]', "the categories of a column must differ"),
        ('["cook", "nurse"]', '["cook", 3]', "must hold numbers or categories of text"),
        ('"kind": "numeric"', '"kind": "natiev"', "kind must be 'numeric' or 'native'"),
        ('["No", "Yes"]', '["No"]', "class_names: 1 for 2 classes"),
        ('"name": "job"', '"name": "age"', "columns must have different names"),
        ('"columns": [', '"columns": [{}, ', "shape"),
        ('"columns": null', '"columns": 7', "columns must be names or null, got 7"),
    ],
)
def test_changed_text(raw, tmp_path, before, after, message):
    text = text_of(raw)
    assert before in text
    assert message in refusal(tmp_path, with_text(raw, text.replace(before, after, 1)))


@pytest.mark.parametrize(("name", "value"), [("scale", 0.0), ("median", float("nan"))])
def test_changed_numbers(raw, tmp_path, name, value):
    arrays = load(raw)
    (full,) = [key for key in arrays if key.endswith(f".{name}")]
    arrays[full] = arrays[full].copy()
    arrays[full][0] = value
    assert refusal(tmp_path, rewritten(raw, arrays))


def test_a_table_pipeline_ends_in_a_classifier(raw, tmp_path):
    model = pipeline(GBT(1)).fit(pd.DataFrame({"a": [1.0, 2.0] * 10}), [0, 1] * 10)
    model.steps = model.steps[:1]
    path = tmp_path / "model"
    model.save(path)
    with pytest.raises(ModelFileError, match="the last step must be a class"):
        moodcore.load(path)
