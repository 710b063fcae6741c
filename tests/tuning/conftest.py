"""Small runs of the experiment."""

import re
import threading

import pytest

from moodcore.runs.folder import RunFolder
from moodcore.runs.listener import Listener
from moodcore.runs.run import Execution
from moodcore.tuning.run import TuneRun


class Numbers(Listener):
    """Keeps the numbers of finished candidates, and may stop the run."""

    def __init__(self, stop=None, after=None):
        self.stop, self.after, self.finished = stop, after, []
        self.done_before = None

    def started(self, total, done, unit):
        if unit == "folds" and self.done_before is None:
            self.done_before = done

    def result(self, text):
        self.finished.append(int(re.match(r"candidate (\d+)", text)[1]))
        if self.after == len(self.finished):
            self.stop.set()


def start(path, settings, *, jobs=1, after=None, minutes=None):
    """Begin a run in `path`, or resume the one there; returns metrics and listener."""
    stop = threading.Event()
    listener = Numbers(stop, after)
    run = TuneRun(settings, Execution(jobs=jobs, listener=listener, stop=stop, minutes=minutes))
    run.check()
    dataset = run.load()
    folder = RunFolder(path)
    if not folder.mark.exists():
        folder = run.begin(path, dataset)
    metrics = run.run(folder, dataset)
    if listener.done_before is not None:
        listener.done_before //= settings.folds
    return metrics, listener


@pytest.fixture(scope="session")
def run():
    return start
