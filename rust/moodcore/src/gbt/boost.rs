//! Boosting: round after round of derivatives, trees and new margins.

use super::config::{BoostingKind, Config};
use super::early_stopping::EarlyStopping;
use super::gradients::{Gradients, measure};
use super::grow::{Bins, GrownTree, Outputs, TrainingContext, TreeSpec, grow};
use super::margins::{Margins, add_leaves, add_routed, outputs_of, row_major};
use super::prepared::{Followed, Prepared};
use super::sampling::{dropped_rounds, goss, subsample};
use super::score::Rules;
use super::training::{Fit, Listener, Metric, MetricKind, Plan, Rows, TrainingLoss};
use super::tree::{Ensemble, Tree};
use super::weights::Weights;
use super::workspace::Workspace;
use crate::Result;
use crate::parallel::{Compute, attended};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    let first = boosting.ensemble.n_rounds();
    let n_rounds = if plan.n_classes == 1 { 0 } else { plan.config.n_estimators };
    let patience = plan.config.early_stopping_rounds;
    let mut stopping = EarlyStopping::new(plan.metrics.last(), patience);
    if first > 0 && n_rounds > 0 && patience.is_some() {
        // New rounds must be better than the model that training continues from.
        let values = boosting.measure(plan.metrics, listener)?;
        stopping.observe(first, &values);
    }
    let mut looked = Instant::now();
    for round in first..first + n_rounds {
        boosting.round(round, listener)?;
        if looked.elapsed() > Boosting::INTERVAL {
            listener.poll()?;
            looked = Instant::now();
        }
        let values = boosting.measure(plan.metrics, listener)?;
        boosting.record(&values);
        if stopping.observe(round + 1, &values) {
            boosting.before_scaling.clear();
        }
        let stop_requested = listener.round(round + 1, &values, &|| boosting.training_loss())?;
        if stop_requested || stopping.is_exhausted(round + 1) {
            break;
        }
    }
    let n_splits = boosting.ensemble.trees[first * boosting.ensemble.trees_per_round..]
        .iter()
        .map(|tree| tree.nodes.len() / 2)
        .sum();
    if let (Some(best), Some(_)) = (stopping.best, patience) {
        boosting.restore(best.round);
    }
    Ok(Fit {
        ensemble: boosting.ensemble,
        history: boosting.history,
        best: stopping.best,
        n_splits,
    })
}

/// State of a training run.
struct Boosting<'a> {
    config: &'a Config,
    compute: Compute<'a>,
    seed: u64,
    rules: Rules,
    bins: Bins,
    y: &'a [u32],
    weights: Weights,
    margins: Margins,
    gradients: Gradients,
    eval: Vec<Followed<'a>>,
    ensemble: Ensemble,
    history: Vec<Vec<Vec<f64>>>,
    /// The values of trees that DART has scaled since the best round, as they were then; stays
    /// empty without early stopping.
    before_scaling: BTreeMap<usize, Vec<f64>>,
    workspaces: Mutex<Vec<Workspace>>,
}

/// One tree of a round, and the margins that it updates: those of the training rows first, then
/// those of each evaluation set, each for the tree's outputs.
struct Job<'m> {
    outputs: Outputs,
    margins: Vec<&'m mut [Vec<f64>]>,
    tree: Option<Tree>,
}

