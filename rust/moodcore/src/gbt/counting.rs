//! How the rows of a node are added to its histograms.

use super::binning::Binner;
use super::cells::Packed;
use super::context::Bins;
use super::histogram::{Accumulate, Block, NodeRows, add, clear};
use crate::kernels::{FeatureCells, Isa};
use crate::parallel::{ROWS_PER_CHECK, Team, is_set};
use std::sync::atomic::AtomicBool;

/// The cells of the features of a block.
pub(super) type BlockCells<'n, C> = (Block, &'n mut [FeatureCells<C>]);

/// Rows per thread above which threads share rows instead of features. Tests meet it early.
const SHARED_ROWS: usize = if cfg!(test) { 64 } else { 1 << 12 };

/// The most features of rows that threads share: as many as lie in one cache line.
const SHARED_FEATURES: usize = 64;

/// Where rows and their bins are.
#[derive(Clone, Copy)]
pub(super) struct Counting<'a> {
    pub(super) bins: &'a Bins,
    pub(super) binner: &'a Binner,
    pub(super) isa: Isa,
    /// Set if training must end immediately.
    pub(super) stop: &'a AtomicBool,
}

impl Counting<'_> {
    /// Whether threads should share the rows of a node. With blocks of features instead, each
    /// thread fetches all rows, of which it uses a part; for wide rows, the part is many cache
    /// lines, and the cells of all features are too many to be added up for each node.
    pub(super) fn pays_to_share(self, n_rows: usize, team: &Team) -> bool {
        self.bins.columns.len() <= SHARED_FEATURES && n_rows > SHARED_ROWS * team.threads()
    }

    /// Fills the histograms of all features: each thread adds up a share of the rows.
    pub(super) fn add_shares<C: Packed>(
        self,
        node: NodeRows<'_>,
        cells: &mut [FeatureCells<C>],
        team: &Team,
    ) {
        let shares = team.threads();
        let mut spare = vec![vec![FeatureCells::filled_with(C::EMPTY); cells.len()]; shares - 1];
        let mut all: Vec<&mut [FeatureCells<C>]> =
            spare.iter_mut().map(Vec::as_mut_slice).chain([&mut *cells]).collect();
        team.for_each(&mut all, |share, cells| {
            let edge = |share: usize| share * node.len() / shares;
            let mut blocks = Vec::with_capacity(self.bins.blocks.len());
            let mut rest = &mut **cells;
            for &block in &self.bins.blocks {
                let (cells, after) = rest.split_at_mut(block.count);
                blocks.push((block, cells));
                rest = after;
            }
            self.add_rows(node.part(edge(share)..edge(share + 1)), &mut blocks);
        });
        for share in &spare {
            for (at, (cells, share)) in cells.iter_mut().zip(share).enumerate() {
                add(cells, share, self.binner.features[at].count());
            }
        }
    }

    /// Fills the histograms of some blocks.
    pub(super) fn add_rows<C: Packed>(self, node: NodeRows<'_>, blocks: &mut [BlockCells<'_, C>]) {
        for blocks in blocks.chunk_by_mut(|(a, _), (b, _)| a.group == b.group) {
            self.add_rows_of_group(node, blocks);
        }
    }

    /// Fills the histograms of blocks with common rows of bins, a few rows at a time: what one
    /// block's bins fetch into the cache holds the next block's too.
    fn add_rows_of_group<C: Packed>(self, node: NodeRows<'_>, blocks: &mut [BlockCells<'_, C>]) {
        const TOGETHER: usize = 1024;
        for (block, cells) in blocks.iter_mut() {
            for (at, cells) in cells.iter_mut().enumerate() {
                clear(cells, self.binner.features[block.first + at].count());
            }
        }
        let (n_rows, n_blocks) = (node.len(), blocks.len());
        let together = if n_blocks == 1 { ROWS_PER_CHECK } else { TOGETHER };
        for start in (0..n_rows).step_by(together) {
            if is_set(self.stop) {
                return;
            }
            let end = n_rows.min(start + together);
            // A single block prefetches the rows of its own list.
            let after = if n_blocks == 1 { end } else { n_rows.min(end + together) };
            let after = node.part(end..after);
            let node = node.part(start..end);
            for (share, (block, cells)) in blocks.iter_mut().enumerate() {
                let (bins, next) = (&self.bins.rows, after.share(share, n_blocks));
                self.isa.run(Accumulate { node, bins, block: *block, next, cells });
            }
        }
    }
}
