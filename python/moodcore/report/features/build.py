"""The page of a study of features, from the files of its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moodcore.features.advice import harmless_size
from moodcore.features.choices import ALL
from moodcore.features.models import title
from moodcore.features.run import PUBLISHED, FeatureFolder
from moodcore.report.cells import percent
from moodcore.report.page import SYNTHETIC, Highlight, Page, Provenance, write
from moodcore.runs.folder import read_json

if TYPE_CHECKING:
    import pandas as pd

_TEMPLATE = "features/page.html.j2"
# Standard deviation over the folds, in shares, above which the page speaks up: as for `tune`.
_WIDE = 0.02


@dataclass(frozen=True)
class StudyData:
    """The files of a finished run.

    Attributes
    ----------
    metrics, timing : mapping
        The content of `metrics.json` and `timing.json`.
    config : str
        The text of `config.toml`.
    features, importances, choices, trainings : DataFrame
        The tables.
    """

    metrics: Mapping[str, Any]
    timing: Mapping[str, Any]
    config: str
    features: pd.DataFrame
    importances: pd.DataFrame
    choices: pd.DataFrame
    trainings: pd.DataFrame

    @property
    def models(self) -> list[str]:
        """Names of the models that could be trained on all features."""
        full = self.choices[(self.choices["choice"] == ALL) & self.choices["accuracy"].notna()]
        return full["model"].tolist()

    @property
    def titles(self) -> dict[str, str]:
        """What pictures call the models."""
        return {name: title(name) for name in self.models}

    def kept(self, choice: str, feature: str) -> float:
        """Return the share of folds in which a choice keeps a feature."""
        rows = self.features.set_index("feature")[f"kept_{choice}"]
        return float(rows.to_dict()[feature])


def read_study(folder: FeatureFolder) -> StudyData:
    """Read the files of a finished run.

    Raises
    ------
    OSError
        If one is missing.
    """
    import pandas as pd

    def table(name: str) -> pd.DataFrame:
        found = pd.read_csv(folder.table(name))
        for column in {"failure", "partner", "model"} & set(found.columns):
            # Empty text is text, not a missing number.
            found[column] = found[column].astype(object).where(found[column].notna(), "")
        return found

    return StudyData(
        metrics=read_json(folder.metrics),
        timing=read_json(folder.timing),
        config=folder.config.read_text(encoding="utf-8"),
        features=table("features"),
        importances=table("importances"),
        choices=table("choices"),
        trainings=table("trainings"),
    )


def build(folder: FeatureFolder) -> None:
    """Write `report.html` and the figures of a finished run.

    Everything comes from the files of the folder, so that a report can be made again at any
    time; nothing is trained.

    Parameters
    ----------
    folder : FeatureFolder
        A finished run.

    Raises
    ------
    OSError
        If a file of the run is missing or the report cannot be written.
    """
    from moodcore.report.features.tables import accuracies, columns

    study = read_study(folder)
    write(
        folder.report,
        _TEMPLATE,
        make_page(study),
        figures=folder.figures,
        m=study.metrics,
        models=[title(name) for name in study.metrics["settings"]["models"]],
        accuracies=accuracies(study),
        columns=columns(study),
    )


def make_page(study: StudyData) -> Page:
    """Return what every kind of page has, of this study."""
    from moodcore.report.features.figures import draw_pictures

    metrics, timing = study.metrics, study.timing
    data = {"Songs": metrics["data"]["source"], "Songs, SHA-256": metrics["data"]["sha256"]}
    return Page(
        title="What is each feature worth, and what does leaving it out cost?",
        kind="features",
        summary=_paragraphs(metrics["advice"]),
        provenance=Provenance(
            command=timing["command"],
            finished=timing["finished"],
            seed=metrics["settings"]["seed"],
            jobs=timing["jobs"],
            seconds=timing["seconds"],
            versions=timing["versions"],
            data=data,
            settings=study.config,
        ),
        synthetic=metrics["data"]["synthetic"],
        highlights=_highlights(study),
        checks=_checks(study),
        pictures=draw_pictures(study),
    )


def summary(metrics: Mapping[str, Any]) -> str:
    """Return the outcome in a few lines; the first says so if the songs are synthetic.

    Parameters
    ----------
    metrics : mapping
        The content of a run's `metrics.json`.
    """
    notice = [SYNTHETIC] if metrics["data"]["synthetic"] else []
    return "\n".join([*notice, *metrics["advice"]])


def _paragraphs(advice: list[str]) -> list[str]:
    """Return what to do, and the reasons as one paragraph."""
    return [advice[0], " ".join(advice[1:])] if len(advice) > 1 else list(advice)


def _highlights(study: StudyData) -> list[Highlight]:
    full = study.choices[(study.choices["choice"] == ALL) & study.choices["accuracy"].notna()]
    if full.empty:
        return []
    best = full.iloc[int(full["accuracy"].to_numpy().argmax())]
    name = title(str(best["model"]))
    n_features = int(best["n_features"])
    found = [Highlight(percent(float(best["accuracy"])), f"{name} with all {n_features} features")]
    own = study.choices[study.choices["model"] == best["model"]].set_index("choice")
    if PUBLISHED in own.index:
        size = own["n_features"].to_dict()[PUBLISHED]
        accuracy = own["accuracy"].to_dict()
        found.append(
            Highlight(percent(accuracy[PUBLISHED]), f"{name} with the published {size:.0f}")
        )
        same = f"eliminated to {size:.0f}"
        if same in own.index:
            label = f"{name} with {size:.0f} chosen by importance"
            found.append(Highlight(percent(accuracy[same]), label))
    chosen = study.choices[study.choices["model"] == best["model"]]
    harmless = harmless_size(chosen)
    enough = n_features if harmless is None else int(harmless)
    label = f"features, chosen by importance, are enough for {name}"
    found.append(Highlight(f"{enough} of {n_features}", label))
    return found


def _checks(study: StudyData) -> list[dict[str, Any]]:
    failed = study.trainings[study.trainings["failure"] != ""]
    full = study.choices[(study.choices["choice"] == ALL) & study.choices["accuracy"].notna()]
    wide = full[full["accuracy_std"] > _WIDE]
    unsteady = [
        name
        for name in dict.fromkeys(study.choices["choice"])
        if name != ALL and study.features[f"kept_{name}"].between(0, 1, inclusive="neither").any()
    ]
    widest = ", ".join(
        f"{title(str(one))} {100 * std:.1f}"
        for one, std in zip(wide["model"], wide["accuracy_std"], strict=True)
    )
    return [
        _check(
            "Failed trainings",
            failed.empty,
            "Every training came to its end.",
            f"{len(failed)} trainings failed: see failure in trainings.csv.",
        ),
        _check(
            "Fold spread",
            wide.empty,
            "The folds agree: no model's accuracy with all features has a standard deviation "
            f"above {100 * _WIDE:.0f} points.",
            f"The folds differ much (standard deviation in points): {widest}. Costs are then "
            "uncertain; use more songs.",
        ),
        _check(
            "Steady choices",
            not unsteady,
            "Filter and elimination choose the same features in every fold.",
            f"Which features stay differs from fold to fold for: {', '.join(unsteady)}. Their "
            "accuracy is that of the way of choosing, not of one set of features.",
        ),
    ]


def _check(name: str, ok: bool, fine: str, concern: str) -> dict[str, Any]:
    return {"name": name, "ok": bool(ok), "text": fine if ok else concern}
