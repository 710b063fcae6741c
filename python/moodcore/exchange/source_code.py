"""C and Rust source of a fitted model, for places where no library goes.

The templates ``model.c.j2`` and ``model.rs.j2`` hold the code; here are the tables that go in.
Margins of trees are added in the order of our own, in double precision; a network's inputs and
weights are of single precision, its sums of double.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from moodcore.exchange.computation import (
    Column,
    Computation,
    Encode,
    KernelModel,
    LinearModel,
    MissingValue,
    Network,
    Scale,
    Select,
    Standardize,
    Step,
)
from moodcore.exchange.forest import Forest

Language = Literal["c", "c-header", "rust"]
# Flags of a node: where missing values go, or of a category on which side its list is.
_LEFT, _CATEGORY = 1, 2
_WIDTH = 96
# What numbers are called.
_TYPES = {
    "c": {"f64": "double", "f32": "float", "i32": "int", "u8": "unsigned char"},
    "rust": {"f64": "f64", "f32": "f32", "i32": "usize", "u8": "u8"},
}


@dataclass(frozen=True)
class _Table:
    """A constant array; ``type`` is what the language calls its numbers."""

    name: str
    type: str
    values: NDArray[Any]


def write_source(computation: Computation, language: Language, name: str) -> bytes:
    """Write a model as source code without dependencies."""
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
        columns=[_described(column) for column in computation.columns],
        class_names=[str(one) for one in computation.class_names],
        n_classes=len(computation.classes),
        n_scores=computation.n_scores,
        scores_are="probabilities" if computation.has_probabilities else "scores",
        as_header=language == "c-header",
        number=number,
        numbers=lambda table: _wrapped(_written(table, number)),
        texts=lambda texts: _wrapped(map(quoted, texts)),
        **_Program(computation, "rust" if rust else "c").values(),
    )
    return text.encode()


def _described(column: Column) -> dict[str, Any]:
    """Give a column in a form that may stand in a comment."""

    def plain(text: Any) -> str:
        return re.sub(r"[^\x20-\x7e]|[*?\\]", "_", str(text))

    labels = column.labels and [plain(label) for label in column.labels]
    return {"name": plain(column.name), "labels": labels, "has_other": column.has_other}


class _Program:
    """Tables and steps of a model, in the words of a language."""

    def __init__(self, computation: Computation, language: Literal["c", "rust"]) -> None:
        self.computation = computation
        self.language = language
        self.tables: list[_Table] = []
        self.steps: list[dict[str, Any]] = []
        self.width = len(computation.columns)
        self.widest = self.width
        for step in computation.steps:
            self._prepare(step)
        if not self.steps or self.steps[0]["kind"] != "columns":
            whole = {"kind": "columns", "table": None, "width": len(computation.columns)}
            self.steps.insert(0, whole)

    def table(self, name: str, kind: str, values: Any) -> str:
        """Add a table, and give its name."""
        dtype = {"f64": np.float64, "f32": np.float32, "i32": np.int64, "u8": np.int64}[kind]
        array = np.ascontiguousarray(values, dtype=dtype).ravel()
        self.tables.append(_Table(name, _TYPES[self.language][kind], array))
        return name

    def _prepare(self, step: Step) -> None:
        at = len(self.steps)
        if isinstance(step, Select):
            self.width = len(step.places)
            self.widest = max(self.widest, self.width)
            self.steps.append(
                {
                    "kind": "select" if self.steps else "columns",
                    "table": self.table(f"step{at}_places", "i32", step.places),
                    "width": self.width,
                }
            )
            return
        lines: list[tuple[str, str]] = []
        if isinstance(step, Scale):
            lines.append(("*=", self.table(f"step{at}_multiply", "f64", step.multiply)))
            lines.append(("+=", self.table(f"step{at}_add", "f64", step.add)))
            if step.limits is not None:
                lines += [("least", repr(step.limits[0])), ("most", repr(step.limits[1]))]
        elif isinstance(step, Standardize):
            if step.subtract is not None:
                lines.append(("-=", self.table(f"step{at}_subtract", "f64", step.subtract)))
            if step.divide is not None:
                lines.append(("/=", self.table(f"step{at}_divide", "f64", step.divide)))
        elif isinstance(step, Encode):
            kinds = self.table(f"step{at}_kinds", "u8", step.kinds)
            self.table(f"step{at}_values", "f64", step.values)
            lines.append(("encode", kinds.removesuffix("_kinds")))
        else:
            assert isinstance(step, MissingValue)
            lines.append(("missing", repr(step.value)))
        self.steps.append({"kind": "each", "width": self.width, "lines": lines})

    def values(self) -> dict[str, Any]:
        """Give what the templates ask for."""
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
        many = len(self.computation.classes) > 2
        return {
            **parts,
            "tables": self.tables,
            "steps": self.steps,
            "widest": self.widest,
            "softmax": parts["network"] is not None or (parts["forest"] is not None and many),
        }

    def _network(self, network: Network) -> dict[str, Any]:
        sizes = [len(network.weights[0]), *(len(biases) for biases in network.biases)]
        for at, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True)):
            self.table(f"weights_{at}", "f32", weights)
            self.table(f"biases_{at}", "f32", biases)
        layers = list(pairwise(sizes))
        return {"sizes": sizes, "widest": max(sizes), "layers": layers}

    def _forest(self, forest: Forest) -> dict[str, Any]:
        roots: list[int] = []
        features: list[int] = []
        flags: list[int] = []
        rights: list[int] = []
        values: list[float] = []
        lists: list[float] = []
        starts = [0]
        for tree in (one.in_order() for one in forest.one_output_trees()):
            first = len(features)
            roots.append(first)
            leaf = tree.is_leaf
            own_flags = np.where(tree.missing_left & ~leaf, _LEFT, 0)
            own_values = np.where(leaf, tree.value[:, 0], tree.threshold)
            for node in sorted(tree.categories):
                codes, members_left = forest.member_test(tree, node)
                own_flags[node] = _CATEGORY | (_LEFT if members_left else 0)
                own_values[node] = len(starts) - 1
                lists += codes
                starts.append(len(lists))
            # A leaf asks for no column: its feature is the number of columns.
            features += np.where(leaf, self.width, tree.feature).tolist()
            flags += own_flags.tolist()
            rights += np.where(leaf, 0, first + tree.right).tolist()
            values += own_values.tolist()
        self.table("base", "f64", forest.base)
        if not roots:
            # Of a single class there is nothing to learn.
            return {"n_outputs": forest.n_outputs, "n_trees": 0, "members": False}
        self.table("roots", "i32", roots)
        self.table("features", "i32", features)
        self.table("flags", "u8", flags)
        self.table("rights", "i32", rights)
        self.table("values", "f64", values)
        if len(starts) > 1:
            self.table("list_starts", "i32", starts)
            # A language may have no empty array.
            self.table("members", "f64", [*lists, math.nan])
        return {
            "n_outputs": forest.n_outputs,
            "n_trees": len(roots),
            "leaf": self.width,
            "members": len(starts) > 1,
        }

    def _kernel(self, machine: KernelModel) -> dict[str, Any]:
        n_classes = len(self.computation.classes)
        pairs = np.zeros((n_classes, n_classes - 1), dtype=np.int64)
        for pair, (a, b) in enumerate(zip(*np.triu_indices(n_classes, k=1), strict=True)):
            pairs[a, b - 1] = pairs[b, a] = pair
        class_of = np.repeat(np.arange(n_classes), machine.n_support)
        own = machine.weights[np.arange(len(class_of))[:, np.newaxis], pairs[class_of]]
        self.table("n_support", "i32", machine.n_support)
        self.table("pairs", "i32", pairs)
        self.table("vectors", "f32", machine.vectors)
        self.table("coefs", "f64", own)
        self.table("intercept", "f64", machine.intercept)
        calibrated = machine.sigmoids is not None
        if machine.sigmoids is not None:
            self.table("slopes", "f64", machine.sigmoids[0])
            self.table("offsets", "f64", machine.sigmoids[1])
        shows_votes = n_classes > 2 and not calibrated and not machine.by_pairs
        return {
            "kind": machine.kernel,
            "gamma": machine.gamma,
            "coef0": machine.coef0,
            "degree": machine.degree,
            "n_features": machine.vectors.shape[1],
            "n_pairs": len(machine.intercept),
            "calibrated": calibrated,
            "by_pairs": machine.by_pairs,
            "break_ties": machine.break_ties and n_classes > 2,
            "by_class": shows_votes or (machine.break_ties and n_classes > 2),
        }


def c_number(value: float) -> str:
    """Write a number in C; infinities and NaN by the names of math.h."""
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "NAN"
    return repr(value) if math.isfinite(value) else ("-" if value < 0 else "") + "INFINITY"


def rust_number(value: float) -> str:
    """Write a number in Rust."""
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "f64::NAN"
    return repr(value) if math.isfinite(value) else f"f64::{'NEG_' if value < 0 else ''}INFINITY"


def _written(table: _Table, number: Callable[[float], str]) -> Iterable[str]:
    """Write the numbers of a table; single precision in the fewest digits that give it again."""
    if table.type not in ("float", "f32"):
        return map(number, table.values.tolist())
    ending = "f" if table.type == "float" else ""
    return (str(value) + ending for value in table.values)


def quoted(text: str) -> str:
    """Write a text between quotes, in UTF-8, in a form that C and Rust read alike."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    # Two question marks in a row may begin a trigraph of C: one of them by its number.
    plain = re.sub(r"\?(?=\?)", "\0", text)
    escapes["\0"] = "\\x3f"
    kept = (escapes.get(letter, letter) for letter in plain)
    return '"' + "".join(one for one in kept if one.isprintable()) + '"'


def _wrapped(entries: Iterable[str]) -> str:
    """Put entries in lines, commas between them."""
    lines, line = [], "   "
    for entry in entries:
        if len(line) + len(entry) + 2 > _WIDTH:
            lines.append(line)
            line = "   "
        line += f" {entry},"
    return "\n".join([*lines, line])
