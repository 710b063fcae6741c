//! Small systems of equations with a symmetric positive matrix.

use super::table::dot;

/// Where row `row` of a packed lower triangle starts.
pub(super) fn start_of(row: usize) -> usize {
    row * (row + 1) / 2
}

/// A lower triangle L with L L' = A, rows one after another.
#[derive(Debug)]
pub(super) struct Factor {
    triangle: Vec<f64>,
    size: usize,
}

impl Factor {
    /// Factors a packed lower triangle. A pivot that rounding has made zero or negative is lifted
    /// to what rounding can tell from zero, so that any matrix of finite numbers has a factor.
    pub(super) fn new(mut a: Vec<f64>, size: usize) -> Self {
        for row in 0..size {
            let (above, rest) = a.split_at_mut(start_of(row));
            let diagonal = rest[row];
            for column in 0..row {
                let other = &above[start_of(column)..=start_of(column) + column];
                let sum = dot(&rest[..column], &other[..column]);
                rest[column] = (rest[column] - sum) / other[column];
            }
            let pivot = diagonal - dot(&rest[..row], &rest[..row]);
            let least = (diagonal * 1e-14).max(f64::MIN_POSITIVE);
            rest[row] = if pivot > least { pivot } else { least }.sqrt();
        }
        Factor { triangle: a, size }
    }

    /// Solves A x = b in place.
    pub(super) fn solve(&self, b: &mut [f64]) {
        for row in 0..self.size {
            let factor = &self.triangle[start_of(row)..=start_of(row) + row];
            b[row] = (b[row] - dot(&factor[..row], &b[..row])) / factor[row];
        }
        for row in (0..self.size).rev() {
            let factor = &self.triangle[start_of(row)..=start_of(row) + row];
            b[row] /= factor[row];
            let value = b[row];
            b[..row].iter_mut().zip(factor).for_each(|(b, factor)| *b -= value * factor);
        }
    }
}
