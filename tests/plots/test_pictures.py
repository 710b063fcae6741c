"""Pictures: what they say, that all of it can be read, and that they repeat."""

import inspect
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from readable import clipped, figure_of, overlapping, texts_of, visible_texts

from moodcore import plots, songs

effect = plots.parameter_effect

FEATURES, SELECTED = list(songs.FEATURES), list(songs.SELECTED_FEATURES)
NAMES = list(songs.LABEL_NAMES)
COUNTS = dict(zip(NAMES, songs.CLASS_COUNTS, strict=True))
BALANCED = dict.fromkeys(NAMES, min(songs.CLASS_COUNTS))


def correlation(names):
    values = np.random.default_rng(0).normal(size=(50, len(names)))
    return pd.DataFrame(values, columns=names).corr()


def grid(sizes=("8", "16", "16-16", "32-16"), rates=(0.005, 0.01, 0.06), batches=(32, 64)):
    """Trials and curves of a grid; losses fall, each candidate's from another height."""
    rows = [(size, batch, rate) for size in sizes for batch in batches for rate in rates]
    trials = pd.DataFrame(rows, columns=["hidden_sizes", "batch_size", "learning_rate"])
    trials = trials.assign(number=range(len(rows)), state="complete", accuracy_std=0.012)
    trials["accuracy"] = 0.7 + 0.2 * np.sin(trials["number"]) ** 2
    return trials, curves_of(trials)


def curves_of(trials, epochs=20):
    at = np.arange(1, epochs + 1)
    parts = [
        pd.DataFrame({"number": number, "epoch": at, "train_loss": 1.4 / at + 0.01 * number + 0.3})
        for number in trials["number"]
    ]
    curves = pd.concat(parts, ignore_index=True)
    return curves.assign(valid_loss=curves["train_loss"] + 0.05)


def losses(lengths):
    rng = np.random.default_rng(0)
    return {n: 1.4 / np.sqrt(np.arange(1, k + 1)) + rng.uniform(0, 0.2, k) for n, k in lengths}


EPOCHS = losses([("gradient descent", 300), ("SGD", 300), ("SGD with momentum", 300)])
UPDATES = losses([("gradient descent", 300), ("SGD", 10**6), ("SGD with momentum", 10**6)])

SHARES = np.linspace(0, 1, 30)
THRESHOLDS = pd.DataFrame(
    {"threshold": SHARES, "precision": SHARES, "recall": 1 - SHARES, "f1": 0.5}
)
REJECTION = pd.DataFrame({"confidence": SHARES, "kept": 1 - SHARES, "accuracy": SHARES})


def class_points(names):
    parts = [
        pd.DataFrame({"class": name, "curve": kind, "x": SHARES, "y": SHARES**0.5, "area": 0.67})
        for name in names
        for kind in ("roc", "precision_recall")
    ]
    return pd.concat(parts)


# Every public picture, as the report draws it.
PICTURES = {
    "class_counts": lambda: plots.class_counts(COUNTS, BALANCED, x="number of songs"),
    "correlation_all": lambda: plots.correlation_heatmap(correlation(FEATURES)),
    "correlation_kept": lambda: plots.correlation_heatmap(correlation(SELECTED), "seven"),
    "optimizers_per_epoch": lambda: plots.loss_per_epoch(EPOCHS),
    "optimizers_per_update": lambda: plots.loss_per_update(UPDATES),
    "grid_overview": lambda: plots.grid_overview(grid()[0]),
    "learning_rates": lambda: plots.parameter_effect(*grid(), "learning_rate"),
    "shapes": lambda: effect(*grid(), "hidden_sizes"),
    "importance": lambda: plots.feature_importance(
        {"energy": 0.7, "acousticness": 0.3}, kind="share", dropped=["energy"]
    ),
    "families": lambda: plots.fold_accuracies({"network": [0.8, 0.9], "trees": [0.85, 0.95]}),
    "candidates": lambda: plots.candidate_losses(*grid(rates=(0.005, 0.06))),
    "class_curves": lambda: plots.class_curves(class_points(NAMES)),
    "thresholds": lambda: plots.threshold_curves(THRESHOLDS, "sad"),
    "rejection": lambda: plots.rejection_curve(REJECTION, "songs"),
    "confusion_matrix": lambda: plots.confusion_matrix(np.arange(16).reshape(4, 4) * 4001, NAMES),
}
# What else a user's data makes of them.
ODD = {
    "one class": lambda: plots.class_counts({"sad": 1}, {"sad": 1}),
    "no songs": lambda: plots.class_counts({"sad": 0, "calm": 0}, {"sad": 0, "calm": 0}),
    "one feature": lambda: plots.correlation_heatmap(correlation(["energy"])),
    "one label": lambda: plots.confusion_matrix([[3]], ["sad"]),
    "one candidate": lambda: plots.candidate_losses(*grid(["8"], [0.01], [32])),
    "one epoch": lambda: plots.loss_per_epoch({"SGD": [0.5]}),
    "one row": lambda: plots.grid_overview(grid(["8"], [0.01, 0.06], [32])[0]),
    "two candidates": lambda: plots.candidate_losses(*grid(["128-128-64"], [0.0125], [32, 4096])),
    "nine learning rates": lambda: plots.grid_overview(grid(rates=np.geomspace(1e-4, 1, 9))[0]),
    "ranges": lambda: effect(*grid(rates=np.geomspace(1e-4, 1, 9)), "learning_rate"),
    "nine layouts": lambda: effect(
        *grid(sizes=[f"{8 * n}-8" for n in range(1, 10)]), "hidden_sizes"
    ),
}
# Names that a table of any kind may have.
LETTERS = [f"letter {chr(65 + n)}" for n in range(26)]
STRANGE = [
    "a class whose name is far too long for a figure", "$x$ < $y$ & 'z'", "\u60b2\u3057\u3044",
    "\N{GRINNING FACE}", "two\nlines", r"$\frac{1$", "<b>bold</b>", "na\u00efve \u2013 caf\u00e9",
]  # fmt: skip
RANDOM = np.random.default_rng(0)


