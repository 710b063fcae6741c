"""ONNX: a model with its preparation as one graph.

All is computed in double precision but what a model itself computes in single precision: the
layers of a network, and the rounding of rows for support vectors. ONNX: https://onnx.ai/onnx/.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from moodcore.exchange.computation import (
    Column,
    Computation,
    Encode,
    KernelMachine,
    LinearMachine,
    MissingValue,
    Network,
    Scale,
    Select,
    Standardize,
    Step,
)
from moodcore.exchange.forest import Forest
from moodcore.platform import MissingPackageError

if TYPE_CHECKING:
    import onnx

Inputs = Literal["tensor", "columns"]
# Versions of the operators: those of 2022, and of trees with double precision, of 2024.
_OPERATORS, _TREES = 18, 5
_IR_VERSION = {False: 8, True: 10}
_TREE_DOMAIN = "ai.onnx.ml"


def write_onnx(
    computation: Computation, *, inputs: Inputs | None = None, dtype: str = "float64"
) -> bytes:
    """Write a model as an ONNX graph.

    Parameters
    ----------
    computation : Computation
    inputs : {"tensor", "columns"} or None, default=None
        One input ``X`` of shape (n_rows, n_columns), or one of shape (n_rows, 1) a column, by its
        name. None takes the tensor, unless a column holds text.
    dtype : {"float64", "float32"}, default="float64"
        Type of the numbers that come in.

    Returns
    -------
    bytes
        The file. Outputs are ``label`` and ``probabilities``, or ``scores`` where the model has
        no probabilities.

    Raises
    ------
    ModuleNotFoundError
        When the package onnx is not there.
    ValueError
        When text columns are to come in one tensor.
    """
    graph = Graph()
    rows = _read_inputs(graph, computation.columns, inputs, dtype)
    for step in computation.steps:
        rows = _apply(graph, step, rows)
    label, scores = _classify(graph, computation, rows)
    classes = _class_constant(computation.classes)
    graph.add("Gather", [graph.constant(classes), label], to="label")
    scores_name = "probabilities" if computation.has_probabilities else "scores"
    graph.add("Identity", [scores], to=scores_name)
    model = graph.model(
        outputs=[
            ("label", _tensor_type(classes), ["N"]),
            (scores_name, "DOUBLE", ["N", computation.n_scores]),
        ],
        metadata={
            "class_names": ", ".join(computation.class_names),
            "columns": ", ".join(column.name for column in computation.columns),
        },
    )
    return model.SerializeToString()


class Graph:
    """Nodes and constants under construction."""

    def __init__(self, parent: "Graph | None" = None) -> None:
        try:
            import onnx
        except ModuleNotFoundError as error:
            raise MissingPackageError(
                "ONNX files need the package onnx: pip install 'moodcore[onnx]'", name="onnx"
            ) from error
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._count: list[int] = [0] if parent is None else parent._count
        self._has_trees = False

    def name(self, stem: str) -> str:
        """Make a name that no other value has."""
        self._count[0] += 1
        return f"{stem}_{self._count[0]}"

    def constant(self, array: Any, dtype: Any = None) -> str:
        """Put a constant aside, and give its name."""
        values = np.asarray(array, dtype=dtype)
        name = self.name("constant")
        self._constants.append(self._onnx.numpy_helper.from_array(values, name))
        return name

    def tensor(self, array: Any, dtype: Any) -> "onnx.TensorProto":
        """Give an array as the value of an attribute."""
        return self._onnx.numpy_helper.from_array(np.asarray(array, dtype=dtype))

    def input(self, name: str, kind: str, shape: list[Any]) -> str:
        """Add an input."""
        self._inputs.append(self._value(name, kind, shape))
        return name

    def add(self, operator: str, inputs: Sequence[str], *, to: str = "", **attributes: Any) -> str:
        """Add an operator of one output, and give the output's name."""
        return self.add_many(operator, inputs, [to or self.name(operator.lower())], **attributes)[0]

    def add_many(
        self, operator: str, inputs: Sequence[str], outputs: list[str], **attributes: Any
    ) -> list[str]:
        """Add an operator of several outputs."""
        domain = ""
        if operator in ("TreeEnsemble", "LabelEncoder"):
            domain, self._has_trees = _TREE_DOMAIN, True
        node = self._onnx.helper.make_node(operator, inputs, outputs, domain=domain, **attributes)
        self._nodes.append(node)
        return outputs

    def cast(self, value: str, kind: str) -> str:
        """Convert a value to FLOAT, DOUBLE, INT64, or BOOL."""
        number = getattr(self._onnx.TensorProto, kind)
        output = self.name("cast")
        self._nodes.append(self._onnx.helper.make_node("Cast", [value], [output], to=number))
        return output

    def places(self, column: str, numbers: Sequence[Any]) -> str:
        """Give the place of each value of a column among some numbers; NaN for any other."""
        same = self.add("Equal", [column, self.constant([numbers], np.float64)])
        same = self.cast(same, "DOUBLE")
        places = np.arange(len(numbers), dtype=np.float64)[:, np.newaxis]
        place = self.add("MatMul", [same, self.constant(places)])
        known = self.add("MatMul", [same, self.constant(np.ones_like(places))])
        is_known = self.add("Greater", [known, self.constant(0.0)])
        return self.add("Where", [is_known, place, self.constant(np.nan)])

    def body(self, outputs: list[tuple[str, str, list[Any]]], name: str) -> "onnx.GraphProto":
        """Give the graph of what has been added."""
        values = [self._value(*output) for output in outputs]
        make = self._onnx.helper.make_graph
        return make(self._nodes, name, self._inputs, values, self._constants)

    def model(
        self, outputs: list[tuple[str, str, list[Any]]], metadata: dict[str, str]
    ) -> "onnx.ModelProto":
        """Give the whole as a checked model."""
        from moodcore import __version__

        helper = self._onnx.helper
        operators = [helper.make_opsetid("", _OPERATORS)]
        if self._has_trees:
            operators.append(helper.make_opsetid(_TREE_DOMAIN, _TREES))
        model = helper.make_model(
            self.body(outputs, "moodcore"),
            opset_imports=operators,
            ir_version=_IR_VERSION[self._has_trees],
            producer_name="moodcore",
            producer_version=__version__,
        )
        helper.set_model_props(model, metadata)
        self._onnx.checker.check_model(model)
        return model

    def _value(self, name: str, kind: str, shape: list[Any]) -> Any:
        number = getattr(self._onnx.TensorProto, kind)
        return self._onnx.helper.make_tensor_value_info(name, number, shape)


