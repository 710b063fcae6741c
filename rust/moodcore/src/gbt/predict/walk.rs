//! Traversal of trees, several rows or trees at once.
//!
//! A step from a node to its child waits for memory; eight independent walks
//! wait at the same time.

use crate::gbt::tree::{BinSet, Ensemble, NONE, Tree, contains};
use std::ops::Range;

/// Walks at the same time.
const WALKS: usize = 8;

/// A node, as small as can be. A leaf is its own left child, and every bin goes there.
#[derive(Clone, Copy, Debug)]
struct Step {
    feature: u32,
    /// The left child; the right one follows it.
    child: u32,
    /// The set of bins that go left; [`NONE`] in numerical splits.
    set: u32,
    /// Bins go left that, this added, are at most `limit`: with one, [`super::super::MISSING`]
    /// wraps to zero and goes left too.
    shift: u8,
    limit: u8,
}

/// The nodes of all trees.
#[derive(Debug)]
pub(super) struct Walk {
    steps: Vec<Step>,
    /// The index that each node has in its tree.
    nodes: Vec<u32>,
    roots: Vec<u32>,
    sets: Vec<BinSet>,
}

impl Walk {
    pub(super) fn new(ensemble: &Ensemble) -> Self {
        let count = ensemble.trees.iter().map(|tree| tree.nodes.len()).sum();
        let mut walk = Walk {
            steps: Vec::with_capacity(count),
            nodes: Vec::with_capacity(count),
            roots: Vec::with_capacity(ensemble.trees.len()),
            sets: Vec::new(),
        };
        ensemble.trees.iter().for_each(|tree| walk.push(tree));
        walk
    }

    fn push(&mut self, tree: &Tree) {
        let root = self.nodes.len();
        self.roots.push(root as u32);
        self.nodes.push(0);
        // A queue, of which `steps` is what has been taken out: children are neighbors.
        while self.steps.len() < self.nodes.len() {
            let node = &tree.nodes[self.nodes[self.steps.len()] as usize];
            if node.is_leaf() {
                let child = self.steps.len() as u32;
                self.steps.push(Step { feature: 0, child, set: NONE, shift: 0, limit: 255 });
                continue;
            }
            let mut step = Step {
                feature: node.feature,
                child: self.nodes.len() as u32,
                set: NONE,
                shift: u8::from(node.missing_left),
                limit: node.bin.min(254) + u8::from(node.missing_left),
            };
            if node.categories != NONE {
                step.set = self.sets.len() as u32;
                self.sets.push(tree.left_bins(node));
            }
            self.steps.push(step);
            self.nodes.extend([node.left, node.right]);
        }
    }

    /// Calls `visit` with each of the trees, in their order, and the node of the leaf that the
    /// row falls into.
    #[inline(always)]
    pub(super) fn each_leaf(
        &self,
        trees: Range<usize>,
        bins: &[u8],
        mut visit: impl FnMut(usize, usize),
    ) {
        // Leaves look at feature 0, in a table of no features too.
        let bins = if bins.is_empty() { &[0] } else { bins };
        for first in trees.clone().step_by(WALKS) {
            let count = WALKS.min(trees.end - first);
            let starts = std::array::from_fn(|at| self.roots[first + at.min(count - 1)]);
            let ends = self.descend(starts, |_, feature| bins[feature]);
            for (at, &end) in ends[..count].iter().enumerate() {
                visit(first + at, self.nodes[end as usize] as usize);
            }
        }
    }

    /// The nodes of the leaves that eight rows fall into; `bin` gives the bin of a row's feature.
    #[inline(always)]
    pub(super) fn leaves(&self, tree: usize, bin: impl Fn(usize, usize) -> u8) -> [usize; WALKS] {
        let ends = self.descend([self.roots[tree]; WALKS], bin);
        ends.map(|end| self.nodes[end as usize] as usize)
    }

    #[inline(always)]
    fn descend(&self, mut at: [u32; WALKS], bin: impl Fn(usize, usize) -> u8) -> [u32; WALKS] {
        loop {
            let next = std::array::from_fn(|walk| {
                let step = &self.steps[at[walk] as usize];
                let bin = bin(walk, step.feature as usize);
                let right = if step.set == NONE {
                    bin.wrapping_add(step.shift) > step.limit
                } else {
                    !contains(&self.sets[step.set as usize], bin)
                };
                step.child + u32::from(right)
            });
            if next == at {
                return at;
            }
            at = next;
        }
    }
}
