//! The roots of the trees of a round. They have the same rows, so that one addition to a cell with
//! room for several trees replaces an addition for each tree; roots have about half of the rows
//! that a tree counts.

use super::binning::FeatureBins;
use super::cells::{FEWEST, Packed, Sizes, Units};
use super::context::{TrainingContext, TreeSpec};
use super::gradients::Pair;
use super::node_search::Histogram;
use crate::kernels::{Cell, FeatureCells, NarrowCell, RowList, Simd, Task, array_of};
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
                Group::Eight(rows.add_up(first, units, team))
            } else {
                Group::Four(rows.add_up(first, units, team))
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

    /// The weight of a row.
    #[inline(always)]
    fn count(self, row: usize) -> u32 {
        self.context.weights.counts.as_deref().map_or(1, |counts| counts[row])
    }

    /// Packs what the rows at some places add to the cells of trees whose outputs and units these
    /// are.
    #[inline(always)]
    fn pack<const N: usize>(
        self,
        places: Range<usize>,
        trees: &[(usize, Units); N],
        words: &mut [[NarrowCell; N]],
    ) {
        let all = |tree: usize| &self.spec.gradients.outputs[trees[tree].0][..];
        // Copies on the stack, which no write to `words` can change.
        let units: [Units; N] = array_of(|tree| trees[tree].1);
        let word =
            |tree: usize, pair: Pair, count: u32| NarrowCell::of(pair, count, count, &units[tree]);
        match self.list(places) {
            RowList::Range(from, to) => {
                let words = &mut words[..to - from];
                let pairs: [&[Pair]; N] = array_of(|tree| &all(tree)[from..from + words.len()]);
                let counts = self.context.weights.counts.as_deref().map(|c| &c[from..to]);
                match counts {
                    None => {
                        for (at, words) in words.iter_mut().enumerate() {
                            *words = array_of(|tree| word(tree, pairs[tree][at], 1));
                        }
                    }
                    Some(counts) => {
                        for ((at, words), &count) in words.iter_mut().enumerate().zip(counts) {
                            *words = array_of(|tree| word(tree, pairs[tree][at], count));
                        }
                    }
                }
            }
            RowList::Some(rows) => {
                for (words, &row) in words.iter_mut().zip(rows) {
                    let (row, count) = (row as usize, self.count(row as usize));
                    *words = array_of(|tree| word(tree, all(tree)[row], count));
                }
            }
        }
    }

    /// The cells of all features for the trees from `first` on, whose derivatives are packed in
    /// these units. Each thread has a share of the rows.
    fn add_up<const N: usize>(
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
        // Places beyond the last tree repeat it, and are not read.
        let last = units.len() - 1;
        let trees = array_of(|tree: usize| (first + tree.min(last), units[tree.min(last)]));
        team.for_each(&mut all, |share, cells| {
            let places = share * self.len() / shares..(share + 1) * self.len() / shares;
            self.context.isa.run(Count { rows: self, places, trees: &trees, cells });
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
        let pairs = &self.rows.spec.gradients.outputs[self.output];
        let mut add = |row: usize, pair: Pair| {
            let count = self.rows.count(row);
            sizes.add(pair, count, count);
        };
        match self.rows.list(0..self.rows.len()) {
            RowList::Range(from, to) => {
                pairs[from..to].iter().enumerate().for_each(|(at, &pair)| add(from + at, pair));
            }
            RowList::Some(rows) => {
                rows.iter().for_each(|&row| add(row as usize, pairs[row as usize]));
            }
        }
        sizes
    }
}

/// Adds some rows to the cells of all features.
struct Count<'a, const N: usize> {
    rows: Rows<'a>,
    places: Range<usize>,
    /// The output and the units of each tree.
    trees: &'a [(usize, Units); N],
    cells: &'a mut [FeatureCells<[NarrowCell; N]>],
}

/// Rows whose words are made before they are added, a few features at a time. They and the bins of
/// these features stay in the second-level cache, the cells in the first.
const TOGETHER: usize = 4096;

impl<const N: usize> Task for Count<'_, N>
where
    [NarrowCell; N]: Cell,
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Count { rows, places, trees, cells } = self;
        let columns = &rows.context.bins.columns[..];
        let mut words = vec![[0; N]; TOGETHER.min(places.len())];
        // Features whose cells are 32 KB.
        let width = 16 / N;
        for start in places.clone().step_by(TOGETHER) {
            if is_set(rows.spec.stop) {
                return;
            }
            let part = start..places.end.min(start + TOGETHER);
            rows.pack(part.clone(), trees, &mut words);
            let words = &words[..part.len()];
            let list = rows.list(part);
            for (cells, columns) in cells.chunks_mut(width).zip(columns.chunks(width)) {
                match (cells, columns) {
                    ([a, b, c, d], [p, q, r, s]) => add([a, b, c, d], [p, q, r, s], list, words),
                    ([a, b, c], [p, q, r]) => add([a, b, c], [p, q, r], list, words),
                    ([a, b], [p, q]) => add([a, b], [p, q], list, words),
                    ([a], [p]) => add([a], [p], list, words),
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
    match rows {
        RowList::Range(from, to) => {
            let columns: [&[u8]; F] = array_of(|at| &columns[at][from..to][..words.len()]);
            for (at, &words) in words.iter().enumerate() {
                for (cells, column) in cells.iter_mut().zip(columns) {
                    let cell = &mut cells[usize::from(column[at])];
                    *cell = cell.plus(words);
                }
            }
        }
        RowList::Some(rows) => {
            for (&row, &words) in rows.iter().zip(words) {
                for (cells, column) in cells.iter_mut().zip(columns) {
                    let cell = &mut cells[usize::from(column[row as usize])];
                    *cell = cell.plus(words);
                }
            }
        }
    }
}
