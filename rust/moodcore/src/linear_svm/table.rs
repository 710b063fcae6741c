//! The features by columns in blocks of rows, and the sums over them.
//!
//! A block is small enough to stay in the cache while all that needs it is computed. Sums run in
//! eight lanes over the rows of a block; blocks are added in their order within a stretch, and
//! stretches, whose number depends on the number of rows alone, in theirs.

use super::FEW_COLUMNS;
use super::sparse_table::SparseTable;
use crate::Samples;
pub(super) use crate::cholesky::dot;
use crate::cholesky::sum_lanes;
use crate::memory::{filled, with_room};
use crate::parallel::Compute;
use std::ops::Range;

/// Rows of a block: with eight columns, half of a first-level cache.
pub(super) const BLOCK: usize = 512;
/// Columns are filled up with zeros to a multiple of this.
const HEIGHT: usize = 16;
const LANES: usize = 8;
/// Most parts into which a pass over all rows is cut.
const STRETCHES: usize = 32;

/// The features and, where there is an intercept, a last column of ones.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Empty if the rows are sparse.
    values: Vec<f32>,
    sparse: Option<SparseTable>,
    n_rows: usize,
    width: usize,
}

impl Table {
    /// Turns rows into columns; sparse rows of more than a few columns stay sparse.
    pub(super) fn new(samples: &Samples<'_>, intercept: bool, compute: Compute<'_>) -> Self {
        let n_rows = samples.n_rows();
        let width = samples.n_features() + usize::from(intercept);
        if let Some(rows) = samples.sparse().filter(|_| width > FEW_COLUMNS) {
            let sparse = Some(SparseTable::new(&rows, intercept));
            return Table { values: Vec::new(), sparse, n_rows, width };
        }
        let mut values = filled(0.0, n_rows.next_multiple_of(HEIGHT) * width);
        let mut blocks: Vec<_> = values.chunks_mut(BLOCK * width).collect();
        compute.team.for_each_of(n_rows > BLOCK, &mut blocks, |block, values| {
            let height = values.len() / width;
            let first = block * BLOCK;
            for row in first..n_rows.min(first + height) {
                let mut put = |column: usize, value| {
                    values[column * height + row - first] = value;
                };
                if let Some(rows) = samples.sparse() {
                    let (columns, entries) = rows.row(row);
                    let entries = columns.iter().zip(entries);
                    entries.for_each(|(&column, &value)| put(column as usize, value));
                } else {
                    let row = samples.row(row).iter().enumerate();
                    row.for_each(|(column, &value)| put(column, value));
                }
            }
            if intercept {
                values[(width - 1) * height..].fill(1.0);
            }
        });
        Table { values, sparse: None, n_rows, width }
    }

    /// A table of some of the columns.
    pub(super) fn select(&self, columns: &[usize]) -> Table {
        if let Some(sparse) = &self.sparse {
            return self.select_sparse(sparse, columns);
        }
        let mut values = with_room(self.height() * columns.len());
        for block in 0..self.n_blocks() {
            for &column in columns {
                values.extend_from_slice(self.column(block, column));
            }
        }
        Table { values, sparse: None, n_rows: self.n_rows, width: columns.len() }
    }

    fn select_sparse(&self, sparse: &SparseTable, columns: &[usize]) -> Table {
        let width = columns.len();
        let mut values = filled(0.0, self.height() * width);
        for (at, &column) in columns.iter().enumerate() {
            let (rows, entries) = sparse.column(column);
            for (&row, &value) in rows.iter().zip(entries) {
                let (block, place) = (row as usize / BLOCK, row as usize % BLOCK);
                let height = self.rows(block).len();
                values[block * BLOCK * width + at * height + place] = value;
            }
        }
        Table { values, sparse: None, n_rows: self.n_rows, width }
    }

    /// The sparse rows, if the features are sparse.
    #[inline(always)]
    pub(super) fn sparse(&self) -> Option<&SparseTable> {
        self.sparse.as_ref()
    }

    /// Columns, that of ones included.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Rows, without those that fill up.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Rows with those that fill up: the length of arrays with one entry per row.
    pub(super) fn height(&self) -> usize {
        self.n_rows.next_multiple_of(HEIGHT)
    }

    pub(super) fn n_blocks(&self) -> usize {
        self.n_rows.div_ceil(BLOCK)
    }

    /// The rows of a block, as a range of all.
    #[inline(always)]
    pub(super) fn rows(&self, block: usize) -> Range<usize> {
        block * BLOCK..self.height().min((block + 1) * BLOCK)
    }

    /// One column of a block.
    #[inline(always)]
    pub(super) fn column(&self, block: usize, column: usize) -> &[f32] {
        let height = self.rows(block).len();
        &self.values[block * BLOCK * self.width + column * height..][..height]
    }

    /// The blocks in stretches that threads share.
    pub(super) fn stretches(&self) -> Vec<Range<usize>> {
        let length = self.n_blocks().div_ceil(STRETCHES);
        let starts = (0..self.n_blocks()).step_by(length);
        starts.map(|first| first..self.n_blocks().min(first + length)).collect()
    }

    /// Whether a pass is long enough to be shared by threads.
    pub(super) fn is_long(&self) -> bool {
        self.values.len() > 1 << 15 || self.sparse.as_ref().is_some_and(SparseTable::is_long)
    }