def _class_constant(classes: NDArray[Any]) -> NDArray[Any]:
    """Give the class labels in a type that ONNX has."""
    kind = classes.dtype.kind
    if kind == "b":
        return classes
    if kind in "iu":
        return classes.astype(np.int64)
    if kind == "f":
        return classes.astype(np.float64)
    if all(isinstance(label, str) for label in classes.tolist()):
        return classes.astype(object)
    raise TypeError("class labels must be text or numbers to be exported")


def _tensor_type(classes: NDArray[Any]) -> str:
    return {"b": "BOOL", "i": "INT64", "f": "DOUBLE", "O": "STRING"}[classes.dtype.kind]


def _read_inputs(graph: Graph, columns: Sequence[Column], inputs: Inputs | None, dtype: str) -> str:
    """Add the inputs, and give the rows in double precision."""
    kinds = {"float64": "DOUBLE", "float32": "FLOAT"}
    if dtype not in kinds:
        raise ValueError(f"dtype must be float64 or float32, got {dtype!r}")
    if inputs not in (None, "tensor", "columns"):
        raise ValueError(f'inputs must be "tensor" or "columns", got {inputs!r}')
    labelled = [column.name for column in columns if column.labels is not None]
    if inputs == "tensor" and labelled:
        raise ValueError(
            f'column {labelled[0]!r} holds categories: export with inputs="columns", in which '
            "each column is an input of its own type"
        )
    kind = kinds[dtype]
    if inputs != "columns" and not labelled:
        return _double(graph, graph.input("X", kind, ["N", len(columns)]), kind)
    if len({column.name for column in columns}) < len(columns):
        raise ValueError("columns must have different names to be inputs of their own")
    parts = [_read_column(graph, column, kind) for column in columns]
    return graph.add("Concat", parts, axis=1)


