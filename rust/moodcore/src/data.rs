//! Borrowed views of training data, validated once on construction.

use crate::kernels::{Real, Simd, gather_rows, prefetch_rows};
use crate::{Error, Result};

/// Sparse rows of features in compressed form, as in SciPy's `csr_array`.
#[derive(Clone, Copy, Debug)]
pub struct SparseRows<'a, T = f32> {
    starts: &'a [i64],
    columns: &'a [i32],
    values: &'a [T],
    n_features: usize,
}

impl<'a, T: Real> SparseRows<'a, T> {
    /// Checks that the parts fit together: the entries of row `r` are those from `starts[r]` up to
    /// `starts[r + 1]`, their columns ascend.
    ///
    /// # Errors
    /// [`Error::Data`] when sizes do not fit, or a column is out of range or out of order, or a
    /// value not finite.
    pub fn new(
        starts: &'a [i64],
        columns: &'a [i32],
        values: &'a [T],
        n_features: usize,
    ) -> Result<Self> {
        let n = values.len();
        let ascend = starts.windows(2).all(|pair| pair[0] <= pair[1]);
        let ends = starts.first() == Some(&0) && starts.last() == Some(&(n as i64));
        if !(ascend && ends && columns.len() == n && n_features < 1 << 31) {
            return Err(Error::Data(format!(
                "sparse rows must have row pointers that ascend from 0 to the number of values, \
                 got {} pointers, {} columns and {n} values",
                starts.len(),
                columns.len()
            )));
        }
        let rows = SparseRows { starts, columns, values, n_features };
        for row in 0..rows.n_rows() {
            let (columns, values) = rows.row(row);
            let inside = columns.iter().all(|&column| (column as usize) < n_features);
            if !inside || columns.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err(Error::Data(format!(
                    "the columns of sparse row {row} must ascend and be below {n_features}"
                )));
            }
            if let Some(at) = values.iter().position(|value| !value.to_f64().is_finite()) {
                return Err(Error::Data(format!(
                    "X must be finite{}, got {} in row {row}, column {}",
                    if T::IS_SINGLE { " in float32" } else { "" },
                    values[at].to_f64(),
                    columns[at]
                )));
            }
        }
        Ok(rows)
    }

    /// The number of rows.
    pub fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of features.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// The number of values in all rows.
    pub fn n_values(&self) -> usize {
        self.values.len()
    }

    /// Columns and values of a row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> (&'a [i32], &'a [T]) {
        let range = self.starts[row] as usize..self.starts[row + 1] as usize;
        (&self.columns[range.clone()], &self.values[range])
    }
}

/// Rows of features with their class codes and weights.
///
/// `x` is row-major, `n_rows x n_features`; `y` holds codes below `n_classes`; weights are
/// finite and above zero (the caller leaves out rows of weight zero).
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// Empty if the rows are sparse.
    x: &'a [f32],
    sparse: Option<SparseRows<'a>>,
    n_features: usize,
    y: &'a [u32],
    n_classes: usize,
    weight: Option<&'a [f32]>,
}