    /// `out = X weights` in the rows of a block.
    #[inline(always)]
    pub(super) fn scores(&self, block: usize, weights: &[f64], out: &mut [f64]) {
        if let Some(sparse) = &self.sparse {
            sparse.scores(self.rows(block).start, weights, out);
            return;
        }
        out.fill(0.0);
        let (fours, rest) = weights.as_chunks::<4>();
        for (at, w) in fours.iter().enumerate() {
            let [a, b, c, d] = std::array::from_fn(|i| self.column(block, 4 * at + i));
            for ((((out, &a), &b), &c), &d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *out += (w[0] * f64::from(a) + w[1] * f64::from(b))
                    + (w[2] * f64::from(c) + w[3] * f64::from(d));
            }
        }
        for (at, w) in rest.iter().enumerate() {
            let column = self.column(block, 4 * fours.len() + at);
            for (out, &x) in out.iter_mut().zip(column) {
                *out += w * f64::from(x);
            }
        }
    }

    /// `sums[j] += factors . column j` for each of the first `sums.len()` columns.
    #[inline(always)]
    pub(super) fn add_products(&self, block: usize, factors: &[f64], sums: &mut [f64]) {
        if let Some(sparse) = &self.sparse {
            sparse.add_products(self.rows(block).start, factors, sums);
            return;
        }
        let last = sums.len() - 1;
        for (at, sums) in sums.chunks_mut(4).enumerate() {
            // Where fewer than four are left, the last is taken several times.
            let columns = std::array::from_fn(|i| self.column(block, last.min(4 * at + i)));
            let found = dot_four(factors, columns);
            sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
        }
    }

    /// Adds `sum of factor x x'` over the rows to a packed lower triangle, four rows and columns
    /// of it at a time; `room` is for four columns.
    #[inline(always)]
    pub(super) fn add_outer_products(
        &self,
        block: usize,
        factors: &[f64],
        room: &mut [[f64; BLOCK]; 4],
        triangle: &mut [f64],
    ) {
        let last = self.width - 1;
        // Where fewer than four are left, the last is taken several times.
        let columns = |first: usize| -> [&[f32]; 4] {
            [0, 1, 2, 3].map(|i| self.column(block, last.min(first + i)))
        };
        for first in (0..self.width).step_by(4) {
            for (scaled, values) in room.iter_mut().zip(columns(first)) {
                for ((scaled, &factor), &x) in scaled.iter_mut().zip(factors).zip(values) {
                    *scaled = factor * f64::from(x);
                }
            }
            let scaled = room.each_ref().map(|scaled| &scaled[..factors.len()]);
            for other in (0..=first).step_by(4) {
                let found = dot_four_by_four(scaled, columns(other));
                for (row, found) in (first..self.width).zip(found) {
                    let sums = &mut triangle[row * (row + 1) / 2..][..row + 1];
                    sums[other..].iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
                }
            }
        }
    }
}

/// The products of four vectors with four columns: each number that is loaded serves four times.
#[inline(always)]
fn dot_four_by_four(vectors: [&[f64]; 4], columns: [&[f32]; 4]) -> [[f64; 4]; 4] {
    let vectors = vectors.map(|vector| vector.as_chunks::<LANES>().0);
    let n = vectors[0].len();
    // Slices of one length, as the compiler can see.
    let vectors = vectors.map(|vector| &vector[..n]);
    let columns = columns.map(|column| &column.as_chunks::<LANES>().0[..n]);
    let mut sums = [[[0.0; LANES]; 4]; 4];
    for at in 0..n {
        for (column, x) in columns.iter().enumerate() {
            let x = x[at].map(f64::from);
            for (vector, sums) in vectors.iter().zip(&mut sums) {
                for lane in 0..LANES {
                    sums[column][lane] += vector[at][lane] * x[lane];
                }
            }
        }
    }
    sums.map(|sums| sums.map(sum_lanes))
}

/// The products of one vector with four columns.
#[inline(always)]
fn dot_four(factors: &[f64], columns: [&[f32]; 4]) -> [f64; 4] {
    let mut sums = [[0.0; LANES]; 4];
    let [a, b, c, d] = columns.map(|column| column.as_chunks::<LANES>().0);
    let factors = factors.as_chunks::<LANES>().0;
    for ((((factors, a), b), c), d) in factors.iter().zip(a).zip(b).zip(c).zip(d) {
        for lane in 0..LANES {
            sums[0][lane] += factors[lane] * f64::from(a[lane]);
            sums[1][lane] += factors[lane] * f64::from(b[lane]);
            sums[2][lane] += factors[lane] * f64::from(c[lane]);
            sums[3][lane] += factors[lane] * f64::from(d[lane]);
        }
    }
    sums.map(sum_lanes)
}

/// The product of a row of features with weights.
#[inline(always)]
pub(super) fn dot_row(row: &[f32], weights: &[f64]) -> f64 {
    let (x, x_rest) = row.as_chunks::<LANES>();
    let (w, w_rest) = weights.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (x, w) in x.iter().zip(w) {
        for lane in 0..LANES {
            sums[lane] += f64::from(x[lane]) * w[lane];
        }
    }
    let rest = x_rest.iter().zip(w_rest).fold(0.0, |sum, (&x, w)| sum + f64::from(x) * w);
    sum_lanes(sums) + rest
}

/// `weights += factor * row`
#[inline(always)]
pub(super) fn add_row(factor: f64, row: &[f32], weights: &mut [f64]) {
    for (weight, &x) in weights.iter_mut().zip(row) {
        *weight += factor * f64::from(x);
    }
}
