"""Support vector machines over a grid, each trained from its neighbour."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from numpy.typing import ArrayLike

from moodcore.estimators.svm.estimator import SVM

__all__ = ["svm_path"]


def svm_path(
    X: ArrayLike,
    y: ArrayLike,
    *,
    Cs: Sequence[float],
    gammas: Sequence[Literal["scale", "auto"] | float] = ("scale",),
    sample_weight: ArrayLike | None = None,
    on_poll: Callable[[], object] | None = None,
    **params: Any,
) -> list[SVM]:
    """Train machines over a grid of ``C`` and ``gamma``, each from its neighbour's coefficients.

    From one ``C`` to the next larger, coefficients, gradients and the kernel values of small tables
    are kept; the smallest ``C`` of a ``gamma`` starts from that of the last ``gamma``. The larger
    ``C`` is, the more this saves.

    Parameters
    ----------
    X, y, sample_weight, on_poll
        As in :meth:`SVM.fit`.
    Cs : sequence of float
        Values of ``C``, above 0, in any order.
    gammas : sequence, default=("scale",)
        Values of ``gamma``.
    **params
        Other parameters of :class:`SVM`.

    Returns
    -------
    list of SVM
        For each of ``gammas`` and each of ``Cs``, in this order; the same optima as separate fits
        give.

    Raises
    ------
    ValueError
        When data or parameters are not what is said there, or a grid is empty.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> path = svm_path(X, y, Cs=[0.1, 1.0, 10.0], gammas=[0.1, 1.0])
    >>> [(model.gamma, model.C) for model in path][:3]
    [(0.1, 0.1), (0.1, 1.0), (0.1, 10.0)]
    """
    if not len(Cs) or not len(gammas):
        raise ValueError(f"Cs and gammas must not be empty, got {list(Cs)} and {list(gammas)}")
    if "C" in params or "gamma" in params:
        raise TypeError("svm_path takes Cs and gammas, not C and gamma")
    for C in Cs:
        SVM(C, **params)._checked_parameters()
    # Small C first: its optimum, grown by the ratio, is feasible for the next.
    order = sorted(range(len(Cs)), key=lambda at: Cs[at])
    found: list[SVM] = []
    start: SVM | None = None
    for gamma in gammas:
        machine = SVM(gamma=gamma, **params)
        path = machine._path([Cs[at] for at in order], (X, y, sample_weight), start, on_poll)
        start = path[0]
        found += [path[order.index(at)] for at in range(len(Cs))]
    return found
