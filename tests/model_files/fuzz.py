"""Damage model files at random and use what opens.

Most of the damaged files are signed again, so that their checksum is valid. `load` may return a
model or raise `ModelFileError`. A model that it returns has to work: it is used in every way, and
may only refuse what a model of its kind refuses.

`test_fuzz.py` tries a few thousand cases. For a long run:

    python tests/model_files/fuzz.py --cases 1000000

A case that fails is written to `fuzz-failure.safetensors`, and its number and seed are printed: the
same seed and number give the same case again, with any version of the packages. A process that
uses more than 4 GB, or ten seconds of processor time for one file, fails too.
"""

import argparse
import json
import pickle
import resource
import signal
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors.numpy
import sklearn.utils.validation
from parts_of_files import joined, parted, rewritten, text_of, with_text

import moodcore
from moodcore import ModelFileError, load

FOLDER = Path(__file__).parent
ODD_VALUES = (
    None, True, -1, 0, 1, 2, 255, 256, 2**31 - 1, 2**31, 2**32, 2**63, 2**64, 10**400, 0.5, 1e308,
    -1e308, float("nan"), float("inf"), "", "a", "nan", "<U9", "\0", [], [0], [[]], {},
    {"kind": "GBT"},
)  # fmt: skip
ODD_NUMBERS = (
    0,
    1,
    -1,
    127,
    128,
    255,
    2**31 - 1,
    -(2**31),
    2**32 - 1,
    np.nan,
    np.inf,
    -np.inf,
    1e308,
)
MOST_MEMORY, MOST_SECONDS = 4 << 30, 10


def damage(raw, rng):
    """Return the file with something wrong: in its bytes, header, description or arrays."""
    way = rng.integers(20)
    if way == 0:
        return damage_bytes(raw, rng)
    if way == 1:
        header, buffer = parted(raw)
        return joined(damage_value(header, rng), buffer)
    if way < 11:
        described = json.loads(text_of(raw))
        for _ in range(rng.integers(1, 3)):
            described = damage_value(described, rng, values_in(described))
        raw = with_text(raw, json.dumps(described))
    if way > 9:
        raw = rewritten(raw, damage_arrays(safetensors.numpy.load(raw), rng))
    return raw


def damage_bytes(raw, rng):
    content, place = bytearray(raw), int(rng.integers(len(raw)))
    match rng.integers(4):
        case 0:
            content[place] ^= 1 << rng.integers(8)
        case 1:
            del content[place:]
        case 2:
            content[place:place] = rng.bytes(int(rng.integers(1, 40)))
        case _:
            content[place : place + 8] = int(rng.integers(2**63)).to_bytes(8, "little")
    return bytes(content)


def values_in(described):
    """List all values inside of JSON."""
    inside = []
    if isinstance(described, dict | list):
        for value in described.values() if isinstance(described, dict) else described:
            inside += [value, *values_in(value)]
    return inside


