//! The features row by row, for methods that take one row at a time.

use super::table::{add_row, dot, dot_row};
use crate::Samples;
use crate::memory::filled;

/// Rows with their squared lengths; the constant feature counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrainingRows<'a> {
    pub(super) samples: Samples<'a>,
    /// From [`squared_lengths`].
    pub(super) squared_lengths: &'a [f64],
    /// The square of the constant feature, or zero where there is no intercept.
    pub(super) constant: f64,
}

/// The squared length of every row, the constant feature included.
pub(super) fn squared_lengths(samples: &Samples<'_>, constant: f64) -> Vec<f64> {
    let entries = |row| samples.sparse().map_or_else(|| samples.row(row), |rows| rows.row(row).1);
    let square = |row| entries(row).iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
    (0..samples.n_rows()).map(|row| square(row) + constant).collect()
}

/// One weight per feature, and the intercept.
#[derive(Clone, Debug)]
pub(super) struct WeightVector {
    pub(super) weights: Vec<f64>,
    pub(super) intercept: f64,
}

impl TrainingRows<'_> {
    /// Rows between two looks at whether the work shall end: a millisecond of plain code.
    pub(super) fn stride(&self) -> usize {
        ((1 << 20) / self.samples.n_features()).max(1)
    }

    pub(super) fn zero_weights(&self) -> WeightVector {
        WeightVector { weights: filled(0.0, self.samples.n_features()), intercept: 0.0 }
    }

    #[inline(always)]
    pub(super) fn score(&self, row: usize, to: &WeightVector) -> f64 {
        if let Some(rows) = self.samples.sparse() {
            let (columns, values) = rows.row(row);
            let products = columns.iter().zip(values);
            return products.fold(to.intercept, |sum, (&column, &x)| {
                sum + to.weights[column as usize] * f64::from(x)
            });
        }
        dot_row(self.samples.row(row), &to.weights) + to.intercept
    }

    /// Adds a multiple of a row to the weights. The weight of the constant feature times that
    /// feature is the intercept, so that the latter moves by the square.
    #[inline(always)]
    pub(super) fn add(&self, factor: f64, row: usize, to: &mut WeightVector) {
        if let Some(rows) = self.samples.sparse() {
            let (columns, values) = rows.row(row);
            for (&column, &x) in columns.iter().zip(values) {
                to.weights[column as usize] += factor * f64::from(x);
            }
        } else {
            add_row(factor, self.samples.row(row), &mut to.weights);
        }
        to.intercept += factor * self.constant;
    }

    #[inline(always)]
    pub(super) fn squared_length(&self, row: usize) -> f64 {
        self.squared_lengths[row]
    }

    /// The sum of the squared weights, that of the constant feature included.
    pub(super) fn squared_norm(&self, of: &WeightVector) -> f64 {
        let intercept =
            if self.constant > 0.0 { of.intercept * of.intercept / self.constant } else { 0.0 };
        dot(&of.weights, &of.weights) + intercept
    }

    /// The weights with the intercept, where there is one, last.
    pub(super) fn finish(&self, mut of: WeightVector) -> Vec<f64> {
        if self.constant > 0.0 {
            of.weights.push(of.intercept);
        }
        of.weights
    }
}
