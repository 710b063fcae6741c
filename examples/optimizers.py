"""Three optimizers, several learning rates and several networks, in four figures.

Usage: python examples/optimizers.py [FOLDER]

Writes the figures as SVG files to FOLDER, by default a temporary folder, and prints its path. The
cells (`# %%`) open as a notebook in VS Code, PyCharm and Spyder; jupytext converts them to a
Jupyter notebook. The page docs/tutorials/optimizers.md explains the figures.
"""

# %%
import sys
import tempfile
from pathlib import Path

from moodcore import MLP, plots, songs

# %% The data: 4,000 synthetic songs, scaled as in the song experiment.
X, y = songs.synthesize(4_000, random_state=0)
X = songs.pipeline(MLP(epochs=1), random_state=0).fit(X, y)[:-1].transform(X)

EPOCHS = 60
FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
FOLDER.mkdir(exist_ok=True)


def train(**parameters):
    """Train a network with 16-16 neurons, or other parameters, always from the same seed."""
    defaults = {"hidden_sizes": (16, 16), "learning_rate": 0.01, "momentum": 0.9, "batch_size": 32}
    defaults |= {"activation": "relu", "init": "he", "input_scaling": None, "optimizer": "sgd"}
    defaults |= {"learning_rate_schedule": "constant", "early_stopping": False}
    model = MLP(**defaults | parameters, epochs=EPOCHS, record="update", random_state=0)
    return model.fit(X, y)


def report(title, models):
    """Print the loss of each model, and return its losses per epoch."""
    print(f"{title}: training loss after {EPOCHS} epochs")
    for name, model in models.items():
        updates = len(model.history_["update_loss"])
        print(f"  {name:<20} {model.loss_:.3f}  ({updates:,} weight updates)")
    return {name: model.history_["loss"] for name, model in models.items()}


def save(name, ax):
    """Write a figure."""
    (FOLDER / f"{name}.svg").write_text(plots.figure_svg(ax.figure), encoding="utf-8")


# %% Optimizers: the same network from the same initial weights.
optimizers = {
    "gradient descent": train(batch_size="full", momentum=0.0),
    "SGD": train(batch_size=32, momentum=0.0),
    "SGD with momentum": train(batch_size=32, momentum=0.9),
}
save("optimizers_per_epoch", plots.loss_per_epoch(report("Optimizers", optimizers)))
updates = {name: model.history_["update_loss"] for name, model in optimizers.items()}
save("optimizers_per_update", plots.loss_per_update(updates))

# %% Learning rates, with SGD and momentum.
rates = {f"learning rate {rate}": train(learning_rate=rate) for rate in (0.0005, 0.005, 0.06, 0.3)}
save("learning_rates", plots.loss_per_epoch(report("Learning rates", rates)))

# %% Layers: the number and the width of the hidden layers.
layers = {
    "no hidden layer": train(hidden_sizes=()),
    "8": train(hidden_sizes=(8,)),
    "16": train(hidden_sizes=(16,)),
    "16-16": train(hidden_sizes=(16, 16)),
    "16-16-16": train(hidden_sizes=(16, 16, 16)),
}
save("layers", plots.loss_per_epoch(report("Hidden layers", layers)))

print(f"figures: {FOLDER}")
