"""How boosted trees are fitted: data and parameters resolved, one call of the core."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _check_sample_weight, _check_y, check_consistent_length

from moodcore import _core
from moodcore.estimators.base import class_factors
from moodcore.estimators.gbt.metrics import Metric, core_metrics, resolve_metrics
from moodcore.estimators.gbt.options import (
    base_shares,
    categorical_mask,
    check_missing,
    core_objective,
    interaction_groups,
    monotone_signs,
    validation_share,
)
from moodcore.estimators.gbt.prediction import GbtPrediction
from moodcore.estimators.gbt.rows import BoostingRows, drop_weightless, named_eval_sets, read_margin
from moodcore.estimators.table_schema import TableSchema, row_count
from moodcore.estimators.tables import validate_table
from moodcore.platform import instruction_set, thread_count

# Parameters that only this side of the seam knows.
_PYTHON_ONLY = frozenset(
    {
        "missing",
        "categorical_features",
        "objective",
        "eval_metric",
        "validation_fraction",
        "callbacks",
        "base_score",
        "class_weight",
        "warm_start",
        "n_jobs",
        "random_state",
        "verbose",
    }
)

# Parameters that cross the seam in another form, which needs the training data.
_RESOLVED = frozenset({"monotone_constraints", "interaction_constraints"})


class GbtTraining(GbtPrediction):
    """The parts of `GBT.fit`."""

    def _core_names(self) -> frozenset[str]:
        return frozenset(self.get_params(deep=False)) - _PYTHON_ONLY

    def _checked_parameters(self) -> list[Metric]:
        """Check what can be checked without data; give the metrics."""
        _core.gbt_check(self._core_parameters(self._core_names() - _RESOLVED))
        check_missing(self.missing)
        validation_share(self.validation_fraction)
        thread_count(self.n_jobs)
        if self.objective is not None and not callable(self.objective):
            raise TypeError(f"objective must be None or a callable, got {self.objective!r}")
        self._check_switches("warm_start")
        self._check_verbose()
        listed = isinstance(self.callbacks, list | tuple) and all(map(callable, self.callbacks))
        if self.callbacks is not None and not listed:
            raise TypeError(f"callbacks must be a list of callables, got {self.callbacks!r}")
        return resolve_metrics(self.eval_metric)

    def _starting_model(self, init_model: Any) -> Any:
        """Give the core's model to go on from, if any, and take over what belongs to it."""
        if init_model is None:
            return self._model if self.warm_start and hasattr(self, "_model") else None
        if not isinstance(init_model, GbtPrediction):
            from moodcore.model_files.container import load

            loaded = load(init_model)
            if not isinstance(loaded, GbtPrediction):
                raise TypeError(f"init_model must be a GBT, got {type(loaded).__name__}")
            init_model = loaded
        self._take_over(init_model)
        self._core_seed = self._seed(self.random_state)
        return self._model

    def _rounds_to_train(self, start: Any, init_model: Any) -> int:
        """Count the rounds still to be trained."""
        if start is None or init_model is not None:
            return int(self.n_estimators)
        if self.n_estimators < start.n_rounds:
            raise ValueError(
                f"n_estimators must be at least {start.n_rounds}, the rounds of the last fit, "
                f"with warm_start, got {self.n_estimators}"
            )
        return int(self.n_estimators) - int(start.n_rounds)

    def _rows_to_train(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        base_margin: ArrayLike | None,
        start: Any,
    ) -> BoostingRows:
        """Check the training data; without a model to start from, learn what belongs to one."""
        reset = start is None
        if reset:
            raw = validate_table(self, X, reset=True)
            names = getattr(self, "feature_names_in_", None)
            mask = categorical_mask(self.categorical_features, names, self.n_features_in_)
            self._schema = TableSchema.learn(raw, mask, check_missing(self.missing))
        else:
            raw = validate_table(self, X, reset=False)
        table = self._schema.table(raw)
        labels, weight = self._labels_and_weight(y, sample_weight, row_count(table))
        table, labels, weight, margin = drop_weightless(table, labels, weight, base_margin)
        codes = self._learn_classes(labels) if reset else self._known_codes(labels)
        weight = self._with_class_weight(labels, codes, weight)
        if reset:
            self._core_seed = self._seed(self.random_state)
        margin = read_margin(margin, len(labels), self._n_outputs)
        return BoostingRows.of(table, codes, weight, margin)

    def _labels_and_weight(
        self, y: ArrayLike, sample_weight: ArrayLike | None, n_rows: int
    ) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, "
                "but the target y is None"
            )
        labels: NDArray[Any] = _check_y(y, estimator=self)
        if len(labels) != n_rows:
            check_consistent_length(np.empty(n_rows), labels)
        if sample_weight is None:
            return labels, None
        weight = _check_sample_weight(
            sample_weight, labels, dtype=np.float64, ensure_non_negative=True
        )
        return labels, weight

    def _with_class_weight(
        self, labels: NDArray[Any], codes: NDArray[np.intp], weight: NDArray[np.float64] | None
    ) -> NDArray[np.float64] | None:
        if self.class_weight is None:
            return weight
        present = np.unique(codes)
        factors = np.ones(len(self.classes_))
        factors[present] = class_factors(self.class_weight, self.classes_[present], labels, weight)
        return factors[codes] if weight is None else weight * factors[codes]

    def _evaluation_sets(
        self, eval_set: Any, eval_names: Any, weights: Any, margins: Any
    ) -> dict[str, BoostingRows]:
        """Check the rows on which training is watched."""
        sets = {}
        for name, (X, y), weight, margin in named_eval_sets(eval_set, eval_names, weights, margins):
            table = self._table(X)
            labels, weight = self._labels_and_weight(y, weight, row_count(table))
            table, labels, weight, margin = drop_weightless(table, labels, weight, margin)
            codes = self._known_codes(labels, f"y of evaluation set {name!r}")
            margin = read_margin(margin, len(labels), self._n_outputs)
            sets[name] = BoostingRows.of(table, codes, weight, margin)
        return sets

    def _set_aside(self, rows: BoostingRows) -> tuple[BoostingRows, dict[str, BoostingRows]]:
        """Set rows aside where early stopping, or the user, wants some."""
        if self.early_stopping_rounds is None and self.validation_fraction is None:
            return rows, {}
        share = validation_share(self.validation_fraction)
        rows, held = rows.split(share, self._core_seed % 2**32)
        return rows, {"validation": held}

    def _base(self, rows: BoostingRows) -> list[float] | None:
        """Give the margins before the first tree; None for those of the classes' shares."""
        n_classes = len(self.classes_)
        if self.base_score is not None and n_classes > 1:
            return _core.gbt_base(base_shares(self.base_score, n_classes))
        if self.objective is not None or rows.margin is not None:
            return [0.0] * self._n_outputs
        return None

    def _boost(
        self,
        rows: BoostingRows,
        sets: dict[str, BoostingRows],
        metrics: Sequence[Metric],
        *,
        start: Any,
        rounds: int,
        on_poll: Callable[[], object] | None,
    ) -> None:
        names = getattr(self, "feature_names_in_", None)
        n_features = self.n_features_in_
        params = self._core_parameters(
            self._core_names(),
            n_estimators=rounds,
            monotone_constraints=monotone_signs(
                self.monotone_constraints, self.classes_, names, n_features
            ),
            interaction_constraints=interaction_groups(
                self.interaction_constraints, names, n_features
            ),
        )
        result = _core.gbt_fit(
            params,
            rows.arrays(),
            len(self.classes_),
            categorical=list(self._schema.categorical),
            base=self._base(rows),
            start=start,
            evaluate=[held.arrays() for held in sets.values()],
            metrics=core_metrics(metrics, list(sets.values()), self.classes_),
            objective=core_objective(self.objective, rows.y, rows.weight),
            seed=self._core_seed,
            threads=thread_count(self.n_jobs),
            instructions=instruction_set(),
            on_round=self._listener(list(sets), [metric.name for metric in metrics]),
            on_poll=on_poll,
        )
        self._keep(result, list(sets), metrics, 0 if start is None else start.n_rounds)

    def _keep(
        self, result: dict[str, Any], sets: list[str], metrics: Sequence[Metric], first: int
    ) -> None:
        """Keep what the core gave."""
        history = result["history"]
        self.evals_result_ = {
            name: {metric.name: own for metric, own in zip(metrics, curves, strict=True)}
            for name, curves in zip(sets, history, strict=True)
        }
        best = result["best_round"] if self.early_stopping_rounds is not None else None
        self.best_iteration_ = None if best is None else best - 1
        self.best_score_ = None if best is None else history[-1][-1][best - 1 - first]
        self._set_model(result["model"])

    def _listener(
        self, sets: list[str], metrics: list[str]
    ) -> Callable[[int, list[list[float]]], bool | None] | None:
        """Give what the core calls after each round, if anything wants to hear of it."""
        callbacks, every = list(self.callbacks or ()), int(self.verbose)
        if not callbacks and not every:
            return None

        def listen(round_: int, values: list[list[float]]) -> bool:
            iteration = round_ - 1
            measured = [dict(zip(metrics, own, strict=True)) for own in values]
            record = {"iteration": iteration, **dict(zip(sets, measured, strict=True))}
            if every and iteration % every == 0:
                told = (
                    f"{name} {metric}={value:.5f}"
                    for name, own in zip(sets, measured, strict=True)
                    for metric, value in own.items()
                )
                print(f"iteration {iteration}:", *told)
            answers = [callback(record) for callback in callbacks]
            return any(isinstance(answer, bool | np.bool_) and answer for answer in answers)

        return listen
