//! Sums of derivatives by bin, the statistics of a node from which its split is found.

use super::gradients::Pair;
pub(super) use crate::kernels::{Cell, FeatureCells, add_cell};
use crate::kernels::{Simd, Task, add_to_histograms};
use crate::parallel::Team;

/// Bins of a feature, the one for missing values included.
pub(super) const BINS: usize = 256;

/// Features that lie together in a [`Block`] at most: at 16 bytes a bin their histograms are
/// about the size of a first-level cache, and the cost of fetching a row is shared by many.
const WIDEST: usize = 10;

/// The bins of a few neighbouring features, row by row.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// The first feature.
    pub(super) first: usize,
    /// How many features.
    pub(super) count: usize,
    /// The bins of each row, `count` a row.
    pub(super) rows: Vec<u8>,
}

impl Block {
    /// Cuts columns of bins into blocks of nearly equal width, at least `least` of them.
    pub(super) fn cut(columns: &[Vec<u8>], least: usize, team: &Team) -> Vec<Block> {
        let n_features = columns.len();
        let n_blocks = n_features.div_ceil(WIDEST).max(least.min(n_features));
        let edge = |block: usize| block * n_features / n_blocks;
        let mut blocks: Vec<Block> = (0..n_blocks)
            .map(|at| Block { first: edge(at), count: edge(at + 1) - edge(at), rows: Vec::new() })
            .collect();
        team.for_each(&mut blocks, |_, block| {
            let columns = &columns[block.first..block.first + block.count];
            block.rows = vec![0; columns[0].len() * block.count];
            for (at, column) in columns.iter().enumerate() {
                for (row, &bin) in block.rows.chunks_exact_mut(block.count).zip(column) {
                    row[at] = bin;
                }
            }
        });
        blocks
    }
}

/// How packed sums are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packing {
    /// Bits of the second word that hold the sum of weights.
    pub(super) count_bits: u32,
}

impl Packing {
    /// Gradients, second derivatives and weights, in their integer units.
    #[inline(always)]
    pub(super) fn unpack(self, cell: Cell) -> (i64, u64, u64) {
        let counts = cell[1] & ((1 << self.count_bits) - 1);
        (cell[0] as i64, cell[1] >> self.count_bits, counts)
    }
}

/// The rows of a node in the order in which the histogram reads them.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeRows<'a> {
    /// Row numbers; none for all rows in their order.
    pub(super) rows: Option<&'a [u32]>,
    /// The pair of each of these rows.
    pub(super) pairs: &'a [Pair],
    /// The count of each of these rows; none for ones.
    pub(super) counts: Option<&'a [u32]>,
    /// Whether counts multiply the pairs.
    pub(super) repeated: bool,
    /// How sums are packed.
    pub(super) packing: Packing,
}

impl NodeRows<'_> {
    /// The sum over all rows.
    pub(super) fn total(&self) -> Cell {
        let mut sum = [0; 2];
        for at in 0..self.pairs.len() {
            add_cell(&mut sum, self.words::<true>(at));
        }
        sum
    }

    /// The two words that the row at a place adds to a bin.
    #[inline(always)]
    fn words<const WEIGHTED: bool>(&self, at: usize) -> Cell {
        let Pair { g, h } = self.pairs[at];
        let (g, h) = (i64::from(g), u64::from(h));
        let bits = self.packing.count_bits;
        if !WEIGHTED {
            return [g as u64, (h << bits) | 1];
        }
        let count = self.counts.map_or(1, |counts| counts[at]);
        let times = if self.repeated { count } else { 1 };
        let h = (h * u64::from(times)) << bits;
        [(g * i64::from(times)) as u64, h | u64::from(count)]
    }
}

/// Takes one histogram from another: what is left is the sibling's, exactly.
pub(super) fn subtract(from: &mut [FeatureCells], other: &[FeatureCells]) {
    for (from, other) in from.as_flattened_mut().iter_mut().zip(other.as_flattened()) {
        from[0] = from[0].wrapping_sub(other[0]);
        from[1] = from[1].wrapping_sub(other[1]);
    }
}

/// Adds the rows of a node to the histograms of a block's features.
pub(super) struct Accumulate<'a> {
    pub(super) node: NodeRows<'a>,
    pub(super) block: &'a Block,
    /// One entry a feature of the block.
    pub(super) cells: &'a mut [FeatureCells],
}

impl Task for Accumulate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        match (self.node.rows.is_some(), self.node.counts.is_some()) {
            (false, false) => self.choose_width::<S, false, false>(),
            (false, true) => self.choose_width::<S, false, true>(),
            (true, false) => self.choose_width::<S, true, false>(),
            (true, true) => self.choose_width::<S, true, true>(),
        }
    }
}

impl Accumulate<'_> {
    #[inline(always)]
    fn choose_width<S: Simd, const GATHER: bool, const WEIGHTED: bool>(self) {
        match self.block.count {
            1 => self.accumulate::<S, GATHER, WEIGHTED, 1>(),
            2 => self.accumulate::<S, GATHER, WEIGHTED, 2>(),
            3 => self.accumulate::<S, GATHER, WEIGHTED, 3>(),
            4 => self.accumulate::<S, GATHER, WEIGHTED, 4>(),
            5 => self.accumulate::<S, GATHER, WEIGHTED, 5>(),
            6 => self.accumulate::<S, GATHER, WEIGHTED, 6>(),
            7 => self.accumulate::<S, GATHER, WEIGHTED, 7>(),
            8 => self.accumulate::<S, GATHER, WEIGHTED, 8>(),
            9 => self.accumulate::<S, GATHER, WEIGHTED, 9>(),
            _ => self.accumulate::<S, GATHER, WEIGHTED, WIDEST>(),
        }
    }

    #[inline(always)]
    fn accumulate<S: Simd, const GATHER: bool, const WEIGHTED: bool, const F: usize>(self) {
        let Some(cells) = self.cells.first_chunk_mut::<F>() else { return };
        let node = self.node;
        let rows = if GATHER { node.rows } else { None };
        let words = |at| node.words::<WEIGHTED>(at);
        add_to_histograms::<S, F>(cells, &self.block.rows, (rows, node.pairs.len()), words);
    }
}
