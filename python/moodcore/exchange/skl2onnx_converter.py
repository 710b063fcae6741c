"""Conversion by skl2onnx: any scikit-learn pipeline around the estimators of this package.

skl2onnx converts the other steps; the converter inserts the graph that `write_onnx` writes for the
classifier.
"""

from collections.abc import Callable
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from moodcore.exchange.computation import computation_of, transformer_steps
from moodcore.exchange.onnx_writer import write_onnx, write_steps
from moodcore.platform import MissingPackageError

_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
}
# Transformers with as many outputs as inputs that are converted without skl2onnx: its own round to
# single precision, or have no implementation in ONNX Runtime for double precision.
_EXACT = (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    SimpleImputer,
    StandardScaler,
)


def register_skl2onnx() -> None:
    """Register converters of `GBT`, `MLP`, `SVM`, `LinearSVM` and `BalancedClassifier`.

    Afterwards ``skl2onnx.to_onnx`` converts pipelines that end in one of them. The outputs are the
    label, and probabilities or, for models without, scores. A pipeline of this package
    (`moodcore.songs.pipeline`, `moodcore.tables.pipeline`) needs no skl2onnx: see `export`.

    Raises
    ------
    ModuleNotFoundError
        If the package skl2onnx is missing.

    Examples
    --------
    >>> import numpy as np, skl2onnx
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import RobustScaler
    >>> from moodcore import MLP, exchange
    >>> X, y = np.array([[0.0], [1.0]] * 20), np.array(["no", "yes"] * 20)
    >>> model = make_pipeline(RobustScaler(), MLP(epochs=20, random_state=0)).fit(X, y)
    >>> exchange.register_skl2onnx()
    >>> graph = skl2onnx.to_onnx(model, X[:1], options={"zipmap": False})
    >>> [output.name for output in graph.graph.output]
    ['label', 'probabilities']
    """
    try:
        from skl2onnx import update_registered_converter
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "the converters need the package skl2onnx: pip install 'moodcore[onnx]'",
            name="skl2onnx",
        ) from error
    from moodcore import GBT, MLP, SVM, LinearSVM
    from moodcore.preprocessing import BalancedClassifier

    for kind in (GBT, MLP, SVM, LinearSVM, BalancedClassifier):
        update_registered_converter(
            kind, f"Moodcore{kind.__name__}", _set_shapes, _convert, options=_OPTIONS
        )


def write_with_skl2onnx(model: Any, *, inputs: str | None, dtype: str) -> bytes:
    """Write a fitted pipeline as an ONNX graph; see `moodcore.exchange.export`."""
    if inputs not in (None, "tensor", "columns"):
        raise ValueError(f'inputs must be "tensor" or "columns", got {inputs!r}')
    register_skl2onnx()
    import onnx
    import skl2onnx
    from skl2onnx.common import data_types

    has_text = _text_columns(model, model.n_features_in_)
    names = list(getattr(model, "feature_names_in_", [f"x{i}" for i in range(len(has_text))]))
    if inputs == "tensor" and any(has_text):
        raise ValueError(
            f'column {names[has_text.index(True)]!r} holds text: export with inputs="columns", in '
            "which each column is an input of its own type"
        )
    number = data_types.DoubleTensorType if dtype == "float64" else data_types.FloatTensorType
    if inputs == "columns" or (inputs is None and hasattr(model, "feature_names_in_")):
        types = [
            (str(name), (data_types.StringTensorType if is_text else number)([None, 1]))
            for name, is_text in zip(names, has_text, strict=True)
        ]
    else:
        types = [("X", number([None, len(names)]))]
    try:
        graph = skl2onnx.convert_sklearn(
            model,
            initial_types=types,
            options={"zipmap": False},
            custom_shape_calculators=dict.fromkeys(_EXACT, _set_shape_of_rows),
            custom_conversion_functions=dict.fromkeys(_EXACT, _convert_transformer),
        )
        # Some converters of skl2onnx mix single and double precision.
        onnx.checker.check_model(graph, full_check=True)
    except Exception as error:
        hint = "; with dtype='float32' it may" if dtype == "float64" else ""
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise TypeError(f"skl2onnx cannot convert the pipeline{hint}: {reason}") from error
    return bytes(graph.SerializeToString())


