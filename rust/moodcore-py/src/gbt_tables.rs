//! Tables, classes, weights and base margins of boosting as views of NumPy arrays.

use crate::arrays::vector;
use crate::errors::to_python;
use moodcore::gbt::{Rows, Table, Values};
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
    /// Contiguous columns.
    Columns(Vec<ColumnArray<'py>>),
}

/// One contiguous column.
#[derive(FromPyObject)]
pub(crate) enum ColumnArray<'py> {
    /// Single precision.
    F32(PyReadonlyArray1<'py, f32>),
    /// Double precision.
    F64(PyReadonlyArray1<'py, f64>),
}

/// Table, class codes, weights and base margins, as Python sends them.
pub(crate) type LabelledArrays<'py> = (
    TableArrays<'py>,
    PyReadonlyArray1<'py, u32>,
    Option<PyReadonlyArray1<'py, f64>>,
    Option<PyReadonlyArray2<'py, f64>>,
);

/// The table that arrays hold; nothing is copied.
pub(crate) fn read_table<'a>(arrays: &'a TableArrays<'_>) -> PyResult<Table<'a>> {
    match arrays {
        TableArrays::F32(array) => matrix(array, Values::F32),
        TableArrays::F64(array) => matrix(array, Values::F64),
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

/// The rows that arrays hold.
pub(crate) fn read_rows<'a>(arrays: &'a LabelledArrays<'_>) -> PyResult<Rows<'a>> {
    let (x, y, weight, margin) = arrays;
    let weight = weight.as_ref().map(vector).transpose()?;
    let margin = margin.as_ref().map(row_major).transpose()?;
    Ok(Rows { table: read_table(x)?, y: vector(y)?, weight, margin })
}

/// The values of a C-contiguous matrix.
pub(crate) fn row_major<'a>(array: &'a PyReadonlyArray2<'_, f64>) -> PyResult<&'a [f64]> {
    if !array.as_array().is_standard_layout() {
        return Err(PyValueError::new_err("margins must be C-contiguous"));
    }
    array.as_slice().map_err(|_| PyValueError::new_err("margins must be C-contiguous"))
}
