"""Values to pin, read from what each command leaves: one small function per command.

Text for people is not read, only numbers, labels and hashes. If a key, a column, a file or a
displayed name changes on purpose, add it to `RENAMED`, or adapt the function of the command: the
golden data stays as it is.
"""

import csv
import json
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from golden_hashes import hash_of, hash_of_onnx, hash_of_source, hash_of_values, tensor_hashes

# Part (such as a file) to key to value.
Values = dict[str, dict[str, Any]]

# The name that is written today, and the one that the golden data has for it.
RENAMED: dict[str, str] = {
    "nearest neighbors": "nearest neighbours",
    "nearest neighbors (probability)": "nearest neighbours (probability)",
}

_ROWS = {"songs": "rows", "train_songs": "train_rows", "test_songs": "test_rows"}

# Sections of metrics.json that `tune` writes; a list of objects has the fields that identify one.
_TUNE_SECTIONS = {
    "data": ("songs", "train_songs", "test_songs", "counts", "columns"),
    "preprocessing": ("counts_before", "counts_after", "dropped", "single_features"),
    "search": ("planned", "candidates", "complete", "pruned", "failed", "best", "families"),
    "model": ("n_weights", "parameters"),
    "importance": ("gain",),
}
_TUNE_WHOLE = ("test", "baselines", "optimizers", "checks")
_TUNE_FILES = (
    "config.toml", "metrics.json", "timing.json", "report.html", "figures", "model.safetensors",
    "trials.csv", "curves.parquet", "optimizers.parquet", "study.db",
)  # fmt: skip
_COMPARE_LISTS = {
    "summary": ("model",),
    "test": ("model",),
    "pairs": ("first", "second"),
    "scores": ("model", "repeat", "fold"),
    "learning_curves": ("model", "rows"),
    "calibration": ("model", "from"),
}
_COMPARE_FILES = (
    "config.toml", "metrics.json", "timing.json", "report.html", "figures", "models", "summary.csv",
    "scores.csv", "pairs.csv", "test.csv", "times.csv", "predictions.csv", "disagreements.csv",
    "calibration.csv", "confusion.csv", "precision_recall.csv", "learning_curves.csv",
    "chosen.csv",
)  # fmt: skip
# New names of files, and those of version 1.
_COMPARE_RENAMED = {"mark.json": "begun.json", "results": "trainings"}
_FEATURES_LISTS = {
    "features": ("feature",),
    "importances": ("feature", "measure", "model"),
    "choices": ("choice", "model"),
    "trainings": ("choice", "model", "fold"),
}
_FEATURES_FILES = (
    "config.toml", "metrics.json", "timing.json", "report.html", "figures", "features.csv",
    "importances.csv", "choices.csv", "trainings.csv", "parts.json",
)  # fmt: skip
# Model files hold their settings, which gain fields.
_SIZES_OF_FILES = ("model_bytes",)


def tune_values(run: Path) -> Values:
    """Read the run folder of `moodcore tune`."""
    metrics = _read_json(run / "metrics.json")
    pinned: dict[str, Any] = {
        section: {name: metrics[section].get(name) for name in names}
        for section, names in _TUNE_SECTIONS.items()
        if section in metrics
    }
    # Version 1 named the numbers of rows after the songs.
    pinned["data"] |= {old: metrics["data"][new] for old, new in _ROWS.items()}
    pinned |= {section: metrics[section] for section in _TUNE_WHOLE if section in metrics}
    values = {"files": _existing(run, _TUNE_FILES), "metrics.json": flatten(pinned)}
    if (run / "trials.csv").exists():
        values["trials.csv"] = _trials(run / "trials.csv")
        values["curves.parquet"] = _curves(run / "curves.parquet")
        values["model.safetensors"] = model_values(run / "model.safetensors")
    if (run / "optimizers.parquet").exists():
        values["optimizers.parquet"] = _optimizer_losses(run / "optimizers.parquet")
    return values


