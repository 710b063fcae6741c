//! Margins and leaves of new rows.
//!
//! Many rows are taken 512 at a time through `slices`; few rows, trees of very many leaves, and
//! calls that need the leaves themselves, walk down the nodes (`walk`). Both add the values of
//! the trees in their order, and so give the same bits.

mod probabilities;
mod slices;
mod walk;

use super::batch::{check_table, each_chunk};
use super::binning::FeatureBins;
use super::table::{Column, Table};
use super::tree::{Ensemble, MISSING, Tree};
use crate::kernels::{Cuts, RowBins, SLICE_ROWS, Simd, Task, logistic_columns, softmax_columns};
use crate::memory::filled;
use crate::parallel::Compute;
use crate::{Error, Result};
use slices::Block;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};
use walk::Walk;

pub use probabilities::{log_probabilities, probabilities};

/// Number of rows in the work of one thread.
const SHARE: usize = 2 * SLICE_ROWS;

/// Fewer rows than this walk down the trees one by one, which is faster for them.
const FEW: usize = 16;

/// Rows to predict.
#[derive(Debug)]
pub struct NewRows<'a> {
    /// Their values.
    pub table: &'a Table<'a>,
    /// The rounds whose trees are used.
    pub rounds: Range<usize>,
    /// What the sums of each row start from instead of the ensemble's base, row by row.
    pub start: Option<&'a [f64]>,
}

/// What is computed for each row.
#[derive(Clone, Copy, Debug)]
enum Scores {
    Margins,
    /// Of this many classes.
    Probabilities(usize),
}

impl Scores {
    /// How many numbers a row has.
    fn width(self, ensemble: &Ensemble) -> usize {
        match self {
            Scores::Margins => ensemble.n_outputs(),
            Scores::Probabilities(n_classes) => n_classes,
        }
    }
}

/// Tables made from an ensemble once, with which it predicts.
#[derive(Debug)]
pub struct Predictor {
    walk: Walk,
    /// Built when many rows are predicted for the first time; a few rows do not need it.
    blocks: OnceLock<Vec<Block>>,
    /// The features that the trees use.
    features: Vec<u32>,
}

impl Predictor {
    /// Makes the tables; every call must then be given the same ensemble.
    pub fn new(ensemble: &Ensemble) -> Self {
        let inner = ensemble.trees.iter().flat_map(|tree| &tree.nodes);
        let mut used = filled(false, ensemble.binner.features.len());
        inner.filter(|node| !node.is_leaf()).for_each(|node| used[node.feature as usize] = true);
        let features = (0..used.len() as u32).filter(|&feature| used[feature as usize]).collect();
        Predictor { walk: Walk::new(ensemble), blocks: OnceLock::new(), features }
    }

    /// Computes the margins of rows; `out` is row by row. Values are added in the order of the
    /// trees.
    ///
    /// # Errors
    /// [`Error::Data`] when sizes do not fit the ensemble; whatever `poll` returns.
    pub fn margins(
        &self,
        ensemble: &Ensemble,
        rows: &NewRows<'_>,
        out: &mut [f64],
        compute: Compute<'_>,
        poll: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        self.compute(ensemble, rows, Scores::Margins, out, compute, poll)
    }

    /// Computes the probabilities of the classes of rows, as [`probabilities`] does from their
    /// margins; `out` is row by row.
    ///
    /// # Errors
    /// [`Error::Data`] when sizes do not fit the ensemble; whatever `poll` returns.
    pub fn probabilities(
        &self,
        ensemble: &Ensemble,
        rows: &NewRows<'_>,
        n_classes: usize,
        out: &mut [f64],
        compute: Compute<'_>,
        poll: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        check_classes(n_classes, ensemble.n_outputs())?;
        self.compute(ensemble, rows, Scores::Probabilities(n_classes), out, compute, poll)
    }

    fn compute(
        &self,
        ensemble: &Ensemble,
        rows: &NewRows<'_>,
        scores: Scores,
        out: &mut [f64],
        compute: Compute<'_>,
        poll: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let width = scores.width(ensemble);
        let NewRows { table, rounds, start } = rows;
        check_table(ensemble, table, rounds, out.len(), width)?;
        if let Some(start) = start
            && start.len() != table.n_rows() * ensemble.n_outputs()
        {
            return Err(Error::Data(format!(
                "start must have {} rows of {} margins, got {} numbers",
                table.n_rows(),
                ensemble.n_outputs(),
                start.len()
            )));
        }
        let trees = trees_of(ensemble, rounds);
        let visits = table.n_rows().saturating_mul(trees.len());
        let workspaces = Mutex::new(Vec::new());
        let chunks = out.chunks_mut((SHARE * width).max(1)).collect();
        each_chunk(chunks, visits, compute, poll, |at, out, _| {
            let free = workspaces.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut workspace = free.unwrap_or_else(|| Workspace::new(ensemble, width));
            compute.isa.run(ScoresTask {
                predictor: self,
                ensemble,
                rows,
                trees: trees.clone(),
                scores,
                first: at * SHARE,
                out,
                workspace: &mut workspace,
            });
            workspaces.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
        })
    }

