"""Saved models load with the same bits, and damaged files are refused."""

import pickle
import re
import struct
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy
from parts_of_files import changed, joined, parted, rewritten, text_of, with_text
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

from moodcore import MLP, load, songs
from moodcore.model_files.container import ModelFileError, save
from moodcore.preprocessing import CorrelationFilter


@pytest.fixture(scope="module")
def data():
    return songs.synthesize(300, random_state=0)


def network(*sizes):
    return MLP(sizes, epochs=2, random_state=0)


def song_model(features="published", balance=True):
    return songs.pipeline(network(4), features=features, balance=balance, random_state=0)


@pytest.fixture(scope="module")
def small():
    """A small fitted network."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    return network(4).fit(X, np.arange(60) % 3)


@pytest.fixture(scope="module")
def raw(small, tmp_path_factory):
    """The bytes of its file."""
    path = tmp_path_factory.mktemp("raw") / "model.safetensors"
    save(small, path, provenance={"seed": 0})
    return path.read_bytes()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Where damaged files are put."""
    return tmp_path_factory.mktemp("damaged") / "odd.safetensors"


def assert_comes_back(model, X, folder):
    """The same predictions to the bit; the loaded model is saved as the first one was."""
    save(model, folder / "one")
    again = load(folder / "one")
    save(again, folder / "again")
    assert content_of(folder / "again") == content_of(folder / "one")
    assert type(again) is type(model)
    assert again.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert again.predict(X).dtype == model.predict(X).dtype
    assert again.predict(X).tolist() == model.predict(X).tolist()
    assert again.classes_.tolist() == model.classes_.tolist()
    assert again.n_features_in_ == model.n_features_in_
    return again


LABELS = {
    "integers": np.array([0, 1, 2, 3]),
    "short integers": np.array([-3, 9, 0, 300], dtype=np.int16),
    "text": np.array(songs.LABEL_NAMES),
    "wide text": np.array(list("abcd"), dtype="<U9"),
    "objects": np.array(["é\0", "", "b c", "\N{BLACK STAR}"], dtype=object),
    "booleans": np.array([True, False, False, True]),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("sizes", [(4,), (4, 3), ()])
def test_round_trip_of_a_network(data, tmp_path, labels, sizes):
    X, y = data[0].to_numpy(), labels[data[1]]
    again = assert_comes_back(network(*sizes).fit(X, y), X, tmp_path)
    assert again.get_params()["hidden_sizes"] == sizes


@pytest.mark.parametrize("balance", [False, True])
@pytest.mark.parametrize("features", ["published", "all", ("tempo",), CorrelationFilter(0.6)])
def test_round_trip_of_a_song_model(data, tmp_path, features, balance):
    names = ("happy", "sad", "energetic", "calm")
    model = song_model(features, balance).set_params(label_names=names).fit(*data)
    again = assert_comes_back(model, data[0], tmp_path)
    clone(model).fit(*data).save(tmp_path / "retrained")
    assert content_of(tmp_path / "retrained") == content_of(tmp_path / "one")
    assert again.label_names == names
    kept = again["select"].get_feature_names_out().tolist()
    assert kept == model["select"].get_feature_names_out().tolist()
    if isinstance(features, CorrelationFilter):
        assert again["select"]["filter"].threshold == 0.6
        assert again["select"]["filter"].dropped_ == model["select"]["filter"].dropped_ != []
    if balance:
        drawn = again["classify"].downsampling_
        assert drawn.counts_before.tolist() == np.bincount(data[1]).tolist()
        assert drawn.counts_after.tolist() == [np.bincount(data[1]).min()] * 4


def test_the_same_model_gives_the_same_bytes(small, path):
    """Often: an order of keys in memory, which is drawn at random, must not reach the file."""
    assert len({save(small, path) or path.read_bytes() for _ in range(30)}) == 1


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 1.0, 1: 3.0, 2: 0.5}])
def test_training_goes_on_to_the_bit(tmp_path, class_weight):
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 3
    model = network(4).set_params(warm_start=True, early_stopping=True, record="update")
    model.set_params(class_weight=class_weight, callbacks=[lambda record: None])
    again = assert_comes_back(model.fit(X, y), X, tmp_path)
    np.testing.assert_equal(again.history_, model.history_)
    assert again.callbacks is None
    for name in ("n_iter_", "loss_", "best_epoch_", "evals_result_", "class_weight"):
        assert getattr(again, name) == getattr(model, name)
    ours, theirs = (network.fit(X, y).coefs_ for network in (model, again))
    assert all(map(np.array_equal, ours, theirs))


def test_a_loaded_filter_predicts_without_warnings(data, tmp_path):
    assert_comes_back(song_model(CorrelationFilter(0.7)).fit(*data), data[0], tmp_path)


SCALERS = [MinMaxScaler(), MinMaxScaler((-1, 1)), MinMaxScaler(clip=True)]
SCALERS += [StandardScaler(with_mean=m, with_std=s) for m in (True, False) for s in (True, False)]