def _text_columns(part: Any, width: int) -> list[bool]:
    """Return for each input column of a fitted transformer whether it is text."""
    is_text = [False] * width
    if hasattr(part, "steps"):
        return _text_columns(part.steps[0][1], width)
    if isinstance(part, ColumnTransformer):
        for _, inner, columns in part.transformers_:
            places = [] if isinstance(inner, str) else _places(part, columns)
            for place, flag in zip(places, _text_columns(inner, len(places)), strict=True):
                is_text[place] |= flag
    elif hasattr(part, "categories_"):
        is_text = [any(isinstance(label, str) for label in labels) for labels in part.categories_]
    elif isinstance(part, SimpleImputer):
        is_text = [isinstance(value, str) for value in part.statistics_]
    return is_text


def _places(part: ColumnTransformer, columns: Any) -> list[int]:
    """Return the positions of columns that a fitted `ColumnTransformer` selects, in any form."""
    import pandas as pd

    names = getattr(part, "feature_names_in_", None)
    numbers = pd.DataFrame([range(part.n_features_in_)], columns=names)
    columns = [columns] if isinstance(columns, str | int) else columns
    ends = (columns.start, columns.stop) if isinstance(columns, slice) else columns
    by_name = any(isinstance(end, str) for end in ends)
    chosen = numbers.loc[:, columns] if by_name else numbers.iloc[:, columns]
    places: list[int] = chosen.iloc[0].tolist()
    return places


def _set_shapes(operator: Any) -> None:
    """Set types and shapes of the outputs of an operator of skl2onnx."""
    from skl2onnx.common import data_types

    computation = computation_of(operator.raw_operator)
    kinds = {"b": data_types.BooleanTensorType, "i": data_types.Int64TensorType,
             "u": data_types.Int64TensorType, "f": data_types.DoubleTensorType}  # fmt: skip
    label = kinds.get(computation.classes.dtype.kind, data_types.StringTensorType)
    n_rows = operator.inputs[0].get_first_dimension()
    scores = data_types.guess_tensor_type(operator.inputs[0].type)
    operator.outputs[0].type = label([n_rows])
    operator.outputs[1].type = type(scores)([n_rows, computation.n_scores])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the graph of a classifier to the container of skl2onnx."""
    # The newest version of trees that skl2onnx writes.
    content = write_onnx(computation_of(operator.raw_operator), tree_version=3)
    add, (label, scores) = _insert(scope, operator, container, content)
    add("Identity", [label], operator.outputs[0].full_name)
    _cast_to_output(add, scores, operator.outputs[1])


def _set_shape_of_rows(operator: Any) -> None:
    """Set type and shape of the output of a transformer: as many columns as in its inputs."""
    from skl2onnx.common import data_types

    n_rows = operator.inputs[0].get_first_dimension()
    kind = type(data_types.guess_tensor_type(operator.inputs[0].type))
    operator.outputs[0].type = kind([n_rows, operator.raw_operator.n_features_in_])


def _convert_transformer(scope: Any, operator: Any, container: Any) -> None:
    """Add the graph of a transformer to the container of skl2onnx."""
    part = operator.raw_operator
    content = write_steps(transformer_steps(part), part.n_features_in_)
    add, (rows,) = _insert(scope, operator, container, content)
    _cast_to_output(add, rows, operator.outputs[0])


def _cast_to_output(add: Callable[..., None], value: str, output: Any) -> None:
    import onnx
    from skl2onnx.common.data_types import DoubleTensorType

    is_double = isinstance(output.type, DoubleTensorType)
    to = onnx.TensorProto.DOUBLE if is_double else onnx.TensorProto.FLOAT
    add("Cast", [value], output.full_name, to=to)


def _insert(
    scope: Any, operator: Any, container: Any, content: bytes
) -> tuple[Callable[..., None], list[str]]:
    """Insert a graph; return the function that adds operators, and the names of its outputs."""
    import onnx

    prefix = scope.get_unique_operator_name("moodcore") + "_"
    model = onnx.compose.add_prefix(onnx.load_from_string(content), prefix)
    versions = {entry.domain: entry.version for entry in model.opset_import}

    def add(kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        container.add_node(
            kind, inputs, output, op_version=versions[""],
            name=scope.get_unique_operator_name(kind), **attributes,
        )  # fmt: skip

    columns = []
    for variable in operator.inputs:
        columns.append(scope.get_unique_variable_name("double"))
        add("Cast", [variable.full_name], columns[-1], to=onnx.TensorProto.DOUBLE)
    add("Concat", columns, model.graph.input[0].name, axis=1)
    container.initializers.extend(model.graph.initializer)
    container.nodes.extend(model.graph.node)
    for domain, version in versions.items():
        container.node_domain_version_pair_sets.add((domain, version))
    return add, [output.name for output in model.graph.output]
