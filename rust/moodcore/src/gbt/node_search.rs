//! The statistics of one or two sibling nodes and the best split of each, block by block of
//! features: a block's histograms are counted, subtracted and searched while they are in the
//! cache, and blocks are independent of each other.

use super::candidates::Lanes;
use super::cells::{Packed, Sizes, Units};
use super::context::{TrainingContext, TreeSpec};
use super::counting::{BlockCells, Counting};
use super::histogram::{Block, Measure, NodeRows, Total, subtract};
use super::roots::may_be_narrow;
use super::rows::{BinWeights, WeightCounts};
use super::score::Sums;
use super::split::{FeatureRules, Parent, Search, Split, SplitQuery};
use super::workspace::Workspace;
use crate::kernels::{FeatureCells, RowList};
use crate::memory::filled;
use crate::parallel::Team;
use std::ops::Range;

/// The cells of every output and feature of a node: output by output.
pub(super) type Histogram<C> = Vec<FeatureCells<C>>;

/// Additions to histograms above which threads share them.
const ENOUGH: usize = 1 << 12;

/// A node that is searched.
#[derive(Debug)]
pub(super) struct Side<'a> {
    /// The range of its rows in [`Workspace::rows`].
    pub(super) rows: Range<usize>,
    pub(super) parent: Parent<'a>,
    /// Which features it may use; none for all.
    pub(super) allowed: Option<Vec<bool>>,
    /// For extra-random trees the position of the only threshold of each feature.
    pub(super) thresholds: Option<Vec<f64>>,
    /// The weight by bin of each feature where rows of other hosts count too; else empty.
    pub(super) bin_weights: &'a [BinWeights],
    /// Whether to search for a split, or only to fill the histogram.
    pub(super) wanted: bool,
}

/// What is computed of nodes. Between the two parts, hosts that train together add their
/// histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Histograms and splits.
    All,
    /// Histograms of the nodes whose rows are counted.
    Count,
    /// The other histograms, and splits.
    Search,
}

/// A node's histogram and split, as far as they are computed.
#[derive(Debug)]
pub(super) struct NodeHistogram<'a, 'h, C> {
    side: Side<'a>,
    histogram: &'h mut Histogram<C>,
    /// Whether the histogram is the parent's, from which the sibling's is to be taken.
    left_over: bool,
    /// The best split.
    pub(super) split: Option<Split>,
}

impl<'a, 'h, C: Packed> NodeHistogram<'a, 'h, C> {
    /// A node whose rows are counted, or `left_over` from those of a sibling, which then comes
    /// before it.
    pub(super) fn new(side: Side<'a>, histogram: &'h mut Histogram<C>, left_over: bool) -> Self {
        NodeHistogram { side, histogram, left_over, split: None }
    }
}

/// One block of features of the nodes.
struct BlockPart<'n, C> {
    block: Block,
    nodes: Vec<NodePart<'n, C>>,
}

/// One block of features of one node.
struct NodePart<'n, C> {
    side: &'n Side<'n>,
    left_over: bool,
    /// For each output the cells of the block's features.
    cells: Vec<&'n mut [FeatureCells<C>]>,
    split: Option<Split>,
}

/// How nodes of one tree are searched.
#[derive(Clone, Copy)]
pub(super) struct NodeSearch<'a> {
    pub(super) context: TrainingContext<'a>,
    pub(super) spec: TreeSpec<'a>,
    units: Units,
}

impl<'a> NodeSearch<'a> {
    /// A search on wide cells.
    pub(super) fn new(context: TrainingContext<'a>, spec: TreeSpec<'a>) -> Self {
        let units = Units::wide(spec.gradients.scales, context.weights);
        NodeSearch { context, spec, units }
    }

    /// Sums over the root's rows.
    pub(super) fn totals<C: Packed>(&self, workspace: &Workspace) -> Vec<Sums> {
        let total = |output| {
            let node = self.node_rows(&(0..workspace.rows.len()), output, workspace);
            self.units.read(self.context.isa.run(Total::<C>::of(node))).0
        };
        (0..self.spec.outputs.count).map(total).collect()
    }

    /// The same sums from the histogram of the root.
    pub(super) fn totals_of<C: Packed>(&self, root: &Histogram<C>) -> Vec<Sums> {
        let n_features = self.context.bins.columns.len();
        let total = |output: &[FeatureCells<C>]| {
            let sum = output[0].iter().fold(C::EMPTY, |sum, &cell| sum.plus(cell));
            self.units.read(sum).0
        };
        root.chunks(n_features).map(total).collect()
    }

    /// The sum of weights in a wide cell.
    pub(super) fn weight_in<C: Packed>(&self, cell: C) -> u64 {
        cell.unpack(&self.units).2
    }

