"""Every type of label survives an export exactly, or is refused by name."""

import numpy as np
import pytest
from model_kinds import C

from moodcore import GBT, SVM, ModelFileError, exchange, load
from moodcore.exchange.source_code import quoted

TEXTS = ["a", "\u00e4\u200b", "b\tc", "\U0001f600", "x\\u00e4"]
LABELS = {
    "bool": np.array([False, True]),
    "int8": np.array([-3, 100], dtype=np.int8),
    "int64": np.array([-(2**63), 2**63 - 1]),
    "uint8": np.array([0, 255], dtype=np.uint8),
    "uint64": np.array([0, 2**64 - 1], dtype=np.uint64),
    "float16": np.array([-1.0, 2.0], dtype=np.float16),
    "float64": np.array([1.0, 3e9]),
    "longdouble": np.array([1.0, 2.0], dtype=np.longdouble),
    "text": np.array(TEXTS),
    "null": np.array(["a", "a\0b"]),
    "surrogate": np.array(["a", "\ud800"], dtype=object),
    "objects": np.array(TEXTS, dtype=object),
}
# What each format refuses; everything else has to come back equal.
REFUSED = {
    "onnx": {"uint64", "longdouble", "surrogate"},
    "json": {"longdouble"},
    "ubj": {"longdouble"},
    "c": {"null", "surrogate"},
    "rs": {"surrogate"},
    "model": {"int64", "uint64", "float64", "longdouble", "text", "null", "surrogate", "objects"},
    "safetensors": {"longdouble"},
}


@pytest.fixture(params=LABELS, scope="module")
def labelled(request):
    """Labels by name, and rows and labels to train on."""
    classes = np.unique(LABELS[request.param])
    return (
        request.param,
        np.arange(40.0).reshape(-1, 1),
        classes[np.arange(40) * len(classes) // 40],
    )


@pytest.mark.parametrize("ending", REFUSED)
def test_labels_survive_or_are_refused(ending, labelled, tmp_path):
    name, X, y = labelled
    estimator = SVM() if ending == "model" else GBT(2, min_child_samples=1)
    model = estimator.fit(X, y)
    path = tmp_path / f"model.{ending}"
    if ending == "ubj" and name not in ("text", "null", "int64"):
        # The same JSON as ".json", converted by a process that takes seconds.
        return
    if ending in ("onnx", "ubj"):
        pytest.importorskip({"onnx": "onnx", "ubj": "xgboost"}[ending])
    if name in REFUSED[ending]:
        with pytest.raises((TypeError, ValueError), match="label"):
            exchange.export(model, path)
        assert not path.exists()
        return
    exchange.export(model, path)
    if ending in ("c", "rs"):
        source = path.read_text(encoding="utf-8")
        language = "c" if ending == "c" else "rust"
        assert all(quoted(str(label), language) in source for label in model.classes_.tolist())
        return
    if ending == "onnx":
        onnxruntime = pytest.importorskip("onnxruntime")
        session = onnxruntime.InferenceSession(path)
        assert session.run(None, {"X": X})[0].tolist() == y.tolist()
        return
    again = exchange.load(path)
    assert again.classes_.tolist() == model.classes_.tolist()
    assert ending == "model" or again.classes_.dtype.kind in (model.classes_.dtype.kind, "O")


def test_texts_of_source_code_are_read_back(tmp_path):
    import ctypes
    import shutil
    import subprocess

    texts = ["a??/b", "??=", "\x01" + "7", "\u200b\u202e8", '"\\', *TEXTS]
    if shutil.which("cc") is not None:
        listed = ", ".join(map(quoted, texts))
        (tmp_path / "x.c").write_text(f"const char *const texts[] = {{ {listed} }};\n", "utf-8")
        command = [*C, "-o", tmp_path / "x.so", tmp_path / "x.c"]
        subprocess.run(command, check=True)
        found = (ctypes.c_char_p * len(texts)).in_dll(ctypes.CDLL(tmp_path / "x.so"), "texts")
        assert [text.decode() for text in found] == texts
    if shutil.which("rustc") is not None:
        listed = ", ".join(quoted(text, "rust") for text in texts)
        lines = f'fn main() {{ for text in [{listed}] {{ print!("{{text}}\\n\\n"); }} }}'
        (tmp_path / "x.rs").write_text(lines, "utf-8")
        subprocess.run(["rustc", "-Dwarnings", "x.rs"], cwd=tmp_path, check=True)
        output = subprocess.run([tmp_path / "x"], capture_output=True, check=True).stdout
        assert output.decode().split("\n\n")[:-1] == texts


def test_classes_are_no_option_of_our_own_files(tmp_path):
    GBT(2).fit(np.arange(40.0).reshape(-1, 1), np.arange(40) > 20).save(tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="classes is an option for models of other libraries"):
        exchange.load(tmp_path / "x.safetensors", classes=["a", "b"])
    assert load(tmp_path / "x.safetensors").classes_.tolist() == [False, True]
    assert issubclass(ModelFileError, ValueError)
