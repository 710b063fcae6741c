"""Speed of boosted trees compared with LightGBM, XGBoost, scikit-learn and CatBoost.

    pip install '.[bench]' && python benches/peers.py gbt

Every library trains the same number of rounds of trees with 31 leaves on the same rows with the
same number of threads, its own binning included. Learning rates are matched: the Hessian of
LightGBM's softmax is K / (K - 1) times ours, XGBoost's twice ours. The libraries alternate within
each round; the table shows the median over the rounds of each library's time divided by ours in the
same round, and its log loss on new rows. Libraries that are not installed are left out.

"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.metrics import log_loss

from moodcore import GBT

ROUNDS, LEAVES, RATE, THREADS = 100, 31, 0.1, 2


@dataclass(frozen=True)
class Shape:
    """A training task; a quarter as many new rows are predicted."""

    rows: int
    features: int
    classes: int

    def data(
        self, seed: int = 0, n_new: int | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return rows whose class depends on sines, products and noise."""
        rng = np.random.default_rng(seed)
        n_rows = self.rows + (max(self.rows // 4, 500) if n_new is None else n_new)
        X = rng.normal(size=(n_rows, self.features)).astype(np.float32)
        scores = rng.normal(size=(n_rows, self.classes)).astype(np.float32)
        for c in range(self.classes):
            effects = rng.normal(size=self.features).astype(np.float32) * 3
            effects /= np.sqrt(self.features)
            scores[:, c] += (np.sin(X * 2) * effects).sum(1)
            scores[:, c] += (X * np.roll(X, -1, axis=1) * effects[::-1]).sum(1) / 2
        y = scores.argmax(axis=1)
        return X[: self.rows], y[: self.rows], X[self.rows :], y[self.rows :]

    def __str__(self) -> str:
        return f"{self.rows} x {self.features}, {self.classes} classes"


SHAPES = (
    Shape(135_635, 10, 4),
    Shape(1_000_000, 28, 2),
    Shape(500_000, 54, 7),
    Shape(50_000, 200, 2),
    Shape(2_000, 20, 2),
)


def moodcore_model(shape: Shape) -> Any:
    return GBT(ROUNDS, max_leaves=LEAVES, learning_rate=RATE, n_jobs=THREADS, random_state=0)


LIGHTGBM_SETTINGS: dict[str, dict[str, Any]] = {
    f"{order}{', quantized gradients' if quantized else ''}": {
        order: True,
        "use_quantized_grad": quantized,
    }
    for order in ("force_row_wise", "force_col_wise")
    for quantized in (False, True)
}


def lightgbm_model(shape: Shape, setting: str = "force_row_wise", rounds: int = ROUNDS) -> Any:
    from lightgbm import LGBMClassifier

    rate = RATE * (shape.classes / (shape.classes - 1) if shape.classes > 2 else 1)
    return LGBMClassifier(
        n_estimators=rounds,
        num_leaves=LEAVES,
        learning_rate=rate,
        n_jobs=THREADS,
        verbose=-1,
        **LIGHTGBM_SETTINGS[setting],
    )


def fastest_setting(shape: Shape, X: np.ndarray, y: np.ndarray) -> str:
    """Return the setting with which LightGBM trains ten rounds in the shortest time."""
    seconds = {}
    for setting in LIGHTGBM_SETTINGS:
        begin = time.perf_counter()
        lightgbm_model(shape, setting, rounds=10).fit(X, y)
        seconds[setting] = time.perf_counter() - begin
    return min(seconds, key=seconds.__getitem__)


def xgboost_model(shape: Shape) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(
        n_estimators=ROUNDS,
        max_leaves=LEAVES,
        max_depth=0,
        grow_policy="lossguide",
        learning_rate=RATE * (2 if shape.classes > 2 else 1),
        tree_method="hist",
        n_jobs=THREADS,
    )


def sklearn_model(shape: Shape) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=ROUNDS, max_leaf_nodes=LEAVES, learning_rate=RATE, early_stopping=False
    )


def catboost_model(shape: Shape) -> Any:
    from catboost import CatBoostClassifier

    return CatBoostClassifier(
        iterations=ROUNDS,
        depth=5,
        learning_rate=RATE,
        thread_count=THREADS,
        verbose=False,
        allow_writing_files=False,
    )


PEERS: dict[str, tuple[str, Callable[[Shape], Any]]] = {
    "LightGBM": ("lightgbm", lightgbm_model),
    "XGBoost": ("xgboost", xgboost_model),
    "scikit-learn": ("sklearn", sklearn_model),
    "CatBoost": ("catboost", catboost_model),
}


@dataclass
class Times:
    """Seconds and log loss of one library in one round."""

    fit: float
    predict: float
    loss: float


def measure(make: Callable[[Shape], Any], shape: Shape, data: tuple[np.ndarray, ...]) -> Times:
    X, y, X_new, y_new = data
    model = make(shape)
    begin = time.perf_counter()
    model.fit(X, y)
    fitted = time.perf_counter()
    # The first call may build tables; a server sees the second.
    model.predict_proba(X_new[:1])
    before = time.perf_counter()
    probabilities = model.predict_proba(X_new)
    after = time.perf_counter()
    loss = log_loss(y_new, probabilities, labels=range(shape.classes))
    return Times(fitted - begin, after - before, loss)


# Values of a table from which one round is enough, and seconds from which a
# library is not measured again.
LARGE, SLOW = 10_000_000, 10.0


def run(rounds: int, quick: bool) -> None:
    """Print all tables, or the first with few rounds."""
    for shape in SHAPES[:1] if quick else SHAPES:
        compare(shape, 1 if shape.rows * shape.features > LARGE else rounds)


def compare(shape: Shape, rounds: int) -> None:
    data = shape.data()
    installed = {name: make for name, (module, make) in PEERS.items() if find_spec(module)}
    if "LightGBM" in installed:
        setting = fastest_setting(shape, *data[:2])
        print(f"\nLightGBM with {setting}:", end="")
        installed["LightGBM"] = partial(lightgbm_model, setting=setting)
    measure(moodcore_model, shape, data)
    ours, theirs = [], {name: [] for name in installed}
    for _ in range(rounds):
        ours.append(measure(moodcore_model, shape, data))
        for name, make in installed.items():
            if theirs[name] and theirs[name][0].fit > SLOW:
                continue
            theirs[name].append(measure(make, shape, data))
    fit = statistics.median(times.fit for times in ours)
    predict = statistics.median(times.predict for times in ours)
    print(
        f"\n{shape}: moodcore fits in {fit:.3f} s, predicts {len(data[2])} rows in "
        f"{1000 * predict:.1f} ms, log loss {ours[0].loss:.4f}"
    )
    for name, times in theirs.items():
        pairs = list(zip(times, ours, strict=False))
        fits = [peer.fit / reference.fit for peer, reference in pairs]
        predictions = [peer.predict / reference.predict for peer, reference in pairs]
        print(
            f"  {name:13s} fit {statistics.median(fits):6.2f} times as long "
            f"({min(fits):.2f} to {max(fits):.2f}), predict {statistics.median(predictions):6.1f} "
            f"({min(predictions):.1f} to {max(predictions):.1f}), log loss {times[0].loss:.4f}"
        )
    one_row(shape, data)


def one_row(shape: Shape, data: tuple[np.ndarray, ...]) -> None:
    """Print the time of the fast call for a single row."""
    model = moodcore_model(shape).fit(data[0][:20_000], data[1][:20_000])
    row = data[2][0].tolist()
    begin = time.perf_counter()
    for _ in range(2_000):
        model.predict_proba_row(row)
    print(f"  one row by predict_proba_row: {(time.perf_counter() - begin) / 2e-3:.1f} us")