def strange(columns):
    """A table of one row per strange name."""
    return pd.DataFrame({name: RANDOM.uniform(size=len(STRANGE)) for name in columns}, STRANGE)


GENERIC = {
    "26 classes": lambda: plots.class_counts(dict.fromkeys(LETTERS, 120)),
    "strange classes": lambda: plots.class_counts(
        dict.fromkeys(STRANGE, 8), dict.fromkeys(STRANGE, 5)
    ),
    "top confusions": lambda: plots.top_confusions(RANDOM.integers(0, 900, (26, 26)), LETTERS),
    "no confusion": lambda: plots.top_confusions(np.eye(26, dtype=int), LETTERS),
    "strange confusions": lambda: plots.top_confusions(np.ones((8, 8), int), STRANGE),
    "strange matrix": lambda: plots.confusion_matrix(np.ones((8, 8), int), STRANGE),
    "twelve classes": lambda: plots.confusion_matrix(
        RANDOM.integers(0, 20_000, (12, 12)), LETTERS[:12]
    ),
    "booleans": lambda: plots.confusion_matrix([[8, 1], [2, 7]], [False, True]),
    "100 features": lambda: plots.correlation_heatmap(correlation([f"f{n}" for n in range(100)])),
    "strange features": lambda: plots.correlation_heatmap(correlation(STRANGE), marked=STRANGE[:2]),
    "strange importances": lambda: plots.feature_importance(
        {name: n / 36 for n, name in enumerate(STRANGE)}, kind="share", dropped=STRANGE[:3]
    ),
    "strange measures": lambda: plots.feature_measures(strange(["gain", "shap"]), marked=STRANGE),
    "strange models": lambda: plots.fold_accuracies({name: [0.8, 0.9] for name in STRANGE}),
}
EVERY = PICTURES | ODD | GENERIC


# What must be readable.


@pytest.mark.parametrize("name", EVERY)
def test_every_text_can_be_read(name):
    """None leaves the figure, none lies on another."""
    texts = visible_texts(figure_of(EVERY[name]()))
    assert len(texts) > 3
    assert clipped(texts) == []
    assert overlapping(texts) == []


def test_clipped_and_overlapping_texts_are_found():
    figure = Figure(figsize=(2, 2))
    figure.text(0.9, 0.5, "too long for it")
    figure.text(0.2, 0.5, "under", rotation=45)
    figure.text(0.2, 0.55, "over", rotation=45)
    figure.text(0.2, 0.9, "alone")
    texts = visible_texts(figure)
    assert clipped(texts) == ["too long for it"]
    assert overlapping(texts) == [("under", "over")]


def test_every_public_picture_is_here():
    beside = Path(__file__).parent.glob("test_*.py")
    source = "".join(path.read_text(encoding="utf-8") for path in beside)
    drawing = set(plots.__all__) - {"figure_png", "figure_svg"}
    assert {name for name in drawing if f"lambda: plots.{name}(" in source} == drawing


