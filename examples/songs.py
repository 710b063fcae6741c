"""Train on synthetic songs, test on held-out ones, save the model, load it, and predict.

Usage: python examples/songs.py [songs.csv]

With the path of a labeled table, its songs are used instead.
"""

import sys
import tempfile
from pathlib import Path

from sklearn.model_selection import train_test_split

from moodcore import MLP, load, songs
from moodcore.metrics import evaluate


def main(path: str | None = None) -> None:
    X, y = songs.load(path) if path else songs.synthesize(20_000, random_state=0)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, stratify=y, random_state=0
    )

    # Scaling and balancing are fitted on the training songs only.
    network = MLP(learning_rate=0.01, epochs=40, random_state=0)
    model = songs.pipeline(network, balance=True, random_state=0).fit(X_train, y_train)

    result = evaluate(y_test, model.predict_proba(X_test), class_names=songs.LABEL_NAMES)
    print("songs:            ", path or "synthetic; the results say nothing about music")
    print(f"accuracy:          {result.accuracy:.3f} of {result.n_rows:,} songs")
    print(f"balanced accuracy: {result.balanced_accuracy:.3f}")
    for mood in result.classes:
        print(f"  {mood.name:<10} precision {mood.precision:.3f}  recall {mood.recall:.3f}")

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mood.safetensors"
        model.save(file, provenance={"songs": path or "synthetic", "accuracy": result.accuracy})
        loaded = load(file)
        print(f"saved and loaded:  {file.name}, {file.stat().st_size:,} bytes")
    for number, probabilities in enumerate(loaded.predict_proba(X_test.head(3))):
        best = probabilities.argmax()
        name = songs.LABEL_NAMES[loaded.classes_[best]]
        print(f"  song {number}: {name} ({probabilities[best]:.2f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
