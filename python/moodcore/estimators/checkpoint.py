"""Checkpoints of training: a model file every few rounds, from which training resumes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from moodcore.estimators.gbt.estimator import GBT

# Parameters that may differ when training resumes: they do not change the trees of a round, or are
# not stored in model files.
_FREE = frozenset(
    {"n_estimators", "n_jobs", "verbose", "warm_start", "callbacks", "random_state"}
    | {"objective", "eval_metric", "class_weight"}
)


class Checkpoint:
    """Write a model file every few rounds, from which training resumes to the same bytes.

    Pass it in ``callbacks`` of `GBT`. If the file exists when `fit` is called, training resumes
    after the last round in the file, and the model is the same as after a training that was never
    interrupted. The file is an ordinary model file, which :func:`moodcore.load` reads.

    Parameters
    ----------
    path : path
        Path of the model file. The file is replaced atomically, and kept after training.
    every : int, default=10
        Number of rounds between two writes of the file, at least 1.
    resume : bool, default=True
        Whether to resume from the file if it exists. Parameters (except the number of rounds),
        rows, labels, weights and evaluation sets must be the same; `fit` raises a ValueError if
        bins, class frequencies or metrics differ. If False, training starts from the first round
        and replaces the file.

    Raises
    ------
    ValueError, TypeError
        If ``every`` is not an int of at least 1, or ``resume`` not a bool.

    Notes
    -----
    ``boosting="dart"`` is refused: it cannot be resumed, because the margins of a round depend on
    all scalings of earlier trees. Columns and bins are compared, but not the values of each row.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from moodcore import GBT, Checkpoint, load
    >>> path = Path(tempfile.mkdtemp()) / "checkpoint.safetensors"
    >>> X, y = [[float(row)] for row in range(60)], [row // 20 for row in range(60)]
    >>> whole = GBT(10, random_state=0).fit(X, y)
    >>> GBT(4, random_state=0, callbacks=[Checkpoint(path, every=2)]).fit(X, y).n_iter_
    4
    >>> rest = GBT(10, random_state=0, callbacks=[Checkpoint(path, every=2)]).fit(X, y)
    >>> bool((rest.predict_proba(X) == whole.predict_proba(X)).all())
    True
    """

    def __init__(
        self, path: str | os.PathLike[str], every: int = 10, *, resume: bool = True
    ) -> None:
        if not isinstance(every, int | np.integer) or isinstance(every, bool) or every < 1:
            raise ValueError(f"every must be an int of at least 1, got {every!r}")
        if not isinstance(resume, bool | np.bool_):
            raise TypeError(f"resume must be a bool, got {resume!r}")
        self.path, self.every, self.resume = Path(path), int(every), bool(resume)

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.path)!r}, every={self.every}, resume={self.resume})"

    def __call__(self, record: dict[str, Any]) -> None:
        """Ignore the metrics of a round; `fit` writes the file."""

    def load(self, model: GBT) -> GBT | None:
        """Return the model from which training resumes, or None if there is no file.

        Raises
        ------
        ValueError
            If the file contains another kind of model, or one with other parameters.
        """
        if not self.resume or not self.path.exists():
            return None
        resumed = import_module("moodcore.model_files").load(self.path)
        if type(resumed).__name__ != "GBT":
            raise ValueError(f"{self.path}: must be a GBT, got {type(resumed).__name__}")
        theirs = resumed.get_params(deep=False)
        for name, value in model.get_params(deep=False).items():
            automatic = [isinstance(v, str) for v in (value, theirs[name])]
            differs = _plain(value) != _plain(theirs[name]) and name not in _FREE
            if differs or (name == "n_estimators" and automatic[0] != automatic[1]):
                raise self.error(f"{name}={theirs[name]!r}, got {value!r}")
        return resumed

    def check(self, model: GBT, resumed: GBT) -> None:
        """Raise a ValueError unless columns and classes of both models are the same."""
        ours, theirs = model.table_schema_, resumed.table_schema_
        if (ours.names, ours.categorical, ours.categories) != (
            theirs.names,
            theirs.categorical,
            theirs.categories,
        ):
            raise self.error("other columns or categories")
        if model.classes_.tolist() != resumed.classes_.tolist():
            raise self.error(
                f"the classes {resumed.classes_.tolist()}, got {model.classes_.tolist()}"
            )

    def error(self, what: str) -> ValueError:
        """Return the error for a file that was written by another training."""
        return ValueError(
            f"{self.path}: the checkpoint was written by a training with {what}; training resumes "
            "with the same parameters and data only: delete the file, or pass resume=False"
        )


def checkpoint_of(callbacks: Sequence[Any] | None) -> Checkpoint | None:
    """Return the checkpoint among the callbacks, if any.

    Raises
    ------
    ValueError
        If there is more than one.
    """
    checkpoints = [entry for entry in callbacks or () if isinstance(entry, Checkpoint)]
    if len(checkpoints) > 1:
        raise ValueError(f"callbacks must contain at most one Checkpoint, got {len(checkpoints)}")
    return checkpoints[0] if checkpoints else None


def _plain(value: Any) -> str:
    """Return a parameter as text that does not depend on the types of lists and numbers."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple | range):
        return repr([_plain(entry) for entry in value])
    if isinstance(value, dict):
        return repr(sorted((str(key), _plain(entry)) for key, entry in value.items()))
    return repr(float(value)) if isinstance(value, int) else repr(value)
