"""Small runs of the experiment, and the results that must not depend on where they ran."""

import re

import tomli_w

from moodcore.runs import listener
from moodcore.runs.folder import RunFolder
from moodcore.runs.run import Execution
from moodcore.tuning.run import TuneRun
from moodcore.tuning.settings import TuneSettings

RESULTS = ("metrics.json", "trials.csv", "curves.parquet", "optimizers.parquet", "config.toml")
# In the order in which the command, too, would put it.
GRID = {
    "hidden_sizes": [[4], [4, 4]],
    "learning_rate": [0.01, 0.02, 0.05],
    "momentum": 0.9,
    "batch_size": 32,
}


def small(**changes):
    """Settings of a run of a second."""
    return TuneSettings(**{"rows": 400, "folds": 2, "epochs": 4, "grid": GRID} | changes)


class Listener(listener.Listener):
    """Silent; does something when a number of candidates are finished."""

    def __init__(self, after=None, action=None):
        self.after, self.action, self.numbers, self.done_before = after, action, [], None

    def started(self, total, done, unit):
        if unit == "folds" and self.done_before is None:
            self.done_before = done // 2

    def result(self, text):
        number, done = re.match(r"candidate (\d+) \((\d+) of", text).groups()
        self.numbers.append(int(number))
        if int(done) == self.after:
            self.action()


def run(path, settings, storage=None, listener=None, scheduler=None):
    """Run the search in this process, or resume the one in `path`."""
    execution = Execution(listener=listener or Listener(), storage=storage, scheduler=scheduler)
    search = TuneRun(settings, execution)
    search.check()
    dataset = search.load()
    folder = RunFolder(path)
    if not folder.mark.exists():
        folder = search.begin(path, dataset)
    return search.run(folder, dataset)


def assert_same_results(one, other):
    """Compare the result files byte by byte, those that this kind of run leaves."""
    left, right = (
        {name: (path / name).read_bytes() for name in RESULTS if (path / name).exists()}
        for path in (one, other)
    )
    assert left.keys() == right.keys()
    assert "metrics.json" in left
    assert [name for name in left if left[name] != right[name]] == []


def write_grid(path, **changes):
    path.write_text(tomli_w.dumps(GRID | changes))
    return path
