"""Run scikit-learn's own tests of the estimators that ours resemble on ours.

    python tests/peers/run.py [svm linear-svm gbt mlp] [-- PYTEST OPTIONS]

The tests are those of the installed scikit-learn; nothing is copied. `adapters.py` gives our
estimators scikit-learn's names and parameters, and `differences.toml` lists the tests that fail
on purpose, each with its reason; a listed test that passes is reported, so that the list stays
true. Tests that make none of our estimators are skipped. Exit code 1 if a test fails that is not
listed, or passes although it is.
"""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


class Plugin:
    """Replaces scikit-learn's estimator, and expects the listed differences."""

    def __init__(self, name: str) -> None:
        import adapters

        self.made = adapters.MADE
        _, module, self.classes = adapters.TARGETS[name]
        for attribute, cls in self.classes.items():
            setattr(importlib.import_module(module), attribute, cls)
        self.differences = tomllib.loads((HERE / "differences.toml").read_text("utf-8"))[name]

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if self._concerns(item)]
        for item in items:
            for pattern, reason in self.differences.items():
                if fnmatch.fnmatchcase(item.name, pattern):
                    item.add_marker(pytest.mark.xfail(reason=reason, strict="*" not in pattern))

    def _concerns(self, item: Any) -> bool:
        """Return whether the source of a test names our estimator, or a parameter is it."""
        parameters = getattr(item, "callspec", None)
        values = parameters.params.values() if parameters else ()
        source = inspect.getsource(item.function)
        return any(
            re.search(rf"\b{name}\b", source) or any(value is cls for value in values)
            for name, cls in self.classes.items()
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self) -> Any:
        """Skip tests that say nothing about our estimator."""
        self.made.clear()
        result = yield
        if not self.made:
            pytest.skip("makes none of our estimators")
        return result


def run(name: str, options: list[str]) -> int:
    """Run the tests of one estimator in this process."""
    sys.path.insert(0, str(HERE))
    plugin = Plugin(name)
    import adapters

    module = adapters.TARGETS[name][0]
    arguments = ["--pyargs", module, "-q", "-p", "no:cacheprovider", "-c", os.devnull, *options]
    return int(pytest.main(arguments, plugins=[plugin]))


def main(arguments: list[str]) -> int:
    """Run the tests of each estimator named, or of all, each in a process of its own."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    names, options = arguments[:cut], arguments[cut + 1 :]
    if os.environ.get("MOODCORE_PEER"):
        return run(names[0], options)
    worst = 0
    for name in names or ["svm", "linear-svm", "gbt", "mlp"]:
        print(f"== {name}", flush=True)
        code = subprocess.run(
            [sys.executable, __file__, name, "--", *options],
            env=os.environ | {"MOODCORE_PEER": name},
            check=False,
        ).returncode
        worst = max(worst, code)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
