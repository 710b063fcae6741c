//! A borrowed table of raw feature values, column by column, in any memory layout.

use crate::{Error, Result};

/// The numbers of a column, or of the matrix it belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// Double precision.
    F64(&'a [f64]),
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Values::F32(values) => values.len(),
            Values::F64(values) => values.len(),
        }
    }
}

/// The values of a column other than zero, and their rows, which ascend.
#[derive(Clone, Copy, Debug)]
pub struct SparseValues<'a> {
    /// Row indices.
    pub rows: &'a [i32],
    /// One value per row.
    pub values: Values<'a>,
}

/// One feature.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    values: Values<'a>,
    /// Every how many values there is one of this column, from the first.
    stride: usize,
    /// The rows that have values, of a sparse column.
    rows: Option<&'a [i32]>,
}

impl Column<'_> {
    /// The value of a row in double precision, which holds both kinds exactly; NaN is missing.
    pub fn value(&self, row: usize) -> f64 {
        let row = match self.rows.map(|rows| rows.binary_search(&(row as i32))) {
            None => row,
            Some(Ok(at)) => at,
            Some(Err(_)) => return 0.0,
        };
        match self.values {
            Values::F32(values) => f64::from(values[row * self.stride]),
            Values::F64(values) => values[row * self.stride],
        }
    }

    /// Whether the values are in single precision.
    pub(super) fn is_single(&self) -> bool {
        matches!(self.values, Values::F32(_))
    }

    /// The rows of a range that have values and the values, of a sparse column; the others are zero.
    pub(super) fn entries(
        &self,
        rows: std::ops::Range<usize>,
    ) -> Option<impl Iterator<Item = (usize, f64)>> {
        let indices = self.rows?;
        let start = indices.partition_point(|&row| (row as usize) < rows.start);
        let end = start + indices[start..].partition_point(|&row| (row as usize) < rows.end);
        let value = move |at| match self.values {
            Values::F32(values) => f64::from(values[at]),
            Values::F64(values) => values[at],
        };
        Some((start..end).map(move |at| (indices[at] as usize, value(at))))
    }

    /// Copies the rows of a range.
    pub fn copy_to(&self, rows: std::ops::Range<usize>, out: &mut Vec<f64>) {
        out.resize(rows.len(), 0.0);
        if let Some(entries) = self.entries(rows.clone()) {
            out.fill(0.0);
            entries.for_each(|(row, value)| out[row - rows.start] = value);
            return;
        }
        let first = rows.start * self.stride;
        match self.values {
            Values::F32(values) => copy_strided(values, first, self.stride, out, f64::from),
            Values::F64(values) => copy_strided(values, first, self.stride, out, |value| value),
        }
    }
}

fn copy_strided<T: Copy>(
    values: &[T],
    first: usize,
    stride: usize,
    out: &mut [f64],
    convert: impl Fn(T) -> f64,
) {
    for (at, out) in out.iter_mut().enumerate() {
        *out = convert(values[first + at * stride]);
    }
}

/// Columns of equal length. NaN is a missing value; infinite values are ordinary extremes.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    columns: Vec<Column<'a>>,
    n_rows: usize,
}

impl<'a> Table<'a> {
    /// A table of separate columns.
    ///
    /// # Errors
    /// [`Error::Data`] when columns differ in length.
    pub fn from_columns(columns: &[Values<'a>]) -> Result<Self> {
        let n_rows = columns.first().map_or(0, Values::len);
        if let Some(at) = columns.iter().position(|column| column.len() != n_rows) {
            return Err(Error::Data(format!(
                "columns must be of equal length: column 0 has {n_rows} rows, column {at} has {}",
                columns[at].len()
            )));
        }
        let columns =
            columns.iter().map(|&values| Column { values, stride: 1, rows: None }).collect();
        Ok(Table { columns, n_rows })
    }

    /// A table of sparse columns.
    ///
    /// # Errors
    /// [`Error::Data`] when a column has other rows than values, or rows out of order or range.
    pub fn from_sparse(columns: &[SparseValues<'a>], n_rows: usize) -> Result<Self> {
        for (at, column) in columns.iter().enumerate() {
            let inside = column.rows.iter().all(|&row| row >= 0 && (row as usize) < n_rows);
            let ascend = column.rows.windows(2).all(|pair| pair[0] < pair[1]);
            if !(inside && ascend && column.rows.len() == column.values.len()) {
                return Err(Error::Data(format!(
                    "sparse column {at} must have one value per row, and rows that ascend below \
                     {n_rows}"
                )));
            }
        }
        let column = |column: &SparseValues<'a>| Column {
            values: column.values,
            stride: 1,
            rows: Some(column.rows),
        };
        Ok(Table { columns: columns.iter().map(column).collect(), n_rows })
    }

    /// A table whose rows lie one after another.
    ///
    /// # Errors
    /// [`Error::Data`] if the number of values is not a multiple of the row length.
    pub fn from_rows(values: Values<'a>, n_features: usize) -> Result<Self> {
        if n_features == 0 || !values.len().is_multiple_of(n_features) {
            return Err(Error::Data(format!(
                "{} values are no whole rows of {n_features} features",
                values.len()
            )));
        }
        let column = |at: usize| {
            let values = match values {
                Values::F32(values) => Values::F32(values.get(at..).unwrap_or_default()),
                Values::F64(values) => Values::F64(values.get(at..).unwrap_or_default()),
            };
            Column { values, stride: n_features, rows: None }
        };
        let columns = (0..n_features).map(column).collect();
        Ok(Table { columns, n_rows: values.len() / n_features })
    }

    /// The columns.
    pub fn columns(&self) -> &[Column<'a>] {
        &self.columns
    }

    /// The number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The number of columns.
    pub fn n_features(&self) -> usize {
        self.columns.len()
    }
}
