"""Search for the best network: settings, space, folds, study, and the whole experiment."""
