"""The commands whose results are pinned, and how to run them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from golden_values import (
    Values,
    check_values,
    compare_values,
    evaluate_values,
    explain_values,
    export_values,
    features_values,
    model_values,
    playlist_values,
    prediction_values,
    synthesize_values,
    tune_values,
)

# Run the command line with these arguments in this folder and return its standard output.
Runner = Callable[[tuple[str, ...], Path], str]
Reader = Callable[[Path, list[str]], Values]


@dataclass(frozen=True)
class Case:
    """Commands that are run one after the other, and the values to read from what they leave.

    Paths in `commands` are relative to the workspace. `grid` is the text of `<name>.toml`, which
    the commands may name.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    read: Reader
    grid: str = ""


def words(text: str) -> tuple[str, ...]:
    """Split a command line whose words contain no spaces."""
    return tuple(text.split())


def prepare(workspace: Path, run: Runner) -> None:
    """Write the song tables that the cases read: `songs.csv` and `damaged.csv`."""
    run(words("data synthesize --songs 600 --seed 3 -o songs.csv"), workspace)
    header, *rows = (workspace / "songs.csv").read_text(encoding="utf-8").splitlines()
    unusable = [_with_cell(rows[10], 1, ""), _with_cell(rows[20], 2, "loud")]
    text = "\n".join([header, *rows[:300], *rows[:7], *unusable, *rows[300:]])
    (workspace / "damaged.csv").write_text(text + "\n", encoding="utf-8")


def _with_cell(row: str, column: int, text: str) -> str:
    cells = row.split(",")
    cells[column] = text
    return ",".join(cells)


def run_case(case: Case, workspace: Path, run: Runner) -> Values:
    """Run the commands of a case in a prepared workspace and return the values to pin."""
    if case.grid:
        (workspace / f"{case.name}.toml").write_text(case.grid, encoding="utf-8")
    outputs = [run(command, workspace) for command in case.commands]
    return case.read(workspace, outputs)


def _data(name: str, arguments: str, read: Reader) -> Case:
    return Case(f"data-{name}", (words(arguments),), read)


def _tune(name: str, arguments: str, grid: str = "") -> Case:
    name = f"tune-{name}"
    grid_option = f"--grid {name}.toml" if grid else ""
    command = words(f"tune {arguments} {grid_option} --jobs 2 --out {name}")
    return Case(name, (command,), lambda at, _: tune_values(at / name), grid)


def _compare(name: str, arguments: str, grid: str = "") -> Case:
    grid_option = f"--grid {name}.toml" if grid else ""
    command = words(f"compare {arguments} {grid_option} --jobs 2 --out {name}")
    return Case(name, (command,), lambda at, _: compare_values(at / name), grid)


def _features() -> Case:
    command = words(
        "features --songs 500 --models mlp,gbt,logistic-regression --epochs 5 --thresholds 0.7,0.5 "
        "--sizes 5,2 --folds 2 --repeats 2 --jobs 2 --out features"
    )
    return Case("features", (command,), lambda at, _: features_values(at / "features"))


def _train(
    name: str,
    arguments: str,
    endings: Iterable[str],
    *,
    classifier_ending: str = "",
    probabilities: bool = True,
) -> Case:
    name = f"train-{name}"
    model = f"{name}.safetensors"
    exports = [f"{name}.{ending}" for ending in endings]
    commands = [
        f"train {arguments} -o {model}",
        f"evaluate {model} songs.csv --json",
        f"explain {model} songs.csv --row 3 --row 7 --json",
        f"predict {model} songs.csv -o {name}.csv",
        *(f"export {model} {export}" for export in exports),
    ]
    if classifier_ending:
        exports.append(f"{name}-classifier.{classifier_ending}")
        commands.append(f"export {model} {exports[-1]} --classifier-only")
    if probabilities:
        commands.append(f"playlists {model} songs.csv -o {name}-playlists --per-mood 4")

    def read(at: Path, outputs: list[str]) -> Values:
        values = {
            "model": model_values(at / model),
            "evaluate": evaluate_values(outputs[1]),
            "explain": explain_values(outputs[2]),
            "predict": prediction_values(at / f"{name}.csv"),
            "playlists": playlist_values(at / f"{name}-playlists"),
        }
        return values | {export: export_values(at / export) for export in exports}

    return Case(name, tuple(map(words, commands)), read)


