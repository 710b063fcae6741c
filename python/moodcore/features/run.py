"""A run of `moodcore features`: a table in, a folder with tables, a model and a report out."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moodcore.errors import ConfigError
from moodcore.estimators.progress import polled
from moodcore.features.choices import Choice, choices_of
from moodcore.features.findings import (
    Findings,
    correlation_table,
    description_jobs,
    merge_descriptions,
)
from moodcore.features.jobs import TABLE, StudyTable, describe, for_training
from moodcore.features.models import MODELS, TREES, default_model
from moodcore.features.recommendation import recommend
from moodcore.features.settings import DEFAULT_SONGS, FeatureSettings
from moodcore.files import write_table
from moodcore.runs.carry_out import carry_out
from moodcore.runs.data import load
from moodcore.runs.describe import describe_data
from moodcore.runs.folder import RunFolder
from moodcore.runs.interrupts import RunInterruptedError
from moodcore.runs.mark import make_mark
from moodcore.runs.models import check_learned, named_models, prepared, save_model
from moodcore.runs.run import Execution, Run
from moodcore.runs.seeds import Stream, derive
from moodcore.runs.store import FolderStore

if TYPE_CHECKING:
    from moodcore.runs.estimate import Estimate
    from moodcore.tables import Dataset

PUBLISHED = "published"


class FeatureRun(Run[FeatureSettings]):
    """One run of `moodcore features`.

    Parameters
    ----------
    settings, execution, table, y
        See `Run`.
    models : mapping of str to classifier, optional
        Classifiers of the user's, by the names that the settings have.

    Attributes
    ----------
    model : Pipeline or None
        After the run, the best model on the recommended features.
    """

    command = "features"
    format = "moodcore-features"

    def __init__(
        self,
        settings: FeatureSettings,
        execution: Execution | None = None,
        *,
        table: Any = None,
        y: Any = None,
        models: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(settings, execution, table=table, y=y)
        self._given = dict(models or {})
        self.model: Any = None

    def models(self) -> dict[str, Any]:
        """Return the unfitted models by name."""
        names = {name: self._given.get(name, name) for name in self.settings.models}
        return {
            name: default_model(model, self.settings) if isinstance(model, str) else model
            for name, model in named_models(names, MODELS).items()
        }

    def check(self) -> None:
        """Check the names of the models."""
        self.models()
        if self.settings.features == "uncorrelated":
            raise ConfigError(
                "features must be 'all', 'published' or a list of columns, got 'uncorrelated': "
                "every study compares what the correlation filter keeps"
            )

    def load(self) -> Dataset:
        """Read or make the rows, and check the choices of features against them."""
        settings = self.settings
        if settings.data is None and self._table is None and settings.rows is None:
            settings = replace(settings, rows=DEFAULT_SONGS)
        with self.timed("data"):
            dataset = load(settings, self._table, self._y)
        self.choices(self.table(dataset))
        return dataset

    def mark(self, dataset: Dataset) -> dict[str, Any]:
        """Return the resume mark; classifiers of the user's are part of it."""
        given = {name: repr(model) for name, model in self._given.items()}
        settings = self.settings.decisive() | ({"classifiers": given} if given else {})
        return make_mark(settings, dataset.fingerprint())

    def table(self, dataset: Dataset) -> StudyTable:
        """Return the rows with the features to study.

        Raises
        ------
        ConfigError
            If there are fewer than two features.
        """
        from moodcore.tables.roles import column_roles

        chosen = dataset.check_features(self.settings.features or "all")
        names = [str(name) for name in dataset.X.columns] if chosen is None else chosen
        if len(names) < 2:
            raise ConfigError(f"a study needs at least two features, got {len(names)}")
        roles = {role.name: role.role for role in column_roles(dataset.X[names])}
        return StudyTable(
            dataset,
            replace(self.settings, balance=self.settings.is_balanced(dataset)),
            tuple(names),
            tuple(name for name in names if roles[name] in ("number", "boolean", "constant")),
        )

    def choices(self, table: StudyTable) -> tuple[Choice, ...]:
        """Return the choices of features that are compared."""
        sets: Mapping[str, Any] = self.settings.sets or {}
        if self.settings.sets is None and table.dataset.preset == "songs":
            from moodcore.songs import SELECTED_FEATURES

            published = tuple(name for name in SELECTED_FEATURES if name in table.names)
            sets = {PUBLISHED: published} if published else {}
        return choices_of(table.names, table.numbers, self.settings, sets)

    def estimate(self, dataset: Dataset) -> Estimate:
        """Return the plan and the time it would take."""
        from moodcore.features.estimate import estimate

        table, models = self.table(dataset), self.models()
        choices, trees = self.choices(table), self._trees(models)
        return estimate(table, choices, models, trees, self.execution)

    def measure(self, folder: RunFolder, dataset: Dataset) -> dict[str, Any]:
        """Describe the folds, train, write tables and model, and return the metrics."""
        table = self.table(dataset)
        found, complete = self._measure(folder, table)
        tables = found.tables()
        for name, frame in tables.items():
            write_table(folder.table(name), frame)
        recommended = recommend(tables["features"], tables["choices"], len(table.folds))
        metrics: dict[str, Any] = {
            "complete": complete,
            "data": describe_data(dataset, len(dataset.y), self._n_test(dataset)),
            "recommended": recommended,
            **{name: frame.to_dict(orient="records") for name, frame in tables.items()},
            "correlation": correlation_table(found).to_dict(),
        }
        if recommended is not None:
            metrics["test"] = self._fit_best(folder, table, found.models, recommended, metrics)
        return metrics

    def _measure(self, folder: RunFolder, table: StudyTable) -> tuple[Findings, bool]:
        """Return the results, and whether they are those of all trainings."""
        from threadpoolctl import threadpool_limits

        from moodcore.estimators.base import Classifier

        execution, models = self.execution, self.models()
        folds = len(table.folds)
        begin = time.monotonic()
        store = FolderStore(folder.results, _encode, json.loads, ".json")
        stoppable = all(isinstance(model, Classifier) for model in self._given.values())
        # Threads of linear algebra would compete with the jobs for the CPUs, and sum up in an
        # order that depends on their number.
        with (
            threadpool_limits(limits=1),
            execution.executor({TABLE: table}, processes=not stoppable) as executor,
        ):
            with self.stage("describing the folds", "folds"):
                described = carry_out(
                    description_jobs(folds, self._trees(models)),
                    store,
                    executor,
                    execution.listener,
                    unit="descriptions",
                    describe=describe,
                )
            found = Findings(
                table.names,
                table.numbers,
                self.choices(table),
                models,
                merge_descriptions(described, folds),
                {},
            )
            jobs = found.jobs()
            first = {job.key for job in jobs if job.columns == table.names}
            minutes = execution.minutes
            if minutes is not None:
                minutes = max(0.0, minutes - (time.monotonic() - begin) / 60)
            with self.stage("training the models", "trainings"):
                results = carry_out(
                    jobs,
                    store,
                    executor,
                    execution.listener,
                    unit="trainings",
                    describe=describe,
                    minutes=minutes,
                    enough=first.issubset,
                )
        return replace(found, results=results), len(results) == len(jobs)

    def _trees(self, models: Mapping[str, Any]) -> Any:
        """Return the boosted trees that eliminate features."""
        from moodcore import GBT

        given = models.get(TREES)
        if isinstance(given, GBT):
            return given
        return default_model(TREES, replace(self.settings, epochs=None))

    def _n_test(self, dataset: Dataset) -> int:
        return 0 if dataset.test is None else len(dataset.test[1])

    def _fit_best(
        self,
        folder: RunFolder,
        table: StudyTable,
        models: Mapping[str, Any],
        recommended: Mapping[str, Any],
        metrics: Mapping[str, Any],
    ) -> dict[str, Any] | None:
        """Train the recommended model on all rows, save it if it can be saved, and test it."""
        from moodcore.metrics import evaluate_model

        dataset, columns = table.dataset, recommended["features"]
        seed = derive(self.settings.seed, Stream.REFIT)
        with self.stage("training the recommended model", "recommended model"):
            model = for_training(models[recommended["model"]], seed)
            balance = bool(table.settings.balance)
            pipeline = prepared(
                dataset, model, features=columns, balance=balance, random_state=seed
            )
            try:
                with polled(self._poll):
                    pipeline.fit(dataset.X[columns], dataset.y)
                check_learned(pipeline)
            except RunInterruptedError:
                raise
            except Exception as error:
                # The results of the study do not depend on this model.
                self.execution.stage(
                    f"the recommended model ({recommended['model']}) could not be trained on all "
                    f"rows, and is not saved: {type(error).__name__}: {error}"
                )
                return None
            self.model = pipeline
        test = None
        if dataset.test is not None:
            with self.stage("testing", "test"):
                X, y = dataset.test
                names = dataset.class_names
                test = evaluate_model(self.model, X[columns], y, class_names=names).to_dict()
        described = {"settings": self.settings.to_dict(), "data": metrics["data"], "test": test}
        # Model files hold models of the package only.
        with suppress(TypeError):
            save_model(self.model, folder.model, described)
        return test

    def _poll(self) -> None:
        if self.execution.stop.is_set():
            raise RunInterruptedError


def _encode(result: Mapping[str, Any]) -> bytes:
    return json.dumps(result, indent=1).encode()
