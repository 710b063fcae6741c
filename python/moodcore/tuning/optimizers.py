"""Losses of three optimizers on the same network and rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.errors import RunFailedError
from moodcore.estimators.progress import polled
from moodcore.runs.interrupts import StoppedError
from moodcore.runs.run import Execution

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_MOMENTUM = 0.9


@dataclass(frozen=True)
class OptimizerRun:
    """One training; its last losses are NaN if it diverged in the first epoch."""

    name: str
    epoch_loss: NDArray[np.float64]
    update_loss: NDArray[np.float32]
    accuracy: float


def variants(params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the arguments of `MLP` for each optimizer, all else as in `params`.

    All three are forms of gradient descent, also if `params` name Adam.

    Examples
    --------
    >>> for name, changed in variants({"batch_size": 64, "momentum": 0.0}).items():
    ...     print(name, changed["optimizer"], changed["batch_size"], changed["momentum"])
    gradient descent sgd full 0.0
    SGD sgd 64 0.0
    SGD with momentum sgd 64 0.9
    """
    base = {name: value for name, value in params.items() if name != "nesterov"}
    base["optimizer"] = "sgd"
    batch_size = base.get("batch_size", 32)
    if batch_size == "full":
        batch_size = 32
    momentum = base.get("momentum") or DEFAULT_MOMENTUM
    return {
        "gradient descent": base | {"batch_size": "full", "momentum": 0.0},
        "SGD": base | {"batch_size": batch_size, "momentum": 0.0},
        "SGD with momentum": base | {"batch_size": batch_size, "momentum": momentum},
    }


@dataclass(frozen=True)
class OptimizerJob:
    """Training with one optimizer."""

    key: str
    arguments: dict[str, Any]
    seed: int
    shared: str = "rows"

    @property
    def group(self) -> str:
        """No two jobs are cancelled together."""
        return self.key

    def run(
        self, shared: tuple[NDArray[np.float32], NDArray[Any]], should_stop: Callable[[], bool]
    ) -> OptimizerRun | None:
        """Train on all rows; None if it was stopped."""
        from moodcore import MLP

        def on_poll() -> None:
            if should_stop():
                raise StoppedError

        model = MLP(**self.arguments, record="update", n_jobs=1, random_state=self.seed)
        try:
            with polled(on_poll):
                history = model.fit(*shared).history_
        except StoppedError:
            return None
        curves = [history[name] for name in ("loss", "update_loss", "accuracy")]
        if not len(history["loss"]):
            # Divergence in the first epoch: without this, no loss of an epoch, and perhaps of no
            # update.
            curves = [np.append(curve, math.nan) for curve in curves]
        loss, update_loss, accuracy = curves
        return OptimizerRun(
            self.key,
            np.asarray(loss, dtype=np.float64),
            np.asarray(update_loss, dtype=np.float32),
            float(accuracy[-1]),
        )

    def failure(self, reason: str) -> OptimizerRun:
        """Raise the reason: there is no comparison without one of the optimizers."""
        raise RunFailedError(f"training with {self.key} failed: {reason}")


def compare(
    X: NDArray[np.float32],
    y: NDArray[Any],
    params: Mapping[str, Any],
    *,
    seed: int,
    execution: Execution,
) -> list[OptimizerRun]:
    """Train the network of `params` with each optimizer from the same first weights.

    Raises
    ------
    RunInterruptedError
        When the run is stopped.
    """
    found: dict[str, OptimizerRun] = {}
    jobs = [OptimizerJob(name, arguments, seed) for name, arguments in variants(params).items()]
    with execution.executor({"rows": (X, y)}) as executor:
        executor.run(iter(jobs), lambda job, result: found.update({job.key: result}))
    return [found[job.key] for job in jobs]


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
