//! The roots of the trees of a round. They have the same rows, so that one addition to a cell with
//! room for several trees replaces an addition for each tree; roots have about half of the rows
//! that a tree counts.

use super::binning::FeatureBins;
use super::cells::{FEWEST, Packed, Sizes, Units};
use super::context::{TrainingContext, TreeSpec};
use super::gradients::Pair;
use super::node_search::Histogram;
use crate::kernels::{Cell, FeatureCells, NarrowCell, RowList, Simd, Task};
use crate::parallel::{Team, is_set};
use std::ops::Range;

/// Trees that share cells.
const TREES: usize = 8;

/// Bytes of the cells of all roots above which each tree counts its own.
const MOST_BYTES: usize = 64 << 20;

/// The histograms of the roots of a round's trees.
pub(super) struct Roots {
    sizes: Vec<Sizes>,
    groups: Vec<Group>,
}

/// The histograms of some trees: cells of all features.
enum Group {
    Four(Vec<FeatureCells<[NarrowCell; 4]>>),
    Eight(Vec<FeatureCells<[NarrowCell; TREES]>>),
}

/// The root of one tree.
#[derive(Clone, Copy)]
pub(super) struct Root<'a> {
    /// How large the derivatives of its rows are.
    pub(super) sizes: Sizes,
    group: &'a Group,
    /// Which of the trees of the group.
    tree: usize,
}

impl Roots {
    /// Counts the rows of a round for trees of one output each; none where cells must be wide, or
    /// all of them would take too much memory.
    pub(super) fn new(
        context: TrainingContext<'_>,
        spec: TreeSpec<'_>,
        n_trees: usize,
        team: &Team,
    ) -> Option<Self> {
        let n_features = context.bins.columns.len();
        let bytes = size_of::<FeatureCells<[NarrowCell; TREES]>>() * n_features * team.threads();
        let rows = Rows { context, spec };
        if n_trees < 2
            || spec.outputs.count > 1
            || rows.len() < FEWEST as usize
            || !may_be_narrow(&context)
            || bytes * n_trees.div_ceil(TREES) > MOST_BYTES
        {
            return None;
        }
        let mut sizes = vec![Sizes::default(); n_trees];
        team.for_each(&mut sizes, |output, sizes| {
            *sizes = context.isa.run(Measure { rows, output });
        });
        let units = Units::wide(spec.gradients.scales, context.weights);
        let units: Vec<Units> =
            sizes.iter().map(|&sizes| units.narrowed(sizes)).collect::<Option<_>>()?;
        let groups = units.chunks(TREES).enumerate().map(|(group, units)| {
            let first = group * TREES;
            if units.len() > 4 {
                Group::Eight(rows.count(first, units, team))
            } else {
                Group::Four(rows.count(first, units, team))
            }
        });
        Some(Roots { groups: groups.collect(), sizes })
    }

    /// The root of the tree of an output.
    pub(super) fn root(&self, output: usize) -> Root<'_> {
        let (sizes, group) = (self.sizes[output], &self.groups[output / TREES]);
        Root { sizes, group, tree: output % TREES }
    }
}

impl Root<'_> {
    /// Writes the histogram of the root.
    pub(super) fn copy_to(self, histogram: &mut Histogram<NarrowCell>) {
        match self.group {
            Group::Four(cells) => self.copy(cells, histogram),
            Group::Eight(cells) => self.copy(cells, histogram),
        }
    }

    fn copy<const N: usize>(
        self,
        from: &[FeatureCells<[NarrowCell; N]>],
        to: &mut Histogram<NarrowCell>,
    ) {
        for (to, from) in to.iter_mut().zip(from) {
            to.iter_mut().zip(from.iter()).for_each(|(to, from)| *to = from[self.tree]);
        }
    }
}

/// Whether narrow cells can serve at all. They hold no weights, which the order of categories and
/// fractional weights need.
pub(super) fn may_be_narrow(context: &TrainingContext<'_>) -> bool {
    context.weights.factors.is_none()
        && !context.binner.features.iter().any(FeatureBins::is_categorical)
}

/// The rows of all roots.
#[derive(Clone, Copy)]
struct Rows<'a> {
    context: TrainingContext<'a>,
    /// Of any of the trees.
    spec: TreeSpec<'a>,
}

impl<'a> Rows<'a> {
    fn len(self) -> usize {
        self.spec.sample.map_or(self.context.bins.columns[0].len(), <[u32]>::len)
    }

