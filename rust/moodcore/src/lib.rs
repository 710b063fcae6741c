//! Deterministic training of classifiers for tabular data: neural networks, gradient-boosted
//! trees, and kernel and linear support vector machines.
//!
//! The same seed gives the same model, bit for bit, for any number of threads and any
//! instruction set: every reduction has a fixed order, written once in [`kernels`] for
//! vectors of sixteen lanes and compiled for AVX-512, AVX2 with FMA, and portable code.
//!
//! ```
//! use moodcore::{Samples, kernels::Isa, mlp, monitor::Silent, parallel::{Compute, Team}};
//!
//! let x = [0.0, 0.1, 0.2, 0.9, 1.0, 1.1_f32];
//! let y = [0, 0, 0, 1, 1, 1_u32];
//! let samples = Samples::new(&x, 1, &y, 2, None)?;
//! let config = mlp::Config { epochs: 200, learning_rate: 0.1, ..Default::default() };
//! let compute = Compute { isa: Isa::detect(), team: &Team::new(1)? };
//! let state = mlp::State::initial(&config, 1, 2, 7)?;
//! let rows = mlp::Rows::train(samples);
//! let fit = mlp::fit(&config, rows, state, 7, compute, &mut Silent)?;
//! assert!(fit.history.accuracy.last() == Some(&1.0));
//! # Ok::<(), moodcore::Error>(())
//! ```

mod cholesky;
mod data;
mod error;
pub mod gbt;
pub mod kernels;
pub mod linear_svm;
pub mod memory;
pub mod mlp;
pub mod monitor;
pub mod parallel;
mod parameters;
pub mod rng;
pub mod shuffle;
pub mod svm;

pub use data::{Samples, SparseRows};
pub use error::{Error, Result};