    /// The same search on narrow cells, which hold one output; none where they cannot serve.
    pub(super) fn narrowed(&self, workspace: &Workspace) -> Option<Self> {
        self.may_be_narrow()
            .then(|| self.sizes(workspace))
            .and_then(|sizes| self.narrowed_to(sizes))
    }

    fn may_be_narrow(&self) -> bool {
        self.spec.outputs.count == 1 && may_be_narrow(&self.context)
    }

    /// How large the derivatives of the root's rows are together, of the first output.
    pub(super) fn sizes(&self, workspace: &Workspace) -> Sizes {
        let root = self.node_rows(&(0..workspace.rows.len()), 0, workspace);
        self.context.isa.run(Measure(root))
    }

    /// [`NodeSearch::narrowed`] where the derivatives of all rows are that large.
    pub(super) fn narrowed_to(&self, sizes: Sizes) -> Option<Self> {
        let units = self.may_be_narrow().then(|| self.units.narrowed(sizes)).flatten()?;
        Some(NodeSearch { units, ..*self })
    }

    /// The rows of a node as the histogram reads them.
    pub(super) fn node_rows<'s>(
        &'s self,
        rows: &Range<usize>,
        output: usize,
        workspace: &'s Workspace,
    ) -> NodeRows<'s> {
        let weights = self.context.weights;
        // The root of a tree that uses all rows reads them where they are.
        let whole = self.spec.sample.is_none() && rows.len() == workspace.rows.len();
        NodeRows {
            rows: if whole {
                RowList::Range(0, rows.len())
            } else {
                RowList::Some(&workspace.rows[rows.clone()])
            },
            pairs: &self.spec.gradients.outputs[self.spec.outputs.first + output],
            counts: weights.counts.as_deref(),
            repeated: weights.factors.is_none(),
            units: &self.units,
        }
    }

    /// Fills the histograms and finds the splits of one node, or of two siblings the smaller of
    /// which comes first.
    pub(super) fn run<C: Packed>(
        &self,
        nodes: &mut [NodeHistogram<'_, '_, C>],
        workspace: &Workspace,
        what: Work,
    ) {
        let counted = nodes.iter().filter(|node| !node.left_over);
        let n_rows: usize = counted.map(|node| node.side.rows.len()).sum();
        let n_features = self.context.bins.columns.len();
        let work = (n_rows + 256 * nodes.len()) * n_features * self.spec.outputs.count;
        let mut splits: Vec<Option<Split>> = filled(None, nodes.len());
        let team = self.spec.team.filter(|_| work > ENOUGH);
        let mut what = what;
        if let Some(team) = team
            && what != Work::Search
            && self.counting().pays_to_share(n_rows, team)
        {
            self.count_shares(nodes, workspace, team);
            what = if what == Work::Count { return } else { Work::Search };
        }
        let mut parts = self.parts(nodes);
        let groups = team.map_or(1, Team::threads).min(parts.len());
        let width = parts.len().div_ceil(groups);
        let mut groups: Vec<&mut [BlockPart<'_, C>]> = parts.chunks_mut(width).collect();
        match team {
            Some(team) => {
                team.for_each(&mut groups, |_, group| self.run_blocks(group, workspace, what))
            }
            None => groups.iter_mut().for_each(|group| self.run_blocks(group, workspace, what)),
        }
        for part in parts {
            for (best, node) in splits.iter_mut().zip(part.nodes) {
                // Of equal gains the lower feature's stays.
                if let Some(split) = node.split
                    && best.as_ref().is_none_or(|best| split.gain > best.gain)
                {
                    *best = Some(split);
                }
            }
        }
        for (node, split) in nodes.iter_mut().zip(splits) {
            node.split = split;
        }
    }

    /// The nodes' histograms, cut into blocks of features.
    fn parts<'n, C: Packed>(
        &self,
        nodes: &'n mut [NodeHistogram<'_, '_, C>],
    ) -> Vec<BlockPart<'n, C>>
    where
        'a: 'n,
    {
        let blocks = &self.context.bins.blocks;
        let mut parts: Vec<BlockPart<'n, C>> =
            blocks.iter().map(|&block| BlockPart { block, nodes: Vec::new() }).collect();
        let n_features = self.context.bins.columns.len();
        for NodeHistogram { side, histogram, left_over, .. } in nodes {
            let side: &'n Side<'n> = side;
            for part in &mut parts {
                let cells = Vec::with_capacity(self.spec.outputs.count);
                part.nodes.push(NodePart { side, left_over: *left_over, cells, split: None });
            }
            for mut output in histogram.chunks_mut(n_features) {
                for part in &mut parts {
                    let (cells, rest) = output.split_at_mut(part.block.count);
                    output = rest;
                    if let Some(node) = part.nodes.last_mut() {
                        node.cells.push(cells);
                    }
                }
            }
        }
        parts
    }

    /// Counts, subtracts and searches some blocks of the nodes.
    fn run_blocks<C: Packed>(
        &self,
        parts: &mut [BlockPart<'_, C>],
        workspace: &Workspace,
        work: Work,
    ) {
        for parts in parts.chunk_by_mut(|a, b| a.block.group == b.block.group) {
            self.run_group(parts, workspace, work);
        }
    }

    /// Counts, subtracts and searches blocks with common rows of bins.
    fn run_group<C: Packed>(
        &self,
        parts: &mut [BlockPart<'_, C>],
        workspace: &Workspace,
        work: Work,
    ) {
        let features = &self.context.binner.features;
        let n_nodes = parts.first().map_or(0, |part| part.nodes.len());
        for at in 0..n_nodes {
            if work != Work::Search {
                self.count(parts, at, workspace);
            }
            if work == Work::Count {
                continue;
            }
            for BlockPart { block, nodes } in parts.iter_mut() {
                let (before, after) = nodes.split_at_mut(at);
                let node = &mut after[0];
                if let (Some(sibling), true) = (before.first(), node.left_over) {
                    for (from, other) in node.cells.iter_mut().zip(&sibling.cells) {
                        for (at, (from, other)) in from.iter_mut().zip(other.iter()).enumerate() {
                            subtract(from, other, features[block.first + at].count());
                        }
                    }
                }
                self.find(*block, node, workspace);
            }
        }
    }

    /// Counts the rows of a node for some blocks.
    fn count<C: Packed>(&self, parts: &mut [BlockPart<'_, C>], at: usize, workspace: &Workspace) {
        let Some(node) = parts.first().map(|part| &part.nodes[at]) else { return };
        if node.left_over {
            return;
        }
        let rows = node.side.rows.clone();
        for output in 0..self.spec.outputs.count {
            let mut blocks: Vec<BlockCells<'_, C>> = parts
                .iter_mut()
                .map(|part| (part.block, &mut *part.nodes[at].cells[output]))
                .collect();
            let node = self.node_rows(&rows, output, workspace);
            self.counting().add_rows(node, &mut blocks);
        }
    }

    /// Counts the rows of nodes for all blocks, where each thread has some of the rows.
    fn count_shares<C: Packed>(
        &self,
        nodes: &mut [NodeHistogram<'_, '_, C>],
        workspace: &Workspace,
        team: &Team,
    ) {
        let n_features = self.context.bins.columns.len();
        for NodeHistogram { side, histogram, .. } in nodes.iter_mut().filter(|n| !n.left_over) {
            for (output, cells) in histogram.chunks_mut(n_features).enumerate() {
                let node = self.node_rows(&side.rows, output, workspace);
                self.counting().add_shares(node, cells, team);
            }
        }
    }

    fn counting(&self) -> Counting<'_> {
        let NodeSearch { context, spec, .. } = self;
        Counting { bins: context.bins, binner: context.binner, isa: context.isa, stop: spec.stop }
    }

    fn find<C: Packed>(&self, block: Block, node: &mut NodePart<'_, C>, workspace: &Workspace) {
        if !node.side.wanted {
            return;
        }
        let context = self.context;
        let mut lanes = Lanes::EMPTY;
        let parent = node.side.parent;
        let parent_score = parent.score(context.rules);
        let mut cells: Vec<&FeatureCells<C>> = Vec::with_capacity(node.cells.len());
        for at in 0..block.count {
            let feature = block.first + at;
            if node.side.allowed.as_ref().is_some_and(|allowed| !allowed[feature]) {
                continue;
            }
            let bins = &context.binner.features[feature];
            let signs = context.config.signs(self.spec.outputs, feature);
            let rules = FeatureRules {
                feature,
                bins: bins.count(),
                categorical: bins.is_categorical(),
                may_miss: context.bins.missing[feature],
                signs: &signs,
                threshold: node
                    .side
                    .thresholds
                    .as_ref()
                    .filter(|_| !bins.is_categorical())
                    .map(|thresholds| thresholds[feature]),
            };
            cells.clear();
            cells.extend(node.cells.iter().map(|cells| &cells[at]));
            let units = self.units;
            let weight_counts = WeightCounts {
                rows: &workspace.rows[node.side.rows.clone()],
                column: &context.bins.columns[feature],
                counts: context.weights.counts.as_deref(),
                known: node.side.bin_weights.get(feature),
            };
            let feature = rules;
            let (rules, cells) = (context.rules, &cells[..]);
            let query =
                SplitQuery { rules, units, parent, parent_score, feature, cells, weight_counts };
            context.isa.run(Search { query, lanes: &mut lanes, best: &mut node.split });
        }
    }
}
