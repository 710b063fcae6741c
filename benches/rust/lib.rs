//! Benchmarks only; see `mlp.rs`, `gbt.rs` and `svm.rs`.