def compare_values(run: Path) -> Values:
    """Read the run folder of `moodcore compare`."""
    metrics = _read_json(run / "metrics.json")
    names = ("data", "train_rows", "test_rows", "test_train_ratio", "confusion", "agreement")
    pinned = {name: metrics[name] for name in names}
    pinned["data"] |= {old: metrics["data"][new] for old, new in _ROWS.items()}
    files = _existing(run, _COMPARE_FILES) | _existing(run, _COMPARE_RENAMED)
    files = {_COMPARE_RENAMED.get(name, name): there for name, there in files.items()}
    values = {"files": files, "metrics.json": flatten(pinned)}
    for name, fields in _COMPARE_LISTS.items():
        values[name] = flatten(_by_fields(metrics[name], fields, leave_out=_SIZES_OF_FILES))
    values["chosen"] = {
        f"{at}.{_stable(row['model'])}": " ".join(_numbers(row["chosen"]))
        for at, row in enumerate(metrics["chosen"])
    }
    values["predictions.csv"] = _answers(run / "predictions.csv")
    for model in sorted((run / "models").glob("*.safetensors")):
        values[f"models/{model.name}"] = model_values(model)
    return values


def features_values(run: Path) -> Values:
    """Read the run folder of `moodcore features`."""
    metrics = _read_json(run / "metrics.json")
    pinned = {name: metrics[name] for name in ("data", "correlation")}
    # Version 1 named the number of rows after the songs, and kept all results in one file.
    pinned["data"] |= {"songs": metrics["data"]["rows"]}
    values = {"files": _existing(run, _FEATURES_FILES), "metrics.json": flatten(pinned)}
    values["files"]["parts.json"] = (run / "results").is_dir()
    for name, fields in _FEATURES_LISTS.items():
        values[name] = flatten(_by_fields(metrics[name], fields))
    return values


def model_values(path: Path) -> dict[str, Any]:
    """Return the hash of each tensor of a model file."""
    return {_stable(name): value for name, value in tensor_hashes(path).items()}


def evaluate_values(output: str) -> dict[str, Any]:
    """Read what `moodcore evaluate --json` prints."""
    found = json.loads(output)
    found.pop("version", None)
    return flatten(found)


def explain_values(output: str) -> dict[str, Any]:
    """Read what `moodcore explain --json` prints."""
    rows = json.loads(output)["rows"]
    labels = {f"row {row['row']}": row["predicted"] for row in rows}
    contributions = {f"row {row['row']}": row["classes"] for row in rows}
    return labels | flatten(contributions)


def prediction_values(path: Path) -> dict[str, Any]:
    """Read the table that `moodcore predict` writes."""
    columns = read_columns(path)
    values: dict[str, Any] = {"rows": len(columns["uri"]), "first uri": columns["uri"][0]}
    for name, column in columns.items():
        values[f"{name}.hash"] = hash_of_values(column)
        if isinstance(column[0], float):
            values[f"{name}.mean"] = statistics.fmean(column)
    counts = Counter(columns["predicted_label"])
    return values | {f"predicted {label}": count for label, count in counts.items()}


def playlist_values(folder: Path) -> dict[str, Any]:
    """Read the playlists that `moodcore playlists` writes, if there are any."""
    values: dict[str, Any] = {}
    for path in sorted(folder.glob("*.csv")):
        values[path.stem] = " ".join(read_columns(path)["uri"])
        values[f"{path.stem}.m3u"] = path.with_suffix(".m3u").exists()
    return values


def export_values(path: Path) -> dict[str, Any]:
    """Return the hash of an exported model, without comments, names and versions."""
    if path.suffix in (".c", ".rs"):
        return {"code": hash_of_source(path.read_text(encoding="utf-8"))}
    if path.suffix == ".onnx":
        return hash_of_onnx(path)
    if path.suffix == ".json":
        learner = _read_json(path)["learner"]
        parts = ("gradient_booster", "learner_model_param", "objective", "feature_names")
        return {part: hash_of(json.dumps(learner.get(part), sort_keys=True)) for part in parts}
    return {"bytes": hash_of(path.read_bytes())}


