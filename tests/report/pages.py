"""The pages that the tests open in a browser: a row for each kind, with the smallest run of it."""

# What `run_tune` of conftest.py is asked, by page. Small, but each with all that its kind shows.
TUNE = {
    "mlp": {},
    "gbt": {
        "model": "gbt",
        "grid": {"max_leaves": [3, 4], "learning_rate": [0.1, 0.3], "reg_lambda": 1.0},
    },
    "svm": {"model": "svm", "epochs": 300, "grid": {"C": [1.0, 3.0], "gamma": 0.1}},
    "linear-svm": {"model": "linear-svm", "epochs": 300, "grid": {"C": [0.1, 1.0]}},
    "all": {
        "model": "all",
        "grid": {
            "mlp": {"hidden_sizes": [[4]], "learning_rate": [0.01, 0.05]},
            "gbt": {"max_leaves": 4, "learning_rate": [0.1, 0.3], "reg_lambda": 1.0},
            "svm": {"C": [1.0, 3.0], "gamma": 0.1},
            "linear-svm": {"C": [0.1, 1.0]},
        },
    },
    "optimizers": {"study": "optimizers"},
}
# What `run_compare` is asked: with curves and the choices of inner searches, on few trainings.
COMPARE = {
    "compare": {
        "models": ("mlp", "linear-svm", "gbt"),
        "tune": True,
        "trials": 2,
        "inner_folds": 2,
    },
}

# What `run_features` is asked.
FEATURES = {
    "features": {"songs": 400, "folds": 2, "repeats": 1, "epochs": 2, "sizes": (7, 3)},
}
