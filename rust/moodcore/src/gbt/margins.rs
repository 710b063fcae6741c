//! Sums of leaf values, row by row.

use super::context::Outputs;
use super::rows::{partition, sides};
use super::tree::Tree;
use super::workspace::Workspace;
use crate::kernels::Isa;
use crate::memory::{CollectVec, with_room};
use crate::parallel::Team;
use std::ops::Range;

/// Margins of a set of rows, one vector per output.
pub(super) type Margins = Vec<Vec<f64>>;

/// The outputs that a tree's values belong to.
pub(super) fn outputs_of(tree: &Tree, n_outputs: usize) -> Outputs {
    match tree.output {
        Some(output) => Outputs { first: output as usize, count: 1 },
        None => Outputs { first: 0, count: n_outputs },
    }
}

/// Margins with the outputs of a row side by side.
pub(super) fn row_major(margins: &Margins) -> Vec<f64> {
    let n_rows = margins[0].len();
    let mut out = with_room(n_rows * margins.len());
    for row in 0..n_rows {
        out.extend(margins.iter().map(|output| output[row]));
    }
    out
}

/// Rows that a thread takes at a time.
const TOGETHER: usize = 1 << 13;

/// Adds the value of each leaf to the margins of the rows in it, which ascend in each leaf.
pub(super) fn add_leaves(
    tree: &Tree,
    leaves: &[(u32, Range<usize>)],
    margins: &mut [Vec<f64>],
    rows: &[u32],
    team: Option<&Team>,
) {
    let n_outputs = margins.len();
    let shares = 4 * team.map_or(1, Team::threads);
    let share = (margins[0].len() / shares).max(TOGETHER);
    for (output, margins) in margins.iter_mut().enumerate() {
        let value = |node: u32| tree.values[node as usize * n_outputs + output];
        let mut chunks: Vec<&mut [f64]> = margins.chunks_mut(share).collect_vec();
        let add = |at: usize, numbers: &mut &mut [f64]| {
            let mut start = (at * share) as u32;
            let rest = |(node, range): &(u32, Range<usize>)| {
                let rows = &rows[range.clone()];
                (value(*node), &rows[rows.partition_point(|&row| row < start)..])
            };
            let mut rest: Vec<(f64, &[u32])> = leaves.iter().map(rest).collect();
            // A few numbers at a time, so that they stay in the cache for all leaves.
            for numbers in numbers.chunks_mut(TOGETHER) {
                for (value, rows) in &mut rest {
                    let n_added = add_at_rows(numbers, start, rows, *value);
                    *rows = &rows[n_added..];
                }
                start += numbers.len() as u32;
            }
        };
        match team {
            Some(team) => team.for_each(&mut chunks, add),
            None => chunks.iter_mut().enumerate().for_each(|(at, numbers)| add(at, numbers)),
        }
    }
}

/// Rows that are sent through a tree.
#[derive(Clone, Copy)]
pub(super) struct RoutedRows<'a> {
    /// The bins of the table.
    pub(super) columns: &'a [Vec<u8>],
    /// The rows that are left out, ascending.
    pub(super) except: &'a [u32],
}

impl RoutedRows<'_> {
    /// Writes the rows of a range to the front of `rows`; returns their number.
    fn list(&self, range: Range<usize>, rows: &mut [u32]) -> usize {
        let from = self.except.partition_point(|&row| (row as usize) < range.start);
        let mut except = self.except[from..].iter().copied().peekable();
        let mut n_rows = 0;
        for row in range {
            let row = row as u32;
            rows[n_rows] = row;
            n_rows += usize::from(except.next_if_eq(&row).is_none());
        }
        n_rows
    }
}

