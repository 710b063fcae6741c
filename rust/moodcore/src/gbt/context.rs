//! Inputs and outputs of tree growth.

use super::binning::Binner;
use super::config::Config;
use super::gradients::Gradients;
use super::histogram::{Block, RowBins};
use super::score::Rules;
use super::tree::Tree;
use super::weights::Weights;
use crate::kernels::Isa;
use crate::parallel::Team;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The binned training table, stored by column and by row.
#[derive(Clone, Debug)]
pub(super) struct Bins {
    /// For partitions, feature by feature.
    pub(super) columns: Arc<Vec<Vec<u8>>>,
    /// For histograms, row by row.
    pub(super) rows: RowBins,
    /// Blocks of features whose histograms are built together.
    pub(super) blocks: Vec<Block>,
    /// For each feature, whether any row has a missing value.
    pub(super) missing: Vec<bool>,
    /// Whether the trees of a round are grown one after another, because their workspaces would
    /// take too much memory.
    pub(super) one_tree_at_a_time: bool,
}

/// Data and parameters shared by all trees of a training run.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrainingContext<'a> {
    pub(super) config: &'a Config,
    pub(super) rules: &'a Rules,
    pub(super) binner: &'a Binner,
    pub(super) bins: &'a Bins,
    pub(super) weights: &'a Weights,
    pub(super) seed: u64,
    pub(super) isa: Isa,
}

/// One tree to grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct TreeSpec<'a> {
    pub(super) gradients: &'a Gradients,
    /// The outputs that the tree is fitted to: one, or all for a vector-leaf tree.
    pub(super) outputs: Outputs,
    /// The rows that it is trained on; `None` for all rows.
    pub(super) sample: Option<&'a [u32]>,
    /// Its index among all trees of the ensemble, which is the key of its random streams.
    pub(super) number: usize,
    /// The round that it belongs to.
    pub(super) round: usize,
    /// The threads that share the work within the tree.
    pub(super) team: Option<&'a Team>,
    /// Set if training must end immediately.
    pub(super) stop: &'a AtomicBool,
}

/// A range of consecutive outputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outputs {
    pub(super) first: usize,
    pub(super) count: usize,
}

/// A grown tree, and the range of [`Workspace::rows`] in each leaf.
#[derive(Debug)]
pub(super) struct GrownTree {
    pub(super) tree: Tree,
    pub(super) leaves: Vec<(u32, Range<usize>)>,
}
