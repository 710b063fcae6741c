"""Who takes part: families, baselines, models of the user's, and their combination.

Every entrant is an unfitted scikit-learn classifier whose preprocessing is part of it, so that
fitting it on the training rows of a fold fits everything there. With an inner search it is a
`GridSearchCV`, so that choosing hyperparameters is part of it too: nested cross-validation
(Varma and Simon 2006).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moodcore.comparison.settings import MODELS, ComparisonSettings, Plan
from moodcore.errors import ConfigError, unknown_name
from moodcore.runs.families import FAMILIES, family
from moodcore.runs.seeds import Stream, derive

# Neighbours: an odd number large enough for probabilities that are not 0 or 1.
_NEIGHBOURS = 15
MAJORITY = "majority class"
BASELINES = ("majority", "logistic-regression", "nearest-neighbours")


@dataclass(frozen=True)
class Entrant:
    """One classifier of a comparison.

    Attributes
    ----------
    key : str
        Its name in files and options.
    name : str
        Its name in tables and sentences.
    kind : {"model", "baseline", "combination"}
        What it is there for.
    estimator : classifier or None
        Not fitted; None for a vote, which is counted from what the others said.
    """

    key: str
    name: str
    kind: str
    estimator: Any

    @property
    def is_vote(self) -> bool:
        """Whether it is the mean of the others' probabilities."""
        return self.estimator is None


Pipeline = Callable[[Any], Any]


def song_entrants(settings: ComparisonSettings) -> list[Entrant]:
    """Return the entrants of `moodcore compare`: each a song pipeline."""
    from moodcore import songs
    from moodcore.songs.features import selection

    seed = derive(settings.seed, Stream.COMPARISON)

    def pipeline(classifier: Any) -> Any:
        return songs.pipeline(
            classifier,
            features=selection(settings.features),
            balance=settings.balance,
            random_state=seed if settings.balance else None,
        )

    models = [
        Entrant(name, _class_name(name), "model", _song_model(settings, name, pipeline))
        for name in MODELS
        if name in settings.models
    ]
    return complete(models, _baselines(pipeline), settings.plan())


def _song_model(settings: ComparisonSettings, name: str, pipeline: Pipeline) -> Any:
    model = pipeline(_classifier(name, settings.epochs))
    if not settings.tune:
        return model
    prefix = "classify__estimator__" if settings.balance else "classify__"
    return searched(model, candidates(settings, name), prefix, settings.inner_folds)


def candidates(settings: ComparisonSettings, name: str) -> list[dict[str, Any]]:
    """Return the hyperparameters that an inner search of a family tries, in a fixed order."""
    from moodcore.runs.space import draw

    space = settings.space(name)
    # A small grid is tried whole; the sampler must not be asked for more than there is.
    seed = derive(settings.seed, Stream.SAMPLER)
    drawn = draw(space, "grid", settings.trials, seed)
    return [space.decode(params) for params in drawn]


def searched(model: Any, tried: Iterable[Mapping[str, Any]], prefix: str, inner_folds: int) -> Any:
    """Return a model that chooses among hyperparameters by accuracy in folds of its own rows."""
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    # One grid a candidate: a random part of a grid is not itself a grid.
    grids = [{f"{prefix}{name}": [value] for name, value in one.items()} for one in tried]
    return GridSearchCV(model, grids, cv=StratifiedKFold(inner_folds, shuffle=True))


def table_entrants(
    models: Iterable[str] | Mapping[str, Any] | None,
    plan: Plan,
    *,
    baselines: bool = True,
    tune: bool = False,
    trials: int = 8,
    inner_folds: int = 3,
) -> list[Entrant]:
    """Return the entrants of :func:`moodcore.compare`.

    Raises
    ------
    ConfigError
        For names that do not exist or stand twice, or nothing to compare.
    TypeError
        For a model that is no classifier.
    """
    settings = ComparisonSettings(tune=tune, trials=trials, inner_folds=inner_folds, seed=plan.seed)
    if isinstance(models, str):
        raise ConfigError(f"models must be a list or a mapping, got the text {models!r}")
    chosen = dict.fromkeys(MODELS) if models is None else models
    named = chosen if isinstance(chosen, Mapping) else dict(zip(chosen, chosen, strict=True))
    found = [_table_model(str(name), model, settings) for name, model in named.items()]
    if not found:
        raise ConfigError("models must hold at least one model, got none")
    return complete(found, _baselines(table_pipeline) if baselines else [], plan)