    /// The leaf that each row falls into in each tree of some rounds: the index of its node in
    /// the tree. A row of `out` has one number per tree.
    ///
    /// # Errors
    /// [`Error::Data`] when sizes do not fit the ensemble; whatever `poll` returns.
    pub fn leaves(
        &self,
        ensemble: &Ensemble,
        table: &Table<'_>,
        rounds: Range<usize>,
        out: &mut [u32],
        compute: Compute<'_>,
        poll: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let n_trees = rounds.len() * ensemble.trees_per_round;
        check_table(ensemble, table, &rounds, out.len(), n_trees)?;
        let trees = trees_of(ensemble, &rounds);
        let visits = table.n_rows().saturating_mul(n_trees);
        let chunks = out.chunks_mut((SHARE * n_trees).max(1)).collect();
        each_chunk(chunks, visits, compute, poll, |at, out, _| {
            let mut bins = filled(0, ensemble.binner.features.len());
            for (row, out) in out.chunks_exact_mut(n_trees).enumerate() {
                let row = at * SHARE + row;
                let value = |column: usize| table.columns()[column].value(row);
                self.bin_row(ensemble, value, &mut bins);
                self.walk.each_leaf(trees.clone(), &bins, |tree, leaf| {
                    out[tree - trees.start] = leaf as u32;
                });
            }
        })
    }

    /// The margins of one row, base included, after some rounds: for a row at a time, where a batch
    /// is not to be had.
    ///
    /// # Errors
    /// [`Error::Data`] for another number of values.
    pub fn row(
        &self,
        ensemble: &Ensemble,
        values: &[f64],
        rounds: Range<usize>,
    ) -> Result<Vec<f64>> {
        let n_features = ensemble.binner.n_columns();
        if values.len() != n_features {
            return Err(Error::Data(format!(
                "a row must have {n_features} values, got {}",
                values.len()
            )));
        }
        let mut margins = ensemble.base.clone();
        let mut bins = filled(0, ensemble.binner.features.len());
        self.bin_row(ensemble, |column| values[column], &mut bins);
        self.add_row(ensemble, trees_of(ensemble, &rounds), &bins, &mut margins);
        Ok(margins)
    }

    /// The bins of a row for the features that the trees use; `value` gives that of a column.
    fn bin_row(&self, ensemble: &Ensemble, value: impl Fn(usize) -> f64, bins: &mut [u8]) {
        for &feature in &self.features {
            let feature = feature as usize;
            bins[feature] =
                ensemble.binner.features[feature].bin(value(ensemble.binner.column(feature)));
        }
    }

    /// Adds the values of some trees to the margins of a row of bins.
    fn add_row(&self, ensemble: &Ensemble, trees: Range<usize>, bins: &[u8], margins: &mut [f64]) {
        self.walk.each_leaf(trees, bins, |tree, leaf| {
            let Tree { values, output, .. } = &ensemble.trees[tree];
            match output {
                Some(output) => margins[*output as usize] += values[leaf],
                None => {
                    let values = &values[leaf * margins.len()..][..margins.len()];
                    margins.iter_mut().zip(values).for_each(|(margin, value)| *margin += value);
                }
            }
        });
    }
}

/// The numbers of the trees of some rounds, which the ensemble has.
fn trees_of(ensemble: &Ensemble, rounds: &Range<usize>) -> Range<usize> {
    rounds.start * ensemble.trees_per_round..rounds.end * ensemble.trees_per_round
}

/// Checks that an ensemble of this many outputs has margins for the classes.
///
/// # Errors
/// [`Error::Data`] with both numbers.
pub fn check_classes(n_classes: usize, n_outputs: usize) -> Result<()> {
    let expected = if n_classes <= 2 { 1 } else { n_classes };
    if n_classes == 0 || n_outputs != expected {
        return Err(Error::Data(format!(
            "{n_classes} classes have another number of outputs than {n_outputs}"
        )));
    }
    Ok(())
}

/// Buffers of one thread.
struct Workspace {
    /// The bins of each feature.
    bins: Vec<RowBins>,
    values: Vec<f64>,
    slices: slices::Workspace,
    /// The margins of each output, or the probabilities of each class.
    columns: Vec<[f64; SLICE_ROWS]>,
}

