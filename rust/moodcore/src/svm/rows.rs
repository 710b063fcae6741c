//! Training rows: features or kernel values, with classes and weights.

use super::features::{Features, check_finite_doubles};
use crate::data::check_weights;
use crate::memory::filled;
use crate::{Error, Result};

/// Representation of the training rows.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Features in single precision.
    Single(Features<'a, f32>),
    /// Features of which single precision would lose digits.
    Double(Features<'a, f64>),
    /// The kernel values of each row with each.
    Kernel(&'a [f64]),
}

/// Rows with their class codes and weights, validated once on construction.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    pub(super) values: Values<'a>,
    pub(super) y: &'a [u32],
    pub(super) n_classes: usize,
    pub(super) weight: Option<&'a [f32]>,
}

impl<'a> Rows<'a> {
    /// Checks the parts against each other.
    ///
    /// # Errors
    /// [`Error::Data`] when there are no rows or fewer than two classes, when lengths differ, when
    /// a value is not finite, a class code too large or without a row, or a weight not finite and
    /// above zero.
    pub fn new(
        values: Values<'a>,
        y: &'a [u32],
        n_classes: usize,
        weight: Option<&'a [f32]>,
    ) -> Result<Self> {
        match values {
            Values::Single(features) => features.check(y.len())?,
            Values::Double(features) => features.check(y.len())?,
            Values::Kernel(values) => check_kernel(values, y.len())?,
        }
        if n_classes < 2 || y.len() >= 1 << 31 {
            return Err(Error::Data(format!(
                "y must have at least 2 classes and fewer than 2^31 rows, got {n_classes} classes \
                 and {} rows",
                y.len()
            )));
        }
        let mut counts = filled(0_usize, n_classes);
        for (row, &code) in y.iter().enumerate() {
            *counts.get_mut(code as usize).ok_or_else(|| {
                Error::Data(format!(
                    "class code {code} in row {row} is not below the number of classes, {n_classes}"
                ))
            })? += 1;
        }
        if let Some(class) = counts.iter().position(|&count| count == 0) {
            return Err(Error::Data(format!("class code {class} must have a row, got none")));
        }
        if let Some(weight) = weight {
            check_weights(weight, y.len())?;
        }
        Ok(Rows { values, y, n_classes, weight })
    }

    /// The weight of a row.
    pub(super) fn weight(&self, row: usize) -> f64 {
        self.weight.map_or(1.0, |weight| f64::from(weight[row]))
    }
}

impl<'a> Values<'a> {
    /// Features in single precision, row by row.
    pub fn features(x: &'a [f32], n_features: usize) -> Self {
        Values::Single(Features::Dense { x, n_features })
    }

    /// Whether the features are in double precision.
    pub(super) fn is_double(&self) -> bool {
        matches!(self, Values::Double(_))
    }

    /// Whether the features are sparse.
    pub(super) fn is_sparse(&self) -> bool {
        matches!(self, Values::Single(Features::Sparse(_)) | Values::Double(Features::Sparse(_)))
    }

    /// The number of features in a row; zero for kernel values.
    pub(super) fn n_features(&self) -> usize {
        match self {
            Values::Single(features) => features.n_features(),
            Values::Double(features) => features.n_features(),
            Values::Kernel(_) => 0,
        }
    }

    /// The mean of each column; none for kernel values.
    pub(super) fn means(&self) -> Vec<f64> {
        match self {
            Values::Single(features) => features.means(),
            Values::Double(features) => features.means(),
            Values::Kernel(_) => Vec::new(),
        }
    }

    /// A feature of a dense row in double precision.
    #[inline(always)]
    pub(super) fn feature(&self, row: usize, feature: usize) -> f64 {
        match *self {
            Values::Single(Features::Dense { x, n_features }) => {
                f64::from(x[row * n_features + feature])
            }
            Values::Double(Features::Dense { x, n_features }) => x[row * n_features + feature],
            Values::Single(Features::Sparse(_)) | Values::Double(Features::Sparse(_)) => {
                unreachable!("sparse rows are read entry by entry")
            }
            Values::Kernel(_) => 0.0,
        }
    }
}

fn check_kernel(values: &[f64], n_rows: usize) -> Result<()> {
    if n_rows == 0 || values.len() != n_rows * n_rows {
        return Err(Error::Data(format!(
            "a precomputed kernel must be a square matrix with a row for each of {n_rows} \
             labels, got {} values",
            values.len()
        )));
    }
    check_finite_doubles("kernel values must be finite", values, n_rows)
}
