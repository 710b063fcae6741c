"""Small runs of the experiment, and the results that must not depend on where they ran."""

import tomli_w

from moodcore.tuning import run_folder
from moodcore.tuning.experiment import Experiment
from moodcore.tuning.settings import Settings

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
    return Settings(**{"songs": 400, "folds": 2, "epochs": 4, "grid": GRID} | changes)


class Listener:
    """Silent; does something when a number of candidates are finished."""

    def __init__(self, after=None, action=None):
        self.after, self.action, self.numbers, self.done_before = after, action, [], None

    def stage(self, text):
        pass

    def search_started(self, candidates, done, folds):
        self.done_before = done

    def fold_finished(self):
        pass

    def candidate_finished(self, result, best, done, candidates):
        self.numbers.append(result.number)
        if done == self.after:
            self.action()

    def search_finished(self):
        pass


def run(path, settings, storage=None, listener=None, scheduler=None):
    """Run the experiment in this process."""
    experiment = Experiment(
        settings,
        jobs=1,
        listener=listener or Listener(),
        storage=storage,
        scheduler=scheduler,
    )
    path.mkdir(exist_ok=True)
    folder = run_folder.RunFolder(path)
    folder.write_settings(settings)
    return experiment.run(folder, experiment.check(), experiment.load())


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
