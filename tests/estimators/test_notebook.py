"""Progress in notebooks: one output that is updated, in a fake kernel and in a real one."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import moodcore
from moodcore import GBT, MLP
from moodcore.runs.listener import Listener

X = np.random.default_rng(0).normal(size=(200, 3))
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture
def shown(monkeypatch):
    """Make this process look like a kernel; returns what is displayed, and whether it updates."""
    outputs = []

    def display(data, *, raw, display_id, update):
        assert raw
        outputs.append((display_id, update, data["text/plain"], data["text/html"]))

    shell = SimpleNamespace(kernel=object())
    fake = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    return outputs


@pytest.mark.parametrize(
    "model", [GBT(2000, verbose=1), MLP(epochs=300, verbose=1, early_stopping=False)]
)
def test_estimators_update_one_output(model, shown, capsys):
    model.fit(X, Y)
    assert capsys.readouterr().out == ""
    assert len({name for name, *_ in shown}) == 1
    assert [update for _, update, *_ in shown] == [False] + [True] * (len(shown) - 1)
    total = 2000 if isinstance(model, GBT) else 300
    assert len(shown) < total / 2
    *_, plain, page = shown[-1]
    assert plain.startswith(f"{total}/{total} iteration {total - 1}: training logloss=0.")
    assert f'<progress value="{total}" max="{total}">' in page


def test_runs_show_stages_and_the_last_result(shown):
    moodcore.tune(X, Y, model="gbt", folds=2, epochs=3, grid={"max_leaves": [2, 4]}, n_jobs=1)
    assert len({name for name, *_ in shown}) == 1
    lines = shown[-1][2].splitlines()
    # The default model is a candidate beside the two of the grid.
    assert lines[-1].startswith("6/6 ") and len(lines) > 2
    before = len(shown)
    moodcore.tune(X, Y, model="gbt", folds=2, epochs=3, grid={"max_leaves": [2]},
                  listener=Listener())  # fmt: skip
    assert len(shown) == before


def test_outside_of_notebooks_runs_are_silent(capsys):
    moodcore.tune(X, Y, model="gbt", folds=2, epochs=3, grid={"max_leaves": [2]}, n_jobs=1)
    assert capsys.readouterr() == ("", "")


def test_text_is_escaped(shown):
    from moodcore.estimators.notebook import NotebookBar

    NotebookBar().show(1, None, "<b> & more", above="a < b")
    assert shown[0][3] == "<div>a &lt; b<br><code>&lt;b&gt; &amp; more</code></div>"


def test_a_real_kernel():
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    from nbformat.v4 import new_code_cell, new_notebook

    code = """
    import numpy as np
    from moodcore import GBT
    X = np.random.default_rng(0).normal(size=(200, 3))
    _ = GBT(500, verbose=1).fit(X, X[:, 0] > 0)
    """
    notebook = new_notebook(cells=[new_code_cell(code.replace("\n    ", "\n"))])
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    assert output.data["text/plain"].startswith("500/500 iteration 499: training logloss=")
