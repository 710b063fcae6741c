//! The rows of a tree's nodes, kept as one list in which every node owns a range.

use super::histogram::BINS;
use super::tree::{Node, Tree};
use crate::kernels::{Isa, Simd, Task, part_rows};
use crate::parallel::Team;

/// Rows that a thread splits at a time.
const CHUNK: usize = 1 << 15;

/// Which bins go left, one entry per bin: the same code serves thresholds, categories and missing
/// values.
pub(super) type Sides = [bool; BINS];

/// The sum of weights in each bin of a feature.
pub(super) type BinWeights = [u64; BINS];

/// The sides of a node's split.
pub(super) fn sides(tree: &Tree, node: &Node) -> Sides {
    std::array::from_fn(|bin| tree.goes_left(node, bin as u8))
}

/// The rows of a node and their bins of one feature.
#[derive(Clone, Copy, Debug)]
pub(super) struct WeightCounts<'a> {
    pub(super) rows: &'a [u32],
    pub(super) column: &'a [u8],
    /// The weight of every row of the table; none for ones.
    pub(super) counts: Option<&'a [u32]>,
    /// The sums of weights by bin if they are known already, as those of several hosts are.
    pub(super) known: Option<&'a BinWeights>,
}

impl WeightCounts<'_> {
    /// The sum of weights by bin.
    pub(super) fn count(&self) -> BinWeights {
        if let Some(known) = self.known {
            return *known;
        }
        let mut sums = [0; BINS];
        for &row in self.rows {
            let bin = usize::from(self.column[row as usize]);
            sums[bin] += self.counts.map_or(1, |counts| u64::from(counts[row as usize]));
        }
        sums
    }
}

/// Moves the rows that go left to the front and the others behind them, both in their old order,
/// and gives the number of the first. `spare` is as long as `rows`.
pub(super) fn partition(
    rows: &mut [u32],
    spare: &mut [u32],
    column: &[u8],
    sides: &Sides,
    (isa, team): (Isa, Option<&Team>),
) -> usize {
    match team {
        Some(team) if rows.len() > 2 * CHUNK => {
            partition_together(rows, spare, column, sides, (isa, team))
        }
        _ => {
            let n_left = isa.run(Part { rows: &mut *rows, spare: &mut *spare, column, sides });
            let n_right = rows.len() - n_left;
            rows[n_left..].copy_from_slice(&spare[..n_right]);
            n_left
        }
    }
}

struct Part<'a> {
    rows: &'a mut [u32],
    spare: &'a mut [u32],
    column: &'a [u8],
    sides: &'a Sides,
}

impl Task for Part<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        part_rows::<S>(self.rows, self.spare, self.column, self.sides)
    }
}

/// Each thread partitions a chunk; then the parts are joined.
fn partition_together(
    rows: &mut [u32],
    spare: &mut [u32],
    column: &[u8],
    sides: &Sides,
    (isa, team): (Isa, &Team),
) -> usize {
    let mut chunks: Vec<(&mut [u32], &mut [u32], usize)> =
        rows.chunks_mut(CHUNK).zip(spare.chunks_mut(CHUNK)).map(|(r, s)| (r, s, 0)).collect();
    team.for_each(&mut chunks, |_, (rows, spare, n_left)| {
        *n_left = isa.run(Part { rows, spare, column, sides });
    });
    let counts: Vec<usize> = chunks.iter().map(|chunk| chunk.2).collect();
    let n_left = counts.iter().sum();
    let n_rows = rows.len();
    // Left parts close up, front to back; then right parts follow them.
    let mut to = 0;
    for (chunk, &count) in counts.iter().enumerate() {
        rows.copy_within(chunk * CHUNK..chunk * CHUNK + count, to);
        to += count;
    }
    for (chunk, &count) in counts.iter().enumerate() {
        let length = CHUNK.min(n_rows - chunk * CHUNK) - count;
        rows[to..to + length].copy_from_slice(&spare[chunk * CHUNK..][..length]);
        to += length;
    }
    n_left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gbt::{MISSING, NONE};
    use crate::rng::{Purpose, Stream};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_row_stays_once_and_in_order(
            // Around the sizes from which threads share the work.
            n_rows in prop_oneof![0..80_usize, 65_530..65_545_usize, 98_290..170_000_usize],
            kept in 0.2..1.0_f64,
            left in 0..=256_u64,
            seed: u64,
        ) {
            let mut stream = Stream::new(seed, Purpose::Weights, 0);
            let sides: Sides = std::array::from_fn(|_| stream.next_u64() % 256 < left);
            let column: Vec<u8> = (0..n_rows).map(|_| stream.next_u64() as u8).collect();
            let rows: Vec<u32> =
                (0..n_rows as u32).filter(|_| stream.next_unit() < kept).collect();
            let goes_left = |&&row: &&u32| sides[usize::from(column[row as usize])];
            let expected: (Vec<u32>, Vec<u32>) = rows.iter().partition(goes_left);
            let teams = [None, Some(Team::new(2)?), Some(Team::new(3)?)];
            for isa in Isa::available() {
                for team in &teams {
                    let (mut rows, mut spare) = (rows.clone(), vec![0; rows.len()]);
                    let how = (isa, team.as_ref());
                    let n_left = partition(&mut rows, &mut spare, &column, &sides, how);
                    let moved = (rows[..n_left].to_vec(), rows[n_left..].to_vec());
                    prop_assert!(moved == expected, "{} with {team:?}", isa.name());
                }
            }
        }

        #[test]
        fn sides_are_what_the_split_says(bin: u8, missing_left: bool, set: [u64; 4]) {
            let node = |categories| Node {
                feature: 0, bin, missing_left, categories, left: 1, right: 2,
                gain: 0.0, cover: 0.0, weight: 0.0,
            };
            let tree = Tree { sets: vec![[0; 4], set], ..Tree::empty() };
            let (numerical, categorical) = (sides(&tree, &node(NONE)), sides(&tree, &node(1)));
            for other in 0..MISSING {
                let at = usize::from(other);
                prop_assert_eq!(numerical[at], other <= bin);
                prop_assert_eq!(categorical[at], set[at / 64] & 1 << (at % 64) != 0);
            }
            prop_assert_eq!((numerical[255], categorical[255]), (missing_left, missing_left));
        }
    }
}
