"""The report of a run of any kind."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from moodcore.report.page import SYNTHETIC, Headline, Page, write
from moodcore.report.run import RunFiles
from moodcore.report.text import DASH

# The command, which is also the name of its modules, by the format of metrics.json.
_KINDS = {
    "moodcore-run": "tune",
    "moodcore-comparison": "compare",
    "moodcore-features": "features",
}


def build(folder: str | os.PathLike[str] | Any) -> Path:
    """Write `report.html` and `figures/` of a finished run.

    Everything comes from the files of the folder; nothing is trained.

    Parameters
    ----------
    folder : path, or object with an attribute `path`
        The folder of a finished run of any kind.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    OSError
        If a file of the run is missing or the report cannot be written.
    """
    path = Path(getattr(folder, "path", folder))
    page = make_page(RunFiles(path))
    write(page, path / "report.html", path / "figures")
    return path / "report.html"


def make_page(run: RunFiles) -> Page:
    """Return the page of a run."""
    metrics, timing, data = run.metrics, run.timing, run.data
    return Page(
        command=_KINDS[metrics["format"]],
        headline=headline(metrics),
        sections=_module("pages", metrics).sections(run),
        timing=timing,
        facts={
            "Data": data["source"],
            "Data, SHA-256": data["sha256"],
            "Finished": timing["finished"].replace("T", " ").replace("+00:00", " UTC"),
            "Seed": metrics["settings"]["seed"],
            "Jobs": f"{timing['jobs']} (results do not depend on the number)",
        },
        config=run.config,
        synthetic=data["synthetic"],
    )


def headline(metrics: Mapping[str, Any]) -> Headline:
    """Return the outcome of a run of any kind.

    Parameters
    ----------
    metrics : mapping
        The content of the run's `metrics.json`.
    """
    found: Headline = _module("outcomes", metrics).headline(metrics)
    warnings = [check["name"].lower() for check in found.checks if not check["ok"]]
    warning = f"Checks with warnings: {', '.join(warnings)}." if warnings else ""
    return replace(found, sentences=[text for text in (*found.sentences, warning) if text])


def summary(metrics: Mapping[str, Any]) -> str:
    """Return the outcome of a run as text, one sentence or two per line.

    Parameters
    ----------
    metrics : mapping
        The content of the run's `metrics.json`, of any kind of run.
    """
    found = headline(metrics)
    lines = [SYNTHETIC] if metrics["data"]["synthetic"] else []
    if found.table is not None:
        named = found.table.set_index(found.table.columns[0]).rename_axis(None)
        lines.append(named.to_string(na_rep=DASH))
    return "\n".join([*lines, *found.sentences])


def _module(package: str, metrics: Mapping[str, Any]) -> Any:
    return import_module(f"moodcore.report.{package}.{_KINDS[metrics['format']]}")
