"""Speed of support vector machines compared with scikit-learn and scikit-learn-intelex.

    pip install '.[bench]' && python benches/peers.py svm

Balanced four-class songs, the seven published features, standardized, RBF kernel, gamma "scale",
two threads. The libraries alternate within each round; the table shows the shortest time of each
over the rounds, divided by our shortest time, and the hinge loss of each. Libraries that are not
installed are left out. ThunderSVM is not included: its release on PyPI (0.3.12) needs CUDA 9.
"""

import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics import hinge_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from moodcore import SVM, LinearSVM, songs
from moodcore.preprocessing import downsample

THREADS, CACHE = 2, 1000
ROWS = 40_000


def song_rows(n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows with equal numbers of songs of each mood, in random order."""
    X, y = songs.synthesize(3 * n_rows + 4_000, random_state=0)
    kept = downsample(y, random_state=0).indices
    kept = np.random.default_rng(0).permutation(kept)[:n_rows]
    X = StandardScaler().fit_transform(X[list(songs.SELECTED_FEATURES)].iloc[kept])
    return X, np.asarray(y)[kept]


def models(**params: Any) -> dict[str, Callable[[], Any]]:
    """Return functions that make the models, ours first."""
    makers: dict[str, Callable[[], Any]] = {
        "moodcore": lambda: SVM(**params, n_jobs=THREADS),
        "scikit-learn": lambda: SVC(**params, cache_size=CACHE),
    }
    if find_spec("sklearnex"):
        import sklearnex.svm

        makers["intelex"] = lambda: sklearnex.svm.SVC(**params, cache_size=CACHE)
    return makers


def timed(task: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = task()
    return time.perf_counter() - begin, result


def compare(what: str, makers: dict[str, Callable[[], Any]], data: Any, rounds: int) -> None:
    """Print how long each takes to train and to predict."""
    X, y, new = data
    fits: dict[str, list[float]] = {name: [] for name in makers}
    predictions: dict[str, list[float]] = {name: [] for name in makers}
    notes = {}
    for _ in range(rounds):
        for name, make in makers.items():
            # A slow library is timed once.
            if fits[name] and fits[name][0] > 5:
                continue
            seconds, model = timed(lambda make=make: make().fit(X, y))
            fits[name].append(seconds)
            predictions[name].append(timed(lambda model=model: model.predict(new))[0])
            notes[name] = f"hinge loss {hinge_loss(y, model.decision_function(X)):.5f}"
    our_fit, our_predict = min(fits["moodcore"]), min(predictions["moodcore"])
    print(f"\n{what}: moodcore {our_fit:.3f} s, {notes['moodcore']}; predict {our_predict:.4f} s")
    for name in list(makers)[1:]:
        print(
            f"  {name:13s} fit {min(fits[name]) / our_fit:6.1f} times as long, "
            f"predict {min(predictions[name]) / our_predict:6.1f}, {notes[name]}"
        )


def run(rounds: int, quick: bool) -> None:
    """Print all tables."""
    warnings.simplefilter("ignore")
    X, y = song_rows(ROWS)
    for C in (1.0,) if quick else (1.0, 10.0, 100.0):
        compare(f"{len(X)} x 7, 4 classes, C={C:g}", models(C=C), (X, y, X[:5_000]), rounds)
    calibrated = {
        "moodcore": lambda: SVM(n_jobs=THREADS),
        "with Platt scaling": lambda: SVM(probability=True, n_jobs=THREADS, random_state=0),
    }
    compare("probability=True compared with the plain fit", calibrated, (X, y, X[:5_000]), rounds)
    if quick:
        return
    half = len(X) // 2
    compare(f"{half} x 7, 4 classes, C=1", models(), (X[:half], y[:half], X[:5_000]), rounds)
    two = np.flatnonzero(y < 2)
    compare(f"{len(two)} x 7, 2 classes, C=1", models(), (X[two], y[two], X[:5_000]), rounds)
    for name, load in (("digits", load_digits), ("breast cancer", load_breast_cancer)):
        X, y = load(return_X_y=True)
        X = StandardScaler().fit_transform(X)
        what = f"{name}, {len(X)} x {X.shape[1]}, {len(np.unique(y))} classes"
        compare(what, models(), (X, y, X), 10 * rounds)
    linear = {"moodcore": lambda: LinearSVM(n_jobs=THREADS), "scikit-learn": LinearSVC}
    X, y = song_rows(135_000)
    compare(f"linear, {len(X)} x 7, 4 classes", linear, (X, y, X[:5_000]), rounds)
    ours = {"moodcore": models()["moodcore"]}
    compare(f"{len(X)} x 7, 4 classes, C=1", ours, (X, y, X[:5_000]), 1)
    print("\ntrained on half of the rows, tested on the other half")
    approximations(X, y)


def approximations(X: np.ndarray, y: np.ndarray) -> None:
    """Print the accuracy of approximate kernels."""
    half = len(X) // 2
    for name, model in (
        ("SVM", SVM(n_jobs=THREADS)),
        ("Nystroem(300), LinearSVM", approximate(300)),
        ("Nystroem(1000), LinearSVM", approximate(1000)),
        ("LinearSVM", LinearSVM(n_jobs=THREADS)),
    ):
        seconds, fitted = timed(lambda model=model: model.fit(X[:half], y[:half]))
        print(f"  {name:27s} {seconds:6.2f} s, accuracy {fitted.score(X[half:], y[half:]):.4f}")


def approximate(components: int) -> Any:
    kernel = Nystroem(gamma=1 / 7, n_components=components, random_state=0)
    return make_pipeline(kernel, LinearSVM(n_jobs=THREADS))
