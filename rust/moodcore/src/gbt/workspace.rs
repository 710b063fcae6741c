//! Memory in which trees grow.

use super::context::{TrainingContext, TreeSpec};
use super::gradients::Pair;
use super::node_search::Histogram;
use super::rows::{partition, sides};
use super::tree::Tree;
use crate::kernels::{Isa, NarrowCell, WideCell};
use crate::memory::{reserve, resize};
use crate::parallel::Team;
use std::ops::Range;

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

    /// Sends all rows of a table of bins through a tree: which rows fall into each leaf.
    pub(super) fn route(
        &mut self,
        tree: &Tree,
        columns: &[Vec<u8>],
        n_rows: usize,
        (isa, team): (Isa, Option<&Team>),
    ) -> Vec<(u32, Range<usize>)> {
        self.rows.clear();
        reserve(&mut self.rows, n_rows);
        self.rows.extend(0..n_rows as u32);
        let length = self.spare.len().max(n_rows);
        resize(&mut self.spare, length, 0);
        let mut leaves = Vec::new();
        let mut open = vec![(0, 0..n_rows)];
        while let Some((at, rows)) = open.pop() {
            let node = &tree.nodes[at as usize];
            if node.is_leaf() || rows.is_empty() {
                leaves.push((at, rows));
                continue;
            }
            let n_left = partition(
                &mut self.rows[rows.clone()],
                &mut self.spare[rows.clone()],
                &columns[node.feature as usize],
                &sides(tree, node),
                (isa, team),
            );
            let middle = rows.start + n_left;
            open.push((node.left, rows.start..middle));
            open.push((node.right, middle..rows.end));
        }
        leaves
    }
}