@pytest.mark.parametrize("name", PICTURES)
def test_axes_are_returned_or_a_figure(name):
    drawn = PICTURES[name]()
    assert isinstance(drawn, Figure if name in ("candidates", "class_curves") else Axes)
    assert isinstance(figure_of(drawn), Figure)


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.class_counts(COUNTS, BALANCED, ax=ax),
        lambda ax: plots.correlation_heatmap(correlation(NAMES), ax=ax),
        lambda ax: plots.confusion_matrix(np.eye(4), NAMES, ax=ax),
        lambda ax: plots.loss_per_epoch(EPOCHS, ax=ax),
        lambda ax: plots.loss_per_update({"SGD": [1.0, 0.5]}, ax=ax),
        lambda ax: plots.grid_overview(grid()[0], ax=ax),
        lambda ax: effect(*grid(), "learning_rate", ax=ax),
        lambda ax: effect(*grid(), "hidden_sizes", ax=ax),
    ],
)
def test_pictures_go_into_given_axes_and_change_no_setting(draw):
    before = dict(mpl.rcParams)
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert draw(left) is left
    assert left.has_data()
    assert not right.has_data()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", sorted(set(plots.__all__) - {"figure_png", "figure_svg"}))
def test_axes_are_taken_and_returned(name):
    """But for those of several panels."""
    found = inspect.signature(getattr(plots, name))
    returned = getattr(found.return_annotation, "__name__", found.return_annotation)
    if name in ("candidate_losses", "class_curves"):
        assert returned == "Figure"
    else:
        assert returned == "Axes"
        assert found.parameters["ax"].default is None
        assert found.parameters["ax"].kind is inspect.Parameter.KEYWORD_ONLY


# What must be said.


def test_class_counts_say():
    texts = texts_of(PICTURES["class_counts"]())
    assert {*NAMES, "before", "after", "number of songs", "82,058", "47,065"} <= set(texts)
    assert texts.count("42,386") == 5


@pytest.mark.parametrize("names", [FEATURES, SELECTED])
def test_correlations_say(names):
    matrix = correlation(names)
    matrix.iloc[0, 1] = matrix.iloc[1, 0] = np.nan
    matrix.iloc[0, 2] = matrix.iloc[2, 0] = -0.001
    ax = plots.correlation_heatmap(matrix, "a title")
    written = [text.get_text() for text in ax.texts]
    expected = [
        "\N{EN DASH}" if np.isnan(value) else f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
        for value in matrix.to_numpy().ravel()
    ]
    zero = "\N{MINUS SIGN}0.00"
    assert written == [text.replace(zero, "0.00") for text in expected]
    texts = texts_of(ax)
    assert all(texts.count(name) == 2 for name in names)
    assert {"a title", "Pearson correlation"} <= set(texts)


def test_confusion_matrix_says():
    ax = plots.confusion_matrix([[1500, 500], [0, 0]], ["sad", "calm"])
    assert [text.get_text() for text in ax.texts] == ["75.0 %\n1,500", "25.0 %\n500", "0", "0"]
    assert ax.images[0].get_array().filled(-1).tolist() == [[0.75, 0.25], [-1, -1]]
    texts = texts_of(ax)
    assert texts.count("sad") == texts.count("calm") == 2
    assert {"predicted class", "true class", "share of the true class"} <= set(texts)


def test_of_many_features_the_most_correlated_are_drawn():
    names = [f"f{n}" for n in range(60)]
    matrix = pd.DataFrame(np.eye(60) + 0.1 * (1 - np.eye(60)), names, names)
    for row, column in ((3, 40), (7, 21)):
        matrix.iloc[row, column] = matrix.iloc[column, row] = -0.9
    ax = plots.correlation_heatmap(matrix, max_features=4, marked=["f7"])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["f3", "f7 *", "f21", "f40"]
    assert ax.images[0].get_array()[0, 3] == -0.9


def test_top_confusions_say():
    ax = plots.top_confusions([[90, 10, 0], [3, 4, 3], [0, 0, 0]], ["a", "b", "c"], max_pairs=2)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a \u2192 b", "b \u2192 a"]
    assert [text.get_text() for text in ax.texts] == ["10.0 % (10)", "30.0 % (3)"]
    assert [bar.get_width() for bar in ax.patches] == [0.1, 0.3]


