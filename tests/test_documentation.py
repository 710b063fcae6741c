"""Pages say what is so: links lead somewhere, examples run, options exist."""

import json
import os
import re
import runpy
import subprocess
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from moodcore.cli.app import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted(set((ROOT / "docs").rglob("*.md")) - set((ROOT / "docs" / "_build").rglob("*")))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
GUIDES = [page for page in PAGES if {"tutorials", "how-to"} & set(page.parts)]
REFERENCE = ROOT / "docs" / "reference"
COMMANDS = [
    "",
    "tune",
    "features",
    "train",
    "evaluate",
    "predict",
    "data",
    "compare",
    "export",
    "playlists",
    "explain",
    "data synthesize",
    "data check",
]
DEADLINE = 120

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(<?([^)\s>]+)>?[^)]*\)")


def named(page):
    return str(page.relative_to(ROOT))


def prose(page):
    """The text of a page without its code."""
    return re.sub(r"`[^`\n]+`", "", FENCE.sub("", page.read_text(encoding="utf-8")))


def slugs(page):
    """The anchors of a page's headings, as they are made for links, and those set by hand."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}
    return made | set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))


def broken_links(page):
    """The relative links of a page that lead nowhere."""
    broken = []
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in slugs(target)):
            broken.append(link)
    return broken


def options_of(command, *, all_names=False):
    """The options that a command's help lists by their first long name, or by all names."""
    done = CliRunner().invoke(cli, [*command.split(), "--help"])
    assert done.exit_code == 0, done.output
    listed = re.findall(r"^ +(?:-\w, )?(--[a-z][a-z-]*.*?)(?:  |$)", done.output, re.MULTILINE)
    found = [OPTION.findall(names) for names in listed]
    return {name for names in found for name in (names if all_names else names[:1])}


def shell_commands(page):
    """The `moodcore` commands of a page, from its fences and its text."""
    text = page.read_text(encoding="utf-8")
    fenced = re.findall(r"^moodcore .+$", "\n".join(FENCE.findall(text)), re.MULTILINE)
    return [line.partition(" #")[0] for line in [*fenced, *re.findall(r"`(moodcore [^`]+)`", text)]]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    assert broken_links(page) == []


def test_a_broken_link_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A title\n[a](page.md) [b](#a-title) [c](lost.md) [d](#lost) [e](https://x.org/lost)\n"
        "```\n[f](lost.py)\n```\n"
    )
    assert broken_links(page) == ["lost.md", "#lost"]


def test_there_are_examples():
    assert {file.name for file in EXAMPLES} >= {"songs.py", "any_table.py", "optimizers.py"}


# Large frameworks that are no part of the test extra; their examples are run by hand.
NEEDS = {"spark_udf.py": "pyspark", "ray_data.py": "ray"}


