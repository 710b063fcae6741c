"""Hashes of what must stay the same to the byte."""

import hashlib
import json
import re
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_LENGTH = 20


def hash_of(content: str | bytes) -> str:
    """Return the first digits of the SHA-256 of text or bytes."""
    raw = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(raw).hexdigest()[:_LENGTH]


def hash_of_values(values: Iterable[Any]) -> str:
    """Return the hash of numbers or text; of floats all bits count."""
    return hash_of("\n".join(map(repr, values)))


def tensor_hashes(path: Path) -> dict[str, str]:
    """Return the hash of each tensor of a safetensors file: its type, shape and bytes.

    The metadata of the header is left out, because the settings in it gain fields.
    """
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header, buffer = json.loads(raw[8 : 8 + length]), raw[8 + length :]
    header.pop("__metadata__", None)
    hashes = {}
    for name, entry in sorted(header.items()):
        begin, end = entry["data_offsets"]
        shape = "x".join(map(str, entry["shape"]))
        hashes[name] = hash_of(f"{entry['dtype']} {shape} ".encode() + buffer[begin:end])
    return hashes


def hash_of_source(code: str) -> str:
    """Return the hash of C or Rust source without its comments, blank lines and indentation."""
    code = re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)
    lines = (re.sub(r"//.*", "", line).strip() for line in code.splitlines())
    return hash_of("\n".join(line for line in lines if line))


def hash_of_onnx(path: Path) -> dict[str, str]:
    """Return hashes of the operators of an ONNX file and of its constants, and its outputs."""
    import onnx

    graph = onnx.load(path).graph
    operators = [
        (node.op_type, [attribute.SerializeToString(deterministic=True).hex()
                        for attribute in sorted(node.attribute, key=lambda item: item.name)])
        for node in graph.node
    ]  # fmt: skip
    constants = [
        (constant.data_type, list(constant.dims), onnx.numpy_helper.to_array(constant).tolist())
        for constant in graph.initializer
    ]
    return {
        "operators": hash_of(repr(operators)),
        "constants": hash_of(repr(constants)),
        "inputs": " ".join(value.name for value in graph.input),
        "outputs": " ".join(value.name for value in graph.output),
    }
