//! The state before the first round: binned rows and their margins.

use super::binned::Features;
use super::binning::Binner;
use super::context::Bins;
use super::histogram::{Block, RowBins};
use super::margins::Margins;
use super::table::Table;
use super::training::{Listener, Plan, Rows};
use super::tree::{Ensemble, MISSING};
use super::weights::Weights;
use crate::memory::{CollectVec, filled};
use crate::parallel::{Compute, Team, attended_if};
use crate::{Error, Result};
use std::sync::Arc;

/// Rows whose margins follow the ensemble.
pub(super) struct Followed<'a> {
    pub(super) columns: Arc<Vec<Vec<u8>>>,
    pub(super) y: &'a [u32],
    pub(super) weights: Weights,
    pub(super) margins: Margins,
}

/// Everything that is computed from the rows before the first round.
pub(super) struct Prepared<'a> {
    pub(super) bins: Bins,
    pub(super) weights: Weights,
    pub(super) margins: Margins,
    pub(super) eval: Vec<Followed<'a>>,
    /// Bins and base; no tree.
    pub(super) ensemble: Ensemble,
}

/// If there are more cells than this, another thread polls while they are binned: as many take about ten
/// milliseconds.
const LONG_CELLS: usize = 1 << 17;

impl<'a> Prepared<'a> {
    pub(super) fn new(
        plan: &Plan<'a>,
        train: &Rows<'a>,
        eval: &[Rows<'a>],
        compute: Compute<'_>,
        listener: &mut dyn Listener,
    ) -> Result<Self> {
        let weights = match plan.shard {
            Some(shard) => Weights::of_shard(train.y.len(), train.weight, shard.totals)?,
            None => Weights::new(train.y.len(), train.weight)?,
        };
        if plan.resume.as_ref().is_some_and(|resume| resume.first == 0) {
            check_resumed(plan, train, &weights, compute.team)?;
        }
        let eval_weights: Vec<Weights> = eval
            .iter()
            .map(|rows| Weights::new(rows.y.len(), rows.weight))
            .collect::<Result<_>>()?;
        let trees_per_round = if plan.config.is_vector_leaf() { 1 } else { plan.n_outputs() };
        let n_cells = |rows: &Rows<'_>| rows.features.n_rows() * rows.features.n_features();
        let long = n_cells(train) + eval.iter().map(n_cells).sum::<usize>() > LONG_CELLS;
        let (binner, mut bins, eval_columns) = attended_if(long, &mut || listener.poll(), |_| {
            let binner = binner_of(plan, &train.features, &weights, compute.team);
            let bins = bins_of(train.features.columns(&binner, compute)?, trees_per_round, compute);
            let eval: Vec<_> = eval
                .iter()
                .map(|rows| rows.features.columns(&binner, compute))
                .collect::<Result<_>>()?;
            Result::Ok((binner, bins, eval))
        })??;
        if let Some(shard) = plan.shard {
            bins.missing = shard.any(&bins.missing)?;
        }
        let base = match &plan.start {
            Some(start) => start.base.clone(),
            None => plan.base.clone().unwrap_or_else(|| plan.prior(train.y, &weights)),
        };
        let eval = eval
            .iter()
            .zip(eval_columns)
            .zip(eval_weights)
            .map(|((rows, columns), weights)| Followed {
                columns,
                y: rows.y,
                weights,
                margins: margins_of(&base, rows),
            })
            .collect_vec();
        let margins = margins_of(&base, train);
        let ensemble = Ensemble { binner, base, trees: Vec::new(), trees_per_round };
        Ok(Prepared { bins, weights, margins, eval, ensemble })
    }
}

/// Checks that training resumes on the rows from which its model learned bins and base.
fn check_resumed(plan: &Plan<'_>, train: &Rows<'_>, weights: &Weights, team: &Team) -> Result<()> {
    let Some(start) = &plan.start else { return Ok(()) };
    let base = plan.base.clone().unwrap_or_else(|| plan.prior(train.y, weights));
    let same_bins = match &train.features {
        Features::Binned(rows) => **rows.binner() == start.binner,
        Features::Table(table) => learned(plan, table, weights, team) == start.binner,
    };
    if same_bins && base == start.base {
        return Ok(());
    }
    let what = if same_bins { "shares of the classes" } else { "bins of the features" };
    Err(Error::Data(format!(
        "training can resume only on the same rows, labels and weights: the {what} differ"
    )))
}

/// The bins of the model that training continues from, or new ones.
fn binner_of(plan: &Plan<'_>, features: &Features<'_>, weights: &Weights, team: &Team) -> Binner {
    match (&plan.start, features) {
        (Some(start), _) => start.binner.clone(),
        (None, Features::Binned(rows)) => Binner::clone(rows.binner()),
        (None, Features::Table(table)) => learned(plan, table, weights, team),
    }
}

fn learned(plan: &Plan<'_>, table: &Table<'_>, weights: &Weights, team: &Team) -> Binner {
    let repetitions = weights.repetitions();
    Binner::learn(table, repetitions.as_deref(), plan.categorical, plan.config.max_bin, team)
}

/// Bytes of the workspaces of trees that grow at the same time, above which one tree grows at a
/// time. Tests meet it early.
const MOST_BYTES: usize = if cfg!(test) { 1 << 13 } else { 1 << 30 };
/// Bytes of a workspace per row: its number twice.
const BYTES_PER_ROW: usize = 8;

fn bins_of(columns: Arc<Vec<Vec<u8>>>, trees_per_round: usize, compute: Compute<'_>) -> Bins {
    let threads = compute.team.threads();
    let n_rows = columns.first().map_or(0, Vec::len);
    let one_tree_at_a_time = n_rows * BYTES_PER_ROW * threads.min(trees_per_round) > MOST_BYTES;
    // A tree that grows alone is shared by threads, block by block.
    let least = if one_tree_at_a_time || trees_per_round == 1 { threads } else { 1 };
    let missing = columns.iter().map(|column| column.contains(&MISSING)).collect_vec();
    let blocks = Block::cut(columns.len(), least);
    let rows = RowBins::of(&columns, &blocks, compute.team);
    Bins { columns, rows, blocks, missing, one_tree_at_a_time }
}

/// The base plus the rows' base margins.
fn margins_of(base: &[f64], rows: &Rows<'_>) -> Margins {
    let n_outputs = base.len();
    let of_output = |(output, &base): (usize, &f64)| match rows.margin {
        None => filled(base, rows.y.len()),
        Some(margin) => {
            margin.iter().skip(output).step_by(n_outputs).map(|m| base + m).collect_vec()
        }
    };
    base.iter().enumerate().map(of_output).collect_vec()
}
