"""Training of boosted trees on the workers of a Dask cluster (see :mod:`moodcore.dask`)."""
