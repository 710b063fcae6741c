"""Score songs in Spark with a pandas UDF that loads the model once per executor process.

    pip install pyspark && python examples/spark_udf.py

Arrow transfers the columns between Spark and pandas.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.functions import pandas_udf, struct

from moodcore import GBT, load, songs


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    X, y = songs.synthesize(5_000, random_state=0)
    songs.pipeline(GBT(20, n_jobs=1, random_state=0)).fit(X, y).save(folder / "model")
    X.to_parquet(folder / "songs.parquet")
    path = str(folder / "model")

    spark = SparkSession.builder.master("local[2]").appName("moodcore").getOrCreate()

    @pandas_udf("int")
    def mood(batches: Iterator[pd.DataFrame]) -> Iterator[pd.Series]:
        model = load(path)
        for batch in batches:
            yield pd.Series(model.predict(batch))

    table = spark.read.parquet(str(folder / "songs.parquet"))
    scored = table.withColumn("mood", mood(struct(*(table[name] for name in table.columns))))
    counts = scored.groupBy("mood").count().toPandas().set_index("mood")["count"]
    expected = pd.Series(load(path).predict(X)).value_counts()
    assert counts.to_dict() == expected.to_dict()
    for code, name in enumerate(songs.LABEL_NAMES):
        print(f"{name}: {counts.get(code, 0)} songs")
    spark.stop()


if __name__ == "__main__":
    main()
