//! Cholesky factors of small symmetric positive definite matrices, and dot products.

/// Lanes of a sum over a vector.
const LANES: usize = 8;

/// Returns the index of the first entry of row `row` in a packed lower triangle.
pub(crate) fn start_of(row: usize) -> usize {
    row * (row + 1) / 2
}

/// A lower triangle L with L L' = A, rows one after another.
#[derive(Debug)]
pub(crate) struct Factor {
    triangle: Vec<f64>,
    size: usize,
}

impl Factor {
    /// Factors a packed lower triangle. A pivot that rounding has made zero or negative is replaced
    /// by the smallest value above rounding errors, so that every finite matrix has a factor.
    pub(crate) fn new(mut a: Vec<f64>, size: usize) -> Self {
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
    pub(crate) fn solve(&self, b: &mut [f64]) {
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

/// Adds halves until one number is left.
#[inline(always)]
pub(crate) fn sum_lanes(lanes: [f64; LANES]) -> f64 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Returns the dot product of two vectors of any length.
#[inline(always)]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest = a_rest.iter().zip(b_rest).fold(0.0, |sum, (a, b)| sum + a * b);
    sum_lanes(sums) + rest
}
