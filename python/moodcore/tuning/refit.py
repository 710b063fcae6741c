"""A chosen model on all training rows, its one test, and its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from moodcore.estimators.progress import polled
from moodcore.metrics import Evaluation, baselines, evaluate_model
from moodcore.runs.describe import with_ids
from moodcore.runs.families import family
from moodcore.runs.folds import Split, balanced_rows, contiguous
from moodcore.runs.models import check_learned
from moodcore.runs.seeds import Stream, derive
from moodcore.tuning.settings import TuneSettings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from moodcore.tables import Dataset


def refit(
    dataset: Dataset,
    parts: Split,
    model: str,
    arguments: Mapping[str, Any],
    settings: TuneSettings,
    *,
    on_poll: Callable[[], object] | None = None,
) -> Any:
    """Train a family with its preparation on the training rows, balanced if so set.

    Raises
    ------
    DivergedError
        If training diverged in the first epoch.
    """
    seed = derive(settings.seed, Stream.REFIT)
    pipeline = dataset.pipeline(
        family(model).estimator()(**arguments, random_state=seed),
        features=settings.features,
        balance=settings.is_balanced(dataset),
        random_state=seed,
    )
    with polled(on_poll):
        pipeline.fit(parts.X_train, parts.y_train)
    check_learned(pipeline)
    return pipeline


def prepared_rows(
    preparation: Any, dataset: Dataset, parts: Split, settings: TuneSettings
) -> tuple[Any, NDArray[Any]]:
    """Return the training rows, balanced if so set and prepared, and their labels."""
    rows = _learned_rows(dataset, parts, settings)
    X = contiguous(preparation.transform(parts.X_train.iloc[rows]))
    return X, parts.y_train[rows]


def reference_preparation(dataset: Dataset, parts: Split, settings: TuneSettings) -> Any:
    """Return the preparation for numeric models, fitted on the training rows."""
    from sklearn.linear_model import LogisticRegression

    preparation = dataset.preparation(LogisticRegression(), features=settings.features)
    return preparation.fit(parts.X_train, parts.y_train)


def evaluate_test(model: Any, dataset: Dataset, parts: Split) -> Evaluation:
    """Test a fitted pipeline on the test rows."""
    return evaluate_model(model, parts.X_test, parts.y_test, class_names=dataset.class_names)


def predict_test(model: Any, dataset: Dataset, parts: Split) -> pd.DataFrame:
    """Return one row per test row: its place, class, prediction and probabilities.

    Columns `row`, the identifier where the table has one, `class`, `predicted`, and for models
    with probabilities one `probability_<class>` per class.
    """
    import numpy as np
    import pandas as pd

    names = np.asarray(dataset.class_names, dtype=object)
    codes = np.searchsorted(model.classes_, parts.y_test)
    if hasattr(model, "predict_proba"):
        probabilities = np.asarray(model.predict_proba(parts.X_test), dtype=np.float64)
        predicted = probabilities.argmax(axis=1)
    else:
        probabilities = np.empty((len(codes), 0))
        predicted = np.searchsorted(model.classes_, model.predict(parts.X_test))
    table = pd.DataFrame(
        {"row": parts.X_test.index, "class": names[codes], "predicted": names[predicted]}
    )
    for name, column in zip(names, probabilities.T, strict=False):
        table[f"probability_{name}"] = column
    return with_ids(table, dataset)


def evaluate_baselines(
    preparation: Any, dataset: Dataset, parts: Split, settings: TuneSettings
) -> dict[str, Evaluation]:
    """Test the baselines on the test rows; they learn from the rows that the model learned from."""
    return baselines(
        preparation.transform(parts.X_train),
        parts.y_train,
        preparation.transform(parts.X_test),
        parts.y_test,
        rows=_learned_rows(dataset, parts, settings),
        class_names=dataset.class_names,
    )


def _learned_rows(dataset: Dataset, parts: Split, settings: TuneSettings) -> NDArray[np.intp]:
    import numpy as np

    if not settings.is_balanced(dataset):
        return np.arange(len(parts.y_train))
    return balanced_rows(parts.y_train, derive(settings.seed, Stream.REFIT))
