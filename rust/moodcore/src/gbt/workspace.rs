//! Memory in which trees grow.

use super::context::{TrainingContext, TreeSpec};
use super::node_search::Histogram;
use crate::kernels::{NarrowCell, WideCell};
use crate::memory::{reserve, resize};

/// Memory that trees use one after another.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// The rows, node by node.
    pub(super) rows: Vec<u32>,
    pub(super) spare: Vec<u32>,
    /// Histograms that trees no longer need, by the width of their cells.
    pub(super) wide: Vec<Histogram<WideCell>>,
    pub(super) narrow: Vec<Histogram<NarrowCell>>,
}

impl Workspace {
    /// Lists the rows of a root.
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
    }

    /// Two lists with room for this many rows, whose contents are not needed any more.
    pub(super) fn lists(&mut self, n_rows: usize) -> (&mut [u32], &mut [u32]) {
        resize(&mut self.rows, n_rows, 0);
        let length = self.spare.len().max(n_rows);
        resize(&mut self.spare, length, 0);
        (&mut self.rows, &mut self.spare[..n_rows])
    }
}
