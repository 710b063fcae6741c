"""What `tune --model svm` would save if machines of one fold started from their neighbours in C.

    python benches/svm_grid.py [songs] [folds] [rounds]

Processor time of the default grid, one thread: each candidate from nothing, as `tune` trains it,
beside `svm_path` over the values of C; the least of the rounds of each, side by side.
"""

import sys
import time

from moodcore import SVM
from moodcore.svm_path import svm_path
from moodcore.tuning.data import load, split
from moodcore.tuning.families import family
from moodcore.tuning.folds import make_folds
from moodcore.tuning.settings import Settings


def seconds(train):
    """Processor time of one training, and what it gives."""
    begin = time.process_time()
    found = train()
    return time.process_time() - begin, found


def main(n_songs=10_000, n_folds=2, rounds=2):
    settings = Settings(model="svm", songs=n_songs)
    parts = split(load(settings), settings.seed)
    grid = family("svm").grid
    alone = along = 0.0
    differ = judged = 0
    for fold in make_folds(parts.X_train, parts.y_train, settings)[:n_folds]:
        rows = fold.X_train, fold.y_train
        for gamma in grid["gamma"]:
            times = []
            for _ in range(rounds):
                one, cold = seconds(
                    lambda: [SVM(C, gamma=gamma, n_jobs=1).fit(*rows) for C in grid["C"]]
                )
                two, warm = seconds(lambda: svm_path(*rows, Cs=grid["C"], gammas=[gamma], n_jobs=1))
                times.append((one, two))
            alone += min(one for one, _ in times)
            along += min(two for _, two in times)
            for a, b in zip(cold, warm, strict=True):
                differ += int((a.predict(fold.X_valid) != b.predict(fold.X_valid)).sum())
                judged += len(fold.y_valid)
    print(f"{n_songs:,} songs: alone {alone:.2f} s, along the path {along:.2f} s, "
          f"ratio {alone / along:.2f}; {differ} of {judged:,} predictions differ")  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
