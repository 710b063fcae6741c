//! The rows of a tree's nodes, kept as one list in which every node owns a range.

use super::histogram::BINS;
use super::tree::{Node, Tree};
use crate::kernels::{Isa, Simd, Task, part_rows};
use crate::parallel::Team;

/// Rows that a thread splits at a time.
const CHUNK: usize = 1 << 15;

/// Which bins go left, one entry a bin: the same code serves thresholds, categories and missing
/// values.
pub(super) type Sides = [bool; BINS];

/// The sides of a node's split.
pub(super) fn sides(tree: &Tree, node: &Node) -> Sides {
    std::array::from_fn(|bin| tree.goes_left(node, bin as u8))
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

/// Each thread parts a chunk; then the parts are put together.
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

    #[test]
    fn threads_change_nothing() {
        let column: Vec<u8> =
            (0..200_000_u32).map(|row| (row.wrapping_mul(77) >> 3) as u8).collect();
        let sides = std::array::from_fn(|bin| bin % 3 == 0);
        let rows: Vec<u32> = (0..200_000).filter(|row| row % 7 != 2).collect();
        let (left, right): (Vec<u32>, Vec<u32>) =
            rows.iter().partition(|&&row| sides[usize::from(column[row as usize])]);
        let team = Team::new(2).expect("two threads");
        for team in [None, Some(&team)] {
            let isa = Isa::detect();
            let (mut rows, mut spare) = (rows.clone(), vec![0; rows.len()]);
            let n_left = partition(&mut rows, &mut spare, &column, &sides, (isa, team));
            assert_eq!((&rows[..n_left], &rows[n_left..]), (&left[..], &right[..]));
        }
    }
}
