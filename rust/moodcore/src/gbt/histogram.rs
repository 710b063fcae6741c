//! Sums of derivatives by bin, the statistics of a node from which its split is found.

use super::cells::{Packed, Sizes, Units};
use super::gradients::Pair;
use super::tree::MISSING;
use crate::kernels::{FeatureCells, RowList, Simd, Task, add_to_histograms};
use crate::memory::filled;
use crate::parallel::Team;
use std::marker::PhantomData;

/// Bins of a feature, the one for missing values included.
pub(super) const BINS: usize = 256;

/// Features that lie together in a [`Block`] at most: at 8 bytes per bin their histograms are the
/// size of a first-level cache, and the cost of fetching a row is shared by many.
const WIDEST: usize = 16;

/// Bytes of a cache line.
const CACHE_LINE: usize = 64;

/// The bins of all features, row by row: what a row adds to the histograms is fetched at once.
///
/// Rows of more bytes than a cache line are cut: each block of features has rows of its own, so that what a line
/// holds besides a row belongs to the next rows of the block, not to other features.
#[derive(Clone, Debug)]
pub(super) struct RowBins {
    groups: Vec<GroupBins>,
}

/// The bins of neighboring features, row by row.
#[derive(Clone, Debug)]
struct GroupBins {
    /// The first feature.
    first: usize,
    /// Distance of rows in bytes.
    stride: usize,
    /// Where the first row begins.
    start: usize,
    bins: Vec<u8>,
}

impl RowBins {
    /// Turns columns into rows.
    pub(super) fn of(columns: &[Vec<u8>], blocks: &[Block], team: &Team) -> Self {
        let groups = blocks.chunk_by(|a, b| a.group == b.group).map(|blocks| {
            let n_features: usize = blocks.iter().map(|block| block.count).sum();
            let first = blocks[0].first;
            GroupBins::of(&columns[first..first + n_features], first, team)
        });
        RowBins { groups: groups.collect() }
    }

    /// The rows that a block's bins are in, their distance, and where in a row these bins are.
    #[inline(always)]
    fn rows(&self, block: Block) -> (&[u8], usize, usize) {
        let group = &self.groups[block.group];
        (&group.bins[group.start..], group.stride, block.first - group.first)
    }
}

impl GroupBins {
    /// Turns columns into rows, some rows at a time.
    fn of(columns: &[Vec<u8>], first: usize, team: &Team) -> Self {
        const TOGETHER: usize = 4096;
        let stride = stride(columns.len());
        let mut bins = filled(0, columns[0].len() * stride + CACHE_LINE);
        let start = bins.as_ptr().align_offset(CACHE_LINE).min(CACHE_LINE);
        let used = start..start + columns[0].len() * stride;
        let mut chunks: Vec<&mut [u8]> = bins[used].chunks_mut(TOGETHER * stride).collect();
        team.for_each(&mut chunks, |chunk, rows| {
            for (at, column) in columns.iter().enumerate() {
                let column = &column[chunk * TOGETHER..];
                for (row, &bin) in rows.chunks_exact_mut(stride).zip(column) {
                    row[at] = bin;
                }
            }
        });
        GroupBins { first, stride, start, bins }
    }
}

/// The distance of rows of this many features: a power of two if that adds at most a fifth. Then a
/// row that is read alone, as most are, takes one cache line instead of two.
fn stride(n_features: usize) -> usize {
    let power = n_features.next_power_of_two();
    if power <= CACHE_LINE && 5 * power <= 6 * n_features { power } else { n_features }
}

/// A few neighboring features.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// The first feature.
    pub(super) first: usize,
    /// How many features.
    pub(super) count: usize,
    /// Which blocks have their bins in the same rows of [`RowBins`]: all, or no others.
    pub(super) group: usize,
}

