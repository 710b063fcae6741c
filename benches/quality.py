"""How well boosted trees learn by default: log loss on new rows beside every peer installed.

    pip install '.[bench]' && python benches/quality.py

Each table is split five times; all contestants grow 100 rounds and have their defaults otherwise.
The table shows the mean log loss and its 95 % interval over the splits, and the mean rank. With
`--early-stopping` each stops by its own means on the same rows that are set aside. With
`--equal 20` all have the same parameters instead, on so many generated tables of 2,000 rows: the
mean difference from scikit-learn's, whose second derivatives are ours, and its interval.
"""

import argparse
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from moodcore import GBT, songs

ROUNDS, SPLITS, PATIENCE = 100, 5, 20
Table = tuple[pd.DataFrame, np.ndarray]


def generated(kind: str, n_rows: int = 3000) -> Table:
    """Rows of one nature: what the classes depend on, and how."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(n_rows, 12))
    noise = rng.logistic(size=n_rows)
    frame = pd.DataFrame(X, columns=[f"x{at}" for at in range(12)])
    if kind == "additive":
        score = 2 * np.sin(X[:, 0] * 2) + X[:, 1] ** 2 - 1 + X[:, 2] + noise
    elif kind == "products":
        score = 3 * X[:, 0] * X[:, 1] + 2 * X[:, 2] * X[:, 3] + noise
    elif kind == "rotated":
        score = 1.5 * X @ rng.normal(size=12) + noise
    elif kind == "many classes":
        centres = rng.normal(size=(12, 12))
        return frame, np.argmax(X @ centres.T + rng.gumbel(size=(n_rows, 12)), axis=1)
    elif kind == "imbalanced":
        score = 2 * X[:, 0] + X[:, 1] * X[:, 2] + noise - 5
    elif kind == "noisy labels":
        score = np.where(rng.random(n_rows) < 0.25, noise, 4 * X[:, 0] + X[:, 1])
    elif kind == "missing":
        score = 2 * X[:, 0] + X[:, 1] * X[:, 2] + noise
        frame = frame.mask(rng.random(X.shape) < 0.3)
    else:
        codes = rng.integers(0, 30, size=(n_rows, 4))
        effects = rng.normal(size=(4, 30)) * 1.5
        score = sum(effects[at][codes[:, at]] for at in range(4)) + X[:, 0] + noise
        for at in range(4):
            frame[f"c{at}"] = pd.Categorical.from_codes(codes[:, at], [f"v{n}" for n in range(30)])
    return frame, (score > 0).astype(int)


def tables() -> dict[str, Table]:
    found: dict[str, Table] = {}
    for name in ("breast_cancer", "digits", "wine", "iris"):
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True, as_frame=True)
        found[name] = X, y.to_numpy()
    kinds = ("additive", "products", "rotated", "many classes", "imbalanced", "noisy labels")
    for kind in (*kinds, "missing", "categories"):
        found[kind] = generated(kind)
    X, y = songs.synthesize(4000, random_state=0)
    found["songs"] = X[list(songs.FEATURES)], np.asarray(y)
    return found


Held = tuple[pd.DataFrame, np.ndarray]


def moodcore_model(X: pd.DataFrame, y: np.ndarray, held: Held | None) -> Any:
    model = GBT(ROUNDS, early_stopping_rounds=PATIENCE if held else None, n_jobs=2, random_state=0)
    return model.fit(X, y, eval_set=held)


def lightgbm_model(X: pd.DataFrame, y: np.ndarray, held: Held | None) -> Any:
    from lightgbm import LGBMClassifier, early_stopping

    model = LGBMClassifier(n_estimators=ROUNDS, n_jobs=2, verbose=-1)
    if held is None:
        return model.fit(X, y)
    stop = early_stopping(PATIENCE, verbose=False)
    return model.fit(X, y, eval_set=[held], callbacks=[stop])


def xgboost_model(X: pd.DataFrame, y: np.ndarray, held: Held | None) -> Any:
    from xgboost import XGBClassifier

    stop = {"early_stopping_rounds": PATIENCE} if held else {}
    model = XGBClassifier(n_estimators=ROUNDS, n_jobs=2, enable_categorical=True, **stop)
    return model.fit(X, y, eval_set=[held] if held else None, verbose=False)


def sklearn_model(X: pd.DataFrame, y: np.ndarray, held: Held | None) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=ROUNDS, early_stopping=held is not None, n_iter_no_change=PATIENCE, random_state=0
    )
    return model.fit(X, y) if held is None else model.fit(X, y, X_val=held[0], y_val=held[1])


def catboost_model(X: pd.DataFrame, y: np.ndarray, held: Held | None) -> Any:
    from catboost import CatBoostClassifier

    stop = {"early_stopping_rounds": PATIENCE} if held else {}
    model = CatBoostClassifier(
        iterations=ROUNDS, thread_count=2, verbose=False, allow_writing_files=False, **stop
    )
    words = [name for name in X.columns if isinstance(X[name].dtype, pd.CategoricalDtype)]
    return model.fit(X, y, cat_features=words, eval_set=held)


CONTESTANTS: dict[str, tuple[str, Callable[..., Any]]] = {
    "moodcore": ("moodcore", moodcore_model),
    "LightGBM": ("lightgbm", lightgbm_model),
    "XGBoost": ("xgboost", xgboost_model),
    "scikit-learn": ("sklearn", sklearn_model),
    "CatBoost": ("catboost", catboost_model),
}


def losses(table: Table, contestants: dict[str, Callable[..., Any]], stop: bool) -> pd.DataFrame:
    X, y = table
    rows = []
    for split in range(SPLITS):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.3, stratify=y, random_state=split
        )
        held = None
        if stop:
            X_train, X_held, y_train, y_held = train_test_split(
                X_train, y_train, test_size=0.2, stratify=y_train, random_state=split
            )
            held = X_held, y_held
        row = {}
        for name, make in contestants.items():
            probabilities = make(X_train, y_train, held).predict_proba(X_test)
            row[name] = log_loss(y_test, probabilities, labels=np.unique(y))
        rows.append(row)
    return pd.DataFrame(rows)


def equal_models() -> dict[str, Callable[[], Any]]:
    """Give models with the same leaves, rate, penalties and least rows a leaf."""
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier
    from xgboost import XGBClassifier

    leafwise = {"max_leaves": 31, "max_depth": 0, "grow_policy": "lossguide"}
    return {
        "moodcore": lambda: GBT(ROUNDS, n_jobs=2, random_state=0),
        "scikit-learn": lambda: HistGradientBoostingClassifier(
            max_iter=ROUNDS, l2_regularization=1.0, early_stopping=False
        ),
        "LightGBM": lambda: LGBMClassifier(
            n_estimators=ROUNDS, reg_lambda=1.0, n_jobs=2, verbose=-1
        ),
        "XGBoost": lambda: XGBClassifier(
            n_estimators=ROUNDS, learning_rate=0.1, min_child_weight=1e-3, n_jobs=2, **leafwise
        ),
    }


def compare_equal(n_tables: int) -> None:
    from peers_gbt import Shape
    from scipy.stats import t

    found: dict[str, list[float]] = {}
    for seed in range(n_tables):
        X, y, X_test, y_test = Shape(2000, 20, 2).data(seed, n_new=2000)
        for name, make in equal_models().items():
            probabilities = make().fit(X, y).predict_proba(X_test)
            found.setdefault(name, []).append(log_loss(y_test, probabilities))
    frame = pd.DataFrame(found)
    differences = frame.sub(frame["scikit-learn"], axis=0)
    half = t.ppf(0.975, n_tables - 1) * differences.std() / np.sqrt(n_tables)
    print(f"{'':14s}{'log loss':>10s}{'less scikit-learn':>24s}")
    for name in frame:
        difference = f"{differences[name].mean():+.4f} +- {half[name]:.4f}"
        print(f"{name:14s}{frame[name].mean():10.4f}{difference:>24s}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--early-stopping", action="store_true")
    parser.add_argument("--equal", type=int, metavar="TABLES", help="same parameters for all")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.equal:
        compare_equal(arguments.equal)
        return
    contestants = {name: make for name, (module, make) in CONTESTANTS.items() if find_spec(module)}
    ranks = []
    print(f"{'log loss':14s}" + "".join(f"{name:>20s}" for name in contestants))
    for name, table in tables().items():
        found = losses(table, contestants, arguments.early_stopping)
        half = 2.776 * found.std() / np.sqrt(SPLITS)  # Student's t, four degrees of freedom
        cells = (f"{found[one].mean():.4f} +- {half[one]:.4f}" for one in found)
        print(f"{name:14s}" + "".join(f"{cell:>20s}" for cell in cells), flush=True)
        ranks.append(found.mean().rank())
    mean = pd.DataFrame(ranks).mean()
    print(f"{'mean rank':14s}" + "".join(f"{mean[name]:>20.2f}" for name in contestants))


if __name__ == "__main__":
    main()
