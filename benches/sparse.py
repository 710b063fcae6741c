"""Time and memory of `SVM` and `SVC` on one-hot encoded columns.

Run as `python benches/sparse.py MODEL ROWS [--kernel linear]` with MODEL `moodcore` or
`scikit-learn`: one process per measurement, because the peak of the memory is that of the process.
Times are processor times of one thread.
"""

import argparse
import resource
import time

import numpy as np
import scipy.sparse
from sklearn.svm import SVC

from moodcore import SVM

N_COLUMNS, N_CATEGORIES = 20, 100
PREDICTED = 5_000


def one_hot(n_rows):
    """Return sparse rows of columns with categories of unequal frequency, and two noisy classes."""
    rng = np.random.default_rng(0)
    share = rng.beta(0.7, 2.0, size=(n_rows, N_COLUMNS))
    codes = (share * N_CATEGORIES).astype(int)
    effects = rng.normal(size=(N_COLUMNS, N_CATEGORIES))
    score = effects[np.arange(N_COLUMNS), codes].sum(axis=1)
    y = (score + 2 * rng.normal(size=n_rows) > 0).astype(int)
    # SVC takes 32-bit indices alone.
    columns = (codes + N_CATEGORIES * np.arange(N_COLUMNS)).ravel().astype(np.int32)
    starts = (np.arange(n_rows + 1) * N_COLUMNS).astype(np.int32)
    shape = (n_rows, N_COLUMNS * N_CATEGORIES)
    return scipy.sparse.csr_array((np.ones(columns.size), columns, starts), shape=shape), y


def megabytes():
    """Return the peak of the resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=["moodcore", "scikit-learn"])
    parser.add_argument("rows", type=int)
    parser.add_argument("--kernel", default="rbf")
    parser.add_argument("--dense", action="store_true", help="pass arrays")
    options = parser.parse_args()
    X, y = one_hot(options.rows)
    if options.dense:
        X = X.toarray().astype(np.float32)
    if options.model == "moodcore":
        model = SVM(kernel=options.kernel, n_jobs=1)
    else:
        model = SVC(kernel=options.kernel)
    before, begin = megabytes(), time.process_time()
    model.fit(X, y)
    middle = time.process_time()
    model.predict(X[:PREDICTED])
    print(
        f"{options.model}, {options.kernel}, {options.rows} rows: fit {middle - begin:.2f} s, "
        f"predict {PREDICTED} rows {time.process_time() - middle:.2f} s, "
        f"{megabytes() - before:.0f} MB, {len(model.support_)} support vectors"
    )


if __name__ == "__main__":
    main()
