//! A borrowed table of raw feature values, column by column, however they lie in memory.

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

/// One feature: every `stride`-th of the values, from the first.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    values: Values<'a>,
    stride: usize,
}

impl Column<'_> {
    /// The value of a row in double precision, which holds both kinds exactly; NaN is missing.
    pub fn value(&self, row: usize) -> f64 {
        match self.values {
            Values::F32(values) => f64::from(values[row * self.stride]),
            Values::F64(values) => values[row * self.stride],
        }
    }

    /// Whether the values are in single precision.
    pub(super) fn is_single(&self) -> bool {
        matches!(self.values, Values::F32(_))
    }

    /// Copies the rows of a range.
    pub fn copy_to(&self, rows: std::ops::Range<usize>, out: &mut Vec<f64>) {
        out.resize(rows.len(), 0.0);
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
        let columns = columns.iter().map(|&values| Column { values, stride: 1 }).collect();
        Ok(Table { columns, n_rows })
    }

    /// A table whose rows lie one after another.
    ///
    /// # Errors
    /// [`Error::Data`] when the values are no whole rows.
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
            Column { values, stride: n_features }
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