def _table_model(name: str, model: Any, settings: ComparisonSettings) -> Entrant:
    from sklearn.base import is_classifier

    kind = name if model is None else model
    if isinstance(kind, str):
        if kind not in FAMILIES:
            raise unknown_name("models: family", kind, FAMILIES)
        shown = _class_name(kind) if kind == name else name
        classifier = _classifier(kind, settings.epochs)
        model = table_pipeline(classifier, raw=kind == "gbt")
        if settings.tune:
            tried = candidates(settings, kind)
            model = searched(model, tried, "classify__", settings.inner_folds)
        return Entrant(name, shown, "model", model)
    if not (hasattr(model, "fit") and is_classifier(model)):
        raise TypeError(
            f"models[{name!r}] must be a scikit-learn classifier or one of "
            f"{', '.join(FAMILIES)}, got {type(model).__name__}"
        )
    return Entrant(name, name, "model", model)


def table_pipeline(classifier: Any, *, raw: bool = False) -> Any:
    """Return a classifier behind what any table needs.

    Numbers are imputed by their median and standardised, the rest becomes one column a category.
    Trees take missing values and categories as they are (`raw`).
    """
    from sklearn.pipeline import Pipeline as Steps

    if raw:
        return Steps([("classify", classifier)])
    from moodcore.tables.preparation import TablePreparation

    return Steps([("prepare", TablePreparation()), ("classify", classifier)])


def _classifier(name: str, epochs: int) -> Any:
    model = family(name)
    return model.estimator()(**model.arguments(epochs, {}), n_jobs=1)


def _class_name(name: str) -> str:
    return str(family(name).estimator().__name__)


def _baselines(pipeline: Pipeline) -> list[Entrant]:
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    models = (
        DummyClassifier(strategy="prior"),
        LogisticRegression(max_iter=1000),
        KNeighborsClassifier(_NEIGHBOURS),
    )
    names = (MAJORITY, "logistic regression", "nearest neighbours")
    return [
        Entrant(key, name, "baseline", pipeline(model))
        for key, name, model in zip(BASELINES, names, models, strict=True)
    ]


def complete(models: list[Entrant], baselines: list[Entrant], plan: Plan) -> list[Entrant]:
    """Return models, their combination if two or more give probabilities, and baselines."""
    members = [one for one in models if hasattr(one.estimator, "predict_proba")]
    combined = []
    if plan.combine != "none" and len(members) > 1:
        voting = plan.combine == "vote"
        estimator = None if voting else _stack(members)
        combined = [
            Entrant(plan.combine, "soft vote" if voting else "stack", "combination", estimator)
        ]
    found = [*models, *combined, *baselines]
    for what in ("key", "name"):
        values = [getattr(one, what) for one in found]
        again = next((one for one in values if values.count(one) > 1), None)
        if again is not None:
            raise ConfigError(f"models: two are called {again!r}; give one another name")
    return found


def _stack(members: list[Entrant]) -> Any:
    from sklearn.ensemble import StackingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    return StackingClassifier(
        [(one.key, one.estimator) for one in members],
        LogisticRegression(max_iter=1000),
        cv=StratifiedKFold(3, shuffle=True),
    )


def seeded(estimator: Any, seed: int) -> Any:
    """Return a clone in which every random choice left open has a seed.

    Parameters
    ----------
    estimator : classifier
        Not changed. `random_state=None` anywhere in it, and in splitters that shuffle, is open.
    seed : int
        The seed.
    """
    from sklearn.base import clone

    model = clone(estimator)
    changes: dict[str, Any] = {}
    for name, value in model.get_params(deep=True).items():
        last = name.rpartition("__")[2]
        if last == "random_state" and value is None:
            changes[name] = seed
        elif last == "cv" and getattr(value, "shuffle", False) and value.random_state is None:
            changes[name] = type(value)(value.n_splits, shuffle=True, random_state=seed)
    return model.set_params(**changes)
