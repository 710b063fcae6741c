//! Inputs and results of training, and its listener.

use super::config::Config;
use super::table::Table;
use super::tree::Ensemble;
use crate::Result;

/// Rows with their classes.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    /// Raw features.
    pub table: Table<'a>,
    /// Class codes, below the number of classes.
    pub y: &'a [u32],
    /// Weights, finite and above zero; one each where absent.
    pub weight: Option<&'a [f64]>,
    /// Margins to start from, row-major, one for each output; added to the model's base.
    pub margin: Option<&'a [f64]>,
}

/// A metric that is computed after every round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Mean of minus the logarithm of the right class's probability.
    LogLoss,
    /// Share of rows whose likeliest class is wrong.
    Error,
    /// [`Listener::metric`] of the metric's index.
    Custom,
}

/// A metric and its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// How it is computed.
    pub kind: MetricKind,
    /// Whether larger is better.
    pub maximize: bool,
}

/// First and second derivatives of the loss by the margins, row-major, one for each output.
pub type Derivatives = (Vec<f64>, Vec<f64>);

/// Observes boosting and may stop it: an error ends training at once.
pub trait Listener {
    /// Called at least every 50 ms or so of training.
    ///
    /// # Errors
    /// The listener's reason to stop.
    fn poll(&mut self) -> Result<()>;

    /// Called after every round with the values of each evaluation set and, in it, each metric;
    /// true ends training, and keeps what was trained.
    ///
    /// # Errors
    /// The listener's reason to give up.
    fn round(&mut self, round: usize, values: &[Vec<f64>]) -> Result<bool>;

    /// Derivatives of a custom loss at the margins of the training rows, which are
    /// computed row-major on demand; none for softmax (logistic, for two classes)
    /// cross-entropy. Row weights are applied afterwards.
    ///
    /// # Errors
    /// The listener's reason to stop.
    fn derivatives(&mut self, margins: &dyn Fn() -> Vec<f64>) -> Result<Option<Derivatives>>;

    /// The value of a custom metric on an evaluation set at these margins, row-major.
    ///
    /// # Errors
    /// The listener's reason to stop.
    fn metric(&mut self, metric: usize, set: usize, margins: &[f64]) -> Result<f64>;
}

/// Inputs of training besides the rows.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Hyperparameters.
    pub config: &'a Config,
    /// The number of classes, at least one; outputs are one for two classes, else one per class.
    pub n_classes: usize,
    /// Which columns hold category codes.
    pub categorical: &'a [bool],
    /// The model to continue from; the rounds of the configuration are added to its rounds.
    pub start: Option<Ensemble>,
    /// Margin of each output before the first tree; none for the logarithms of the odds (for
    /// two classes) or the shares of the classes.
    pub base: Option<Vec<f64>>,
    /// Metrics of the evaluation sets.
    pub metrics: &'a [Metric],
    /// Seed of all random draws.
    pub seed: u64,
}

/// The result of training.
#[derive(Clone, Debug)]
pub struct Fit {
    /// The model, all rounds that were trained.
    pub ensemble: Ensemble,
    /// For each evaluation set and metric the value after each round of this training.
    pub history: Vec<Vec<Vec<f64>>>,
    /// With early stopping or without: the round, from one and counted with those of `start`,
    /// in which the last metric was best on the last evaluation set.
    pub best_round: Option<usize>,
}
