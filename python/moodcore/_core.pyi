from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

_Layers: TypeAlias = list[tuple[NDArray[np.float32], NDArray[np.float32]]]
_Samples: TypeAlias = tuple[NDArray[np.float32], NDArray[np.uint32], NDArray[np.float32] | None]

# Contiguous by rows or by columns, or contiguous columns; NaN is missing, categories are codes.
_Table: TypeAlias = NDArray[Any] | Sequence[NDArray[Any]]
# Table, class codes, weights, base margins of shape (n_rows, n_outputs).
_Labelled: TypeAlias = tuple[
    _Table, NDArray[np.uint32], NDArray[np.float64] | None, NDArray[np.float64] | None
]
# Name, whether larger is better, and the callable of (set, margins) where the core has none.
_Metric: TypeAlias = tuple[str, bool, Callable[[int, NDArray[np.float64]], float] | None]
_Objective: TypeAlias = Callable[
    [NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]
]

__all__ = [
    "GbtModel",
    "__version__",
    "gbt_base",
    "gbt_check",
    "gbt_defaults",
    "gbt_fit",
    "gbt_probabilities",
    "instruction_sets",
    "linear_svm_check",
    "linear_svm_defaults",
    "linear_svm_fit",
    "mlp_check",
    "mlp_defaults",
    "mlp_fit",
    "mlp_predict",
    "svm_check",
    "svm_decide",
    "svm_defaults",
    "svm_fit",
    "svm_probabilities",
]

__version__: str

@final
class GbtModel:
    def __new__(cls, arrays: dict[str, NDArray[Any]]) -> GbtModel: ...
    @property
    def base(self) -> list[float]: ...
    @property
    def n_features(self) -> int: ...
    @property
    def n_outputs(self) -> int: ...
    @property
    def n_rounds(self) -> int: ...
    @property
    def trees_per_round(self) -> int: ...
    def arrays(self) -> dict[str, NDArray[Any]]: ...
    def margins(
        self,
        table: _Table,
        *,
        start: NDArray[np.float64] | None = None,
        first: int = 0,
        last: int | None = None,
        threads: int = 1,
        instructions: str,
    ) -> NDArray[np.float64]: ...
    def leaves(
        self,
        table: _Table,
        *,
        first: int = 0,
        last: int | None = None,
        threads: int = 1,
        instructions: str,
    ) -> NDArray[np.uint32]: ...
    def contributions(
        self,
        table: _Table,
        *,
        first: int = 0,
        last: int | None = None,
        threads: int = 1,
        instructions: str,
    ) -> NDArray[np.float64]: ...
    def row(self, values: Sequence[float]) -> list[float]: ...
    def row_probabilities(self, values: Sequence[float], n_classes: int) -> list[float]: ...
    def slice(self, first: int, last: int) -> GbtModel: ...

def gbt_base(shares: Sequence[float]) -> list[float]: ...
def gbt_check(params: str) -> None: ...
def gbt_defaults() -> str: ...
def gbt_fit(
    params: str,
    train: _Labelled,
    n_classes: int,
    *,
    categorical: list[bool],
    base: list[float] | None = None,
    start: GbtModel | None = None,
    evaluate: Sequence[_Labelled] = ...,
    metrics: Sequence[_Metric] = ...,
    objective: _Objective | None = None,
    seed: int = 0,
    threads: int = 1,
    instructions: str,
    on_round: Callable[[int, list[list[float]]], bool | None] | None = None,
    on_poll: Callable[[], object] | None = None,
) -> dict[str, Any]: ...
def gbt_probabilities(
    margins: NDArray[np.float64], n_classes: int, *, log: bool = False
) -> NDArray[np.float64]: ...
def instruction_sets() -> list[str]: ...
def linear_svm_check(params: str) -> None: ...
def linear_svm_defaults() -> str: ...
def linear_svm_fit(
    params: str,
    train: _Samples,
    n_classes: int,
    *,
    class_weight: NDArray[np.float64] | None = None,
    seed: int = 0,
    threads: int = 1,
    instructions: str,
    on_poll: Callable[[], object] | None = None,
) -> dict[str, Any]: ...
def mlp_check(params: str) -> None: ...
def mlp_defaults() -> str: ...
def mlp_fit(
    params: str,
    train: _Samples,
    n_classes: int,
    *,
    evaluate: _Samples | None = None,
    state: tuple[_Layers, _Layers, int] | None = None,
    seed: int = 0,
    threads: int = 1,
    instructions: str,
    on_epoch: Callable[[dict[str, Any]], object] | None = None,
    on_poll: Callable[[], object] | None = None,
) -> dict[str, Any]: ...
def mlp_predict(
    layers: _Layers,
    x: NDArray[np.float32],
    *,
    kind: str,
    threads: int = 1,
    instructions: str,
) -> NDArray[np.float64]: ...
def svm_check(params: str) -> None: ...
def svm_decide(
    params: str,
    gamma: float,
    machine: tuple[NDArray[np.uint32], NDArray[np.float64], NDArray[np.float64]],
    vectors: NDArray[np.float32] | NDArray[np.uint32],
    rows: NDArray[np.float32] | NDArray[np.float64],
    *,
    threads: int = 1,
    instructions: str,
    on_poll: Callable[[], object] | None = None,
) -> NDArray[np.float64]: ...
def svm_defaults() -> str: ...
def svm_fit(
    params: str,
    train: tuple[
        NDArray[np.float32] | NDArray[np.float64],
        NDArray[np.uint32],
        NDArray[np.float32] | None,
    ],
    n_classes: int,
    cs: Sequence[float],
    *,
    start: tuple[list[NDArray[np.float64]], float] | None = None,
    seed: int = 0,
    threads: int = 1,
    instructions: str,
    on_poll: Callable[[], object] | None = None,
) -> list[dict[str, Any]]: ...
def svm_probabilities(
    decisions: NDArray[np.float64],
    sigmoids: tuple[NDArray[np.float64], NDArray[np.float64]],
    n_classes: int,
) -> NDArray[np.float64]: ...
