//! Memory in which trees grow.

use super::context::{TrainingContext, TreeSpec};
use super::gradients::Pair;
use super::node_search::Histogram;
use crate::kernels::{NarrowCell, WideCell};
use crate::memory::{reserve, resize};

/// Memory that trees use one after another.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// The rows, node by node.
    pub(super) rows: Vec<u32>,
    pub(super) spare: Vec<u32>,
    /// The pairs of `rows` in their order, for each output.
    pub(super) pairs: Vec<Vec<Pair>>,
    pub(super) counts: Vec<u32>,
    /// The pairs of all rows of the table, shortened for narrow cells.
    pub(super) short: Vec<Pair>,
    /// Histograms that trees no longer need, by the width of their cells.
    pub(super) wide: Vec<Histogram<WideCell>>,
    pub(super) narrow: Vec<Histogram<NarrowCell>>,
}

impl Workspace {
    /// Lists the rows of a root, with memory for their derivatives and counts.
    pub(super) fn reset(&mut self, context: &TrainingContext<'_>, spec: &TreeSpec<'_>) {
        let n_rows = context.bins.columns.first().map_or(0, Vec::len);
        self.rows.clear();
        reserve(&mut self.rows, n_rows);
        match spec.sample {
            None => self.rows.extend(0..n_rows as u32),
            Some(sample) => self.rows.extend_from_slice(sample),
        }
        let n_rows = self.rows.len();
        let length = self.spare.len().max(n_rows);
        resize(&mut self.spare, length, 0);
        if context.weights.counts.is_some() {
            let length = self.counts.len().max(n_rows);
            resize(&mut self.counts, length, 0);
        }
        self.pairs.resize(spec.outputs.count, Vec::new());
        for pairs in &mut self.pairs {
            let length = pairs.len().max(n_rows);
            resize(pairs, length, Pair::default());
        }
    }

    /// Two lists with room for this many rows, whose contents are not needed any more.
    pub(super) fn lists(&mut self, n_rows: usize) -> (&mut [u32], &mut [u32]) {
        resize(&mut self.rows, n_rows, 0);
        let length = self.spare.len().max(n_rows);
        resize(&mut self.spare, length, 0);
        (&mut self.rows, &mut self.spare[..n_rows])
    }
}
