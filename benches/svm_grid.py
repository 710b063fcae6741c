"""What `tune --model svm` would save if machines of one fold started from their neighbours in C.

    python benches/svm_grid.py [songs] [folds] [rounds]

Processor time of the default grid, one thread: each candidate from nothing, as `tune` trains it,
beside `svm_path` over the values of C; the least of the rounds of each, side by side.
"""

import sys
import time

from moodcore import SVM
from moodcore.estimators.svm.path import svm_path
from moodcore.runs.data import load, split
from moodcore.runs.families import family
from moodcore.tuning.folds import make_folds
from moodcore.tuning.settings import Settings


def seconds(train, *arguments):
    """Processor time of one training, and what it gives."""
    begin = time.process_time()
    found = train(*arguments)
    return time.process_time() - begin, found


def alone(X, y, Cs, gamma):
    return [SVM(C, gamma=gamma, n_jobs=1).fit(X, y) for C in Cs]


def along(X, y, Cs, gamma):
    return svm_path(X, y, Cs=Cs, gammas=[gamma], n_jobs=1)


def main(n_songs=10_000, n_folds=2, rounds=2):
    settings = Settings(model="svm", songs=n_songs)
    parts = split(load(settings), settings.seed)
    grid = family("svm").grid
    total_alone = total_along = 0.0
    differ = judged = 0
    for fold in make_folds(parts.X_train, parts.y_train, settings)[:n_folds]:
        for gamma in grid["gamma"]:
            given = fold.X_train, fold.y_train, grid["C"], gamma
            times = []
            for _ in range(rounds):
                one, cold = seconds(alone, *given)
                two, warm = seconds(along, *given)
                times.append((one, two))
            total_alone += min(one for one, _ in times)
            total_along += min(two for _, two in times)
            for a, b in zip(cold, warm, strict=True):
                differ += int((a.predict(fold.X_valid) != b.predict(fold.X_valid)).sum())
                judged += len(fold.y_valid)
    ratio = total_alone / total_along
    print(
        f"{n_songs:,} songs: alone {total_alone:.2f} s, along the path {total_along:.2f} s, "
        f"ratio {ratio:.2f}; {differ} of {judged:,} predictions differ"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
