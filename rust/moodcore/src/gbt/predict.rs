//! Margins and leaves of new rows.
//!
//! Many rows are taken 512 at a time through `slices`; few rows, trees of very many leaves, and
//! calls that need the leaves themselves, walk down the nodes (`walk`). Both add the values of
//! the trees in their order, and so give the same bits.

mod slices;
mod walk;

use super::batch::{check_table, each_chunk};
use super::binning::FeatureBins;
use super::table::{Column, Table};
use super::tree::{Ensemble, MISSING, Tree};
use crate::kernels::{Cuts, SLICE_ROWS, Simd, Task};
use crate::memory::filled;
use crate::parallel::Compute;
use crate::{Error, Result};
use slices::Block;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};
use walk::Walk;

/// Number of rows in the work of one thread.
const SHARE: usize = 2 * SLICE_ROWS;

/// Fewer rows than this walk down the trees one by one, which is faster for them.
const FEW: usize = 16;

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

    /// Adds the values of the trees of some rounds to `out`, margins row by row, which hold the
    /// base or what else the sum starts from. Values are added in the order of the trees.
    ///
    /// # Errors
    /// [`Error::Data`] when sizes do not fit the ensemble; whatever `poll` returns.
    pub fn margins(
        &self,
        ensemble: &Ensemble,
        table: &Table<'_>,
        rounds: Range<usize>,
        out: &mut [f64],
        compute: Compute<'_>,
        poll: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let n_outputs = ensemble.n_outputs();
        check_table(ensemble, table, &rounds, out.len(), n_outputs)?;
        let trees = trees_of(ensemble, &rounds);
        let visits = table.n_rows().saturating_mul(trees.len());
        let workspaces = Mutex::new(Vec::new());
        let chunks = out.chunks_mut(SHARE * n_outputs).collect();
        each_chunk(chunks, visits, compute, poll, |at, out, _| {
            let free = workspaces.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut workspace = free.unwrap_or_else(|| Workspace::new(ensemble));
            compute.isa.run(MarginsTask {
                predictor: self,
                ensemble,
                table,
                trees: trees.clone(),
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

/// Buffers of one thread.
struct Workspace {
    /// The bins of each feature.
    bins: Vec<[u8; SLICE_ROWS]>,
    values: Vec<f64>,
    slices: slices::Workspace,
    /// The margins of each output.
    sums: Vec<[f64; SLICE_ROWS]>,
}

impl Workspace {
    fn new(ensemble: &Ensemble) -> Self {
        Workspace {
            bins: filled([0; SLICE_ROWS], ensemble.binner.features.len()),
            values: Vec::new(),
            slices: slices::Workspace::default(),
            sums: filled([0.0; SLICE_ROWS], ensemble.n_outputs()),
        }
    }
}

/// The margins of some rows from `first`.
struct MarginsTask<'t> {
    predictor: &'t Predictor,
    ensemble: &'t Ensemble,
    table: &'t Table<'t>,
    trees: Range<usize>,
    first: usize,
    out: &'t mut [f64],
    workspace: &'t mut Workspace,
}

impl Task for MarginsTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let n_outputs = self.ensemble.n_outputs();
        let out = std::mem::take(&mut self.out);
        for (at, out) in out.chunks_mut(SLICE_ROWS * n_outputs).enumerate() {
            let first = self.first + at * SLICE_ROWS;
            if out.len() < FEW * n_outputs {
                self.walk_rows(first, out);
            } else {
                self.slice::<S>(first, out);
            }
        }
    }
}

impl MarginsTask<'_> {
    fn walk_rows(&self, first: usize, out: &mut [f64]) {
        let mut bins = filled(0, self.ensemble.binner.features.len());
        for (row, margins) in out.chunks_exact_mut(self.ensemble.n_outputs()).enumerate() {
            let columns: &[Column<'_>] = self.table.columns();
            let value = |column: usize| columns[column].value(first + row);
            self.predictor.bin_row(self.ensemble, value, &mut bins);
            self.predictor.add_row(self.ensemble, self.trees.clone(), &bins, margins);
        }
    }

    #[inline(always)]
    fn slice<S: Simd>(&mut self, first: usize, out: &mut [f64]) {
        let Workspace { bins, values, slices, sums } = &mut *self.workspace;
        let n_outputs = sums.len();
        let n_rows = out.len() / n_outputs;
        for &feature in &self.predictor.features {
            let feature = feature as usize;
            let column = self.ensemble.binner.column(feature);
            self.table.columns()[column].copy_to(first..first + n_rows, values);
            let to = &self.ensemble.binner.features[feature];
            match to {
                FeatureBins::Numerical(cuts) => {
                    Cuts::new(cuts).count_below::<S>(values, MISSING, &mut bins[feature][..n_rows]);
                }
                FeatureBins::Categorical(_) => {
                    let bins = values.iter().zip(&mut bins[feature]);
                    bins.for_each(|(&value, bin)| *bin = to.bin(value));
                }
            }
        }
        for (row, out) in out.chunks_exact(n_outputs).enumerate() {
            sums.iter_mut().zip(out).for_each(|(sums, &out)| sums[row] = out);
        }
        let blocks = self.predictor.blocks.get_or_init(|| Block::all(self.ensemble));
        for block in blocks {
            block.add::<S>(self.ensemble, &self.predictor.walk, &self.trees, bins, slices, sums);
        }
        for (row, out) in out.chunks_exact_mut(n_outputs).enumerate() {
            sums.iter().zip(out).for_each(|(sums, out)| *out = sums[row]);
        }
    }
}

#[cfg(test)]
mod tests;
