"""How training time and memory grow with rows, features, classes and threads.

    pip install '.[bench]' && python benches/scaling.py --out FOLDER [--quick]

Every measurement runs in a process of its own, which prints the processor time and the elapsed time
of one fit, and how much the fit raised the peak of the memory. Each learner is compared with a peer
that does the same work: trees with LightGBM (20 rounds of 31 leaves), networks with scikit-learn's
`MLPClassifier` (three epochs, 64 neurons, minibatches of 64 rows, Adam), kernel support vector
machines with `SVC` and linear ones with `LinearSVC`, both with their default parameters.

FOLDER receives `scaling.jsonl`, from which an interrupted run continues, `scaling.md` and
`scaling.svg`.
"""

import argparse
import json
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# BLAS on one thread; the libraries take their number of threads as a parameter.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, LinearSVC

from moodcore import GBT, MLP, SVM, LinearSVM

if find_spec("lightgbm"):
    from lightgbm import LGBMClassifier

LEARNERS = {"gbt": "LightGBM", "mlp": "scikit-learn", "svm": "SVC", "linear_svm": "LinearSVC"}
ESTIMATORS = {"gbt": "GBT", "mlp": "MLP", "svm": "SVM", "linear_svm": "LinearSVM"}
MOST_ROWS_OF_SVC = 100_000
AXES = ("rows", "features", "classes", "threads")


@dataclass(frozen=True)
class Task:
    """One fit of one library on a generated table."""

    learner: str
    library: str
    rows: int
    features: int = 10
    classes: int = 2
    threads: int = 1

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return rows whose class depends on sines of sums of features, with noise."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.rows, self.features), dtype=np.float32)
        directions = rng.normal(size=(self.features, self.classes)).astype(np.float32)
        scores = np.sin(X @ (directions / np.sqrt(self.features)) * 2)
        scores += rng.gumbel(size=scores.shape).astype(np.float32) / 3
        return X, scores.argmax(axis=1)


def tasks(learner: str, quick: bool) -> Iterator[tuple[str, Task]]:
    """Yield the axis and the task of every measurement of a learner, ours and its peer's."""
    base = Task(learner, "moodcore", 3_000 if learner == "svm" else 10_000)
    rows = (2_500, 5_000, 10_000, 20_000, 40_000, 100_000, 300_000) if learner == "svm" else (
        10_000, 30_000, 100_000, 300_000, 1_000_000, 10_000_000)  # fmt: skip
    values = {
        "rows": rows[:3] if quick else rows,
        "features": (10, 100) if quick else (10, 30, 100, 300, 1000),
        "classes": (2, 10) if quick else (2, 5, 10, 30, 100),
        "threads": (1, 2),
    }
    many = replace(base, rows=rows[3], features=30) if not quick else base
    for axis in AXES:
        for value in values[axis]:
            task = replace(many if axis == "threads" else base, **{axis: value})
            # scikit-learn trains neither networks nor support vector machines with threads.
            has_peer = axis != "threads" or learner == "gbt"
            # SVC takes minutes on 100,000 rows, and nine times as long on 300,000.
            has_peer &= learner != "svm" or task.rows <= MOST_ROWS_OF_SVC
            for library in ("moodcore", LEARNERS[learner]) if has_peer else ("moodcore",):
                yield axis, replace(task, library=library)


def model(task: Task) -> Any:
    """Return the estimator of a task."""
    rounds, threads = 20, task.threads
    if task.library == "LightGBM":
        return LGBMClassifier(
            n_estimators=rounds, num_leaves=31, n_jobs=threads, verbose=-1, force_row_wise=True
        )
    common = {"batch_size": 64, "random_state": 0}
    ours = {"input_scaling": None, "early_stopping": False, "epochs": 3, "n_jobs": threads}
    ours |= {"n_networks": 1, "weight_decay": 0.0}
    return {
        "gbt": lambda: GBT(rounds, max_leaves=31, learning_rate=0.1, n_jobs=threads),
        "mlp": lambda: MLP((64,), activation="relu", **common, **ours),
        "scikit-learn": lambda: MLPClassifier((64,), max_iter=3, **common),
        "svm": lambda: SVM(n_jobs=threads),
        "SVC": lambda: SVC(cache_size=1000),
        "linear_svm": lambda: LinearSVM(n_jobs=threads),
        "LinearSVC": LinearSVC,
    }[task.learner if task.library == "moodcore" else task.library]()


def peak_memory(reset: bool = False) -> int:
    """Return the peak of the resident memory in bytes, after setting it to the present one."""
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def measure(task: Task) -> dict[str, float]:
    """Train once, after a fit of a few rows that loads what the library loads late."""
    warnings.simplefilter("ignore")
    small = replace(task, rows=20 * task.classes)
    model(task).fit(*small.data())
    X, y = task.data()
    estimator = model(task)
    before = peak_memory(reset=True)
    elapsed, processor = time.perf_counter(), time.process_time()
    estimator.fit(X, y)
    elapsed, processor = time.perf_counter() - elapsed, time.process_time() - processor
    return {"seconds": elapsed, "cpu": processor, "memory": peak_memory() - before}


