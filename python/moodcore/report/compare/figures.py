"""The pictures of a comparison, each with the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.comparison.entrants import MAJORITY
from moodcore.report.cells import percent
from moodcore.report.pictures import Picture, picture

if TYPE_CHECKING:
    import pandas as pd

_TABLE_RECALLS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)


@dataclass(frozen=True)
class ComparisonData:
    """The files of a comparison, in memory.

    Attributes
    ----------
    metrics, timing : dict
        The JSON files.
    tables : mapping of str to DataFrame
        The CSV files, by name.
    config : str
        Text of `config.toml`.
    """

    metrics: dict[str, Any]
    timing: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    config: str

    @property
    def shown(self) -> list[str]:
        """The models and their combination, the best first: who pictures are about."""
        rows = self.metrics["summary"]
        usable = [row for row in rows if row["accuracy"] is not None]
        return [row["model"] for row in usable if row["kind"] != "baseline"]


def draw_pictures(data: ComparisonData) -> dict[str, Picture]:
    """Draw every picture that the comparison has data for, by name."""
    found = [_accuracy(data), _log_loss(data), _differences(data), _learning(data)]
    found += [_calibration(data), _agreement(data)]
    found += [_precision_recall(data, name) for name in data.metrics["classes"]]
    found += [_confusion(data, name) for name in data.shown if name in data.metrics["confusion"]]
    return {one.name: one for one in found if one is not None}


def figure_name(what: str, name: str) -> str:
    """Return the name of a picture about a class or a model: letters, digits and `-`."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
    return f"{what}-{plain}"


def _accuracy(data: ComparisonData) -> Picture | None:
    from moodcore import plots

    table = data.tables["summary"]
    table = table[table["accuracy"].notna()]
    if not len(table):
        return None
    # It lies far off, and what matters would be squeezed beside it.
    drawn = table[table["model"] != MAJORITY] if len(table) > 1 else table
    chance = table.loc[table["model"] == MAJORITY, "accuracy"]
    left_out = f" The majority class, {percent(float(chance.iloc[0]))}, lies far left of it."
    caption = (
        f"Mean over {len(data.tables['scores'][['repeat', 'fold']].drop_duplicates())} folds. "
        "Intervals that overlap do not mean that models cannot be told apart: on the same folds "
        f"they rise and fall together.{left_out if len(chance) else ''}"
    )
    columns = ["model", "accuracy", "accuracy_low", "accuracy_high"]
    return picture(
        "accuracy", "Accuracy", caption, plots.score_intervals(drawn), table[columns].round(4)
    )


def _log_loss(data: ComparisonData) -> Picture | None:
    from moodcore import plots

    table = data.tables["summary"]
    table = table[table["log_loss"].notna()].sort_values("log_loss", kind="stable")
    drawn = table[table["model"] != MAJORITY] if len(table) > 1 else table
    if not len(drawn):
        return None
    best = drawn.iloc[0]
    caption = (
        f"Mean of the negative logarithm of the probability given to the true class; lower is "
        f"better. The lowest is that of {best['model']}, {best['log_loss']:.3f} nats."
    )
    columns = ["model", "log_loss", "log_loss_low", "log_loss_high"]
    drawing = plots.score_intervals(drawn, "log_loss")
    return picture("log_loss", "Log loss", caption, drawing, table[columns].round(4))


def _differences(data: ComparisonData) -> Picture | None:
    from moodcore import plots

    pairs = data.tables["pairs"]
    drawn = pairs[(pairs["first"] != MAJORITY) & (pairs["second"] != MAJORITY)]
    if not len(drawn):
        return None
    real = int((drawn["verdict"] == "better").sum())
    caption = (
        f"Points of accuracy by which the row is before the column. Coloured: the {real} of "
        f"{len(drawn)} differences that are real at the level of 5 %, over all pairs; written on "
        "grey: what may be chance."
    )
    table = drawn[["first", "second", "difference", "p_holm", "verdict"]]
    table = table.assign(
        difference=(100 * table["difference"]).round(2), p_holm=table["p_holm"].round(4)
    ).rename(columns={"difference": "points", "p_holm": "p (Holm)"})
    title = "Differences in accuracy"
    return picture("differences", title, caption, plots.difference_matrix(drawn), table)


