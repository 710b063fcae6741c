//! The hyperparameters: names, defaults and ranges. The ranges are checked here and nowhere else.

use super::schedule::{Schedule, ScheduleKind};
use crate::kernels::Curve;
use crate::parameters::{name_or_table, read_json};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The optimizer, which computes a step from a gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Stochastic gradient descent, with momentum or without.
    Sgd,
    /// Adam (Kingma and Ba 2015, algorithm 1); with `weight_decay`, `AdamW`.
    Adam,
}

/// Activation function of the hidden layers. The derivative of each is a function of its output,
/// so that inputs of activations need not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(0, x)`
    Relu,
    /// `x` above zero, else `x / 100`.
    LeakyRelu,
    /// Hyperbolic tangent.
    Tanh,
    /// Scaled exponential linear unit (Klambauer et al. 2017, equation 2).
    Selu,
}

impl Activation {
    /// The kernel's name of every function but ReLU, which has kernels of its own.
    #[inline(always)]
    pub(super) fn curve(self) -> Option<Curve> {
        match self {
            Activation::Relu => None,
            Activation::LeakyRelu => Some(Curve::LeakyRelu),
            Activation::Tanh => Some(Curve::Tanh),
            Activation::Selu => Some(Curve::Selu),
        }
    }

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::LeakyRelu => "leaky_relu",
            Activation::Tanh => "tanh",
            Activation::Selu => "selu",
        }
    }

    /// The function of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        let all = [Activation::Relu, Activation::LeakyRelu, Activation::Tanh, Activation::Selu];
        all.into_iter().find(|activation| activation.name() == name)
    }
}

/// The metric by which early stopping compares epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EvalMetric {
    /// Mean cross-entropy, minimized.
    #[default]
    Logloss,
    /// Share of rows classified correctly, maximized; among equals the smaller loss.
    Accuracy,
}

/// How first weights are drawn; biases start at zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// Normal with variance 2 / inputs, which keeps the size of ReLU activations from layer to
    /// layer (He, Zhang, Ren and Sun 2015, equation 10).
    He,
    /// Normal with variance 1 / inputs, for tanh and SELU (`LeCun` et al. 1998, equation 16).
    Lecun,
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
    /// This many (the last batch of an epoch may be smaller).
    Samples(usize),
    /// All samples: batch gradient descent.
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
    /// Networks of these sizes that are trained together and whose scores are averaged, 1 to 1024.
    pub n_networks: usize,
    /// Activation function of the hidden layers.
    pub activation: Activation,
    /// The optimizer, which computes a step from a gradient.
    pub optimizer: Optimizer,
    /// Step size, above 0.
    pub learning_rate: f64,
    /// Momentum: fraction of the previous step that is kept, in [0, 1); for Adam the decay
    /// rate of the mean gradient, `beta_1`.
    pub momentum: f64,
    /// For Adam: decay rate of the mean squared gradient, in [0, 1).
    pub beta2: f64,
    /// For Adam: what is added to the root of the mean squared gradient, above 0.
    pub epsilon: f64,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
    /// Samples in one weight update.
    pub batch_size: BatchSize,
    /// Passes over the data, at least 1.
    pub epochs: usize,
    /// Weight of the sum of absolute weights in the objective.
    pub l1: f64,
    /// Weight of half the sum of squared weights in the objective.
    pub l2: f64,
    /// Decoupled weight decay: each update multiplies weights by `1 - rate * weight_decay`
    /// (Loshchilov and Hutter 2019, algorithm 2).
    pub weight_decay: f64,
    /// Share of the outputs of hidden layers that training sets to zero, in [0, 1).
    pub dropout: f64,
    /// Share of each target that is spread evenly over the classes, in [0, 1).
    pub label_smoothing: f64,
    /// Distribution of the initial weights.
    pub init: Init,
    /// Standard deviation of the initial weights if `init` is normal.
    pub init_std: f64,
    /// Schedule of the learning rate.
    #[serde(deserialize_with = "name_or_table")]
    pub learning_rate_schedule: Schedule,
    /// Whether to stop when the evaluation metric no longer improves, and keep the best weights.
    pub early_stopping: bool,
    /// The metric by which early stopping compares epochs.
    pub eval_metric: EvalMetric,
    /// Share of the training rows that the caller holds out for early stopping, in (0, 1).
    pub validation_fraction: f64,
    /// Epochs without improvement before early stopping, at least 1.
    pub patience: usize,
    /// Minimum change of a loss or metric that counts as an improvement.
    pub tol: f64,
    /// Epochs without a fall of the training loss before training stops; `None` for no limit.
    pub n_iter_no_change: Option<usize>,
    /// What the history holds.
    pub record: Record,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            hidden_sizes: vec![64, 64],
            n_networks: 2,
            activation: Activation::Tanh,
            optimizer: Optimizer::Adam,
            learning_rate: 0.01,
            momentum: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            nesterov: false,
            batch_size: BatchSize::Samples(64),
            epochs: 40,
            l1: 0.0,
            l2: 0.0,
            weight_decay: 0.1,
            dropout: 0.0,
            label_smoothing: 0.0,
            init: Init::Lecun,
            init_std: 0.01,
            learning_rate_schedule: Schedule { kind: ScheduleKind::Cosine, ..Schedule::default() },
            early_stopping: false,
            eval_metric: EvalMetric::Logloss,
            validation_fraction: 0.1,
            patience: 12,
            tol: 1e-4,
            n_iter_no_change: None,
            record: Record::Epoch,
        }
    }
}

