"""Gradient descent, SGD, and SGD with momentum: the same network from the same first weights.

Usage: python examples/optimizers.py [losses.png]

Without an argument the picture goes to a temporary folder; the path is printed.
"""

import sys
import tempfile
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from moodcore import MLP, plots

EPOCHS = 40
OPTIMIZERS = {
    "gradient descent": {"batch_size": "full", "momentum": 0.0},
    "SGD": {"batch_size": 32, "momentum": 0.0},
    "SGD with momentum": {"batch_size": 32, "momentum": 0.9},
}


def main(path: str | None = None) -> None:
    X, y = load_digits(return_X_y=True)
    X = StandardScaler().fit_transform(X)

    losses = {}
    for name, optimizer in OPTIMIZERS.items():
        model = MLP(
            (16,), learning_rate=0.01, epochs=EPOCHS, record="update", random_state=0, **optimizer
        ).fit(X, y)
        losses[name] = model.history_["update_loss"]
        print(
            f"{name:<18} {len(losses[name]):5,} updates in {EPOCHS} epochs, "
            f"training loss {model.loss_:.3f}, accuracy {model.score(X, y):.3f}"
        )

    ax = plots.loss_per_update(losses)
    ax.set_title("The same network, three optimizers", loc="left")
    file = Path(path) if path else Path(tempfile.mkdtemp()) / "losses.png"
    file.write_bytes(plots.figure_png(ax.figure))
    print(f"picture: {file}")


if __name__ == "__main__":
    main(*sys.argv[1:])
