from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

_Layers: TypeAlias = list[tuple[NDArray[np.float32], NDArray[np.float32]]]
_Samples: TypeAlias = tuple[NDArray[np.float32], NDArray[np.uint32], NDArray[np.float32] | None]

__all__ = [
    "__version__",
    "instruction_sets",
    "mlp_check",
    "mlp_defaults",
    "mlp_fit",
    "mlp_predict",
]

__version__: str

def instruction_sets() -> list[str]: ...
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