@pytest.mark.parametrize("example", EXAMPLES, ids=named)
def test_examples_run_without_a_warning(example, tmp_path):
    if (needed := NEEDS.get(example.name)) and find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed")
    done = run(example, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    left = [path.name for path in tmp_path.iterdir() if path.name != "temporary"]
    assert left == [], "an example writes only where it is told, or to a temporary folder"


def test_the_example_of_the_optimizers_writes_the_figures_of_its_page(tmp_path):
    done = run(ROOT / "examples" / "optimizers.py", tmp_path, "figures")
    assert done.returncode == 0, done.stderr
    page = (ROOT / "docs" / "tutorials" / "optimizers.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"_static/optimizers/(\w+)\.svg", page))
    assert {path.stem for path in (tmp_path / "figures").glob("*.svg")} == shown


def test_the_notebook_has_the_cells_of_its_script():
    path = ROOT / "docs" / "make_notebook.py"
    made = runpy.run_path(str(path))["text_of"]((ROOT / "examples/optimizers.py").read_text())
    kept = (ROOT / "examples" / "optimizers.ipynb").read_text(encoding="utf-8")
    assert kept == made, "run python docs/make_notebook.py"


def test_the_notebook_runs_and_shows_the_figures(tmp_path, monkeypatch):
    cells = json.loads((ROOT / "examples/optimizers.ipynb").read_text(encoding="utf-8"))["cells"]
    shown = []
    module = SimpleNamespace(SVG=str, display=shown.append)
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(tempfile, "mkdtemp", lambda: str(tmp_path))
    # A kernel has arguments of its own.
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    names = {"__name__": "__main__"}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert len(shown) == 4
    assert all(figure.startswith("<svg") for figure in shown)
    assert len(list(tmp_path.glob("*.svg"))) == 4


def test_the_notebook_runs_in_a_kernel(tmp_path):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(ROOT / "examples" / "optimizers.ipynb", as_version=4)
    nbformat.validate(notebook)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=None, resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/svg+xml" in output.get("data", {}) for output in outputs) == 4


def run(script, folder, *arguments):
    """Run a script in a folder, its temporary files in a folder in there."""
    temporary = folder / "temporary"
    temporary.mkdir()
    return subprocess.run(
        [sys.executable, "-W", "error", str(script), *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"TMPDIR": str(temporary), "MPLBACKEND": "Agg"},
        timeout=DEADLINE,
        check=False,
    )


@pytest.mark.parametrize("page", GUIDES, ids=named)
def test_every_option_in_a_guide_exists(page):
    known = set().union(*(options_of(command, all_names=True) for command in COMMANDS))
    text = re.sub(r"^dask .+$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(OPTION.findall(text)) - known == set()


def test_every_command_has_a_page_in_the_reference():
    folder = REFERENCE / "commands"
    shown = set()
    for page in folder.glob("*.rst"):
        name = page.stem
        assert (
            f".. click:: moodcore.cli.{name}:command\n   :prog: moodcore {name}\n"
            in page.read_text()
        )
        shown.add(name)
    listed = re.search(
        r"```\{toctree\}\n:maxdepth: 1\n\n(.*?)```", (folder / "index.md").read_text(), re.DOTALL
    )
    assert set(listed[1].split()) == shown == set(cli.list_commands(None))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_are_shown_with_options_that_they_have(page):
    for line in shell_commands(page):
        words = line.split()[1:]
        command = " ".join(words[: 2 if words[0] == "data" else 1])
        known = options_of("" if command.startswith("-") else command, all_names=True)
        assert set(OPTION.findall(line)) - known - {"--help"} == set(), line


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".songs",
        ".preprocessing",
        ".plots",
        ".model_files",
        ".platform",
        ".exchange",
        ".predict",
    ],
)
def test_the_api_page_names_everything_public(name):
    text = "".join(page.read_text(encoding="utf-8") for page in (REFERENCE / "api").glob("*.md"))
    listed = set(re.findall(r"^   (?:\w+\.)*(\w+)$|`(?:\w+\.)*(\w+)`", text, re.MULTILINE))
    present = {name for pair in listed for name in pair}
    assert set(import_module(f"moodcore{name}").__all__) - present == set()


def test_every_page_is_in_a_table_of_contents():
    docs = ROOT / "docs"
    listed = set()
    for page in PAGES:
        for block in re.findall(
            r"```\{toctree\}\n(?::[^\n]*\n)*\n(.*?)```", page.read_text(), re.DOTALL
        ):
            listed |= {page.parent / f"{name}.md" for name in block.split()}
    assert {page for page in PAGES if page.is_relative_to(docs)} - listed == {docs / "index.md"}


def test_no_page_is_long():
    longest = {
        named(page): len(page.read_text().splitlines()) for page in PAGES if "docs" in page.parts
    }
    assert {name: lines for name, lines in longest.items() if lines > 300} == {}


def test_a_broken_link_in_a_built_page_is_seen(tmp_path):
    (tmp_path / "index.html").write_text(
        '<a id="here" href="#here">1</a><a href="#lost">2</a><a href="lost.html">3</a>'
        '<a href="https://x.org/lost">4</a><img src="lost.png"><a href="index.html#here">5</a>'
    )
    checker = [sys.executable, str(ROOT / "docs" / "check_links.py"), str(tmp_path)]
    done = subprocess.run(checker, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lost = ["#lost", "lost.html", "lost.png"]
    assert done.stdout.splitlines() == [*(f"index.html: {link}" for link in lost), "3 broken links"]
