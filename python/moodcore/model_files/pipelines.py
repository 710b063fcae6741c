"""Codecs of pipelines."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.utils.validation import check_is_fitted

from moodcore.model_files.registry import read_part, write_part
from moodcore.model_files.values import Arrays, Described, take_array
from moodcore.songs.column_checks import LEVELS
from moodcore.songs.song_pipeline import SongPipeline


def write_pipeline(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe the steps of a fitted pipeline."""
    check_is_fitted(model)
    steps = [[name, write_part(step, _inside(prefix, name), arrays)] for name, step in model.steps]
    return {"steps": steps}


def read_steps(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> list[Any]:
    """Build the steps that `write_pipeline` described, of which only the last may not transform.

    Raises
    ------
    KeyError, TypeError, ValueError
        If a step is not described as it must be, or takes another number of columns than the
        step before returns.
    """
    steps = [
        (name, read_part(step, _inside(prefix, name), arrays)) for name, step in described["steps"]
    ]
    names = [name for name, _ in steps]
    if not steps or len(set(names)) != len(names):
        raise ValueError(f"a pipeline needs steps whose names differ, got {names}")
    for (name, step), (after, following) in pairwise(steps):
        if not hasattr(step, "transform"):
            raise ValueError(f"only the last step of a pipeline can be a classifier, got {name}")
        given, taken = output_width(step), following.n_features_in_
        if given != taken:
            raise ValueError(f"step {after} takes {taken} columns, {name} returns {given}")
        if returns_sparse(step) and _refuses_sparse(following):
            raise ValueError(f"step {after} takes dense rows, {name} returns sparse ones")
    return steps


def output_width(step: Any) -> int:
    """Return the number of columns that a fitted transformer returns."""
    if hasattr(step, "output_indices_"):
        return max((int(place.stop) for place in step.output_indices_.values()), default=0)
    if isinstance(step, Pipeline):
        return output_width(step.steps[-1][1])
    if isinstance(step, FunctionTransformer):
        # Without names of its outputs.
        return int(step.n_features_in_)
    return len(step.get_feature_names_out())


def returns_sparse(step: Any) -> bool:
    """Return whether a fitted transformer returns a sparse matrix for dense rows."""
    if isinstance(step, Pipeline):
        # Of the other transformers, those that take a sparse matrix return one.
        sparse = False
        for _, inner in step.steps:
            sparse = returns_sparse(inner) or (sparse and not isinstance(inner, ColumnTransformer))
        return sparse
    if isinstance(step, ColumnTransformer):
        return bool(step.sparse_output_)
    return isinstance(step, OneHotEncoder) and bool(step.sparse_output)


def _refuses_sparse(step: Any) -> bool:
    """Return whether scikit-learn refuses sparse rows in a transformer with these parameters."""
    if isinstance(step, Pipeline):
        return _refuses_sparse(step.steps[0][1])
    if isinstance(step, ColumnTransformer):
        return any(_refuses_sparse(part) for _, part, _ in step.transformers_)
    centers = getattr(step, "with_mean", False) or getattr(step, "with_centering", False)
    return bool(centers) or (isinstance(step, SimpleImputer) and step.missing_values == 0)


def read_classifier_steps(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> list[Any]:
    """Build the steps of a pipeline that must end in a classifier; raise as `read_steps`."""
    steps = read_steps(described, prefix, arrays)
    if not hasattr(steps[-1][1], "predict"):
        raise ValueError(f"the last step must be a classifier, got {steps[-1][0]}")
    return steps


def read_pipeline(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Pipeline:
    """Build the pipeline that `write_pipeline` described."""
    return Pipeline(read_steps(described, prefix, arrays))


def write_song_pipeline(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `SongPipeline`."""
    quantiles = getattr(model, "training_quantiles_", None)
    if quantiles is not None:
        arrays[f"{prefix}.training_quantiles"] = quantiles
    return {"label_names": list(model.label_names), **write_pipeline(model, prefix, arrays)}


def read_song_pipeline(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> SongPipeline:
    """Build the `SongPipeline` that `write_song_pipeline` described."""
    names = tuple(str(name) for name in described["label_names"])
    model = SongPipeline(read_classifier_steps(described, prefix, arrays), label_names=names)
    # Files of the first version may lack them.
    if (name := f"{prefix}.training_quantiles") in arrays:
        shape = (len(model.feature_names_in_), len(LEVELS))
        model.training_quantiles_ = take_array(arrays, name, shape, np.float64)
    return model


def _inside(prefix: str, name: str) -> str:
    """Return the prefix of a step's arrays; dots of its name are escaped."""
    return f"{prefix}.{name.replace('%', '%25').replace('.', '%2E')}"
