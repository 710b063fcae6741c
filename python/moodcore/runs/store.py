"""Results of jobs by key: in memory, or in files from which an interrupted run continues."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from moodcore.files import write_bytes

Result = TypeVar("Result")


class MemoryStore(Generic[Result]):
    """Results in memory."""

    def __init__(self) -> None:
        self._results: dict[str, Result] = {}

    def get(self, key: str) -> Result | None:
        """Return the result of a job, or None."""
        return self._results.get(key)

    def put(self, key: str, result: Result) -> None:
        """Keep the result of a job."""
        self._results[key] = result


class FolderStore(MemoryStore[Result]):
    """Results in the files of a folder, one per job, written atomically."""

    def __init__(
        self,
        path: Path,
        encode: Callable[[Result], bytes],
        decode: Callable[[bytes], Result],
        suffix: str,
    ) -> None:
        super().__init__()
        self._path = path
        self._encode = encode
        self._decode = decode
        self._suffix = suffix

    def get(self, key: str) -> Result | None:
        """Return the result of a job; None if there is none, or its file is damaged."""
        if (known := super().get(key)) is not None:
            return known
        try:
            result = self._decode(self._file(key).read_bytes())
        except (FileNotFoundError, ValueError):
            # The job is carried out again.
            return None
        super().put(key, result)
        return result

    def put(self, key: str, result: Result) -> None:
        """Write the result of a job to its file."""
        self._path.mkdir(exist_ok=True)
        write_bytes(self._file(key), self._encode(result))
        super().put(key, result)

    def _file(self, key: str) -> Path:
        # A readable part, and a hash because different keys may have the same readable part.
        readable = re.sub(r"[^A-Za-z0-9_.]+", "-", key)[:80]
        digest = hashlib.sha256(key.encode()).hexdigest()[:8]
        return self._path / f"{readable}-{digest}{self._suffix}"
