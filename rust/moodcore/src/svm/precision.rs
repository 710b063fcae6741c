//! Whether kernel values in single precision can tell rows apart.
//!
//! The dual problem and the decisions depend only on differences of kernel values: adding a
//! function of one row to all kernel values of that row changes neither, since the coefficients sum
//! to zero. What counts is therefore how far rows are from their mean in feature space, compared
//! with the size of the kernel values that are rounded.

use super::features::Features;
use super::rows::Values;
use crate::kernels::{KernelFunction, Real};
use crate::memory::filled;
use std::ops::Range;

/// How large kernel values are, and how much rows differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    /// The largest size of a row's kernel value with itself.
    pub(super) scale: f64,
    /// The mean squared distance in feature space from the mean row.
    pub(super) variance: f64,
    /// Whether products of features, too, are in the range of single precision.
    pub(super) is_in_range: bool,
}

/// The largest ratio of kernel values to differences for single precision, which has 7 digits.
const LARGEST_RATIO: f64 = 1e3;
/// Maximum number of rows whose distance from the mean row is computed.
const SAMPLE: usize = 1024;
/// The largest ratio at which centering would gain less than its own rounding loses.
const NEAR_RATIO: f64 = 30.0;
/// Differences and kernel values outside of this range are left to double precision, too: the
/// solver's smallest curvature is [`crate::kernels::FLAT`].
const RANGE: Range<f64> = 1e-6..1e15;
/// The range of squared lengths and distances of rows before the kernel function: what is below
/// the smallest number or above the largest, by a wide margin, is left to double precision.
const SQUARES: Range<f64> = 1e-25..1e30;

impl Spread {
    /// Whether single precision can tell rows apart.
    pub(super) fn fits_single(&self) -> bool {
        self.scale <= LARGEST_RATIO * self.variance
            && RANGE.contains(&self.variance)
            && RANGE.contains(&self.scale)
            && self.is_in_range
    }

    /// Whether kernel values are hardly larger than their differences.
    pub(super) fn is_near(&self) -> bool {
        self.scale <= NEAR_RATIO * self.variance
    }

    /// That of the rows of a table under a kernel.
    pub(super) fn of_rows<T: Real>(
        kernel: KernelFunction,
        rows: Features<'_, T>,
        center: &[f64],
    ) -> Self {
        let n_rows = rows.n_rows();
        let largest = (0..n_rows).map(|row| rows.square(row)).fold(0.0, f64::max);
        let own = kernel.value(center, center);
        let scale = match kernel {
            KernelFunction::Rbf { .. } | KernelFunction::Sigmoid { .. } => 1.0,
            // Powers of the absolute value bound those of products of both signs.
            KernelFunction::Linear | KernelFunction::Poly { .. } => {
                kernel.of_product(largest).abs().max(kernel.of_product(-largest).abs())
            }
        };
        let step = n_rows.div_ceil(SAMPLE).max(1);
        let (mut variance, mut distance, mut count) = (0.0, 0.0, 0.0_f64);
        let mut row = filled(0.0, center.len());
        for at in (0..n_rows).step_by(step) {
            rows.copy_row(at, &mut row);
            variance += kernel.value(&row, &row) - 2.0 * kernel.value(&row, center) + own;
            distance += row.iter().zip(center).map(|(x, c)| (x - c) * (x - c)).sum::<f64>();
            count += 1.0;
        }
        let is_in_range = SQUARES.contains(&(distance / count.max(1.0))) && largest <= SQUARES.end;
        Spread { scale, variance: variance.abs() / count.max(1.0), is_in_range }
    }

    /// That of given kernel values of `n` rows with each other.
    pub(super) fn of_kernel(values: &[f64], n: usize) -> Self {
        let scale = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let diagonal = (0..n).map(|row| values[row * n + row]).sum::<f64>() / n as f64;
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Spread { scale, variance: (diagonal - mean).abs(), is_in_range: true }
    }

    pub(super) fn of(values: Values<'_>, n_rows: usize, kernel: Option<KernelFunction>) -> Self {
        match (values, kernel) {
            (Values::Single(rows), Some(kernel)) => Self::of_rows(kernel, rows, &rows.means()),
            (Values::Double(rows), Some(kernel)) => Self::of_rows(kernel, rows, &rows.means()),
            (Values::Kernel(values), _) => Self::of_kernel(values, n_rows),
            (_, None) => Spread { scale: 0.0, variance: 0.0, is_in_range: true },
        }
    }
}
