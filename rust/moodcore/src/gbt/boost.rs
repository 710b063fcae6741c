//! Boosting: round after round of derivatives, trees and new margins.

use super::binning::Binner;
use super::config::{BoostingKind, Config};
use super::gradients::{Gradients, Margins, measure};
use super::grow::{Bins, Ground, Grown, Outputs, Seedling, Soil, grow};
use super::histogram::{Block, RowBins};
use super::sampling::{dropped_rounds, goss, subsample};
use super::score::Rules;
use super::training::{Fit, Listener, MetricKind, Plan, Rows};
use super::tree::{Ensemble, Tree};
use super::weights::Weights;
use crate::kernels::{Isa, Simd, Task, add_at_rows};
use crate::parallel::{Compute, Team, attended};
use crate::{Error, Result};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Trains.
///
/// # Errors
/// [`Error::Data`] when the parts do not fit together, [`Error::Parameter`] for hyperparameters
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
    let mut best: Option<(f64, usize)> = None;
    let mut looked = Instant::now();
    for round in first..first + n_rounds {
        boosting.round(round, listener)?;
        if looked.elapsed() > Boosting::INTERVAL {
            listener.poll()?;
            looked = Instant::now();
        }
        let values = boosting.measure(plan.metrics, listener)?;
        if let (Some(&value), Some(metric)) =
            (values.last().and_then(|v| v.last()), plan.metrics.last())
        {
            let better = |(least, _): (f64, usize)| {
                if metric.maximize { value > least } else { value < least }
            };
            if best.is_none_or(better) {
                best = Some((value, round + 1));
            }
        }
        let told_to_stop = listener.round(round + 1, &values)?;
        let waited = best.map_or(0, |(_, at)| round + 1 - at);
        if told_to_stop || plan.config.early_stopping_rounds.is_some_and(|most| waited >= most) {
            break;
        }
    }
    let best_round = best.map(|(_, round)| round);
    Ok(Fit { ensemble: boosting.ensemble, history: boosting.history, best_round })
}

/// Rows whose margins follow the ensemble.
struct Followed<'a> {
    columns: Vec<Vec<u8>>,
    y: &'a [u32],
    weights: Weights,
    margins: Margins,
}

/// Training under way.
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
    soils: Mutex<Vec<Soil>>,
}

/// One tree of a round, and the margins that it moves: of the training rows first, then of each
/// evaluation set; for each the margins of the tree's outputs.
struct Job<'m> {
    outputs: Outputs,
    margins: Vec<&'m mut [Vec<f64>]>,
    tree: Option<Tree>,
}

impl<'a> Boosting<'a> {
    const INTERVAL: Duration = Duration::from_millis(20);
    /// Additions to histograms in a round above which it is attended from another thread.
    const LONG: usize = 1 << 23;

