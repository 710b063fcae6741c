"""Damage model files at random and open them: nothing but a model or a `ModelFileError` may come.

`test_fuzz.py` does this a few thousand times. For a long run:

    python tests/model_files/fuzz.py --cases 1000000

A case that breaks the rule is written to `fuzz-failure.safetensors`, and its number and seed are
printed: the same seed gives the same cases again. A process that uses more than 4 GB or hangs for
ten seconds over one file breaks it too.
"""

import argparse
import json
import resource
import signal
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors.numpy
from parts_of_files import joined, parted, rewritten, text_of, with_text

from moodcore import ModelFileError, load

FOLDER = Path(__file__).parent / "version_1"
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
    """The file with something wrong: in its bytes, its header, its description or its arrays."""
    way = rng.integers(4)
    if way == 0:
        return damage_bytes(raw, rng)
    if way == 1:
        header, buffer = parted(raw)
        return joined(damage_value(header, rng), buffer)
    if way == 2:
        found = json.loads(text_of(raw))
        for _ in range(rng.integers(1, 3)):
            found = damage_value(found, rng)
        return with_text(raw, json.dumps(found))
    return rewritten(raw, damage_arrays(safetensors.numpy.load(raw), rng))


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


def damage_value(value, rng):
    """JSON with one place in it replaced, removed or doubled."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.1:
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
        value[key] = damage_value(value[key], rng)
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


class Fuzz:
    """Files to damage, rows to ask, and what came of it."""

    def __init__(self, seed, folder):
        self.rng = np.random.default_rng(seed)
        self.path = Path(folder) / "case.safetensors"
        self.files = [path.read_bytes() for path in sorted(FOLDER.glob("*.safetensors"))]
        answers = json.loads((FOLDER / "answers.json").read_text(encoding="utf-8"))
        self.tables = [pd.DataFrame(answers[name]["rows"]).head(3) for name in sorted(answers)]
        self.opened = self.refused = 0

    def case(self):
        """Open one damaged file; ask the model, if one comes."""
        which = self.rng.integers(len(self.files))
        self.path.write_bytes(damage(self.files[which], self.rng))
        try:
            model = load(self.path)
        except ModelFileError:
            self.refused += 1
            return
        self.opened += 1
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                model.predict(self.tables[which])
            # A model of other columns or of numbers that overflow may refuse the rows.
            except (ValueError, AttributeError, TypeError):
                return


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(
        dir="/dev/shm" if Path("/dev/shm").is_dir() else None
    ) as folder:
        fuzz = Fuzz(told.seed, folder)
        for number in range(told.cases):
            signal.alarm(MOST_SECONDS)
            try:
                fuzz.case()
            except BaseException:
                Path("fuzz-failure.safetensors").write_bytes(fuzz.path.read_bytes())
                print(f"case {number} of seed {told.seed} breaks the rule")
                raise
            if number % 50_000 == 49_999:
                print(f"{number + 1} cases, {time.monotonic() - begin:.0f} s", flush=True)
    print(f"{told.cases} cases: {fuzz.refused} refused, {fuzz.opened} opened")


if __name__ == "__main__":
    main()
