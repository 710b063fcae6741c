//! The hyperparameters: names, defaults and ranges. The ranges are checked here and nowhere else.

use super::schedule::Schedule;
use crate::parameters::{name_or_table, read_json};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How first weights are drawn; biases start at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// Normal with variance 2 / inputs, which keeps the size of ReLU activations from layer to
    /// layer (He, Zhang, Ren and Sun 2015, equation 10).
    #[default]
    He,
    /// Normal with standard deviation `init_std`.
    Normal,
}

/// What the history holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    /// Loss and accuracy of every epoch.
    #[default]
    Epoch,
    /// Also the loss of every minibatch, before its update.
    Update,
}

/// Samples in one weight update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum BatchSize {
    /// So many (the last batch of an epoch may be smaller).
    Samples(usize),
    /// All of them: gradient descent in the narrow sense.
    #[serde(serialize_with = "write_full")]
    Full,
}

fn write_full<S: serde::Serializer>(serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str("full")
}

impl<'de> Deserialize<'de> for BatchSize {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        use serde::de::Error as _;
        let value = serde_json::Value::deserialize(deserializer)?;
        match value.as_u64() {
            Some(samples) => Ok(BatchSize::Samples(samples as usize)),
            None if value == "full" => Ok(BatchSize::Full),
            None => Err(D::Error::custom("must be an int of at least 1 or 'full'")),
        }
    }
}

impl BatchSize {
    /// The number of samples when there are `n_rows` in all.
    pub(super) fn resolve(self, n_rows: usize) -> usize {
        match self {
            BatchSize::Samples(samples) => samples.min(n_rows),
            BatchSize::Full => n_rows,
        }
    }
}

/// The hyperparameters of a network and its training.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Neurons of each hidden layer; empty for softmax regression.
    pub hidden_sizes: Vec<usize>,
    /// Step size, above 0.
    pub learning_rate: f64,
    /// Share of the last step that is kept, in [0, 1).
    pub momentum: f64,
    /// Whether momentum looks ahead (Nesterov).
    pub nesterov: bool,
    /// Samples in one weight update.
    pub batch_size: BatchSize,
    /// Passes over the data, at least 1.
    pub epochs: usize,
    /// Weight of the sum of absolute weights in the objective.
    pub l1: f64,
    /// Weight of half the sum of squared weights in the objective.
    pub l2: f64,
    /// How first weights are drawn.
    pub init: Init,
    /// Standard deviation of first weights where `init` is normal.
    pub init_std: f64,
    /// How the learning rate falls.
    #[serde(deserialize_with = "name_or_table")]
    pub learning_rate_schedule: Schedule,
    /// Whether to stop when the evaluation loss no longer falls, and keep the best weights.
    pub early_stopping: bool,
    /// Share of the training rows that the caller sets aside for early stopping, in (0, 1).
    pub validation_fraction: f64,
    /// Epochs without improvement before early stopping, at least 1.
    pub patience: usize,
    /// The least fall of the evaluation loss that counts as improvement.
    pub tol: f64,
    /// What the history holds.
    pub record: Record,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            hidden_sizes: vec![16, 16],
            learning_rate: 0.005,
            momentum: 0.9,
            nesterov: false,
            batch_size: BatchSize::Samples(32),
            epochs: 300,
            l1: 0.0,
            l2: 0.0,
            init: Init::He,
            init_std: 0.01,
            learning_rate_schedule: Schedule::default(),
            early_stopping: false,
            validation_fraction: 0.1,
            patience: 20,
            tol: 1e-4,
            record: Record::Epoch,
        }
    }
}

impl Config {
    /// The widest layer and the deepest network that are accepted: sizes beyond them are slips
    /// of the keyboard, and refused before memory is asked for.
    pub const MAX_WIDTH: usize = 1 << 16;
    /// See [`Config::MAX_WIDTH`].
    pub const MAX_LAYERS: usize = 1 << 10;

    /// Reads hyperparameters from JSON and checks them.
    ///
    /// # Errors
    /// [`Error::Configuration`] for unknown names and wrong types, [`Error::Parameter`] for
    /// values out of range.
    pub fn from_json(text: &str) -> Result<Self> {
        read_json(text, Config::check)
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first value out of range.
    pub fn check(&self) -> Result<()> {
        if self.hidden_sizes.len() > Self::MAX_LAYERS {
            let layers = self.hidden_sizes.len();
            return Err(Error::parameter("hidden_sizes", "at most 1024 layers", layers));
        }
        for &width in &self.hidden_sizes {
            if !(1..=Self::MAX_WIDTH).contains(&width) {
                return Err(Error::parameter("hidden_sizes", "widths from 1 to 65536", width));
            }
        }
        let above_zero = [("learning_rate", self.learning_rate), ("init_std", self.init_std)];
        for (name, value) in above_zero {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::parameter(name, "finite and above 0", value));
            }
        }
        for (name, value) in [("l1", self.l1), ("l2", self.l2), ("tol", self.tol)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::parameter(name, "finite and at least 0", value));
            }
        }
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(Error::parameter("momentum", "in [0, 1)", self.momentum));
        }
        if self.nesterov && self.momentum == 0.0 {
            return Err(Error::parameter("nesterov", "false when momentum is 0", true));
        }
        if !(self.validation_fraction > 0.0 && self.validation_fraction < 1.0) {
            let value = self.validation_fraction;
            return Err(Error::parameter("validation_fraction", "in (0, 1)", value));
        }
        if self.batch_size == BatchSize::Samples(0) {
            return Err(Error::parameter("batch_size", "at least 1, or \"full\"", 0));
        }
        for (name, value) in [("epochs", self.epochs), ("patience", self.patience)] {
            if value == 0 {
                return Err(Error::parameter(name, "at least 1", value));
            }
        }
        self.learning_rate_schedule.check()
    }
}
