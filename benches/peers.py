"""Training speed compared with scikit-learn, PyTorch, NumPy and JAX, in one run.

    pip install '.[bench]' && python benches/peers.py [mlp|gbt|svm] [--quick]

This file measures the network, `peers_gbt.py` boosted trees, `peers_svm.py` support vector
machines.

Every library trains the same network on the same rows with the same batches, on one thread,
shuffling included. The libraries alternate within each round, so that changes of the machine's
speed affect all of them; the table shows the median over the rounds of each library's time divided
by ours in the same round. Libraries that are not installed are left out.
"""

import argparse
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

# One thread for every network: must be set before the numerical libraries are loaded. Trees and
# support vector machines use two.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "2" if {"gbt", "svm"} & set(sys.argv) else "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import numpy as np

from moodcore import MLP, show_versions

LEARNING_RATE, MOMENTUM = 0.005, 0.9


@dataclass(frozen=True)
class Shape:
    """A training task."""

    rows: int
    features: int
    classes: int
    hidden: tuple[int, ...]
    batch: int

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return rows labeled by a random teacher network."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(self.rows, self.features)).astype(np.float32)
        teacher = rng.normal(size=(self.features, self.classes))
        y = np.argmax(np.tanh(X @ teacher) + 0.3 * rng.normal(size=(self.rows, self.classes)), 1)
        return X, y

    def __str__(self) -> str:
        hidden = "-".join(map(str, self.hidden))
        return f"{self.rows} x {self.features}, {hidden}, batch {self.batch}"


def moodcore_epoch(shape: Shape, X: np.ndarray, y: np.ndarray) -> float:
    # An epoch of a small network takes milliseconds, less than the check of the input; as in real
    # use, many epochs share one check.
    epochs = 100 if sum(shape.hidden) < 100 else 3
    model = MLP(
        shape.hidden, n_networks=1, activation="relu", init="he", input_scaling=None,
        optimizer="sgd", learning_rate=LEARNING_RATE, momentum=MOMENTUM, nesterov=False,
        weight_decay=0.0,
        learning_rate_schedule="constant", early_stopping=False,
        batch_size=shape.batch, epochs=epochs, random_state=0,
    )  # fmt: skip
    start = time.perf_counter()
    model.fit(X, y)
    return (time.perf_counter() - start) / epochs


def sklearn_epoch(shape: Shape, X: np.ndarray, y: np.ndarray) -> float:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        shape.hidden,
        activation="relu",
        solver="sgd",
        alpha=0.0,
        batch_size=shape.batch,
        learning_rate_init=LEARNING_RATE,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        max_iter=1,
        random_state=0,
    )
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    return time.perf_counter() - start


def torch_epoch(shape: Shape, X: np.ndarray, y: np.ndarray) -> float:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = [shape.features, *shape.hidden]
    layers: list[torch.nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], shape.classes))
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    loss_function = torch.nn.CrossEntropyLoss()
    features, labels = torch.from_numpy(X), torch.from_numpy(y)
    start = time.perf_counter()
    order = torch.randperm(shape.rows)
    for batch in order.split(shape.batch):
        optimizer.zero_grad()
        loss_function(model(features[batch]), labels[batch]).backward()
        optimizer.step()
    return time.perf_counter() - start


def numpy_epoch(shape: Shape, X: np.ndarray, y: np.ndarray) -> float:
    rng = np.random.default_rng(0)
    sizes = [shape.features, *shape.hidden, shape.classes]
    weights = [
        (rng.normal(size=(a, b)) * np.sqrt(2 / a)).astype(np.float32) for a, b in pairwise(sizes)
    ]
    biases = [np.zeros(b, dtype=np.float32) for b in sizes[1:]]
    steps = [np.zeros_like(w) for w in weights], [np.zeros_like(b) for b in biases]
    targets = np.eye(shape.classes, dtype=np.float32)[y]
    start = time.perf_counter()
    order = rng.permutation(shape.rows)
    for first in range(0, shape.rows, shape.batch):
        rows = order[first : first + shape.batch]
        activations = [X[rows]]
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            activations.append(np.maximum(activations[-1] @ w + b, 0))
        scores = activations[-1] @ weights[-1] + biases[-1]
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
        delta = (probabilities - targets[rows]) / len(rows)
        for layer in range(len(weights) - 1, -1, -1):
            gradient = activations[layer].T @ delta, delta.sum(axis=0)
            if layer:
                delta = (delta @ weights[layer].T) * (activations[layer] > 0)
            for kind, parameters in enumerate((weights, biases)):
                step = steps[kind][layer]
                step *= MOMENTUM
                step -= LEARNING_RATE * gradient[kind]
                parameters[layer] += step
    return time.perf_counter() - start