    fn list(self, places: Range<usize>) -> RowList<'a> {
        match self.spec.sample {
            None => RowList::Range(places.start, places.end),
            Some(sample) => RowList::Some(&sample[places]),
        }
    }

    /// Calls a function with the place, derivatives and weight of each row at some places.
    #[inline(always)]
    fn each(self, places: Range<usize>, output: usize, mut work: impl FnMut(usize, Pair, u32)) {
        let pairs = &self.spec.gradients.outputs[output];
        let counts = self.context.weights.counts.as_deref();
        let count = |row: usize| counts.map_or(1, |counts| counts[row]);
        match self.list(places) {
            RowList::Range(from, to) => {
                let pairs = pairs[from..to].iter().enumerate();
                pairs.for_each(|(at, &pair)| work(at, pair, count(from + at)));
            }
            RowList::Some(rows) => {
                for (at, &row) in rows.iter().enumerate() {
                    work(at, pairs[row as usize], count(row as usize));
                }
            }
        }
    }

    /// The cells of all features for the trees from `first` on, whose derivatives are packed in
    /// these units. Each thread has a share of the rows.
    fn count<const N: usize>(
        self,
        first: usize,
        units: &[Units],
        team: &Team,
    ) -> Vec<FeatureCells<[NarrowCell; N]>>
    where
        [NarrowCell; N]: Cell,
    {
        let (n_features, shares) = (self.context.bins.columns.len(), team.threads());
        let empty = vec![FeatureCells::filled_with(<[NarrowCell; N]>::EMPTY); n_features];
        let mut all = vec![empty; shares];
        team.for_each(&mut all, |share, cells| {
            let places = share * self.len() / shares..(share + 1) * self.len() / shares;
            self.context.isa.run(Count { rows: self, places, first, units, cells });
        });
        let mut sum = all.swap_remove(0);
        for other in all {
            for (sum, other) in sum.iter_mut().zip(other) {
                sum.iter_mut().zip(other.iter()).for_each(|(sum, &other)| *sum = sum.plus(other));
            }
        }
        sum
    }
}

/// How large the derivatives of an output are over all rows.
struct Measure<'a> {
    rows: Rows<'a>,
    output: usize,
}

impl Task for Measure<'_> {
    type Output = Sizes;

    #[inline(always)]
    fn run<S: Simd>(self) -> Sizes {
        let mut sizes = Sizes::default();
        let add = |_: usize, pair: Pair, count: u32| sizes.add(pair, count, count);
        self.rows.each(0..self.rows.len(), self.output, add);
        sizes
    }
}

/// Adds some rows to the cells of all features.
struct Count<'a, const N: usize> {
    rows: Rows<'a>,
    places: Range<usize>,
    first: usize,
    /// One entry per tree.
    units: &'a [Units],
    cells: &'a mut [FeatureCells<[NarrowCell; N]>],
}

/// Rows whose words are made before they are added, feature by feature. They and the bins of a
/// feature stay in the second-level cache, the cells of a feature in the first.
const TOGETHER: usize = 4096;

impl<const N: usize> Task for Count<'_, N>
where
    [NarrowCell; N]: Cell,
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Count { rows, places, first, units, cells } = self;
        let columns = &rows.context.bins.columns[..];
        let mut words = vec![[0; N]; TOGETHER.min(places.len())];
        for start in places.clone().step_by(TOGETHER) {
            if is_set(rows.spec.stop) {
                return;
            }
            let part = start..places.end.min(start + TOGETHER);
            for (tree, units) in units.iter().enumerate() {
                rows.each(part.clone(), first + tree, |at, pair, count| {
                    words[at][tree] = NarrowCell::of(pair, count, count, units);
                });
            }
            let words = &words[..part.len()];
            let list = rows.list(part);
            // Two features at a time: words come from the second-level cache.
            for (cells, columns) in cells.chunks_mut(2).zip(columns.chunks(2)) {
                match (cells, columns) {
                    ([a, b], [of_a, of_b]) => add([a, b], [of_a, of_b], list, words),
                    ([a], [of_a]) => add([a], [of_a], list, words),
                    _ => {}
                }
            }
        }
    }
}

/// Adds the words of some rows to the cells of features with these columns of bins.
#[inline(always)]
fn add<C: Cell, const F: usize>(
    mut cells: [&mut FeatureCells<C>; F],
    columns: [&Vec<u8>; F],
    rows: RowList<'_>,
    words: &[C],
) {
    let mut add = |row: usize, words: C| {
        for (cells, column) in cells.iter_mut().zip(columns) {
            let cell = &mut cells[usize::from(column[row])];
            *cell = cell.plus(words);
        }
    };
    match rows {
        RowList::Range(from, to) => {
            (from..to).zip(words).for_each(|(row, &words)| add(row, words));
        }
        RowList::Some(rows) => {
            rows.iter().zip(words).for_each(|(&row, &words)| add(row as usize, words));
        }
    }
}
