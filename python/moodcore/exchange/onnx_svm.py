"""Support vector machines as plain operators of ONNX."""

from typing import Any

import numpy as np

from moodcore.exchange.onnx_graph import Graph
from moodcore.exchange.steps import KernelModel, LinearModel

# Limits of pairwise probabilities, and when their coupling ends (Wu, Lin and Weng 2004), as in
# the core.
_LEAST = 1e-7
_TOLERANCE = 0.005
_ROUNDS = 100


def add_linear_svm(graph: Graph, svm: LinearModel, rows: str) -> tuple[str, str]:
    """Add a linear SVM; return the position of each row's class, and scores."""
    products = graph.add("MatMul", [rows, svm.coef.T])
    scores = graph.add("Add", [products, svm.intercept])
    if len(svm.intercept) > 1:
        return graph.add("ArgMax", [scores], axis=1, keepdims=0), scores
    return graph.is_positive(scores), scores


def add_kernel_svm(graph: Graph, svm: KernelModel, n_classes: int, rows: str) -> tuple[str, str]:
    """Add a kernel SVM; return the position of each row's class, and probabilities or scores."""
    values = _kernel_values(graph, svm, rows)
    weighted = graph.add("MatMul", [values, svm.weights])
    decisions = graph.add("Add", [weighted, svm.intercept])
    if n_classes == 2:
        scores = graph.add("Neg", [decisions])
        # A decision of zero is for the second class.
        first = graph.add("Greater", [decisions, 0.0])
        label = graph.cast(graph.add("Not", [first]), "INT64")
        label = graph.add("Squeeze", [label, [1]])
    else:
        scores = winner = decisions
        if svm.break_ties or not (svm.by_pairs or svm.sigmoids is not None):
            scores = winner = _scores_by_class(graph, decisions, n_classes)
        if svm.by_pairs:
            scores = decisions
        if not svm.break_ties:
            winner = _votes(graph, decisions, n_classes, "Greater")
        label = graph.add("ArgMax", [winner], axis=1, keepdims=0)
    if svm.sigmoids is not None:
        scores = _probabilities(graph, svm.sigmoids, n_classes, decisions)
    return label, scores


def _kernel_values(graph: Graph, svm: KernelModel, rows: str) -> str:
    """Compute the kernel value of each row with each support vector."""
    vectors = graph.cast(svm.vectors, "DOUBLE")
    products = graph.add("MatMul", [rows, graph.add("Transpose", [vectors], perm=[1, 0])])
    if svm.kernel == "linear":
        return products
    if svm.kernel != "rbf":
        gamma, coef0 = graph.constant(svm.gamma), graph.constant(svm.coef0)
        inner = graph.add("Add", [graph.add("Mul", [products, gamma]), coef0])
        if svm.kernel == "sigmoid":
            return graph.add("Tanh", [inner])
        return graph.add("Pow", [inner, float(svm.degree)])
    row_squares = graph.add("ReduceSumSquare", [rows, [1]], keepdims=1)
    vector_squares = (svm.vectors.astype(np.float64) ** 2).sum(axis=1)
    both = graph.add("Add", [row_squares, vector_squares])
    distances = graph.add("Sub", [both, graph.add("Mul", [products, 2.0])])
    scaled = graph.add("Mul", [distances, -svm.gamma])
    # Rounding may make a distance negative.
    return graph.add("Exp", [graph.add("Min", [scaled, 0.0])])


def _pair_matrix(n_classes: int, first: float, second: float) -> np.ndarray:
    """Return the matrix that adds what a pair contributes to its two classes."""
    a, b = np.triu_indices(n_classes, k=1)
    matrix = np.zeros((len(a), n_classes))
    pairs = np.arange(len(a))
    matrix[pairs, a], matrix[pairs, b] = first, second
    return matrix


def _votes(graph: Graph, decisions: str, n_classes: int, operator: str) -> str:
    """Count the pairs that each class wins."""
    for_first = graph.cast(graph.add(operator, [decisions, 0.0]), "DOUBLE")
    added = graph.add("MatMul", [for_first, _pair_matrix(n_classes, 1.0, -1.0)])
    return graph.add("Add", [added, _pair_matrix(n_classes, 0.0, 1.0).sum(axis=0)])


def _scores_by_class(graph: Graph, decisions: str, n_classes: int) -> str:
    """Compute votes with ties broken by the sums of decisions, as scikit-learn does."""
    votes = _votes(graph, decisions, n_classes, "GreaterOrEqual")
    sums = graph.add("MatMul", [decisions, _pair_matrix(n_classes, 1.0, -1.0)])
    size = graph.add("Add", [graph.add("Abs", [sums]), 1.0])
    third = graph.add("Div", [sums, graph.add("Mul", [size, 3.0])])
    return graph.add("Add", [votes, third])


