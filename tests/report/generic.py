"""Folders of finished runs on tables that are not songs, made without training anything.

The numbers are random; names, kinds of columns and sizes are those that make pages difficult.
"""

import json
from itertools import combinations

import numpy as np
import pandas as pd

from moodcore.metrics import evaluate
from moodcore.songs import FEATURES, LABEL_NAMES, SELECTED_FEATURES

STRANGE = ["<b>bold</b> & co", "a class whose name is far too long for any table or figure",
           "\u60b2\u3057\u3044", "na\u00efve \u2013 caf\u00e9", 'say "x"', "$50K",
           "it's", "NA", "01"]  # fmt: skip
LETTERS = [*STRANGE, *(chr(65 + n) for n in range(17))]
BOOLEANS = ["False", "True"]
NUMBERS = [*(f"{name} feature" for name in STRANGE), *(f"number {n}" for n in range(41))]
CATEGORIES = [f"category <{n}>" for n in range(10)]
METRICS = ("accuracy", "macro_f1", "log_loss", "brier", "calibration_error", "roc_auc")


def head(form, classes, rows, features, /, **settings):
    """What `metrics.json` of every run has."""
    counts = {name: rows // len(classes) + 7 * n for n, name in enumerate(classes)}
    numbers = [name for name in features if name not in CATEGORIES]
    columns = {name: {"mean": 0.5, "std": 0.1, "min": -1.0, "max": 1e6} for name in numbers}
    columns |= {
        n: {"categories": 12, "most frequent": "<i>x</i>"} for n in features if n not in columns
    }
    return {
        "format": form,
        "version": 2,
        "balanced": False,
        "settings": {"balance": False, "folds": 3, "seed": 7, "target": "<target>"} | settings,
        "data": {
            "source": "tables/<letters>.csv",
            "synthetic": False,
            "preset": None,
            "target": "<target>",
            "noun": "rows",
            "notes": ["left out: <id>, unique text"],
            "sha256": "0" * 64,
            "rows": rows,
            "train_rows": rows * 4 // 5,
            "test_rows": rows // 5,
            "counts": counts,
            "columns": columns,
        },
    }  # fmt: skip


def correlation(names):
    values = np.random.default_rng(0).normal(size=(90, len(names)))
    frame = pd.DataFrame(values, columns=names).corr()
    return frame.to_dict() if len(names) else {}


def test_of(classes, rows, seed):
    """An evaluation of random probabilities that are mostly right."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % len(classes)
    scores = rng.gamma(0.4, size=(rows, len(classes))) + 2 * np.eye(len(classes))[y] * rng.uniform(
        size=(rows, 1)
    )
    found = evaluate(y, scores / scores.sum(axis=1, keepdims=True), class_names=classes)
    return found.to_dict()


def finish(path, metrics, tables, facts):
    path.mkdir(exist_ok=True)
    metrics["data"] |= facts or {}
    timing = {"finished": "2026-01-02T03:04:05+00:00", "jobs": 2, "seconds": {"search": 1.25}}
    timing |= {"command": "moodcore x --target '<target>'", "versions": {"moodcore": "0.2.0"}}
    (path / "config.toml").write_text('target = "<target>"\n')
    (path / "timing.json").write_text(json.dumps(timing))
    (path / "metrics.json").write_text(json.dumps(metrics))
    for name, table in tables.items():
        if name == "curves":
            table.to_parquet(path / f"{name}.parquet")
        else:
            table.to_csv(path / f"{name}.csv", index=False)
    return path


def tune(path, classes, features, facts=None, model="gbt"):
    """A search over one family."""
    numbers = [name for name in features if name not in CATEGORIES]
    metrics = head("moodcore-run", classes, 5200, features, epochs=9, sampler="grid",
                   pruner="none", model=model, features="all")  # fmt: skip
    grid = [(size, rate) for size in (7, 15, 31) for rate in (0.05, 0.1, 0.2)]
    trials = pd.DataFrame(grid, columns=["max_leaves", "learning_rate"])
    trials = trials.assign(number=range(9), model=model, state="complete", reg_lambda=1.0)
    accuracy = 0.7 + 0.02 * trials["number"]
    trials = trials.assign(
        accuracy=accuracy, score=accuracy, accuracy_std=0.01, balanced_accuracy=accuracy,
        train_accuracy=accuracy,
        valid_loss=1 - accuracy, n_weights=100, diverged_folds=0, reason="",
    )  # fmt: skip
    best = trials.iloc[-1].to_dict() | {"params": {"max_leaves": 31, "learning_rate": 0.2}}
    best |= {"fold_accuracies": [0.85, 0.86, 0.87]}
    counts = {"candidates": 9, "complete": 9, "pruned": 0, "failed": 0}
    family = {"model": model, "varied": ["max_leaves", "learning_rate"], "best": best, **counts}
    curves = pd.DataFrame(
        [(n, e, 2 / e, 2.1 / e) for n in range(9) for e in range(1, 10)],
        columns=["number", "epoch", "train_loss", "valid_loss"],
    )
    before = metrics["data"]["counts"]
    dropped = [
        {"column": "<id>", "reason": "unique text"},
        {"column": "nothing", "reason": "constant"},
    ]
    gain = dict(
        zip(features, np.random.default_rng(1).dirichlet(np.ones(len(features))), strict=True)
    )
    metrics |= {
        "study": "grid",
        "preprocessing": {
            "counts_before": before, "counts_after": before, "features": features,
            "dropped": dropped, "correlation": correlation(numbers), "single_features": {},
        },
        "search": {"planned": 9, "metric": "accuracy", **counts,
                   "varied": family["varied"], "best": best,
                   "families": [family | {"against_best": {"mean": 0, "std": 0}}]},
        "model": {"family": model, "parameters": best["params"], "n_weights": 3100},
        "importance": {"gain": gain, "filtered": []},
        "test": test_of(classes, 1040, 0),
        "baselines": {"majority class": test_of(classes, 1040, 1),
                      "logistic regression": test_of(classes, 1040, 2)},
        "checks": [{"name": "A check", "ok": False, "text": "Look at <this>."}],
    }  # fmt: skip
    return finish(
        path,
        json.loads(json.dumps(metrics, default=float)),
        {"trials": trials, "curves": curves},
        facts,
    )


def compare(path, classes, features, facts=None):
    """A comparison of models with odd names."""
    rng = np.random.default_rng(0)
    kinds = {"GBT": "model", "soft vote": "combination", "<my> model, with a long name": "model",
             "LinearSVM": "model", "logistic regression": "baseline",
             "majority class": "baseline"}  # fmt: skip
    names = list(kinds)
    summary, test = [], []
    for place, name in enumerate(names):
        values = dict.fromkeys(METRICS, 0.9 - 0.02 * place)
        if name == "LinearSVM":
            values |= dict.fromkeys(("log_loss", "brier", "calibration_error"))
        test.append({"model": name, "rows": 1040} | values)
        ends = {f"{m}_{end}": None if v is None else v + sign * 0.01
                for m, v in values.items() for end, sign in (("low", -1), ("high", 1))}  # fmt: skip
        summary.append({"model": name, "kind": kinds[name]} | values | ends | {"model_bytes": 900})
    pairs = [
        {"first": a, "second": b, "difference": 0.02, "difference_low": 0.01,
         "difference_high": 0.03, "p_value": 0.01, "p_holm": 0.03, "test_p_value": 0.2,
         "test_p_holm": 0.4, "only_first_right": 9, "only_second_right": 4,
         "verdict": "better" if b != "soft vote" else "no difference"}
        for a, b in combinations(names, 2)
    ]  # fmt: skip
    curves = [
        {"model": name, "rows": n, "accuracy": 0.7 + n / 1e4, "low": 0.6, "high": 0.9}
        for name in names
        for n in (400, 1200)
    ]
    confusion = {name: test_of(classes, 1040, at)["confusion"] for at, name in enumerate(names)}
    bins = [
        {"model": name, "from": low, "to": low + 0.2, "rows": 30, "confidence": low + 0.1,
         "accuracy": low + 0.05}
        for name in names if name != "LinearSVM" for low in (0.4, 0.6, 0.8)
    ]  # fmt: skip
    points = [
        {"model": name, "class": kind, "recall": r, "precision": 1 - r * (0.3 + 0.01 * at),
         "average_precision": 0.9 - 0.01 * at}
        for name in names for at, kind in enumerate(classes) for r in (1.0, 0.5, 0.0)
    ]  # fmt: skip
    agreement = pd.DataFrame(0.9, names, names)
    metrics = head("moodcore-comparison", classes, 5200, features, repeats=2, features="all",
                   combine="vote", trials=8, inner_folds=3) | {
        "classes": [json.loads(c.lower()) if c in BOOLEANS else c for c in classes],
        "train_rows": 4160, "test_rows": 1040, "summary": summary, "test": test, "pairs": pairs,
        "scores": [{"model": name, "repeat": 1, "fold": 1} for name in names],
        "learning_curves": curves, "calibration": bins, "confusion": confusion,
        "agreement": agreement.to_dict(), "disputed": 30, "chosen": [], "failures": [],
        "members": ["GBT", "<my> model, with a long name"],
        "checks": [{"name": "Failed trainings", "ok": True, "text": "All <fine>."}],
    }  # fmt: skip
    table = pd.DataFrame({"row": range(30), "class": rng.choice(classes, 30), "answers": 2})
    for name in names:
        table[name] = rng.choice(classes, 30)
    table = pd.concat(
        [table, pd.DataFrame(rng.normal(size=(30, len(features))), columns=features)], axis=1
    )
    chosen = [{"model": "GBT", "where": "fold 1", "chosen": '{"max_leaves": 7}'}] if facts else []
    times = pd.DataFrame({"model": names, "fit_seconds": 0.5, "predict_seconds": 0.01,
                          "rows_per_second": 1e5})  # fmt: skip
    tables = {
        "disagreements": table,
        "times": times,
        "chosen": pd.DataFrame(chosen, columns=["model", "where", "chosen"]),
    }
    tables |= {name: pd.DataFrame(metrics[name]) for name in
               ("summary", "test", "pairs", "learning_curves", "calibration")}  # fmt: skip
    return finish(path, metrics, tables | {"precision_recall": pd.DataFrame(points)}, facts)


def features(path, classes, features, facts=None):
    """A study of features, with categories and without a named set."""
    n, models = len(features), ["gbt", "mlp", "<mine>"]
    choices, trainings = [], []
    named = [("all", "all", None, n), ("filter 0.9", "filter", 0.9, n - 1)]
    if facts:
        named.append(("published", "named", None, 7))
    named += [(f"eliminated to {k}", "elimination", k, k) for k in range(n - 1, 0, -max(1, n // 9))]
    for name, kind, level, size in named:
        for model in models:
            cost = 0.3 * (1 - size / n) ** 3
            row = {"choice": name, "kind": kind, "level": level, "model": model, "n_features": size}
            row |= {"accuracy": 0.9 - cost, "accuracy_std": 0.004, "cost": cost}
            row |= {"cost_low": cost - 0.01, "cost_high": cost + 0.01, "beyond_spread": cost > 0.01}
            choices.append(row)
            trainings.append({"choice": name, "model": model, "fold": 1, "failure": ""})
    numbers = [name for name in features if name not in CATEGORIES]
    rows, importances = [], []
    for at, name in enumerate(features):
        measures = {
            "gain": 1 / n,
            "shap": at / n,
            "mutual_information": 0.1,
            "label_correlation": 0.2,
        }
        measures |= {f"permutation_{model}": 0.01 * at for model in models}
        kept = {f"kept_{choice}": float(at < size) for choice, _, _, size in named[1:]}
        if facts:
            kept["kept_published"] = float(name in SELECTED_FEATURES)
        row = {"feature": name, "kind": "number" if name in numbers else "category", **measures}
        row |= {"partner": "", "partner_correlation": None, "elimination_rank": at + 1.0, **kept}
        rows.append(row)
        for model in models:
            importance = {"feature": name, "measure": "permutation", "model": model, "mean": 0.01}
            importances.append(importance | {"std": 0.001, "low": 0.009, "high": 0.011})
    metrics = head("moodcore-features", classes, 5200, features, models=models) | {
        "features": rows, "importances": importances, "choices": choices, "trainings": trainings,
        "correlation": correlation(numbers), "test": None,
        "recommended": {"model": "gbt", "accuracy": 0.9, "features": features[: n - 1],
                        "accuracy_kept": 0.89, "sufficient": {"all models": None},
                        "largest_size": n - 1},
    }  # fmt: skip
    metrics["data"] |= {"train_rows": 5200, "test_rows": 0}
    return finish(path, metrics, {}, facts)


SONGS = {"preset": "songs", "synthetic": True, "noun": "songs"}
#: Each page: what makes its folder, classes and features, and facts of the data.
RUNS = {
    "letters": (tune, LETTERS, [*NUMBERS, *CATEGORIES]),
    "booleans": (tune, BOOLEANS, CATEGORIES[:3]),
    "one-number": (tune, ["a", "b", "c"], ["x"]),
    "compare-letters": (compare, LETTERS, [*NUMBERS, *CATEGORIES]),
    "compare-booleans": (compare, BOOLEANS, CATEGORIES[:3]),
    "features-letters": (features, LETTERS, [*NUMBERS, *CATEGORIES]),
    "features-categories": (features, BOOLEANS, CATEGORIES[:3]),
    "compare-songs": (compare, LABEL_NAMES, FEATURES, SONGS),
    "features-songs": (features, LABEL_NAMES, FEATURES, SONGS),
}