impl Config {
    /// The widest layer and the deepest network that are accepted: sizes beyond them are typing
    /// errors, and refused before memory is allocated.
    pub const MAX_WIDTH: usize = 1 << 16;
    /// See [`Config::MAX_WIDTH`].
    pub const MAX_LAYERS: usize = 1 << 10;
    /// The largest number of networks that is accepted.
    pub const MAX_NETWORKS: usize = 1 << 10;

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
        if !(1..=Self::MAX_NETWORKS).contains(&self.n_networks) {
            return Err(Error::parameter("n_networks", "from 1 to 1024", self.n_networks));
        }
        let above_zero = [
            ("learning_rate", self.learning_rate),
            ("init_std", self.init_std),
            ("epsilon", self.epsilon),
        ];
        for (name, value) in above_zero {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::parameter(name, "finite and above 0", value));
            }
        }
        let at_least_zero = [
            ("l1", self.l1),
            ("l2", self.l2),
            ("weight_decay", self.weight_decay),
            ("tol", self.tol),
        ];
        for (name, value) in at_least_zero {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::parameter(name, "finite and at least 0", value));
            }
        }
        let shares = [
            ("momentum", self.momentum),
            ("beta2", self.beta2),
            ("dropout", self.dropout),
            ("label_smoothing", self.label_smoothing),
        ];
        for (name, value) in shares {
            if !(0.0..1.0).contains(&value) {
                return Err(Error::parameter(name, "in [0, 1)", value));
            }
        }
        if self.nesterov && self.optimizer == Optimizer::Adam {
            return Err(Error::parameter("nesterov", "False when optimizer is 'adam'", "True"));
        }
        if self.nesterov && self.momentum == 0.0 {
            return Err(Error::parameter("nesterov", "False when momentum is 0", "True"));
        }
        if !(self.validation_fraction > 0.0 && self.validation_fraction < 1.0) {
            let value = self.validation_fraction;
            return Err(Error::parameter("validation_fraction", "in (0, 1)", value));
        }
        if self.batch_size == BatchSize::Samples(0) {
            return Err(Error::parameter("batch_size", "at least 1, or \"full\"", 0));
        }
        let counts = [
            ("epochs", self.epochs),
            ("patience", self.patience),
            ("n_iter_no_change", self.n_iter_no_change.unwrap_or(1)),
        ];
        for (name, value) in counts {
            if value == 0 {
                return Err(Error::parameter(name, "at least 1", value));
            }
        }
        self.learning_rate_schedule.check()
    }
}
