//! Trees and the ensemble they form, as training leaves them and prediction reads them.

use super::binning::Binner;

/// The bin of missing values, unseen categories included, in every feature.
pub const MISSING: u8 = 255;

/// The feature of a leaf, and the set of categories of a numerical split.
pub const NONE: u32 = u32::MAX;

/// A set of bins.
pub type BinSet = [u64; 4];

/// Whether the set holds the bin.
#[inline(always)]
pub fn contains(set: &BinSet, bin: u8) -> bool {
    set[usize::from(bin >> 6)] >> (bin & 63) & 1 == 1
}

/// An inner node or a leaf. A row goes left when the feature's bin is at most `bin`, or is in
/// the node's set of categories, or is [`MISSING`] and `missing_left` is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    /// The feature of the split; [`NONE`] in a leaf.
    pub feature: u32,
    /// The last bin that goes left, in a numerical split.
    pub bin: u8,
    /// Where missing values go.
    pub missing_left: bool,
    /// Which of the tree's sets holds the categories that go left; [`NONE`] in a numerical split.
    pub categories: u32,
    /// Left child; its index is above this node's.
    pub left: u32,
    /// Right child; its index is above this node's.
    pub right: u32,
    /// Gain of the split, as in Chen and Guestrin (2016), equation 7, without the half.
    pub gain: f64,
    /// Sum of the second derivatives of the training rows here.
    pub cover: f64,
    /// Sum of the weights of the training rows here if all weights are whole numbers, else the
    /// number of these rows.
    pub weight: f64,
}

impl Node {
    /// Whether this is a leaf.
    #[inline(always)]
    pub fn is_leaf(&self) -> bool {
        self.feature == NONE
    }
}

/// One tree. The root is node 0; children come after their parents.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// Nodes, parents before children.
    pub nodes: Vec<Node>,
    /// The value of each node, learning rate included: one number per node, or with
    /// `output == None` one for every output.
    pub values: Vec<f64>,
    /// Sets of categories of this tree's splits.
    pub sets: Vec<BinSet>,
    /// The output (class) that the values belong to; none for trees whose leaves hold all.
    pub output: Option<u32>,
}

impl Tree {
    /// A tree without nodes: a placeholder while a tree is changed.
    pub(super) fn empty() -> Self {
        Tree { nodes: Vec::new(), values: Vec::new(), sets: Vec::new(), output: None }
    }

    /// The leaf that a row of bins falls into; `bin` gives the row's bin of a feature.
    #[inline(always)]
    pub fn leaf(&self, bin: impl Fn(usize) -> u8) -> usize {
        let mut at = 0;
        while !self.nodes[at].is_leaf() {
            let node = &self.nodes[at];
            at = if self.goes_left(node, bin(node.feature as usize)) {
                node.left as usize
            } else {
                node.right as usize
            };
        }
        at
    }

    /// Whether a row with this bin of the node's feature goes left.
    #[inline(always)]
    pub fn goes_left(&self, node: &Node, bin: u8) -> bool {
        if bin == MISSING {
            node.missing_left
        } else if node.categories == NONE {
            bin <= node.bin
        } else {
            contains(&self.sets[node.categories as usize], bin)
        }
    }

    /// The bins of the node's feature that go left, [`MISSING`] among them or not.
    pub fn left_bins(&self, node: &Node) -> BinSet {
        let mut set = [0; 4];
        for bin in 0..=MISSING {
            if self.goes_left(node, bin) {
                set[usize::from(bin >> 6)] |= 1 << (bin & 63);
            }
        }
        set
    }
}

/// A trained model: margins are `base` plus the values of the leaves a row falls into, added in
/// the order of the trees.
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble {
    /// How raw values become bins.
    pub binner: Binner,
    /// Margin of each output before the first tree: one output for two classes, else one per class.
    pub base: Vec<f64>,
    /// Trees, round after round; in a round by output.
    pub trees: Vec<Tree>,
    /// Trees grown in each round: as many as outputs, or one.
    pub trees_per_round: usize,
}

impl Ensemble {
    /// The number of margins of a row.
    pub fn n_outputs(&self) -> usize {
        self.base.len()
    }

    /// The number of rounds.
    pub fn n_rounds(&self) -> usize {
        self.trees.len() / self.trees_per_round.max(1)
    }

    /// The trees of some rounds.
    pub fn rounds(&self, rounds: std::ops::Range<usize>) -> &[Tree] {
        &self.trees[rounds.start * self.trees_per_round..rounds.end * self.trees_per_round]
    }
}
