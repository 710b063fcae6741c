//! NumPy arrays as the slices that the crate reads.

use crate::errors::to_python;
use moodcore::kernels::Real;
use moodcore::{Samples, SparseRows};
use numpy::ndarray::Dimension;
use numpy::{
    Element, PyArray, PyArrayMethods, PyReadonlyArray, PyReadonlyArray1, PyReadonlyArray2,
};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;

/// Features, class codes and weights of the rows, as Python sends them.
pub(crate) type SampleArrays<'py> =
    (PyReadonlyArray2<'py, f32>, PyReadonlyArray1<'py, u32>, Option<PyReadonlyArray1<'py, f32>>);

/// Compressed sparse rows, as Python sends them: row pointers, columns, values, and the number of
/// features.
pub(crate) type SparseArrays<'py, T = f32> =
    (PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, i32>, PyReadonlyArray1<'py, T>, usize);

/// Sparse rows as the crate reads them, checked.
pub(crate) fn sparse_rows<'a, T: Element + Real>(
    arrays: &'a SparseArrays<'_, T>,
) -> PyResult<SparseRows<'a, T>> {
    let (starts, columns, values, n_features) = arrays;
    SparseRows::new(vector(starts)?, vector(columns)?, vector(values)?, *n_features)
        .map_err(to_python)
}

/// Features of linear models: a matrix, or compressed sparse rows.
#[derive(FromPyObject)]
pub(crate) enum FeatureArrays<'py> {
    Dense(PyReadonlyArray2<'py, f32>),
    Sparse(SparseArrays<'py>),
}

/// The rows as the crate reads them, checked.
pub(crate) fn samples<'a>(arrays: &'a SampleArrays<'_>, n_classes: usize) -> PyResult<Samples<'a>> {
    let (x, y, weight) = arrays;
    let (x, n_features) = matrix(x)?;
    let weight = weight.as_ref().map(vector).transpose()?;
    Samples::new(x, n_features, vector(y)?, n_classes, weight).map_err(to_python)
}

/// The values of a C-contiguous matrix and its number of columns.
pub(crate) fn matrix<'a, T: Element>(
    array: &'a PyReadonlyArray2<'_, T>,
) -> PyResult<(&'a [T], usize)> {
    let view = array.as_array();
    match array.as_slice() {
        Ok(values) if view.is_standard_layout() => Ok((values, view.ncols())),
        _ => Err(PyValueError::new_err("matrices must be C-contiguous")),
    }
}

/// The values of a contiguous vector.
pub(crate) fn vector<'a, T: Element>(array: &'a PyReadonlyArray1<'_, T>) -> PyResult<&'a [T]> {
    array.as_slice().map_err(|_| PyValueError::new_err("vectors must be contiguous"))
}

/// An array that Python cannot write to: a copy, whose values the model would not take over.
pub(crate) fn fixed<T: Element, D: Dimension>(
    array: Bound<'_, PyArray<T, D>>,
) -> Bound<'_, PyArray<T, D>> {
    array.readwrite().make_nonwriteable();
    array
}

/// A copy of an array of any layout, row by row. Messages between processes are cut without regard
/// to alignment, so that arrays of a pickled model may lie at any address: NumPy copies them.
pub(crate) fn owned<T: Element + Copy, D: Dimension>(
    array: &PyReadonlyArray<'_, T, D>,
) -> PyResult<Vec<T>> {
    let copied = array.as_any().call_method0("copy")?;
    let copied = copied.extract::<PyReadonlyArray<'_, T, D>>()?;
    let values = copied.as_slice()?;
    let mut owned = room(values.len())?;
    owned.extend_from_slice(values);
    Ok(owned)
}

/// A vector of zeros of a length that depends on the input.
///
/// Rust ends the process when an allocation fails; Python raises `MemoryError`.
pub(crate) fn zeros<T: Clone + Default>(len: usize) -> PyResult<Vec<T>> {
    let mut values = room(len)?;
    values.resize(len, T::default());
    Ok(values)
}

/// An empty vector with room for as many values as depend on the input.
pub(crate) fn room<T>(len: usize) -> PyResult<Vec<T>> {
    let mut values = Vec::new();
    values
        .try_reserve_exact(len)
        .map_err(|_| out_of_memory("the result", len.saturating_mul(size_of::<T>())))?;
    Ok(values)
}

/// The address space that a thread takes when it starts: its stack, and the heap that the C library
/// reserves for it.
const PER_THREAD: usize = 66 << 20;
/// Threads beyond these are left out: so large a reservation may be refused for its size alone.
const MOST_THREADS: usize = 8;
/// What a training run takes besides its rows, rounded up.
const PER_RUN: usize = 4 << 20;
/// Below this many bytes a training run is not checked.
const LITTLE: usize = 1 << 20;

/// Checks that training can allocate what it needs for its rows: this many bytes per row and per
/// cell of the table, measured and rounded up. They are reserved and freed, and no page is touched.
///
/// Threads that start after the check must leave as much, since a limit of the address space counts
/// what they reserve, too.
pub(crate) fn check_memory(
    (n_rows, n_features): (usize, usize),
    per_row: usize,
    per_cell: usize,
    threads: usize,
) -> PyResult<()> {
    let cells = n_rows.saturating_mul(n_features).saturating_mul(per_cell);
    let bytes = n_rows.saturating_mul(per_row).saturating_add(cells);
    if bytes < LITTLE {
        return Ok(());
    }
    let with_threads = bytes.saturating_add(PER_RUN + threads.min(MOST_THREADS) * PER_THREAD);
    Vec::<u8>::new()
        .try_reserve_exact(with_threads)
        .map_err(|_| out_of_memory(&format!("training on {n_rows} rows"), with_threads))
}

fn out_of_memory(what: &str, bytes: usize) -> PyErr {
    #[expect(clippy::cast_precision_loss, reason = "for a message")]
    let gib = bytes as f64 / f64::from(1 << 30);
    PyMemoryError::new_err(format!("{what} needs about {gib:.1} GiB, more than there is"))
}
