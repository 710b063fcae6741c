"""What `import moodcore` gives, readable signatures, and metadata that agree."""

import inspect
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import moodcore

ROOT = Path(__file__).parents[1]
SUBMODULES = (
    "datasets",
    "exchange",
    "metrics",
    "model_files",
    "platform",
    "plots",
    "predict",
    "preprocessing",
    "songs",
    "tables",
)
# An annotation longer than this is a wall of text in `help` and in editors.
LONGEST_PARAMETER, LONGEST_RESULT = 100, 60


def public_callables():
    """Yield the name and object of each public function, class and method."""
    for module_name in ("", *SUBMODULES):
        module = import_module(f"moodcore.{module_name}".rstrip("."))
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if not callable(value) or not getattr(value, "__module__", "").startswith("moodcore"):
                continue
            yield f"{module.__name__}.{name}", value
            if not inspect.isclass(value):
                continue
            for method_name, method in inspect.getmembers(value, callable):
                # scikit-learn writes the signatures of the methods of metadata routing.
                if method_name.startswith("_") or re.fullmatch(r"set_\w+_request", method_name):
                    continue
                yield f"{module.__name__}.{name}.{method_name}", method


@pytest.mark.parametrize(
    ("name", "value"), [pytest.param(*pair, id=pair[0]) for pair in public_callables()]
)
def test_signatures_are_short(name, value):
    try:
        signature = inspect.signature(value)
    except ValueError:
        pytest.skip("an object of another library without a signature")
    for parameter in signature.parameters.values():
        assert len(str(parameter)) <= LONGEST_PARAMETER, str(parameter)
    assert len(str(signature.return_annotation)) <= LONGEST_RESULT
    assert len(str(signature)) <= (LONGEST_PARAMETER // 2) * (len(signature.parameters) + 2)


@pytest.mark.parametrize("name", SUBMODULES)
def test_submodules_are_imported_when_they_are_used(name):
    assert name in moodcore.__all__
    assert getattr(moodcore, name) is import_module(f"moodcore.{name}")
    code = f"import sys, moodcore; assert 'numpy' not in sys.modules; print(moodcore.{name})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"moodcore.{name}" in done.stdout, done.stderr


def test_python_m_moodcore_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "moodcore", "--version"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert moodcore.__version__ in done.stdout


def test_types_are_shipped():
    assert (Path(find_spec("moodcore").origin).parent / "py.typed").exists()


def test_the_version_is_the_same_everywhere():
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert moodcore.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.search(rf"^## \[{re.escape(version)}\]", (ROOT / "CHANGELOG.md").read_text(), re.M)


def test_every_requirement_has_a_minimum():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = [*project["dependencies"]]
    required += [line for extra in project["optional-dependencies"].values() for line in extra]
    assert [line for line in required if ">=" not in line] == []
