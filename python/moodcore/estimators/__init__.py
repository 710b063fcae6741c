"""scikit-learn classifiers whose training loops run in Rust."""
