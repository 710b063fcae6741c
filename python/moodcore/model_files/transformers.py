"""Codecs of scikit-learn's imputer, encoders, further scalers and `ColumnTransformer`.

A file contains the parameters and the public fitted attributes. The reader fits the transformer on
a few artificial rows, so that scikit-learn checks the parameters and sets what else it needs, and
then sets the fitted attributes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import sklearn.compose
import sklearn.impute
import sklearn.preprocessing
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

from moodcore.model_files.registry import read_part, write_part
from moodcore.model_files.transformer_values import (
    count_of_features,
    fit_quietly,
    read_categories,
    read_output,
    read_params,
    write_categories,
    write_output,
    write_params,
)
from moodcore.model_files.values import (
    Arrays,
    Described,
    read_features,
    take_array,
    write_features,
)

# Fitted arrays with one number per feature; None where a parameter makes them needless.
_ARRAYS = {
    "MaxAbsScaler": ("max_abs_", "scale_"),
    "RobustScaler": ("center_", "scale_"),
    "PowerTransformer": ("lambdas_",),
    "QuantileTransformer": ("references_", "quantiles_"),
}


def write_transformer(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted scaler, `PowerTransformer`, `QuantileTransformer` or `SimpleImputer`."""
    check_is_fitted(model)
    kind = type(model).__name__
    for name in _ARRAYS.get(kind, ()):
        values = getattr(model, name)
        if values is not None:
            arrays[f"{prefix}.{name}"] = np.ascontiguousarray(values, dtype=np.float64)
    return {**write_params(model), **write_output(model), **write_features(model)}


