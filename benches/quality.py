"""How well models learn by default: log loss and accuracy on held-out rows, compared with peers.

    pip install '.[bench]'
    python benches/quality.py --tables DIR --results results.jsonl --figure ranks.png

Each table is split into 70 % training and 30 % test rows, stratified, with a fixed seed per split.
Every result is appended to the results file, and a result that is in the file is not computed
again. Without `--tables` the tables are those of scikit-learn and generated ones.

`--group networks` compares `MLP` and `SVM` with scikit-learn's; `--group tuned` compares the models
of `moodcore.tune` with the defaults; `--group equal` gives the same parameters to all boosters,
whose quality must then be equal. `--variant` adds a model with parameters of its own, for example
`--variant 'slow=gbt:{"learning_rate": 0.05}'`.
"""

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from quality_models import (
    EQUAL,
    GROUPS,
    KERNEL_ROWS,
    MODELS,
    Table,
    bundled_tables,
    is_text,
    prepare,
    read_tables,
)
from scipy.stats import studentized_range
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

QUICK_ROWS = 3000
MODULES = {"catboost": "catboost", "lightgbm": "lightgbm", "xgboost": "xgboost"}


@dataclass(frozen=True)
class Entry:
    """A model with parameters, under the name that the report shows."""

    label: str
    model: str
    parameters: dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> "Entry":
        """Read ``LABEL=MODEL:JSON``."""
        label, _, rest = text.partition("=")
        model, _, parameters = rest.partition(":")
        if model not in MODELS:
            raise argparse.ArgumentTypeError(f"model must be one of {[*MODELS]}, got {model!r}")
        return cls(label, model, json.loads(parameters or "{}"))


@dataclass(frozen=True)
class Protocol:
    """Number of splits per table, most rows of a table, and threads of every model."""

    splits: int
    rows: int | None
    threads: int


class Results:
    """Results by table, split, rows and entry, appended to a JSON lines file."""

    def __init__(self, path: Path | None, retrain: set[str]) -> None:
        self._path = path
        self._by_key: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                result = json.loads(line)
                if result["label"] not in retrain:
                    self._by_key[result["key"]] = result

    def get(self, key: str) -> dict[str, Any] | None:
        """Return a result, None if there is none yet."""
        return self._by_key.get(key)

    def add(self, result: dict[str, Any]) -> None:
        """Keep a result and append it to the file."""
        self._by_key[result["key"]] = result
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as file:
                file.write(json.dumps(result) + "\n")


def subset(X: pd.DataFrame, y: np.ndarray, n_rows: int | None) -> tuple[pd.DataFrame, np.ndarray]:
    """Return at most this many rows, drawn with a fixed seed."""
    if n_rows is None or len(y) <= n_rows:
        return X, y
    rows = np.sort(np.random.default_rng(0).permutation(len(y))[:n_rows])
    return X.iloc[rows], y[rows]


def evaluate(entry: Entry, table: Table, split: int, protocol: Protocol) -> dict[str, Any]:
    """Train on 70 % of the rows and compute the metrics on the others."""
    model = MODELS[entry.model]
    X, y = subset(table.X, table.y, protocol.rows)
    train, test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=split
    )
    train, y_train = subset(train, y_train, model.max_rows)
    text = [name for name in train if is_text(train[name])]
    train, test = prepare(model.preparation, train, test)
    classifier = model.make(entry.parameters, text, protocol.threads)
    wall, cpu = time.perf_counter(), time.process_time()
    with threadpool_limits(protocol.threads):
        classifier.fit(train, y_train)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    probabilities = np.zeros((len(y_test), int(table.y.max()) + 1))
    probabilities[:, np.asarray(classifier.classes_, dtype=int)] = classifier.predict_proba(test)
    return {
        "log_loss": float(
            log_loss(y_test, probabilities, labels=np.arange(probabilities.shape[1]))
        ),
        "accuracy": float((probabilities.argmax(axis=1) == y_test).mean()),
        "seconds": wall,
        "cpu_seconds": cpu,
    }


