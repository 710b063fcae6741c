"""The page of a search or of a comparison of optimizers, from the files of its run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from moodcore.report.page import Highlight, Page, Provenance, write
from moodcore.report.tune.candidates import candidate_table
from moodcore.report.tune.families import family_table
from moodcore.report.tune.figures import draw_pictures
from moodcore.report.tune.run_data import RunData, read_run
from moodcore.report.tune.summary import (
    family_sentences,
    highlights,
    importance_sentence,
    outcome,
    title,
)
from moodcore.runs.folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd

_TEMPLATE = "tune/page.html.j2"


def build(folder: RunFolder) -> None:
    """Write `report.html` and the figures of a finished run.

    Everything comes from the files of the folder, so that a report can be made again at any
    time; nothing is trained.

    Parameters
    ----------
    folder : RunFolder
        A finished run.

    Raises
    ------
    OSError
        If a file of the run is missing or the report cannot be written.
    """
    run = read_run(folder)
    write(
        folder.report,
        _TEMPLATE,
        make_page(run),
        figures=folder.figures,
        m=run.metrics,
        family=run.family,
        columns=_columns(run),
        candidates=candidate_table(run),
        parameters=_parameters(run),
        tests=_tests(run),
        classes=_classes(run),
        importance=importance_sentence(run.metrics),
        families=family_table(run.metrics),
        family_sentences=family_sentences(run.metrics),
    )


def make_page(run: RunData) -> Page:
    """Return what every kind of page has, of this run."""
    metrics, timing = run.metrics, run.timing
    data = {"Songs": metrics["data"]["source"], "Songs, SHA-256": metrics["data"]["sha256"]}
    return Page(
        title=title(metrics),
        kind="tune",
        summary=outcome(metrics, families=False),
        provenance=Provenance(
            command=timing["command"],
            finished=timing["finished"],
            seed=metrics["settings"]["seed"],
            jobs=timing["jobs"],
            seconds=timing["seconds"],
            versions=timing["versions"],
            data=data,
            settings=run.config,
        ),
        synthetic=metrics["data"]["synthetic"],
        highlights=[Highlight(value, label) for value, label in highlights(metrics)],
        checks=metrics.get("checks", []),
        pictures=draw_pictures(run),
    )


def _columns(run: RunData) -> pd.DataFrame:
    import pandas as pd

    rows = run.metrics["data"]["columns"]
    return pd.DataFrame(
        [
            {"column": name} | {key: f"{value:.5g}" for key, value in row.items()}
            for name, row in rows.items()
        ]
    )


def _parameters(run: RunData) -> pd.DataFrame | None:
    import pandas as pd

    if "search" not in run.metrics:
        return None
    varied = run.metrics["search"]["varied"]
    return pd.DataFrame(
        [
            {"hyperparameter": name, "value": _value(value), "chosen by the search": name in varied}
            for name, value in run.metrics["model"]["parameters"].items()
        ]
    )


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _tests(run: RunData) -> pd.DataFrame | None:
    import pandas as pd

    if "test" not in run.metrics:
        return None
    models = {f"the {run.family.noun}": run.metrics["test"]} | run.metrics["baselines"]
    return pd.DataFrame(
        [
            {
                "model": name,
                "accuracy %": round(100 * found["accuracy"], 2),
                "balanced accuracy %": round(100 * found["balanced_accuracy"], 2),
                "macro F1": round(found["macro_f1"], 4),
                "log loss": _rounded(found["log_loss"]),
                "Brier score": _rounded(found["brier"]),
            }
            for name, found in models.items()
        ]
    )


def _rounded(value: float | None) -> float:
    """Return four decimals; NaN, which tables show as a dash, for what a model does not give."""
    return math.nan if value is None else round(value, 4)


def _classes(run: RunData) -> pd.DataFrame | None:
    import pandas as pd

    if "test" not in run.metrics:
        return None
    rows = [
        {
            "class": one["name"],
            "precision %": round(100 * one["precision"], 2),
            "recall %": round(100 * one["recall"], 2),
            "F1": round(one["f1"], 4),
            "test songs": one["support"],
        }
        for one in run.metrics["test"]["classes"]
    ]
    return pd.DataFrame(rows)