def read_transformer(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the transformer that `write_transformer` described."""
    kind = described["kind"]
    known = {name: arrays.get(f"{prefix}.{name}") for name in _ARRAYS[kind]}
    n_features = count_of_features(described)
    for name, array in known.items():
        if array is None:
            continue
        shape: tuple[int, ...] = (n_features,)
        if kind == "QuantileTransformer":
            n_quantiles = int(arrays[f"{prefix}.references_"].size)
            shape = (n_quantiles, n_features) if name == "quantiles_" else (n_quantiles,)
        known[name] = take_array(arrays, f"{prefix}.{name}", shape, np.float64)
    if all(array is None for array in known.values()):
        raise ValueError(f"a {kind} needs one of {', '.join(known)}")
    model = getattr(sklearn.preprocessing, kind)(**read_params(described))
    fit_quietly(model, np.arange(1.0, 4.0)[:, np.newaxis] + np.zeros(n_features), described)
    for name, array in known.items():
        if (array is None) != (getattr(model, name) is None):
            raise ValueError(f"the parameters of a {kind} do not fit its array {name}")
        setattr(model, name, array)
    if kind == "QuantileTransformer":
        model.n_quantiles_ = len(model.references_)
        for values in (model.references_[:, np.newaxis], model.quantiles_):
            if (np.diff(values, axis=0) < 0).any():
                raise ValueError("quantiles must ascend")
        if model.references_[0] < 0 or model.references_[-1] > 1:
            raise ValueError("references_ must be 0 to 1")
    elif kind != "PowerTransformer" and model.scale_ is not None and not model.scale_.all():
        raise ValueError("scale_ must not be 0")
    return read_output(model, described)


def write_power(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `PowerTransformer`, with its scaler."""
    described = write_transformer(model, prefix, arrays)
    scaler = _scaler_of(model)
    if scaler is not None:
        described["scaler"] = write_part(scaler, f"{prefix}.scaler", arrays)
    return described


def read_power(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the `PowerTransformer` that `write_power` described."""
    model = read_transformer(described, prefix, arrays)
    scaler = _scaler_of(model)
    if (scaler is None) != ("scaler" not in described):
        raise ValueError("a PowerTransformer has a scaler if it standardizes")
    if scaler is not None:
        stored = read_part(described["scaler"], f"{prefix}.scaler", arrays)
        if type(stored) is not type(scaler) or stored.n_features_in_ != model.n_features_in_:
            raise ValueError("the scaler of a PowerTransformer must fit its columns")
        vars(scaler).update(vars(stored))
    return model


def _scaler_of(model: Any) -> Any:
    """Return the scaler of a fitted `PowerTransformer`, which no public attribute has."""
    return vars(model).get("_scaler") if model.standardize else None


def write_imputer(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `SimpleImputer`."""
    described = write_transformer(model, prefix, arrays)
    statistics = np.asarray(model.statistics_)
    indicated = None if model.indicator_ is None else model.indicator_.features_.tolist()
    # The kind of table that it was fitted on, which no public attribute has.
    fitted_on = np.dtype(vars(model).get("_fit_dtype", statistics.dtype))
    return {
        **described,
        "statistics": write_categories(statistics),
        "indicated": indicated,
        "takes_objects": fitted_on.kind not in "biuf",
    }


def read_imputer(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the `SimpleImputer` that `write_imputer` described."""
    model = sklearn.impute.SimpleImputer(**read_params(described))
    statistics = read_categories(described["statistics"])
    n_features, indicated = count_of_features(described), described["indicated"]
    if len(statistics) != n_features or (indicated is None) == bool(model.add_indicator):
        raise ValueError("an imputer needs a statistic per feature, and indicators if it adds them")
    objects = bool(described["takes_objects"])
    # Any value that is not the missing one.
    value: Any = "a" if objects else 1.0
    rows = np.full((2, n_features), value, dtype=object if objects else np.float64)
    if value == model.missing_values:
        rows[:] = value + value
    if indicated:
        rows[1, np.array(indicated, dtype=np.intp)] = model.missing_values
    fit_quietly(model, rows, described)
    if indicated is not None and model.indicator_.features_.tolist() != indicated:
        raise ValueError("the columns of missing indicators must be features in order")
    model.statistics_ = statistics
    return read_output(model, described)


def write_encoder(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a fitted `OneHotEncoder` or `OrdinalEncoder`."""
    check_is_fitted(model)
    rare: list[Any] = [None] * len(model.categories_)
    if _groups_rare(model):
        for at, categories in enumerate(model.infrequent_categories_):
            if categories is None:
                continue
            is_rare = np.isin(model.categories_[at], categories)
            if is_rare.all():
                raise TypeError(
                    f"a {type(model).__name__} whose categories of a column are all infrequent "
                    "cannot be saved"
                )
            rare[at] = np.flatnonzero(is_rare).tolist()
    return {
        **write_params(model),
        **write_output(model),
        "categories": [write_categories(values) for values in model.categories_],
        "infrequent": rare,
        **write_features(model),
    }


def read_encoder(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the encoder that `write_encoder` described."""
    params = read_params(described)
    model = getattr(sklearn.preprocessing, described["kind"])(**params)
    categories = [read_categories(values) for values in described["categories"]]
    rare = described["infrequent"]
    n_features = count_of_features(described)
    if not len(categories) == len(rare) == n_features or not all(map(len, categories)):
        raise ValueError(
            f"an encoder of {n_features} features needs one list of categories per feature"
        )
    counts = [np.full(len(values), 2) for values in categories]
    for count, positions in zip(counts, rare, strict=True):
        if positions is not None:
            count[np.array(positions, dtype=np.intp)] = 1
            if not (count == 2).any() or not positions or not _groups_rare(model):
                raise ValueError("infrequent categories must be some of a column's categories")
    n_rows = max(int(count.sum()) for count in counts)
    columns = []
    for values, count in zip(categories, counts, strict=True):
        # The first frequent category fills the column up.
        count[np.argmax(count)] += n_rows - count.sum()
        columns.append(np.repeat(values, count))
    grouping = {"min_frequency": 2 if any(rare) else 1} if _groups_rare(model) else {}
    fitting = {**grouping, "max_categories": None} if grouping else {}
    model.set_params(categories=categories, **fitting)
    fit_quietly(model, columns, described)
    model.set_params(**params)
    return read_output(model, described)


def _groups_rare(model: Any) -> bool:
    return model.min_frequency is not None or model.max_categories is not None


def write_function(model: Any, prefix: str, arrays: Arrays) -> Described:
    """Describe a `FunctionTransformer` without functions.

    Raises
    ------
    TypeError
        If it has a function, since that is code.
    """
    check_is_fitted(model)
    for name in ("func", "inverse_func"):
        if getattr(model, name) is not None:
            raise TypeError(
                f"a FunctionTransformer with {name} cannot be saved: the function is code, and a "
                "model file contains none. Apply it to the table before the pipeline"
            )
    return {**write_params(model), **write_output(model), **write_features(model)}


def read_function(described: Mapping[str, Any], prefix: str, arrays: Arrays) -> Any:
    """Build the `FunctionTransformer` that `write_function` described."""
    params = read_params(described)
    if params.get("func") is not None or params.get("inverse_func") is not None:
        raise ValueError("a FunctionTransformer in a model file has no function")
    model = FunctionTransformer(**params)
    return read_output(read_features(model, described), described)
