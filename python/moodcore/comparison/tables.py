"""Models compared on any table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodcore.comparison.entrants import table_entrants
from moodcore.comparison.result import Comparison
from moodcore.comparison.running import Listener, MemoryStore, Silent, run_trainings
from moodcore.comparison.settings import Plan
from moodcore.comparison.trainings import Contest
from moodcore.errors import ConfigError
from moodcore.runs.data import split_rows


def compare(
    X: Any,
    y: ArrayLike,
    *,
    models: Iterable[str] | Mapping[str, Any] | None = None,
    baselines: bool = True,
    folds: int = 5,
    repeats: int = 2,
    test_size: float = 0.2,
    curve_sizes: int = 5,
    combine: str = "vote",
    tune: bool = False,
    trials: int = 8,
    inner_folds: int = 3,
    class_names: Sequence[str] | None = None,
    random_state: int | None = None,
    n_jobs: int | None = None,
    listener: Listener | None = None,
) -> Comparison:
    """Compare classifiers on the same folds and the same test rows of a table.

    A stratified part of the rows is put aside. On the rest every model is cross-validated, on the
    same folds; then each learns from all of the rest and is tested on the part put aside.
    Everything that is fitted, preprocessing too, is fitted on the rows that may train.

    Parameters
    ----------
    X : DataFrame, Arrow or Polars table, or array-like, of shape (n_rows, n_columns)
        The table. Families but `"gbt"` and baselines get numbers imputed and standardised, and
        one column for each category; `"gbt"` and your own models get the table as it is.
    y : array-like of shape (n_rows,)
        Labels; at least `2 * folds` rows of every class must remain for training.
    models : iterable of str, mapping of str to classifier or str, or None, default=None
        Families (`"mlp"`, `"svm"`, `"linear-svm"`, `"gbt"`), or classifiers of scikit-learn's
        interface by the name that tables shall show; None means the four families. A model with
        preprocessing is a pipeline; a model with a search of its own is a `GridSearchCV` and the
        like. Open random states get seeds from `random_state`.
    baselines : bool, default=True
        Whether majority class, logistic regression and nearest neighbours take part.
    folds : int, default=5
        Parts of each cross-validation, at least 2.
    repeats : int, default=2
        Cross-validations with different folds, at least 1.
    test_size : float, default=0.2
        Share of the rows for the test, in (0, 1).
    curve_sizes : int, default=5
        Points of the learning curves, 0 for none.
    combine : {"vote", "stack", "none"}, default="vote"
        Whether the models that give probabilities take part as one more: by the mean of their
        probabilities, or by a logistic regression on them.
    tune : bool, default=False
        Whether each training of a family searches its hyperparameters in folds of its own rows
        (nested cross-validation).
    trials, inner_folds : int, default=8, 3
        Candidates and folds of such a search.
    class_names : sequence of str or None, default=None
        A name for each class in ascending order of the labels; None means the labels.
    random_state : int or None, default=None
        Seed of every random choice; None draws one.
    n_jobs : int or None, default=None
        Processes, as in scikit-learn; the results do not depend on it, but for their times.
    listener : Listener or None, default=None
        Whoever shows progress.

    Returns
    -------
    Comparison
        The tables; `sentences()` says it in words.

    Raises
    ------
    ValueError
        For wrong names, numbers out of range, or classes with too few rows.
    TypeError
        For a model that is no classifier.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> models = {"forest": RandomForestClassifier(20), "machine": "linear-svm"}
    >>> found = compare(X, y, models=models, repeats=1, curve_sizes=0, random_state=0)
    >>> bool(found.table.loc["forest", "accuracy"] > 0.9)
    True
    >>> found.pairs[["first", "second", "verdict"]].shape
    (10, 3)
    """
    seed = _seed(random_state)
    plan = Plan(
        folds=folds,
        repeats=repeats,
        curve_sizes=curve_sizes,
        combine=combine,
        test_size=test_size,
        seed=seed,
    )
    entrants = table_entrants(
        models, plan, baselines=baselines, tune=tune, trials=trials, inner_folds=inner_folds
    )
    rows, labels = _checked(X, y, plan)
    train, test = split_rows(labels, seed, test_size=test_size)
    contest = Contest(rows, labels, tuple(entrants), plan, train, test)
    contest.check()
    names = [str(one) for one in contest.classes] if class_names is None else list(class_names)
    if len(names) != len(contest.classes):
        raise ConfigError(f"class_names: {len(names)} names for {len(contest.classes)} classes")
    shown = listener if listener is not None else Silent()
    trained = run_trainings(contest, MemoryStore(), n_jobs=n_jobs, listener=shown)
    return Comparison(contest, trained, tuple(names))


def _seed(random_state: int | None) -> int:
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, bool) or not isinstance(random_state, int | np.integer):
        raise TypeError(f"random_state must be a whole number or None, got {random_state!r}")
    return int(random_state)


def _checked(X: Any, y: ArrayLike, plan: Plan) -> tuple[Any, NDArray[Any]]:
    """Return table and labels once they fit each other and every class is large enough."""
    from sklearn.utils import assert_all_finite, column_or_1d
    from sklearn.utils.multiclass import check_classification_targets

    # Arrow and Polars tables keep their columns and kinds as data frames.
    table = X.to_pandas() if hasattr(X, "to_pandas") else X
    rows = table if hasattr(table, "iloc") else np.asarray(table)
    labels = column_or_1d(y)
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    if len(getattr(rows, "shape", ())) != 2 or len(rows) != len(labels):
        raise ConfigError(
            f"X must have the shape ({len(labels)}, n_columns) to fit y, "
            f"got {getattr(rows, 'shape', None)}"
        )
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) > 1 and counts.min() < 2 * plan.folds:
        # Said before the test part is cut off, which would fail less plainly.
        raise ConfigError(
            f"class {classes[counts.argmin()]!s} has {counts.min()} rows, but {plan.folds} folds "
            f"need at least {2 * plan.folds} of every class"
        )
    return rows, labels