impl Workspace {
    fn new(ensemble: &Ensemble, width: usize) -> Self {
        Workspace {
            bins: filled(RowBins::ZERO, ensemble.binner.features.len()),
            values: Vec::new(),
            slices: slices::Workspace::default(),
            columns: filled([0.0; SLICE_ROWS], ensemble.n_outputs().max(width)),
        }
    }
}

/// The scores of some rows from `first`.
struct ScoresTask<'t> {
    predictor: &'t Predictor,
    ensemble: &'t Ensemble,
    rows: &'t NewRows<'t>,
    trees: Range<usize>,
    scores: Scores,
    first: usize,
    out: &'t mut [f64],
    workspace: &'t mut Workspace,
}

impl Task for ScoresTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let width = self.scores.width(self.ensemble);
        let out = std::mem::take(&mut self.out);
        for (at, out) in out.chunks_mut(SLICE_ROWS * width).enumerate() {
            let first = self.first + at * SLICE_ROWS;
            if out.len() < FEW * width {
                self.walk_rows(first, width, out);
            } else {
                self.slice::<S>(first, width, out);
            }
        }
    }
}

impl ScoresTask<'_> {
    /// The margins that some rows start from, if they have their own.
    #[inline(always)]
    fn start(&self, first: usize, n_rows: usize) -> Option<&[f64]> {
        let n_outputs = self.ensemble.n_outputs();
        self.rows.start.map(|start| &start[first * n_outputs..][..n_rows * n_outputs])
    }

    fn walk_rows(&self, first: usize, width: usize, out: &mut [f64]) {
        let mut bins = filled(0, self.ensemble.binner.features.len());
        let mut margins = self.ensemble.base.clone();
        for (row, out) in (first..).zip(out.chunks_exact_mut(width)) {
            margins.copy_from_slice(self.start(row, 1).unwrap_or(&self.ensemble.base));
            let columns: &[Column<'_>] = self.rows.table.columns();
            let value = |column: usize| columns[column].value(row);
            self.predictor.bin_row(self.ensemble, value, &mut bins);
            self.predictor.add_row(self.ensemble, self.trees.clone(), &bins, &mut margins);
            match self.scores {
                Scores::Margins => out.copy_from_slice(&margins),
                Scores::Probabilities(_) => probabilities(&margins, out),
            }
        }
    }

    #[inline(always)]
    fn slice<S: Simd>(&mut self, first: usize, width: usize, out: &mut [f64]) {
        let n_rows = out.len() / width;
        self.bin_rows::<S>(first..first + n_rows);
        let n_outputs = self.ensemble.n_outputs();
        let mut columns = std::mem::take(&mut self.workspace.columns);
        let sums = &mut columns[..n_outputs];
        if let Some(start) = self.start(first, n_rows) {
            for (output, sums) in sums.iter_mut().enumerate() {
                let start = start[output..].iter().step_by(n_outputs);
                sums.iter_mut().zip(start).for_each(|(sum, start)| *sum = *start);
            }
        } else {
            sums.iter_mut().zip(&self.ensemble.base).for_each(|(sums, &base)| sums.fill(base));
        }
        let Workspace { bins, slices, .. } = &mut *self.workspace;
        let Predictor { walk, blocks, .. } = self.predictor;
        for block in blocks.get_or_init(|| Block::all(self.ensemble)) {
            block.add::<S>(self.ensemble, walk, &self.trees, bins, slices, sums);
        }
        match (self.scores, columns.as_mut_slice()) {
            (Scores::Margins, _) => {}
            (Scores::Probabilities(_), [only]) => only.fill(1.0),
            (Scores::Probabilities(_), [first, second]) => logistic_columns::<S, _>(first, second),
            (Scores::Probabilities(_), columns) => softmax_columns::<S, _>(columns),
        }
        for (at, column) in columns[..width].iter().enumerate() {
            let out = out[at..].iter_mut().step_by(width);
            out.zip(column).for_each(|(out, value)| *out = *value);
        }
        self.workspace.columns = columns;
    }

    /// Finds the bins of at most 512 rows for the features that the trees use.
    #[inline(always)]
    fn bin_rows<S: Simd>(&mut self, rows: Range<usize>) {
        let Workspace { bins, values, .. } = &mut *self.workspace;
        let binner = &self.ensemble.binner;
        for &feature in &self.predictor.features {
            let feature = feature as usize;
            self.rows.table.columns()[binner.column(feature)].copy_to(rows.clone(), values);
            let bins = &mut bins[feature];
            match &binner.features[feature] {
                FeatureBins::Numerical(cuts) => {
                    let cuts = Cuts::new(cuts);
                    cuts.count_below::<S>(values, MISSING, |row, bin| bins.set(row, bin));
                }
                to @ FeatureBins::Categorical(_) => {
                    let values = values.iter().enumerate();
                    values.for_each(|(row, &value)| bins.set(row, to.bin(value)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
