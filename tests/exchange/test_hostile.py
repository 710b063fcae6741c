"""Damaged files of other programs: a clear error or a model that works, never anything else."""

import copy
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from moodcore import GBT, SVM, ModelFileError, exchange, load
from moodcore.exchange import xgboost_ubjson
from moodcore.exchange.libsvm_text import write_libsvm
from moodcore.exchange.xgboost_ubjson import convert
from moodcore.exchange.xgboost_writer import write_xgboost

LIGHTGBM = b"""tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=binary sigmoid:1
feature_names=energy tempo
feature_infos=[0:1] 0:1:2
tree_sizes=1 1

Tree=0
num_leaves=3
num_cat=1
split_feature=0 1
split_gain=5 4
threshold=0.5 0
decision_type=10 1
left_child=-1 -2
right_child=1 -3
cat_boundaries=0 1
cat_threshold=5
leaf_value=0.1 -0.2 0.3
leaf_weight=1 2 3
leaf_count=4 5 6
internal_value=0 0
internal_weight=6 5
internal_count=15 11
is_linear=0
shrinkage=1


Tree=1
num_leaves=1
num_cat=0
leaf_value=0.25
is_linear=0
shrinkage=1


end of trees
"""


def models():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
    X[::5, 1] = np.nan
    trees = GBT(2, max_leaves=4, min_child_samples=2).fit(X, y)
    svm = SVM(probability=True, random_state=0).fit(np.nan_to_num(X), y)
    return {
        "json": write_xgboost(trees),
        "txt": LIGHTGBM,
        "model": write_libsvm(svm),
    }


FILES = models()


@pytest.fixture(scope="module")
def ubjson():
    pytest.importorskip("xgboost")
    return convert(FILES["json"], to="ubj")


def read(data, folder):
    """Load bytes: the model must predict, and only a `ModelFileError` may be raised."""
    path = Path(folder) / "file"
    path.write_bytes(data)
    try:
        model = exchange.load(path)
    except ModelFileError as error:
        assert str(path) in str(error)
        return None
    rows = np.repeat([[0.5], [1.0], [2.0]], model.n_features_in_, axis=1)
    if hasattr(model, "feature_names_in_"):
        rows = pd.DataFrame(rows, columns=model.feature_names_in_)
    scores = model.decision_function(rows)
    assert model.predict(rows).shape == (3,)
    return scores


@pytest.mark.parametrize("name", FILES)
def test_whole_files_are_read(name, tmp_path):
    assert np.isfinite(read(FILES[name], tmp_path)).all()


