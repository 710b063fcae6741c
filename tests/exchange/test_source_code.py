"""Generated C and Rust, compiled with all warnings as errors, predict as the model does."""

import shutil
import subprocess

import numpy as np
import pytest
from model_kinds import CLASSIFIERS, C, compiled, scores_of, song_model

from moodcore import GBT, SVM, exchange
from moodcore.exchange.source_code import c_number, quoted, rust_number


@pytest.mark.parametrize("language", ["c", "rs"])
@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_labels_and_scores_of_song_pipelines(kind, language, song_rows, tmp_path):
    for n_classes in (4, 2):
        model = song_model(kind, song_rows, n_classes)
        new = song_rows[2][list(model.feature_names_in_)]
        expected = scores_of(model, new)
        folder = tmp_path / str(n_classes)
        folder.mkdir()
        codes, scores = compiled(model, folder, language)(new, expected.shape[1])
        assert (model.classes_[codes] == model.predict(new)).all()
        # SVM decision values are sums in single precision; those of the exported code are not.
        is_svm = isinstance(model[-1].estimator_, SVM)
        tolerance = {"rtol": 1e-5, "atol": 1e-4} if is_svm else {"rtol": 0, "atol": 1e-6}
        np.testing.assert_allclose(scores, expected, **tolerance)


@pytest.mark.parametrize("language", ["c", "rs"])
def test_decisions_of_machines_are_sums_of_double_precision(language, song_rows, tmp_path):
    model = song_model("rbf", song_rows, 2)
    new = song_rows[2][list(model.feature_names_in_)]
    _, scores = compiled(model, tmp_path, language)(new, 1)
    svm = model[-1].estimator_
    rows, vectors = (
        values.astype(np.float32).astype(np.float64)
        for values in (model[:-1].transform(new), svm.support_vectors_)
    )
    distances = ((rows[:, np.newaxis] - vectors) ** 2).sum(axis=2)
    values = np.exp(-svm.core_model_.gamma * distances) @ svm.dual_coef_[0] + svm.intercept_
    np.testing.assert_allclose(scores[:, 0], values, rtol=0, atol=1e-11)


@pytest.mark.parametrize("language", ["c", "rs"])
def test_trees_with_gaps_and_categories_to_the_last_bits(language, mixed_table, table, tmp_path):
    for number, (X, y, new) in enumerate((mixed_table, table)):
        model = GBT(15, random_state=0).fit(X, y)
        if number == 1:
            arrays = model.core_model_.arrays()
            cuts = np.split(arrays["bin_values"], arrays["bin_offsets"][1:-1])
            new = np.concatenate([new, np.stack([np.resize(own, 400) for own in cuts], axis=1)])
        rows = new
        if number == 0:
            rows = new.copy()
            for name, labels in zip(
                ("mood", "key"), model.table_schema_.categories[2:], strict=True
            ):
                known = {label: float(code) for code, label in enumerate(labels)}
                rows[name] = [known.get(label, np.nan) for label in new[name]]
            rows = rows.to_numpy(dtype=np.float64)
        expected = model.predict_proba(new)
        folder = tmp_path / str(number)
        folder.mkdir()
        codes, scores = compiled(model, folder, language)(rows, expected.shape[1])
        assert (model.classes_[codes] == model.predict(new)).all()
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("language", ["c", "rs"])
def test_a_value_for_missing_and_a_single_class(language, tmp_path):
    rng = np.random.default_rng(2)
    X = rng.integers(0, 9, size=(400, 2)).astype(float)
    X[rng.random(X.shape) < 0.1] = -1
    many = GBT(5, min_child_samples=2, missing=-1.0).fit(X, X[:, 0] > 4)
    codes, scores = compiled(many, tmp_path, language)(X, 2)
    assert (many.classes_[codes] == many.predict(X)).all()
    np.testing.assert_allclose(scores, many.predict_proba(X), rtol=0, atol=1e-14)
    folder = tmp_path / "one"
    folder.mkdir()
    one = GBT(5).fit(X, np.zeros(400))
    codes, scores = compiled(one, folder, language)(X[:3], 1)
    assert codes.tolist() == [0, 0, 0] and scores.tolist() == [[1.0]] * 3


def test_the_header_declares_and_defines_once(tmp_path):
    model = GBT(2, min_child_samples=1).fit([[0.0], [1.0]], ["no", "yes"])
    exchange.export(model, tmp_path / "mood 1.h")
    exchange.export(model, tmp_path / "mood.c")
    main = tmp_path / "main.c"
    main.write_text(
        '#include "mood 1.h"\n#define MOOD_1_IMPLEMENTATION\n#include "mood 1.h"\n'
        '#define MOOD_HEADER_ONLY\n#include "mood.c"\n#include <stdio.h>\n'
        "int main(void)\n{\n    double row[1] = {1.0}, p[MOOD_1_N_SCORES];\n"
        "    int code = mood_1_predict(row, p);\n"
        '    printf("%s %d %.17g\\n", mood_1_class_names[code], mood_predict(row, 0), p[1]);\n'
        "    return 0;\n}\n"
    )
    if shutil.which("cc") is None:
        pytest.skip("there is no cc")
    flags = [flag for flag in C[1:] if flag not in ("-shared", "-fPIC")]
    command = ["cc", *flags, "-o", tmp_path / "main", main, tmp_path / "mood.c", "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    output = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["yes", "1", f"{model.predict_proba([[1.0]])[0, 1]:.17g}"]


def test_nothing_but_math_h_is_used(song_rows, tmp_path):
    for kind in ("network", "trees", "calibrated"):
        exchange.export(song_model(kind, song_rows), tmp_path / "model.c")
        text = (tmp_path / "model.c").read_text()
        assert [line for line in text.splitlines() if line.startswith("#include")] == [
            "#include <math.h>"
        ]
        assert "alloc" not in text.partition("#include")[2]


def test_numbers_and_texts_as_the_languages_write_them():
    assert [c_number(value) for value in (0.1, 3, np.inf, -np.inf, np.nan)] == [
        "0.1", "3", "INFINITY", "-INFINITY", "NAN"
    ]  # fmt: skip
    assert [rust_number(value) for value in (1e300, -np.inf, np.nan)] == [
        "1e+300", "f64::NEG_INFINITY", "f64::NAN"
    ]  # fmt: skip
    assert quoted('a "b" ??/ \\') == r'"a \"b\" \x3f?/ \\"'


def test_hostile_names_stay_in_comments_and_texts(tmp_path):
    import pandas as pd

    X = pd.DataFrame({'*/ int x; "\\': [0.0, 1.0] * 30, "b\n*/": ["*/", "??/"] * 30})
    model = GBT(2, min_child_samples=1).fit(X, np.array(['"', "*/\\"])[[0, 1] * 30])
    for language in ("c", "rs"):
        codes, _ = compiled(model, tmp_path, language)([[0.0, 0.0], [1.0, 1.0]], 2)
        assert codes.tolist() == [0, 1]