def _double(graph: Graph, value: str, kind: str) -> str:
    return value if kind == "DOUBLE" else graph.cast(value, "DOUBLE")


def _read_column(graph: Graph, column: Column, kind: str) -> str:
    """Add the input of one column; of categories, give the codes, NaN for unknown ones."""
    labels = column.labels
    if labels is None:
        return _double(graph, graph.input(column.name, kind, ["N", 1]), kind)
    codes = np.arange(len(labels))
    if all(isinstance(label, str) for label in labels):
        texts = graph.input(column.name, "STRING", ["N", 1])
        encoded = graph.add(
            "LabelEncoder",
            [texts],
            keys_strings=[*labels, ""] if column.has_other else list(labels),
            values_floats=[*codes.astype(float).tolist(), *([np.nan] * column.has_other)],
            default_float=float(len(labels)) if column.has_other else np.nan,
        )
        return graph.cast(encoded, "DOUBLE")
    numbers = _double(graph, graph.input(column.name, kind, ["N", 1]), kind)
    return graph.places(numbers, labels)


def _apply(graph: Graph, step: Step, rows: str) -> str:
    if isinstance(step, Select):
        return graph.add("Gather", [rows, graph.constant(step.places, np.int64)], axis=1)
    if isinstance(step, Scale):
        rows = graph.add("Mul", [rows, graph.constant(step.multiply)])
        rows = graph.add("Add", [rows, graph.constant(step.add)])
        if step.limits is not None:
            # Not Clip, which takes NaN for a limit.
            for operator, limit in zip(("Less", "Greater"), step.limits, strict=True):
                bound = graph.constant(limit)
                beyond = graph.add(operator, [rows, bound])
                rows = graph.add("Where", [beyond, bound, rows])
        return rows
    if isinstance(step, Standardize):
        if step.subtract is not None:
            rows = graph.add("Sub", [rows, graph.constant(step.subtract)])
        if step.divide is not None:
            rows = graph.add("Div", [rows, graph.constant(step.divide)])
        return rows
    if isinstance(step, Encode):
        return _encode(graph, step, rows)
    assert isinstance(step, MissingValue)
    same = graph.add("Equal", [rows, graph.constant(step.value)])
    return graph.add("Where", [same, graph.constant(np.nan), rows])


def _encode(graph: Graph, step: Encode, rows: str) -> str:
    missing = graph.add("IsNaN", [rows])
    values = graph.constant(step.values)
    filled = graph.add("Where", [missing, values, rows])
    flags = graph.cast(missing, "DOUBLE")
    equal = graph.cast(graph.add("Equal", [rows, values]), "DOUBLE")
    flags = graph.add("Where", [graph.constant(step.kinds == 1), flags, equal])
    return graph.add("Where", [graph.constant(step.kinds == 0), filled, flags])


def _classify(graph: Graph, computation: Computation, rows: str) -> tuple[str, str]:
    """Give the position of the class of each row, and probabilities or scores."""
    from moodcore.exchange.onnx_machines import add_kernel_machine, add_linear_machine
    from moodcore.exchange.onnx_trees import add_forest

    classifier, n_classes = computation.classifier, len(computation.classes)
    if isinstance(classifier, Network):
        return _add_network(graph, classifier, rows)
    if isinstance(classifier, Forest):
        return add_forest(graph, classifier, n_classes, rows)
    # Rows cross into the core in single precision.
    rows = graph.cast(graph.cast(rows, "FLOAT"), "DOUBLE")
    if isinstance(classifier, LinearMachine):
        return add_linear_machine(graph, classifier, rows)
    assert isinstance(classifier, KernelMachine)
    return add_kernel_machine(graph, classifier, n_classes, rows)


def _add_network(graph: Graph, network: Network, rows: str) -> tuple[str, str]:
    values = graph.cast(rows, "FLOAT")
    last = len(network.weights) - 1
    for at, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True)):
        values = graph.add("Gemm", [values, graph.constant(weights), graph.constant(biases)])
        values = values if at == last else graph.add("Relu", [values])
    label = graph.add("ArgMax", [values], axis=1, keepdims=0)
    return label, graph.add("Softmax", [graph.cast(values, "DOUBLE")], axis=1)
