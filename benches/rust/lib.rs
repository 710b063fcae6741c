//! Benchmarks only; see `mlp.rs`.