/// Sends rows through a tree and adds the values of their leaves.
pub(super) fn add_routed(
    tree: &Tree,
    factor: f64,
    routed: RoutedRows<'_>,
    margins: &mut [Vec<f64>],
    workspace: &mut Workspace,
    (isa, team): (Isa, Option<&Team>),
) {
    let n_rows = margins[0].len();
    let (rows, spare) = workspace.lists(n_rows);
    let mut chunks: Vec<Chunk<'_>> = rows
        .chunks_mut(TOGETHER)
        .zip(spare.chunks_mut(TOGETHER))
        .map(|(rows, spare)| Chunk { margins: Vec::new(), rows, spare })
        .collect_vec();
    for output in margins {
        for (chunk, margins) in chunks.iter_mut().zip(output.chunks_mut(TOGETHER)) {
            chunk.margins.push(margins);
        }
    }
    let add =
        |at: usize, chunk: &mut Chunk<'_>| chunk.add(tree, factor, routed, at * TOGETHER, isa);
    match team {
        Some(team) => team.for_each(&mut chunks, add),
        None => chunks.iter_mut().enumerate().for_each(|(at, chunk)| add(at, chunk)),
    }
}

/// The margins of consecutive rows, and memory for lists of these rows.
struct Chunk<'a> {
    /// One entry per output.
    margins: Vec<&'a mut [f64]>,
    rows: &'a mut [u32],
    spare: &'a mut [u32],
}

impl Chunk<'_> {
    /// Sends the rows from `start` on through a tree.
    fn add(&mut self, tree: &Tree, factor: f64, routed: RoutedRows<'_>, start: usize, isa: Isa) {
        let n_outputs = self.margins.len();
        let n_rows = routed.list(start..start + self.rows.len(), self.rows);
        let mut open = vec![(0, 0..n_rows)];
        while let Some((at, range)) = open.pop() {
            if range.is_empty() {
                continue;
            }
            let node = &tree.nodes[at as usize];
            let rows = &mut self.rows[range.clone()];
            if node.is_leaf() {
                for (output, numbers) in self.margins.iter_mut().enumerate() {
                    let value = tree.values[at as usize * n_outputs + output] * factor;
                    add_at_rows(numbers, start as u32, rows, value);
                }
                continue;
            }
            let column = &routed.columns[node.feature as usize];
            let spare = &mut self.spare[range.clone()];
            let n_left = partition(rows, spare, column, &sides(tree, node), (isa, None));
            let middle = range.start + n_left;
            open.push((node.left, range.start..middle));
            open.push((node.right, middle..range.end));
        }
    }
}

