"""Saving and explaining of fitted models."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moodcore.explanation.contributions import Explanation


class Saveable:
    """Base class of all models that can be saved and explained once they are fitted.

    Both methods delegate to packages above this one, which are named by strings and imported when
    they are called.
    """

    def save(
        self, path: str | os.PathLike[str], *, provenance: Mapping[str, Any] | None = None
    ) -> None:
        """Write the fitted model to one safetensors file, atomically.

        Parameters
        ----------
        path : path
            The file; :func:`moodcore.load` reads it back.
        provenance : mapping, optional
            Where the model comes from (data, seed, metrics): anything that JSON can hold.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        OSError
            If the file cannot be written.
        """
        import_module("moodcore.model_files").save(self, path, provenance=provenance)

    def explain(
        self,
        X: Any,
        *,
        background: Any = None,
        random_state: int | None = 0,
        n_samples: int | None = None,
    ) -> Explanation:
        """Compute the contribution of each feature to the margins of each row.

        Parameters
        ----------
        X : table of shape (n_rows, n_features)
            As `predict` takes it.
        background : table, optional
            Rows from whose mean contributions are measured; by default up to 100 of `X`. Trees
            know their training rows, and take none.
        random_state : int, optional, default=0
            Seed of the background rows and of sampled coalitions.
        n_samples : int, optional
            Coalitions of features that are evaluated per row.

        Returns
        -------
        Explanation
            See :func:`moodcore.explain`.
        """
        explain = import_module("moodcore.explanation.contributions").explain
        return explain(
            self, X, background=background, random_state=random_state, n_samples=n_samples
        )
