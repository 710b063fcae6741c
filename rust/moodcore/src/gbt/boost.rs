//! Boosting: round after round of derivatives, trees and new margins.

use super::config::{BoostingKind, Config};
use super::context::Bins;
use super::early_stopping::EarlyStopping;
use super::gradients::Gradients;
use super::margins::{Margins, RoutedRows, add_routed, outputs_of, row_major};
use super::prepared::{Followed, Prepared};
use super::round_trees::RoundRules;
use super::sampling::{dropped_rounds, goss, subsample};
use super::score::Rules;
use super::shard::Shard;
use super::training::{Fit, Listener, Metric, MetricKind, Plan, Progress, Rows};
use super::tree::{Ensemble, Tree};
use super::weights::Weights;
use super::workspace::Workspace;
use crate::parallel::{Compute, attended_if};
use crate::rng::{Purpose, Stream};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// If there are more margins than this, another thread polls while losses are computed.
pub(super) const LONG_ROWS: usize = 1 << 20;

/// Trains an ensemble.
///
/// # Errors
/// [`crate::Error::Data`] when the parts do not fit, [`crate::Error::Parameter`] for hyperparameters
/// that do not fit the data, and the listener's reasons to stop.
pub fn fit(
    plan: Plan<'_>,
    train: &Rows<'_>,
    eval: &[Rows<'_>],
    compute: Compute<'_>,
    listener: &mut dyn Listener,
) -> Result<Fit> {
    plan.config.check()?;
    plan.check(train, eval)?;
    let mut boosting = Boosting::new(&plan, train, eval, compute, listener)?;
    let resume = plan.resume.clone().unwrap_or_else(|| Progress {
        first: boosting.ensemble.n_rounds(),
        history: boosting.no_history(plan.metrics),
        best: None,
    });
    boosting.history = resume.history;
    let mut finished = boosting.ensemble.n_rounds();
    let mut stopping = EarlyStopping::new(plan.metrics.last(), plan.config.early_stopping_rounds)
        .with_best(resume.best);
    let ended = boosting.rounds(&plan, resume.first, &mut finished, &mut stopping, listener);
    let interrupted = match ended {
        Err(error) if plan.shard.is_some() => Some(error),
        other => other.map(|()| None)?,
    };
    let per_round = boosting.ensemble.trees_per_round;
    boosting.ensemble.trees.truncate(finished * per_round);
    let n_splits = boosting.ensemble.trees[resume.first * per_round..]
        .iter()
        .map(|tree| tree.nodes.len() / 2)
        .sum();
    if let (Some(best), Some(_), None) =
        (stopping.best, plan.config.early_stopping_rounds, &interrupted)
    {
        boosting.restore(best.round);
    }
    Ok(Fit {
        ensemble: boosting.ensemble,
        history: boosting.history,
        best: stopping.best,
        n_splits,
        interrupted,
    })
}

/// State of a training run.
pub(super) struct Boosting<'a> {
    pub(super) config: &'a Config,
    pub(super) compute: Compute<'a>,
    pub(super) seed: u64,
    pub(super) rules: Rules,
    pub(super) bins: Bins,
    pub(super) y: &'a [u32],
    pub(super) weights: Weights,
    pub(super) margins: Margins,
    pub(super) gradients: Gradients,
    pub(super) eval: Vec<Followed<'a>>,
    pub(super) ensemble: Ensemble,
    pub(super) history: Vec<Vec<Vec<f64>>>,
    /// The values of trees that DART has scaled since the best round, as they were then; stays
    /// empty without early stopping.
    pub(super) before_scaling: BTreeMap<usize, Vec<f64>>,
    pub(super) workspaces: Mutex<Vec<Workspace>>,
    pub(super) shard: Option<Shard<'a>>,
}

impl<'a> Boosting<'a> {
    const INTERVAL: Duration = Duration::from_millis(20);

