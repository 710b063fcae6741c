"""`moodcore export` from model to other formats and back."""

import numpy as np
import pytest

from moodcore import GBT, SVM, exchange, load, songs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Song pipelines, and an SVM without a pipeline."""
    path = tmp_path_factory.mktemp("export")
    X, y = songs.synthesize(500, random_state=0)
    for name, classifier in (("trees", GBT(5, random_state=0)), ("svm", SVM())):
        model = songs.pipeline(classifier, balance=True, random_state=0).fit(X, y)
        model.save(path / f"{name}.safetensors")
    return path


@pytest.mark.parametrize("ending", ["onnx", "json", "ubj", "c", "h", "rs", "safetensors"])
def test_the_ending_says_the_format(ending, folder, moodcore):
    out = folder / f"new.{ending}"
    done = moodcore("export", folder / "trees.safetensors", out)
    assert done.code == 0, done.err
    assert done.out == ""
    assert str(out) in done.err and out.stat().st_size > 500


def test_the_output_is_an_argument_or_an_option(folder, moodcore):
    model = folder / "trees.safetensors"
    assert moodcore("export", model, folder / "argument.json").code == 0
    assert moodcore("export", model, "-o", folder / "option.json").code == 0
    assert (folder / "option.json").read_bytes() == (folder / "argument.json").read_bytes()
    done = moodcore("export", model, folder / "both.json", "--out", folder / "other.json")
    assert done.code == 2 and "OUTPUT and --out are the same" in done.err
    done = moodcore("export", model)
    assert done.code == 2 and "Missing argument 'OUTPUT'" in done.err


def test_models_of_others_become_ours(folder, moodcore):
    assert moodcore("export", folder / "trees.safetensors", folder / "trees.json").code == 0
    done = moodcore("export", folder / "trees.json", folder / "again.safetensors")
    assert done.code == 0, done.err
    X, _ = songs.synthesize(50, random_state=1)
    model, again = load(folder / "trees.safetensors"), load(folder / "again.safetensors")
    X = X[list(again.feature_names_in_)]
    np.testing.assert_allclose(again.predict_proba(X), model.predict_proba(X), rtol=0, atol=1e-6)
    assert again.provenance_["format"] == "xgboost-json"


def test_an_svm_without_a_pipeline(folder, moodcore):
    done = moodcore("export", folder / "svm.safetensors", folder / "m.model")
    assert done.code == 2
    assert "--classifier-only" in done.err
    done = moodcore("export", folder / "svm.safetensors", folder / "m.model",
                    "--classifier-only")  # fmt: skip
    assert done.code == 0, done.err
    assert exchange.load(folder / "m.model").n_features_in_ == 7


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["trees.safetensors", "x.pmml"], "the ending must be one of"),
        (["trees.safetensors", "x", "--format", "onx"], "did you mean 'onnx'?"),
        (["trees.safetensors", "x", "--format", "lightgbm"], "lightgbm is not written"),
        (["svm.safetensors", "x.json"], "only a GBT can be written in XGBoost's format, got SVM"),
        (["trees.safetensors", "x.model"], "only an SVM can be written as a libsvm model, got GBT"),
        (
            ["trees.safetensors", "x.c", "--inputs", "columns"],
            "inputs is an option for ONNX only, not for c",
        ),
        (["trees.safetensors", "x.rs", "--dtype", "float32"], "dtype is an option for onnx"),
        (["none.safetensors", "x.c"], "none.safetensors"),
        (["readme", "x.c"], "none of the supported formats"),
        (["damaged.json", "x.c"], "damaged.json: XGBoost, JSON"),
    ],
)
def test_what_cannot_be_done_is_said(arguments, told, folder, moodcore):
    (folder / "readme").write_text("not a model")
    (folder / "damaged.json").write_text('{"learner": {}}')
    model, output, *options = arguments
    done = moodcore("export", folder / model, folder / output, *options)
    assert done.code == 2
    assert told in done.err
    assert "Traceback" not in done.err
    assert not (folder / output).exists()
