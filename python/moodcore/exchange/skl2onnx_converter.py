"""Converters for skl2onnx: any scikit-learn pipeline around the estimators of this package.

skl2onnx converts the other steps; the converter inserts the graph that `write_onnx` writes for the
classifier.
"""

from typing import Any

from moodcore.exchange.computation import computation_of
from moodcore.exchange.onnx_writer import write_onnx
from moodcore.platform import MissingPackageError

_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
}


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
    import onnx
    from skl2onnx.common.data_types import DoubleTensorType

    prefix = scope.get_unique_operator_name("moodcore") + "_"
    # The newest version that skl2onnx writes.
    content = write_onnx(computation_of(operator.raw_operator), tree_version=3)
    written = onnx.load_from_string(content)
    model = onnx.compose.add_prefix(written, prefix)
    versions = {entry.domain: entry.version for entry in model.opset_import}

    def add(kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        container.add_node(
            kind, inputs, output, op_version=versions[""],
            name=scope.get_unique_operator_name(kind), **attributes,
        )  # fmt: skip

    columns = []
    for variable in operator.inputs:
        columns.append(scope.get_unique_variable_name("double"))
        to = onnx.TensorProto.DOUBLE
        add("Cast", [variable.full_name], columns[-1], to=to)
    rows = model.graph.input[0].name
    add("Concat", columns, rows, axis=1)
    container.initializers.extend(model.graph.initializer)
    container.nodes.extend(model.graph.node)
    for domain, version in versions.items():
        container.node_domain_version_pair_sets.add((domain, version))
    label, scores = (output.name for output in model.graph.output)
    add("Identity", [label], operator.outputs[0].full_name)
    is_double = isinstance(operator.outputs[1].type, DoubleTensorType)
    to = onnx.TensorProto.DOUBLE if is_double else onnx.TensorProto.FLOAT
    add("Cast", [scores], operator.outputs[1].full_name, to=to)
