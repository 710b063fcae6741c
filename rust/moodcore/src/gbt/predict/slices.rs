//! Trees as programs for [`crate::kernels::RowLeaves`].
//!
//! The bins of a feature that no test of a block of trees tells apart form a class. Tests are
//! unions of classes, and of other tests: those of a numerical feature are nested, so that
//! each is the previous one and one more class.

use super::walk::Walk;
use crate::gbt::tree::{BinSet, Ensemble, MISSING, NONE, Node, Tree, contains};
use crate::kernels::{
    RowBits, RowLeaves, RowSplit, SLICE_CHUNK, SLICE_LEAVES, SLICE_ROWS, Simd, rows_of_classes,
};
use crate::memory::filled;
use std::ops::Range;

/// Inner nodes of a block: the tests of this many, 64 bytes each, fit the second-level cache.
const BLOCK_SPLITS: usize = 8192;

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    tests: Vec<RowBits>,
    leaves: RowLeaves,
}

/// Consecutive trees whose tests are made together.
#[derive(Debug)]
pub(super) struct Block {
    trees: Range<usize>,
    programs: Vec<Program>,
    splits: Vec<RowSplit>,
    values: Vec<f64>,
    tests: Tests,
}

/// One tree: where its splits and the values of its leaves end. For each output that it has
/// values for, the values of all leaves lie together.
#[derive(Clone, Copy, Debug)]
struct Program {
    splits: usize,
    values: usize,
}

/// The tests of a block: first the classes of each feature, then unions of what is before.
#[derive(Debug, Default)]
struct Tests {
    features: Vec<Classes>,
    unions: Vec<Union>,
    members: Vec<u32>,
}

/// A union of members, the last of them before `end`, or of these and the union before.
#[derive(Clone, Copy, Debug, Default)]
struct Union {
    end: usize,
    continues: bool,
}

