//! One tree, grown leaf by leaf.

use super::binning::Binner;
use super::cells::Packed;
use super::columns::Columns;
use super::config::{Config, GrowPolicy};
use super::gradients::Gradients;
use super::histogram::{BINS, Block, RowBins};
use super::node_search::{Histogram, NodeHistogram, NodeSearch, Side};
use super::rows::{partition, sides};
use super::score::{Bounds, Rules, Sums};
use super::split::{Parent, Split, Test};
use super::tree::{NONE, Node, Tree};
use super::weights::Weights;
use super::workspace::Workspace;
use crate::kernels::{FeatureCells, Isa, NarrowCell, WideCell};
use crate::parallel::Team;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// The training table in the two forms that trees are grown from.
#[derive(Clone, Debug)]
pub(super) struct Bins {
    /// For partitions, feature by feature.
    pub(super) columns: Vec<Vec<u8>>,
    /// For histograms, row by row.
    pub(super) rows: RowBins,
    /// What is counted together.
    pub(super) blocks: Vec<Block>,
    /// For each feature, whether a row misses it.
    pub(super) missing: Vec<bool>,
}

/// What all trees of a training run share.
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
    /// The outputs whose derivatives the tree follows: one, or all of a vector-leaf tree.
    pub(super) outputs: Outputs,
    /// The rows that it learns from; none for all.
    pub(super) sample: Option<&'a [u32]>,
    /// Its number among all trees of the ensemble: the key of its random draws.
    pub(super) number: usize,
    /// The round that it belongs to.
    pub(super) round: usize,
    /// The threads that share the work within the tree.
    pub(super) team: Option<&'a Team>,
    /// Set when training is to end at once.
    pub(super) stop: &'a AtomicBool,
}

/// Neighbouring outputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outputs {
    pub(super) first: usize,
    pub(super) count: usize,
}

/// A grown tree, and which of the rows in [`Workspace::rows`] fell into each leaf.
#[derive(Debug)]
pub(super) struct GrownTree {
    pub(super) tree: Tree,
    pub(super) leaves: Vec<(u32, Range<usize>)>,
}

/// A node that can be split.
#[derive(Debug)]
struct Open<C> {
    rows: Range<usize>,
    depth: usize,
    sums: Vec<Sums>,
    weight: f64,
    /// For each output.
    bounds: Vec<Bounds>,
    /// The features of the splits above.
    path: Vec<u32>,
    histogram: Option<Histogram<C>>,
    split: Option<Split>,
}

impl<C> Open<C> {
    fn parent(&self) -> Parent<'_> {
        Parent { sums: &self.sums, weight: self.weight, bounds: &self.bounds }
    }
}

/// Histograms of open leaves that are kept for their children; beyond that, children are counted
/// afresh, with the same result.
const KEPT_BYTES: usize = 256 << 20;

/// Grows a tree.
pub(super) fn grow(
    context: TrainingContext<'_>,
    spec: TreeSpec<'_>,
    workspace: &mut Workspace,
) -> GrownTree {
    workspace.reset(&context, &spec);
    let wide = NodeSearch::new(context, spec, workspace);
    match wide.narrowed(workspace) {
        Some(narrow) => Growth::<NarrowCell>::new(narrow, workspace).grow(),
        None => Growth::<WideCell>::new(wide, workspace).grow(),
    }
}

/// A tree that is being grown.
struct Growth<'a, C> {
    context: TrainingContext<'a>,
    spec: TreeSpec<'a>,
    workspace: &'a mut Workspace,
    columns: Columns<'a>,
    search: NodeSearch<'a>,
    tree: Tree,
    leaves: Vec<(u32, Range<usize>)>,
    /// Nodes to split, the next one first.
    queue: BTreeMap<(u64, u32), Open<C>>,
    /// Histograms that open nodes may keep.
    keep: usize,
}