impl<'a> Samples<'a> {
    /// Checks that the parts fit together and that all values can be used in training.
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
        if x.len() != y.len() * n_features {
            return Err(Error::Data(format!(
                "X holds {} values but y has {} rows of {n_features} features",
                x.len(),
                y.len()
            )));
        }
        check_finite(x, n_features)?;
        check_targets(y, n_classes, weight)?;
        Ok(Samples { x, sparse: None, n_features, y, n_classes, weight })
    }

    /// Checks sparse rows; only linear models take them.
    ///
    /// # Errors
    /// As [`Samples::new`].
    pub fn of_sparse(
        rows: SparseRows<'a>,
        y: &'a [u32],
        n_classes: usize,
        weight: Option<&'a [f32]>,
    ) -> Result<Self> {
        let n_features = rows.n_features();
        if y.is_empty() || n_features == 0 || rows.n_rows() != y.len() {
            return Err(Error::Data(format!(
                "X must have rows and features and y as many rows, got {} rows of {n_features} \
                 features and {} labels",
                rows.n_rows(),
                y.len()
            )));
        }
        check_targets(y, n_classes, weight)?;
        Ok(Samples { x: &[], sparse: Some(rows), n_features, y, n_classes, weight })
    }

    /// The sparse rows, if the features are sparse.
    #[inline(always)]
    pub(crate) fn sparse(&self) -> Option<SparseRows<'a>> {
        self.sparse
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

    /// Whether the rows have weights other than one.
    #[inline(always)]
    pub(crate) fn is_weighted(&self) -> bool {
        self.weight.is_some()
    }

    /// The features of one row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.x[row * self.n_features..][..self.n_features]
    }

    /// The class code of one row.
    #[inline(always)]
    pub(crate) fn code(&self, row: usize) -> usize {
        self.y[row] as usize
    }

    /// The sum of the weights of all rows.
    pub(crate) fn total_weight(&self) -> f64 {
        match self.weight {
            None => self.n_rows() as f64,
            Some(weight) => weight.iter().map(|&weight| f64::from(weight)).sum(),
        }
    }

    /// The weight of one row.
    #[inline(always)]
    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weight.map_or(1.0, |weight| f64::from(weight[row]))
    }

    /// Copies the features of the chosen rows to rows of whole vectors.
    #[inline(always)]
    pub(crate) fn gather_features<S: Simd>(&self, rows: &[u32], to: &mut [f32]) {
        gather_rows::<S>(self.x, self.n_features, rows, to);
    }

    /// Copies class codes, as numbers, and weights of the chosen rows.
    #[inline(always)]
    pub(crate) fn gather_targets(&self, rows: &[u32], label: &mut [f32], weight: &mut [f32]) {
        for (&row, label) in rows.iter().zip(label) {
            *label = self.y[row as usize] as f32;
        }
        match self.weight {
            None => weight[..rows.len()].fill(1.0),
            Some(from) => {
                for (&row, weight) in rows.iter().zip(weight) {
                    *weight = from[row as usize];
                }
            }
        }
    }

    /// Prefetches the cache lines of the chosen rows.
    #[inline(always)]
    pub(crate) fn prefetch<S: Simd>(&self, rows: &[u32]) {
        prefetch_rows::<S, _>(self.x, self.n_features, rows);
        prefetch_rows::<S, _>(self.y, 1, rows);
        if let Some(weight) = self.weight {
            prefetch_rows::<S, _>(weight, 1, rows);
        }
    }
}

/// Checks class codes and weights.
fn check_targets(y: &[u32], n_classes: usize, weight: Option<&[f32]>) -> Result<()> {
    // Rows are drawn as 32-bit numbers, and class codes travel in the lanes of f32 vectors.
    if y.len() >= 1 << 31 || n_classes >= 1 << 24 {
        return Err(Error::Data(format!(
            "at most 2^31 rows and 2^24 classes are supported, got {} and {n_classes}",
            y.len()
        )));
    }
    if let Some(row) = y.iter().position(|&code| code as usize >= n_classes) {
        return Err(Error::Data(format!(
            "class code {} in row {row} is not below the number of classes, {n_classes}",
            y[row]
        )));
    }
    weight.map_or(Ok(()), |weight| check_weights(weight, y.len()))
}

/// Checks that all features are finite; an error names the first other place.
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

/// Checks that there is one weight per row, finite and above zero; an error names the first
/// row for which this is not so.
///
/// # Errors
/// [`Error::Data`] with row and value.
pub(crate) fn check_weights(weight: &[f32], n_rows: usize) -> Result<()> {
    if weight.len() != n_rows {
        return Err(Error::Data(format!(
            "sample weights must be one per row: got {} for {n_rows} rows",
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
