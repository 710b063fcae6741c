"""The page of a comparison, from the files of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moodcore.comparison.comparison_folder import ComparisonFolder
from moodcore.comparison.outputs import METRICS
from moodcore.report.compare.figures import ComparisonData, draw_pictures, figure_name
from moodcore.report.compare.summary import highlights, title
from moodcore.report.page import Highlight, Page, Provenance, write
from moodcore.runs.folder import read_json

if TYPE_CHECKING:
    import pandas as pd

_TEMPLATE = "compare/page.html.j2"
_TABLES = (
    "summary", "scores", "test", "pairs", "learning_curves", "calibration", "precision_recall",
    "disagreements", "chosen", "times",
)  # fmt: skip
# Of thousands of disputed songs the page shows so many; all are in a file.
_DISPUTED = 12


def build(folder: ComparisonFolder) -> None:
    """Write `report.html` and the figures of a finished comparison.

    Everything comes from the files of the folder; nothing is trained.

    Parameters
    ----------
    folder : ComparisonFolder
        A finished run.

    Raises
    ------
    OSError
        If a file of the run is missing or the report cannot be written.
    """
    data = _read(folder)
    write(
        folder.report,
        _TEMPLATE,
        make_page(data),
        figures=folder.figures,
        m=data.metrics,
        models=_models(data),
        intervals=_intervals(data),
        tests=_tests(data),
        pairs=_pairs(data),
        disputed=_disputed(data),
        chosen=data.tables["chosen"],
        precisions=[figure_name("precision", str(name)) for name in data.metrics["classes"]],
        confusions=[figure_name("confusion", name) for name in data.shown],
    )


def _read(folder: ComparisonFolder) -> ComparisonData:
    import pandas as pd

    return ComparisonData(
        metrics=read_json(folder.metrics),
        timing=read_json(folder.timing),
        tables={name: pd.read_csv(folder.table(name)) for name in _TABLES},
        config=folder.config.read_text(encoding="utf-8"),
    )


def make_page(data: ComparisonData) -> Page:
    """Return what every kind of page has, of this run."""
    metrics, timing = data.metrics, data.timing
    songs = {"Songs": metrics["data"]["source"], "Songs, SHA-256": metrics["data"]["sha256"]}
    return Page(
        title=title(metrics),
        kind="compare",
        summary=metrics["outcome"],
        provenance=Provenance(
            command=timing["command"],
            finished=timing["finished"],
            seed=metrics["settings"]["seed"],
            jobs=timing["jobs"],
            seconds=timing["seconds"],
            versions=timing["versions"],
            data=songs,
            settings=data.config,
        ),
        synthetic=metrics["data"]["synthetic"],
        highlights=[Highlight(value, label) for value, label in highlights(metrics)],
        checks=metrics["checks"],
        pictures=draw_pictures(data),
    )


def _models(data: ComparisonData) -> pd.DataFrame:
    """Return the means, times and sizes: one row a model."""
    table = data.tables["summary"].merge(data.tables["times"], on="model")
    titles = {name: metric.title for name, metric in METRICS.items()}
    shown = table[["model", *titles]].assign(accuracy=(100 * table["accuracy"]).round(2))
    shown = shown.round(4).rename(columns=titles | {"accuracy": "accuracy %"})
    return shown.assign(
        **{
            "training, s": table["fit_seconds"].round(3),
            "songs/s": table["rows_per_second"].round(-2),
            "file, kB": (table["model_bytes"] / 1000).round(1),
        }
    )


def _intervals(data: ComparisonData) -> pd.DataFrame:
    """Return the confidence interval of each mean, as text."""
    table = data.tables["summary"]
    found: dict[str, Any] = {"model": table["model"]}
    for name, metric in METRICS.items():
        low, high = table[f"{name}_low"], table[f"{name}_high"]
        texts = low.map("{:.4f}".format) + " to " + high.map("{:.4f}".format)
        found[metric.title] = texts.where(table[name].notna(), None)
    return _frame(found)


def _tests(data: ComparisonData) -> pd.DataFrame:
    titles = {name: metric.title for name, metric in METRICS.items()}
    table = data.tables["test"][["model", *titles]]
    table = table.assign(accuracy=(100 * table["accuracy"]).round(2)).round(4)
    return table.rename(columns=titles | {"accuracy": "accuracy %"})


def _pairs(data: ComparisonData) -> pd.DataFrame:
    table = data.tables["pairs"]

    def points(name: str) -> Any:
        return (100 * table[name]).round(2)

    return _frame(
        {
            "pair": table["first"] + " against " + table["second"],
            "points": points("difference"),
            "from": points("difference_low"),
            "to": points("difference_high"),
            "p": table["p_value"].round(4),
            "p (Holm)": table["p_holm"].round(4),
            "only first right": table["only_first_right"],
            "only second right": table["only_second_right"],
            "McNemar p": table["test_p_value"].round(4),
            "McNemar p (Holm)": table["test_p_holm"].round(4),
            "verdict": table["verdict"],
        }
    )


def _disputed(data: ComparisonData) -> pd.DataFrame:
    table = data.tables["disagreements"]
    models = [name for name in data.shown if name in table]
    features = table.columns[list(table.columns).index("answers") + 1 :]
    said = {one["model"] for one in data.metrics["summary"]}
    values = [n for n in features if n not in said and not n.endswith("(probability)")]
    head = ["uri"] if "uri" in table else ["row"]
    return table[[*head, "class", *models, *values]].head(_DISPUTED).round(3)


def _frame(columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns)