def send_measurement(task: Task, connection: Connection) -> None:
    """Measure in a process of its own."""
    connection.send(measure(task))


def run(task: Task) -> dict[str, float]:
    """Measure in a new process, which has the modules of this one where it can be forked."""
    context = get_context("fork" if "fork" in get_all_start_methods() else "spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=send_measurement, args=(task, sender))
    process.start()
    sender.close()
    result = receiver.recv()
    process.join()
    return result


def run_all(learners: list[str], quick: bool, path: Path) -> list[dict[str, Any]]:
    """Return the results of all tasks; those in the file are not measured again."""
    kept: dict[Task, dict[str, float]] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        record = json.loads(line)
        kept[Task(**record["task"])] = record["result"]
    results = []
    for learner in learners:
        for axis, task in tasks(learner, quick):
            if task not in kept:
                kept[task] = run(task)
                with path.open("a") as file:
                    file.write(json.dumps({"task": asdict(task), "result": kept[task]}) + "\n")
                print(task, kept[task], flush=True)
            results.append({"axis": axis, **asdict(task), **kept[task]})
    return results


def number(value: float) -> str:
    """Format with two significant digits, and no exponent."""
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def markdown(results: list[dict[str, Any]]) -> str:
    """Return one table per learner: processor time, ratio and memory of both libraries."""
    lines = []
    for learner in dict.fromkeys(result["learner"] for result in results):
        peer = LEARNERS[learner]
        header = f"| `{ESTIMATORS[learner]}` | seconds | {peer} | ratio | MB | {peer} MB |"
        lines += [header, "|---|---|---|---|---|---|"]
        found = [result for result in results if result["learner"] == learner]
        for ours in found:
            if ours["library"] != "moodcore":
                continue
            shape = ("axis", "rows", "features", "classes", "threads")
            same = [result for result in found if result["library"] != "moodcore"
                    and all(result[key] == ours[key] for key in shape)]  # fmt: skip
            clock = "seconds" if ours["axis"] == "threads" else "cpu"
            theirs = same[0] if same else None
            name = f"{ours['rows']:,} x {ours['features']}, {ours['classes']} classes"
            if ours["axis"] == "threads":
                name += f", {ours['threads']} threads"
            cells = [name, number(ours[clock])]
            cells += (
                [number(theirs[clock]), number(theirs[clock] / ours[clock])] if theirs else [""] * 2
            )
            cells.append(number(ours["memory"] / 1e6))
            cells.append(number(theirs["memory"] / 1e6) if theirs else "")
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def readable(sizes: list[int]) -> list[int]:
    """Return the sizes whose labels do not overlap on a logarithmic axis."""
    kept = sizes[-1:]
    for size in reversed(sizes):
        if (kept[0] / size) ** 6 >= sizes[-1] / sizes[0]:
            kept.insert(0, size)
    return kept


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Draw processor time over rows, features and classes, a row of panels per learner."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import EngFormatter, NullLocator

    learners = list(dict.fromkeys(result["learner"] for result in results))
    figure, panels = plt.subplots(
        len(learners), 3, figsize=(9, 2.1 * len(learners)), squeeze=False, sharey="row"
    )
    for row, learner in enumerate(learners):
        for axes, axis in zip(panels[row], AXES, strict=False):
            for library, style in (("moodcore", "o-"), (LEARNERS[learner], "s--")):
                points = [(result[axis], result["cpu"]) for result in results
                          if (result["learner"], result["library"], result["axis"])
                          == (learner, library, axis)]  # fmt: skip
                axes.loglog(*zip(*points, strict=True), style, label=library, markersize=4)
            # The values that were measured; a range below a power of ten has too few others.
            sizes = {result[axis] for result in results
                     if (result["learner"], result["axis"]) == (learner, axis)}  # fmt: skip
            axes.set_xticks(readable(sorted(sizes)))
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.grid(alpha=0.3)
            axes.set_xlabel(axis)
        panels[row][0].set_ylabel(f"{ESTIMATORS[learner]}: seconds")
        panels[row][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("scaling"), metavar="FOLDER")
    parser.add_argument("--learners", default=",".join(LEARNERS), help="separated by commas")
    parser.add_argument("--quick", action="store_true", help="small tables only")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    results = run_all(given.learners.split(","), given.quick, given.out / "scaling.jsonl")
    table = markdown(results)
    (given.out / "scaling.md").write_text(table)
    draw(results, given.out / "scaling.svg")
    print(table)


if __name__ == "__main__":
    main()
