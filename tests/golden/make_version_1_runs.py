"""Write the run folders of `version_1_runs/`: of each command a finished and an interrupted run.

They were made once, by version 0.1.0, and are never made again. Run as
`python tests/golden/make_version_1_runs.py FOLDER`.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

DEADLINE = 60
FINISHED = {
    "tune": "--model mlp --songs 200 --folds 2 --epochs 2 --trials 2",
    "compare": "--songs 200 --folds 2 --repeats 1 --models linear-svm --curve-sizes 0 "
    "--combine none",
    "features": "--songs 200 --folds 2 --repeats 1 --models linear-svm --thresholds 0.7 --sizes 3",
}
# Trainings of about a second, so that an interrupt meets one. A study keeps curves per epoch, which
# an SVM does not have.
INTERRUPTED = {
    "tune": "--model svm --songs 4000 --folds 2 --trials 12",
    "compare": "--songs 200 --folds 2 --repeats 1 --models mlp --epochs 20000 --curve-sizes 0 "
    "--combine none",
    "features": "--songs 200 --folds 2 --repeats 1 --models linear-svm,mlp --epochs 20000 "
    "--thresholds 0.7 --sizes 3",
}
# What a run can do without when it is resumed.
LEFT_OUT = ("report.html", "figures")


def command(name: str, arguments: str, folder: Path) -> list[str]:
    """Return the command line of a run."""
    options = [*arguments.split(), "--jobs", "1", "--out", folder.name]
    return [sys.executable, "-m", "moodcore.cli", name, *options]


def finish(name: str, folder: Path) -> None:
    """Make a finished run."""
    subprocess.run(command(name, FINISHED[name], folder), cwd=folder.parent, check=True)


def interrupt(name: str, folder: Path) -> None:
    """Make a run that was interrupted after the first results."""
    log = folder.with_suffix(".log")
    with log.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            command(name, INTERRUPTED[name], folder), cwd=folder.parent, stderr=stderr
        )
        begin = time.monotonic()
        while not begun(name, folder, log):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() - begin < DEADLINE, f"{name}: no result"
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        code = process.wait(DEADLINE)
    assert code == 130, f"{name}: exit code {code}\n{log.read_text(encoding='utf-8')}"
    log.unlink()


def begun(name: str, folder: Path, log: Path) -> bool:
    """Whether a run has kept its first results."""
    if name == "tune":
        return "[1/" in log.read_text(encoding="utf-8")
    if name == "compare":
        return len(list(folder.glob("trainings/*.npz"))) >= 2
    parts = folder / "parts.json"
    return parts.exists() and len(json.loads(parts.read_text(encoding="utf-8"))["parts"]) > 2


def main(where: Path) -> None:
    """Make all runs and leave out what is large."""
    where.mkdir(parents=True, exist_ok=True)
    for name in FINISHED:
        finish(name, where / f"{name}-finished")
        interrupt(name, where / f"{name}-interrupted")
    for folder in where.iterdir():
        for left_out in LEFT_OUT:
            path = folder / left_out
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