    fn new(
        plan: &Plan<'a>,
        train: &Rows<'a>,
        eval: &[Rows<'a>],
        compute: Compute<'a>,
        listener: &mut dyn Listener,
    ) -> Result<Self> {
        let Prepared { bins, weights, margins, eval, ensemble } =
            Prepared::new(plan, train, eval, compute, listener)?;
        let mut boosting = Boosting {
            config: plan.config,
            compute,
            seed: plan.seed,
            rules: Rules::of(plan.config),
            gradients: Gradients::new(plan.n_outputs(), train.y.len()),
            history: Vec::new(),
            bins,
            y: train.y,
            weights,
            margins,
            eval,
            ensemble,
            before_scaling: BTreeMap::new(),
            workspaces: Mutex::new(Vec::new()),
            shard: plan.shard,
        };
        for tree in plan.start.iter().flat_map(|start| &start.trees) {
            listener.poll()?;
            boosting.add_everywhere(tree, 1.0);
            boosting.ensemble.trees.push(tree.clone());
        }
        Ok(boosting)
    }

    /// Trains the rounds that the plan has after the `first` of a model that it continues from,
    /// and keeps the number of rounds that are finished.
    fn rounds(
        &mut self,
        plan: &Plan<'_>,
        first: usize,
        finished: &mut usize,
        stopping: &mut EarlyStopping,
        listener: &mut dyn Listener,
    ) -> Result<()> {
        let n_rounds = if plan.n_classes == 1 { 0 } else { plan.config.n_estimators };
        let stops_early = plan.config.early_stopping_rounds.is_some();
        if plan.resume.is_some() {
            self.check_resumed(plan.metrics, listener)?;
        } else if *finished > 0 && plan.resume.is_none() && n_rounds > 0 && stops_early {
            // New rounds must be better than the model that training continues from.
            let values = self.measure(plan.metrics, listener)?;
            stopping.observe(*finished, &values);
        }
        let mut looked = Instant::now();
        for round in *finished..first + n_rounds {
            if stopping.is_exhausted(round) {
                break;
            }
            self.round(round, listener)?;
            if looked.elapsed() > Boosting::INTERVAL {
                listener.poll()?;
                looked = Instant::now();
            }
            let values = self.measure(plan.metrics, listener)?;
            let stop_requested = self.report(round + 1, &values, listener)?;
            self.record(&values);
            if stopping.observe(round + 1, &values) {
                self.before_scaling.clear();
            }
            *finished = round + 1;
            listener.finished(&self.ensemble, &self.history, stopping.best)?;
            if stop_requested {
                break;
            }
        }
        Ok(())
    }

    /// Checks that the metrics of a resumed training are those that were recorded last.
    fn check_resumed(&mut self, metrics: &[Metric], listener: &mut dyn Listener) -> Result<()> {
        if self.history.iter().flatten().all(Vec::is_empty) {
            return Ok(());
        }
        for (set, values) in self.measure(metrics, listener)?.iter().enumerate() {
            let last = |at: usize| self.history[set][at].last().copied().unwrap_or(f64::NAN);
            let differs = |&at: &usize| last(at).to_bits() != values[at].to_bits();
            // A callable may return other values for the same rows.
            let built_in = |at: &usize| metrics[*at].kind != MetricKind::Custom;
            if let Some(at) = (0..values.len()).filter(built_in).find(differs) {
                return Err(Error::Data(format!(
                    "training resumes on other rows: evaluation set {set} has a metric of {} \
                     where it was {}",
                    values[at],
                    last(at)
                )));
            }
        }
        Ok(())
    }

    /// Adds the values of a tree, times a factor, to all margins.
    fn add_everywhere(&mut self, tree: &Tree, factor: f64) {
        let (isa, team) = (self.compute.isa, Some(self.compute.team));
        let mut workspace = self.take_workspace();
        let outputs = outputs_of(tree, self.margins.len());
        let within = outputs.first..outputs.first + outputs.count;
        let margins = &mut self.margins[within.clone()];
        let rows = RoutedRows { columns: &self.bins.columns, except: &[] };
        add_routed(tree, factor, rows, margins, &mut workspace, (isa, team));
        for set in &mut self.eval {
            add_routed(
                tree,
                factor,
                RoutedRows { columns: &set.columns, except: &[] },
                &mut set.margins[within.clone()],
                &mut workspace,
                (isa, team),
            );
        }
        self.return_workspace(workspace);
    }

    pub(super) fn take_workspace(&self) -> Workspace {
        self.workspaces.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub(super) fn return_workspace(&self, workspace: Workspace) {
        self.workspaces.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
    }

    /// One round: derivatives, trees, margins.
    fn round(&mut self, round: usize, listener: &mut dyn Listener) -> Result<()> {
        let kind = self.config.boosting.kind;
        let dropped = if kind == BoostingKind::Dart {
            dropped_rounds(self.config.boosting, self.seed, round)
        } else {
            Vec::new()
        };
        self.scale_rounds(&dropped, -1.0, None);
        self.differentiate(listener)?;
        let stream = Stream::new(self.seed, Purpose::Rows, round as u64);
        let sample = match (kind, self.shard) {
            (BoostingKind::Goss, shard) => {
                Some(goss(&mut self.gradients, self.config.boosting, &stream, shard, self.compute)?)
            }
            (_, None) => subsample(self.y.len(), self.config.subsample, &stream, self.compute),
            (_, Some(shard)) => shard.subsample(&stream, self.config.subsample, self.compute)?,
        };
        // DART's normalization (Rashmi and Gilad-Bachrach 2015, algorithm 1): the new tree and
        // the dropped ones together weigh as much as the dropped ones did.
        let k = dropped.len() as f64;
        let rules = RoundRules { round, sample: sample.as_deref(), factor: 1.0 / (k + 1.0) };
        let grown = self.grow_trees(rules, listener)?;
        self.scale_rounds(&dropped, 1.0, Some(k / (k + 1.0)));
        self.ensemble.trees.extend(grown);
        Ok(())
    }

    /// Adds the trees of some rounds to the margins `sign` times, after scaling them permanently.
    fn scale_rounds(&mut self, rounds: &[usize], sign: f64, scale: Option<f64>) {
        let per_round = self.ensemble.trees_per_round;
        for &round in rounds {
            for at in round * per_round..(round + 1) * per_round {
                let mut tree = std::mem::replace(&mut self.ensemble.trees[at], Tree::empty());
                if let Some(scale) = scale {
                    if self.config.early_stopping_rounds.is_some() {
                        self.before_scaling.entry(at).or_insert_with(|| tree.values.clone());
                    }
                    tree.values.iter_mut().for_each(|value| *value *= scale);
                }
                self.add_everywhere(&tree, sign);
                self.ensemble.trees[at] = tree;
            }
        }
    }

    /// Restores the model of a round of DART: later rounds have scaled its trees. Without DART the
    /// trees of a round never change, and later rounds stay in the model.
    fn restore(&mut self, round: usize) {
        if self.config.boosting.kind != BoostingKind::Dart {
            return;
        }
        self.ensemble.trees.truncate(round * self.ensemble.trees_per_round);
        for (at, values) in std::mem::take(&mut self.before_scaling) {
            if let Some(tree) = self.ensemble.trees.get_mut(at) {
                tree.values = values;
            }
        }
    }

    fn differentiate(&mut self, listener: &mut dyn Listener) -> Result<()> {
        let Boosting { margins, gradients, weights, config, shard, y, compute, .. } = self;
        // Room for the amplification of sampled rows.
        let room = match config.boosting.kind {
            BoostingKind::Goss => (1.0 - config.boosting.top_rate) / config.boosting.other_rate,
            _ => 1.0,
        };
        match listener.derivatives(&|| row_major(margins))? {
            Some(derivatives) => gradients.custom(&derivatives, weights, room, *shard),
            None => {
                let long = y.len() * margins.len() > LONG_ROWS;
                attended_if(long, &mut || listener.poll(), |stop| {
                    gradients.softmax(margins, y, weights, room, *compute, stop);
                })
            }
        }
    }
}