/// Adds a value to the numbers of rows, of which the first is that of row `start`. Ends at a row
/// without a number; returns how many rows came before it.
fn add_at_rows(numbers: &mut [f64], start: u32, rows: &[u32], value: f64) -> usize {
    for (at, &row) in rows.iter().enumerate() {
        let Some(number) = numbers.get_mut(row.wrapping_sub(start) as usize) else { return at };
        *number += value;
    }
    rows.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gbt::{NONE, Node};
    use proptest::prelude::*;

    /// A root and three leaves: bins up to 99, others up to 180, and the rest with missing values.
    fn tree(values: Vec<f64>, output: Option<u32>) -> Tree {
        let leaf = Node {
            feature: NONE,
            bin: 0,
            missing_left: false,
            categories: NONE,
            left: NONE,
            right: NONE,
            gain: 0.0,
            cover: 0.0,
            weight: 0.0,
        };
        let split = |bin, left, right| Node { feature: 0, bin, left, right, ..leaf };
        let nodes = vec![split(99, 1, 2), leaf, split(180, 3, 4), leaf, leaf];
        Tree { nodes, values, sets: Vec::new(), output }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn each_row_gets_the_value_of_its_leaf(
            // Below and above the number of rows that a thread takes at a time.
            n_rows in prop_oneof![1..100_usize, 65_530..65_540_usize, 131_000..140_000_usize],
            joint: bool,
            factor in prop::sample::select(vec![1.0, -1.0, 0.5]),
            step in 1..200_usize,
            left_out in 1..20_usize,
        ) {
            let width = if joint { 2 } else { 1 };
            let values: Vec<f64> = (0..5 * width).map(|at| 0.3 + at as f64).collect();
            let tree = tree(values, (!joint).then_some(1));
            let column: Vec<u8> = (0..n_rows).map(|row| (row * step) as u8).collect();
            let before = |output: usize, row: usize| (row % 17 + output) as f64;
            let start: Margins =
                (0..width).map(|at| (0..n_rows).map(|row| before(at, row)).collect()).collect();
            let mut expected = start.clone();
            // With a step of one, all rows are left out.
            let except: Vec<u32> = (0..n_rows as u32).step_by(left_out).collect();
            for (row, &bin) in column.iter().enumerate().filter(|(row, _)| row % left_out > 0) {
                let leaf = tree.leaf(|_| bin);
                for (output, margins) in expected.iter_mut().enumerate() {
                    margins[row] += tree.values[leaf * width + output] * factor;
                }
            }
            let columns = [column];
            for isa in Isa::available() {
                for team in [None, Some(Team::new(2)?), Some(Team::new(3)?)] {
                    let (mut margins, mut workspace) = (start.clone(), Workspace::default());
                    let how = (isa, team.as_ref());
                    let rows = RoutedRows { columns: &columns, except: &except };
                    add_routed(&tree, factor, rows, &mut margins, &mut workspace, how);
                    prop_assert!(margins == expected, "{} with {team:?}", isa.name());
                }
            }
            let outputs = outputs_of(&tree, 4);
            let expected = if joint { (0, 4) } else { (1, 1) };
            prop_assert_eq!((outputs.first, outputs.count), expected);
        }

        #[test]
        fn the_rows_of_each_leaf_get_its_value(
            // Around the sizes at which rows are taken in parts, and by threads.
            n_rows in prop_oneof![1..100_usize, 2_040..2_060_usize, 65_530..70_000_usize],
            joint: bool,
            step in 1..9_u32,
            left_out in 2..20_u32,
        ) {
            let width = if joint { 2 } else { 1 };
            let values: Vec<f64> = (0..5 * width).map(|at| 0.3 + at as f64).collect();
            let tree = tree(values, (!joint).then_some(1));
            let leaf = |row: u32| [1, 3, 4][(row / step % 3) as usize];
            let start: Margins =
                (0..width).map(|at| (0..n_rows).map(|row| (row % 17 + at) as f64).collect()).collect();
            let (mut expected, mut rows, mut leaves) = (start.clone(), Vec::new(), Vec::new());
            for node in [3, 1, 4] {
                let first = rows.len();
                let in_leaf = |row: &u32| !row.is_multiple_of(left_out) && leaf(*row) == node;
                rows.extend((0..n_rows as u32).filter(in_leaf));
                leaves.push((node, first..rows.len()));
                for (output, margins) in expected.iter_mut().enumerate() {
                    let value = tree.values[node as usize * width + output];
                    rows[first..].iter().for_each(|&row| margins[row as usize] += value);
                }
            }
            for team in [None, Some(Team::new(2)?), Some(Team::new(3)?)] {
                let mut margins = start.clone();
                add_leaves(&tree, &leaves, &mut margins, &rows, team.as_ref());
                prop_assert!(margins == expected, "{team:?}");
            }
        }

        #[test]
        fn rows_side_by_side_are_outputs_turned(n_rows in 1..40_usize, n_outputs in 1..5_usize) {
            let margins: Margins = (0..n_outputs)
                .map(|output| (0..n_rows).map(|row| (row * 10 + output) as f64).collect())
                .collect();
            let computed = row_major(&margins);
            let place = |at: usize| (at / n_outputs * 10 + at % n_outputs) as f64;
            prop_assert_eq!(computed, (0..n_rows * n_outputs).map(place).collect::<Vec<_>>());
        }
    }
}
