"""Support vector machines as plain operators of ONNX."""

import numpy as np

from moodcore.exchange.computation import KernelMachine, LinearMachine
from moodcore.exchange.onnx_graph import Graph

# Limits of pairwise probabilities, and when their coupling ends (Wu, Lin and Weng 2004), as in
# the core.
_LEAST = 1e-7
_TOLERANCE = 0.005
_ROUNDS = 100


def add_linear_machine(graph: Graph, machine: LinearMachine, rows: str) -> tuple[str, str]:
    """Add a linear machine; give the position of the class of each row, and scores."""
    products = graph.add("MatMul", [rows, graph.constant(machine.coef.T)])
    scores = graph.add("Add", [products, graph.constant(machine.intercept)])
    return _likeliest(graph, scores, len(machine.intercept)), scores


def _likeliest(graph: Graph, scores: str, width: int) -> str:
    if width > 1:
        return graph.add("ArgMax", [scores], axis=1, keepdims=0)
    above = graph.add("Greater", [scores, graph.constant(0.0)])
    return graph.add("Squeeze", [graph.cast(above, "INT64"), graph.constant([1], np.int64)])


def add_kernel_machine(
    graph: Graph, machine: KernelMachine, n_classes: int, rows: str
) -> tuple[str, str]:
    """Add a kernel machine; give the position of each row's class, and probabilities or scores."""
    values = _kernel_values(graph, machine, rows)
    weighted = graph.add("MatMul", [values, graph.constant(machine.weights)])
    decisions = graph.add("Add", [weighted, graph.constant(machine.intercept)])
    if n_classes == 2:
        scores = graph.add("Neg", [decisions])
        # A decision of zero is for the second class.
        first = graph.add("Greater", [decisions, graph.constant(0.0)])
        label = graph.cast(graph.add("Not", [first]), "INT64")
        label = graph.add("Squeeze", [label, graph.constant([1], np.int64)])
    else:
        calibrated = machine.sigmoids is not None
        scores = winner = decisions
        if machine.break_ties or not (machine.by_pairs or calibrated):
            scores = winner = _scores_by_class(graph, decisions, n_classes)
        if machine.by_pairs:
            scores = decisions
        if not machine.break_ties:
            winner = _votes(graph, decisions, n_classes, "Greater")
        label = graph.add("ArgMax", [winner], axis=1, keepdims=0)
    if machine.sigmoids is not None:
        scores = _probabilities(graph, machine.sigmoids, n_classes, decisions)
    return label, scores


def _kernel_values(graph: Graph, machine: KernelMachine, rows: str) -> str:
    """Give the kernel value of each row with each support vector."""
    vectors = graph.cast(graph.constant(machine.vectors), "DOUBLE")
    turned = graph.add("Transpose", [vectors], perm=[1, 0])
    products = graph.add("MatMul", [rows, turned])
    if machine.kernel == "linear":
        return products
    if machine.kernel != "rbf":
        gamma, coef0 = graph.constant(machine.gamma), graph.constant(machine.coef0)
        inner = graph.add("Add", [graph.add("Mul", [products, gamma]), coef0])
        if machine.kernel == "sigmoid":
            return graph.add("Tanh", [inner])
        return graph.add("Pow", [inner, graph.constant(float(machine.degree))])
    axis = graph.constant([1], np.int64)
    own = graph.add("ReduceSumSquare", [rows, axis], keepdims=1)
    squares = (machine.vectors.astype(np.float64) ** 2).sum(axis=1)
    both = graph.add("Add", [own, graph.constant(squares)])
    doubled = graph.add("Mul", [products, graph.constant(2.0)])
    distances = graph.add("Sub", [both, doubled])
    scaled = graph.add("Mul", [distances, graph.constant(-machine.gamma)])
    # Rounding may leave a distance below zero.
    return graph.add("Exp", [graph.add("Min", [scaled, graph.constant(0.0)])])


def _pair_matrix(n_classes: int, first: float, second: float) -> np.ndarray:
    """Give the matrix that adds what a pair says to its two classes."""
    a, b = np.triu_indices(n_classes, k=1)
    matrix = np.zeros((len(a), n_classes))
    pairs = np.arange(len(a))
    matrix[pairs, a], matrix[pairs, b] = first, second
    return matrix


def _votes(graph: Graph, decisions: str, n_classes: int, operator: str) -> str:
    """Count the pairs that each class wins."""
    for_first = graph.cast(graph.add(operator, [decisions, graph.constant(0.0)]), "DOUBLE")
    added = graph.add("MatMul", [for_first, graph.constant(_pair_matrix(n_classes, 1.0, -1.0))])
    seconds = _pair_matrix(n_classes, 0.0, 1.0).sum(axis=0)
    return graph.add("Add", [added, graph.constant(seconds)])


def _scores_by_class(graph: Graph, decisions: str, n_classes: int) -> str:
    """Give votes, ties told apart by the sizes of decisions, as scikit-learn does."""
    votes = _votes(graph, decisions, n_classes, "GreaterOrEqual")
    sides = graph.constant(_pair_matrix(n_classes, 1.0, -1.0))
    sums = graph.add("MatMul", [decisions, sides])
    size = graph.add("Add", [graph.add("Abs", [sums]), graph.constant(1.0)])
    third = graph.add("Div", [sums, graph.add("Mul", [size, graph.constant(3.0)])])
    return graph.add("Add", [votes, third])


