"""The folds of the cross-validation: prepared once, used by every candidate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.runs.families import family
from moodcore.runs.folds import Fold, Rows, Split, cut
from moodcore.runs.seeds import Stream, derive
from moodcore.tuning.settings import TuneSettings

if TYPE_CHECKING:
    from moodcore.tables import Dataset

#: Names a prepared fold: the kind of preparation and the number of the fold.
FoldKey = tuple[str, int]


def preparation_of(dataset: Dataset, model: str) -> str:
    """Return the kind of preparation that a family needs; families of one kind share folds."""
    if dataset.preset == "songs":
        return "songs"
    return "native" if model == "gbt" else "numeric"


def make_folds(
    dataset: Dataset, parts: Split, settings: TuneSettings, models: Iterable[str]
) -> dict[FoldKey, Fold]:
    """Cut the training rows into stratified folds and prepare each for the families.

    Everything that is fitted sees the training rows of the fold and nothing else; balancing drops
    training rows only.
    """
    kinds = {preparation_of(dataset, model): model for model in models}
    rows = cut(parts.y_train, settings.folds, settings.seed, groups=parts.groups_train)
    return {
        (kind, number): _make_fold(
            dataset, parts, settings, train=train, valid=valid, number=number, model=model
        )
        for kind, model in kinds.items()
        for number, (train, valid) in enumerate(rows)
    }


def _make_fold(
    dataset: Dataset,
    parts: Split,
    settings: TuneSettings,
    *,
    train: Rows,
    valid: Rows,
    number: int,
    model: str,
) -> Fold:
    X, y = parts.X_train, parts.y_train
    preparation = dataset.preparation(family(model).estimator()(), features=settings.features)
    preparation.fit(X.iloc[train], y[train])
    learned = train
    if settings.is_balanced(dataset):
        learned = train[balanced_rows(y[train], derive(settings.seed, Stream.BALANCE, number))]
    return Fold(
        X_train=contiguous(preparation.transform(X.iloc[learned])),
        y_train=y[learned],
        X_valid=contiguous(preparation.transform(X.iloc[valid])),
        y_valid=y[valid],
        columns=kept_columns(preparation),
    )


def balanced_rows(y: NDArray[Any], seed: int) -> Rows:
    """Return the positions of a sample with equal classes."""
    from moodcore.preprocessing import downsample

    rows: Rows = downsample(y, random_state=seed).indices
    return rows


def contiguous(prepared: Any) -> Any:
    """Return prepared rows as the learners read them: float32, or a data frame as it is."""
    if hasattr(prepared, "iloc"):
        return prepared
    return np.ascontiguousarray(prepared, dtype=np.float32)


def kept_columns(fitted: Any) -> tuple[str, ...]:
    """Return the columns of the table that a fitted preparation uses."""
    first = fitted[0]
    if hasattr(first, "columns_"):
        return tuple(getattr(column, "name", column) for column in first.columns_)
    return tuple(str(name) for name in first.get_feature_names_out())
