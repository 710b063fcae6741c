"""Score songs with Ray Data: each actor loads the model once, and batches stream through.

pip install 'ray[data]' && python examples/ray_data.py
"""

import tempfile
from pathlib import Path

import pandas as pd
import ray

from moodcore import GBT, load, songs


class Mood:
    """An actor with a model."""

    def __init__(self, path: str) -> None:
        self.model = load(path)

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Add the mood to a batch."""
        return batch.assign(mood=self.model.predict(batch))


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    X, y = songs.synthesize(5_000, random_state=0)
    songs.pipeline(GBT(20, n_jobs=1, random_state=0)).fit(X, y).save(folder / "model")
    X.to_parquet(folder / "songs.parquet")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    scored = ray.data.read_parquet(str(folder / "songs.parquet")).map_batches(
        Mood,
        fn_constructor_args=(str(folder / "model"),),
        batch_format="pandas",
        compute=ray.data.ActorPoolStrategy(size=1),
    )
    counts = scored.to_pandas()["mood"].value_counts()
    expected = pd.Series(load(folder / "model").predict(X)).value_counts()
    assert counts.to_dict() == expected.to_dict()
    for code, name in enumerate(songs.LABEL_NAMES):
        print(f"{name}: {counts.get(code, 0)} songs")
    ray.shutdown()


if __name__ == "__main__":
    main()