def _learning(data: ComparisonData) -> Picture | None:
    from moodcore import plots

    curves = data.tables["learning_curves"].dropna()
    if curves.empty:
        return None
    drawn = curves[curves["model"] != MAJORITY]
    folds = min(3, data.metrics["settings"]["folds"])
    caption = (
        f"Accuracy on the same {folds} folds after learning from part of their training songs. A "
        "curve that still rises at its end says that more songs would help."
    )
    table = curves.pivot_table(index="model", columns="rows", values="accuracy", sort=False)
    table = table.round(4).reset_index()
    table.columns = [f"{name:,} songs" if name != "model" else name for name in table.columns]
    title = "Learning curves"
    return picture("learning_curves", title, caption, plots.learning_curves(drawn), table)


def _calibration(data: ComparisonData) -> Picture | None:
    from moodcore import plots

    calibration = data.tables["calibration"]
    drawn = calibration[calibration["model"] != MAJORITY]
    # A bin of a handful of songs says nothing but noise.
    drawn = drawn[drawn["rows"] >= 10]
    if not len(drawn):
        return None
    caption = (
        "Test songs in fifteen bins by the probability of the class they were put into. Below "
        "the line a model is too sure of itself, above it too modest. Bins of fewer than ten songs "
        "are not drawn."
    )
    title = "Calibration"
    table = calibration.assign(
        bin=[
            f"{a:.2f} to {b:.2f}"
            for a, b in zip(calibration["from"], calibration["to"], strict=True)
        ]
    )[["model", "bin", "rows", "confidence", "accuracy"]].round(4)
    return picture("calibration", title, caption, plots.calibration_curves(drawn), table)


def _agreement(data: ComparisonData) -> Picture | None:
    import pandas as pd

    from moodcore import plots

    agreement = pd.DataFrame(data.metrics["agreement"])
    names = [name for name in data.metrics["agreement"] if name != MAJORITY]
    agreement = agreement.loc[names, names]
    if len(agreement) < 2:
        return None
    caption = (
        "Share of the test songs that two put into the same class. Two that are equally good and "
        "agree on few songs have learned different things, and gain most from each other."
    )
    table = agreement.round(4).reset_index(names="model")
    return picture("agreement", "Agreement", caption, plots.agreement_matrix(agreement), table)


def _precision_recall(data: ComparisonData, name: str) -> Picture | None:
    from moodcore import plots

    curves = data.tables["precision_recall"]
    curves = curves[(curves["class"].astype(str) == name) & (curves["model"] != MAJORITY)]
    if not len(curves):
        return None
    curves = curves.assign(**{"class": name})
    best = curves.nlargest(1, "average_precision").iloc[0]
    caption = (
        f"Of the songs called {name}, the share that is (precision), by the share of all {name} "
        f"songs found (recall), at every threshold. The best average, "
        f"{best['average_precision']:.3f}, is that of {best['model']}."
    )
    drawing = plots.precision_recall_curves(curves, name)
    title = f"Precision and recall of {name}"
    return picture(figure_name("precision", name), title, caption, drawing, _at_recalls(curves))


def _at_recalls(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the best precision at some recalls, a row a model."""
    import pandas as pd

    rows = []
    for name, part in curves.groupby("model", sort=False):
        row: dict[str, Any] = {"model": name}
        row["average precision"] = round(float(part["average_precision"].iloc[0]), 4)
        for recall in _TABLE_RECALLS:
            reached = part.loc[part["recall"] >= recall - 1e-9, "precision"]
            row[f"at recall {recall:.1f}"] = round(float(reached.max()), 4)
        rows.append(row)
    return pd.DataFrame(rows)


def _confusion(data: ComparisonData, name: str) -> Picture:
    import pandas as pd

    from moodcore import plots

    classes = [str(one) for one in data.metrics["classes"]]
    matrix = np.asarray(data.metrics["confusion"][name])
    table = pd.DataFrame(matrix, columns=[f"called {one}" for one in classes])
    table.insert(0, "truth", classes)
    drawing = plots.confusion_matrix(matrix, classes)
    title = f"What {name} confuses"
    return picture(
        figure_name("confusion", name), title, _confusion_caption(matrix, classes), drawing, table
    )


def _confusion_caption(matrix: Any, classes: list[str]) -> str:
    off = matrix - np.diag(np.diag(matrix))
    if not off.sum():
        return "Test songs by true class and by what they were called. None is confused."
    true, called = np.unravel_index(off.argmax(), off.shape)
    share = off[true, called] / matrix[true].sum()
    return (
        "Test songs by true class and by what they were called. Most often "
        f"{classes[true]} songs are called {classes[called]}: {percent(share)} of them."
    )
