"""What every model offers that can be kept: saving and explaining."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moodcore.explanation.contributions import Explanation


class FittedModel:
    """A model that can be saved and explained, once it is fitted."""

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
            When the model is not fitted.
        OSError
            When the file cannot be written.
        """
        from moodcore.model_files.container import save

        save(self, path, provenance=provenance)

    def explain(
        self,
        X: Any,
        *,
        background: Any = None,
        random_state: int | None = 0,
        n_samples: int | None = None,
    ) -> "Explanation":
        """Say what each feature contributes to the margins of each row.

        Parameters
        ----------
        X : table of shape (n_rows, n_features)
            As `predict` takes it.
        background : table, optional
            Rows whose mean the contributions are measured from; by default up to 100 of `X`.
            Trees have their own, and do not take one.
        random_state : int, optional, default=0
            Seed of what is drawn.
        n_samples : int, optional
            Coalitions that Kernel SHAP tries for a row.

        Returns
        -------
        Explanation
            See :func:`moodcore.explain`.
        """
        from moodcore.explanation.contributions import explain

        return explain(
            self, X, background=background, random_state=random_state, n_samples=n_samples
        )
