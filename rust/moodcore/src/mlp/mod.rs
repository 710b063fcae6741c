//! The multilayer perceptron: hidden layers, softmax output, cross-entropy, trained by gradient
//! descent with any batch size and momentum (Bishop 2006, chapter 5) or by Adam.
//!
//! | file | contents |
//! |---|---|
//! | `config` | the hyperparameters and their ranges |
//! | `dropout` | which outputs of hidden layers a training step drops |
//! | `schedule` | the learning rate of each epoch |
//! | `network` | the layout of parameters in one flat vector; initial weights |
//! | `step` | forward and backward through one block of samples |
//! | `epoch` | one pass over the data: order, blocks, gradient, update |
//! | `train` | epochs, curves, early stopping, divergence |
//! | `predict` | scores for new samples |

mod config;
mod dropout;
mod epoch;
mod network;
mod predict;
mod schedule;
mod step;
mod train;

pub use config::{Activation, BatchSize, Config, EvalMetric, Init, Optimizer, Record};
pub use network::{Layer, Network, State};
pub use predict::predict;
pub use schedule::{Schedule, ScheduleKind};
pub use train::{Fit, History, Outcome, Rows, fit};

#[cfg(test)]
mod tests;
