"""Each file of `attacks/` is refused with its error, and without allocating memory."""

import json
import tracemalloc
from pathlib import Path

import pytest

from moodcore import ModelFileError, load

FOLDER = Path(__file__).parent / "attacks"
SAID = json.loads((FOLDER / "what_is_said.json").read_text(encoding="utf-8"))


def test_the_list_is_whole():
    assert sorted(SAID) == sorted(path.stem for path in FOLDER.glob("*.safetensors"))
    assert len(SAID) > 60


@pytest.mark.parametrize("name", SAID)
def test_refused(name):
    path = FOLDER / f"{name}.safetensors"
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError) as caught:
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert path.name in str(caught.value)
    assert SAID[name] in str(caught.value)
