"""Three optimizers, several learning rates and several networks, in four figures.

Usage: python examples/optimizers.py [FOLDER]

Writes the figures as SVG files to FOLDER, by default a temporary folder, and prints its path. The
notebook examples/optimizers.ipynb has the same cells (`# %%`) and shows the figures. The page
docs/tutorials/optimizers.md explains them.
"""

# %% [markdown]
# # Compare three optimizers
#
# Gradient descent, stochastic gradient descent (SGD) and SGD with momentum train the same network,
# from the same initial weights, to classify synthetic songs as sad, happy, energetic or calm. All
# cells take less than a minute.

# %%
import sys
import tempfile
from pathlib import Path

from moodcore import MLP, plots, songs

# %% [markdown]
# The data are 4,000 synthetic songs with seven features, scaled as in the song experiment.

# %%
X, y = songs.synthesize(4_000, random_state=0)
X = songs.pipeline(MLP(epochs=1), random_state=0).fit(X, y)[:-1].transform(X)

EPOCHS = 60
IN_NOTEBOOK = "ipykernel" in sys.modules
HAS_FOLDER = len(sys.argv) > 1 and not IN_NOTEBOOK
FOLDER = Path(sys.argv[1] if HAS_FOLDER else tempfile.mkdtemp())
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
    """Write a figure, and show it in a notebook."""
    svg = plots.figure_svg(ax.figure)
    (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")
    if IN_NOTEBOOK:
        from IPython.display import SVG, display

        display(SVG(svg))


# %% [markdown]
# ## Optimizers
#
# Gradient descent computes the gradient from all songs, and makes one weight update per epoch. SGD
# makes one update for every 32 songs. With momentum, updates add up the gradients of earlier ones.

# %%
optimizers = {
    "gradient descent": train(batch_size="full", momentum=0.0),
    "SGD": train(batch_size=32, momentum=0.0),
    "SGD with momentum": train(batch_size=32, momentum=0.9),
}
save("optimizers_per_epoch", plots.loss_per_epoch(report("Optimizers", optimizers)))
updates = {name: model.history_["update_loss"] for name, model in optimizers.items()}
save("optimizers_per_update", plots.loss_per_update(updates))

# %% [markdown]
# ## Learning rates
#
# Small steps are slow; long ones make the loss fluctuate, and then training fail.

# %%
rates = {f"learning rate {rate}": train(learning_rate=rate) for rate in (0.0005, 0.005, 0.06, 0.3)}
save("learning_rates", plots.loss_per_epoch(report("Learning rates", rates)))

# %% [markdown]
# ## Hidden layers
#
# Without a hidden layer the network is softmax regression.

# %%
layers = {
    "no hidden layer": train(hidden_sizes=()),
    "8": train(hidden_sizes=(8,)),
    "16": train(hidden_sizes=(16,)),
    "16-16": train(hidden_sizes=(16, 16)),
    "16-16-16": train(hidden_sizes=(16, 16, 16)),
}
save("layers", plots.loss_per_epoch(report("Hidden layers", layers)))

print(f"figures: {FOLDER}")