impl Block {
    /// Cuts features into blocks of nearly equal width, at least `least` of them.
    pub(super) fn cut(n_features: usize, least: usize) -> Vec<Block> {
        let n_blocks = n_features.div_ceil(WIDEST).max(least.min(n_features));
        let edge = |block: usize| block * n_features / n_blocks;
        let group = |block: usize| if n_features <= CACHE_LINE { 0 } else { block };
        let block =
            |at| Block { first: edge(at), count: edge(at + 1) - edge(at), group: group(at) };
        (0..n_blocks).map(block).collect()
    }
}

/// The rows of a node, and what they add to its histograms.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeRows<'a> {
    pub(super) rows: RowList<'a>,
    /// The pair of each row of the table.
    pub(super) pairs: &'a [Pair],
    /// The count of each row of the table; none for ones.
    pub(super) counts: Option<&'a [u32]>,
    /// Whether counts multiply the pairs.
    pub(super) repeated: bool,
    /// How sums are packed.
    pub(super) units: &'a Units,
}

impl<'a> NodeRows<'a> {
    /// How many rows.
    pub(super) fn len(&self) -> usize {
        match self.rows {
            RowList::Range(from, to) => to - from,
            RowList::Some(rows) => rows.len(),
        }
    }

    /// The rows at some places of the list.
    pub(super) fn part(&self, places: std::ops::Range<usize>) -> NodeRows<'a> {
        let rows = match self.rows {
            RowList::Range(from, _) => RowList::Range(from + places.start, from + places.end),
            RowList::Some(rows) => RowList::Some(&rows[places]),
        };
        NodeRows { rows, ..*self }
    }

    /// One of equal shares of the row numbers.
    pub(super) fn share(&self, share: usize, shares: usize) -> &'a [u32] {
        match self.rows {
            RowList::Range(..) => &[],
            RowList::Some(rows) => {
                &rows[share * rows.len() / shares..(share + 1) * rows.len() / shares]
            }
        }
    }

    /// The sum over all rows.
    #[inline(always)]
    pub(super) fn total<C: Packed>(&self) -> C {
        let mut sum = C::EMPTY;
        if self.counts.is_some() {
            self.each(|row| sum = sum.plus(self.words::<C, true>(row, self.pairs[row])));
        } else {
            self.each(|row| sum = sum.plus(self.words::<C, false>(row, self.pairs[row])));
        }
        sum
    }

    /// How large derivatives are over all rows.
    #[inline(always)]
    pub(super) fn sizes(&self) -> Sizes {
        let mut sizes = Sizes::default();
        self.each(|row| {
            let (times, count) = self.multiplicity(row);
            sizes.add(self.pairs[row], times, count);
        });
        sizes
    }

    #[inline(always)]
    fn each(&self, mut work: impl FnMut(usize)) {
        match self.rows {
            RowList::Range(from, to) => (from..to).for_each(work),
            RowList::Some(rows) => rows.iter().for_each(|&row| work(row as usize)),
        }
    }

    /// How often the pair of a row counts, and its weight.
    #[inline(always)]
    fn multiplicity(&self, row: usize) -> (u32, u32) {
        let count = self.counts.map_or(1, |counts| counts[row]);
        (if self.repeated { count } else { 1 }, count)
    }

    /// What a row with this pair adds to a bin.
    #[inline(always)]
    fn words<C: Packed, const WEIGHTED: bool>(&self, row: usize, pair: Pair) -> C {
        let (times, count) = if WEIGHTED { self.multiplicity(row) } else { (1, 1) };
        C::of(pair, times, count, self.units)
    }
}

/// The sum over the rows of a node.
pub(super) struct Total<'a, C> {
    node: NodeRows<'a>,
    cell: PhantomData<C>,
}

impl<'a, C> Total<'a, C> {
    pub(super) fn of(node: NodeRows<'a>) -> Self {
        Total { node, cell: PhantomData }
    }
}

impl<C: Packed> Task for Total<'_, C> {
    type Output = C;

    #[inline(always)]
    fn run<S: Simd>(self) -> C {
        self.node.total()
    }
}

/// How large the derivatives of a node's rows are.
pub(super) struct Measure<'a>(pub(super) NodeRows<'a>);

