"""The pictures of a run, each with the numbers behind it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from moodcore.report.run_data import RunData

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# A table behind a curve shows about so many of its points.
_TABLE_POINTS = 12
_REFERENCE = re.compile(r'(\bid="|\bhref="#|url\(#)')


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes
    ----------
    name : str
        Of its file.
    caption : str
        What it shows.
    svg : str
        The picture, as part of an HTML page or a file.
    table : DataFrame
        The numbers behind it.
    """

    name: str
    caption: str
    svg: str
    table: pd.DataFrame


def draw_pictures(run: RunData) -> dict[str, Picture]:
    """Draw every picture that the run has data for, by name."""
    from matplotlib.figure import Figure

    makers: dict[str, Callable[[RunData], tuple[str, Any, pd.DataFrame]]] = {
        "class_counts": _class_counts,
        "correlation_all": _correlation_all,
        "correlation_kept": _correlation_kept,
    }
    if "optimizers" in run.metrics:
        makers |= {
            "optimizers_per_epoch": _optimizers_per_epoch,
            "optimizers_per_update": _optimizers_per_update,
        }
    if "importance" in run.metrics:
        makers["importance"] = _importance
    if run.trials is not None:
        makers |= {
            "grid_overview": _grid_overview,
            "confusion_matrix": _confusion,
        }
        if run.family.length is not None:
            makers |= {
                "learning_rates": _learning_rates,
                "shapes": _shapes,
                "candidates": _candidates,
            }
    found = {}
    for name, maker in makers.items():
        caption, drawn, table = maker(run)
        figure = drawn if isinstance(drawn, Figure) else drawn.figure
        found[name] = Picture(name, caption, _svg(figure, name), table)
        _close(figure)
    return found


def _svg(figure: Figure, name: str) -> str:
    """Return the figure as `<svg>`, its ids made its own so that pictures do not mix."""
    from moodcore.plots import figure_svg

    return _REFERENCE.sub(rf"\g<1>{name}-", figure_svg(figure))


def _close(figure: Figure) -> None:
    import matplotlib.pyplot as plt

    plt.close(figure)


def _class_counts(run: RunData) -> tuple[str, Any, pd.DataFrame]:
    import pandas as pd

    from moodcore import plots

    before = run.metrics["preprocessing"]["counts_before"]
    after = run.metrics["preprocessing"]["counts_after"]
    table = pd.DataFrame(
        {"class": list(before), "before": before.values(), "after": after.values()}
    )
    caption = "Songs of each class in the training part, before and after balancing."
    return caption, plots.class_counts(before, after), table


def _correlation_all(run: RunData) -> tuple[str, Any, pd.DataFrame]:
    return _correlation(run, list(run.correlation.columns), "every feature")


def _correlation_kept(run: RunData) -> tuple[str, Any, pd.DataFrame]:
    kept = [one for one in run.metrics["preprocessing"]["features"] if one in run.correlation]
    return _correlation(run, kept, "the features that were kept")


def _correlation(run: RunData, names: list[str], which: str) -> tuple[str, Any, pd.DataFrame]:
    from moodcore import plots

    part = run.correlation.loc[names, names]
    caption = f"Correlation (Pearson) of {which}, in the training part."
    table = part.round(3).reset_index(names="feature")
    return caption, plots.correlation_heatmap(part), table


def _optimizers_per_epoch(run: RunData) -> tuple[str, Any, pd.DataFrame]:
    from moodcore import plots

    losses: dict[str, list[float]] = {n: one.tolist() for n, one in run.epoch_losses.items()}
    caption = "Training loss per epoch: the same network and songs, three optimizers."
    return caption, plots.loss_per_epoch(losses), _sampled(losses, "epoch")


def _optimizers_per_update(run: RunData) -> tuple[str, Any, pd.DataFrame]:
    from moodcore import plots

    caption = (
        "Training loss per weight update. Gradient descent makes one update per epoch, the "
        "others one per minibatch."
    )
    losses = run.update_losses
    return caption, plots.loss_per_update(losses), _sampled(losses, "update")


def _sampled(losses: dict[str, Any], unit: str) -> pd.DataFrame:
    import pandas as pd

    longest = max(len(one) for one in losses.values())
    points = np.unique(np.geomspace(1, longest, _TABLE_POINTS).round().astype(int))
    table: dict[str, Any] = {unit: points}
    for name, one in losses.items():
        table[name] = [round(float(one[p - 1]), 4) if p <= len(one) else None for p in points]
    return pd.DataFrame(table)


def _grid_overview(run: RunData) -> tuple[str, Any, pd.DataFrame]:
    from moodcore import plots

    table = run.shown[[*run.family.layout, run.family.rate, "accuracy"]]
    drawn = plots.grid_overview(run.shown, run.family.layout, across=run.family.rate)
    return "Mean validation accuracy of the candidates.", drawn, table


def _learning_rates(run: RunData) -> tuple[str, Any, pd.DataFrame]:
    return _effect(run, run.family.rate)


def _shapes(run: RunData) -> tuple[str, Any, pd.DataFrame]:
    return _effect(run, run.family.layout[0])


def _effect(run: RunData, name: str) -> tuple[str, Any, pd.DataFrame]:
    from moodcore import plots
    from moodcore.plots.tables import words

    unit = run.family.unit
    caption = f"Validation loss per {unit} by {words(name)}, mean over the candidates with it."
    return caption, plots.parameter_effect(run.shown, run.curves, name, unit=unit), _by(run, name)


def _importance(run: RunData) -> tuple[str, Any, pd.DataFrame]:
    import pandas as pd

    from moodcore import plots

    found = run.metrics["importance"]
    caption = (
        "How much trees trained on every feature use each: its share in the gain of all splits. "
        "Hatched: what the correlation filter throws away."
    )
    table = pd.DataFrame(
        {
            "feature": list(found["gain"]),
            "share of the gain": [round(share, 4) for share in found["gain"].values()],
            "correlation filter": [
                "drops" if name in found["filtered"] else "keeps" for name in found["gain"]
            ],
        }
    ).sort_values("share of the gain", ascending=False)
    drawn = plots.feature_importance(found["gain"], kind="share", dropped=found["filtered"])
    return caption, drawn, table


def _by(run: RunData, name: str) -> pd.DataFrame:
    joined = run.curves.merge(run.shown[["number", name]], on="number")
    table = joined.pivot_table(index="epoch", columns=name, values="valid_loss")
    points = np.unique(np.geomspace(1, len(table), _TABLE_POINTS).round().astype(int)) - 1
    return table.iloc[points].round(4).reset_index()


def _candidates(run: RunData) -> tuple[str, Any, pd.DataFrame]:
    from moodcore import plots

    last = run.curves.groupby("number").last().reset_index()
    caption = (
        "Training and validation loss of every candidate, mean over the folds. Training rows are "
        "balanced, validation rows keep the natural mix: a gap alone is no overfitting."
    )
    drawn = plots.candidate_losses(run.shown, run.curves, run.family.layout, unit=run.family.unit)
    return caption, drawn, last.round(4)


def _confusion(run: RunData) -> tuple[str, Any, pd.DataFrame]:
    import pandas as pd

    from moodcore import plots

    matrix = np.asarray(run.metrics["test"]["confusion"])
    names = [one["name"] for one in run.metrics["test"]["classes"]]
    table = pd.DataFrame(matrix, columns=[f"called {name}" for name in names])
    table.insert(0, "truth", names)
    caption = "The test songs: their class down, what the model called them across."
    return caption, plots.confusion_matrix(matrix, names), table
