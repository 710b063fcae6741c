"""A study of features on a real Dask scheduler and workers."""

import threading

from moodcore.features.run import FeatureRun
from moodcore.features.settings import FeatureSettings
from moodcore.runs.folder import RunFolder
from moodcore.runs.listener import Listener
from moodcore.runs.run import Execution

SMALL = FeatureSettings(
    rows=400, folds=2, repeats=1, epochs=4, models=("mlp", "gbt"), sizes=(5,), thresholds=(0.7,)
)


class KillOne(Listener):
    """Kills a worker after the first training."""

    def __init__(self, worker):
        self.worker = worker

    def result(self, text):
        if "accuracy" in text and self.worker is not None:
            self.worker.kill()
            self.worker = None


def run(path, listener=None, scheduler=None):
    execution = Execution(
        listener=listener or Listener(), scheduler=scheduler, stop=threading.Event()
    )
    study = FeatureRun(SMALL, execution)
    dataset = study.load()
    folder = study.begin(path, dataset)
    study.run(RunFolder(path), dataset)
    return folder


def test_results_are_those_of_a_local_run_though_a_worker_dies(cluster, tmp_path):
    alone = run(tmp_path / "alone")
    remote = run(tmp_path / "dask", KillOne(cluster.workers[0]), cluster.address)
    for name in ("metrics.json", "choices.csv", "trainings.csv", "model.safetensors"):
        assert (remote.path / name).read_bytes() == (alone.path / name).read_bytes(), name
