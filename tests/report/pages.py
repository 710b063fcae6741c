"""The searches whose pages the tests open in a browser; `generic.py` has other runs."""

# The settings of each, as small as they can be with all that its page shows.
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
