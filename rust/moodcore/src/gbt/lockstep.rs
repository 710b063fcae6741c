//! Growth of the trees of a round on several hosts: all hosts take the same steps, and the
//! histograms of a step, for all trees, are added over the hosts in one message.
//!
//! A step of a tree searches its root, or the two children of a split. Only the histogram of the
//! smaller child is computed from rows; that of the other is the parent's minus this one, both
//! summed over all hosts. The search, and all that follows from it, is the same on all hosts.

use super::cells::{Packed, Sizes};
use super::context::{GrownTree, TrainingContext, TreeSpec};
use super::grow::{Growth, Unsearched};
use super::histogram::BINS;
use super::node_search::{NodeSearch, Work};
use super::rows::{BinWeights, WeightCounts};
use super::shard::Shard;
use super::tree::MISSING;
use super::workspace::Workspace;
use crate::kernels::{FeatureCells, NarrowCell, WideCell};
use crate::memory::filled;
use crate::parallel::{Team, is_set};
use crate::{Error, Result};

/// Number of words in the first message of a tree, in addition to one per host: the weight, and the
/// sizes of the derivatives.
const WORDS_OF_SIZES: usize = 3;

/// Grows the trees of a round.
///
/// # Errors
/// What [`super::shard::Reduce::sum`] returns; an error without meaning if the flag `stop` of the
/// trees is set.
pub(super) fn grow_together(
    context: TrainingContext<'_>,
    specs: &[TreeSpec<'_>],
    workspaces: &mut [Workspace],
    (shard, team): (Shard<'_>, &Team),
) -> Result<Vec<GrownTree>> {
    let mut begun: Vec<Begun<'_>> = specs
        .iter()
        .zip(workspaces)
        .map(|(&spec, workspace)| Begun::new(context, spec, workspace))
        .collect();
    team.for_each(&mut begun, |_, tree| tree.measure(shard));
    sum_all(&mut begun, |tree| &mut tree.words, shard)?;
    team.for_each(&mut begun, |_, tree| tree.start(shard));
    let mut trees: Vec<Growing<'_>> = begun
        .into_iter()
        .filter_map(|tree| tree.steps)
        .map(|steps| Growing { steps, words: Vec::new() })
        .collect();
    loop {
        team.for_each(&mut trees, |_, tree| {
            tree.words.clear();
            tree.steps.count(&mut tree.words);
        });
        // Incomplete histograms must not reach the other hosts.
        if specs.iter().any(|spec| is_set(spec.stop)) {
            return Err(Error::Data("training was stopped".into()));
        }
        if trees.iter().all(|tree| tree.words.is_empty()) {
            return Ok(trees.into_iter().map(|tree| tree.steps.finish()).collect());
        }
        sum_all(&mut trees, |tree| &mut tree.words, shard)?;
        team.for_each(&mut trees, |_, tree| {
            if !tree.words.is_empty() {
                tree.steps.search(&tree.words);
            }
        });
    }
}

/// Adds the numbers of all trees over the hosts, in one message.
fn sum_all<T>(
    trees: &mut [T],
    words: impl Fn(&mut T) -> &mut Vec<u64>,
    shard: Shard<'_>,
) -> Result<()> {
    let mut all: Vec<u64> = Vec::new();
    trees.iter_mut().for_each(|tree| all.extend_from_slice(words(tree)));
    shard.reduce.sum(&mut all)?;
    let mut rest = &all[..];
    for tree in trees {
        let words = words(tree);
        let (summed, others) = rest.split_at(words.len());
        words.copy_from_slice(summed);
        rest = others;
    }
    Ok(())
}

/// A tree before the sizes of the derivatives on all hosts are known.
struct Begun<'a> {
    context: TrainingContext<'a>,
    spec: TreeSpec<'a>,
    workspace: Option<&'a mut Workspace>,
    search: Option<NodeSearch<'a>>,
    words: Vec<u64>,
    /// The tree, once it is started.
    steps: Option<Box<dyn Steps + 'a>>,
}

impl<'a> Begun<'a> {
    fn new(context: TrainingContext<'a>, spec: TreeSpec<'a>, workspace: &'a mut Workspace) -> Self {
        let workspace = Some(workspace);
        Begun { context, spec, workspace, search: None, words: Vec::new(), steps: None }
    }

    /// Measures the rows of this host.
    fn measure(&mut self, shard: Shard<'_>) {
        let Some(workspace) = &mut self.workspace else { return };
        workspace.reset(&self.context, &self.spec);
        let search = NodeSearch::new(self.context, self.spec);
        let sizes = search.sizes(workspace);
        self.words = vec![sizes.count, sizes.gradient, sizes.hessian];
        self.words.resize(WORDS_OF_SIZES + shard.size, 0);
        // Each host has a word of its own, zero on the others, so the sum contains the value of
        // each host and thereby the largest.
        self.words[WORDS_OF_SIZES + shard.rank] = u64::from(sizes.largest_hessian);
        self.search = Some(search);
    }

    /// Starts growing, with the cell width that fits the rows of all hosts.
    fn start(&mut self, shard: Shard<'_>) {
        let Some((wide, workspace)) = self.search.take().zip(self.workspace.take()) else {
            return;
        };
        let largest = self.words[WORDS_OF_SIZES..][..shard.size].iter().max();
        let sizes = Sizes {
            count: self.words[0],
            gradient: self.words[1],
            hessian: self.words[2],
            largest_hessian: largest.map_or(0, |&most| most as u32),
        };
        let weight = sizes.count as f64;
        self.steps = Some(match wide.narrowed_to(sizes) {
            Some(narrow) => Box::new(SharedGrowth::<NarrowCell>::new(narrow, workspace, weight)),
            None => Box::new(SharedGrowth::<WideCell>::new(wide, workspace, weight)),
        });
    }
}

/// A tree and its part of the message.
struct Growing<'a> {
    steps: Box<dyn Steps + 'a>,
    words: Vec<u64>,
}