impl<'a> Boosting<'a> {
    const INTERVAL: Duration = Duration::from_millis(20);
    /// Additions to histograms in a round above which another thread polls meanwhile.
    const LONG: usize = 1 << 23;

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
            history: vec![vec![Vec::new(); plan.metrics.len()]; eval.len()],
            bins,
            y: train.y,
            weights,
            margins,
            eval,
            ensemble,
            before_scaling: BTreeMap::new(),
            workspaces: Mutex::new(Vec::new()),
        };
        for tree in plan.start.iter().flat_map(|start| &start.trees) {
            listener.poll()?;
            boosting.add_everywhere(tree, 1.0);
            boosting.ensemble.trees.push(tree.clone());
        }
        Ok(boosting)
    }

    /// Adds the values of a tree, times a factor, to all margins.
    fn add_everywhere(&mut self, tree: &Tree, factor: f64) {
        let (isa, team) = (self.compute.isa, Some(self.compute.team));
        let mut workspace = self.take_workspace();
        let outputs = outputs_of(tree, self.margins.len());
        let within = outputs.first..outputs.first + outputs.count;
        let margins = &mut self.margins[within.clone()];
        add_routed(tree, factor, &self.bins.columns, margins, &mut workspace, (isa, team));
        for set in &mut self.eval {
            add_routed(
                tree,
                factor,
                &set.columns,
                &mut set.margins[within.clone()],
                &mut workspace,
                (isa, team),
            );
        }
        self.return_workspace(workspace);
    }

    fn take_workspace(&self) -> Workspace {
        self.workspaces.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn return_workspace(&self, workspace: Workspace) {
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
        let sample = match kind {
            BoostingKind::Goss => {
                Some(goss(&mut self.gradients, self.config.boosting, self.seed, round))
            }
            _ => subsample(self.y.len(), self.config.subsample, self.seed, round),
        };
        // DART's normalization (Rashmi and Gilad-Bachrach 2015, algorithm 1): the new tree and
        // the dropped ones together weigh as much as the dropped ones did.
        let k = dropped.len() as f64;
        let grown = self.grow_trees(round, sample.as_deref(), 1.0 / (k + 1.0), listener)?;
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
        let Boosting { margins, gradients, weights, config, .. } = self;
        // Room for the amplification of sampled rows.
        let room = match config.boosting.kind {
            BoostingKind::Goss => (1.0 - config.boosting.top_rate) / config.boosting.other_rate,
            _ => 1.0,
        };
        match listener.derivatives(&|| row_major(margins))? {
            Some(derivatives) => gradients.custom(&derivatives, weights, room),
            None => {
                gradients.softmax(margins, self.y, weights, room, self.compute);
                Ok(())
            }
        }
    }

    /// Grows the trees of a round and adds their values, times a factor, to the margins.
    fn grow_trees(
        &mut self,
        round: usize,
        sample: Option<&[u32]>,
        factor: f64,
        listener: &mut dyn Listener,
    ) -> Result<Vec<Tree>> {
        let n_outputs = self.margins.len();
        let per_tree = if self.config.is_vector_leaf() { n_outputs } else { 1 };
        let mut margins = std::mem::take(&mut self.margins);
        let mut eval_margins: Vec<Margins> =
            self.eval.iter_mut().map(|set| std::mem::take(&mut set.margins)).collect();
        let mut jobs: Vec<Job<'_>> = margins
            .chunks_mut(per_tree)
            .enumerate()
            .map(|(at, margins)| {
                let outputs = Outputs { first: at * per_tree, count: margins.len() };
                Job { outputs, margins: vec![margins], tree: None }
            })
            .collect();
        for set in &mut eval_margins {
            for (job, margins) in jobs.iter_mut().zip(set.chunks_mut(per_tree)) {
                job.margins.push(margins);
            }
        }
        let this = &*self;
        let n_trees = jobs.len();
        let work = this.y.len() * this.bins.columns.len() * n_outputs;
        let shared = this.shares_inside(n_trees);
        let mut run = |stop: &AtomicBool| {
            let task = |at: usize, job: &mut Job<'_>| {
                let number = round * n_trees + at;
                job.tree = Some(this.grow_one(number, job, sample, factor, shared, stop));
            };
            this.compute.team.for_each_of(work > 1 << 15, &mut jobs, task);
        };
        let never = AtomicBool::new(false);
        let attended = if work > Self::LONG {
            attended(&mut || listener.poll(), run)
        } else {
            run(&never);
            Ok(())
        };
        let trees = jobs.into_iter().filter_map(|job| job.tree).collect();
        self.margins = margins;
        for (set, margins) in self.eval.iter_mut().zip(eval_margins) {
            set.margins = margins;
        }
        attended.map(|()| trees)
    }

    /// Whether threads share the work within a tree: when whole trees would leave threads idle.
    fn shares_inside(&self, n_trees: usize) -> bool {
        let threads = self.compute.team.threads();
        threads > 1 && !n_trees.is_multiple_of(threads) && n_trees < 8 * threads
    }

    fn grow_one(
        &self,
        number: usize,
        job: &mut Job<'_>,
        sample: Option<&[u32]>,
        factor: f64,
        shared: bool,
        stop: &AtomicBool,
    ) -> Tree {
        let isa = self.compute.isa;
        let mut workspace = self.take_workspace();
        let context = TrainingContext {
            config: self.config,
            rules: &self.rules,
            binner: &self.ensemble.binner,
            bins: &self.bins,
            weights: &self.weights,
            seed: self.seed,
            isa,
        };
        let team = shared.then_some(self.compute.team);
        let gradients = &self.gradients;
        let (outputs, round) = (job.outputs, number / self.ensemble.trees_per_round);
        let spec = TreeSpec { gradients, outputs, sample, number, round, team, stop };
        let GrownTree { mut tree, leaves } = grow(context, spec, &mut workspace);
        if factor != 1.0 {
            tree.values.iter_mut().for_each(|value| *value *= factor);
        }
        let mut sets = job.margins.iter_mut();
        if let Some(margins) = sets.next() {
            if sample.is_none() {
                add_leaves(&tree, 1.0, &leaves, margins, &workspace.rows, (isa, team));
            } else {
                add_routed(&tree, 1.0, &self.bins.columns, margins, &mut workspace, (isa, team));
            }
        }
        for (margins, set) in sets.zip(&self.eval) {
            add_routed(&tree, 1.0, &set.columns, margins, &mut workspace, (isa, team));
        }
        self.return_workspace(workspace);
        tree
    }

    /// The metrics of each evaluation set.
    fn measure(
        &mut self,
        metrics: &[Metric],
        listener: &mut dyn Listener,
    ) -> Result<Vec<Vec<f64>>> {
        let mut values = Vec::with_capacity(self.eval.len());
        for (index, set) in self.eval.iter().enumerate() {
            let built_in = |metric: &Metric| metric.kind != MetricKind::Custom;
            let sums = metrics
                .iter()
                .any(built_in)
                .then(|| measure(&set.margins, set.y, &set.weights, self.compute));
            let (loss, error) = sums.map_or((0.0, 0.0), |(sum, weight)| {
                (sum.loss / weight, 1.0 - sum.correct / weight)
            });
            let mut set_values = Vec::with_capacity(metrics.len());
            for (at, metric) in metrics.iter().enumerate() {
                set_values.push(match metric.kind {
                    MetricKind::LogLoss => loss,
                    MetricKind::Error => error,
                    MetricKind::Custom => listener.metric(at, index, &row_major(&set.margins))?,
                });
            }
            values.push(set_values);
        }
        Ok(values)
    }

    /// Appends the metrics of a round to the history.
    fn record(&mut self, values: &[Vec<f64>]) {
        for (curves, values) in self.history.iter_mut().zip(values) {
            for (curve, &value) in curves.iter_mut().zip(values) {
                curve.push(value);
            }
        }
    }

    fn training_loss(&self) -> TrainingLoss {
        let (sum, weight) = measure(&self.margins, self.y, &self.weights, self.compute);
        TrainingLoss { loss: sum.loss / weight, error: 1.0 - sum.correct / weight }
    }
}
