"""Any table: a pipeline, a search over its parameters, and the learning curve of the best model.

Usage: python examples/any_table.py
"""

from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moodcore import MLP

GRID = {
    "mlp__hidden_sizes": [(8,), (16, 16)],
    "mlp__learning_rate": [0.005, 0.02],
}
WIDTH = 40


def main() -> None:
    X, y = load_wine(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.25, stratify=y, random_state=0
    )

    model = make_pipeline(StandardScaler(), MLP(epochs=60, l2=1e-3, random_state=0))
    search = GridSearchCV(model, GRID, cv=5).fit(X_train, y_train)
    print(f"best parameters:     {search.best_params_}")
    print(f"validation accuracy: {search.best_score_:.3f}")
    print(f"test accuracy:       {search.score(X_test, y_test):.3f}")

    # Train the best model again, with a validation set from the training rows.
    X_fit, X_val, y_fit, y_val = train_test_split(
        X_train, y_train, test_size=0.25, stratify=y_train, random_state=0
    )
    scaler = StandardScaler().fit(X_fit)
    network = search.best_estimator_.named_steps["mlp"]
    network.fit(scaler.transform(X_fit), y_fit, eval_set=(scaler.transform(X_val), y_val))
    print_curve(network.history_["loss"], network.history_["eval_loss"])


def print_curve(train: list[float], validation: list[float]) -> None:
    """Print two losses as bars, every fifth epoch."""
    scale = WIDTH / max(*train, *validation)
    print("\nepoch  training loss (=), validation loss (-)")
    for epoch in range(0, len(train), 5):
        for loss, mark in ((train[epoch], "="), (validation[epoch], "-")):
            print(f"{epoch + 1:5}  {mark * round(scale * loss)} {loss:.3f}")


if __name__ == "__main__":
    main()
