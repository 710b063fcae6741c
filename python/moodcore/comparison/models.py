"""The models of a comparison: families, baselines, your own classifiers, and a combination.

Every model is an unfitted scikit-learn classifier with its preparation, so that fitting it on the
training rows of a fold fits everything there. With an inner search it is a `SearchedClassifier`, or
in the song experiment a `GridSearchCV`, so that the choice of hyperparameters belongs to the
training too: nested cross-validation (Varma and Simon 2006).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moodcore.comparison.search import SearchedClassifier
from moodcore.comparison.settings import CompareSettings
from moodcore.errors import ConfigError
from moodcore.runs.families import family
from moodcore.runs.models import prepared
from moodcore.runs.seeds import Stream, derive

if TYPE_CHECKING:
    from moodcore.tables import Dataset

#: Name of the baseline that always predicts the most frequent class.
MAJORITY = "majority class"
# An odd number, and large enough for probabilities other than 0 and 1.
_NEIGHBORS = 15
Prepare = Callable[[Any], Any]


@dataclass(frozen=True)
class Model:
    """A model to compare: its name in files, its name in tables, its kind, and the estimator.

    The kind is "model", "baseline" or "combination". The estimator is not fitted; it is None for a
    vote, which is computed from the probabilities of the others.
    """

    key: str
    name: str
    kind: str
    estimator: Any

    @property
    def is_trained(self) -> bool:
        """Whether it is trained, which a vote is not."""
        return self.estimator is not None

    @property
    def is_member(self) -> bool:
        """Whether the combination uses its probabilities."""
        return self.kind == "model" and hasattr(self.estimator, "predict_proba")


def make_models(
    settings: CompareSettings, given: Mapping[str, Any], dataset: Dataset
) -> list[Model]:
    """Return the models of a comparison: those given, their combination, and the baselines.

    `given` are families or classifiers by name, as `named_models` returns them; the data set
    provides their preparation.
    """
    seed = derive(settings.seed, Stream.COMPARISON)

    def prepare(classifier: Any) -> Any:
        return prepared(
            dataset,
            classifier,
            features=settings.features,
            balance=bool(settings.balance),
            random_state=seed if settings.balance else None,
        )

    models = [_model(name, model, settings, prepare) for name, model in given.items()]
    members = [model for model in models if model.is_member]
    if settings.combine != "none" and len(members) > 1:
        name, estimator = "soft vote", None
        if settings.combine == "stack":
            name, estimator = "stack", _stack(members)
        models.append(Model(settings.combine, name, "combination", estimator))
    if settings.baselines:
        models += _baselines(prepare)
    for values in ([model.key for model in models], [model.name for model in models]):
        repeated = [value for value in values if values.count(value) > 1]
        if repeated:
            raise ConfigError(f"models: {repeated[0]!r} is the name of two models; rename one")
    return models


def _model(name: str, model: Any, settings: CompareSettings, prepare: Prepare) -> Model:
    if not isinstance(model, str):
        return Model(name, name, "model", prepare(model))
    row = family(model)
    searched = settings.tune and settings.around_defaults
    # Candidates bring their own length, which the defaults do not have.
    arguments = row.fixed if searched else settings.arguments(model)
    estimator = prepare(row.estimator()(**arguments, n_jobs=1))
    if searched:
        estimator = SearchedClassifier(
            estimator,
            model,
            candidates(settings, model),
            length=settings.epochs,
            n_folds=settings.inner_folds,
        )
    elif settings.tune:
        prefix = "classify__estimator__" if settings.balance else "classify__"
        estimator = _searched(estimator, candidates(settings, model), prefix, settings.inner_folds)
    return Model(name, row.estimator().__name__ if name == model else name, "model", estimator)


def candidates(settings: CompareSettings, name: str) -> list[dict[str, Any]]:
    """Return the hyperparameters that the search of a family tries, in a fixed order."""
    from moodcore.runs.space import candidates_of

    space = settings.space(name)
    seed = derive(settings.seed, Stream.SAMPLER)
    return [space.decode(params) for params in candidates_of(space, "grid", settings.trials, seed)]


def _searched(model: Any, tried: Sequence[Mapping[str, Any]], prefix: str, inner_folds: int) -> Any:
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    # One grid per candidate: a random part of a grid is not a grid.
    grids = [{f"{prefix}{name}": [value] for name, value in params.items()} for params in tried]
    return GridSearchCV(model, grids, cv=StratifiedKFold(inner_folds, shuffle=True))


def _stack(members: Sequence[Model]) -> Any:
    from sklearn.ensemble import StackingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    return StackingClassifier(
        [(model.key, model.estimator) for model in members],
        LogisticRegression(max_iter=1000),
        cv=StratifiedKFold(3, shuffle=True),
    )


def _baselines(prepare: Prepare) -> list[Model]:
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    rows = (
        ("majority", MAJORITY, DummyClassifier(strategy="prior")),
        ("logistic-regression", "logistic regression", LogisticRegression(max_iter=1000)),
        ("nearest-neighbors", "nearest neighbors", KNeighborsClassifier(_NEIGHBORS)),
    )
    return [Model(key, name, "baseline", prepare(model)) for key, name, model in rows]