/// The classes of a feature's bins, and where in the tests they are.
#[derive(Debug)]
struct Classes {
    feature: usize,
    place: Range<usize>,
    class_of: [u8; 256],
    /// The last bin of each class.
    lasts: BinSet,
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
        let (tests, conditions) = Tests::new(wanted.collect());
        let mut block =
            Block { trees: trees.clone(), programs: vec![], splits: vec![], values: vec![], tests };
        for tree in &ensemble.trees[trees] {
            if is_sliced(tree) {
                block.push(tree, &conditions, ensemble.n_outputs());
            }
            let (splits, values) = (block.splits.len(), block.values.len());
            block.programs.push(Program { splits, values });
        }
        block
    }

    /// Adds the splits and values of a tree.
    fn push(&mut self, tree: &Tree, conditions: &[Condition], n_outputs: usize) {
        // Where the rows of each node are: those that pass the test stay where they were.
        let mut places = filled(0_u16, tree.nodes.len());
        let mut leaves = vec![0; 1];
        for (at, node) in tree.nodes.iter().enumerate() {
            let place = places[at];
            if node.is_leaf() {
                leaves[usize::from(place)] = at;
                continue;
            }
            let condition = conditions[self.splits.len()];
            let (passing, failing) =
                if condition.right { (node.right, node.left) } else { (node.left, node.right) };
            places[passing as usize] = place;
            places[failing as usize] = leaves.len() as u16;
            self.splits.push(RowSplit {
                test: condition.test,
                stay: place,
                go: leaves.len() as u16,
            });
            leaves.push(0);
        }
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
        bins: &[[u8; SLICE_ROWS]],
        workspace: &mut Workspace,
        sums: &mut [[f64; SLICE_ROWS]],
    ) {
        let trees = self.trees.start.max(trees.start)..self.trees.end.min(trees.end);
        if trees.is_empty() {
            return;
        }
        let Workspace { tests, leaves } = workspace;
        self.tests.make(bins, tests);
        for at in trees {
            let tree = &ensemble.trees[at];
            if !is_sliced(tree) {
                walk_rows(walk, at, tree, bins, sums);
                continue;
            }
            let (splits, values) = self.program(at - self.trees.start);
            leaves.route(splits, tests);
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

    /// The splits and values of a tree.
    #[inline(always)]
    fn program(&self, at: usize) -> (&[RowSplit], &[f64]) {
        let start =
            at.checked_sub(1).map_or(Program { splits: 0, values: 0 }, |at| self.programs[at]);
        let end = self.programs[at];
        (&self.splits[start.splits..end.splits], &self.values[start.values..end.values])
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
    bins: &[[u8; SLICE_ROWS]],
    sums: &mut [[f64; SLICE_ROWS]],
) {
    for first in (0..SLICE_ROWS).step_by(8) {
        let leaves = walk.leaves(at, |row, feature| bins[feature][first + row]);
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

/// The bins that one of the inner nodes of a block sends left.
struct Wanted {
    /// Sorts by feature, then those without missing values first, then from small to large.
    key: u64,
    bins: BinSet,
    /// Which of the inner nodes.
    node: u32,
}

impl Wanted {
    fn new(tree: &Tree, node: &Node, at: usize) -> Self {
        let mut bins = if node.categories == NONE {
            let below = |word: u32| match (u32::from(node.bin) + 1).saturating_sub(64 * word) {
                0 => 0,
                count => !0 >> (64 - count.min(64)),
            };
            std::array::from_fn(|word| below(word as u32))
        } else {
            tree.sets[node.categories as usize]
        };
        let missing = 1 << (MISSING & 63);
        bins[3] = bins[3] & !missing | if node.missing_left { missing } else { 0 };
        let count: u32 = bins.iter().map(|word| word.count_ones()).sum();
        let key =
            u64::from(node.feature) << 32 | u64::from(node.missing_left) << 31 | u64::from(count);
        Wanted { key, bins, node: at as u32 }
    }

    fn feature(&self) -> usize {
        (self.key >> 32) as usize
    }
}

impl Tests {
    /// The tests that the nodes need, and which test belongs to each node.
    fn new(mut wanted: Vec<Wanted>) -> (Self, Vec<Condition>) {
        wanted.sort_unstable_by_key(|wanted| (wanted.key, wanted.bins));
        let mut tests = Tests::default();
        let mut end = 0;
        for of_feature in wanted.chunk_by(|a, b| a.feature() == b.feature()) {
            let classes = Classes::new(of_feature, end);
            end = classes.place.end;
            tests.features.push(classes);
        }
        let mut conditions = filled(Condition::default(), wanted.len());
        let of_features = wanted.chunk_by(|a, b| a.feature() == b.feature());
        for (at, of_feature) in of_features.enumerate() {
            let mut last = None;
            for same in of_feature.chunk_by(|a, b| a.bins == b.bins) {
                let condition = tests.push(at, end, same[0].bins, &mut last);
                same.iter().for_each(|wanted| conditions[wanted.node as usize] = condition);
            }
        }
        (tests, conditions)
    }

    /// Adds a test of the feature's bins in the cheapest way, after `n_classes` classes; `last` is
    /// the one added before with the bins that pass it.
    fn push(
        &mut self,
        feature: usize,
        n_classes: usize,
        bins: BinSet,
        last: &mut Option<(u32, BinSet)>,
    ) -> Condition {
        let classes = &self.features[feature];
        let others = bins.map(|word| !word);
        let mut ways = vec![(false, bins, bins, None), (true, others, others, None)];
        if let Some((test, within)) = *last
            && within.iter().zip(&bins).all(|(within, bins)| within & !bins == 0)
        {
            let more = std::array::from_fn(|word| bins[word] & !within[word]);
            ways.push((false, bins, more, Some(test)));
        }
        ways.sort_by_key(|(_, _, bins, test)| classes.count(bins) + usize::from(test.is_some()));
        let (right, passing, bins, test) = ways[0];
        let (start, next) = (self.members.len(), n_classes + self.unions.len());
        self.members.extend(classes.inside(&bins));
        // The union before is at hand; a class is not.
        let continues =
            test.is_some_and(|test| test as usize + 1 == next && !self.unions.is_empty());
        if !continues {
            self.members.extend(test);
        }
        let test = match self.members[start..] {
            [one] if !continues => {
                self.members.truncate(start);
                one
            }
            _ => {
                self.unions.push(Union { end: self.members.len(), continues });
                next as u32
            }
        };
        *last = Some((test, passing));
        Condition { test, right }
    }

    /// Makes the tests for 512 rows.
    #[inline(always)]
    fn make(&self, bins: &[[u8; SLICE_ROWS]], tests: &mut Vec<RowBits>) {
        let n_classes = self.features.last().map_or(0, |classes| classes.place.end);
        tests.resize(n_classes + self.unions.len(), RowBits::NONE);
        for classes in &self.features {
            let rows = &mut tests[classes.place.clone()];
            rows_of_classes(&bins[classes.feature], &classes.class_of, rows);
        }
        let (mut start, mut union) = (0, RowBits::NONE);
        for (at, &Union { end, continues }) in self.unions.iter().enumerate() {
            if !continues {
                union = RowBits::NONE;
            }
            for &member in &self.members[start..end] {
                union = union.or(tests[member as usize]);
            }
            tests[n_classes + at] = union;
            start = end;
        }
    }
}

impl Classes {
    /// Runs of bins between which no set of the feature has a border; the first place is `start`.
    fn new(wanted: &[Wanted], start: usize) -> Self {
        let mut lasts = [0, 0, 0, 1 << (MISSING & 63)];
        for Wanted { bins, .. } in wanted {
            for word in 0..4 {
                let next = bins.get(word + 1).map_or(bins[3] >> 63, |next| next & 1);
                lasts[word] |= bins[word] ^ (bins[word] >> 1 | next << 63);
            }
        }
        let mut class_of = [0; 256];
        let mut class = 0;
        for bin in 0..MISSING {
            class_of[usize::from(bin)] = class;
            class += u8::from(contains(&lasts, bin));
        }
        class_of[usize::from(MISSING)] = class;
        let end = start + usize::from(class) + 1;
        Classes { feature: wanted[0].feature(), place: start..end, class_of, lasts }
    }

    /// How many classes are in a set of bins that divides none.
    fn count(&self, bins: &BinSet) -> usize {
        self.lasts.iter().zip(bins).map(|(last, bins)| (last & bins).count_ones() as usize).sum()
    }

    /// The places of the classes in a set of bins that divides none.
    fn inside(&self, bins: &BinSet) -> impl Iterator<Item = u32> {
        let inside: BinSet = std::array::from_fn(|word| self.lasts[word] & bins[word]);
        let bins = (0..=MISSING).filter(move |&bin| contains(&inside, bin));
        bins.map(|bin| self.place.start as u32 + u32::from(self.class_of[usize::from(bin)]))
    }
}