def run(
    entries: list[Entry], tables: list[Table], protocol: Protocol, kept: Results
) -> Iterator[dict[str, Any]]:
    """Yield the result of every entry on every split of every table."""
    for table in tables:
        for split in range(protocol.splits):
            for entry in entries:
                rows = protocol.rows
                capped = None if rows is None or len(table.y) <= rows else rows
                identity = [table.name, split, capped, entry.model, entry.parameters]
                key = json.dumps(identity, sort_keys=True)
                result = kept.get(key)
                if result is None:
                    metrics = evaluate(entry, table, split, protocol)
                    named = {"table": table.name, "split": split, "label": entry.label}
                    result = {"key": key, **named, **metrics}
                    kept.add(result)
                    print(
                        f"{table.name} {split} {entry.label}: {metrics['log_loss']:.4f} "
                        f"{metrics['accuracy']:.4f} {metrics['seconds']:.2f} s",
                        flush=True,
                    )
                yield {**result, "label": entry.label}


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Return ranks, losses and times by entry; results are averaged over the splits."""
    metrics = ["log_loss", "accuracy", "seconds", "cpu_seconds"]
    by_table = results.groupby(["table", "label"])[metrics].mean().unstack()
    loss, accuracy = by_table["log_loss"], by_table["accuracy"]
    best = loss.min(axis=1)
    lines = pd.DataFrame(
        {
            "rank (log loss)": loss.rank(axis=1).mean(),
            "rank (accuracy)": accuracy.rank(axis=1, ascending=False).mean(),
            # A loss of almost 0 has no meaningful ratio: 0.001 is added to both.
            "loss / best": np.exp(np.log((loss + 1e-3).div(best + 1e-3, axis=0)).mean()),
            "won (log loss)": loss.eq(best, axis=0).mean(),
            "won (accuracy)": accuracy.eq(accuracy.max(axis=1), axis=0).mean(),
        }
    )
    baseline = next((name for name in ("lightgbm", "sklearn_mlp") if name in loss), None)
    if baseline is not None:
        for metric in ("seconds", "cpu_seconds"):
            times = by_table[metric].div(by_table[metric][baseline], axis=0)
            lines[f"{metric} / {baseline}"] = np.exp(np.log(times).mean())
            lines[f"most {metric}"] = times.max()
    return lines.sort_values("rank (log loss)")


def critical_difference(n_models: int, n_tables: int) -> float:
    """Return the difference of mean ranks that is significant at 5 % (Nemenyi; Demsar 2006)."""
    quantile = studentized_range.ppf(0.95, n_models, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(n_models * (n_models + 1) / (6 * n_tables)))


def draw_ranks(lines: pd.DataFrame, difference: float, path: Path) -> None:
    """Draw mean ranks with bars of the critical difference, which overlap if not significant."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(11, 0.45 * len(lines) + 1.4))
    for axes, metric in zip(panels, ("log loss", "accuracy"), strict=True):
        ranks = lines[f"rank ({metric})"].sort_values()
        axes.errorbar(ranks, ranks.index, xerr=difference / 2, fmt="o", capsize=3)
        axes.invert_yaxis()
        axes.set_xlabel(f"mean rank ({metric}); critical difference {difference:.2f}")
        axes.grid(axis="x", alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)


def report(results: pd.DataFrame, figure: Path | None) -> None:
    """Print the summary and the log loss by table, and draw the figure."""
    complete = results.groupby("table")["label"].nunique() == results["label"].nunique()
    results = results[results["table"].map(complete)]
    lines = summary(results)
    n_tables = results["table"].nunique()
    difference = critical_difference(len(lines), n_tables) if len(lines) > 1 else np.nan
    pd.set_option("display.width", 250, "display.max_columns", 30, "display.max_rows", 500)
    print(results.pivot_table("log_loss", "table", "label")[lines.index].round(4))
    print(results.pivot_table("accuracy", "table", "label")[lines.index].round(4))
    print(f"\n{n_tables} tables; critical difference of mean ranks at 5 %: {difference:.2f}")
    print(f"SVM and SVC are trained on at most {KERNEL_ROWS:,} rows.")
    print(lines.round(2).to_string())
    if figure is not None:
        draw_ranks(lines, difference, figure)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, metavar="DIR", help="folder of Parquet or CSV files")
    parser.add_argument("--target", default="target", help="name of the label column")
    parser.add_argument("--only", help="names of tables, separated by commas")
    parser.add_argument("--group", choices=[*GROUPS], default="boosters")
    parser.add_argument("--models", help=f"some of {', '.join(MODELS)} instead of a group")
    parser.add_argument("--variant", action="append", default=[], type=Entry.parse,
                        metavar="LABEL=MODEL:JSON", help="model with parameters")  # fmt: skip
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2, help="threads of every model")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROWS} rows, one split")
    parser.add_argument("--results", type=Path, metavar="FILE.jsonl", help="results to continue")
    parser.add_argument("--retrain", default="", help="labels whose results are computed again")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="critical-difference figure")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    warnings.simplefilter("ignore")
    names = given.models.split(",") if given.models else GROUPS[given.group]
    names = [name for name in names if find_spec(MODULES.get(name, "sklearn"))]
    parameters = EQUAL if given.group == "equal" else {}
    entries = [Entry(name, name, parameters.get(name, {})) for name in names]
    entries += given.variant
    tables = read_tables(given.tables, given.target) if given.tables else bundled_tables()
    if given.only:
        tables = [table for table in tables if table.name in given.only.split(",")]
    kept = Results(given.results, set(filter(None, given.retrain.split(","))))
    rows, splits = (QUICK_ROWS, 1) if given.quick else (None, given.splits)
    protocol = Protocol(splits, rows, given.threads)
    report(pd.DataFrame(run(entries, tables, protocol, kept)), given.figure)


if __name__ == "__main__":
    main()
