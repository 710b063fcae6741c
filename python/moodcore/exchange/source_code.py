"""C and Rust source code of a fitted model, without dependencies.

The templates ``model.c.j2`` and ``model.rs.j2`` contain the code; this module fills in the tables.
Margins of trees are added in the same order as in the core, in double precision; a network's
inputs and weights are of single precision, its sums of double.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from moodcore.exchange.checks import has_surrogate
from moodcore.exchange.forest import Forest
from moodcore.exchange.steps import (
    CenterAndScale,
    Column,
    Computation,
    Encode,
    KernelModel,
    LinearModel,
    Network,
    Scale,
    Select,
    Standardize,
    Step,
    Truncate,
)

Language = Literal["c", "c-header", "rust"]
# Flags of a node: whether missing values go left (or members of a category list), and whether it
# splits by category.
_LEFT, _CATEGORY = 1, 2
_WIDTH = 96
# Types of numbers in each language, and in NumPy.
_TYPES = {
    "c": {"f64": "double", "f32": "float", "i32": "int", "u8": "unsigned char"},
    "rust": {"f64": "f64", "f32": "f32", "i32": "usize", "u8": "u8"},
}
_DTYPES = {"f64": np.float64, "f32": np.float32, "i32": np.int64, "u8": np.int64}


@dataclass(frozen=True)
class _Table:
    """A constant array; ``type`` is the language's name of its numbers' type."""

    name: str
    type: str
    values: NDArray[Any]


def write_source(computation: Computation, language: Language, name: str) -> bytes:
    """Write a model as source code without dependencies; names in C begin with ``name``."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from moodcore import __version__

    environment = Environment(
        loader=PackageLoader("moodcore.exchange", package_path=""),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    name = re.sub(r"\W", "_", name, flags=re.ASCII).lower()
    name = name if re.match(r"[a-z]", name) else f"model_{name}"
    rust = language == "rust"
    number = rust_number if rust else c_number
    text = environment.get_template("model.rs.j2" if rust else "model.c.j2").render(
        version=__version__,
        name=name,
        upper=name.upper(),
        title=f"{name}: tells {len(computation.classes)} classes apart",
        columns=[_for_comment(column) for column in computation.columns],
        class_names=[str(class_name) for class_name in computation.class_names],
        n_classes=len(computation.classes),
        n_scores=computation.n_scores,
        scores_are="probabilities" if computation.has_probabilities else "scores",
        as_header=language == "c-header",
        number=number,
        numbers=lambda table: _wrapped(_written(table, number)),
        texts=lambda texts: _wrapped(quoted(text, language) for text in texts),
        **_Program(computation, "rust" if rust else "c").values(),
    )
    return text.encode()


def _for_comment(column: Column) -> dict[str, Any]:
    """Describe a column in characters that are safe in a comment."""

    def plain(text: Any) -> str:
        return re.sub(r"[^\x20-\x7e]|[*?\\]", "_", str(text))

    labels = column.labels and [plain(label) for label in column.labels]
    return {"name": plain(column.name), "labels": labels, "has_other": column.has_other}


class _Program:
    """Tables and steps of a model in a language."""

    def __init__(self, computation: Computation, language: Literal["c", "rust"]) -> None:
        self.computation = computation
        self.language = language
        self.tables: list[_Table] = []
        self.steps: list[dict[str, Any]] = []
        self.width = len(computation.columns)
        self.widest = self.width
        for step in computation.steps:
            self._add_step(step)
        if not self.steps or self.steps[0]["kind"] != "columns":
            whole = {"kind": "columns", "table": None, "width": len(computation.columns)}
            self.steps.insert(0, whole)

    def table(self, name: str, kind: str, values: Any) -> str:
        """Add a table and return its name."""
        array = np.ascontiguousarray(values, dtype=_DTYPES[kind]).ravel()
        self.tables.append(_Table(name, _TYPES[self.language][kind], array))
        return name

    def _add_step(self, step: Step) -> None:
        prefix = f"step{len(self.steps)}"
        if isinstance(step, Select):
            self.width = len(step.places)
            self.widest = max(self.widest, self.width)
            kind = "select" if self.steps else "columns"
            table = self.table(f"{prefix}_places", "i32", step.places)
            self.steps.append({"kind": kind, "table": table, "width": self.width})
            return
        lines: list[tuple[str, Any]] = []
        if isinstance(step, Scale):
            lines.append(("*=", self.table(f"{prefix}_multiply", "f64", step.multiply)))
            lines.append(("+=", self.table(f"{prefix}_add", "f64", step.add)))
            if step.limits is not None:
                lines += [("least", repr(step.limits[0])), ("most", repr(step.limits[1]))]
        elif isinstance(step, Standardize):
            if step.subtract is not None:
                lines.append(("-=", self.table(f"{prefix}_subtract", "f64", step.subtract)))
            if step.divide is not None:
                lines.append(("/=", self.table(f"{prefix}_divide", "f64", step.divide)))
        elif isinstance(step, CenterAndScale):
            lines.append(("-=", self.table(f"{prefix}_center", "f64", step.center)))
            lines.append(("*=", self.table(f"{prefix}_factor", "f64", step.factor)))
            lines += [("least", repr(step.limits[0])), ("most", repr(step.limits[1]))]
            if step.compress is not None:
                lines.append(("compress", repr(step.compress)))
        elif isinstance(step, Encode):
            self.table(f"{prefix}_kinds", "u8", step.kinds)
            self.table(f"{prefix}_values", "f64", step.values)
            lines.append(("encode", prefix))
        elif isinstance(step, Truncate):
            lines.append(("truncate", self._flags(f"{prefix}_truncated", step.columns)))
        else:
            low, high = step.value - step.within, step.value + step.within
            flags = self._flags(f"{prefix}_numbers", step.columns)
            lines.append(("missing", {"flags": flags, "low": repr(low), "high": repr(high)}))
        self.steps.append({"kind": "each", "width": self.width, "lines": lines})

    def _flags(self, name: str, columns: NDArray[np.bool_]) -> str | None:
        """Add a table of columns, unless it would be all of them."""
        return None if columns.all() else self.table(name, "u8", columns)

    def values(self) -> dict[str, Any]:
        """Return the variables of the templates."""
        classifier = self.computation.classifier
        parts: dict[str, Any] = dict.fromkeys(("network", "forest", "linear", "kernel"))
        if isinstance(classifier, Network):
            parts["network"] = self._network(classifier)
        elif isinstance(classifier, Forest):
            parts["forest"] = self._forest(classifier)
        elif isinstance(classifier, LinearModel):
            self.table("coef", "f64", classifier.coef)
            self.table("intercept", "f64", classifier.intercept)
            parts["linear"] = {"n_features": classifier.coef.shape[1]}
        else:
            parts["kernel"] = self._kernel(classifier)
        margins = parts["forest"] is not None and len(self.computation.classes) > 2
        softmax = parts["network"] is not None or margins
        common = {"tables": self.tables, "steps": self.steps, "widest": self.widest}
        return {**parts, **common, "softmax": softmax}

    def _network(self, network: Network) -> dict[str, Any]:
        sizes = [len(network.weights[0]), *(len(biases) for biases in network.biases)]
        for at, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True)):
            self.table(f"weights_{at}", "f32", weights)
            self.table(f"biases_{at}", "f32", biases)
        layers = list(pairwise(sizes))
        return {
            "sizes": sizes,
            "widest": max(sizes),
            "layers": layers,
            "activation": network.activation,
        }

    def _forest(self, forest: Forest) -> dict[str, Any]:
        nodes: dict[str, list[Any]] = {
            name: [] for name in ("features", "flags", "rights", "values")
        }
        roots: list[int] = []
        members: list[float] = []
        starts = [0]
        for tree in (tree.in_order() for tree in forest.one_output_trees()):
            first = len(nodes["features"])
            roots.append(first)
            leaf = tree.is_leaf
            flags = np.where(tree.missing_left & ~leaf, _LEFT, 0)
            values = np.where(leaf, tree.value[:, 0], tree.threshold)
            for node in sorted(tree.categories):
                codes, members_left = forest.member_test(tree, node)
                flags[node] = _CATEGORY | (_LEFT if members_left else 0)
                values[node] = len(starts) - 1
                members += codes
                starts.append(len(members))
            # The feature of a leaf is the number of columns.
            nodes["features"] += np.where(leaf, self.width, tree.feature).tolist()
            nodes["flags"] += flags.tolist()
            nodes["rights"] += np.where(leaf, 0, first + tree.right).tolist()
            nodes["values"] += values.tolist()
        self.table("base", "f64", forest.base)
        has_members = len(starts) > 1
        # A model of a single class has no tree, and a language may have no empty array.
        if roots:
            kinds = {"features": "i32", "flags": "u8", "rights": "i32", "values": "f64"}
            self.table("roots", "i32", roots)
            for name, kind in kinds.items():
                self.table(name, kind, nodes[name])
        if has_members:
            self.table("list_starts", "i32", starts)
            self.table("members", "f64", [*members, math.nan])
        return {
            "n_outputs": forest.n_outputs,
            "n_trees": len(roots),
            "leaf": self.width,
            "members": has_members,
        }

    def _kernel(self, svm: KernelModel) -> dict[str, Any]:
        n_classes = len(self.computation.classes)
        pairs = np.zeros((n_classes, n_classes - 1), dtype=np.int64)
        for pair, (a, b) in enumerate(zip(*np.triu_indices(n_classes, k=1), strict=True)):
            pairs[a, b - 1] = pairs[b, a] = pair
        class_of = np.repeat(np.arange(n_classes), svm.n_support)
        coefs = svm.weights[np.arange(len(class_of))[:, np.newaxis], pairs[class_of]]
        self.table("n_support", "i32", svm.n_support)
        self.table("pairs", "i32", pairs)
        self.table("vectors", "f32", svm.vectors)
        self.table("coefs", "f64", coefs)
        self.table("intercept", "f64", svm.intercept)
        calibrated = svm.sigmoids is not None
        if svm.sigmoids is not None:
            self.table("slopes", "f64", svm.sigmoids[0])
            self.table("offsets", "f64", svm.sigmoids[1])
        shows_votes = n_classes > 2 and not calibrated and not svm.by_pairs
        return {
            "kind": svm.kernel,
            "gamma": svm.gamma,
            "coef0": svm.coef0,
            "degree": svm.degree,
            "n_features": svm.vectors.shape[1],
            "n_pairs": len(svm.intercept),
            "calibrated": calibrated,
            "by_pairs": svm.by_pairs,
            "break_ties": svm.break_ties and n_classes > 2,
            "by_class": shows_votes or (svm.break_ties and n_classes > 2),
        }


