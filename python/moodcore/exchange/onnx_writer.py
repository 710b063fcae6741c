"""ONNX files: a model with its preparation as one graph.

The graph computes in double precision, except what a model itself computes in single precision:
the layers of a network, and the rounding of rows for support vectors.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from moodcore.exchange.checks import has_surrogate
from moodcore.exchange.forest import Forest
from moodcore.exchange.onnx_graph import Graph
from moodcore.exchange.onnx_svm import add_kernel_svm, add_linear_svm
from moodcore.exchange.onnx_trees import add_forest
from moodcore.exchange.steps import (
    CenterAndScale,
    Column,
    Computation,
    Encode,
    LinearModel,
    MissingValue,
    Network,
    Scale,
    Select,
    Standardize,
    Step,
    Truncate,
)

_TENSOR_TYPES = {"b": "BOOL", "i": "INT64", "f": "DOUBLE", "O": "STRING"}


def write_onnx(
    computation: Computation,
    *,
    inputs: Literal["tensor", "columns"] | None = None,
    dtype: str = "float64",
    tree_version: int = 5,
) -> bytes:
    """Write a model as an ONNX graph; see `export` for the options.

    ``tree_version`` is the version of ``ai.onnx.ml``: 5, or 3, whose sums are of single precision.

    Outputs are ``label`` and ``probabilities``, or ``scores`` where the model has no
    probabilities.
    """
    graph = Graph(tree_version=tree_version)
    kind = "DOUBLE" if dtype == "float64" else "FLOAT"
    rows = _read_inputs(graph, computation.columns, inputs, kind)
    for step in computation.steps:
        rows = _apply(graph, step, rows)
    label, scores = _classify(graph, computation, rows)
    classes = _exportable_labels(computation.classes)
    graph.add("Gather", [classes, label], output="label")
    scores_name = "probabilities" if computation.has_probabilities else "scores"
    graph.add("Identity", [scores], output=scores_name)
    return graph.serialize(
        outputs=[
            ("label", _TENSOR_TYPES[classes.dtype.kind], ["N"]),
            (scores_name, "DOUBLE", ["N", computation.n_scores]),
        ],
        metadata={
            "class_names": ", ".join(computation.class_names),
            "columns": ", ".join(column.name for column in computation.columns),
        },
    )


def write_steps(steps: Sequence[Step], n_columns: int) -> bytes:
    """Write a transformer as an ONNX graph from ``X`` to ``Y``, in double precision."""
    graph = Graph()
    rows = _read_numbers(graph, "X", "DOUBLE", n_columns)
    for step in steps:
        rows = _apply(graph, step, rows)
    graph.add("Identity", [rows], output="Y")
    return graph.serialize(outputs=[("Y", "DOUBLE", ["N", n_columns])], metadata={})


def _exportable_labels(classes: NDArray[Any]) -> NDArray[Any]:
    """Convert class labels to a type that ONNX has and that represents them exactly."""
    labels = classes.tolist()
    kinds = {type(label) for label in labels}
    if kinds == {bool}:
        return classes.astype(np.bool_)
    if kinds == {int} and labels[0] >= -(2**63) and labels[-1] < 2**63:
        return classes.astype(np.int64)
    if kinds == {float}:
        return classes.astype(np.float64)
    if kinds == {str} and not any(map(has_surrogate, labels)):
        return classes.astype(object)
    raise TypeError(
        "class labels must be all text, all booleans, all floats or all 64-bit integers to be "
        f"exported to ONNX, got {labels[:4]} of type {classes.dtype}"
    )


def _read_inputs(graph: Graph, columns: Sequence[Column], inputs: str | None, kind: str) -> str:
    """Add the inputs and return the rows in double precision."""
    if inputs not in (None, "tensor", "columns"):
        raise ValueError(f'inputs must be "tensor" or "columns", got {inputs!r}')
    labelled = [column.name for column in columns if column.labels is not None]
    if inputs == "tensor" and labelled:
        raise ValueError(
            f'column {labelled[0]!r} holds categories: export with inputs="columns", in which '
            "each column is an input of its own type"
        )
    if inputs != "columns" and not labelled:
        return _read_numbers(graph, "X", kind, len(columns))
    if len({column.name for column in columns}) < len(columns):
        raise ValueError("columns must have different names to be separate inputs")
    return graph.add("Concat", [_read_column(graph, column, kind) for column in columns], axis=1)


def _read_numbers(graph: Graph, name: str, kind: str, width: int) -> str:
    value = graph.input(name, kind, ["N", width])
    return value if kind == "DOUBLE" else graph.cast(value, "DOUBLE")


def _read_column(graph: Graph, column: Column, kind: str) -> str:
    """Add the input of one column; return the codes of categories, NaN for unknown ones."""
    labels = column.labels
    if labels is None or not all(isinstance(label, str) for label in labels):
        numbers = _read_numbers(graph, column.name, kind, 1)
        return numbers if labels is None else graph.positions(numbers, labels)
    encoded = graph.add(
        "LabelEncoder",
        [graph.input(column.name, "STRING", ["N", 1])],
        keys_strings=[*labels, ""] if column.has_other else list(labels),
        values_floats=[*map(float, range(len(labels))), *([np.nan] * column.has_other)],
        default_float=float(len(labels)) if column.has_other else np.nan,
    )
    return graph.cast(encoded, "DOUBLE")


def _apply(graph: Graph, step: Step, rows: str) -> str:
    if isinstance(step, Select):
        return graph.add("Gather", [rows, np.array(step.places, dtype=np.int64)], axis=1)
    if isinstance(step, Scale):
        rows = graph.add("Mul", [rows, step.multiply])
        rows = graph.add("Add", [rows, step.add])
        # Not Clip, which replaces NaN by a limit.
        for operator, limit in zip(("Less", "Greater"), step.limits or (), strict=False):
            bound = graph.constant(limit)
            beyond = graph.add(operator, [rows, bound])
            rows = graph.add("Where", [beyond, bound, rows])
        return rows
    if isinstance(step, Standardize | CenterAndScale):
        return _standardize(graph, step, rows)
    if isinstance(step, Encode):
        missing = graph.add("IsNaN", [rows])
        values = graph.constant(step.values)
        replaced = graph.add("Where", [missing, values, rows])
        flags = graph.cast(missing, "DOUBLE")
        equal = graph.cast(graph.add("Equal", [rows, values]), "DOUBLE")
        flags = graph.add("Where", [step.kinds == 1, flags, equal])
        return graph.add("Where", [step.kinds == 0, replaced, flags])
    if isinstance(step, Truncate):
        # Of a negative number, the floor of its size, negated.
        whole = graph.add("Mul", [graph.add("Sign", [rows]), graph.add("Floor", [
            graph.add("Abs", [rows])])])  # fmt: skip
        return whole if step.columns.all() else graph.add("Where", [step.columns, whole, rows])
    assert isinstance(step, MissingValue)
    if step.within:
        distance = graph.add("Abs", [graph.add("Sub", [rows, step.value])])
        missing = graph.add("LessOrEqual", [distance, step.within])
    else:
        missing = graph.add("Equal", [rows, step.value])
    if not step.columns.all():
        missing = graph.add("And", [missing, step.columns])
    return graph.add("Where", [missing, np.nan, rows])


def _standardize(graph: Graph, step: Standardize | CenterAndScale, rows: str) -> str:
    if isinstance(step, Standardize):
        if step.subtract is not None:
            rows = graph.add("Sub", [rows, step.subtract])
        return rows if step.divide is None else graph.add("Div", [rows, step.divide])
    rows = graph.add("Mul", [graph.add("Sub", [rows, step.center]), step.factor])
    least, most = map(graph.constant, step.limits)
    rows = graph.add("Where", [graph.add("Less", [rows, least]), least, rows])
    rows = graph.add("Where", [graph.add("Greater", [rows, most]), most, rows])
    if step.compress is None:
        return rows
    share = graph.add("Div", [rows, graph.constant(step.compress)])
    square = graph.add("Add", [graph.add("Mul", [share, share]), graph.constant(1.0)])
    return graph.add("Div", [rows, graph.add("Sqrt", [square])])


def _classify(graph: Graph, computation: Computation, rows: str) -> tuple[str, str]:
    """Return the position of each row's class, and probabilities or scores."""
    classifier, n_classes = computation.classifier, len(computation.classes)
    if isinstance(classifier, Network):
        return _add_network(graph, classifier, rows)
    if isinstance(classifier, Forest):
        return add_forest(graph, classifier, n_classes, rows)
    # The Rust core takes rows in single precision.
    rows = graph.cast(graph.cast(rows, "FLOAT"), "DOUBLE")
    if isinstance(classifier, LinearModel):
        return add_linear_svm(graph, classifier, rows)
    return add_kernel_svm(graph, classifier, n_classes, rows)


# The default constants of ONNX are those of the core.
_ACTIVATIONS = {"relu": "Relu", "leaky_relu": "LeakyRelu", "tanh": "Tanh", "selu": "Selu"}


def _add_network(graph: Graph, network: Network, rows: str) -> tuple[str, str]:
    values = graph.cast(rows, "FLOAT")
    for layer, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True)):
        if layer:
            values = graph.add(_ACTIVATIONS[network.activation], [values])
        values = graph.add("Gemm", [values, weights, biases])
    label = graph.add("ArgMax", [values], axis=1, keepdims=0)
    return label, graph.add("Softmax", [graph.cast(values, "DOUBLE")], axis=1)
