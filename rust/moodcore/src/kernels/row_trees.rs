//! The splits of trees in the form in which [`super::RowLeaves`] divides rows.

use super::bitslices::WORDS;

/// The most leaves of a tree that can be told apart.
pub const SLICE_LEAVES: usize = 2048;

/// One slot for each leaf, and one that is never read.
pub(super) const SLOTS: usize = SLICE_LEAVES + 1;

/// An inner node: of the rows at slot `stay` those that fail the test move to slot `go`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowSplit {
    /// Which of the tests.
    pub test: u32,
    /// Where the rows of this node are, and where those that pass remain.
    pub stay: u16,
    /// Where those that fail go.
    pub go: u16,
}

/// A split and those of its children, or of one of them, or of none.
///
/// A processor that reads a set of rows shortly after it was written waits for some thirteen cycles
/// (Zen 5), and it writes one set per cycle; with its children, a node needs four writes
/// instead of six, and the way to a leaf half as many waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fork {
    /// The first words of the tests of the node, of the child of the rows that pass, and of the other
    /// child. A child that is a leaf, or that is the node of another fork, has test 0.
    pub tests: [u32; 3],
    /// The first words of the slots of the four grandchildren; the first is also that of the node.
    pub slots: [u16; 4],
}

/// The splits of some trees.
#[derive(Clone, Debug, Default)]
pub struct RowTrees {
    forks: Vec<Fork>,
    /// Where the forks of each tree end, and how many leaves it has.
    trees: Vec<(usize, usize)>,
    n_tests: usize,
}

impl RowTrees {
    /// Adds a tree, whose splits come parents first and whose leaves are the slots from zero: one
    /// more than there are splits.
    ///
    /// # Panics
    /// When there are as many splits as [`SLICE_LEAVES`], for a slot that is no leaf, or for more
    /// tests than [`u32`] can number the words of.
    pub fn push(&mut self, splits: &[RowSplit]) {
        assert!(splits.len() < SLICE_LEAVES);
        for split in splits {
            assert!(usize::from(split.stay.max(split.go)) <= splits.len());
            assert!(split.test <= u32::MAX / WORDS as u32);
            self.n_tests = self.n_tests.max(split.test as usize + 1);
        }
        self.n_tests = self.n_tests.max(1);
        let children = children(splits);
        let mut covered = vec![false; splits.len()];
        let merges = merges(&children);
        for (at, split) in splits.iter().enumerate() {
            if covered[at] {
                continue;
            }
            let [passing, failing] = children[at].map(|child| child.filter(|&at| merges[at]));
            let nowhere = SLICE_LEAVES as u16;
            let mut tests = [split.test, 0, 0];
            let mut slots = [split.stay, nowhere, split.go, nowhere];
            for (place, child) in [(1, passing), (2, failing)] {
                if let Some(child) = child {
                    covered[child] = true;
                    tests[place] = splits[child].test;
                    slots[2 * place - 1] = splits[child].go;
                }
            }
            self.forks.push(Fork {
                tests: tests.map(|test| test * WORDS as u32),
                slots: slots.map(|slot| slot * WORDS as u16),
            });
        }
        self.trees.push((self.forks.len(), splits.len() + 1));
    }

    /// All tests are below.
    #[inline(always)]
    pub(super) fn n_tests(&self) -> usize {
        self.n_tests
    }

    /// The forks of a tree and the number of its leaves.
    #[inline(always)]
    pub(super) fn tree(&self, at: usize) -> (&[Fork], usize) {
        let start = at.checked_sub(1).map_or(0, |before| self.trees[before].0);
        let (end, n_leaves) = self.trees[at];
        (&self.forks[start..end], n_leaves)
    }
}

/// The children of each split that are splits: of the rows that pass, and of the others.
fn children(splits: &[RowSplit]) -> Vec<[Option<usize>; 2]> {
    // From the last split back: the next split of each slot.
    let mut next = vec![None; splits.len() + 1];
    let mut children = vec![[None; 2]; splits.len()];
    for (at, split) in splits.iter().enumerate().rev() {
        let [stay, go] = [split.stay, split.go].map(usize::from);
        children[at] = [next[stay], next[go]];
        (next[stay], next[go]) = (Some(at), None);
    }
    children
}

/// Which splits are best put into the fork of their parent if they can be: those whose subtrees need
/// no more forks without them.
fn merges(children: &[[Option<usize>; 2]]) -> Vec<bool> {
    // The forks that the subtree of each split needs, and that it needs without the split.
    let mut with = vec![0_usize; children.len()];
    let mut without = with.clone();
    for (at, children) in children.iter().enumerate().rev() {
        let children = || children.iter().flatten();
        without[at] = children().map(|&child| with[child]).sum();
        with[at] = 1 + children().map(|&child| with[child].min(without[child])).sum::<usize>();
    }
    with.iter().zip(&without).map(|(with, without)| without <= with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    fn split(test: u32, stay: u16, go: u16) -> RowSplit {
        RowSplit { test, stay, go }
    }

    #[test]
    fn splits_share_the_fork_of_their_parent() {
        let mut trees = RowTrees::default();
        trees.push(&[]);
        assert_eq!((trees.tree(0).0.len(), trees.tree(0).1), (0, 1));
        trees.push(&[split(1, 0, 1), split(2, 0, 2), split(3, 1, 3)]);
        let (forks, n_leaves) = trees.tree(1);
        assert_eq!((forks.len(), n_leaves, trees.n_tests()), (1, 4, 4));
        assert_eq!(forks[0].tests.map(|word| word as usize / WORDS), [1, 2, 3]);
        assert_eq!(forks[0].slots.map(|word| usize::from(word) / WORDS), [0, 2, 1, 3]);
        // The root alone, and its child with both grandchildren: fewer forks than the root with its
        // child and each grandchild alone.
        trees.push(&[split(1, 0, 1), split(2, 0, 2), split(3, 0, 3), split(4, 2, 4)]);
        assert_eq!(trees.tree(2).0.len(), 2);
    }

    #[test]
    fn splits_outside_of_the_tree_or_the_addresses_are_refused() {
        for wrong in [split(0, 0, 2), split(0, 2, 1), split(u32::MAX, 0, 1)] {
            assert!(catch_unwind(|| RowTrees::default().push(&[wrong])).is_err());
        }
        let many: Vec<RowSplit> = (1..=SLICE_LEAVES as u16).map(|go| split(0, 0, go)).collect();
        RowTrees::default().push(&many[1..].iter().map(|_| split(0, 0, 1)).collect::<Vec<_>>());
        assert!(catch_unwind(|| RowTrees::default().push(&many)).is_err());
    }
}
