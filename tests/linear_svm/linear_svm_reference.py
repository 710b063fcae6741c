"""Objectives of linear support vector machines in plain NumPy, and how far from them the best is.

Rows X are (n, d); w is (d,), b a number whose weight is b / scaling; cost is C times the weight of
each row, t its label of -1 or 1.
"""

import numpy as np
from scipy.optimize import lsq_linear, minimize


def costs(model, y, weight=None):
    """C of each row, one array a problem: as LIBLINEAR, the rest keeps its C."""
    classes = model.classes_
    weight = np.ones(len(y)) if weight is None else weight
    factors = model.class_weight or {}
    each = np.array([factors.get(label, 1.0) for label in classes])[np.searchsorted(classes, y)]
    if len(classes) == 2 or model.multi_class == "crammer_singer":
        return [model.C * weight * each]
    return [model.C * weight * np.where(y == label, each, 1.0) for label in classes]


def labels(model, y):
    """-1 and 1, one array a problem."""
    positive = model.classes_[1:] if len(model.classes_) == 2 else model.classes_
    return [np.where(y == label, 1.0, -1.0) for label in positive]


def objectives(model, X, y, weight=None):
    """Penalty and loss of each problem."""
    if model.multi_class == "crammer_singer":
        return [joint_objective(model, X, y, costs(model, y, weight)[0])]
    found = []
    for w, b, t, cost in zip(
        model.coef_, intercepts(model), labels(model, y), costs(model, y, weight), strict=True
    ):
        lacks = np.maximum(0, 1 - t * (X @ w + b))
        own = b / model.intercept_scaling
        penalty = np.abs(w).sum() + abs(own) if model.penalty == "l1" else (w @ w + own * own) / 2
        found.append(penalty + cost @ (lacks if model.loss == "hinge" else lacks**2))
    return found


def intercepts(model):
    return np.broadcast_to(model.intercept_, len(model.coef_))


def joint_objective(model, X, y, cost):
    """All classes at once; of two, the difference of their weights is what is given."""
    coef, b = model.coef_, intercepts(model)
    if len(model.classes_) == 2:
        coef, b = np.vstack([-coef, coef]) / 2, np.r_[-b, b] / 2
    scores = X @ coef.T + b
    own = np.searchsorted(model.classes_, y)
    rows = np.arange(len(y))
    lacks = scores + 1 - scores[rows, own][:, None]
    lacks[rows, own] = 0
    penalty = (coef**2).sum() + ((b / model.intercept_scaling) ** 2).sum()
    return penalty / 2 + cost @ lacks.max(axis=1)


def gaps(model, X, y, weight=None):
    """How far each objective is from the optimum at most: its value less a dual one."""
    constant = np.full((len(X), 1), model.intercept_scaling if model.fit_intercept else 0.0)
    Z = np.hstack([X, constant])
    values = objectives(model, X, y, weight)
    found = []
    for w, b, t, cost, value in zip(
        model.coef_,
        intercepts(model),
        labels(model, y),
        costs(model, y, weight),
        values,
        strict=True,
    ):
        margins = t * (X @ w + b)
        if model.loss == "hinge":
            dual = hinge_dual(t[:, None] * Z, margins, cost, np.r_[w, b / model.intercept_scaling])
        else:
            dual = squared_hinge_dual(t[:, None] * Z, margins, cost, model.penalty)
        found.append(value - dual)
    return found


def squared_hinge_dual(signed, margins, cost, penalty):
    """The dual value of a = 2 cost lacks, scaled down until it is feasible."""
    a = 2 * cost * np.maximum(0, 1 - margins)
    pull = signed.T @ a
    if penalty == "l2":
        return a.sum() - pull @ pull / 2 - (a**2 / (4 * cost)).sum()
    a = a * min(1.0, 1 / max(np.abs(pull).max(), 1e-300))
    return a.sum() - (a**2 / (4 * cost)).sum()


def hinge_dual(signed, margins, cost, w):
    """The best dual value with the multipliers that the margins leave free."""
    a = np.where(margins < 1, cost, 0.0)
    free = np.abs(margins - 1) < 1e-3
    if free.any():
        Z, fixed = signed[free], signed[~free].T @ a[~free]
        start = lsq_linear(Z.T, w - fixed, bounds=(0, cost[free]), method="bvls").x

        def negative(part):
            pull = fixed + Z.T @ part
            return pull @ pull / 2 - part.sum(), Z @ pull - 1

        bounds = [(0, most) for most in cost[free]]
        tight = {"ftol": 1e-15, "gtol": 1e-12, "maxiter": 10_000}
        a[free] = minimize(negative, start, jac=True, bounds=bounds, options=tight).x
    pull = signed.T @ a
    return a.sum() - pull @ pull / 2
