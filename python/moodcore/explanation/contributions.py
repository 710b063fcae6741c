"""Contributions of features to the predictions of a model."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.explanation.methods import (
    contributions_of,
    final_classifier,
    takes_background,
)
from moodcore.metrics import class_names

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Explanation", "explain"]

# Rows whose mean is what contributions are measured from, when no background is given.
_N_BACKGROUND = 100


# Features that the short forms of an explanation show.
_SHOWN = 10


@dataclass(frozen=True, repr=False)
class Explanation:
    """Contributions of features to a model's margins.

    The margin decides the class: log odds of the second of two classes, or one score per class
    (`GBT.decision_function`, the network's scores before the softmax, the decision values of
    support vector machines). For each row and output, `base` plus the contributions of all features
    is the margin, to rounding.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_features, n_outputs)
        Contributions, in units of the margin.
    base : ndarray of shape (n_outputs,)
        The mean margin that contributions are measured from.
    margins : ndarray of shape (n_rows, n_outputs)
        The margins.
    data : DataFrame of shape (n_rows, n_features)
        The features as they were given.
    outputs : tuple of str
        Name of the class of each output; for two classes the second alone.
    predicted : tuple of str
        The predicted class of each row.
    method : str
        How contributions were computed, and what they are measured from.
    """

    values: NDArray[np.float64]
    base: NDArray[np.float64]
    margins: NDArray[np.float64]
    data: pd.DataFrame
    outputs: tuple[str, ...]
    predicted: tuple[str, ...]
    method: str

    def output(self, name: str | None = None, row: int = 0) -> int:
        """Return the position of a class among the outputs, by default of that of a row."""
        if name is None:
            # For two classes, the only output is that of the second.
            name = self.outputs[0] if len(self.outputs) == 1 else self.predicted[row]
        if name not in self.outputs:
            near = get_close_matches(str(name), self.outputs, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            if len(self.outputs) == 1:
                hint = "; of two classes, only the second has a margin of its own"
            raise ValueError(f"class must be one of {', '.join(self.outputs)}, got {name!r}{hint}")
        return self.outputs.index(name)

    def row(self, row: int, output: str | None = None) -> pd.DataFrame:
        """Return the contributions to the margin of one row and class, the largest first.

        Parameters
        ----------
        row : int
            Its position among the explained rows.
        output : str, optional
            Name of a class; by default the predicted one.

        Returns
        -------
        DataFrame
            `feature`, `value` (as it was given) and `contribution`.
        """
        import pandas as pd

        values = self.values[row, :, self.output(output, row)]
        order = np.argsort(-np.abs(values), kind="stable")
        return pd.DataFrame(
            {
                "feature": self.data.columns[order],
                "value": [self.data.iloc[row, at] for at in order],
                "contribution": values[order],
            }
        )

    def to_frame(self) -> pd.DataFrame:
        """Return all contributions: `row`, `class`, `feature` (also "(base)"), `contribution`."""
        import pandas as pd

        n_rows, _, n_outputs = self.values.shape
        based = np.broadcast_to(self.base, (n_rows, 1, n_outputs))
        every = np.concatenate([self.values, based], axis=1).transpose(0, 2, 1)
        index = pd.MultiIndex.from_product(
            [self.data.index, self.outputs, [*self.data.columns, "(base)"]],
            names=["row", "class", "feature"],
        )
        return pd.DataFrame({"contribution": every.reshape(-1)}, index=index).reset_index()

    def importance(self) -> pd.DataFrame:
        """Return the mean size of contributions: features by importance, one column per output."""
        import pandas as pd

        sizes = np.abs(self.values).mean(axis=0)
        order = np.argsort(-sizes.sum(axis=1), kind="stable")
        names = self.data.columns[order]
        return pd.DataFrame(sizes[order], index=names, columns=list(self.outputs))

    def __repr__(self) -> str:
        table = self.importance().head(_SHOWN).to_string(float_format="{:.4f}".format)
        return f"<{self._title()}>\n{table}\n({self.method})"

    def _repr_html_(self) -> str:
        table = self.importance().head(_SHOWN).to_html(float_format="{:.4f}".format)
        return f"<p>{escape(self._title())}</p>{table}<p>{escape(self.method)}</p>"

    def _title(self) -> str:
        n_rows, n_features, _ = self.values.shape
        rows = f"{n_rows:,} row{'s' * (n_rows != 1)}"
        first = f"the first {_SHOWN} of " if n_features > _SHOWN else ""
        return f"Explanation of {rows}: mean absolute contributions of {first}{n_features} features"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        rows = []
        for at, label in enumerate(self.data.index):
            by_class = {
                name: {
                    "margin": float(self.margins[at, output]),
                    "base": float(self.base[output]),
                    "contributions": dict(
                        zip(self.data.columns, self.values[at, :, output].tolist(), strict=True)
                    ),
                }
                for output, name in enumerate(self.outputs)
            }
            given = {name: _plain(self.data.iloc[at, i]) for i, name in enumerate(self.data)}
            found = {"row": _plain(label), "predicted": self.predicted[at], "features": given}
            rows.append(found | {"classes": by_class})
        return {"method": self.method, "outputs": list(self.outputs), "rows": rows}

    def text(self, row: int, output: str | None = None) -> str:
        """Return the contributions to one row as lines of text (see `row`)."""
        at = self.output(output, row)
        found = self.row(row, self.outputs[at])
        width = max(len(name) for name in (*found["feature"].astype(str), "margin of the row"))
        lines = [f"{'mean margin':<{width}}  {'':>12}  {self.base[at]:+10.4f}"]
        for feature, value, contribution in found.itertuples(index=False):
            lines.append(f"{feature:<{width}}  {_shown(value):>12}  {contribution:+10.4f}")
        lines.append(f"{'margin of the row':<{width}}  {'':>12}  {self.margins[row, at]:+10.4f}")
        label = self.data.index[row]
        head = f"row {label}: {self.predicted[row]}; contributions to {self.outputs[at]}"
        return "\n".join([head, *lines])

    def plot_row(self, row: int = 0, output: str | None = None, *, ax: Axes | None = None) -> Axes:
        """Draw the contributions to one row as a waterfall (see `row`)."""
        at = self.output(output, row)
        return import_module("moodcore.plots").contribution_waterfall(
            self.values[row, :, at].tolist(),
            [str(name) for name in self.data.columns],
            base=float(self.base[at]),
            values=[_shown(self.data.iloc[row, i]) for i in range(self.data.shape[1])],
            output=self.outputs[at],
            ax=ax,
        )

    def plot_rows(self, output: str | None = None, *, ax: Axes | None = None) -> Axes:
        """Draw the contributions to all rows of a class: one point per row, colored by value."""
        at = self.output(output)
        names = [str(name) for name in self.data.columns]
        return import_module("moodcore.plots").contribution_swarm(
            self.values[:, :, at], self.data, names, output=self.outputs[at], ax=ax
        )


def explain(
    model: Any,
    X: Any,
    *,
    background: Any = None,
    random_state: int | None = 0,
    n_samples: int | None = None,
) -> Explanation:
    """Compute the contribution of each feature to the margins of each row.

    Contributions are Shapley values: those of boosted trees exact by TreeSHAP [1]_, relative to
    the training rows in the nodes; those of a linear model exact by their formula; those of
    networks and kernel models interventional [2]_, exact up to 11 features and sampled beyond.

    Parameters
    ----------
    model : GBT, MLP, SVM, LinearSVM, or a pipeline that ends in one
        Fitted. In a pipeline, the features are the columns of the table that its last step sees,
        and `data` shows them as they were before preparation.
    X : table of shape (n_rows, n_features)
        The rows to explain, as `model.predict` takes them.
    background : table, optional
        Rows from whose mean contributions are measured; by default up to 100 rows of `X`. For a
        single row, or rows that are all alike, the default is the mean of the training rows if the
        last step before the classifier is a `StandardScaler`, and a `ValueError` otherwise. Boosted
        trees use the training rows counted in their nodes, and take no background.
    random_state : int, optional, default=0
        Seed of the choice of background rows, and of sampled coalitions.
    n_samples : int, optional
        Coalitions of features that are evaluated for each row; by default all up to 11 features,
        and 2,048 plus two per feature beyond.

    Returns
    -------
    Explanation

    Raises
    ------
    ValueError
        If rows do not fit the model, trees are given a background, or a single row (or rows that
        are all alike) needs one.
    TypeError
        For a model of another kind.

    References
    ----------
    .. [1] Lundberg et al. (2020), From local explanations to global understanding with explainable
       AI for trees, Nature Machine Intelligence 2.
    .. [2] Lundberg and Lee (2017), A unified approach to interpreting model predictions, NeurIPS.

    Examples
    --------
    >>> from moodcore import GBT, songs
    >>> X, y = songs.synthesize(500, random_state=0)
    >>> model = songs.pipeline(GBT(5, random_state=0)).fit(X, y)
    >>> found = explain(model, X.head(3))
    >>> found.values.shape, found.outputs
    ((3, 7, 4), ('sad', 'happy', 'energetic', 'calm'))
    >>> bool(np.allclose(found.base + found.values.sum(axis=1), found.margins))
    True
    """
    classifier, steps = final_classifier(model)
    if hasattr(model, "check_values"):
        X = model.check_values(X)
    rows = _prepared(steps, X)
    known, where = rows, "rows explained"
    if background is not None:
        known = _prepared(steps, background)
        where = "background"
    elif takes_background(model) and _all_alike(classifier.read_rows(rows)):
        known, where = _training_mean(steps), "training rows"
    chosen = _choose(known, np.random.default_rng(random_state))
    origin = f"the mean over {len(chosen)} of the {where}"
    if where == "training rows":
        origin = "the mean of the training rows"
    sources = _sources(steps)
    found = contributions_of(
        classifier,
        rows,
        None if background is None and not takes_background(model) else chosen,
        None
        if sources is None
        else np.array([list(dict.fromkeys(sources)).index(name) for name in sources]),
        origin=origin,
        seed=random_state,
        n_samples=n_samples,
    )
    names = class_names(model)
    return Explanation(
        values=found.values,
        base=found.base,
        margins=found.margins,
        data=_given(model, classifier, steps, X, rows),
        outputs=tuple(names[-1:] if found.values.shape[2] == 1 else names),
        predicted=tuple(_predicted(classifier, rows, names)),
        method=found.method,
    )


def _sources(steps: Any) -> list[str] | None:
    """Return the column of the table behind each column that the classifier sees, if it knows."""
    if steps is None or not hasattr(steps.steps[-1][1], "source_columns"):
        return None
    sources: list[str] = steps.steps[-1][1].source_columns()
    return sources


def _training_mean(steps: Any) -> NDArray[np.float64]:
    """Return the mean row that the classifier was trained on, which a scaler moves to zero."""
    from sklearn.preprocessing import StandardScaler

    last = None if steps is None else steps.steps[-1][1]
    if not isinstance(last, StandardScaler) or not last.with_mean:
        raise ValueError(
            "a single row, or rows that are all alike, have no contributions relative to "
            "themselves: pass background=, rows such as those of training "
            "(moodcore explain --background FILE)"
        )
    return np.zeros((1, last.n_features_in_))


def _prepared(steps: Any, X: Any) -> Any:
    """Return the rows that the classifier sees, sparse ones as a dense matrix."""
    rows = X if steps is None else steps.transform(X)
    return rows.toarray() if hasattr(rows, "toarray") else rows


def _all_alike(rows: NDArray[Any]) -> bool:
    """Return whether there are rows, and all are the same."""
    return len(rows) > 0 and bool((rows == rows[0]).all())


def _choose(rows: Any, rng: np.random.Generator) -> Any:
    """Draw the background, in the order of the table."""
    n_rows = len(rows)
    if n_rows <= _N_BACKGROUND:
        return rows
    chosen = np.sort(rng.choice(n_rows, _N_BACKGROUND, replace=False))
    return rows.iloc[chosen] if hasattr(rows, "iloc") else np.asarray(rows)[chosen]


def _predicted(classifier: Any, rows: Any, names: list[str]) -> list[str]:
    codes = np.searchsorted(classifier.classes_, classifier.predict(rows))
    return [names[code] for code in codes]


def _given(model: Any, classifier: Any, steps: Any, X: Any, rows: Any) -> pd.DataFrame:
    """Return the features that the classifier sees, as they were given where they were."""
    import pandas as pd

    frame = X if isinstance(X, pd.DataFrame) else None
    if steps is None:
        names = getattr(classifier, "feature_names_in_", None)
    else:
        sources = _sources(steps)
        names = _names_after(steps) if sources is None else list(dict.fromkeys(sources))
    if names is None:
        names = [f"x{at}" for at in range(classifier.n_features_in_)]
    if frame is not None and set(names) <= set(frame.columns):
        return frame[list(names)]
    index = None if frame is None else frame.index
    if hasattr(rows, "iloc"):
        return pd.DataFrame(rows).set_axis(list(names), axis=1)
    return pd.DataFrame(np.asarray(rows), columns=list(names), index=index)


def _names_after(steps: Any) -> Any:
    """Return the names of the columns that the steps return, None if a step does not know them."""
    try:
        return steps.get_feature_names_out()
    except AttributeError:
        return None


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else str(value)
    return value if isinstance(value, bool | int | float | str) else str(value)


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
