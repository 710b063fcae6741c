//! One tree, grown leaf by leaf.

use super::cells::Packed;
use super::columns::Columns;
use super::config::GrowPolicy;
use super::context::{GrownTree, TrainingContext, TreeSpec};
use super::histogram::BINS;
use super::node_search::{Histogram, NodeHistogram, NodeSearch, Side, Work};
use super::roots::Root;
use super::rows::{BinWeights, partition, sides};
use super::score::{Bounds, Sums};
use super::split::{Parent, Split, Test};
use super::tree::{NONE, Node, Tree};
use super::workspace::Workspace;
use crate::kernels::{FeatureCells, NarrowCell, WideCell};
use crate::memory::filled;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// A node that can be split.
#[derive(Debug)]
pub(super) struct Open<C> {
    pub(super) rows: Range<usize>,
    depth: usize,
    sums: Vec<Sums>,
    weight: f64,
    /// For each output.
    bounds: Vec<Bounds>,
    /// The features of the splits above.
    path: Vec<u32>,
    histogram: Option<Histogram<C>>,
    split: Option<Split>,
    /// The weight by bin of each feature, if cells do not hold it and other hosts have rows too.
    pub(super) bin_weights: Vec<BinWeights>,
    /// The weight that the split sends left; none if the rows of this host are all there are.
    left_weight: Option<f64>,
}

/// Nodes whose histograms and splits are computed next: the root, or two siblings, the one of
/// which the rows are counted first.
#[derive(Debug)]
pub(super) struct Unsearched<C> {
    pub(super) nodes: Vec<(u32, Open<C>)>,
    /// One entry per node.
    pub(super) histograms: Vec<Histogram<C>>,
    /// Whether the last histogram is the parent's, from which the sibling's is to be taken.
    pub(super) left_over: bool,
}

impl<C> Unsearched<C> {
    /// The number of nodes whose rows are counted.
    pub(super) fn n_counted(&self) -> usize {
        self.nodes.len() - usize::from(self.left_over)
    }
}

impl<C> Open<C> {
    fn parent(&self) -> Parent<'_> {
        Parent { sums: &self.sums, weight: self.weight, bounds: &self.bounds }
    }
}

/// Histograms of open leaves that are kept for their children; beyond that, children are counted
/// afresh, with the same result.
const KEPT_BYTES: usize = 256 << 20;

/// Grows a tree, from its root if that is counted already.
pub(super) fn grow(
    context: TrainingContext<'_>,
    spec: TreeSpec<'_>,
    root: Option<Root<'_>>,
    workspace: &mut Workspace,
) -> GrownTree {
    workspace.reset(&context, &spec);
    if let Some(root) = root
        && let Some(search) = NodeSearch::new(context, spec).narrowed_to(root.sizes)
    {
        return Growth::new(search, workspace).grow_from(root);
    }
    let wide = NodeSearch::new(context, spec);
    match wide.narrowed(workspace) {
        Some(narrow) => Growth::<NarrowCell>::new(narrow, workspace).grow(),
        None => Growth::<WideCell>::new(wide, workspace).grow(),
    }
}

impl Growth<'_, NarrowCell> {
    fn grow_from(mut self, counted: Root<'_>) -> GrownTree {
        let mut root = self.root(counted.sizes.count as f64);
        counted.copy_to(&mut root.histograms[0]);
        let sums = self.search.totals_of(&root.histograms[0]);
        self.add_root(&mut root, sums);
        self.grow_below(root, Work::Search)
    }
}

/// A tree that is being grown.
pub(super) struct Growth<'a, C> {
    context: TrainingContext<'a>,
    spec: TreeSpec<'a>,
    pub(super) workspace: &'a mut Workspace,
    columns: Columns<'a>,
    pub(super) search: NodeSearch<'a>,
    tree: Tree,
    leaves: Vec<(u32, Range<usize>)>,
    n_leaves: usize,
    /// Nodes to split, the next one first.
    queue: BTreeMap<(u64, u32), Open<C>>,
    /// Histograms that open nodes may keep.
    keep: usize,
}

impl<'a, C: Packed> Growth<'a, C> {
    pub(super) fn new(search: NodeSearch<'a>, workspace: &'a mut Workspace) -> Self {
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
        Growth { context, spec, workspace, columns, search, tree, leaves, n_leaves: 1, queue, keep }
    }

    fn grow(mut self) -> GrownTree {
        let weight = self.weight(0..self.workspace.rows.len());
        let sums = self.search.totals::<C>(self.workspace);
        let mut root = self.root(weight);
        self.add_root(&mut root, sums);
        self.grow_below(root, Work::All)
    }

    /// Grows the tree below its root.
    fn grow_below(mut self, root: Unsearched<C>, mut work: Work) -> GrownTree {
        let mut next = Some(root);
        while let Some(mut nodes) = next {
            self.run(&mut nodes, work);
            work = Work::All;
            self.settle_all(nodes);
            next = self.advance();
        }
        self.finish()
    }

    /// The root, whose sums are not known yet.
    pub(super) fn root(&mut self, weight: f64) -> Unsearched<C> {
        let open = Open {
            rows: 0..self.workspace.rows.len(),
            depth: 0,
            sums: filled(Sums::default(), self.spec.outputs.count),
            weight,
            bounds: filled(Bounds::FREE, self.spec.outputs.count),
            path: Vec::new(),
            histogram: None,
            split: None,
            bin_weights: Vec::new(),
            left_weight: None,
        };
        let histograms = vec![self.histogram()];
        Unsearched { nodes: vec![(0, open)], histograms, left_over: false }
    }

