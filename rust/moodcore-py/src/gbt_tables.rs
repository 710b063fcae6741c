//! Tables, classes, weights and base margins of boosting as views of NumPy arrays.

use crate::arrays::vector;
use crate::errors::to_python;
use crate::gbt_binned::GbtBinnedRows;
use moodcore::gbt::{Features, Rows, SparseValues, Table, Values};
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// One matrix, or a list of columns.
#[derive(FromPyObject)]
pub(crate) enum TableArrays<'py> {
    /// Single precision, rows or columns one after another.
    F32(PyReadonlyArray2<'py, f32>),
    /// Double precision, rows or columns one after another.
    F64(PyReadonlyArray2<'py, f64>),
    /// Compressed sparse columns.
    Sparse(SparseColumns<'py>),
    /// Contiguous columns.
    Columns(Vec<ColumnArray<'py>>),
}

/// SciPy's compressed sparse columns, with sorted rows.
#[derive(FromPyObject)]
pub(crate) struct SparseColumns<'py> {
    format: String,
    shape: (usize, usize),
    indptr: PyReadonlyArray1<'py, i32>,
    indices: PyReadonlyArray1<'py, i32>,
    data: ColumnArray<'py>,
}

impl SparseColumns<'_> {
    fn table(&self) -> PyResult<Table<'_>> {
        let (n_rows, n_columns) = self.shape;
        let (starts, rows) = (vector(&self.indptr)?, vector(&self.indices)?);
        let range = |pair: &[i32]| {
            let range = usize::try_from(pair[0]).ok()?..usize::try_from(pair[1]).ok()?;
            let rows = rows.get(range.clone())?;
            let values = match &self.data {
                ColumnArray::F32(array) => Values::F32(array.as_slice().ok()?.get(range)?),
                ColumnArray::F64(array) => Values::F64(array.as_slice().ok()?.get(range)?),
            };
            Some(SparseValues { rows, values })
        };
        let columns: Option<Vec<SparseValues<'_>>> = starts.windows(2).map(range).collect();
        match columns {
            Some(columns) if self.format == "csc" && columns.len() == n_columns => {
                Table::from_sparse(&columns, n_rows).map_err(to_python)
            }
            _ => Err(PyValueError::new_err("sparse X must be compressed by columns")),
        }
    }
}

/// One contiguous column.
#[derive(FromPyObject)]
pub(crate) enum ColumnArray<'py> {
    /// Single precision.
    F32(PyReadonlyArray1<'py, f32>),
    /// Double precision.
    F64(PyReadonlyArray1<'py, f64>),
}

/// A table, or rows that were binned before.
#[derive(FromPyObject)]
pub(crate) enum FeatureArrays<'py> {
    Binned(PyRef<'py, GbtBinnedRows>),
    Table(TableArrays<'py>),
}

/// Features, class codes, weights and base margins, as Python sends them.
pub(crate) type LabelledArrays<'py> = (
    FeatureArrays<'py>,
    PyReadonlyArray1<'py, u32>,
    Option<PyReadonlyArray1<'py, f64>>,
    Option<PyReadonlyArray2<'py, f64>>,
);

/// The table that arrays hold; nothing is copied.
pub(crate) fn read_table<'a>(arrays: &'a TableArrays<'_>) -> PyResult<Table<'a>> {
    match arrays {
        TableArrays::F32(array) => matrix(array, Values::F32),
        TableArrays::F64(array) => matrix(array, Values::F64),
        TableArrays::Sparse(columns) => columns.table(),
        TableArrays::Columns(columns) => {
            let column = |column: &'a ColumnArray<'_>| match column {
                ColumnArray::F32(array) => vector(array).map(Values::F32),
                ColumnArray::F64(array) => vector(array).map(Values::F64),
            };
            let columns: Vec<Values<'_>> = columns.iter().map(column).collect::<PyResult<_>>()?;
            Table::from_columns(&columns).map_err(to_python)
        }
    }
}

fn matrix<'a, T: numpy::Element>(
    array: &'a PyReadonlyArray2<'_, T>,
    wrap: impl Fn(&'a [T]) -> Values<'a>,
) -> PyResult<Table<'a>> {
    let view = array.as_array();
    let (n_rows, n_columns) = view.dim();
    let values = array
        .as_slice()
        .map_err(|_| PyValueError::new_err("X must be contiguous, by rows or by columns"))?;
    // A matrix of one column is contiguous both ways.
    if view.is_standard_layout() {
        return Table::from_rows(wrap(values), n_columns).map_err(to_python);
    }
    let columns: Vec<Values<'_>> = values.chunks(n_rows.max(1)).map(wrap).collect();
    Table::from_columns(&columns).map_err(to_python)
}

/// The features that arrays or bins hold; nothing is copied.
fn read_features<'a>(features: &'a FeatureArrays<'_>) -> PyResult<Features<'a>> {
    match features {
        FeatureArrays::Binned(rows) => Ok(Features::Binned(rows.rows())),
        FeatureArrays::Table(arrays) => read_table(arrays).map(Features::Table),
    }
}

/// The rows that arrays hold.
pub(crate) fn read_rows<'a>(arrays: &'a LabelledArrays<'_>) -> PyResult<Rows<'a>> {
    let (x, y, weight, margin) = arrays;
    let weight = weight.as_ref().map(vector).transpose()?;
    let margin = margin.as_ref().map(row_major).transpose()?;
    Ok(Rows { features: read_features(x)?, y: vector(y)?, weight, margin })
}

/// The values of a C-contiguous matrix.
pub(crate) fn row_major<'a>(array: &'a PyReadonlyArray2<'_, f64>) -> PyResult<&'a [f64]> {
    if !array.as_array().is_standard_layout() {
        return Err(PyValueError::new_err("margins must be C-contiguous"));
    }
    array.as_slice().map_err(|_| PyValueError::new_err("margins must be C-contiguous"))
}
