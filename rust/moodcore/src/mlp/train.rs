//! Epochs, curves, early stopping, divergence.

use super::config::{Config, Record};
use super::epoch::{Trainer, evaluate};
use super::network::State;
use crate::monitor::{EpochRecord, Monitor};
use crate::parallel::Compute;
use crate::{Error, Result, Samples};

/// The course of a training; one entry an epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Cross-entropy on the training rows, as met in the minibatches.
    pub loss: Vec<f64>,
    /// Share of training rows classified correctly, as met in the minibatches.
    pub accuracy: Vec<f64>,
    /// Cross-entropy on the evaluation rows after the epoch; empty without them.
    pub eval_loss: Vec<f64>,
    /// Accuracy on the evaluation rows after the epoch; empty without them.
    pub eval_accuracy: Vec<f64>,
    /// With [`Record::Update`]: the mean loss of every minibatch, before its update.
    pub update_loss: Vec<f32>,
}

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs ran.
    Finished,
    /// The evaluation loss no longer fell.
    EarlyStopped,
    /// The loss became infinite or NaN; the state is the last whose loss was finite.
    Diverged {
        /// The epoch in which it happened, from one.
        epoch: usize,
        /// The update of that epoch, from one.
        update: usize,
    },
}

/// A finished training.
#[derive(Clone, Debug)]
pub struct Fit {
    /// Weights, velocities and the number of epochs behind them.
    pub state: State,
    /// The course.
    pub history: History,
    /// Why it ended.
    pub outcome: Outcome,
    /// With early stopping: the epoch, counted from one, whose state this is.
    pub best_epoch: Option<usize>,
}

/// Trains `state` for `config.epochs` more epochs.
///
/// # Errors
/// [`Error::Parameter`] for a configuration out of range, [`Error::Data`] when samples and
/// network do not fit together, and whatever the monitor stops with.
pub fn fit(
    config: &Config,
    samples: Samples<'_>,
    eval: Option<Samples<'_>>,
    state: State,
    seed: u64,
    compute: Compute<'_>,
    monitor: &mut dyn Monitor,
) -> Result<Fit> {
    config.check()?;
    check_shapes(&samples, &state)?;
    if let Some(eval) = &eval {
        check_shapes(eval, &state)?;
    }
    if config.early_stopping && eval.is_none() {
        return Err(Error::Data("early_stopping needs evaluation samples".into()));
    }
    let trainer = Trainer::new(config, samples, &state.network, seed, compute);
    let best = config.early_stopping.then(|| Best { loss: f64::INFINITY, state: state.clone() });
    let history = History::default();
    Run { trainer, eval, before: state.clone(), previous: None, state, history, best }.run(monitor)
}

fn check_shapes(samples: &Samples<'_>, state: &State) -> Result<()> {
    let network = &state.network;
    let (features, classes) = (network.n_features(), network.n_classes());
    if (samples.n_features(), samples.n_classes()) != (features, classes) {
        return Err(Error::Data(format!(
            "the network has {features} features and {classes} classes, the samples {} and {}",
            samples.n_features(),
            samples.n_classes()
        )));
    }
    Ok(())
}

/// The best state so far, for early stopping.
struct Best {
    loss: f64,
    state: State,
}

struct Run<'a> {
    trainer: Trainer<'a>,
    eval: Option<Samples<'a>>,
    state: State,
    /// The state before this epoch, and the one before that: where divergence goes back to.
    before: State,
    previous: Option<State>,
    history: History,
    best: Option<Best>,
}

impl Run<'_> {
    fn run(mut self, monitor: &mut dyn Monitor) -> Result<Fit> {
        let (first, epochs) = (self.state.epoch, self.trainer.config.epochs);
        let mut outcome = Outcome::Finished;
        while self.state.epoch < first + epochs {
            if let Some(update) = self.epoch(monitor)? {
                let epoch = self.before.epoch - first + 1;
                self.go_back(update, monitor)?;
                outcome = Outcome::Diverged { epoch, update: update + 1 };
                break;
            }
            self.report(first, monitor)?;
            if self.has_stalled() {
                outcome = Outcome::EarlyStopped;
                break;
            }
        }
        let mut best_epoch = None;
        if let Some(best) = self.best.filter(|best| best.loss.is_finite()) {
            best_epoch = Some(best.state.epoch - first);
            self.state = best.state;
        }
        Ok(Fit { state: self.state, history: self.history, outcome, best_epoch })
    }

    /// Runs one epoch; the update whose loss was not finite, if there was one.
    fn epoch(&mut self, monitor: &mut dyn Monitor) -> Result<Option<usize>> {
        let by_update = self.trainer.config.record == Record::Update;
        let losses = by_update.then_some(&mut self.history.update_loss);
        let pass = self.trainer.pass(&mut self.state, usize::MAX, losses, monitor)?;
        if pass.diverged.is_none() {
            self.history.loss.push(pass.sums.loss / pass.weight);
            self.history.accuracy.push(pass.sums.correct / pass.weight);
        }
        Ok(pass.diverged)
    }

    /// Evaluates, tells the monitor, and remembers the best and the last states.
    fn report(&mut self, first: usize, monitor: &mut dyn Monitor) -> Result<()> {
        let mut record = EpochRecord {
            epoch: self.state.epoch - first,
            loss: self.history.loss[self.history.loss.len() - 1],
            accuracy: self.history.accuracy[self.history.accuracy.len() - 1],
            eval: None,
        };
        if let Some(eval) = &self.eval {
            let Trainer { compute, workspaces, .. } = &mut self.trainer;
            let state = &self.state;
            let (sums, weight) =
                evaluate(&state.network, &state.weights, eval, *compute, workspaces);
            let (loss, accuracy) = (sums.loss / weight, sums.correct / weight);
            self.history.eval_loss.push(loss);
            self.history.eval_accuracy.push(accuracy);
            record.eval = Some((loss, accuracy));
            let tol = self.trainer.config.tol;
            if let Some(best) = self.best.as_mut().filter(|best| loss < best.loss - tol) {
                *best = Best { loss, state: state.clone() };
            }
        }
        let older = std::mem::replace(&mut self.before, self.state.clone());
        self.previous = Some(older);
        monitor.epoch(&record)
    }

    fn has_stalled(&self) -> bool {
        let patience = self.trainer.config.patience;
        self.best.as_ref().is_some_and(|best| self.state.epoch - best.state.epoch >= patience)
    }

    /// Returns to the last state whose loss was finite, by running its epoch once more up to
    /// there: training is a pure function of the state, so this is the same path.
    fn go_back(&mut self, update: usize, monitor: &mut dyn Monitor) -> Result<()> {
        let (start, updates) = match (update, self.previous.take()) {
            (0, Some(previous)) => (previous, self.trainer.n_updates() - 1),
            (0, None) => (self.before.clone(), 0),
            (update, _) => (self.before.clone(), update - 1),
        };
        self.state = start;
        // Fresh workspaces: the old ones hold the infinities.
        let Trainer { config, samples, seed, compute, .. } = self.trainer;
        self.trainer = Trainer::new(config, samples, &self.state.network, seed, compute);
        self.trainer.pass(&mut self.state, updates, None, monitor)?;
        Ok(())
    }
}
