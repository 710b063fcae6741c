"""One model of each kind that an exporter must know."""

import warnings

import numpy as np

from moodcore import GBT, MLP, SVM, LinearSVM, songs

CLASSIFIERS = {
    "network": lambda: MLP((16, 8), epochs=10, random_state=0),
    "network without layers": lambda: MLP((), epochs=5, random_state=0),
    "trees": lambda: GBT(20, random_state=0),
    "vector leaves": lambda: GBT(8, random_state=0, multi_strategy="multi_output_tree"),
    "stopped early": lambda: GBT(40, random_state=0, early_stopping_rounds=2),
    "linear machine": LinearSVM,
    "rbf": lambda: SVM(C=2),
    "calibrated": lambda: SVM(C=2, probability=True, random_state=0),
    "ties broken": lambda: SVM(C=2, probability=True, random_state=0, break_ties=True),
    "by pairs": lambda: SVM(kernel="linear", decision_function_shape="ovo"),
    "poly": lambda: SVM(kernel="poly", degree=2, gamma=0.1, coef0=1.0),
    "sigmoid": lambda: SVM(kernel="sigmoid", gamma=0.05, coef0=-0.1),
}


def song_model(kind, song_rows, n_classes=4):
    """A fitted song pipeline; its classes are numbers, or text where there are two."""
    X, y, _ = song_rows
    if n_classes == 2:
        y = np.array(["calm", "lively"])[(y > 0).astype(int)]
    features = "all" if n_classes == 2 else "published"
    classifier = CLASSIFIERS[kind]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return songs.pipeline(classifier, features=features, balance=True, random_state=0).fit(X, y)


def scores_of(model, X):
    """Probabilities, or what the model has in their place, one row a row."""
    has = hasattr(model, "predict_proba")
    found = model.predict_proba(X) if has else model.decision_function(X)
    return found.reshape(len(found), -1)
