//! Inputs and results of training, and its listener.

use super::binned::Features;
use super::config::Config;
use super::shard::Shard;
use super::tree::Ensemble;
use crate::{Error, Result};

/// Rows with their classes.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    /// Features: raw values, or their bins.
    pub features: Features<'a>,
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
    /// Log loss: mean negative logarithm of the probability of the true class.
    LogLoss,
    /// Error rate: fraction of rows whose most probable class is wrong.
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

/// Mean cross-entropy of the training rows, and the fraction whose most probable class is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingLoss {
    /// Log loss: mean negative logarithm of the probability of the true class.
    pub loss: f64,
    /// Fraction of rows whose most probable class is wrong.
    pub error: f64,
}

/// Observes boosting and may stop it: an error ends training at once.
pub trait Listener {
    /// Called at least every 50 ms or so of training.
    ///
    /// # Errors
    /// The listener's reason to stop.
    fn poll(&mut self) -> Result<()>;

    /// Called after every round with the values of each evaluation set and, in it, each metric;
    /// true ends training, and keeps what was trained. `training` computes the loss and the error
    /// of the training rows.
    ///
    /// # Errors
    /// The listener's reason to stop.
    fn round(
        &mut self,
        round: usize,
        values: &[Vec<f64>],
        training: &dyn Fn() -> TrainingLoss,
    ) -> Result<bool>;

    /// Called after every round with the model so far, the values of all rounds, and the best
    /// round: from these, training can resume ([`Plan::resume`]).
    ///
    /// # Errors
    /// The listener's reason to give up.
    fn finished(
        &mut self,
        _ensemble: &Ensemble,
        _history: &[Vec<Vec<f64>>],
        _best: Option<BestRound>,
    ) -> Result<()> {
        Ok(())
    }

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
    /// The rows among those of all hosts, if several hosts train the model.
    pub shard: Option<Shard<'a>>,
    /// How far a training came that this one resumes: `start` is the model that it left.
    pub resume: Option<Progress>,
}

/// How far a training came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The number of rounds of the model that it continued from; 0 if it started anew.
    pub first: usize,
    /// For each evaluation set and metric the value after each of its rounds.
    pub history: Vec<Vec<Vec<f64>>>,
    /// Its best round.
    pub best: Option<BestRound>,
}

/// A round and its value of the metric that decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BestRound {
    /// The round, from one and counted with those of the model that training continued from.
    pub round: usize,
    /// The value of the metric.
    pub value: f64,
}

/// The result of training.
#[derive(Debug)]
pub struct Fit {
    /// The model, with all rounds that were trained; after DART with early stopping with the
    /// rounds up to the best, because later rounds have scaled earlier trees.
    pub ensemble: Ensemble,
    /// For each evaluation set and metric the value after each round of this training.
    pub history: Vec<Vec<Vec<f64>>>,
    /// The best round by the last metric on the last evaluation set, with early stopping or
    /// without.
    pub best: Option<BestRound>,
    /// The number of splits of the new trees.
    pub n_splits: usize,
    /// Why training on several hosts ended early: another host was lost. The model has the rounds
    /// that were finished, and a training of the remaining hosts can resume from it.
    pub interrupted: Option<Error>,
}