def _probabilities(
    graph: Graph, sigmoids: tuple[np.ndarray, np.ndarray], n_classes: int, decisions: str
) -> str:
    slope, offset = map(graph.constant, sigmoids)
    exponent = graph.add("Add", [graph.add("Mul", [decisions, slope]), offset])
    odds = graph.add("Add", [graph.add("Exp", [exponent]), 1.0])
    pairwise = graph.add("Reciprocal", [odds])
    pairwise = graph.add("Clip", [pairwise, _LEAST, 1 - _LEAST])
    if n_classes == 2:
        against = graph.add("Sub", [1.0, pairwise])
        return graph.add("Concat", [pairwise, against], axis=1)
    return _couple(graph, pairwise, n_classes)


def _couple(graph: Graph, pairwise: str, k: int) -> str:
    """Couple pairwise probabilities: algorithm 2 of Wu, Lin and Weng (2004), a loop over rounds.

    A row whose error is small enough stays as it is; the loop ends when all do.
    """
    a, b = np.triu_indices(k, k=1)
    pairs = np.arange(len(a))
    spread, ones = np.zeros((len(a), k, k)), np.zeros((k, k))
    spread[pairs, a, b], spread[pairs, b, a], ones[b, a] = 1.0, -1.0, 1.0
    flat = graph.add("MatMul", [pairwise, spread.reshape(len(a), k * k)])
    r = graph.add("Reshape", [graph.add("Add", [flat, ones.ravel()]), [-1, k, k]])
    transposed = graph.add("Transpose", [r], perm=[0, 2, 1])
    squares = graph.add("ReduceSumSquare", [transposed, [2]], keepdims=1)
    diagonal = graph.add("Mul", [squares, np.eye(k)])
    q = graph.add("Sub", [diagonal, graph.add("Mul", [r, transposed])])
    rows = [graph.add("Gather", [q, t], axis=1) for t in range(k)]
    diagonals = [graph.add("Gather", [row, [t]], axis=1) for t, row in enumerate(rows)]
    zeros = graph.add("Mul", [_first_column(graph, pairwise), np.zeros((1, k))])
    start = graph.add("Add", [zeros, 1.0 / k])
    active = graph.add("Greater", [_first_column(graph, start), 0.0])
    body = _coupling_round(graph, q, rows, diagonals)
    outputs = [graph.name("coupled"), graph.name("active")]
    inputs = [max(_ROUNDS, k), True, start, active]
    return graph.add("Loop", inputs, output=outputs, body=body)


def _first_column(graph: Graph, values: str) -> str:
    return graph.add("Gather", [values, [0]], axis=1)


def _coupling_round(parent: Graph, q: str, rows: list[str], diagonals: list[str]) -> Any:
    """Return the graph of one round, which updates the classes' probabilities in turn."""
    graph, k = Graph(parent), len(rows)
    index, going, p, is_open, _ = map(parent.name, ("round", "going", "p", "open", "goes_on"))
    graph.input(index, "INT64", [])
    graph.input(going, "BOOL", [])
    before = graph.input(p, "DOUBLE", ["N", k])
    was_open = graph.input(is_open, "BOOL", ["N", 1])
    last, middle = graph.constant([2]), graph.constant([1])
    column = graph.add("Unsqueeze", [before, last])
    products = graph.add("Squeeze", [graph.add("MatMul", [q, column]), last])
    total = graph.add("ReduceSum", [graph.add("Mul", [before, products]), middle], keepdims=1)
    off = graph.add("Abs", [graph.add("Sub", [products, total])])
    error = graph.add("ReduceMax", [off, middle], keepdims=1)
    far = graph.add("GreaterOrEqual", [error, _TOLERANCE / k])
    is_open = graph.add("And", [was_open, far])
    p, one, two = before, graph.constant(1.0), graph.constant(2.0)
    for t, (row, diagonal) in enumerate(zip(rows, diagonals, strict=True)):
        product = graph.add("Gather", [products, [t]], axis=1)
        change = graph.add("Div", [graph.add("Sub", [total, product]), diagonal])
        scale = graph.add("Add", [change, one])
        step = graph.add("Mul", [change, np.eye(k)[t : t + 1]])
        p = graph.add("Div", [graph.add("Add", [p, step]), scale])
        inner = graph.add(
            "Add", [graph.add("Mul", [change, diagonal]), graph.add("Mul", [product, two])]
        )
        raised = graph.add("Add", [total, graph.add("Mul", [change, inner])])
        total = graph.add("Div", [raised, graph.add("Mul", [scale, scale])])
        moved = graph.add("Add", [products, graph.add("Mul", [change, row])])
        products = graph.add("Div", [moved, scale])
    after = graph.add("Where", [is_open, p, before])
    some = graph.add("ReduceMax", [graph.cast(is_open, "INT64")], keepdims=0)
    any_open = graph.add("Greater", [some, 0])
    kept = graph.add("Identity", [is_open])
    return graph.body(
        [(any_open, "BOOL", []), (after, "DOUBLE", ["N", k]), (kept, "BOOL", ["N", 1])], "coupling"
    )