def jax_epoch(shape: Shape, X: np.ndarray, y: np.ndarray) -> float:
    import jax

    epoch, parameters, data = jax_program(shape, X, y)
    start = time.perf_counter()
    jax.block_until_ready(epoch(parameters, *data, jax.random.key(1)))
    return time.perf_counter() - start


@cache
def jax_compiled(shape: Shape) -> Any:
    """Return an epoch as one compiled program: the shuffle, and a scan over full batches."""
    import jax
    import jax.numpy as jnp

    def loss(weights: Any, x: Any, labels: Any) -> Any:
        for w, b in weights[:-1]:
            x = jax.nn.relu(x @ w + b)
        logits = jax.nn.log_softmax(x @ weights[-1][0] + weights[-1][1])
        return -jnp.take_along_axis(logits, labels[:, None], axis=1).mean()

    def update(state: Any, batch: Any) -> Any:
        weights, steps = state
        gradient = jax.grad(loss)(weights, *batch)
        steps = jax.tree.map(lambda s, g: MOMENTUM * s - LEARNING_RATE * g, steps, gradient)
        return (jax.tree.map(jnp.add, weights, steps), steps), None

    def epoch(state: Any, X: Any, y: Any, key: Any) -> Any:
        full = shape.rows // shape.batch
        order = jax.random.permutation(key, shape.rows)[: full * shape.batch]
        batches = order.reshape(full, shape.batch)
        return jax.lax.scan(lambda state, rows: update(state, (X[rows], y[rows])), state, batches)

    return jax.jit(epoch)


def jax_program(shape: Shape, X: np.ndarray, y: np.ndarray) -> tuple[Any, Any, Any]:
    """Return the program, which has run once, its first weights and steps, and the data."""
    import jax

    rng = np.random.default_rng(0)
    sizes = [shape.features, *shape.hidden, shape.classes]
    weights = [
        (
            jax.numpy.asarray(rng.normal(size=(a, b)) * np.sqrt(2 / a), dtype="float32"),
            jax.numpy.zeros(b),
        )
        for a, b in pairwise(sizes)
    ]
    state = weights, jax.tree.map(jax.numpy.zeros_like, weights)
    data = jax.numpy.asarray(X), jax.numpy.asarray(y)
    epoch = jax_compiled(shape)
    jax.block_until_ready(epoch(state, *data, jax.random.key(0)))
    return epoch, state, data


def processor() -> str:
    """Return the name of the CPU, and how busy the host is."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines()
                 if line.startswith("model name")]  # fmt: skip
        name = names[0] if names else name
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{name}, {os.cpu_count()} CPUs{load}"


def compare(shape: Shape, rounds: int) -> None:
    peers: dict[str, Callable[[Shape, np.ndarray, np.ndarray], float]] = {
        "scikit-learn": sklearn_epoch,
        "PyTorch": torch_epoch,
        "NumPy": numpy_epoch,
        "JAX": jax_epoch,
    }
    modules = {"PyTorch": "torch", "JAX": "jax"}
    peers = {name: epoch for name, epoch in peers.items() if find_spec(modules.get(name, "numpy"))}
    X, y = shape.data()
    moodcore_epoch(shape, X, y)
    ratios: dict[str, list[float]] = {name: [] for name in peers}
    ours = []
    for _ in range(rounds):
        for name, epoch in peers.items():
            before = moodcore_epoch(shape, X, y)
            peer = epoch(shape, X, y)
            after = moodcore_epoch(shape, X, y)
            ours.append((before + after) / 2)
            ratios[name].append(peer / ours[-1])
    steps = -(-shape.rows // shape.batch)
    print(f"\n{shape}: moodcore {statistics.median(ours) / steps * 1e6:.2f} us per step")
    for name, values in ratios.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"  {name:13s} takes {middle:7.1f} times as long  ({low:.1f} to {high:.1f})")


SHAPES = (
    Shape(108_500, 7, 4, (16, 16), 32),
    Shape(108_500, 7, 4, (8,), 64),
    Shape(108_500, 7, 4, (24,), 32),
    Shape(108_500, 7, 4, (64, 256), 256),
    Shape(108_500, 7, 4, (64, 256), 1024),
    Shape(30_000, 100, 10, (256, 256), 512),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("family", nargs="?", choices=("mlp", "gbt", "svm"), default="mlp")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="only the song shape")
    arguments = parser.parse_args()
    show_versions()
    print(processor())
    if arguments.family == "gbt":
        import peers_gbt

        peers_gbt.run(arguments.rounds, arguments.quick)
        return
    if arguments.family == "svm":
        import peers_svm

        peers_svm.run(arguments.rounds, arguments.quick)
        return
    for shape in SHAPES[:1] if arguments.quick else SHAPES:
        compare(shape, arguments.rounds)


if __name__ == "__main__":
    main()