def damage_value(value, rng, others=()):
    """Return JSON with one place in it replaced, removed or doubled."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.1:
        if others and rng.random() < 0.3:
            return others[rng.integers(len(others))]
        return ODD_VALUES[rng.integers(len(ODD_VALUES))]
    value = value.copy()
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[rng.integers(len(keys))]
    chance = rng.random()
    if chance < 0.05:
        del value[key]
    elif chance < 0.1:
        if isinstance(value, dict):
            value[key + "x"] = value[key]
        else:
            value.append(value[key])
    else:
        value[key] = damage_value(value[key], rng, others)
    return value


def damage_arrays(arrays, rng):
    name = list(arrays)[rng.integers(len(arrays))]
    values = arrays[name].copy()
    match rng.integers(8):
        case 0:
            return {other: arrays[other] for other in arrays if other != name}
        case 1:
            values = values[: rng.integers(len(values) + 1)]
        case 2:
            values = np.concatenate([values, values[: rng.integers(1, 4)]])
        case 3:
            values = values.astype(("f4", "f8", "i8", "u1", "i4")[rng.integers(5)])
        case 4:
            values = values[None] if values.ndim else values
        case _ if values.size:
            place = rng.integers(values.size)
            number = ODD_NUMBERS[rng.integers(len(ODD_NUMBERS))]
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values.reshape(-1)[place] = np.array(number).astype(values.dtype)
    return arrays | {name: values}


ENDINGS = ("onnx", "json", "model", "c", "rs", "safetensors")


class Fuzz:
    """Files to damage, rows to predict, and what became of the files."""

    def __init__(self, seed, folder):
        self.seed, self.number = seed, 0
        self.folder = Path(folder)
        self.path = self.folder / "case.safetensors"
        self.files, self.tables = [], []
        answers = json.loads((FOLDER / "version_1/answers.json").read_text(encoding="utf-8"))
        rows = {f"version_1/{name}": answers[name]["rows"] for name in answers}
        new = json.loads((FOLDER / "fuzzed/rows.json").read_text(encoding="utf-8"))
        rows |= {f"fuzzed/{name}": new[name] for name in new}
        for name in sorted(rows):
            self.files.append((FOLDER / f"{name}.safetensors").read_bytes())
            self.tables.append(pd.DataFrame(rows[name]).head(3))
        self.opened = self.refused = self.used = 0

    def case(self):
        """Open a damaged file and use the model in it."""
        # Cases depend on nothing but the seed, their number and the files beside this module.
        rng = np.random.default_rng((self.seed, self.number))
        self.number += 1
        which = rng.integers(len(self.files))
        self.path.write_bytes(damage(self.files[which], rng))
        is_pickled, ending = rng.random() < 0.5, ENDINGS[rng.integers(len(ENDINGS))]
        try:
            model = load(self.path)
        except ModelFileError:
            self.refused += 1
            return
        self.opened += 1
        if not hasattr(model, "predict"):
            # A pipeline without its last step is a transformer.
            return
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            if is_pickled:
                pickle.loads(pickle.dumps(model))
            rows = fitting_rows(model, self.tables[which])
            self.attempt(model.predict, rows)
            if hasattr(model, "predict_proba"):
                self.attempt(model.predict_proba, rows)
            if hasattr(model, "decision_function"):
                self.attempt(model.decision_function, rows)
            self.attempt(moodcore.explain, model, rows, n_samples=16)
            self.attempt(moodcore.export, model, self.folder / f"out.{ending}")
            repr(model)

    def attempt(self, function, *args, **options):
        """Call a function, which may refuse its arguments with an error of this package."""
        try:
            function(*args, **options)
        except (ValueError, TypeError) as error:
            if not is_deliberate(error):
                raise
        else:
            self.used += 1


def is_deliberate(error):
    """Return whether an error comes from a ``raise`` statement of this package."""
    if isinstance(error, UnicodeError):
        return False
    last = traceback.extract_tb(error.__traceback__)[-1]
    inside = (Path(moodcore.__file__).parent, Path(sklearn.utils.validation.__file__))
    path = Path(last.filename)
    return "raise" in (last.line or "") and any(map(path.is_relative_to, inside))


def fitting_rows(model, table):
    """Return rows with the columns that a model has; by position those that the table lacks."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        width = model.n_features_in_
        values = table.to_numpy() if width == table.shape[1] else np.zeros((2, min(width, 9999)))
        return values
    columns = [table.iloc[:, at % table.shape[1]] for at in range(len(names))]
    return pd.DataFrame(
        {name: table.get(name, column) for name, column in zip(names, columns, strict=True)}
    )


def too_slow(signum, frame):
    raise TimeoutError(f"more than {MOST_SECONDS} s of processor time")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--begin", type=int, default=0, help="number of the first case")
    parser.add_argument("--keep-going", type=Path, help="folder for cases that fail")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(
        dir="/dev/shm" if Path("/dev/shm").is_dir() else None
    ) as folder:
        fuzz = Fuzz(options.seed, folder)
        fuzz.number = options.begin
        signal.signal(signal.SIGPROF, too_slow)
        for number in range(options.begin, options.begin + options.cases):
            signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
            try:
                fuzz.case()
            except Exception as error:
                print(f"case {number} of seed {options.seed} fails: {error!r}")
                if options.keep_going is None:
                    Path("fuzz-failure.safetensors").write_bytes(fuzz.path.read_bytes())
                    raise
                frames = traceback.extract_tb(error.__traceback__)
                name = "-".join(
                    f"{Path(frame.filename).stem}{frame.lineno}" for frame in frames[-3:]
                )
                case = options.keep_going / f"{type(error).__name__}-{name}"
                case.with_suffix(".safetensors").write_bytes(fuzz.path.read_bytes())
                case.with_suffix(".txt").write_text("".join(traceback.format_exception(error)))
            if number % 2_000 == 1_999:
                print(f"{number + 1} cases, {time.monotonic() - begin:.0f} s", flush=True)
    print(
        f"{options.cases} cases: {fuzz.refused} refused, {fuzz.opened} opened, {fuzz.used} answers"
    )


if __name__ == "__main__":
    main()
