"""Models of the quality benchmark, and the tables they are trained on.

Every model has the defaults of its library. Categories are passed as such where the library takes
them; the others get one-hot columns, imputed and standardized.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import moodcore
from moodcore import GBT, MLP, SVM, songs

# Training rows of kernel SVMs, whose time grows with the square of the rows.
KERNEL_ROWS = 10_000


@dataclass(frozen=True)
class Table:
    """Features and class labels of one benchmark table."""

    name: str
    X: pd.DataFrame
    y: np.ndarray


@dataclass(frozen=True)
class Model:
    """A classifier by name: how its columns are prepared and how it is constructed."""

    preparation: str
    make: Callable[[dict[str, Any], list[str], int], Any]
    max_rows: int | None = None


def is_text(column: pd.Series) -> bool:
    """Return whether a column holds categories."""
    return not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column))


def read_tables(folder: Path, target: str) -> list[Table]:
    """Read every Parquet and CSV file of a folder, the smallest first."""
    tables = []
    for path in sorted([*folder.glob("*.parquet"), *folder.glob("*.csv")]):
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        y = pd.factorize(frame[target], sort=True)[0]
        X = frame.drop(columns=target)
        # LightGBM refuses some characters in names.
        X.columns = [f"{at}_{re.sub(r'[^A-Za-z0-9]', '_', str(name))}" for at, name in enumerate(X)]
        for name in X:
            dtype = "category" if is_text(X[name]) else "float64"
            X[name] = X[name].astype(dtype)
        tables.append(Table(path.stem, X, y))
    return sorted(tables, key=lambda table: table.X.size * np.unique(table.y).size)


def generated_table(kind: str, n_rows: int = 3000) -> Table:
    """Draw a table whose classes depend on the features in the way that ``kind`` names."""
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
        centers = rng.normal(size=(12, 12))
        y = np.argmax(X @ centers.T + rng.gumbel(size=(n_rows, 12)), axis=1)
        return Table(kind, frame, y)
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
    return Table(kind, frame, (score > 0).astype(int))


def bundled_tables() -> list[Table]:
    """Return four tables of scikit-learn, eight generated ones and synthetic songs."""
    tables = []
    for name in ("breast_cancer", "digits", "wine", "iris"):
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True, as_frame=True)
        tables.append(Table(name, X, y.to_numpy()))
    kinds = ("additive", "products", "rotated", "many classes", "imbalanced", "noisy labels")
    tables += [generated_table(kind) for kind in (*kinds, "missing", "categories")]
    X, y = songs.synthesize(4000, random_state=0)
    tables.append(Table("songs", X[list(songs.FEATURES)], np.unique(y, return_inverse=True)[1]))
    return tables


def prepare(kind: str, train: pd.DataFrame, test: pd.DataFrame) -> tuple[Any, Any]:
    """Prepare training and test columns for a library; everything is fitted on ``train``."""
    text = [name for name in train if is_text(train[name])]
    numbers = [name for name in train if name not in text]
    if kind == "categories":
        return train, test
    if kind == "words":  # CatBoost takes text without missing values.
        words = {name: lambda frame, name=name: frame[name].astype(object).fillna("missing")
                 for name in text}  # fmt: skip
        return train.assign(**words), test.assign(**words)
    if kind == "few categories":  # scikit-learn takes at most 255 of them.
        codes = {name: lambda frame, name=name: frame[name].cat.codes.astype("float64")
                 for name in text if train[name].nunique() > 255}  # fmt: skip
        return train.assign(**codes), test.assign(**codes)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    if kind == "one-hot":
        steps = ColumnTransformer([("numbers", "passthrough", numbers), ("text", one_hot, text)])
    else:
        scaled = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
        )
        steps = ColumnTransformer([("numbers", scaled, numbers), ("text", one_hot, text)])
    return steps.fit_transform(train).astype(np.float32), steps.transform(test).astype(np.float32)


def lightgbm(parameters: dict[str, Any], text: list[str], threads: int) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_jobs=threads, verbose=-1, **parameters)


def xgboost(parameters: dict[str, Any], text: list[str], threads: int) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(n_jobs=threads, enable_categorical=True, **parameters)


def catboost(parameters: dict[str, Any], text: list[str], threads: int) -> Any:
    from catboost import CatBoostClassifier

    fixed = {"thread_count": threads, "verbose": False, "allow_writing_files": False}
    return CatBoostClassifier(cat_features=text, **fixed, **parameters)


def histogram_boosting(parameters: dict[str, Any], text: list[str], threads: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=0, **parameters)


def random_forest(parameters: dict[str, Any], text: list[str], threads: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_jobs=threads, random_state=0, **parameters)


def sklearn_mlp(parameters: dict[str, Any], text: list[str], threads: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(random_state=0, **parameters)


def sklearn_svc(parameters: dict[str, Any], text: list[str], threads: int) -> Any:
    from sklearn.svm import SVC

    return SVC(probability=True, random_state=0, **parameters)


def logistic(parameters: dict[str, Any], text: list[str], threads: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(**parameters)


class Tuned:
    """The saved model of `moodcore.tune`, which holds out a fifth of the rows for its own test."""

    def __init__(self, family: str, given: dict[str, Any], threads: int) -> None:
        self._settings = {"model": family, "metric": "log_loss", "n_jobs": threads, **given}

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> "Tuned":
        """Search and keep the saved model."""
        self._model = moodcore.tune(X.reset_index(drop=True), y, **self._settings).best_model
        self.classes_ = self._model.classes_
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Return the probabilities of the saved model."""
        return self._model.predict_proba(X)