ALL_GRID = """
[mlp]
hidden_sizes = [[4], [6, 5]]
learning_rate = 0.05
batch_size = 32

[gbt]
max_leaves = [4, 6]
learning_rate = 0.3
reg_lambda = 1.0

[svm]
C = [1.0, 10.0]
gamma = 0.1

[linear-svm]
C = [0.1, 1.0]
loss = "squared_hinge"
"""

TPE_GRID = """
max_leaves = {low = 2, high = 16}
learning_rate = {low = 0.05, high = 0.5, log = true}
reg_lambda = [1.0, 10.0]
n_estimators = 8
"""

COMPARE_TUNE_GRID = """
[svm]
C = [1.0, 10.0]
gamma = [0.05, 0.5]

[linear-svm]
C = [0.1, 10.0]
loss = "squared_hinge"

[gbt]
max_leaves = [4, 8]
learning_rate = 0.3
reg_lambda = 1.0
n_estimators = 8
"""

CASES = (
    _data(
        "synthesize",
        "data synthesize --songs 500 --seed 0 -o embedded.parquet",
        lambda at, _: synthesize_values(at / "songs.csv", at / "embedded.parquet"),
    ),
    _data("check", "data check songs.csv", lambda _, outputs: check_values(outputs[0])),
    _data(
        "check-damaged",
        "data check damaged.csv --bad-rows drop --duplicates drop",
        lambda _, outputs: check_values(outputs[0]),
    ),
    _tune("mlp", "--model mlp --songs 600 --folds 3 --epochs 4 --trials 3 --seed 1"),
    _tune(
        "gbt",
        "--model gbt --data songs.csv --features all --folds 2",
        "max_leaves = [4, 8]\nlearning_rate = [0.1, 0.3]\nreg_lambda = 1.0\nn_estimators = 12",
    ),
    _tune(
        "svm",
        "--model svm --data damaged.csv --bad-rows drop --duplicates drop --features uncorrelated "
        "--folds 2",
        "C = [1.0, 10.0]\ngamma = [0.05, 0.5]",
    ),
    _tune("linear-svm", "--model linear-svm --data songs.csv --folds 3 --trials 4"),
    _tune("all", "--model all --songs 500 --folds 2 --epochs 5", ALL_GRID),
    _tune("tpe", "--model gbt --sampler tpe --trials 14 --songs 400 --folds 2", TPE_GRID),
    _tune(
        "random-median",
        "--model mlp --sampler random --pruner median --trials 10 --songs 500 --folds 2 "
        "--epochs 12",
        "learning_rate = {low = 0.001, high = 0.2, log = true}\nhidden_sizes = [[4], [8]]",
    ),
    _tune("halving", "--model gbt --pruner halving --songs 500 --folds 2 --epochs 12 --trials 6"),
    _tune("optimizers", "--study optimizers --songs 500 --epochs 3"),
    _compare(
        "compare",
        "--models mlp,gbt --songs 600 --folds 2 --repeats 1 --curve-sizes 2 --epochs 5",
    ),
    _compare(
        "compare-tune",
        "--tune --models svm,linear-svm,gbt --songs 400 --folds 2 --repeats 2 --curve-sizes 0 "
        "--inner-folds 2 --trials 3 --balance --combine stack --seed 2",
        COMPARE_TUNE_GRID,
    ),
    _features(),
    _train(
        "mlp",
        "--model mlp --data songs.csv --set epochs=40 --set hidden_sizes=[16,16] "
        "--set activation=relu --set init=he --set input_scaling=none --set optimizer=sgd "
        "--set learning_rate=0.005 --set batch_size=32 --set learning_rate_schedule=constant "
        "--set early_stopping=false --set n_networks=1 --set weight_decay=0",
        ("c", "rs", "onnx"),
    ),
    _train(
        "gbt",
        "--model gbt --data songs.csv --set n_estimators=12 --set max_leaves=6 --features all",
        ("c", "rs", "onnx", "json"),
        classifier_ending="json",
    ),
    _train(
        "svm",
        "--model svm --data songs.csv --set C=3.0 --set probability=true",
        ("c", "rs", "onnx"),
        classifier_ending="model",
    ),
    _train(
        "linear-svm",
        "--model linear-svm --data songs.csv --features uncorrelated --seed 4",
        ("c", "rs", "onnx"),
        probabilities=False,
    ),
)
