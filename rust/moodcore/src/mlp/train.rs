//! Epochs, curves, early stopping, divergence.

use super::config::{Config, EvalMetric, Record};
use super::epoch::{Trainer, evaluate};
use super::network::State;
use crate::monitor::{EpochRecord, Monitor};
use crate::parallel::Compute;
use crate::{Error, Result, Samples};

/// The learning curves of training, one entry per epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Cross-entropy on the training rows, computed in the minibatches.
    pub loss: Vec<f64>,
    /// Share of training rows classified correctly, computed in the minibatches.
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
    /// The evaluation metric no longer improved.
    EarlyStopped,
    /// The training loss no longer fell.
    Converged,
    /// The monitor ended training.
    Ended,
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
    /// Weights, velocities and the number of epochs.
    pub state: State,
    /// The learning curves.
    pub history: History,
    /// Why it ended.
    pub outcome: Outcome,
    /// With early stopping: the epoch, counted from one, whose state this is.
    pub best_epoch: Option<usize>,
}

/// The rows of a training.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// Those that are trained on.
    pub train: Samples<'a>,
    /// The weight of all training rows, by whose mean the weights of single rows are divided;
    /// `None` for their sum. A table that comes in parts has its number of rows here, so that
    /// weights mean the same in all parts.
    pub total_weight: Option<f64>,
    /// Those on which loss and accuracy are computed after every epoch.
    pub eval: Option<Samples<'a>>,
}

impl<'a> Rows<'a> {
    /// Training rows alone.
    pub fn train(train: Samples<'a>) -> Self {
        Rows { train, total_weight: None, eval: None }
    }
}

/// Trains `state` for `config.epochs` more epochs.
///
/// A row of weight two counts as two rows of weight one: a batch steps along the sum of its rows'
/// weighted gradients, divided by its number of rows and by the mean weight of all training rows.
///
/// # Errors
/// [`Error::Parameter`] for a configuration out of range, [`Error::Data`] when samples and
/// network do not fit together, and whatever the monitor stops with.
pub fn fit(
    config: &Config,
    rows: Rows<'_>,
    mut state: State,
    seed: u64,
    compute: Compute<'_>,
    monitor: &mut dyn Monitor,
) -> Result<Fit> {
    config.check()?;
    let Rows { train, total_weight, eval } = rows;
    check_shapes(&train, &state)?;
    if config.activation != state.network.activation() {
        let (trained, new) = (state.network.activation().name(), config.activation.name());
        return Err(Error::Data(format!(
            "activation must stay '{trained}' when training continues, got '{new}'"
        )));
    }
    if config.n_networks != state.network.n_networks() {
        let (trained, new) = (state.network.n_networks(), config.n_networks);
        return Err(Error::Data(format!(
            "n_networks must stay {trained} when training continues, got {new}"
        )));
    }
    if total_weight.is_some_and(|weight| !(weight > 0.0 && weight.is_finite())) {
        return Err(Error::Data("the weight of all rows must be finite and above zero".into()));
    }
    if let Some(eval) = &eval {
        check_shapes(eval, &state)?;
    }
    if config.early_stopping && eval.is_none() {
        return Err(Error::Data("early_stopping needs evaluation samples".into()));
    }
    state.prepare(config.optimizer);
    let trainer = Trainer::new(config, train, total_weight, &state, seed, compute);
    let mut run = Run {
        trainer,
        total_weight,
        eval,
        before: state.clone(),
        previous: None,
        best: None,
        lowest: Lowest { loss: f64::INFINITY, epoch: state.epoch },
        state,
        history: History::default(),
    };
    if config.early_stopping {
        run.best = Some(run.first_best());
    }
    run.run(monitor)
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
    accuracy: f64,
    state: State,
}

impl Best {
    /// Whether an epoch is better than this one by more than `tol`.
    fn is_improved_by(&self, loss: f64, accuracy: f64, metric: EvalMetric, tol: f64) -> bool {
        match metric {
            EvalMetric::Logloss => loss < self.loss - tol,
            EvalMetric::Accuracy => {
                accuracy > self.accuracy + tol
                    || (accuracy >= self.accuracy && loss < self.loss - tol)
            }
        }
    }
}

/// The lowest training loss so far and its epoch.
struct Lowest {
    loss: f64,
    epoch: usize,
}

struct Run<'a> {
    trainer: Trainer<'a>,
    total_weight: Option<f64>,
    lowest: Lowest,
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
            if self.report(first, monitor)? {
                outcome = Outcome::Ended;
                break;
            }
            if self.has_stalled() {
                outcome = Outcome::EarlyStopped;
                break;
            }
            if self.has_converged() {
                outcome = Outcome::Converged;
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

    /// Evaluates, remembers the best and the last states, and calls the monitor; returns whether
    /// the monitor ends training.
    fn report(&mut self, first: usize, monitor: &mut dyn Monitor) -> Result<bool> {
        let mut record = EpochRecord {
            epoch: self.state.epoch - first,
            loss: self.history.loss[self.history.loss.len() - 1],
            accuracy: self.history.accuracy[self.history.accuracy.len() - 1],
            eval: None,
        };
        if let Some(eval) = &self.eval {
            let state = &self.state;
            let (loss, accuracy) = scores(&mut self.trainer, state, eval);
            self.history.eval_loss.push(loss);
            self.history.eval_accuracy.push(accuracy);
            record.eval = Some((loss, accuracy));
            let Config { tol, eval_metric, .. } = *self.trainer.config;
            if let Some(best) = &mut self.best
                && best.is_improved_by(loss, accuracy, eval_metric, tol)
            {
                *best = Best { loss, accuracy, state: state.clone() };
            }
        }
        let older = std::mem::replace(&mut self.before, self.state.clone());
        self.previous = Some(older);
        monitor.epoch(&record)
    }

    /// The state from which training starts: the best so far where a training continues, so that
    /// it does not end with a worse one.
    fn first_best(&mut self) -> Best {
        let state = self.state.clone();
        let (mut loss, mut accuracy) = (f64::INFINITY, 0.0);
        if let Some(eval) = self.eval.as_ref().filter(|_| state.epoch > 0) {
            (loss, accuracy) = scores(&mut self.trainer, &state, eval);
        }
        Best { loss, accuracy, state }
    }

    /// Whether the training loss has not fallen by `tol` for `n_iter_no_change` epochs.
    fn has_converged(&mut self) -> bool {
        let Config { tol, n_iter_no_change, .. } = *self.trainer.config;
        let Some(patience) = n_iter_no_change else { return false };
        let loss = self.history.loss[self.history.loss.len() - 1];
        if loss < self.lowest.loss - tol {
            self.lowest = Lowest { loss, epoch: self.state.epoch };
        }
        self.state.epoch - self.lowest.epoch >= patience
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
        let Trainer { config, samples, seed, first_epoch, compute, .. } = self.trainer;
        self.trainer = Trainer::new(config, samples, self.total_weight, &self.state, seed, compute);
        self.trainer.first_epoch = first_epoch;
        self.trainer.pass(&mut self.state, updates, None, monitor)?;
        Ok(())
    }
}

/// Loss and accuracy of a state on evaluation rows.
fn scores(trainer: &mut Trainer<'_>, state: &State, eval: &Samples<'_>) -> (f64, f64) {
    let Trainer { compute, workspaces, .. } = trainer;
    let (sums, weight) = evaluate(&state.network, &state.weights, eval, *compute, workspaces);
    (sums.loss / weight, sums.correct / weight)
}