impl<'a, C: Packed> Growth<'a, C> {
    fn new(search: NodeSearch<'a>, workspace: &'a mut Workspace) -> Self {
        let NodeSearch { context, spec, .. } = search;
        let n_features = context.bins.columns.len();
        let n_outputs = spec.outputs.count;
        let columns = Columns::new(context.config, n_features, context.seed, spec.number);
        let vector = n_outputs > 1 || context.config.is_vector_leaf();
        let output = (!vector).then_some(spec.outputs.first as u32);
        let tree = Tree { nodes: Vec::new(), values: Vec::new(), sets: Vec::new(), output };
        let bytes = (n_outputs * n_features).max(1) * size_of::<FeatureCells<C>>();
        let keep = (KEPT_BYTES / bytes).max(2);
        let (leaves, queue) = (Vec::new(), BTreeMap::new());
        Growth { context, spec, workspace, columns, search, tree, leaves, queue, keep }
    }

    fn grow(mut self) -> GrownTree {
        let root = self.root();
        self.settle(0, root);
        let most = self.context.config.max_leaves.unwrap_or(usize::MAX);
        let mut n_leaves = 1;
        while n_leaves < most && !self.spec.stop.load(Ordering::Relaxed) {
            let Some(((_, node), open)) = self.queue.pop_first() else { break };
            n_leaves += 1;
            self.split(node, open, n_leaves < most);
        }
        for ((_, node), open) in std::mem::take(&mut self.queue) {
            self.leaves.push((node, open.rows));
            C::pool(self.workspace).extend(open.histogram);
        }
        GrownTree { tree: self.tree, leaves: self.leaves }
    }

    /// The root, searched for its split.
    fn root(&mut self) -> Open<C> {
        let rows = 0..self.workspace.rows.len();
        let mut open = Open {
            depth: 0,
            sums: self.search.totals::<C>(self.workspace),
            weight: self.weight(rows.clone()),
            bounds: vec![Bounds::FREE; self.spec.outputs.count],
            path: Vec::new(),
            histogram: None,
            split: None,
            rows,
        };
        self.add_node(&open, None);
        if self.is_splittable(&open) {
            let mut histogram = self.histogram();
            let side = self.side(0, &open);
            let mut nodes = [NodeHistogram::counted(side, &mut histogram)];
            self.search.run(&mut nodes, self.workspace);
            open.split = nodes[0].split.take();
            open.histogram = Some(histogram);
        }
        open
    }

    /// The weight of some rows.
    fn weight(&self, rows: Range<usize>) -> f64 {
        let weights = self.context.weights;
        let count = match &weights.counts {
            None => rows.len() as u64,
            Some(counts) => {
                self.workspace.rows[rows].iter().map(|&row| u64::from(counts[row as usize])).sum()
            }
        };
        count as f64
    }

    fn histogram(&mut self) -> Histogram<C> {
        let n_features = self.context.bins.columns.len();
        let size = n_features * self.spec.outputs.count;
        C::pool(self.workspace)
            .pop()
            .filter(|histogram| histogram.len() == size)
            .unwrap_or_else(|| vec![[C::EMPTY; BINS]; size])
    }

