"""The pictures of a run, each with the numbers behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moodcore.report.cells import percent, signed
from moodcore.report.pictures import Picture, picture
from moodcore.report.tune.families import draw_families, several
from moodcore.report.tune.run_data import RunData

if TYPE_CHECKING:
    import pandas as pd

# A table behind a curve shows about so many of its points.
_TABLE_POINTS = 12

#: Title, caption, axes or figure, and the numbers behind.
Drawn = tuple[str, str, Any, "pd.DataFrame"]


def draw_pictures(run: RunData) -> dict[str, Picture]:
    """Draw every picture that the run has data for, by name."""
    makers: dict[str, Callable[[RunData], Drawn]] = {
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
    if several(run.metrics):
        makers["families"] = _families
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
    return {name: picture(name, *maker(run)) for name, maker in makers.items()}


def _class_counts(run: RunData) -> Drawn:
    import pandas as pd

    from moodcore import plots

    before = run.metrics["preprocessing"]["counts_before"]
    after = run.metrics["preprocessing"]["counts_after"]
    table = pd.DataFrame(
        {"class": list(before), "before": before.values(), "after": after.values()}
    )
    most, least = max(before, key=before.__getitem__), min(before, key=before.__getitem__)
    caption = (
        f"In the training part, before and after balancing: {most} had {before[most]:,} songs, "
        f"{least} {before[least]:,}; after it every class has {after[least]:,}."
    )
    return "Songs of each class", caption, plots.class_counts(before, after), table


def _correlation_all(run: RunData) -> Drawn:
    return _correlation(run, list(run.correlation.columns), "Correlation of every feature")


def _correlation_kept(run: RunData) -> Drawn:
    kept = [one for one in run.metrics["preprocessing"]["features"] if one in run.correlation]
    return _correlation(run, kept, "Correlation of the features that were kept")


def _correlation(run: RunData, names: list[str], title: str) -> Drawn:
    from moodcore import plots

    part = run.correlation.loc[names, names]
    caption = f"Pearson's, in the training part. {_strongest(part)}"
    table = part.round(3).reset_index(names="feature")
    return title, caption, plots.correlation_heatmap(part), table


def _strongest(correlation: pd.DataFrame) -> str:
    values = np.abs(correlation.to_numpy(dtype=float))
    if len(values) < 2:
        return "One feature goes along with itself."
    np.fill_diagonal(values, -1.0)
    row, column = np.unravel_index(values.argmax(), values.shape)
    value = float(correlation.to_numpy()[row, column])
    names = correlation.columns
    return f"Closest are {names[row]} and {names[column]}: {signed(value)}."


def _optimizers_per_epoch(run: RunData) -> Drawn:
    from moodcore import plots

    losses: dict[str, list[float]] = {n: one.tolist() for n, one in run.epoch_losses.items()}
    last = {name: one[-1] for name, one in losses.items()}
    best = min(last, key=last.__getitem__)
    caption = (
        f"The same network and songs, three optimizers. Lower is better; {best} ends lowest, at "
        f"{last[best]:.4f}."
    )
    return (
        "Training loss per epoch",
        caption,
        plots.loss_per_epoch(losses),
        _sampled(losses, "epoch"),
    )


def _optimizers_per_update(run: RunData) -> Drawn:
    from moodcore import plots

    losses = run.update_losses
    counts = ", ".join(f"{name} {len(one):,}" for name, one in losses.items())
    caption = (
        "The same trainings, by how often the weights were changed: gradient descent once per "
        f"epoch, the others once per minibatch ({counts} updates)."
    )
    drawn = plots.loss_per_update(losses)
    return "Training loss per weight update", caption, drawn, _sampled(losses, "update")


def _sampled(losses: dict[str, Any], unit: str) -> pd.DataFrame:
    import pandas as pd

    longest = max(len(one) for one in losses.values())
    points = np.unique(np.geomspace(1, longest, _TABLE_POINTS).round().astype(int))
    table: dict[str, Any] = {unit: points}
    for name, one in losses.items():
        table[name] = [round(float(one[p - 1]), 4) if p <= len(one) else None for p in points]
    return pd.DataFrame(table)


def _grid_overview(run: RunData) -> Drawn:
    from moodcore import plots

    table = run.shown[[*run.family.layout, run.family.rate, "accuracy"]]
    drawn = plots.grid_overview(run.shown, run.family.layout, across=run.family.rate)
    best = run.metrics["search"]["best"]
    caption = (
        f"Mean over the folds, in per cent. The best is number {best['number']}, "
        f"{percent(best['accuracy'])}; {_within(run)}"
    )
    return "Validation accuracy of the candidates", caption, drawn, table


def _within(run: RunData) -> str:
    """Say how many candidates the folds cannot tell from the best."""
    best = run.metrics["search"]["best"]
    near = run.shown["accuracy"] >= best["accuracy"] - best["accuracy_std"]
    others = int(near.sum()) - 1
    noun = "candidate lies" if others == 1 else "candidates lie"
    spread = 100 * best["accuracy_std"]
    return (
        f"{others or 'no'} other {noun} within its deviation over the folds ({spread:.2f} points)."
    )


def _learning_rates(run: RunData) -> Drawn:
    return _effect(run, run.family.rate)


def _shapes(run: RunData) -> Drawn:
    return _effect(run, run.family.layout[0])


def _effect(run: RunData, name: str) -> Drawn:
    from moodcore import plots
    from moodcore.plots.tables import words

    unit = run.family.unit
    caption = (
        f"Mean over the candidates with each value of {words(name)}, per {unit}; the band spans "
        "them. "
        f"{_lowest(run, name)} Where bands overlap, the other hyperparameters matter more."
    )
    drawn = plots.parameter_effect(run.shown, run.curves, name, unit=unit)
    return f"Validation loss by {words(name)}", caption, drawn, _by(run, name)


def _lowest(run: RunData, name: str) -> str:
    """Say which value has the lowest mean, each candidate taken at its end."""
    last = run.curves.groupby("number")["valid_loss"].last()
    means = run.shown.assign(last=run.shown["number"].map(last)).groupby(name)["last"].mean()
    means = means[np.isfinite(means)]
    if means.empty:
        return "None stays finite."
    return f"Lowest at the end of training: {means.idxmin()}, with {means.min():.4f}."


def _families(run: RunData) -> Drawn:
    return draw_families(run.metrics)


def _importance(run: RunData) -> Drawn:
    import pandas as pd

    from moodcore import plots

    found = run.metrics["importance"]
    caption = (
        "Trees trained on every feature; the share of each in the gain of all splits. Hatched: "
        "what the correlation filter throws away."
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
    return "How much the trees use each feature", caption, drawn, table


def _by(run: RunData, name: str) -> pd.DataFrame:
    joined = run.curves.merge(run.shown[["number", name]], on="number")
    table = joined.pivot_table(index="epoch", columns=name, values="valid_loss")
    points = np.unique(np.geomspace(1, len(table), _TABLE_POINTS).round().astype(int)) - 1
    return table.iloc[points].round(4).reset_index()


def _candidates(run: RunData) -> Drawn:
    from moodcore import plots

    last = run.curves.groupby("number").last().reset_index()
    caption = (
        "Mean over the folds. Training rows are balanced, validation rows keep the natural mix: a "
        "gap alone is no overfitting, a validation loss that rises again is."
    )
    drawn = plots.candidate_losses(run.shown, run.curves, run.family.layout, unit=run.family.unit)
    return "Losses of every candidate", caption, drawn, last.round(4)


def _confusion(run: RunData) -> Drawn:
    import pandas as pd

    from moodcore import plots

    matrix = np.asarray(run.metrics["test"]["confusion"])
    names = [one["name"] for one in run.metrics["test"]["classes"]]
    table = pd.DataFrame(matrix, columns=[f"called {name}" for name in names])
    table.insert(0, "truth", names)
    caption = (
        "The test songs: their class down, what the model called them across. "
        f"{_worst(matrix, names)}"
    )
    return "What the test songs are called", caption, plots.confusion_matrix(matrix, names), table


def _worst(matrix: NDArray[np.int64], names: list[str]) -> str:
    wrong = matrix - np.diag(np.diag(matrix))
    if not wrong.any():
        return "None is wrong."
    true, called = np.unravel_index(wrong.argmax(), wrong.shape)
    share = wrong[true, called] / matrix[true].sum()
    return (
        f"The commonest mistake: {wrong[true, called]:,} {names[true]} songs called "
        f"{names[called]}, {percent(share)} of the {names[true]} ones."
    )
