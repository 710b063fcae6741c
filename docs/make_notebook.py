"""Write examples/optimizers.ipynb from the cells of examples/optimizers.py.

Usage: python docs/make_notebook.py

Cells begin with `# %%`, those of text with `# %% [markdown]`; what is before the first is left out.
The notebook has no outputs, so that its file changes only with the script.
"""

import json
import re
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[1] / "examples" / "optimizers.py"


def notebook_of(script: str) -> dict[str, Any]:
    """Return the notebook of a script, as its JSON file contains it."""
    cells = []
    for number, part in enumerate(re.split(r"^# %%", script, flags=re.MULTILINE)[1:]):
        head, _, source = part.partition("\n")
        is_text = "[markdown]" in head
        if is_text:
            source = re.sub(r"^# ?", "", source, flags=re.MULTILINE)
        cell: dict[str, Any] = {
            "cell_type": "markdown" if is_text else "code",
            "id": f"cell-{number}",
            "metadata": {},
            "source": source.strip().splitlines(keepends=True),
        }
        cells.append(cell if is_text else cell | {"execution_count": None, "outputs": []})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def text_of(script: str) -> str:
    """Return the file of the notebook of a script."""
    return json.dumps(notebook_of(script), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    notebook = text_of(SCRIPT.read_text(encoding="utf-8"))
    SCRIPT.with_suffix(".ipynb").write_text(notebook, encoding="utf-8")