    /// The input of a node's split search.
    fn side<'n>(&self, node: u32, open: &'n Open<C>) -> Side<'n> {
        let extra = self.context.config.boosting.draws_thresholds(self.spec.round);
        let thresholds = extra.then(|| {
            let n_features = self.context.bins.columns.len();
            (0..n_features).map(|feature| self.columns.threshold(node, feature)).collect()
        });
        Side {
            rows: open.rows.clone(),
            parent: open.parent(),
            allowed: self.columns.allowed(node, open.depth, &open.path),
            thresholds,
            wanted: self.is_splittable(open),
        }
    }

    /// Whether a node may have children at all.
    fn is_splittable(&self, open: &Open<C>) -> bool {
        let config = self.context.config;
        open.rows.len() > 1
            && config.max_depth.is_none_or(|most| open.depth < most)
            && open.weight >= 2.0 * config.min_child_samples
    }

    /// Adds a node to the tree, a leaf as yet: the root, or a child of a split node with the L2
    /// penalty of that split.
    fn add_node(&mut self, open: &Open<C>, parent: Option<(u32, f64)>) -> u32 {
        let rate = self.context.config.learning_rate;
        let rules = self.context.rules.with_l2(parent.map_or(0.0, |(_, l2)| l2));
        let n_outputs = open.sums.len();
        let cover: f64 = open.sums.iter().map(|sums| sums.h).sum();
        // Only a root can have so small a sum: where the model is certain, or wrong and certain, its value would be
        // the sum of gradients divided by the regularization alone.
        let light = cover < rules.min_hessian * n_outputs as f64;
        for (output, (&sums, &bounds)) in open.sums.iter().zip(&open.bounds).enumerate() {
            let value = if light { 0.0 } else { rules.value(sums, bounds) };
            let above = parent
                .filter(|_| rules.path_smooth > 0.0)
                .map(|(node, _)| self.tree.values[node as usize * n_outputs + output]);
            self.tree.values.push(match above {
                None => rate * value,
                Some(above) => {
                    let share = open.weight / (open.weight + rules.path_smooth);
                    let smoothed = share * (rate * value) + (1.0 - share) * above;
                    smoothed.max(rate * bounds.low).min(rate * bounds.high)
                }
            });
        }
        self.tree.nodes.push(Node {
            feature: NONE,
            bin: 0,
            missing_left: false,
            categories: NONE,
            left: 0,
            right: 0,
            gain: 0.0,
            cover,
            weight: open.weight,
        });
        self.tree.nodes.len() as u32 - 1
    }

    /// Puts a searched node in the queue, or among the leaves when it has no split.
    fn settle(&mut self, node: u32, mut open: Open<C>) {
        let Some(split) = &open.split else {
            C::pool(self.workspace).extend(open.histogram);
            self.leaves.push((node, open.rows));
            return;
        };
        let first = match self.context.config.grow_policy {
            // Positive numbers sort as their bits do.
            GrowPolicy::Lossguide => !split.gain.to_bits(),
            GrowPolicy::Depthwise => open.depth as u64,
        };
        if self.queue.len() >= self.keep {
            C::pool(self.workspace).extend(open.histogram.take());
        }
        self.queue.insert((first, node), open);
    }

    /// Splits a node; `split_children` says whether its children may be split in turn.
    fn split(&mut self, node: u32, mut open: Open<C>, split_children: bool) {
        let Some(split) = open.split.take() else { return };
        let histogram = open.histogram.take();
        self.write_split(node, &split);
        let rows = open.rows.clone();
        let n_left = partition(
            &mut self.workspace.rows[rows.clone()],
            &mut self.workspace.spare[rows.clone()],
            &self.context.bins.columns[split.feature],
            &sides(&self.tree, &self.tree.nodes[node as usize]),
            (self.context.isa, self.spec.team),
        );
        let (left, right) = self.children(&open, &split, rows.start + n_left);
        if split.missing_left.is_none() {
            self.tree.nodes[node as usize].missing_left = left.weight >= right.weight;
        }
        let parent = Some((node, split.l2));
        let left_node = self.add_node(&left, parent);
        let right_node = self.add_node(&right, parent);
        let parent = &mut self.tree.nodes[node as usize];
        (parent.left, parent.right) = (left_node, right_node);
        let mut children = [(left_node, left), (right_node, right)];
        if split_children && children.iter().any(|(_, child)| self.is_splittable(child)) {
            self.search_children(&mut children, histogram);
        } else {
            C::pool(self.workspace).extend(histogram);
        }
        for (child, open) in children {
            self.settle(child, open);
        }
    }

    fn write_split(&mut self, node: u32, split: &Split) {
        let set = self.tree.sets.len() as u32;
        let at = &mut self.tree.nodes[node as usize];
        at.feature = split.feature as u32;
        at.gain = split.gain;
        at.missing_left = split.missing_left.unwrap_or(false);
        match split.test {
            Test::UpTo(bin) => at.bin = bin,
            Test::In(bins) => {
                at.categories = set;
                self.tree.sets.push(bins);
            }
        }
    }

    /// The two children, whose rows meet at `middle`.
    fn children(&self, open: &Open<C>, split: &Split, middle: usize) -> (Open<C>, Open<C>) {
        let right_sums: Vec<Sums> =
            open.sums.iter().zip(&split.left).map(|(all, &left)| all.minus(left)).collect();
        let (low, high) = self.child_bounds(open, split, &right_sums);
        let mut path = open.path.clone();
        if !path.contains(&(split.feature as u32)) {
            path.push(split.feature as u32);
        }
        let child = |rows, sums, weight, bounds| Open {
            rows,
            depth: open.depth + 1,
            sums,
            weight,
            bounds,
            path: path.clone(),
            histogram: None,
            split: None,
        };
        let left_weight = self.weight(open.rows.start..middle);
        let left = child(open.rows.start..middle, split.left.clone(), left_weight, low);
        let right_weight = open.weight - left_weight;
        let right = child(middle..open.rows.end, right_sums, right_weight, high);
        (left, right)
    }

    /// Bounds of the children for each output: a monotone split keeps all values under its left
    /// child on one side of the middle between both children, and those under its right child on
    /// the other.
    fn child_bounds(
        &self,
        open: &Open<C>,
        split: &Split,
        right: &[Sums],
    ) -> (Vec<Bounds>, Vec<Bounds>) {
        let (mut left_bounds, mut right_bounds) = (open.bounds.clone(), open.bounds.clone());
        let signs = self.context.config.signs(self.spec.outputs, split.feature);
        for (output, &sign) in signs.iter().enumerate().filter(|&(_, &sign)| sign != 0) {
            let value = |sums: Sums| self.context.rules.value(sums, open.bounds[output]);
            let middle = (value(split.left[output]) + value(right[output])) / 2.0;
            let (below, above) = if sign > 0 {
                (&mut left_bounds, &mut right_bounds)
            } else {
                (&mut right_bounds, &mut left_bounds)
            };
            below[output].high = middle;
            above[output].low = middle;
        }
        (left_bounds, right_bounds)
    }

    /// Looks for the splits of two siblings: the smaller one's histogram is counted, the other's
    /// is the difference to their parent's.
    fn search_children(
        &mut self,
        children: &mut [(u32, Open<C>); 2],
        parent: Option<Histogram<C>>,
    ) {
        let smaller = usize::from(children[1].1.rows.len() < children[0].1.rows.len());
        let rows = children[0].1.rows.start..children[1].1.rows.end;
        let counted = if parent.is_some() { children[smaller].1.rows.clone() } else { rows };
        self.search.gather(counted, self.workspace);
        let subtract = parent.is_some();
        let mut small = self.histogram();
        let mut large = parent.unwrap_or_else(|| self.histogram());
        let sides = [smaller, 1 - smaller].map(|at| self.side(children[at].0, &children[at].1));
        let [side_small, side_large] = sides;
        let mut nodes = [
            NodeHistogram::counted(side_small, &mut small),
            if subtract {
                NodeHistogram::left_over(side_large, &mut large)
            } else {
                NodeHistogram::counted(side_large, &mut large)
            },
        ];
        self.search.run(&mut nodes, self.workspace);
        let splits = nodes.map(|node| node.split);
        for ((at, split), histogram) in
            [smaller, 1 - smaller].into_iter().zip(splits).zip([small, large])
        {
            children[at].1.split = split;
            children[at].1.histogram = Some(histogram);
        }
    }
}
