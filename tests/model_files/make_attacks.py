"""Write the files of `attacks/`: invalid model files, each with one fault, and the error of each.

Run as `python tests/model_files/make_attacks.py`. The files are altered copies of those of
`version_1/`. They are committed, so that every later reader is tested with the same files.
"""

import json
import pickle
import struct
from pathlib import Path

import numpy as np
import safetensors.numpy
from parts_of_files import changed, joined, parted, rewritten, text_of, with_text

HERE = Path(__file__).parent
DAMAGED, CHECKSUM = "not a model file, or is damaged", "does not match its checksum"
PART = "the header does not describe a model"


def damaged_files(raw):
    """Yield files that are no safetensors files, or have wrong lengths and offsets."""
    header, buffer = parted(raw)
    name = next(key for key in header if key != "__metadata__")
    entry = header[name]
    first, last = entry["data_offsets"]

    def with_entry(**lie):
        return joined(header | {name: entry | lie}, buffer)

    yield "empty", b"", DAMAGED
    yield "seven_bytes", raw[:7], DAMAGED
    yield "header_alone", raw[: -len(buffer)], DAMAGED
    yield "truncated", raw[:-1], DAMAGED
    yield "longer", raw + b"\0", DAMAGED
    yield "header_of_an_exabyte", struct.pack("<Q", 2**60) + raw[8:], DAMAGED
    yield "header_of_all_there_is", struct.pack("<Q", 2**64 - 1) + raw[8:], DAMAGED
    yield "header_of_nothing", struct.pack("<Q", 0) + raw[8:], DAMAGED
    yield "header_no_json", raw[:8] + b"x" + raw[9:], DAMAGED
    yield "header_no_text", raw[:9] + b"\xff" + raw[10:], DAMAGED
    yield "offsets_reversed", with_entry(data_offsets=[last, first]), DAMAGED
    yield "offsets_beyond", with_entry(data_offsets=[first, 2**63]), DAMAGED
    yield "shape_overflows", with_entry(shape=[2**62, 2**62]), DAMAGED
    yield "shape_negative", with_entry(shape=[-1]), DAMAGED
    yield "type_of_objects", with_entry(dtype="O"), DAMAGED
    yield "pickle", pickle.dumps({"model": 1}), DAMAGED
    yield "zip_bomb_name", b"PK\3\4" + bytes(60), DAMAGED
    yield "bit_flipped_in_an_array", raw[:-1] + bytes([raw[-1] ^ 16]), CHECKSUM
    foreign = safetensors.numpy.save({"w": np.zeros(2, np.float32)}, metadata={"format": "pt"})
    yield "of_another_program", foreign, "not a moodcore model"


def lying_descriptions(raw):
    """Yield files with a valid checksum whose description is no model."""
    for name, text in {"deep": "[" * 50_000, "null": "null", "text": '"a"', "nothing": ""}.items():
        yield f"description_{name}", with_text(raw, text), "the header is damaged"
    lies = {
        "version_from_the_future": ("version", 99, "format version 99"),
        "kind_that_names_code": ("model.kind", "os.system", "unknown kind 'os.system'"),
        "features_of_all_there_is": ("model.n_features", 2**62, PART),
        "features_negative": ("model.n_features", -3, PART),
        "layers_of_all_memory": ("model.params.hidden_sizes", [65536] * 1024, PART),
        "labels_of_all_memory": ("model.classes.dtype", "<U90000000", PART),
        "labels_that_are_objects": ("model.classes.values", [{}, [], None], PART),
        "labels_twice": ("model.classes.values", ["a", "a", "b"], PART),
        "parameter_unknown": ("model.params.__class__", "int", PART),
        "learning_rate_infinite": ("model.params.learning_rate", 1e999, "numbers must be finite"),
        "seed_beyond": ("model.seed", 2**64, PART),
        "history_lost": ("model.history", ["nothing"], PART),
    }
    for name, (keys, value, says) in lies.items():
        yield name, changed(raw, keys, value), says