def c_number(value: float) -> str:
    """Write a number in C; infinities and NaN by the names of math.h."""
    return _number(value, "NAN", "INFINITY", "-INFINITY")


def rust_number(value: float) -> str:
    """Write a number in Rust."""
    return _number(value, "f64::NAN", "f64::INFINITY", "f64::NEG_INFINITY")


def _number(value: float, nan: str, infinity: str, negative: str) -> str:
    if math.isfinite(value):
        return repr(value)
    return nan if math.isnan(value) else infinity if value > 0 else negative


def _written(table: _Table, number: Callable[[float], str]) -> Iterable[str]:
    """Format the numbers of a table; float32 with the fewest digits that restore it."""
    if table.type not in ("float", "f32"):
        return map(number, table.values.tolist())
    ending = "f" if table.type == "float" else ""
    return (str(value) + ending for value in table.values)


def quoted(text: str, language: Language = "c") -> str:
    """Quote a text as a literal of C, in UTF-8, or of Rust.

    Raises
    ------
    ValueError
        If the language cannot represent the text.
    """
    if has_surrogate(text) or ("\0" in text and language != "rust"):
        what = "surrogates" if has_surrogate(text) else "null characters"
        raise ValueError(f"names and class labels cannot have {what} in source code, got {text!r}")
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}

    def escaped(letter: str) -> str:
        if letter.isprintable():
            return letter
        if language == "rust":
            return f"\\u{{{ord(letter):x}}}"
        return "".join(f"\\{byte:03o}" for byte in letter.encode())

    literal = "".join(escapes.get(letter) or escaped(letter) for letter in text)
    # Two question marks in a row may begin a trigraph of C: one of them is escaped.
    return '"' + re.sub(r"\?(?=\?)", r"\\x3f", literal) + '"'


def _wrapped(entries: Iterable[str]) -> str:
    """Write entries in lines, separated by commas."""
    lines, line = [], "   "
    for entry in entries:
        if len(line) + len(entry) + 2 > _WIDTH:
            lines.append(line)
            line = "   "
        line += f" {entry},"
    return "\n".join([*lines, line])
