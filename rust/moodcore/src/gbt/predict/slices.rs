//! Trees as splits for [`crate::kernels::RowLeaves`], and the tests of their nodes.

use super::walk::Walk;
use crate::gbt::tree::{BinSet, Ensemble, MISSING, NONE, Node, Tree, contains};
use crate::kernels::{
    BinNibbles, RowBins, RowBits, RowLeaves, RowSplit, RowTrees, SLICE_CHUNK, SLICE_LEAVES,
    SLICE_ROWS, Simd,
};
use crate::memory::filled;
use std::ops::Range;

/// Inner nodes of a block: the tests of this many, 64 bytes each, fit the second-level cache.
const BLOCK_SPLITS: usize = 8192;

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    nibbles: BinNibbles,
    tests: Vec<RowBits>,
    leaves: RowLeaves,
}

/// Consecutive trees whose tests are made together.
#[derive(Debug)]
pub(super) struct Block {
    trees: Range<usize>,
    splits: RowTrees,
    /// For each output that a tree has values for, the values of all leaves lie together.
    values: Vec<f64>,
    /// Where the values of each tree end.
    ends: Vec<usize>,
    tests: Vec<FeatureTests>,
}

/// The tests of a feature, which follow those of the features before and test 0, which all rows pass.
#[derive(Debug)]
struct FeatureTests {
    feature: usize,
    cuts: Vec<Cut>,
    sets: Vec<Vec<u8>>,
}

/// The test whether a bin is at most `bin`, or with `missing` is [`MISSING`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    missing: bool,
    bin: u8,
}

/// The test of an inner node: the bins that go left, or those that go right.
#[derive(Clone, Copy, Debug, Default)]
struct Condition {
    test: u32,
    right: bool,
}

impl Block {
    /// The blocks of an ensemble.
    pub(super) fn all(ensemble: &Ensemble) -> Vec<Block> {
        let mut blocks = Vec::new();
        let (mut first, mut splits) = (0, 0);
        for (at, tree) in ensemble.trees.iter().enumerate() {
            let more = tree.nodes.len() / 2;
            if splits + more > BLOCK_SPLITS && first < at {
                blocks.push(Block::new(ensemble, first..at));
                (first, splits) = (at, 0);
            }
            splits += more;
        }
        if first < ensemble.trees.len() {
            blocks.push(Block::new(ensemble, first..ensemble.trees.len()));
        }
        blocks
    }

    fn new(ensemble: &Ensemble, trees: Range<usize>) -> Self {
        let sliced = || ensemble.trees[trees.clone()].iter().filter(|tree| is_sliced(tree));
        let inner = sliced().flat_map(|tree| tree.nodes.iter().map(move |node| (tree, node)));
        let inner = inner.filter(|(_, node)| !node.is_leaf());
        let wanted = inner.enumerate().map(|(at, (tree, node))| Wanted::new(tree, node, at));
        let (tests, conditions) = tests_of(wanted.collect());
        let mut block = Block {
            trees: trees.clone(),
            splits: RowTrees::default(),
            values: vec![],
            ends: vec![],
            tests,
        };
        let mut conditions = conditions.as_slice();
        for tree in &ensemble.trees[trees] {
            if is_sliced(tree) {
                let (of_tree, rest) = conditions.split_at(tree.nodes.len() / 2);
                block.push(tree, of_tree, ensemble.n_outputs());
                conditions = rest;
            } else {
                block.splits.push(&[]);
            }
            block.ends.push(block.values.len());
        }
        block
    }

    /// Adds the splits and values of a tree, given the conditions of its inner nodes.
    fn push(&mut self, tree: &Tree, conditions: &[Condition], n_outputs: usize) {
        // Where the rows of each node are: those that pass the test stay where they were.
        let mut slots = filled(0_u16, tree.nodes.len());
        let mut leaves = vec![0; 1];
        let mut splits: Vec<RowSplit> = Vec::with_capacity(conditions.len());
        for (at, node) in tree.nodes.iter().enumerate() {
            let stay = slots[at];
            if node.is_leaf() {
                leaves[usize::from(stay)] = at;
                continue;
            }
            let condition = conditions[splits.len()];
            let (passing, failing) =
                if condition.right { (node.right, node.left) } else { (node.left, node.right) };
            let go = leaves.len() as u16;
            slots[passing as usize] = stay;
            slots[failing as usize] = go;
            splits.push(RowSplit { test: condition.test, stay, go });
            leaves.push(0);
        }
        self.splits.push(&splits);
        let width = if tree.output.is_some() { 1 } else { n_outputs };
        for output in 0..width {
            self.values.extend(leaves.iter().map(|leaf| tree.values[leaf * width + output]));
            self.values.resize(self.values.len().next_multiple_of(SLICE_CHUNK), 0.0);
        }
    }

