"""Support vector machines over a grid, each trained from its neighbour."""

from collections.abc import Sequence
from typing import Any, Literal

from numpy.typing import ArrayLike

from moodcore.svm import SVM

__all__ = ["svm_path"]


def svm_path(
    X: ArrayLike,
    y: ArrayLike,
    *,
    Cs: Sequence[float],
    gammas: Sequence[Literal["scale", "auto"] | float] = ("scale",),
    sample_weight: ArrayLike | None = None,
    **params: Any,
) -> list[SVM]:
    """Train machines over a grid of ``C`` and ``gamma``, each from its neighbour's coefficients.

    Parameters
    ----------
    X, y, sample_weight
        As in :meth:`SVM.fit`.
    Cs : sequence of float
        Values of ``C``, above 0.
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
    found: dict[tuple[int, int], SVM] = {}
    # Small C first: its optimum, grown by the ratio, is feasible for the next.
    order = sorted(range(len(Cs)), key=lambda at: Cs[at])
    for g, gamma in enumerate(gammas):
        last: SVM | None = None
        for c in order:
            model = SVM(Cs[c], gamma=gamma, **params)
            last = model.fit(X, y, sample_weight, start=last)
            found[g, c] = model
    return [found[g, c] for g in range(len(gammas)) for c in range(len(Cs))]
