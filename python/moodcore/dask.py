"""Training of boosted trees on the workers of a Dask cluster.

Examples
--------
>>> import dask.array as da
>>> from distributed import Client
>>> from moodcore.dask import GBT
>>> import numpy as np
>>> X = np.random.default_rng(0).random((400, 3))
>>> y = (X[:, 0] > 0.5).astype(int)
>>> with Client(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None):
...     model = GBT(5, random_state=0).fit(da.from_array(X, chunks=100), da.from_array(y, 100))
>>> model.to_local().score(X, y) > 0.9
True
"""

from moodcore.estimators.cluster.estimator import GBT

__all__ = ["GBT"]
