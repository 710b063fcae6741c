"""The families compared on songs: a folder with tables, models and pictures out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moodcore.comparison.comparison_folder import ComparisonFolder
from moodcore.comparison.entrants import song_entrants
from moodcore.comparison.result import Comparison
from moodcore.comparison.running import FolderStore, Listener, run_trainings
from moodcore.comparison.settings import ComparisonSettings
from moodcore.comparison.trainings import Contest, Training
from moodcore.files import write_bytes, write_table
from moodcore.runs.data import Songs, load, split_rows
from moodcore.runs.folder import check_unchanged, read_json, write_json
from moodcore.tuning.describe import class_counts, names_of

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "moodcore-comparison"
VERSION = 1


@dataclass
class SongComparison:
    """One run of `moodcore compare`.

    Parameters
    ----------
    settings : ComparisonSettings
        What to do.
    jobs : int
        Processes; changes nothing but the time.
    listener : Listener
        Whoever shows progress.
    command : str
        How the run was started, for the report.
    """

    settings: ComparisonSettings
    jobs: int
    listener: Listener
    command: str = ""

    def load(self) -> Songs:
        """Read or make the songs (see `moodcore.runs.data.load`)."""
        return load(self.settings.experiment())

    def contest(self, songs: Songs) -> Contest:
        """Return rows, entrants and plan.

        Raises
        ------
        ConfigError
            If a class has too few songs.
        """
        train, test = split_rows(songs.y, self.settings.seed)
        entrants = tuple(song_entrants(self.settings))
        contest = Contest(songs.X, songs.y, entrants, self.settings.plan(), train, test)
        contest.check()
        return contest

    def run(self, folder: ComparisonFolder, songs: Songs) -> dict[str, Any]:
        """Do the whole of it, or what is left of it, and return the content of its JSON file.

        Parameters
        ----------
        folder : ComparisonFolder
            New, or that of an interrupted run with the same settings and songs.
        songs : Songs
            From `load`.

        Raises
        ------
        ConfigError
            If the folder's run was begun with other settings or songs.
        KeyboardInterrupt
            When interrupted; finished trainings are kept in the folder.
        RunFailedError
            If no model could be trained.
        """
        contest = self.contest(songs)
        self.claim(folder, songs)
        begin = time.perf_counter()
        trained = run_trainings(
            contest, FolderStore(folder.trainings), n_jobs=self.jobs, listener=self.listener
        )
        comparison = Comparison(contest, trained, tuple(names_of(songs.y)))
        if len(comparison.unusable) == len(contest.entrants):
            from moodcore.tuning.experiment import RunFailedError

            raise RunFailedError(f"no model could be trained: {comparison.failures.iloc[0]['why']}")
        found = self._head(songs) | comparison.to_dict()
        self._write(folder, comparison, songs)
        seconds = round(time.perf_counter() - begin, 3)
        folder.write_timing(jobs=self.jobs, command=self.command, seconds={"trainings": seconds})
        write_json(folder.metrics, found)
        return found

    def claim(self, folder: ComparisonFolder, songs: Songs) -> None:
        """Write down what the run is made of, or hold it against what it was begun with.

        Raises
        ------
        ConfigError
            If the folder's run was begun with other settings or songs; says which.
        """
        # Where the file lies changes no result.
        settings = {n: v for n, v in self.settings.to_dict().items() if n != "data"}
        mark = {"data": songs.fingerprint(), "settings": settings}
        if folder.begun.exists():
            check_unchanged(read_json(folder.begun), mark)
        else:
            write_json(folder.begun, mark)

    def _head(self, songs: Songs) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "settings": self.settings.to_dict(),
            "data": {
                "source": songs.source,
                "synthetic": songs.synthetic,
                "notes": list(songs.notes),
                "sha256": songs.fingerprint(),
                "songs": len(songs.y),
                "counts": class_counts(songs.y),
            },
        }

    def _write(self, folder: ComparisonFolder, comparison: Comparison, songs: Songs) -> None:
        tables = {
            "summary": comparison.summary,
            "scores": comparison.scores,
            "test": comparison.test,
            "pairs": comparison.pairs,
            "learning_curves": comparison.learning_curves,
            "calibration": comparison.calibration,
            "precision_recall": comparison.precision_recall,
            "confusion": comparison.confusion_table,
            "predictions": self._with_uri(comparison.predictions, songs),
            "disagreements": self._with_uri(comparison.disagreements, songs),
            "chosen": comparison.chosen,
            "times": comparison.times,
        }
        for name, table in tables.items():
            write_table(folder.table(name), table)
        folder.models.mkdir(exist_ok=True)
        for one in comparison.contest.trained:
            model = comparison.outputs[Training(one.key, "test")].model
            if model is not None:
                write_bytes(folder.models / f"{one.key}.safetensors", model)

    @staticmethod
    def _with_uri(table: pd.DataFrame, songs: Songs) -> pd.DataFrame:
        if songs.ids is None:
            return table
        found = songs.ids.reindex(table["row"]).to_numpy()
        table = table.copy()
        table.insert(1, "uri", found)
        return table
