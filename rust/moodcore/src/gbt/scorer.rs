//! Trees as bit vectors: `QuickScorer` (Lucchese et al. 2015), with the masks of several trees side
//! by side (Lucchese et al. 2016) and no branch on the data.
//!
//! The leaves of a tree are numbered from left to right, and a row starts with a bit for each. A
//! node rules out the leaves on the side that the row does not take, and only one bit is left
//! when all nodes have spoken. What all nodes of one feature rule out depends on the row's bin
//! alone, so a table holds it: a row costs one `and` a feature, whatever the tree's shape.

use super::tree::{Node, Tree};
use std::ops::{BitAnd, BitAndAssign, Not};

/// A bit for each leaf of a tree.
pub(super) trait Mask:
    Copy + Not<Output = Self> + BitAnd<Output = Self> + BitAndAssign + Send + Sync
{
    /// Every leaf.
    const ALL: Self;
    /// The leaves `first..end`.
    fn range(first: u32, end: u32) -> Self;
    /// The lowest leaf.
    fn lowest(self) -> usize;
}

macro_rules! mask {
    ($integer:ty) => {
        impl Mask for $integer {
            const ALL: Self = <$integer>::MAX;

            fn range(first: u32, end: u32) -> Self {
                let below = |bit: u32| {
                    if bit == <$integer>::BITS { Self::ALL } else { ((1 as $integer) << bit) - 1 }
                };
                below(end) & !below(first)
            }

            #[inline(always)]
            fn lowest(self) -> usize {
                self.trailing_zeros() as usize
            }
        }
    };
}
mask!(u32);
mask!(u64);

/// A feature that some tree of a bundle looks at.
#[derive(Clone, Debug)]
struct Used {
    feature: usize,
    /// The first row of its table.
    first: usize,
    /// The row for each bin, from the first: bins that no node tells apart share one.
    rows: Box<[u8; 256]>,
}

/// Up to `LANES` neighbouring trees whose masks lie side by side.
#[derive(Clone, Debug)]
pub(super) struct Bundle<M, const LANES: usize> {
    used: Vec<Used>,
    table: Vec<[M; LANES]>,
    /// For each tree its output, or none for all, and where its leaves' values start.
    trees: Vec<(Option<u32>, usize)>,
    /// Values leaf by leaf, tree by tree.
    values: Vec<f64>,
}

impl<M: Mask, const LANES: usize> Bundle<M, LANES> {
    /// Bundles trees, each of at most as many leaves as a mask has bits.
    pub(super) fn new(trees: &[Tree], n_features: usize, n_outputs: usize) -> Self {
        let spans: Vec<Vec<(u32, u32)>> = trees.iter().map(leaf_spans).collect();
        let mut bundle =
            Bundle { used: Vec::new(), table: Vec::new(), trees: Vec::new(), values: Vec::new() };
        let mut nodes: Vec<Vec<(usize, &Node)>> = vec![Vec::new(); n_features];
        for (lane, tree) in trees.iter().enumerate() {
            for node in tree.nodes.iter().filter(|node| !node.is_leaf()) {
                nodes[node.feature as usize].push((lane, node));
            }
        }
        for (feature, nodes) in nodes.iter().enumerate().filter(|(_, nodes)| !nodes.is_empty()) {
            bundle.add_feature(feature, nodes, trees, &spans);
        }
        for (tree, spans) in trees.iter().zip(&spans) {
            bundle.trees.push((tree.output, bundle.values.len()));
            let width = if tree.output.is_some() { 1 } else { n_outputs };
            let mut leaves: Vec<(u32, usize)> = (0..tree.nodes.len())
                .filter(|&at| tree.nodes[at].is_leaf())
                .map(|at| (spans[at].0, at))
                .collect();
            leaves.sort_unstable();
            for (_, at) in leaves {
                bundle.values.extend_from_slice(&tree.values[at * width..][..width]);
            }
        }
        bundle
    }

    /// Tabulates what the nodes of a feature rule out.
    fn add_feature(
        &mut self,
        feature: usize,
        nodes: &[(usize, &Node)],
        trees: &[Tree],
        spans: &[Vec<(u32, u32)>],
    ) {
        let first = self.table.len();
        let mut rows = Box::new([0; 256]);
        for bin in 0..=u8::MAX {
            let told_apart = bin == 0
                || nodes.iter().any(|&(lane, node)| {
                    trees[lane].goes_left(node, bin) != trees[lane].goes_left(node, bin - 1)
                });
            if told_apart {
                let mut masks = [M::ALL; LANES];
                for &(lane, node) in nodes {
                    let out = if trees[lane].goes_left(node, bin) { node.right } else { node.left };
                    let (from, to) = spans[lane][out as usize];
                    masks[lane] &= !M::range(from, to);
                }
                self.table.push(masks);
            }
            rows[usize::from(bin)] = (self.table.len() - 1 - first) as u8;
        }
        self.used.push(Used { feature, first, rows });
    }

    /// Adds the values of the leaves that some rows fall into, tree after tree. `columns` holds the
    /// bins of these rows for each feature, `out` their margins, row by row.
    #[inline(always)]
    pub(super) fn add(&self, columns: &[Vec<u8>], n_outputs: usize, out: &mut [f64]) {
        for (row, out) in out.chunks_exact_mut(n_outputs).enumerate() {
            let masks = self.masks(|feature| columns[feature][row]);
            self.add_values(&masks, out);
        }
    }

    /// The leaf of each tree that a row falls into.
    #[inline(always)]
    fn masks(&self, bin: impl Fn(usize) -> u8) -> [M; LANES] {
        let mut masks = [M::ALL; LANES];
        for Used { feature, first, rows } in &self.used {
            let row = first + usize::from(rows[usize::from(bin(*feature))]);
            for (mask, &other) in masks.iter_mut().zip(&self.table[row]) {
                *mask &= other;
            }
        }
        masks
    }

    #[inline(always)]
    fn add_values(&self, masks: &[M; LANES], out: &mut [f64]) {
        for (&mask, &(output, first)) in masks.iter().zip(&self.trees) {
            let leaf = mask.lowest();
            match output {
                Some(output) => out[output as usize] += self.values[first + leaf],
                None => {
                    let values = &self.values[first + leaf * out.len()..];
                    for (out, value) in out.iter_mut().zip(values) {
                        *out += value;
                    }
                }
            }
        }
    }

    /// As [`Bundle::add`] for one row.
    pub(super) fn add_row(&self, bins: &[u8], out: &mut [f64]) {
        self.add_values(&self.masks(|feature| bins[feature]), out);
    }
}

/// For each node the leaves under it, numbered from left to right.
fn leaf_spans(tree: &Tree) -> Vec<(u32, u32)> {
    let mut counts = vec![0_u32; tree.nodes.len()];
    for (at, node) in tree.nodes.iter().enumerate().rev() {
        counts[at] = match node.is_leaf() {
            true => 1,
            false => counts[node.left as usize] + counts[node.right as usize],
        };
    }
    let mut spans = vec![(0, counts[0]); tree.nodes.len()];
    for (at, node) in tree.nodes.iter().enumerate() {
        if !node.is_leaf() {
            let (first, end) = spans[at];
            let middle = first + counts[node.left as usize];
            spans[node.left as usize] = (first, middle);
            spans[node.right as usize] = (middle, end);
        }
    }
    spans
}