def test_losses_say():
    ax = plots.loss_per_epoch({"SGD": [1.0, 0.5, 0.4], "wild": [1.0, np.inf, np.nan]})
    assert {"epoch", "SGD", "wild (diverged)"} <= set(texts_of(ax))
    assert ax.get_ylabel() == "training cross-entropy loss (nats)"
    assert ax.lines[0].get_ydata().tolist() == [1.0, 0.5, 0.4]
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert {"weight update", *UPDATES} <= set(texts_of(PICTURES["optimizers_per_update"]()))


def test_grid_says():
    trials, _ = grid(["8", "16-16"], [0.01, 0.06], [32])
    trials["accuracy"] = [0.81, 0.9, np.nan, 0.85]
    trials.loc[3, "state"] = "pruned"
    ax = plots.grid_overview(trials)
    cells = [text.get_text() for text in ax.texts]
    assert cells == ["81.0 ± 1.2", "90.0 ± 1.2\nbest", "diverged", "85.0 ± 1.2\npruned"]
    assert {"8, 32", "16-16, 32", "0.01", "0.06", "learning rate"} <= set(texts_of(ax))


def test_the_best_has_the_highest_score_of_the_search():
    trials, _ = grid(["8"], [0.01, 0.06], [32])
    trials = trials.assign(accuracy=[0.9, 0.8])
    for score, best in (([-0.5, -0.4], 1), ([-0.4, -0.5], 0)):
        ax = plots.grid_overview(trials.assign(score=score))
        assert [text.get_text().endswith("best") for text in ax.texts].index(True) == best


def test_effects_say_and_average():
    trials, curves = grid()
    rate = effect(trials, curves, "learning_rate")
    assert [line.get_label() for line in rate.lines] == ["0.005", "0.01", "0.06"]
    layer = effect(trials, curves, "hidden_sizes")
    assert [line.get_label() for line in layer.lines] == ["8", "16", "16-16", "32-16"]
    mine = curves[curves["number"].isin(trials.loc[trials["hidden_sizes"] == "16", "number"])]
    mean = mine.groupby("epoch")["valid_loss"].mean()
    assert layer.lines[1].get_ydata() == pytest.approx(mean.to_numpy())
    band = layer.collections[1].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (mine["valid_loss"].min(), mine["valid_loss"].max())


def test_candidates_say():
    trials, curves = grid()
    trials.loc[2, "state"] = "pruned"
    curves.loc[curves["number"] == 3, "valid_loss"] = np.nan
    curves = curves[curves["number"] != 4]
    figure = plots.candidate_losses(trials, curves)
    texts = texts_of(figure)
    assert {"pruned", "diverged", "no curve", "training", "validation", "epoch"} <= set(texts)
    best = trials.loc[trials["accuracy"].where(trials["state"] == "complete").idxmax()]
    (title,) = [text for text in texts if text.startswith("best")]
    assert title.startswith(f"best #{best['number']}: {best['hidden_sizes']}\n")
    assert sum(text.lstrip("best ").startswith("#") for text in texts) == len(trials)
    many = plots.candidate_losses(*grid(batches=range(1, 6)))
    assert many.get_suptitle() == "the 48 most accurate of 60 candidates"


# What is refused.


TRIALS, CURVES = grid()


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (lambda: plots.class_counts({}, {}), "at least one class, got none"),
        (lambda: plots.class_counts({"sad": 1}, {"calm": 1}), r"same classes, got \['sad'\]"),
        (lambda: plots.class_counts({"sad": -1}, {"sad": 1}), r"before\['sad'\] .* got -1"),
        (lambda: plots.class_counts({"sad": 1}, {"sad": np.nan}), r"after\['sad'\] .* got nan"),
        (lambda: plots.correlation_heatmap(pd.DataFrame()), "at least one, got"),
        (lambda: plots.correlation_heatmap(correlation(NAMES)[NAMES[:2]]), "same names"),
        (
            lambda: plots.correlation_heatmap(correlation(NAMES) * 2),
            "in \\[-1, 1\\], got 2 for 'sad'",
        ),
        (lambda: plots.confusion_matrix([[1, 2]], NAMES), r"got shape \(1, 2\) for 4 labels: sad"),
        (lambda: plots.confusion_matrix([[-3]], ["sad"]), "0 or more, got -3 for true 'sad'"),
        (lambda: plots.top_confusions([[1, 2]], NAMES), r"got shape \(1, 2\) for 4 labels: sad"),
        (lambda: plots.loss_per_epoch({}), "at least one training, got none"),
        (lambda: plots.loss_per_epoch({"SGD": []}), "one loss per epoch, at least one, got shape"),
        (lambda: plots.loss_per_update({"SGD": [[1.0]]}), r"one loss per update.*\(1, 1\)"),
        (lambda: plots.grid_overview(TRIALS.drop(columns="accuracy")), "missing: accuracy"),
        (lambda: plots.grid_overview(TRIALS.assign(accuracy=np.nan)), "got NaN for every"),
        (lambda: effect(TRIALS[:0], CURVES, "learning_rate"), "trials must have at least one"),
        (lambda: effect(TRIALS, CURVES[["epoch"]], "learning_rate"), "missing: number"),
        (lambda: effect(TRIALS, CURVES[:0], "hidden_sizes"), "curves must have at least one row"),
        (lambda: effect(TRIALS.assign(number=-1), CURVES, "hidden_sizes"), "loss, got none"),
        (lambda: plots.candidate_losses(TRIALS[["number"]], CURVES), "missing: learning_rate"),
        (lambda: plots.candidate_losses(TRIALS, CURVES[:0]), "curves must have at least one row"),
        (lambda: plots.figure_svg(Figure(), name="1 a"), "name must be a letter"),
        (lambda: plots.figure_png(Figure(), dpi=0), "dpi must be above 0, got 0"),
    ],
)
def test_wrong_input_says_what_is_allowed(draw, says):
    with pytest.raises(ValueError, match=says):
        draw()


