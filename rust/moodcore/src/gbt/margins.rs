//! Sums of leaf values, row by row.

use super::grow::Outputs;
use super::soil::Soil;
use super::tree::Tree;
use crate::kernels::{Isa, Simd, Task, add_at_rows};
use crate::parallel::Team;

/// Margins of a set of rows, one vector an output.
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
    let mut out = Vec::with_capacity(n_rows * margins.len());
    for row in 0..n_rows {
        out.extend(margins.iter().map(|output| output[row]));
    }
    out
}

/// Adds the value of each leaf to the margins of the rows in it, which ascend in each leaf.
pub(super) fn add_leaves(
    tree: &Tree,
    factor: f64,
    leaves: &[(u32, std::ops::Range<usize>)],
    margins: &mut [Vec<f64>],
    rows: &[u32],
    (isa, team): (Isa, Option<&Team>),
) {
    // Rows that a thread takes at a time.
    const TOGETHER: usize = 1 << 16;
    let n_outputs = margins.len();
    for (output, margins) in margins.iter_mut().enumerate() {
        let mut chunks: Vec<&mut [f64]> = margins.chunks_mut(TOGETHER).collect();
        let add = |at: usize, numbers: &mut &mut [f64]| {
            let start = (at * TOGETHER) as u32;
            let end = start + numbers.len() as u32;
            for (node, range) in leaves {
                let rows = &rows[range.clone()];
                let from = rows.partition_point(|&row| row < start);
                let to = rows.partition_point(|&row| row < end);
                let value = tree.values[*node as usize * n_outputs + output] * factor;
                isa.run(AddAtRows { numbers, start, rows: &rows[from..to], value });
            }
        };
        match team {
            Some(team) if chunks.len() > 1 => team.for_each(&mut chunks, add),
            _ => chunks.iter_mut().enumerate().for_each(|(at, numbers)| add(at, numbers)),
        }
    }
}

/// Sends all rows of a table of bins through a tree and adds the values of their leaves.
pub(super) fn add_routed(
    tree: &Tree,
    factor: f64,
    columns: &[Vec<u8>],
    margins: &mut [Vec<f64>],
    soil: &mut Soil,
    (isa, team): (Isa, Option<&Team>),
) {
    let leaves = soil.route(tree, columns, margins[0].len(), (isa, team));
    add_leaves(tree, factor, &leaves, margins, &soil.rows, (isa, team));
}

struct AddAtRows<'a> {
    numbers: &'a mut [f64],
    /// The row of the first number.
    start: u32,
    rows: &'a [u32],
    value: f64,
}

impl Task for AddAtRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        add_at_rows(self.numbers, self.start, self.rows, self.value);
    }
}