    /// Adds the values of those of the block's trees that are in a range to the margins of 512
    /// rows, `sums`, of which `bins` has the bins by feature.
    #[inline(always)]
    pub(super) fn add<S: Simd>(
        &self,
        ensemble: &Ensemble,
        walk: &Walk,
        trees: &Range<usize>,
        bins: &[RowBins],
        workspace: &mut Workspace,
        sums: &mut [[f64; SLICE_ROWS]],
    ) {
        let trees = self.trees.start.max(trees.start)..self.trees.end.min(trees.end);
        if trees.is_empty() {
            return;
        }
        self.make_tests::<S>(bins, workspace);
        let Workspace { tests, leaves, .. } = workspace;
        for at in trees {
            let tree = &ensemble.trees[at];
            if !is_sliced(tree) {
                walk_rows(walk, at, tree, bins, sums);
                continue;
            }
            let at = at - self.trees.start;
            leaves.route::<S>(&self.splits, at, tests);
            let values = self.values(at);
            match tree.output {
                Some(output) => leaves.add_values::<S>(values, &mut sums[output as usize]),
                None => {
                    let values = values.chunks_exact(values.len() / sums.len());
                    values.zip(sums.iter_mut()).for_each(|(values, sums)| {
                        leaves.add_values::<S>(values, sums);
                    });
                }
            }
        }
    }

    /// Makes the tests for 512 rows.
    #[inline(always)]
    fn make_tests<S: Simd>(&self, bins: &[RowBins], workspace: &mut Workspace) {
        let Workspace { nibbles, tests, .. } = workspace;
        let count = |tests: &FeatureTests| tests.cuts.len() + tests.sets.len();
        tests.resize(1 + self.tests.iter().map(count).sum::<usize>(), RowBits::NONE);
        let (all, mut rest) = tests.split_first_mut().expect("test 0");
        *all = RowBits::ALL;
        for FeatureTests { feature, cuts, sets } in &self.tests {
            nibbles.read::<S>(&bins[*feature]);
            let (of_cuts, others) = rest.split_at_mut(cuts.len());
            for (test, cut) in of_cuts.iter_mut().zip(cuts) {
                nibbles.at_most::<S>(cut.bin, cut.missing, test);
            }
            let (of_sets, others) = others.split_at_mut(sets.len());
            for (test, bins) in of_sets.iter_mut().zip(sets) {
                nibbles.among::<S>(bins, test);
            }
            rest = others;
        }
    }

    /// The values of a tree.
    #[inline(always)]
    fn values(&self, at: usize) -> &[f64] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.values[start..self.ends[at]]
    }
}

/// Whether the tree's leaves are few enough.
fn is_sliced(tree: &Tree) -> bool {
    tree.nodes.len() < 2 * SLICE_LEAVES
}

/// Adds the values of a tree to the margins of 512 rows.
#[inline(always)]
fn walk_rows(
    walk: &Walk,
    at: usize,
    tree: &Tree,
    bins: &[RowBins],
    sums: &mut [[f64; SLICE_ROWS]],
) {
    for first in (0..SLICE_ROWS).step_by(8) {
        let leaves = walk.leaves(at, |row, feature| bins[feature].get(first + row));
        for (row, leaf) in leaves.into_iter().enumerate() {
            match tree.output {
                Some(output) => sums[output as usize][first + row] += tree.values[leaf],
                None => {
                    let values = &tree.values[leaf * sums.len()..];
                    sums.iter_mut()
                        .zip(values)
                        .for_each(|(sums, value)| sums[first + row] += value);
                }
            }
        }
    }
}

/// The test of one of the inner nodes of a block.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    feature: u32,
    test: Test,
    /// Which of the inner nodes.
    node: u32,
}

/// What a node sends left.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Test {
    Cut(Cut),
    Set(BinSet),
}

impl Wanted {
    fn new(tree: &Tree, node: &Node, at: usize) -> Self {
        let test = if node.categories == NONE {
            Test::Cut(Cut { missing: node.missing_left, bin: node.bin.min(MISSING - 1) })
        } else {
            Test::Set(tree.left_bins(node))
        };
        Wanted { feature: node.feature, test, node: at as u32 }
    }
}

/// The tests that the nodes need, and which test belongs to each node.
fn tests_of(mut wanted: Vec<Wanted>) -> (Vec<FeatureTests>, Vec<Condition>) {
    wanted.sort_unstable();
    let mut tests = Vec::new();
    let mut conditions = filled(Condition::default(), wanted.len());
    let mut test = 1;
    for of_feature in wanted.chunk_by(|a, b| a.feature == b.feature) {
        let feature = of_feature[0].feature as usize;
        let mut added = FeatureTests { feature, cuts: vec![], sets: vec![] };
        for same in of_feature.chunk_by(|a, b| a.test == b.test) {
            let condition = Condition { test, right: added.add(same[0].test) };
            same.iter().for_each(|wanted| conditions[wanted.node as usize] = condition);
            test += 1;
        }
        tests.push(added);
    }
    (tests, conditions)
}

impl FeatureTests {
    /// Adds a test or its opposite, and returns whether it is the opposite.
    fn add(&mut self, test: Test) -> bool {
        match test {
            Test::Cut(cut) => {
                self.cuts.push(cut);
                false
            }
            Test::Set(bins) => {
                let (inside, outside): (Vec<u8>, Vec<u8>) =
                    (0..=MISSING).partition(|&bin| contains(&bins, bin));
                let right = outside.len() < inside.len();
                self.sets.push(if right { outside } else { inside });
                right
            }
        }
    }
}