# Thinning and files.


def test_a_million_updates_keep_mean_and_range():
    """The blocks cover every update once: nothing is lost of the mean or of the extremes."""
    rng = np.random.default_rng(0)
    curve = rng.uniform(0.5, 1.5, size=10**6)
    curve[123_456], curve[654_321] = 9.0, 0.001
    ax = plots.loss_per_update({"SGD": curve})
    (line,), (band,) = (
        ax.lines,
        [band for band in ax.collections if isinstance(band, PolyCollection)],
    )
    at, mean = line.get_xdata(), line.get_ydata()
    assert len(at) == 400
    assert mean == pytest.approx(curve.reshape(400, -1).mean(axis=1))
    assert at == pytest.approx(np.arange(400) * 2500 + 1250.5)
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.001, 9.0)
    blocks = curve.reshape(400, -1)
    assert set(blocks.min(axis=1)) | set(blocks.max(axis=1)) <= set(heights)


def test_logarithmic_blocks_keep_extremes_and_first_updates():
    curve = np.random.default_rng(0).uniform(0.5, 1.5, size=10**6)
    curve[999_999] = 7.0
    ax = plots.loss_per_update({"slow": np.linspace(1, 0.5, 300), "SGD": curve})
    assert ax.get_xscale() == "log"
    at, mean = ax.lines[1].get_xdata(), ax.lines[1].get_ydata()
    assert len(at) <= 120
    assert (at[0], mean[0]) == (1.0, curve[0])
    assert max(band.get_paths()[0].vertices[:, 1].max() for band in ax.collections) == 7.0


def test_losses_that_are_not_finite_stay_out_of_the_means():
    curve = np.full(4000, 2.0)
    curve[5], curve[2000:] = np.inf, np.nan
    ax = plots.loss_per_update({"SGD": curve})
    assert ax.lines[0].get_label() == "SGD (diverged)"
    assert ax.lines[0].get_ydata()[:200].tolist() == [2.0] * 200
    assert np.isnan(ax.lines[0].get_ydata()[200:]).all()


@pytest.mark.parametrize("name", PICTURES)
def test_the_same_picture_gives_the_same_file(name):
    """As the report writes it: drawn twice, and one figure written twice."""
    figure, again = (figure_of(PICTURES[name]()) for _ in range(2))
    assert plots.figure_svg(figure, name=name) == plots.figure_svg(again, name=name)
    if name == "class_counts":
        assert plots.figure_svg(figure, name=name) == plots.figure_svg(again, name=name)
        assert plots.figure_png(figure) == plots.figure_png(again)


def test_a_file_is_offline_and_its_ids_are_its_own():
    first, second = (plots.figure_svg(Figure(), name=name) for name in ("one", "other"))
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (first, second)]
    assert all(ids)
    assert not ids[0] & ids[1]
    text = plots.figure_svg(figure_of(PICTURES["shapes"]()), name="shapes")
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    assert used <= set(re.findall(r'\bid="([^"]+)"', text))
    assert not re.search(r"<\?xml|<metadata|<dc:date|<text|<image", text)
    places = set(re.findall(r'"https?://([^"]*)"', text))
    assert places <= {"www.w3.org/2000/svg", "www.w3.org/1999/xlink"}