def synthesize_values(text: Path, parquet: Path) -> Values:
    """Read tables that `moodcore data synthesize` writes."""
    columns = pd.read_parquet(parquet)
    return {
        text.name: {"bytes": hash_of(text.read_bytes())},
        parquet.name: {str(name): hash_of_values(columns[name].tolist()) for name in columns},
    }


def check_values(output: str) -> Values:
    """Read the counts and row numbers that `moodcore data check` prints."""
    counts = [number for number in _numbers(output) if number not in ("0", "1")]
    return {"text": {f"contains {count}": True for count in counts}}


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return the numbers, booleans and nulls of nested objects by dotted key."""
    if isinstance(value, Mapping):
        items = [(_stable(str(key)), inner) for key, inner in value.items()]
    elif isinstance(value, list):
        items = [(_name_in_list(at, inner), inner) for at, inner in enumerate(value)]
    else:
        return {} if isinstance(value, str) else {prefix: value}
    found: dict[str, Any] = {}
    for key, inner in items:
        found |= flatten(inner, f"{prefix}.{key}" if prefix else key)
    return found


def _name_in_list(at: int, value: Any) -> str:
    """Return what identifies an element: its family or optimizer, or else its position."""
    if isinstance(value, Mapping):
        for field in ("model", "column"):
            if field in value:
                return _stable(str(value[field]))
    return str(at)


def _by_fields(
    rows: Sequence[Mapping[str, Any]], fields: Sequence[str], leave_out: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the rows by the fields that identify them."""
    renamed = [{_stable(name): value for name, value in row.items()} for row in rows]
    found = {}
    for row in renamed:
        key = " / ".join(_text(row[field]) for field in fields)
        assert key not in found, f"two rows of {key}"
        found[key] = {
            name: value
            for name, value in row.items()
            if name not in fields and name not in leave_out
        }
    return found


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else _stable(str(value))


def _stable(name: str) -> str:
    return RENAMED.get(name, name)


def _trials(path: Path) -> dict[str, Any]:
    columns = read_columns(path)
    numbers = columns.pop("number")
    return {
        f"{number}.{name}": column[at]
        for at, number in enumerate(numbers)
        for name, column in columns.items()
        if name != "reason"
    }


def _curves(path: Path) -> dict[str, Any]:
    groups = pd.read_parquet(path).groupby("number")
    sums = groups.sum().drop(columns="epoch")
    values = {f"{number}.epochs": len(group) for number, group in groups}
    for number, row in sums.iterrows():
        values |= {f"{number}.sum of {_stable(name)}": float(row[name]) for name in sums}
    return values


def _optimizer_losses(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for at, row in pd.read_parquet(path).iterrows():
        values[f"{at}.updates"] = len(row["update_loss"])
        values[f"{at}.sum of update losses"] = float(sum(row["update_loss"]))
        values |= {f"{at}.epoch {n}": float(v) for n, v in enumerate(row["epoch_loss"], 1)}
    return values


def _answers(path: Path) -> dict[str, Any]:
    """Return the hash of the labels of each model, and the mean of its probabilities."""
    return {
        name: statistics.fmean(column) if isinstance(column[0], float) else hash_of_values(column)
        for name, column in read_columns(path).items()
    }


def read_columns(path: Path) -> dict[str, list[Any]]:
    """Read a CSV file: numbers to the last bit, text, and None for an empty cell."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return {
        _stable(name): [_cell(row[column]) for row in rows] for column, name in enumerate(header)
    }


def _cell(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text or None


def _numbers(text: str) -> list[str]:
    return re.findall(r"(?<![\w.])\d+(?:\.\d+)?", text.replace(",", ""))


def _existing(folder: Path, names: Iterable[str]) -> dict[str, bool]:
    """Return which of the files of a run there are."""
    return {name: True for name in names if (folder / name).exists()}


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