/// A tree that grows in steps, with wide or narrow cells.
trait Steps: Send {
    /// Appends the histograms of this host's rows for the next step, or nothing if the tree is
    /// complete.
    fn count(&mut self, words: &mut Vec<u64>);
    /// Searches for splits in the sums over all hosts.
    fn search(&mut self, words: &[u64]);
    /// Returns the tree.
    fn finish(self: Box<Self>) -> GrownTree;
}

/// A tree whose histograms are sums over all hosts.
struct SharedGrowth<'a, C> {
    growth: Growth<'a, C>,
    next: Option<Unsearched<C>>,
    /// Whether the next step searches the root.
    at_root: bool,
}

impl<'a, C: Packed> SharedGrowth<'a, C> {
    fn new(search: NodeSearch<'a>, workspace: &'a mut Workspace, weight: f64) -> Self {
        let mut growth = Growth::new(search, workspace);
        let next = Some(growth.root(weight));
        SharedGrowth { growth, next, at_root: true }
    }

    /// Returns the bins of a feature that can contain rows.
    fn bins(&self, feature: usize) -> impl Iterator<Item = usize> + use<C> {
        let context = self.growth.search.context;
        let missing = context.bins.missing[feature].then_some(usize::from(MISSING));
        (0..context.binner.features[feature].count()).chain(missing)
    }

    /// Returns the weight in each bin of each feature, over the rows of a node on this host.
    fn bin_weights(&self, rows: std::ops::Range<usize>) -> Vec<BinWeights> {
        let context = self.growth.search.context;
        let rows = &self.growth.workspace.rows[rows];
        let counts = context.weights.counts.as_deref();
        let count = |column: &Vec<u8>| WeightCounts { rows, column, counts, known: None }.count();
        context.bins.columns.iter().map(count).collect()
    }

    /// Reads the histogram of a node and, if its cells contain no weights, the weights.
    fn read(&self, words: &mut &[u64], histogram: &mut [FeatureCells<C>]) -> Vec<BinWeights> {
        let n_features = self.growth.search.context.bins.columns.len();
        for (at, cells) in histogram.iter_mut().enumerate() {
            for bin in self.bins(at % n_features) {
                cells[bin] = C::from_words(words);
            }
        }
        if C::COUNTED {
            return Vec::new();
        }
        let mut weights = filled([0; BINS], n_features);
        for (feature, weights) in weights.iter_mut().enumerate() {
            for bin in self.bins(feature) {
                (weights[bin], *words) = words.split_first().map_or((0, &[][..]), |(w, r)| (*w, r));
            }
        }
        weights
    }
}

impl<C: Packed> Steps for SharedGrowth<'_, C> {
    fn count(&mut self, words: &mut Vec<u64>) {
        if self.next.is_none() {
            self.next = self.growth.advance();
        }
        let Some(mut next) = self.next.take() else { return };
        self.growth.run(&mut next, Work::Count);
        let n_features = self.growth.search.context.bins.columns.len();
        for (histogram, (_, open)) in next.histograms.iter().zip(&next.nodes).take(next.n_counted())
        {
            for (at, cells) in histogram.iter().enumerate() {
                self.bins(at % n_features).for_each(|bin| cells[bin].to_words(words));
            }
            if !C::COUNTED {
                let weights = self.bin_weights(open.rows.clone());
                for (feature, weights) in weights.iter().enumerate() {
                    words.extend(self.bins(feature).map(|bin| weights[bin]));
                }
            }
        }
        self.next = Some(next);
    }

    fn search(&mut self, mut words: &[u64]) {
        let Some(mut next) = self.next.take() else { return };
        for at in 0..next.n_counted() {
            next.nodes[at].1.bin_weights = self.read(&mut words, &mut next.histograms[at]);
        }
        if let ([(_, first), (_, second)], true) = (&mut next.nodes[..], next.left_over) {
            let pairs = second.bin_weights.iter_mut().zip(&first.bin_weights);
            pairs.for_each(|(all, part)| all.iter_mut().zip(part).for_each(|(a, p)| *a -= p));
        }
        if self.at_root {
            self.at_root = false;
            let sums = self.growth.search.totals_of(&next.histograms[0]);
            self.growth.add_root(&mut next, sums);
        }
        self.growth.run(&mut next, Work::Search);
        self.growth.weigh(&mut next);
        self.growth.settle_all(next);
    }

    fn finish(self: Box<Self>) -> GrownTree {
        self.growth.finish()
    }
}