impl Task for Measure<'_> {
    type Output = Sizes;

    #[inline(always)]
    fn run<S: Simd>(self) -> Sizes {
        self.0.sizes()
    }
}

/// Empties the cells of a feature: those of its bins, and that of missing values. No row is in
/// another bin, so that the others are empty.
pub(super) fn clear<C: Packed>(cells: &mut FeatureCells<C>, n_bins: usize) {
    cells[..n_bins].fill(C::EMPTY);
    cells[usize::from(MISSING)] = C::EMPTY;
}

/// Adds the cells of a feature to those of the same feature and other rows.
pub(super) fn add<C: Packed>(to: &mut FeatureCells<C>, other: &FeatureCells<C>, n_bins: usize) {
    let last = usize::from(MISSING);
    for (to, &other) in to[..n_bins].iter_mut().zip(&other[..n_bins]) {
        *to = to.plus(other);
    }
    if n_bins <= last {
        to[last] = to[last].plus(other[last]);
    }
}

/// Subtracts the cells of a feature from those of the same feature in another node: the difference
/// is exactly the sibling's.
pub(super) fn subtract<C: Packed>(
    from: &mut FeatureCells<C>,
    other: &FeatureCells<C>,
    n_bins: usize,
) {
    let last = usize::from(MISSING);
    for (from, &other) in from[..n_bins].iter_mut().zip(&other[..n_bins]) {
        *from = from.minus(other);
    }
    if n_bins <= last {
        from[last] = from[last].minus(other[last]);
    }
}

/// Adds the rows of a node to the histograms of a block's features.
pub(super) struct Accumulate<'a, C> {
    pub(super) node: NodeRows<'a>,
    pub(super) bins: &'a RowBins,
    pub(super) block: Block,
    /// Rows that are counted soon.
    pub(super) next: &'a [u32],
    /// One entry per feature of the block.
    pub(super) cells: &'a mut [FeatureCells<C>],
}

impl<C: Packed> Task for Accumulate<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        if self.node.counts.is_some() {
            self.choose_width::<S, true>();
        } else {
            self.choose_width::<S, false>();
        }
    }
}

impl<C: Packed> Accumulate<'_, C> {
    #[inline(always)]
    fn choose_width<S: Simd, const WEIGHTED: bool>(self) {
        match self.block.count {
            1 => self.accumulate::<S, WEIGHTED, 1>(),
            2 => self.accumulate::<S, WEIGHTED, 2>(),
            3 => self.accumulate::<S, WEIGHTED, 3>(),
            4 => self.accumulate::<S, WEIGHTED, 4>(),
            5 => self.accumulate::<S, WEIGHTED, 5>(),
            6 => self.accumulate::<S, WEIGHTED, 6>(),
            7 => self.accumulate::<S, WEIGHTED, 7>(),
            8 => self.accumulate::<S, WEIGHTED, 8>(),
            9 => self.accumulate::<S, WEIGHTED, 9>(),
            10 => self.accumulate::<S, WEIGHTED, 10>(),
            11 => self.accumulate::<S, WEIGHTED, 11>(),
            12 => self.accumulate::<S, WEIGHTED, 12>(),
            13 => self.accumulate::<S, WEIGHTED, 13>(),
            14 => self.accumulate::<S, WEIGHTED, 14>(),
            15 => self.accumulate::<S, WEIGHTED, 15>(),
            _ => self.accumulate::<S, WEIGHTED, WIDEST>(),
        }
    }

    #[inline(always)]
    fn accumulate<S: Simd, const WEIGHTED: bool, const F: usize>(self) {
        let Some(cells) = self.cells.first_chunk_mut::<F>() else { return };
        let node = self.node;
        let bins = self.bins.rows(self.block);
        let rows = (node.rows, self.next);
        add_to_histograms::<S, C, Pair, F>(cells, bins, rows, node.pairs, |row, pair| {
            node.words::<C, WEIGHTED>(row, pair)
        });
    }
}

#[cfg(test)]
mod tests;
