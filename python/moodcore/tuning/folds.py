"""The folds of the cross-validation: prepared once, used by every candidate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from moodcore.runs.families import family
from moodcore.runs.folds import Fold, Rows, Split, cut, prepare_fold
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
    is_balanced = settings.is_balanced(dataset)
    return prepare_fold(
        dataset.preparation(family(model).estimator()(), features=settings.features),
        (parts.X_train, parts.y_train),
        train=train,
        valid=valid,
        balance=derive(settings.seed, Stream.BALANCE, number) if is_balanced else None,
    )
