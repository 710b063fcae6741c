from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

_Layers: TypeAlias = list[tuple[NDArray[np.float32], NDArray[np.float32]]]
_SparseRows = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32], int]
_SvmRows: TypeAlias = (
    NDArray[np.float32]
    | NDArray[np.float64]
    | tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any], int]
)
_SvmKernel: TypeAlias = tuple[str, float, int, float]
_Sigmoids: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
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
    "GbtBinnedRows",
    "GbtModel",
    "LinearSvmModel",
    "MlpModel",
    "SvmModel",
    "__version__",
    "check",
    "defaults",
    "gbt_base",
    "gbt_fit",
    "gbt_probabilities",
    "gbt_repetitions",
    "gbt_sampled_rows",
    "instruction_sets",
    "linear_svm_fit",
    "mlp_fit",
    "svm_fit",
]

__version__: str

@final
class GbtBinnedRows:
    @property
    def n_rows(self) -> int: ...
    @staticmethod
    def learn(
        sample: _Table,
        repetitions: NDArray[np.uint32] | None,
        counts: Sequence[tuple[NDArray[np.float64], NDArray[np.uint64]] | None],
        n_rows: int,
        *,
        max_bin: int,
        threads: int = 1,
    ) -> GbtBinnedRows: ...
    @staticmethod
    def of_model(model: GbtModel, n_rows: int) -> GbtBinnedRows: ...
    def model(self) -> GbtModel: ...
    def like(self, n_rows: int) -> GbtBinnedRows: ...
    def append(self, table: _Table, *, threads: int = 1, instructions: str) -> None: ...
    def append_bins(self, bins: NDArray[np.uint8]) -> None: ...
    def bins(self) -> NDArray[np.uint8]: ...

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
    def probabilities(
        self,
        table: _Table,
        n_classes: int,
        *,
        start: NDArray[np.float64] | None = None,
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
    def row(self, values: Sequence[float], *, last: int | None = None) -> list[float]: ...
    def row_probabilities(
        self, values: Sequence[float], n_classes: int, *, last: int | None = None
    ) -> list[float]: ...
    def slice(self, first: int, last: int) -> GbtModel: ...

@final
class LinearSvmModel:
    def __new__(
        cls, coef: NDArray[np.float64], intercept: NDArray[np.float64]
    ) -> LinearSvmModel: ...
    @property
    def coef(self) -> NDArray[np.float64]: ...
    @property
    def intercept(self) -> NDArray[np.float64]: ...
    def decide(
        self, x: NDArray[np.float32] | _SparseRows, *, threads: int = 1, instructions: str
    ) -> NDArray[np.float64]: ...
    def classify(
        self,
        x: NDArray[np.float32] | NDArray[np.float64],
        threads: int,
        instructions: str,
    ) -> NDArray[np.int64] | None: ...

@final
class MlpModel:
    def __new__(
        cls,
        layers: _Layers,
        velocities: _Layers | None = None,
        n_epochs: int = 0,
        activation: str = "relu",
        squares: _Layers | None = None,
        n_updates: int = 0,
        n_networks: int = 1,
    ) -> MlpModel: ...
    @property
    def n_networks(self) -> int: ...
    @property
    def hidden_sizes(self) -> list[int]: ...
    @property
    def activation(self) -> str: ...
    @property
    def n_updates(self) -> int: ...
    def squares(self) -> _Layers | None: ...
    @property
    def n_epochs(self) -> int: ...
    def layers(self) -> _Layers: ...
    def velocities(self) -> _Layers: ...
    def scores(
        self, x: NDArray[np.float32], *, kind: str, threads: int = 1, instructions: str
    ) -> NDArray[np.float64]: ...

@final
class SvmModel:
    def __new__(
        cls,
        kernel: _SvmKernel,
        n_support: NDArray[np.uint32],
        vectors: _SvmRows,
        dual_coef: NDArray[np.float64],
        intercept: NDArray[np.float64],
        sigmoids: _Sigmoids,
    ) -> SvmModel: ...
    @property
    def coef0(self) -> float: ...
    @property
    def degree(self) -> int: ...
    @property
    def dual_coef(self) -> NDArray[np.float64]: ...
    @property
    def gamma(self) -> float: ...
    @property
    def intercept(self) -> NDArray[np.float64]: ...
    @property
    def kernel(self) -> str: ...
    @property
    def n_support(self) -> NDArray[np.uint32]: ...
    @property
    def sigmoids(self) -> _Sigmoids: ...
    @property
    def vectors(self) -> NDArray[Any] | tuple[NDArray[Any], NDArray[Any], NDArray[Any], int]: ...
    def decide(
        self,
        rows: _SvmRows,
        *,
        threads: int = 1,
        instructions: str,
    ) -> NDArray[np.float64]: ...
    def probabilities(self, decisions: NDArray[np.float64]) -> NDArray[np.float64]: ...

def check(learner: str, params: str, *, callable: str | None = None) -> None: ...
def defaults(learner: str) -> str: ...
def gbt_base(shares: Sequence[float]) -> list[float]: ...
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
    on_round: Callable[[int, list[list[float]], tuple[float, float]], bool] | None = None,
    on_poll: Callable[[], object] | None = None,
    shard: dict[str, Any] | None = None,
    resume: tuple[int, list[list[list[float]]], int | None, float | None] | None = None,
    checkpoint: tuple[int, Callable[..., object]] | None = None,
) -> dict[str, Any]: ...
def gbt_repetitions(weight: NDArray[np.float64]) -> NDArray[np.uint32]: ...
def gbt_sampled_rows(n_rows: int) -> NDArray[np.uint32] | None: ...
def gbt_probabilities(
    margins: NDArray[np.float64], n_classes: int, *, log: bool = False
) -> NDArray[np.float64]: ...
def instruction_sets() -> list[str]: ...
def linear_svm_fit(
    params: str,
    train: _Samples | tuple[_SparseRows, NDArray[np.uint32], NDArray[np.float32] | None],
    n_classes: int,
    *,
    class_weight: NDArray[np.float64] | None = None,
    seed: int = 0,
    threads: int = 1,
    instructions: str,
    on_poll: Callable[[], object] | None = None,
) -> dict[str, Any]: ...
def mlp_fit(
    params: str,
    train: _Samples,
    n_classes: int,
    *,
    total_weight: float | None = None,
    evaluate: _Samples | None = None,
    start: MlpModel | None = None,
    seed: int = 0,
    threads: int = 1,
    instructions: str,
    on_epoch: Callable[[dict[str, Any]], bool] | None = None,
    on_poll: Callable[[], object] | None = None,
) -> dict[str, Any]: ...
def svm_fit(
    params: str,
    train: tuple[_SvmRows, NDArray[np.uint32], NDArray[np.float32] | None],
    n_classes: int,
    *,
    seed: int = 0,
    threads: int = 1,
    instructions: str,
    on_poll: Callable[[], object] | None = None,
) -> dict[str, Any]: ...
