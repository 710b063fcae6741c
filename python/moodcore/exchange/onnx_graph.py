"""Construction of ONNX graphs: https://onnx.ai/onnx/."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np

from moodcore.platform import MissingPackageError

# Versions of the operators: those of 2022, and of trees in double precision, of 2024.
_OPERATORS, _TREES = 18, 5
_IR_VERSION = {False: 8, True: 10}
_TREE_DOMAIN = "ai.onnx.ml"

# Name, element type (a name in onnx.TensorProto) and shape of an input or output.
Value = tuple[str, str, list[Any]]


class Graph:
    """Nodes and constants under construction; a subgraph takes names from its parent's counter."""

    def __init__(self, parent: "Graph | None" = None, *, tree_version: int = _TREES) -> None:
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
        self._numbers: Iterator[int] = count(1) if parent is None else parent._numbers
        self._has_trees = False
        self.tree_version: int = tree_version if parent is None else parent.tree_version

    def name(self, stem: str) -> str:
        """Return a name that no other value has."""
        return f"{stem}_{next(self._numbers)}"

    def constant(self, array: Any) -> str:
        """Add a constant and return its name."""
        name = self.name("constant")
        self._constants.append(self.tensor(array, name=name))
        return name

    def tensor(self, array: Any, dtype: Any = None, name: str | None = None) -> Any:
        """Convert an array to a tensor, as attributes take it."""
        return self._onnx.numpy_helper.from_array(np.asarray(array, dtype=dtype), name)

    def input(self, name: str, kind: str, shape: list[Any]) -> str:
        """Add an input."""
        self._inputs.append(self._value((name, kind, shape)))
        return name

    def add(
        self,
        operator: str,
        inputs: Sequence[Any],
        *,
        output: str | list[str] | None = None,
        **attributes: Any,
    ) -> str:
        """Add an operator and return the name of its first output.

        Inputs that are not names become constants.
        """
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        output = output or self.name(operator.lower())
        outputs = [output] if isinstance(output, str) else output
        # The default domain is explicit, except for Cast, so that files stay the same to the byte.
        domain = None if operator == "Cast" else ""
        if operator in ("TreeEnsemble", "TreeEnsembleRegressor", "LabelEncoder"):
            domain, self._has_trees = _TREE_DOMAIN, True
        make = self._onnx.helper.make_node
        self._nodes.append(make(operator, names, outputs, domain=domain, **attributes))
        return outputs[0]

    def cast(self, value: Any, kind: str) -> str:
        """Convert a value to FLOAT, DOUBLE, INT64 or BOOL."""
        return self.add("Cast", [value], to=getattr(self._onnx.TensorProto, kind))

    def is_positive(self, scores: str) -> str:
        """Return 1 for rows whose only score is above zero, else 0."""
        above = self.add("Greater", [scores, 0.0])
        return self.add("Squeeze", [self.cast(above, "INT64"), [1]])

    def positions(self, column: str, numbers: Sequence[Any]) -> str:
        """Return the position of each value of a column in ``numbers``; NaN for other values."""
        same = self.add("Equal", [column, np.array([numbers], dtype=np.float64)])
        same = self.cast(same, "DOUBLE")
        positions = np.arange(len(numbers), dtype=np.float64)[:, np.newaxis]
        position = self.add("MatMul", [same, positions])
        known = self.add("MatMul", [same, np.ones_like(positions)])
        return self.add("Where", [self.add("Greater", [known, 0.0]), position, np.nan])

    def body(self, outputs: list[Value], name: str) -> Any:
        """Return what has been added as an ``onnx.GraphProto``."""
        values = [self._value(output) for output in outputs]
        make = self._onnx.helper.make_graph
        return make(self._nodes, name, self._inputs, values, self._constants)

    def serialize(self, outputs: list[Value], metadata: dict[str, str]) -> bytes:
        """Return the file of the checked model."""
        from moodcore import __version__

        helper = self._onnx.helper
        operators = [helper.make_opsetid("", _OPERATORS)]
        if self._has_trees:
            operators.append(helper.make_opsetid(_TREE_DOMAIN, self.tree_version))
        model = helper.make_model(
            self.body(outputs, "moodcore"),
            opset_imports=operators,
            ir_version=_IR_VERSION[self._has_trees],
            producer_name="moodcore",
            producer_version=__version__,
        )
        helper.set_model_props(model, metadata)
        self._onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def _value(self, value: Value) -> Any:
        name, kind, shape = value
        number = getattr(self._onnx.TensorProto, kind)
        return self._onnx.helper.make_tensor_value_info(name, number, shape)
