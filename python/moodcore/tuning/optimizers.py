"""Three optimizers on the same network and songs: the pictures of their losses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.runs.tasks import TaskPool
from moodcore.tuning.candidate import StoppedError

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_MOMENTUM = 0.9


@dataclass(frozen=True)
class OptimizerRun:
    """One training.

    Attributes
    ----------
    name : str
        The optimizer.
    epoch_loss : ndarray of shape (n_epochs,), float64
        Mean training loss of each epoch.
    update_loss : ndarray of shape (n_updates,), float32
        Training loss at each weight update.
    accuracy : float
        Training accuracy in the last epoch.
    """

    name: str
    epoch_loss: NDArray[np.float64]
    update_loss: NDArray[np.float32]
    accuracy: float


def variants(params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the arguments of `MLP` for each optimizer, all else as in `params`.

    Examples
    --------
    >>> for name, changed in variants({"batch_size": 64, "momentum": 0.0}).items():
    ...     print(name, changed["batch_size"], changed["momentum"])
    gradient descent full 0.0
    SGD 64 0.0
    SGD with momentum 64 0.9
    """
    base = {name: value for name, value in params.items() if name not in ("nesterov",)}
    batch_size = base.get("batch_size", 32)
    if batch_size == "full":
        batch_size = 32
    momentum = base.get("momentum") or DEFAULT_MOMENTUM
    return {
        "gradient descent": base | {"batch_size": "full", "momentum": 0.0},
        "SGD": base | {"batch_size": batch_size, "momentum": 0.0},
        "SGD with momentum": base | {"batch_size": batch_size, "momentum": momentum},
    }


def compare(
    X: NDArray[np.float32],
    y: NDArray[np.int64],
    params: Mapping[str, Any],
    *,
    seed: int,
    jobs: int,
    stop: threading.Event,
) -> list[OptimizerRun]:
    """Train the network of `params` with each optimizer from the same first weights.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float32
        Preprocessed, balanced training rows.
    y : ndarray of shape (n_rows,)
        Their labels.
    params : mapping of str to Any
        Arguments of `MLP`, among them `epochs`.
    seed : int
        The same for all three.
    jobs : int
        Threads.
    stop : threading.Event
        Set by someone else to end the training.

    Raises
    ------
    RunInterruptedError
        When the stop event is set.
    """
    from moodcore import MLP

    pool = TaskPool(jobs, stop)
    found: dict[str, OptimizerRun] = {}

    def on_poll() -> None:
        if pool.should_stop():
            raise StoppedError

    def task(name: str, arguments: dict[str, Any]) -> Callable[[], OptimizerRun | None]:
        def train() -> OptimizerRun | None:
            model = MLP(**arguments, record="update", n_jobs=1, random_state=seed)
            try:
                history = model.fit(X, y, on_poll=on_poll).history_
            except StoppedError:
                return None
            return OptimizerRun(
                name,
                np.asarray(history["loss"], dtype=np.float64),
                np.asarray(history["update_loss"], dtype=np.float32),
                float(history["accuracy"][-1]),
            )

        return train

    def tasks() -> Iterator[tuple[str, Callable[[], OptimizerRun | None]]]:
        for name, arguments in variants(params).items():
            yield name, task(name, arguments)

    pool.run(tasks(), found.__setitem__)
    return [found[name] for name in variants(params)]


def to_table(runs: list[OptimizerRun]) -> pd.DataFrame:
    """Return one row per optimizer; the losses are lists."""
    import pandas as pd

    return pd.DataFrame(
        {
            "optimizer": [run.name for run in runs],
            "epoch_loss": [run.epoch_loss for run in runs],
            "update_loss": [run.update_loss for run in runs],
            "accuracy": [run.accuracy for run in runs],
        }
    )