def lying_networks(raw):
    arrays = safetensors.numpy.load(raw)
    weights = arrays["model.coefs.0"]
    nan = np.where(weights == weights.max(), np.float32(np.nan), weights)
    for name, values in {
        "weights_nan": nan,
        "weights_infinite": np.where(np.isnan(nan), np.float32(np.inf), nan),
        "weights_transposed": np.ascontiguousarray(weights.T),
        "weights_double": weights.astype(np.float64),
        "weights_none": weights[:0],
    }.items():
        yield name, rewritten(raw, arrays | {"model.coefs.0": values}), PART
    yield "weights_missing", rewritten(raw, dict(list(arrays.items())[1:])), PART


def lying_trees(raw):
    arrays = safetensors.numpy.load(raw)

    def put(name, place, value):
        values = arrays[f"model.{name}"].copy()
        values[place] = value
        return rewritten(raw, arrays | {f"model.{name}": values})

    yield "tree_whose_root_is_its_child", put("left", 0, 0), PART
    yield "tree_with_a_child_beyond", put("right", 0, 2**32 - 1), PART
    yield "tree_with_two_ways_to_a_node", put("left", 0, arrays["model.right"][0]), PART
    yield "tree_asking_for_a_feature_beyond", put("feature", 0, 2**31 - 1), PART
    yield "tree_asking_for_a_negative_feature", put("feature", 0, -7), PART
    yield "tree_for_an_output_beyond", put("tree_output", 0, 2**31 - 1), PART
    yield "trees_of_all_memory", put("tree_offsets", -1, 2**32 - 1), PART
    yield "trees_in_no_rounds", put("trees_per_round", 0, 0), PART
    yield "leaf_value_nan", put("value", 1, np.nan), PART
    yield "cut_points_falling", put("bin_values", 0, 1e300), PART
    yield "cut_points_nan", put("bin_values", 0, np.nan), PART
    yield "bins_of_all_memory", put("bin_offsets", -1, 2**32 - 1), PART
    yield "base_infinite", put("base", 0, np.inf), PART


def lying_machines(raw):
    arrays = safetensors.numpy.load(raw)

    def put(name, place, value):
        values = arrays[f"model.{name}"].copy()
        values[place] = value
        return rewritten(raw, arrays | {f"model.{name}": values})

    yield "support_of_all_memory", put("n_support", 0, 2**31 - 1), PART
    yield "support_negative", put("n_support", 0, -1), PART
    yield "support_row_beyond", put("support", 0, 2**31 - 1), PART
    yield "support_row_twice", put("support", 0, arrays["model.support"][1]), PART
    yield "support_vector_nan", put("support_vectors", (0, 0), np.nan), PART
    yield "coefficient_infinite", put("dual_coef", (0, 0), np.inf), PART
    yield "width_negative", changed(raw, "model.gamma", -1.0), PART
    yield "kernel_that_names_code", changed(raw, "model.params.kernel", "os.system"), PART


def lying_pipelines(raw):
    steps = json.loads(text_of(raw))["model"]["steps"]
    yield "steps_none", changed(raw, "model.steps", None), PART
    yield "steps_twice", changed(raw, "model.steps", steps + steps), PART
    yield "steps_without_a_classifier", changed(raw, "model.steps", steps[:-1]), PART
    yield "steps_in_another_order", changed(raw, "model.steps", steps[::-1]), PART
    inside = ["own", {"kind": "Pipeline", "steps": []}]
    for _ in range(200):
        inside = ["own", {"kind": "Pipeline", "steps": [inside]}]
    yield "steps_within_steps", changed(raw, "model.steps", [inside]), PART


def main():
    told, folder = {}, HERE / "attacks"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for model, attacks in {
        "linear_svm": [damaged_files],
        "mlp": [lying_descriptions, lying_networks],
        "gbt": [lying_trees],
        "svm": [lying_machines],
        "songs_mlp": [lying_pipelines],
    }.items():
        raw = (HERE / "version_1" / f"{model}.safetensors").read_bytes()
        for name, content, says in (found for attack in attacks for found in attack(raw)):
            (folder / f"{name}.safetensors").write_bytes(content)
            told[name] = says
    (folder / "what_is_said.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
