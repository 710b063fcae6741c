//! Sparse features, row by row and column by column, and the sums over them.

use crate::SparseRows;
use crate::memory::{copied, filled, reserve};

/// The entries other than zero and, where there is an intercept, a last column of ones.
#[derive(Debug)]
pub(super) struct SparseTable {
    by_row: Compressed,
    by_column: Compressed,
}

/// Entries line by line, a line being a row or a column.
#[derive(Debug)]
struct Compressed {
    starts: Vec<usize>,
    places: Vec<u32>,
    values: Vec<f32>,
}

impl Compressed {
    #[inline(always)]
    fn line(&self, at: usize) -> (&[u32], &[f32]) {
        let range = self.starts[at]..self.starts[at + 1];
        (&self.places[range.clone()], &self.values[range])
    }

    fn transposed(&self, n_lines: usize) -> Self {
        let mut starts = filled(0, n_lines + 1);
        for &place in &self.places {
            starts[place as usize + 1] += 1;
        }
        for line in 0..n_lines {
            starts[line + 1] += starts[line];
        }
        let mut next = copied(&starts);
        let mut places = filled(0, self.places.len());
        let mut values = filled(0.0, self.places.len());
        for line in 0..self.starts.len() - 1 {
            let (from, entries) = self.line(line);
            for (&place, &value) in from.iter().zip(entries) {
                let to = &mut next[place as usize];
                (places[*to], values[*to]) = (line as u32, value);
                *to += 1;
            }
        }
        Compressed { starts, places, values }
    }
}

impl SparseTable {
    pub(super) fn new(rows: &SparseRows<'_>, intercept: bool) -> Self {
        let n_features = rows.n_features();
        let mut by_row = Compressed { starts: vec![0], places: Vec::new(), values: Vec::new() };
        for row in 0..rows.n_rows() {
            let (columns, values) = rows.row(row);
            reserve(&mut by_row.places, columns.len() + 1);
            reserve(&mut by_row.values, columns.len() + 1);
            by_row.places.extend(columns.iter().map(|&column| column as u32));
            by_row.values.extend_from_slice(values);
            if intercept {
                by_row.places.push(n_features as u32);
                by_row.values.push(1.0);
            }
            by_row.starts.push(by_row.places.len());
        }
        let by_column = by_row.transposed(n_features + usize::from(intercept));
        SparseTable { by_row, by_column }
    }

    /// The rows and values of a column.
    #[inline(always)]
    pub(super) fn column(&self, column: usize) -> (&[u32], &[f32]) {
        self.by_column.line(column)
    }

    pub(super) fn is_long(&self) -> bool {
        self.by_row.values.len() > 1 << 15
    }

    fn n_rows(&self) -> usize {
        self.by_row.starts.len() - 1
    }

    /// The products of the rows from `first` on with weights; zero behind the last row.
    pub(super) fn scores(&self, first: usize, weights: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        for (row, out) in (first..self.n_rows()).zip(out) {
            let (columns, values) = self.by_row.line(row);
            let products = columns.iter().zip(values);
            *out = products.fold(0.0, |sum, (&column, &value)| {
                sum + weights[column as usize] * f64::from(value)
            });
        }
    }

    /// Adds each row from `first` on times its factor.
    pub(super) fn add_products(&self, first: usize, factors: &[f64], sums: &mut [f64]) {
        for (row, &factor) in (first..self.n_rows()).zip(factors) {
            if factor != 0.0 {
                let (columns, values) = self.by_row.line(row);
                for (&column, &value) in columns.iter().zip(values) {
                    sums[column as usize] += factor * f64::from(value);
                }
            }
        }
    }

    /// Adds the squares of each row from `first` on times its factor.
    pub(super) fn add_squares(&self, first: usize, factors: &[f64], sums: &mut [f64]) {
        for (row, &factor) in (first..self.n_rows()).zip(factors) {
            if factor != 0.0 {
                let (columns, values) = self.by_row.line(row);
                for (&column, &value) in columns.iter().zip(values) {
                    sums[column as usize] += factor * f64::from(value) * f64::from(value);
                }
            }
        }
    }
}
