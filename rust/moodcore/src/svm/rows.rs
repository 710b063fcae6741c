//! Training rows: features or kernel values, with classes and weights.

use crate::data::{check_finite, check_weights};
use crate::{Error, Result};

/// Representation of the training rows.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Features, row by row.
    Features {
        /// The features.
        x: &'a [f32],
        /// Number of features per row.
        n_features: usize,
    },
    /// Features of which single precision would lose digits, row by row.
    Doubles {
        /// The features.
        x: &'a [f64],
        /// Number of features per row.
        n_features: usize,
    },
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
        check_values(values, y.len())?;
        if n_classes < 2 || y.len() >= 1 << 31 {
            return Err(Error::Data(format!(
                "y must have at least 2 classes and fewer than 2^31 rows, got {n_classes} classes \
                 and {} rows",
                y.len()
            )));
        }
        let mut counts = vec![0_usize; n_classes];
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

impl Values<'_> {
    /// The number of features in a row; zero for kernel values.
    pub(super) fn n_features(&self) -> usize {
        match *self {
            Values::Features { n_features, .. } | Values::Doubles { n_features, .. } => n_features,
            Values::Kernel(_) => 0,
        }
    }

    /// A feature of a row in double precision.
    #[inline(always)]
    pub(super) fn feature(&self, row: usize, feature: usize) -> f64 {
        match *self {
            Values::Features { x, n_features } => f64::from(x[row * n_features + feature]),
            Values::Doubles { x, n_features } => x[row * n_features + feature],
            Values::Kernel(_) => 0.0,
        }
    }
}

fn check_values(values: Values<'_>, n_rows: usize) -> Result<()> {
    match values {
        Values::Features { x, n_features } => {
            check_shape(x.len(), n_rows, n_features)?;
            check_finite(x, n_features)
        }
        Values::Doubles { x, n_features } => {
            check_shape(x.len(), n_rows, n_features)?;
            check_finite_doubles("X must be finite", x, n_features)
        }
        Values::Kernel(values) => {
            if n_rows == 0 || values.len() != n_rows * n_rows {
                return Err(Error::Data(format!(
                    "a precomputed kernel must be a square matrix with a row for each of {n_rows} \
                     labels, got {} values",
                    values.len()
                )));
            }
            check_finite_doubles("kernel values must be finite", values, n_rows)
        }
    }
}

fn check_shape(n_values: usize, n_rows: usize, n_features: usize) -> Result<()> {
    if n_rows > 0 && n_features > 0 && n_values == n_rows * n_features {
        return Ok(());
    }
    Err(Error::Data(format!(
        "X must have rows and features and y as many rows, got {n_values} values for {n_rows} rows \
         of {n_features} features"
    )))
}

/// Refuses values that are not finite, naming the first row and column.
pub(super) fn check_finite_doubles(rule: &str, values: &[f64], width: usize) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::Data(format!(
            "{rule}, got {} in row {}, column {}",
            values[at],
            at / width,
            at % width
        ))),
    }
}
