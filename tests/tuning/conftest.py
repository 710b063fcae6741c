"""Small runs of the experiment."""

import threading

import pytest

from moodcore.tuning import run_folder
from moodcore.tuning.experiment import Experiment


class Silent:
    """A listener that counts candidates and may stop the run."""

    def __init__(self, stop=None, after=None):
        self.stop, self.after, self.finished = stop, after, []
        self.done_before = None

    def stage(self, text):
        pass

    def search_started(self, candidates, done, folds):
        self.done_before = done

    def fold_finished(self):
        pass

    def candidate_finished(self, result, best, done, candidates):
        self.finished.append(result.number)
        if self.after == len(self.finished):
            self.stop.set()

    def search_finished(self):
        pass


def start(path, settings, *, jobs=1, after=None, minutes=None):
    """Run the experiment into `path`; returns metrics and listener."""
    stop = threading.Event()
    listener = Silent(stop, after)
    experiment = Experiment(settings, jobs=jobs, listener=listener, stop=stop, minutes=minutes)
    folder = run_folder.RunFolder(path)
    path.mkdir(exist_ok=True)
    folder.write_settings(settings)
    return experiment.run(folder, experiment.check(), experiment.load()), listener


@pytest.fixture(scope="session")
def run():
    return start