@pytest.mark.parametrize("name", FILES)
def test_the_reader_of_our_own_files_names_the_other(name, tmp_path):
    (tmp_path / "file").write_bytes(FILES[name])
    with pytest.raises(ModelFileError, match=r"are read by moodcore\.exchange\.load"):
        load(tmp_path / "file")


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_refused(name, tmp_path):
    data = FILES[name].rstrip()
    for length in range(0, len(data) - 1, max(1, len(data) // 60)):
        assert read(data[:length], tmp_path) is None, length


@st.composite
def mutations(draw):
    """Bytes of a file changed, put in, taken out, or repeated; numbers made others."""
    name = draw(st.sampled_from(sorted(FILES)))
    data = bytearray(FILES[name])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        kind = draw(st.sampled_from(["flip", "cut", "repeat", "number", "insert"]))
        length = draw(st.integers(1, 40))
        if kind == "flip":
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del data[at : at + length]
        elif kind == "repeat":
            data[at:at] = data[at : at + length]
        elif kind == "insert":
            data[at:at] = draw(st.binary(max_size=8))
        else:
            words = [
                b"-1",
                b"99999999999",
                b"nan",
                b"inf",
                b"1e999",
                b"0",
                b"2147483648",
                b"{",
                b"[",
            ]
            data[at : at + draw(st.integers(0, 3))] = draw(st.sampled_from(words))
        if not data:
            break
    return bytes(data)


@given(data=mutations())
@example(data=b"")
@example(data=b"{")
@example(data=b"{" + b"[" * 5000)
@example(data=b'{"a":' + b"[" * 100_000)
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_mutated_files(data, tmp_path):
    tracemalloc.start()
    try:
        with np.errstate(all="ignore"):
            read(data, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


ODD = [
    None,
    True,
    -1,
    3,
    2**31,
    2**70,
    1e308,
    float("nan"),
    "",
    "x",
    "1000000",
    [],
    {},
    [[1]],
    [None],
]


@st.composite
def odd_documents(draw):
    """XGBoost's document with one or two of its values replaced."""
    document = json.loads(FILES["json"])
    for _ in range(draw(st.integers(1, 2))):
        place = document
        while True:
            keys = sorted(place) if isinstance(place, dict) else range(len(place))
            key = draw(st.sampled_from(list(keys)))
            deeper = isinstance(place[key], dict | list) and len(place[key]) > 0
            if not deeper or draw(st.integers(0, 5)) == 0:
                break
            place = place[key]
        place[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
        if not isinstance(document.get("learner"), dict) or not document["learner"]:
            break
    return document


@given(document=odd_documents())
@settings(
    max_examples=70,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_documents_with_odd_values(document, tmp_path):
    data = json.dumps(document).encode()
    tracemalloc.start()
    try:
        with np.errstate(all="ignore"):
            read(data, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def tree_of(document):
    return document["learner"]["gradient_booster"]["model"]["trees"][0]


def set_in(name, at, value):
    def change(document):
        tree_of(document)[name][at] = value

    return change


def params(name, value):
    return lambda document: document["learner"]["learner_model_param"].update({name: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_in("left_children", 0, 0), "tree 0: node 0 has two parents"),
        (set_in("right_children", 0, 1), "tree 0: node 1 has two parents"),
        (set_in("right_children", 0, 99), "tree 0: children of node 0 must be nodes 0 to"),
        (set_in("left_children", 0, -7), "tree 0: children of node 0 must be nodes 0 to"),
        (set_in("split_indices", 0, 2), "tree 0: there is no feature 2: features are 0 to 1"),
        (set_in("split_indices", 0, -1), "tree 0: node 0 must compare a feature with a number"),
        (set_in("split_conditions", 0, float("nan")), "tree 0: node 0 must compare"),
        (set_in("split_conditions", -1, float("inf")), "tree 0: value must be finite, got inf"),
        (set_in("sum_hessian", 0, float("nan")), "tree 0: cover must be finite, got nan"),
        (set_in("split_type", 0, 1), "tree 0: node 0 splits by category"),
        (set_in("left_children", 0, 1.5), "tree 0: left_children must be integers"),
        (set_in("left_children", 0, "1"), "tree 0: left_children must be a list of numbers"),
        (lambda d: tree_of(d)["parents"].clear() or tree_of(d)["right_children"].pop(),
         "tree 0: right_children must have"),
        (lambda d: tree_of(d).pop("default_left"), "default_left must be a list of numbers"),
        (lambda d: d["learner"]["gradient_booster"]["model"]["tree_info"].pop(), "tree_info must"),
        (lambda d: d["learner"]["gradient_booster"]["model"]["trees"].pop(), "tree_info must have"),
        (lambda d: d["learner"]["gradient_booster"]["model"].update(tree_info=[0] * 6),
         "each class must have as many trees, got"),
        (lambda d: d["learner"].pop("objective"), "the object objective is missing"),
        (params("num_class", "5000000000"), "objective must be one of"),
        (params("num_feature", "99999999999"), "num_feature must be 1 to"),
        (params("num_feature", "x"), "num_feature must be an integer, got 'x'"),
        (params("base_score", "[1,2]"), "base_score must be 1 or 3 numbers"),
        (params("base_score", "NaN"), "base_score must be 1 or 3 numbers"),
        (lambda d: d["learner"]["attributes"].update(best_iteration="7"), "best_iteration 7"),
        (lambda d: d["learner"]["attributes"].update(moodcore_classes="[]"), "class labels"),
        (lambda d: d["learner"].update(feature_names=["a"]), "feature_names must be 2 names"),
    ],
)  # fmt: skip
def test_the_error_says_where(change, message, tmp_path):
    document = json.loads(FILES["json"])
    change(document)
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match=r"bad\.json") as caught:
        exchange.load(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"left_child=-1 -2", b"left_child=0 -2", "tree 0: node 0 has two parents"),
        (b"right_child=1 -3", b"right_child=1 -9", "tree 0: children must be splits 0 to 1"),
        (b"right_child=1 -3", b"right_child=1", "tree 0: right_child must have 2 numbers, got 1"),
        (b"split_feature=0 1", b"split_feature=0 7", "tree 0: there is no feature 7"),
        (b"threshold=0.5 0", b"threshold=nan 0", "tree 0: threshold must be numbers, got nan"),
        (b"threshold=0.5 0", b"threshold=0.5 4", "tree 0: split 1 names categories 4.0 of 1"),
        (b"cat_boundaries=0 1", b"cat_boundaries=0 8", "cat_boundaries must rise"),
        (b"leaf_value=0.1 -0.2 0.3", b"leaf_value=0.1 inf 0.3", "value must be finite, got inf"),
        (b"num_leaves=3", b"num_leaves=300000000", "num_leaves is 300000000, but leaf_value has 3"),
        (b"decision_type=10 1", b"decision_type=14 1", "decision_type 14 is unknown"),
        (b"Tree=1", b"Tree=7", "Tree=1 is expected"),
        (b"shrinkage=1\n", b"shrinkage=1\nshrinkage=1\n", "shrinkage appears twice"),
        (b"end of trees", b"", '"end of trees" is missing'),
        (b"tree_sizes=1 1", b"tree_sizes=1", "tree_sizes lists 1 trees, the file has 2"),
        (b"max_feature_idx=1", b"max_feature_idx=999999999", "max_feature_idx must be below"),
        (b"sigmoid:1", b"sigmoid:0", "sigmoid must be above 0"),
        (b"version=v4", b"version=v9", "version must be v3 or v4, got 'v9'"),
        (b"decision_type=10 1", b"decision_type=4 8", "zero counts as missing in some splits"),
    ],
)
def test_the_error_of_a_lightgbm_file_says_where(old, new, message, tmp_path):
    assert old in LIGHTGBM
    path = tmp_path / "bad.txt"
    path.write_bytes(LIGHTGBM.replace(old, new, 1))
    with pytest.raises(ModelFileError) as caught:
        exchange.load(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("start", "line", "message"),
    [
        ("nr_class", "nr_class 100000", "nr_class must be 2 to"),
        ("total_sv", "total_sv 5", "nr_sv must be 3 counts of 5 in all"),
        ("rho", "rho 1 2", "rho must have 3 numbers, got 2"),
        ("rho", "rho 1 2 inf", "rho must be finite"),
        ("label", "label 1 1 2", "label must be 3 different numbers"),
        ("nr_sv", "nr_sv 1 -1 2", "nr_sv must be 3 counts"),
        ("gamma", "gamma -1", "gamma must be at least 0"),
        ("gamma", "", "the line gamma is missing"),
        ("probB", "probB 1", "probB must have 3 numbers, got 1"),
        ("kernel_type", "kernel_type precomputed", "kernel_type must be one of"),
        ("vector", "1 2 1:1 1:2", "columns must ascend from 1"),
        ("vector", "1 2 99999999999:1", "columns must ascend from 1"),
        ("vector", "1 2 16000000:1", "columns do not fit"),
        ("vector", "1 2 0:1", "columns must ascend from 1"),
        ("vector", "1 2 1:x", "a value must be a number, got 'x'"),
        ("vector", "1 2 1:1e60", "must be in the range of float32"),
        ("vector", "1", "a vector begins with 2 coefficients, got 1"),
        ("vector", "1 2 nonsense", "values must be written as column:value"),
    ],
)
def test_the_error_of_a_libsvm_file_says_where(start, line, message, tmp_path):
    lines = FILES["model"].decode().splitlines()
    own = [number for number, one in enumerate(lines) if one.startswith(start)]
    at = lines.index("SV") + 2 if start == "vector" else own[0]
    lines[at] = line
    path = tmp_path / "bad.model"
    path.write_text("\n".join([*lines, ""]))
    with pytest.raises(ModelFileError) as caught:
        exchange.load(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:1],
        # These counts crash XGBoost's parser, or have it ask for more memory than there is.
        lambda data: data.replace(b"left_children[$l#L\0", b"left_children[$l#L\x7f", 1),
        lambda data: data.replace(b"trees[#L\0\0\0", b"trees[#L\0\0\1", 1),
        lambda data: b"{L\x7f\xff\xff\xff\xff\xff\xff\xff",
        lambda data: b"{" + b"[" * 100_000,
    ],
)
def test_damaged_ubjson_is_refused(damage, ubjson, tmp_path):
    damaged = damage(ubjson)
    assert damaged != ubjson
    path = tmp_path / "bad.ubj"
    path.write_bytes(damaged)
    with pytest.raises(ModelFileError, match=r"bad\.ubj: XGBoost, UBJSON: the package xgboost"):
        exchange.load(path, format="xgboost-ubjson")


def test_what_xgboost_parses_is_checked_as_json_is(tmp_path, monkeypatch):
    document = json.loads(FILES["json"])
    tree_of(document)["left_children"][0] = 0
    monkeypatch.setattr(xgboost_ubjson, "convert", lambda data, to: json.dumps(document).encode())
    (tmp_path / "bad.ubj").write_bytes(b"{L")
    with pytest.raises(ModelFileError, match="tree 0: node 0 has two parents"):
        exchange.load(tmp_path / "bad.ubj")