    fn new(
        plan: &Plan<'a>,
        train: &Rows<'a>,
        eval: &[Rows<'a>],
        compute: Compute<'a>,
        listener: &mut dyn Listener,
    ) -> Result<Self> {
        let config = plan.config;
        let team = compute.team;
        let weights = Weights::new(train.y.len(), train.weight)?;
        let eval_weights: Vec<Weights> = eval
            .iter()
            .map(|rows| Weights::new(rows.y.len(), rows.weight))
            .collect::<Result<_>>()?;
        let n_outputs = plan.n_outputs();
        let trees_per_round = if config.is_vector_leaf() { 1 } else { n_outputs };
        let (binner, bins, eval_columns) = attended(&mut || listener.poll(), |_| {
            let binner = match &plan.start {
                Some(start) => start.binner.clone(),
                None => Binner::learn(
                    &train.table,
                    weights.counts.as_deref(),
                    plan.categorical,
                    config.max_bin,
                    team,
                ),
            };
            let columns = binner.transform(&train.table, compute);
            // The only tree of a round is shared by threads, block by block.
            let least = if trees_per_round == 1 { 2 } else { 1 };
            let blocks = Block::cut(columns.len(), least);
            let rows = RowBins::of(&columns, team);
            let eval: Vec<_> =
                eval.iter().map(|rows| binner.transform(&rows.table, compute)).collect();
            (binner, Bins { columns, rows, blocks }, eval)
        })?;
        let base = plan.base.clone().unwrap_or_else(|| plan.prior(train.y, &weights));
        let mut ensemble = Ensemble { binner, base, trees: Vec::new(), trees_per_round };
        if let Some(start) = &plan.start {
            ensemble.base.clone_from(&start.base);
        }
        let start_margins = |rows: &Rows<'_>| -> Margins {
            (0..n_outputs)
                .map(|output| {
                    let base = ensemble.base[output];
                    match rows.margin {
                        None => vec![base; rows.y.len()],
                        Some(margin) => margin
                            .iter()
                            .skip(output)
                            .step_by(n_outputs)
                            .map(|m| base + m)
                            .collect(),
                    }
                })
                .collect()
        };
        let margins = start_margins(train);
        let eval: Vec<Followed<'a>> = eval
            .iter()
            .zip(eval_columns)
            .zip(eval_weights)
            .map(|((rows, columns), weights)| Followed {
                columns,
                y: rows.y,
                weights,
                margins: start_margins(rows),
            })
            .collect();
        let history = vec![vec![Vec::new(); plan.metrics.len()]; eval.len()];
        let mut boosting = Boosting {
            config,
            compute,
            seed: plan.seed,
            rules: Rules::of(config),
            gradients: Gradients::new(n_outputs, train.y.len()),
            bins,
            y: train.y,
            weights,
            margins,
            eval,
            ensemble,
            history,
            soils: Mutex::new(Vec::new()),
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
        let mut soil = self.take_soil();
        let outputs = outputs_of(tree, self.margins.len());
        let within = outputs.first..outputs.first + outputs.count;
        let own = &mut self.margins[within.clone()];
        add_routed(tree, factor, &self.bins.columns, own, &mut soil, (isa, team));
        for set in &mut self.eval {
            add_routed(
                tree,
                factor,
                &set.columns,
                &mut set.margins[within.clone()],
                &mut soil,
                (isa, team),
            );
        }
        self.return_soil(soil);
    }

    fn take_soil(&self) -> Soil {
        self.soils.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn return_soil(&self, soil: Soil) {
        self.soils.lock().unwrap_or_else(PoisonError::into_inner).push(soil);
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
        // DART's normalisation (Rashmi and Gilad-Bachrach 2015, algorithm 1): the new tree and
        // the dropped ones together weigh as much as the dropped ones did.
        let k = dropped.len() as f64;
        let grown = self.grow_trees(round, sample.as_deref(), 1.0 / (k + 1.0), listener)?;
        self.scale_rounds(&dropped, 1.0, Some(k / (k + 1.0)));
        self.ensemble.trees.extend(grown);
        Ok(())
    }

    /// Adds the trees of some rounds to the margins `sign` times, after scaling them for good.
    fn scale_rounds(&mut self, rounds: &[usize], sign: f64, scale: Option<f64>) {
        let per_round = self.ensemble.trees_per_round;
        for &round in rounds {
            for at in round * per_round..(round + 1) * per_round {
                let mut tree = std::mem::replace(&mut self.ensemble.trees[at], Tree::empty());
                if let Some(scale) = scale {
                    tree.values.iter_mut().for_each(|value| *value *= scale);
                }
                self.add_everywhere(&tree, sign);
                self.ensemble.trees[at] = tree;
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

    /// Grows the trees of a round and moves the margins by their values, times a factor.
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
            .map(|(at, own)| {
                let outputs = Outputs { first: at * per_tree, count: own.len() };
                Job { outputs, margins: vec![own], tree: None }
            })
            .collect();
        for set in &mut eval_margins {
            for (job, own) in jobs.iter_mut().zip(set.chunks_mut(per_tree)) {
                job.margins.push(own);
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

    /// Whether threads share the work inside of trees: where whole trees would leave some idle.
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
        let mut soil = self.take_soil();
        let ground = Ground {
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
        let seedling = Seedling { gradients, outputs: job.outputs, sample, number, team, stop };
        let Grown { mut tree, leaves } = grow(ground, seedling, &mut soil);
        if factor != 1.0 {
            tree.values.iter_mut().for_each(|value| *value *= factor);
        }
        let mut sets = job.margins.iter_mut();
        if let Some(own) = sets.next() {
            if sample.is_none() {
                add_leaves(&tree, 1.0, &leaves, own, &soil.rows, (isa, team));
            } else {
                add_routed(&tree, 1.0, &self.bins.columns, own, &mut soil, (isa, team));
            }
        }
        for (own, set) in sets.zip(&self.eval) {
            add_routed(&tree, 1.0, &set.columns, own, &mut soil, (isa, team));
        }
        self.return_soil(soil);
        tree
    }

    /// The metrics of each evaluation set.
    fn measure(
        &mut self,
        metrics: &[super::training::Metric],
        listener: &mut dyn Listener,
    ) -> Result<Vec<Vec<f64>>> {
        let mut values = Vec::with_capacity(self.eval.len());
        for (index, set) in self.eval.iter().enumerate() {
            let built_in = |metric: &super::training::Metric| metric.kind != MetricKind::Custom;
            let sums = metrics
                .iter()
                .any(built_in)
                .then(|| measure(&set.margins, set.y, &set.weights, self.compute));
            let (loss, error) = sums.map_or((0.0, 0.0), |(sum, weight)| {
                (sum.loss / weight, 1.0 - sum.correct / weight)
            });
            let mut own = Vec::with_capacity(metrics.len());
            for (at, metric) in metrics.iter().enumerate() {
                own.push(match metric.kind {
                    MetricKind::LogLoss => loss,
                    MetricKind::Error => error,
                    MetricKind::Custom => listener.metric(at, index, &row_major(&set.margins))?,
                });
            }
            for (curve, &value) in self.history[index].iter_mut().zip(&own) {
                curve.push(value);
            }
            values.push(own);
        }
        Ok(values)
    }
}

/// The outputs that a tree's values belong to.
fn outputs_of(tree: &Tree, n_outputs: usize) -> Outputs {
    match tree.output {
        Some(output) => Outputs { first: output as usize, count: 1 },
        None => Outputs { first: 0, count: n_outputs },
    }
}

/// Margins with the outputs of a row side by side.
fn row_major(margins: &Margins) -> Vec<f64> {
    let n_rows = margins[0].len();
    let mut out = Vec::with_capacity(n_rows * margins.len());
    for row in 0..n_rows {
        out.extend(margins.iter().map(|output| output[row]));
    }
    out
}

/// Adds the value of each leaf to the margins of the rows in it, which ascend in each leaf.
fn add_leaves(
    tree: &Tree,
    factor: f64,
    leaves: &[(u32, std::ops::Range<usize>)],
    margins: &mut [Vec<f64>],
    rows: &[u32],
    (isa, team): (Isa, Option<&Team>),
) {
    // Rows that a thread takes at a time.
    const TOGETHER: usize = 1 << 16;
    let n_outputs = margins.len();
    for (output, margins) in margins.iter_mut().enumerate() {
        let mut chunks: Vec<&mut [f64]> = margins.chunks_mut(TOGETHER).collect();
        let add = |at: usize, numbers: &mut &mut [f64]| {
            let start = (at * TOGETHER) as u32;
            let end = start + numbers.len() as u32;
            for (node, range) in leaves {
                let rows = &rows[range.clone()];
                let from = rows.partition_point(|&row| row < start);
                let to = rows.partition_point(|&row| row < end);
                let value = tree.values[*node as usize * n_outputs + output] * factor;
                isa.run(AddAtRows { numbers, start, rows: &rows[from..to], value });
            }
        };
        match team {
            Some(team) if chunks.len() > 1 => team.for_each(&mut chunks, add),
            _ => chunks.iter_mut().enumerate().for_each(|(at, numbers)| add(at, numbers)),
        }
    }
}

/// Sends all rows of a table of bins through a tree and adds the values of their leaves.
fn add_routed(
    tree: &Tree,
    factor: f64,
    columns: &[Vec<u8>],
    margins: &mut [Vec<f64>],
    soil: &mut Soil,
    (isa, team): (Isa, Option<&Team>),
) {
    let leaves = soil.route(tree, columns, margins[0].len(), (isa, team));
    add_leaves(tree, factor, &leaves, margins, &soil.rows, (isa, team));
}

struct AddAtRows<'a> {
    numbers: &'a mut [f64],
    /// The row of the first number.
    start: u32,
    rows: &'a [u32],
    value: f64,
}

impl Task for AddAtRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        add_at_rows(self.numbers, self.start, self.rows, self.value);
    }
}

/// Checks of what training is given against each other.
impl Plan<'_> {
    /// Outputs: one for up to two classes, else one a class.
    fn n_outputs(&self) -> usize {
        if self.n_classes <= 2 { 1 } else { self.n_classes }
    }

    /// The logarithm of the odds of the second of two classes, or of each class's share.
    fn prior(&self, y: &[u32], weights: &Weights) -> Vec<f64> {
        let mut sums = vec![0.0; self.n_classes];
        for (row, &code) in y.iter().enumerate() {
            sums[code as usize] += weights.weight(row);
        }
        let total: f64 = sums.iter().sum();
        // A class without rows is given next to none, not minus infinity.
        let share = |sum: f64| (sum / total).max(1e-15);
        match sums[..] {
            [_] => vec![0.0],
            [first, second] => vec![libm::log(share(second)) - libm::log(share(first))],
            _ => sums.iter().map(|&sum| libm::log(share(sum))).collect(),
        }
    }

    fn check(&self, train: &Rows<'_>, eval: &[Rows<'_>]) -> Result<()> {
        let n_features = train.table.n_features();
        let refuse = |what: String| Err(Error::Data(what));
        if train.y.is_empty() || n_features == 0 {
            return refuse(format!(
                "training data must have at least one row and one feature, got {} rows and \
                 {n_features} features",
                train.y.len()
            ));
        }
        if self.n_classes == 0 || self.categorical.len() != n_features {
            return refuse(format!(
                "there must be at least one class and a kind for each of {n_features} features, \
                 got {} and {}",
                self.n_classes,
                self.categorical.len()
            ));
        }
        let n_outputs = self.n_outputs();
        for rows in std::iter::once(train).chain(eval) {
            self.check_rows(rows, n_features)?;
        }
        if let Some(base) = &self.base
            && (base.len() != n_outputs || base.iter().any(|margin| !margin.is_finite()))
        {
            return refuse(format!("base must be {n_outputs} finite margins, got {base:?}"));
        }
        if let Some(start) = &self.start {
            let (features, outputs) = (start.binner.features.len(), start.n_outputs());
            let per_round = if self.config.is_vector_leaf() { 1 } else { n_outputs };
            let told = (features, outputs, start.trees_per_round);
            if told != (n_features, n_outputs, per_round) {
                return refuse(format!(
                    "the model to go on from must have {n_features} features, {n_outputs} outputs \
                     and {per_round} trees a round, got {told:?}"
                ));
            }
        }
        self.check_constraints(n_features, n_outputs)
    }

    fn check_rows(&self, rows: &Rows<'_>, n_features: usize) -> Result<()> {
        let refuse = |what: String| Err(Error::Data(what));
        let (n_rows, n_outputs) = (rows.y.len(), self.n_outputs());
        let shape = (rows.table.n_rows(), rows.table.n_features());
        if shape != (n_rows, n_features) {
            return refuse(format!(
                "X must have {n_rows} rows and {n_features} features, got {shape:?}"
            ));
        }
        if n_rows >= 1 << 31 || n_rows.saturating_mul(n_outputs) >= 1 << 32 {
            return refuse(format!(
                "at most 2^31 rows and 2^32 margins are supported, got {n_rows} rows of \
                 {n_outputs} outputs"
            ));
        }
        if let Some(row) = rows.y.iter().position(|&code| code as usize >= self.n_classes) {
            return refuse(format!(
                "class code {} in row {row} is not below the number of classes, {}",
                rows.y[row], self.n_classes
            ));
        }
        if let Some(margin) = rows.margin
            && (margin.len() != n_rows * n_outputs || margin.iter().any(|m| !m.is_finite()))
        {
            return refuse(format!(
                "base margins must be {n_rows} x {n_outputs} finite numbers, got {}",
                margin.len()
            ));
        }
        Ok(())
    }

    fn check_constraints(&self, n_features: usize, n_outputs: usize) -> Result<()> {
        let signs = &self.config.monotone_constraints;
        let fits = signs.len() == n_outputs && signs.iter().all(|one| one.len() == n_features);
        if !signs.is_empty() && !fits {
            let shape = format!("{} rows", signs.len());
            let allowed = "a sign for each output and feature";
            return Err(Error::parameter("monotone_constraints", allowed, shape));
        }
        for signs in signs {
            if let Some(at) = (0..n_features).find(|&at| signs[at] != 0 && self.categorical[at]) {
                let allowed = "0 for categorical features";
                let value = format!("{} for feature {at}", signs[at]);
                return Err(Error::parameter("monotone_constraints", allowed, value));
            }
        }
        let groups = self.config.interaction_constraints.iter().flatten();
        match groups.copied().find(|&feature| feature >= n_features) {
            None => Ok(()),
            Some(feature) => {
                let allowed = "groups of features that exist";
                Err(Error::parameter("interaction_constraints", allowed, feature))
            }
        }
    }
}