@pytest.mark.parametrize("scaler", SCALERS, ids=str)
def test_round_trip_of_scalers_and_a_network(data, tmp_path, scaler):
    X, y = data
    model = Pipeline([("scale", scaler), ("again", MinMaxScaler()), ("net", network(4))]).fit(X, y)
    assert_comes_back(model, X * 2, tmp_path)


def test_names_of_steps_do_not_collide(data, tmp_path):
    inner = Pipeline([("b", StandardScaler())])
    steps = [("a.b", StandardScaler()), ("a", inner), ("net", network(4))]
    assert_comes_back(Pipeline(steps).fit(*data), data[0], tmp_path)


def test_provenance_is_kept(small, tmp_path):
    for told in ({}, {"seed": 0, "songs": ["a", None, 0.1], "who": {"name": "Zoë \U0001f3b5"}}):
        save(small, tmp_path / "model", provenance=told)
        again = load(tmp_path / "model")
        assert again.provenance_ == told
        save(again, tmp_path / "again")
        assert load(tmp_path / "again").provenance_ == told


@pytest.mark.parametrize("where", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.chmod"])
@pytest.mark.parametrize("error", [OSError("no space"), KeyboardInterrupt()], ids=repr)
def test_a_failure_in_writing_leaves_the_old_file(small, tmp_path, monkeypatch, where, error):
    old = tmp_path / "model"
    old.write_bytes(b"old")

    def fail(*arguments):
        raise error

    with monkeypatch.context() as patch, pytest.raises(type(error)):
        patch.setattr(where, fail)
        save(small, old)
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]


@pytest.mark.parametrize(
    ("model", "provenance", "error", "text"),
    [
        (MLP(), {}, NotFittedError, "not fitted"),
        (song_model(), {}, NotFittedError, "not fitted"),
        (Normalizer(), {}, TypeError, "can contain BalancedClassifier, .* got Normalizer"),
        (None, {}, TypeError, "got NoneType"),
        ("small", {"songs": object()}, TypeError, "not JSON serializable"),
    ],
)
def test_what_cannot_be_saved(small, tmp_path, model, provenance, error, text):
    old = tmp_path / "model"
    old.write_bytes(b"old")
    with pytest.raises(error, match=text):
        save(small if model == "small" else model, old, provenance=provenance)
    assert old.read_bytes() == b"old"
    with pytest.raises(OSError, match="none"):
        save(small, tmp_path / "none" / "model")


DAMAGED = "is not a model file, or is damaged: .{10}"
CHECKSUM = "does not match its checksum"
HEADER = "the header is damaged: .{10}"
PART = "the header does not describe a model: .{3}"


def refuse(path, content, says=f"{DAMAGED}|{CHECKSUM}|{HEADER}|{PART}|format version|not a mood"):
    """Loading the content is refused, and the message names the file and the reason."""
    path.write_bytes(content)
    try:
        found = load(path)
    except ModelFileError as error:
        message = str(error)
    else:
        pytest.fail(f"{found} was loaded")
    assert path.name in message
    assert re.search(says, message), message


def refuse_cheaply(path, content, says):
    """Loading is refused before much memory is taken."""
    tracemalloc.start()
    try:
        refuse(path, content, says)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def content_of(path):
    return parted(path.read_bytes())


def test_forged_files_differ_from_good_ones_in_the_lie_alone(raw, path, small):
    arrays = safetensors.numpy.load(raw)
    for content in (joined(*parted(raw)), changed(raw, "version", 1), rewritten(raw, arrays)):
        path.write_bytes(content)
        assert np.array_equal(load(path).coefs_[0], small.coefs_[0])


def test_truncated_or_longer(raw, path):
    for length in range(len(raw)):
        refuse(path, raw[:length], DAMAGED)
    for extra in (b"\0", b"{}", bytes(1000)):
        refuse(path, raw + extra, DAMAGED)


def flipped(raw, place, bits):
    return raw[:place] + bytes([raw[place] ^ bits]) + raw[place + 1 :]


def test_every_flipped_bit_of_the_arrays(raw, path):
    for place in range(len(raw) - len(parted(raw)[1]), len(raw)):
        for bit in range(8):
            refuse(path, flipped(raw, place, 1 << bit), CHECKSUM)


@pytest.mark.parametrize("bits", [0x01, 0x08, 0x20, 0x80])
def test_every_flipped_byte_of_the_header(raw, path, bits):
    for place in range(len(raw) - len(parted(raw)[1])):
        refuse(path, flipped(raw, place, bits))