def tuned(family: str) -> Model:
    return Model("categories", lambda given, text, threads: Tuned(family, given, threads))


MODELS = {
    "gbt": Model(
        "categories",
        lambda given, text, threads: GBT(**{"n_jobs": threads, "random_state": 0, **given}),
    ),
    "catboost": Model("words", catboost),
    "lightgbm": Model("categories", lightgbm),
    "xgboost": Model("categories", xgboost),
    "histgb": Model("few categories", histogram_boosting),
    "forest": Model("one-hot", random_forest),
    "mlp": Model(
        "standardized",
        lambda given, text, threads: MLP(**{"n_jobs": threads, "random_state": 0, **given}),
    ),
    "svm": Model(
        "standardized",
        lambda given, text, threads: SVM(
            **{"probability": True, "n_jobs": threads, "random_state": 0, **given}
        ),
        KERNEL_ROWS,
    ),
    "sklearn_mlp": Model("standardized", sklearn_mlp),
    "svc": Model("standardized", sklearn_svc, KERNEL_ROWS),
    "logistic": Model("standardized", logistic),
    "tune_gbt": tuned("gbt"),
    "tune_mlp": tuned("mlp"),
    "tune_all": tuned("all"),
}

# The same number of leaves, rate, penalty and minimum rows in every library. The second
# derivatives of scikit-learn are ours; XGBoost and LightGBM scale theirs for more than two classes.
EQUAL = {
    "gbt": {
        "n_estimators": 100,
        "learning_rate": 0.1,
        "max_leaves": 31,
        "min_child_samples": 20,
        "reg_lambda": 1.0,
    },
    "histgb": {"max_iter": 100, "l2_regularization": 1.0, "early_stopping": False},
    "lightgbm": {"n_estimators": 100, "reg_lambda": 1.0},
    "xgboost": {
        "n_estimators": 100,
        "learning_rate": 0.1,
        "min_child_weight": 1e-3,
        "max_leaves": 31,
        "max_depth": 0,
        "grow_policy": "lossguide",
    },
}

GROUPS = {
    "boosters": ["gbt", "catboost", "lightgbm", "xgboost", "histgb", "forest"],
    "networks": ["mlp", "svm", "sklearn_mlp", "svc", "logistic"],
    "equal": list(EQUAL),
    "tuned": ["gbt", "tune_gbt", "mlp", "tune_mlp", "tune_all"],
}
