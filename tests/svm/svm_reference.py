"""The dual problems of a fitted SVM, computed plainly in double precision."""

import numpy as np
from sklearn.metrics.pairwise import pairwise_kernels


def gram(model, X):
    """The kernel matrix in double precision."""
    X = X.astype(np.float64)
    if model.kernel == "linear":
        return X @ X.T
    names = {"rbf": ["gamma"], "poly": ["gamma", "degree", "coef0"], "sigmoid": ["gamma", "coef0"]}
    values = {name: getattr(model, name) for name in names[model.kernel]} | {
        "gamma": model.core_model_.gamma
    }
    return pairwise_kernels(X, metric=model.kernel, **values)


def problems(model, X, y, weight=None):
    """For each pair: kernel matrix, signs, coefficients, bounds, decision values."""
    K = gram(model, X)
    weight = np.ones(len(y)) if weight is None else weight
    dual = -model.dual_coef_ if len(model.classes_) == 2 else model.dual_coef_
    intercept = -model.intercept_ if len(model.classes_) == 2 else model.intercept_
    full = np.zeros((len(dual), len(y)))
    full[:, model.support_] = dual
    pairs = zip(*np.triu_indices(len(model.classes_), k=1), strict=True)
    for at, (a, b) in enumerate(pairs):
        rows = np.flatnonzero((y == a) | (y == b))
        signs = np.where(y[rows] == a, 1.0, -1.0)
        beta = np.where(signs > 0, full[b - 1, rows], full[a, rows])
        yield K[np.ix_(rows, rows)], signs, beta, model.C * weight[rows], intercept[at]


def objective(K, y, beta):
    return 0.5 * beta @ K @ beta - y @ beta


def violation(K, y, beta, bound):
    """The largest gain rate of a feasible pair: the condition that `tol` limits."""
    gradient = K @ beta - y
    lower, upper = np.where(y > 0, 0, -bound), np.where(y > 0, bound, 0)
    up, low = beta < upper, beta > lower
    if not up.any() or not low.any():
        return 0.0
    return gradient[low].max() - gradient[up].min()
