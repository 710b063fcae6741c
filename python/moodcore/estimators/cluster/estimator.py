"""Gradient-boosted trees trained on a Dask cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from moodcore.estimators.checkpoint import checkpoint_of
from moodcore.estimators.cluster.parts import is_collection
from moodcore.estimators.evaluation import evaluation_sets
from moodcore.estimators.gbt import estimator as local
from moodcore.estimators.gbt.training import refuse_dart

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["GBT"]


class GBT(local.GBT):
    """Gradient-boosted trees, trained on Dask collections or files by the workers of a cluster.

    The parameters and attributes are those of :class:`moodcore.GBT`. For any number of workers,
    threads and partitions, the model is the same to the byte: `save` writes the same file as
    ``moodcore.GBT`` does after training on all rows in one process. ``n_jobs`` is the number of
    threads of each worker; None uses all threads of the worker.

    Notes
    -----
    Each worker holds the bins of its rows, one byte per value. After every split, the workers add
    their histograms, which are integers, in messages from worker to worker; every worker then
    finds the same next split. Class codes and weights of all rows pass through the client, and the
    sample of 262,144 rows from which cut points are learned.

    If a worker is lost, the others continue from the last finished round, and Dask computes its
    partitions again. With ``boosting="dart"``, training starts again from the first round. The
    client writes the file of a :class:`moodcore.Checkpoint`, from which training resumes on a
    cluster or in one process.

    An ``objective`` is called on each worker with the rows of this worker. It must therefore
    compute the derivatives of a row from this row alone.

    Examples
    --------
    See :mod:`moodcore.dask`.
    """

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        base_margin: Any = None,
        eval_set: Any = None,
        eval_names: Sequence[str] | None = None,
        sample_weight_eval_set: Any = None,
        base_margin_eval_set: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        init_model: local.GBT | str | os.PathLike[str] | None = None,
        client: Client | None = None,
    ) -> Self:
        """Train the trees on the workers of a cluster.

        Parameters
        ----------
        X : Dask DataFrame or Array of shape (n_rows, n_features), or files
            Training rows. A Parquet file, a folder of them, a pattern such as
            ``"songs/*.parquet"`` or a pyarrow Dataset of Parquet files is read by the workers,
            each of which reads some of the row groups in batches; all workers and the client must
            have the files under the same path.
        y : Dask Series or Array of shape (n_rows,), or str
            Class labels of any type, with the partitions of X; of files the name of their column.
        sample_weight : Dask Series or Array of shape (n_rows,), or str, optional
            Row weights, at least 0, with the partitions of X; of files the name of their column.
        base_margin : Dask Array, Series or DataFrame, optional
            Margins to start from, of shape (n_rows,) or (n_rows, n_classes) and with the partitions
            of X, as in :meth:`moodcore.GBT.fit`.
        eval_set, eval_names, sample_weight_eval_set, base_margin_eval_set : optional
            Evaluation sets, as in :meth:`moodcore.GBT.fit`. Dask collections are computed in the
            client. The first worker reads sets in files, and evaluates all sets.
        X_val, y_val, sample_weight_val : optional
            One evaluation set, as in :meth:`moodcore.GBT.fit`.
        init_model : GBT or path, optional
            A fitted model or its file, from which training continues.
        client : distributed.Client, optional
            Client of the cluster; the current client by default.

        Returns
        -------
        GBT
            This estimator.

        Raises
        ------
        ValueError, TypeError
            If data or parameters are not as described above.
        ConnectionError
            If the scheduler is lost. A lost worker is not an error.
        """
        from moodcore.estimators.cluster.fit import fit

        self.check_parameters()
        if checkpoint_of(self.callbacks) is not None:
            refuse_dart(self)
        passed = evaluation_sets(
            _in_memory(eval_set),
            eval_names=eval_names,
            sample_weight_eval_set=_in_memory(sample_weight_eval_set),
            base_margin_eval_set=_in_memory(base_margin_eval_set),
            X_val=_in_memory(X_val),
            y_val=_in_memory(y_val),
            sample_weight_val=_in_memory(sample_weight_val),
        )
        start = self._starting_model(init_model)
        trained = fit(
            self,
            (X, y, sample_weight, base_margin),
            passed,
            start=start,
            may_continue=init_model is None,
            client=client,
        )
        return self if trained is None else self._take_over(trained)

    def to_local(self) -> local.GBT:
        """Return the model as a :class:`moodcore.GBT`, which needs no cluster."""
        model = local.GBT(**self.get_params(deep=False))
        model.__dict__ = dict(vars(self))
        return model

    def save(
        self, path: str | os.PathLike[str], *, provenance: Mapping[str, Any] | None = None
    ) -> None:
        """Write the model to a file; :func:`moodcore.load` reads it as a :class:`moodcore.GBT`."""
        self.to_local().save(path, provenance=provenance)

    def predict(self, X: Any, *, base_margin: Any = None) -> Any:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : Dask DataFrame or Array, or a table in memory
        base_margin : array-like, optional
            For tables in memory, as in :meth:`moodcore.GBT.predict`.

        Returns
        -------
        Dask Series or Array, or ndarray
            For Dask collections the result is lazy, with the partitions of X.
        """
        if not is_collection(X):
            return super().predict(X, base_margin=base_margin)
        return self._lazy("predict", X, base_margin)

    def predict_proba(self, X: Any, *, base_margin: Any = None) -> Any:
        """Return class probabilities, as `predict` returns classes.

        Returns
        -------
        Dask DataFrame or Array, or ndarray
            One column per class, in the order of ``classes_``; these are the column names of a
            DataFrame.
        """
        if not is_collection(X):
            return super().predict_proba(X, base_margin=base_margin)
        return self._lazy("predict_proba", X, base_margin)

    def _lazy(self, method: str, X: Any, base_margin: Any) -> Any:
        check_is_fitted(self)
        if base_margin is not None:
            raise ValueError("base_margin must be None for Dask collections")
        model = self.to_local()
        model.callbacks = model.eval_metric = None
        n_classes = len(self.classes_)
        if not hasattr(X, "chunks"):
            meta = _empty(model, method)
            return X.map_partitions(_predict_frame, model, method, meta=meta)
        X = X.rechunk({1: -1})
        if method == "predict":
            return X.map_blocks(
                _predict_block, model, method, drop_axis=1, dtype=self.classes_.dtype
            )
        return X.map_blocks(
            _predict_block, model, method, chunks=(X.chunks[0], (n_classes,)), dtype=np.float64
        )


def _in_memory(value: Any) -> Any:
    """Compute the Dask collections in tuples, lists and dicts."""
    import dask

    return None if value is None else dask.compute(value)[0]


def _predict_block(X: Any, model: local.GBT, method: str) -> Any:
    if not len(X):
        shape = (0,) if method == "predict" else (0, len(model.classes_))
        return np.empty(shape, model.classes_.dtype if method == "predict" else np.float64)
    return getattr(model, method)(X)


def _empty(model: local.GBT, method: str) -> Any:
    import pandas as pd

    if method == "predict":
        return pd.Series(model.classes_[:0], name="prediction")
    return pd.DataFrame(np.empty((0, len(model.classes_))), columns=list(model.classes_))


def _predict_frame(X: Any, model: local.GBT, method: str) -> Any:
    import pandas as pd

    values = _predict_block(X, model, method)
    if method == "predict":
        return pd.Series(values, index=X.index, name="prediction")
    return pd.DataFrame(values, index=X.index, columns=list(model.classes_))