def _probabilities(
    graph: Graph, sigmoids: tuple[np.ndarray, np.ndarray], n_classes: int, decisions: str
) -> str:
    slope, offset = map(graph.constant, sigmoids)
    exponent = graph.add("Add", [graph.add("Mul", [decisions, slope]), offset])
    odds = graph.add("Add", [graph.add("Exp", [exponent]), graph.constant(1.0)])
    pairwise = graph.add("Reciprocal", [odds])
    limits = graph.constant(_LEAST), graph.constant(1 - _LEAST)
    pairwise = graph.add("Clip", [pairwise, *limits])
    if n_classes == 2:
        against = graph.add("Sub", [graph.constant(1.0), pairwise])
        return graph.add("Concat", [pairwise, against], axis=1)
    return _coupled(graph, pairwise, n_classes)


def _coupled(graph: Graph, pairwise: str, k: int) -> str:
    """Couple pairwise probabilities: algorithm 2 of Wu, Lin and Weng (2004), a loop over rounds.

    A row whose error is small enough stays as it is; the loop ends when all do.
    """
    a, b = np.triu_indices(k, k=1)
    pairs = np.arange(len(a))
    spread, ones = np.zeros((len(a), k, k)), np.zeros((k, k))
    spread[pairs, a, b], spread[pairs, b, a], ones[b, a] = 1.0, -1.0, 1.0
    flat = graph.add("MatMul", [pairwise, graph.constant(spread.reshape(len(a), k * k))])
    flat = graph.add("Add", [flat, graph.constant(ones.ravel())])
    r = graph.add("Reshape", [flat, graph.constant([-1, k, k], np.int64)])
    turned = graph.add("Transpose", [r], perm=[0, 2, 1])
    squares = graph.add("ReduceSumSquare", [turned, graph.constant([2], np.int64)], keepdims=1)
    diagonal = graph.add("Mul", [squares, graph.constant(np.eye(k))])
    q = graph.add("Sub", [diagonal, graph.add("Mul", [r, turned])])
    rows = [graph.add("Gather", [q, graph.constant(t, np.int64)], axis=1) for t in range(k)]
    own = [
        graph.add("Gather", [row, graph.constant([t], np.int64)], axis=1)
        for t, row in enumerate(rows)
    ]
    zeros = graph.add("Mul", [_first_column(graph, pairwise), graph.constant(np.zeros((1, k)))])
    start = graph.add("Add", [zeros, graph.constant(1.0 / k)])
    active = graph.add("Greater", [_first_column(graph, start), graph.constant(0.0)])
    body = _coupling_round(graph, (q, rows, own), k)
    outputs = [graph.name("coupled"), graph.name("active")]
    inputs = [
        graph.constant(max(_ROUNDS, k), np.int64),
        graph.constant(True, np.bool_),
        start,
        active,
    ]
    return graph.add_many("Loop", inputs, outputs, body=body)[0]


def _first_column(graph: Graph, values: str) -> str:
    return graph.add("Gather", [values, graph.constant([0], np.int64)], axis=1)


def _coupling_round(parent: Graph, matrices: tuple[str, list[str], list[str]], k: int) -> "object":
    """Give the graph of one round: all classes' probabilities changed one after another."""
    q, rows, own = matrices
    graph = Graph(parent)
    names = {what: parent.name(what) for what in ("round", "going", "p", "open", "goes_on")}
    graph.input(names["round"], "INT64", [])
    graph.input(names["going"], "BOOL", [])
    before = graph.input(names["p"], "DOUBLE", ["N", k])
    was_open = graph.input(names["open"], "BOOL", ["N", 1])
    last, middle = graph.constant([2], np.int64), graph.constant([1], np.int64)
    column = graph.add("Unsqueeze", [before, last])
    products = graph.add("Squeeze", [graph.add("MatMul", [q, column]), last])
    total = graph.add("ReduceSum", [graph.add("Mul", [before, products]), middle], keepdims=1)
    off = graph.add("Abs", [graph.add("Sub", [products, total])])
    error = graph.add("ReduceMax", [off, middle], keepdims=1)
    far = graph.add("GreaterOrEqual", [error, graph.constant(_TOLERANCE / k)])
    is_open = graph.add("And", [was_open, far])
    p, one, two = before, graph.constant(1.0), graph.constant(2.0)
    for t in range(k):
        product = graph.add("Gather", [products, graph.constant([t], np.int64)], axis=1)
        change = graph.add("Div", [graph.add("Sub", [total, product]), own[t]])
        scale = graph.add("Add", [change, one])
        unit = graph.constant(np.eye(k)[t : t + 1])
        p = graph.add("Div", [graph.add("Add", [p, graph.add("Mul", [change, unit])]), scale])
        inner = graph.add(
            "Add", [graph.add("Mul", [change, own[t]]), graph.add("Mul", [product, two])]
        )
        raised = graph.add("Add", [total, graph.add("Mul", [change, inner])])
        total = graph.add("Div", [raised, graph.add("Mul", [scale, scale])])
        moved = graph.add("Add", [products, graph.add("Mul", [change, rows[t]])])
        products = graph.add("Div", [moved, scale])
    after = graph.add("Where", [is_open, p, before])
    some = graph.add("ReduceMax", [graph.cast(is_open, "INT64")], keepdims=0)
    goes_on = graph.add("Greater", [some, graph.constant(0, np.int64)])
    kept = graph.add("Identity", [is_open])
    return graph.body(
        [(goes_on, "BOOL", []), (after, "DOUBLE", ["N", k]), (kept, "BOOL", ["N", 1])], "coupling"
    )
