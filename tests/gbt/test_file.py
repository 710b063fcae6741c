"""Trees in model files: what is saved comes back to the bit, and no forged array does harm."""

import hashlib
import json
import struct

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moodcore import GBT, _core, load, songs
from moodcore.model_files.container import ModelFileError, save


@pytest.fixture(scope="module")
def frame():
    """Numbers, infinite ones among them, and letters."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 2))
    values[::7, 0], values[::11, 1] = -np.inf, np.nan
    letters = pd.Categorical(rng.choice(["a", "", "\N{BLACK STAR}", "b c"], 300))
    return pd.DataFrame(values, columns=["x", "y"]).assign(letter=letters)


@pytest.fixture(scope="module")
def y(frame):
    return (frame["x"].to_numpy() > 0).astype(int) + np.isin(frame["letter"], ["a", "b c"])


MODELS = {
    "three classes": ({}, np.array([3, 5, 9])),
    "two classes": ({"monotone_constraints": {"x": 1}}, np.array(["no", "yes", "yes"])),
    "one class": ({}, np.array(["only"] * 3, dtype=object)),
    "vector leaves": ({"multi_strategy": "multi_output_tree"}, np.array([-1.0, 0.0, 2.0])),
    "stopped early": (
        {"early_stopping_rounds": 2, "learning_rate": 0.9, "eval_metric": ["error", "logloss"]},
        np.arange(3),
    ),
    "many options": (
        {
            "boosting": {"kind": "dart", "drop_rate": 0.5},
            "base_score": [0.2, 0.3, 0.5],
            "class_weight": {0: 1.0, 1: 2.0, 2: 0.5},
            "interaction_constraints": [["x", "letter"], ("y",)],
            "monotone_constraints": {0: {"x": -1}, 2: np.array([1, 0, 0])},
            "max_depth": np.int64(3),
            "missing": -1.0,
        },
        np.arange(3),
    ),
}


@pytest.mark.parametrize(("params", "labels"), MODELS.values(), ids=MODELS)
def test_round_trip(params, labels, frame, y, tmp_path):
    model = GBT(12, max_leaves=6, random_state=0, **params).fit(frame, labels[y])
    model.save(tmp_path / "one", provenance={"seed": 0})
    again = load(tmp_path / "one")
    save(again, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "one").read_bytes()
    assert again.predict_proba(frame).tobytes() == model.predict_proba(frame).tobytes()
    assert again.predict(frame).tolist() == model.predict(frame).tolist()
    contributions = (trees.predict_contributions(frame[:20]) for trees in (again, model))
    assert next(contributions).tobytes() == next(contributions).tobytes()
    for name in ("best_iteration_", "best_score_", "evals_result_", "n_iter_", "n_trees_"):
        assert getattr(again, name) == getattr(model, name), name
    assert again.feature_names_in_.tolist() == ["x", "y", "letter"]
    # Training continues as it would have.
    more = GBT(3, random_state=0, multi_strategy=model.multi_strategy)
    dumps = [more.fit(frame, labels[y], init_model=trees).dump() for trees in (model, again)]
    assert dumps[0] == dumps[1]


def test_parts_of_pipelines(tmp_path):
    X, y = songs.synthesize(300, random_state=0)
    for model in (
        make_pipeline(StandardScaler(), GBT(3)),
        songs.pipeline(GBT(3), balance=True, random_state=0),
    ):
        model.fit(X, y)
        save(model, tmp_path / "model")
        again = load(tmp_path / "model")
        assert again.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()


def test_what_cannot_be_saved(frame, y, tmp_path):
    days = frame.assign(letter=pd.Categorical(pd.to_datetime(["2020-01-01"] * 300)))
    with pytest.raises(TypeError, match="class labels must be text or numbers"):
        GBT(2).fit(days, y).save(tmp_path / "model")
    # Callables stay behind.
    model = GBT(2, callbacks=[print], eval_metric=[max], objective=None, verbose=0)
    model.set_params(callbacks=[lambda record: None]).fit(frame, y).save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.callbacks is None and again.eval_metric is None


@pytest.fixture(scope="module")
def arrays(frame, y):
    return GBT(4, max_leaves=6, random_state=0).fit(frame, y).core_model_.arrays()


def put(name, place, value):
    """A change of one value of an array."""

    def change(arrays):
        values = arrays[name].copy()
        values[place] = value
        return {name: values}

    return change


FORGED = {
    "no array": (lambda a: {"left": None}, "left"),
    "other type": (lambda a: {"left": a["left"].astype("i8")}, "left must be a one-dimensional"),
    "too short": (lambda a: {"gain": a["gain"][:-1]}, "gain must hold"),
    "a matrix": (lambda a: {"bin": a["bin"][None]}, "bin must be a one-dimensional"),
    "a child before its parent": (put("left", 0, 0), "children must come after it, got 0"),
    "a child beyond": (put("right", 0, 2**32 - 1), "children must come after it"),
    "two parents": (lambda a: {"left": a["right"]}, "one way to each other node"),
    "no such feature": (put("feature", 0, 99), "no feature 99"),
    "negative feature": (put("feature", 0, -2), "no feature -2"),
    "not finite": (put("value", 3, np.nan), "value must be finite, got NaN at 3"),
    "infinite base": (put("base", 0, np.inf), "base must be finite"),
    "no base": (lambda a: {"base": a["base"][:0]}, "trees_per_round must be"),
    "more outputs": (lambda a: {"base": np.zeros(4)}, "trees_per_round must be"),
    "no rounds": (put("trees_per_round", 0, 0), "trees_per_round must be"),
    "other outputs": (put("tree_output", 0, 1), "tree_output must be the tree's place"),
    "huge output": (put("tree_output", 0, 2**31 - 1), "tree_output must be the tree's place"),
    "vector leaves": (put("tree_output", 0, -1), "tree_output must be the tree's place"),
    "falling offsets": (put("tree_offsets", 1, 2**31), "tree_offsets must rise from 0"),
    "offsets from one": (put("bin_offsets", 0, 1), "bin_offsets must rise from 0"),
    "an empty tree": (put("tree_offsets", 1, 0), "tree 0 must have a root"),
    "no whole round": (
        lambda a: {"tree_offsets": a["tree_offsets"][:-1]},
        "no whole rounds|must hold",
    ),
    "unordered cuts": (lambda a: {"bin_values": a["bin_values"][::-1].copy()}, "ascending"),
    "cuts that are NaN": (put("bin_values", 3, np.nan), "ascending"),
    "sets of another width": (lambda a: {"sets": a["sets"][:, :2].copy()}, "four columns"),
    "no sets": (lambda a: {"sets": a["sets"][:0]}, "no set of categories"),
    "more values": (lambda a: {"value": np.r_[a["value"], 0.0]}, "1 numbers that no node has"),
    "fewer values": (lambda a: {"value": a["value"][:-1]}, "value must hold 1 numbers for each"),
    "no categories": (lambda a: {"categorical": np.zeros(3, np.uint8)}, "has no bin .* set|ascend"),
}


@pytest.mark.parametrize(("change", "says"), FORGED.values(), ids=FORGED)
def test_forged_arrays_are_refused(change, says, arrays):
    forged = {name: array for name, array in (arrays | change(arrays)).items() if array is not None}
    with pytest.raises(ValueError, match=says):
        _core.GbtModel(forged)


def test_forged_arrays_do_no_harm(arrays, frame):
    """Whatever passes the checks predicts something: no value of one byte breaks the core."""
    rng = np.random.default_rng(0)
    table = [frame["x"].to_numpy(), frame["y"].to_numpy(), np.arange(300.0) % 6]
    isa, passed = _core.instruction_sets()[0], 0
    for _ in range(2000):
        name = rng.choice(list(arrays))
        raw = bytearray(arrays[name].tobytes())
        raw[rng.integers(len(raw))] = rng.integers(256)
        values = np.frombuffer(bytes(raw), arrays[name].dtype).reshape(arrays[name].shape)
        try:
            model = _core.GbtModel(arrays | {name: values})
        except ValueError:
            continue
        passed += 1
        model.margins(table, instructions=isa)
        model.leaves(table, instructions=isa)
        model.contributions([column[:5] for column in table], instructions=isa)
        assert _core.GbtModel(model.arrays()).arrays().keys() == arrays.keys()
    assert 100 < passed < 1900


def changed(raw, keys, value):
    """The file with another value in its description, and nothing else wrong."""
    (length,) = struct.unpack("<Q", raw[:8])
    told = json.loads(raw[8 : 8 + length])["__metadata__"]["moodcore"].split("\n", 1)[1]
    found = place = json.loads(told)
    *way, last = keys.split(".")
    for key in way:
        place = place[key]
    place[last] = value
    text, arrays = json.dumps(found), safetensors.numpy.load(raw)
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode() + array.tobytes())
    return safetensors.numpy.save(arrays, metadata={"moodcore": f"{digest.hexdigest()}\n{text}"})


LIES = [
    ("model.params.foo", 1),
    ("model.params.learning_rate", -1),
    ("model.params.missing", [1]),
    ("model.params.boosting", "bart"),
    ("model.n_features", 4),
    ("model.n_features", -1),
    ("model.classes.values", [0, 1]),
    ("model.classes.values", [2, 1, 0]),
    ("model.missing", None),
    ("model.categories", []),
    ("model.categories", [{"dtype": "object", "values": ["a"]}] * 3),
    ("model.categories", [None, None, {"dtype": "<U90000000", "values": ["a"]}]),
    ("model.categories", [None, None, {"dtype": "object", "values": ["a", "a"]}]),
    ("model.history", [["lost", ["logloss"]]]),
    ("model.best_iteration", 4),
    ("model.best_iteration", -1),
    ("model.best_score", {"float": "much"}),
    ("model.seed", 2**64),
    ("model.eval_metric", "rmse"),
]


@pytest.mark.parametrize(("keys", "value"), LIES)
def test_lies_in_the_description(keys, value, frame, y, tmp_path):
    path = tmp_path / "model"
    GBT(4, max_leaves=6).fit(frame, y).save(path)
    raw = path.read_bytes()
    path.write_bytes(changed(raw, "model.seed", 7))
    assert load(path).seed_ == 7
    path.write_bytes(changed(raw, keys, value))
    with pytest.raises(ModelFileError, match="the header does not describe a model"):
        load(path)


@pytest.mark.parametrize("groups", [[{0, 1}, frozenset({2})], [range(2)], "pairwise"])
def test_interaction_constraints_of_any_form_are_saved(groups, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    model = GBT(5, interaction_constraints=groups).fit(X, X[:, 0] > X[:, 1])
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    refitted = again.fit(X, X[:, 0] > X[:, 1])
    np.testing.assert_array_equal(refitted.predict_proba(X), model.predict_proba(X))


def chain(n_tests, n_features):
    """Arrays of a model of one tree that is a chain of tests with a leaf beside each."""
    at = np.arange(n_tests)
    n_nodes = 2 * n_tests + 1
    nodes = {"feature": np.full(n_nodes, -1, "i4"), "value": 1.0 + np.arange(n_nodes) % 7}
    nodes |= {name: np.full(n_nodes, 2**32 - 1, "u4") for name in ("left", "right")}
    nodes["feature"][2 * at] = at % n_features
    nodes["left"][2 * at], nodes["right"][2 * at] = 2 * at + 2, 2 * at + 1
    model = GBT(1, max_leaves=2).fit(np.tile([-1.0, 1.0], (n_features, 20)).T, [0, 1] * 20)
    arrays = model.core_model_.arrays()
    for name in ("bin", "missing_left", "gain", "cover", "weight", "category_set"):
        fill = {"category_set": -1, "cover": 1, "weight": 1}.get(name, 0)
        nodes[name] = np.full(n_nodes, fill, arrays[name].dtype)
    return arrays | nodes | {"tree_offsets": np.array([0, n_nodes], arrays["tree_offsets"].dtype)}


def test_a_chain_of_a_hundred_thousand_nodes_is_explained():
    model, isa = _core.GbtModel(chain(50_000, 3)), _core.instruction_sets()[0]
    table = [np.array([1.0, -1.0, column % 2]) for column in range(3)]
    contributions = model.contributions(table, instructions=isa)
    np.testing.assert_allclose(contributions.sum(axis=2), model.margins(table, instructions=isa))


def test_a_chain_of_too_many_features_is_refused():
    model, isa = _core.GbtModel(chain(1025, 1025)), _core.instruction_sets()[0]
    with pytest.raises(ValueError, match="at most 1024 features on the way to a leaf"):
        model.contributions([np.zeros(1)] * 1025, instructions=isa)
