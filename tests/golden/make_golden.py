"""Write the golden data: what the command line gives today.

Run as `python tests/golden/make_golden.py [CASE ...]`; without names all cases are run. It starts
`python -m moodcore.cli` and uses nothing else of the package.
"""

import json
import sys
import tempfile
from pathlib import Path

from golden_cases import CASES, prepare, run_case
from golden_comparison import environment
from golden_runners import run_in_subprocess

DATA = Path(__file__).parent / "data"


def write(path: Path, values: object) -> None:
    """Write JSON with one line per value, so that differences can be read."""
    path.write_text(json.dumps(values, indent=0) + "\n", encoding="utf-8")


def main(names: list[str]) -> None:
    """Run the cases and write one file per case."""
    DATA.mkdir(exist_ok=True)
    unknown = set(names) - {case.name for case in CASES}
    if unknown:
        raise SystemExit(f"no such case: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        prepare(workspace, run_in_subprocess)
        for case in CASES:
            if not names or case.name in names:
                values = run_case(case, workspace, run_in_subprocess)
                write(DATA / f"{case.name}.json", values)
                print(f"{case.name}: {sum(map(len, values.values()))} values")
    write(DATA / "environment.json", environment())


if __name__ == "__main__":
    main(sys.argv[1:])
