//! The multilayer perceptron: ReLU hidden layers, softmax output, cross-entropy, trained by
//! gradient descent in any of its textbook forms (Bishop 2006, chapter 5).
//!
//! | file | holds |
//! |---|---|
//! | `config` | the hyperparameters and their ranges |
//! | `schedule` | the learning rate of each epoch |
//! | `network` | where each weight lies in one flat vector; first weights |
//! | `step` | forward and backward through one block of samples |
//! | `epoch` | one pass over the data: order, blocks, gradient, update |
//! | `train` | epochs, curves, early stopping, divergence |
//! | `predict` | scores for new samples |

mod config;
mod epoch;
mod network;
mod predict;
mod schedule;
mod step;
mod train;

pub use config::{BatchSize, Config, Init, Record};
pub use network::{Layer, Network, State};
pub use predict::predict;
pub use schedule::{Schedule, ScheduleKind};
pub use train::{Fit, History, Outcome, fit};

#[cfg(test)]
mod tests;