    /// Adds the root to the tree.
    pub(super) fn add_root(&mut self, root: &mut Unsearched<C>, sums: Vec<Sums>) {
        for (_, open) in &mut root.nodes {
            open.sums.clone_from(&sums);
            self.add_node(open, None);
        }
    }

    /// Splits nodes until there are children to search; none when the tree is complete.
    pub(super) fn advance(&mut self) -> Option<Unsearched<C>> {
        let most = self.context.config.max_leaves.unwrap_or(usize::MAX);
        while self.n_leaves < most && !self.spec.stop.load(Ordering::Relaxed) {
            let ((_, node), open) = self.queue.pop_first()?;
            self.n_leaves += 1;
            let children = self.split(node, open, self.n_leaves < most);
            if children.is_some() {
                return children;
            }
        }
        None
    }

    /// The tree; nodes that are not split become leaves.
    pub(super) fn finish(mut self) -> GrownTree {
        for ((_, node), open) in std::mem::take(&mut self.queue) {
            self.leaves.push((node, open.rows));
            C::pool(self.workspace).extend(open.histogram);
        }
        GrownTree { tree: self.tree, leaves: self.leaves }
    }

    /// Counts the rows of nodes, or looks for their splits, or both.
    pub(super) fn run(&mut self, unsearched: &mut Unsearched<C>, work: Work) {
        let Unsearched { nodes, histograms, left_over } = unsearched;
        let last = nodes.len() - 1;
        let mut searched: Vec<NodeHistogram<'_, '_, C>> = nodes
            .iter()
            .zip(histograms)
            .enumerate()
            .map(|(at, ((node, open), histogram))| {
                let side = self.side(*node, open);
                NodeHistogram::new(side, histogram, *left_over && at == last)
            })
            .collect();
        self.search.run(&mut searched, self.workspace, work);
        let splits: Vec<Option<Split>> = searched.into_iter().map(|node| node.split).collect();
        for ((_, open), split) in nodes.iter_mut().zip(splits) {
            open.split = split;
        }
    }

    /// Puts searched nodes in the queue or among the leaves, in the order of their numbers.
    pub(super) fn settle_all(&mut self, searched: Unsearched<C>) {
        let Unsearched { mut nodes, mut histograms, .. } = searched;
        if nodes.windows(2).any(|pair| pair[0].0 > pair[1].0) {
            nodes.reverse();
            histograms.reverse();
        }
        for ((node, mut open), histogram) in nodes.into_iter().zip(histograms) {
            open.histogram = Some(histogram);
            self.settle(node, open);
        }
    }

    /// Notes the weight by bin of nodes, which other hosts counted too, and the weight that each
    /// split sends left.
    pub(super) fn weigh(&self, searched: &mut Unsearched<C>) {
        for ((_, open), histogram) in searched.nodes.iter_mut().zip(&searched.histograms) {
            let Some(split) = &open.split else { continue };
            let weight = |bin: usize| match open.bin_weights.get(split.feature) {
                Some(weights) => weights[bin],
                None => self.search.weight_in(histogram[split.feature][bin]),
            };
            let left = (0..BINS).filter(|&bin| split.goes_left(bin as u8)).map(weight);
            open.left_weight = Some(left.sum::<u64>() as f64);
        }
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
            .unwrap_or_else(|| filled(FeatureCells::filled_with(C::EMPTY), size))
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
            bin_weights: &open.bin_weights,
            wanted: self.is_splittable(open),
        }
    }

    /// Whether a node may have children at all.
    fn is_splittable(&self, open: &Open<C>) -> bool {
        let config = self.context.config;
        open.weight > 1.0
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
            open.bin_weights = Vec::new();
        }
        self.queue.insert((first, node), open);
    }

    /// Splits a node, and gives its children if they are to be searched; `split_children` says
    /// whether they may be split in turn.
    fn split(
        &mut self,
        node: u32,
        mut open: Open<C>,
        split_children: bool,
    ) -> Option<Unsearched<C>> {
        let split = open.split.take()?;
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
        let children = [(left_node, left), (right_node, right)];
        if split_children && children.iter().any(|(_, child)| self.is_splittable(child)) {
            return Some(self.unsearched(children, histogram, open));
        }
        C::pool(self.workspace).extend(histogram);
        for (child, open) in children {
            self.settle(child, open);
        }
        None
    }

    /// Two siblings to search: the rows of the smaller one are counted, and the other's histogram
    /// is the difference to their parent's, if that was kept.
    fn unsearched(
        &mut self,
        [left, right]: [(u32, Open<C>); 2],
        histogram: Option<Histogram<C>>,
        parent: Open<C>,
    ) -> Unsearched<C> {
        // All hosts must choose the same one, by what they know alike.
        let right_first = match parent.left_weight {
            Some(_) => right.1.weight < left.1.weight,
            None => right.1.rows.len() < left.1.rows.len(),
        };
        let left_over = histogram.is_some();
        let mut nodes = if right_first { vec![right, left] } else { vec![left, right] };
        nodes[1].1.bin_weights = parent.bin_weights;
        let first = self.histogram();
        let second = histogram.unwrap_or_else(|| self.histogram());
        Unsearched { nodes, histograms: vec![first, second], left_over }
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
            bin_weights: Vec::new(),
            left_weight: None,
        };
        let left_weight = open.left_weight.unwrap_or_else(|| self.weight(open.rows.start..middle));
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
}
