//! Borrowed views of training data, checked once at the door.

use crate::kernels::{Simd, prefetch};
use crate::{Error, Result};

/// Rows of features with their class codes and weights.
///
/// `x` is row-major, `n_rows x n_features`; `y` holds codes below `n_classes`; weights are
/// finite and above zero (a row of weight zero is a row the caller leaves out).
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    x: &'a [f32],
    n_features: usize,
    y: &'a [u32],
    n_classes: usize,
    weight: Option<&'a [f32]>,
}

impl<'a> Samples<'a> {
    /// Checks the parts against each other and against what training can digest.
    ///
    /// # Errors
    /// [`Error::Data`] when there are no rows or features, lengths differ, a feature is not
    /// finite, a class code is too large, or a weight is not finite and positive; the message
    /// names the first row.
    pub fn new(
        x: &'a [f32],
        n_features: usize,
        y: &'a [u32],
        n_classes: usize,
        weight: Option<&'a [f32]>,
    ) -> Result<Self> {
        if y.is_empty() || n_features == 0 {
            return Err(Error::Data(format!(
                "training data must have at least one row and one feature, got {} rows and \
                 {n_features} features",
                y.len()
            )));
        }
        // Rows are drawn as 32-bit numbers, and class codes travel in the lanes of f32 vectors.
        if y.len() >= 1 << 31 || n_classes >= 1 << 24 {
            return Err(Error::Data(format!(
                "at most 2^31 rows and 2^24 classes are supported, got {} and {n_classes}",
                y.len()
            )));
        }
        if x.len() != y.len() * n_features {
            return Err(Error::Data(format!(
                "X holds {} values but y has {} rows of {n_features} features",
                x.len(),
                y.len()
            )));
        }
        check_finite(x, n_features)?;
        if let Some(row) = y.iter().position(|&code| code as usize >= n_classes) {
            return Err(Error::Data(format!(
                "class code {} in row {row} is not below the number of classes, {n_classes}",
                y[row]
            )));
        }
        if let Some(weight) = weight {
            check_weights(weight, y.len())?;
        }
        Ok(Samples { x, n_features, y, n_classes, weight })
    }

    /// The features, row-major.
    #[inline(always)]
    pub fn x(&self) -> &'a [f32] {
        self.x
    }

    /// The number of rows.
    #[inline(always)]
    pub fn n_rows(&self) -> usize {
        self.y.len()
    }

    /// The number of features in a row.
    #[inline(always)]
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// The number of classes that the codes are taken from.
    #[inline(always)]
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// The features of one row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.x[row * self.n_features..][..self.n_features]
    }

    /// Asks for the cache lines of one row ahead of its use.
    #[inline(always)]
    pub(crate) fn prefetch<S: Simd>(&self, row: usize) {
        prefetch::<S, _>(self.row(row));
        prefetch::<S, _>(&self.y[row..=row]);
        if let Some(weight) = self.weight {
            prefetch::<S, _>(&weight[row..=row]);
        }
    }

    /// The class code of one row.
    #[inline(always)]
    pub fn label(&self, row: usize) -> u32 {
        self.y[row]
    }

    /// The weight of one row: one where none were given.
    #[inline(always)]
    pub fn weight(&self, row: usize) -> f32 {
        self.weight.map_or(1.0, |weight| weight[row])
    }
}

/// Refuses NaN and infinite features, naming the first row and column.
///
/// # Errors
/// [`Error::Data`] with row, column and value.
pub(crate) fn check_finite(x: &[f32], n_features: usize) -> Result<()> {
    match x.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::Data(format!(
            "X must be finite in float32, got {} in row {}, column {}",
            x[at],
            at / n_features,
            at % n_features
        ))),
    }
}

fn check_weights(weight: &[f32], n_rows: usize) -> Result<()> {
    if weight.len() != n_rows {
        return Err(Error::Data(format!(
            "sample weights must be one a row: got {} for {n_rows} rows",
            weight.len()
        )));
    }
    match weight.iter().position(|&value| !(value.is_finite() && value > 0.0)) {
        None => Ok(()),
        Some(row) => Err(Error::Data(format!(
            "sample weights must be finite and above zero, got {} in row {row}",
            weight[row]
        ))),
    }
}
