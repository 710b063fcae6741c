"""Private names are read only inside the package that has them."""

import ast
from pathlib import Path

import pytest

import moodcore

ROOT = Path(moodcore.__file__).parent

# Private names of other libraries, for which there is no public one.
FOREIGN = {
    "_exit": "os._exit ends a process where threads of libraries would hang",
    "_storage": "Optuna has no public access to the storage of a study",
    **dict.fromkeys(
        ("_score_func", "_sign", "_kwargs", "_response_method"),
        "scikit-learn's scorers have no public attributes",
    ),
    "_trial_id": "Optuna's storages take the number that only this attribute holds",
}


def package_of(path):
    """The subpackage at the top, or the module itself."""
    return path.relative_to(ROOT).parts[0]


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def defined(tree):
    """Private names that a module gives to functions, classes, attributes and variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and is_own(node.value):
            yield node.attr


def is_own(value):
    """Whether an expression is `self`, `cls` or `super()`."""
    if isinstance(value, ast.Call):
        value = value.func
    return isinstance(value, ast.Name) and value.id in ("self", "cls", "super")


def reads(tree):
    """Private attributes of other objects, and private names of other modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_own(node.value):
            yield node.attr, node.lineno
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("moodcore."):
            yield from ((name.name, node.lineno) for name in node.names if is_private(name.name))


def faults(sources):
    """Reads of private names that the reader's own package does not define."""
    trees = {path: ast.parse(text) for path, text in sources.items()}
    known = {}
    for path, tree in trees.items():
        known.setdefault(package_of(path), set()).update(filter(is_private, defined(tree)))
    found = []
    for path, tree in trees.items():
        for private, line in reads(tree):
            if private not in known[package_of(path)] | set(FOREIGN):
                found.append(f"{path.relative_to(ROOT)}:{line}: {private}")
    return found


def test_private_names_are_read_in_their_package():
    assert faults({path: path.read_text() for path in ROOT.rglob("*.py")}) == []


@pytest.mark.parametrize(
    "line",
    [
        "def f(model):\n    return model._secret",
        "def f(model):\n    model._secret = 1",
        "from moodcore.estimators.rows import _secret",
    ],
)
def test_a_read_from_another_package_is_found(line):
    assert faults({ROOT / "predict" / "new.py": line}) != []
    own = "class Model:\n    def _secret(self): pass\n"
    sources = {ROOT / "predict" / "new.py": line, ROOT / "predict" / "own.py": own}
    if "import" not in line:
        assert faults(sources) == []


def test_every_exception_is_needed():
    trees = (ast.parse(path.read_text()) for path in ROOT.rglob("*.py"))
    assert set(FOREIGN) <= {private for tree in trees for private, _ in reads(tree)}
