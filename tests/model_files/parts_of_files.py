"""A model file taken apart and put together again, with a checksum that fits or does not."""

import hashlib
import json
import struct

import numpy as np
import safetensors.numpy


def parted(raw):
    """The header as values, and the buffer."""
    (length,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def joined(header, buffer):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + buffer


def text_of(raw):
    """The package's JSON, without the line of the checksum."""
    return parted(raw)[0]["__metadata__"]["moodcore"].split("\n", 1)[1]


def with_text(raw, text, arrays=None):
    """The file with another text under the package's key, or other arrays; the checksum fits."""
    arrays = safetensors.numpy.load(raw) if arrays is None else arrays
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}\0{values.dtype.str}\0{values.shape}\0".encode() + values.tobytes())
    metadata = {"moodcore": f"{digest.hexdigest()}\n{text}"}
    return safetensors.numpy.save(arrays, metadata=metadata)


def changed(raw, keys, value):
    """The file with another value in the package's JSON, and nothing else wrong."""
    found = place = json.loads(text_of(raw))
    *way, last = keys.split(".")
    for key in way:
        place = place[int(key) if isinstance(place, list) else key]
    place[last] = value
    return with_text(raw, json.dumps(found))


def rewritten(raw, arrays):
    """The file with other arrays, and nothing else wrong."""
    return with_text(raw, text_of(raw), arrays)
