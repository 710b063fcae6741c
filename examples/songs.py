"""Train on synthetic songs, test on others, save the model, load it, and use it.

Usage: python examples/songs.py [songs.csv]

With the path of a labelled table the same is done with its songs.
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

    # Columns, scaling and balancing are learned from the training songs only.
    network = MLP(learning_rate=0.01, epochs=40, random_state=0)
    model = songs.pipeline(network, balance=True, random_state=0).fit(X_train, y_train)

    found = evaluate(y_test, model.predict_proba(X_test), class_names=songs.LABEL_NAMES)
    print("songs:            ", path or "synthetic: what follows is no finding about music")
    print(f"accuracy:          {found.accuracy:.3f} of {found.n_rows:,} songs")
    print(f"balanced accuracy: {found.balanced_accuracy:.3f}")
    for one in found.classes:
        print(f"  {one.name:<10} precision {one.precision:.3f}  recall {one.recall:.3f}")

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mood.safetensors"
        model.save(file, provenance={"songs": path or "synthetic", "accuracy": found.accuracy})
        again = load(file)
        print(f"saved and loaded:  {file.name}, {file.stat().st_size:,} bytes")
    for number, probabilities in enumerate(again.predict_proba(X_test.head(3))):
        likeliest = probabilities.argmax()
        name = songs.LABEL_NAMES[again.classes_[likeliest]]
        print(f"  song {number}: {name} ({probabilities[likeliest]:.2f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