def test_lying_lengths_places_and_shapes(raw, path):
    for length in (0, 1, 7, 10**4, 10**8 + 1, 2**31, 2**40, 2**63, 2**64 - 1):
        for rest in (raw[8:], b""):
            refuse_cheaply(path, struct.pack("<Q", length) + rest, DAMAGED)
    header, buffer = parted(raw)
    weights = header["model.coefs.0"]
    first, last = weights["data_offsets"]
    overlapping = {"data_offsets": header["model.intercepts.0"]["data_offsets"]}
    lies = [{"data_offsets": [last, first]}, {"data_offsets": [first, 2**63]}, overlapping]
    lies += [{"shape": shape} for shape in ([2**40, 2**40], [2**62, 4], [-3, -4], [3])]
    for lie in [*lies, {"dtype": "O"}]:
        refuse_cheaply(path, joined(header | {"model.coefs.0": weights | lie}, buffer), DAMAGED)
    refuse(path, joined(header | {"model.coefs.0": weights | {"shape": [4, 3]}}, buffer), CHECKSUM)
    refuse(path, joined({"__metadata__": header["__metadata__"]}, b""), CHECKSUM)
    header["__metadata__"]["moodcore"] = f"\n{text_of(raw)}"
    refuse(path, joined(header, buffer), CHECKSUM)


def test_arrays_that_do_not_fit_the_model(raw, path):
    good, name = safetensors.numpy.load(raw), "model.coefs.0"
    for value in (np.nan, np.inf):
        spoilt = np.where(good[name] == good[name].max(), np.float32(value), good[name])
        refuse(path, rewritten(raw, good | {name: spoilt}), f"{PART}.*coefs.0 holds .* not finite")
    for other in (good[name].T.copy(), good[name].astype("f8"), good[name][None], good[name][:0]):
        refuse(path, rewritten(raw, good | {name: other}), f"{PART}.*coefs.0 must be float32 of")
    for gone in good:
        lacking = {name: good[name] for name in good if name != gone}
        refuse(path, rewritten(raw, lacking), re.escape(gone))


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "5", '"a"', "{}", "[" * 10**5])
def test_header_that_is_no_description(raw, path, text):
    refuse(path, with_text(raw, text), HEADER)


LIES = [
    ("version", 2, "format version 2; this moodcore reads version 1"),
    ("provenance", "somewhere", HEADER),
    ("model.kind", "os.system", "unknown kind 'os.system'"),
    ("model.n_features", 2**70, PART),
    ("model.n_features", float("inf"), "numbers must be finite"),
    ("model.feature_names", "abc", "features need the same number of names"),
    ("model.n_features", 2.0, "n_features must be an int"),
    ("model.params", {"foo": 1}, "foo"),
    ("model.params.hidden_sizes", [65536] * 1024, PART),
    ("model.classes.values", [0, 1], PART),
    ("model.classes.values", [0, 1, 10**400], PART),
    ("model.classes.values", [[0, 1], [1, 2], [2, 3]], PART),
    ("model.classes.values", [1, 1, 1], PART),
    ("model.classes.dtype", "no type", PART),
    ("model.history", ["lost"], PART),
    ("model.seed", -1, PART),
    ("model.classes.dtype", "<U9000000", PART),
    ("model.params.n_jobs", "many", PART),
    ("model.feature_names", ["only one"], PART),
    ("model.classes.dtype", "S90000000", PART),
    ("model.classes.values", [2, 1, 0], PART),
    ("model.best_epoch", "late", PART),
    ("version", True, "format version True"),
]


@pytest.mark.parametrize(("keys", "value", "says"), LIES)
def test_lies_in_the_description(raw, path, keys, value, says):
    refuse_cheaply(path, changed(raw, keys, value), says)


def test_other_files_and_pickles_run_no_code(small, raw, path, tmp_path, monkeypatch):
    for content in (b"", b"\n", b"PK\3\4" + bytes(99), b"energy,tempo\n0,1\n"):
        refuse(path, content, DAMAGED)
    # Unpickled, this makes a folder.
    program = f"cos\nmkdir\n(V{tmp_path / 'run'}\ntR.".encode()
    for content in (program, program + bytes(1000), pickle.dumps(small)):
        refuse(path, content, DAMAGED)
    assert not (tmp_path / "run").exists()
    pickle.loads(program)
    assert (tmp_path / "run").exists()
    for name in ("pickle.load", "pickle.loads", "pickle.Unpickler", "numpy.load"):
        monkeypatch.setattr(name, None)
    path.write_bytes(raw)
    assert load(path).n_features_in_ == 3


FOREIGN = [("BF16", [2], 4), ("F8_E4M3", [2], 2), ("F32", [1] * 100, 4)]


@pytest.mark.parametrize(
    ("dtype", "shape", "size"),
    [("F16", [2], 4), ("I64", [2], 16), *FOREIGN],
)
def test_safetensors_of_another_program(path, dtype, shape, size):
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}
    for header in ({"w": entry}, {"w": entry, "__metadata__": {"format": "pt"}}):
        refuse(path, joined(header, bytes(size)), "a safetensors file, but not a moodcore model")


def test_what_is_no_file(tmp_path):
    for absent in (tmp_path, tmp_path / "none", str(tmp_path / "none" / "none"), "", "/dev/null"):
        with pytest.raises(OSError, match=r"no such model file|is a folder|is not a regular file"):
            load(absent)
