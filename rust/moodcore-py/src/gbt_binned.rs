//! Rows of boosting that are binned chunk by chunk, and what their bins are learned from.

use crate::arrays::{room, vector};
use crate::errors::{detached, to_python};
use crate::gbt_model::GbtModel;
use crate::gbt_tables::{TableArrays, read_table};
use crate::platform::instruction_set;
use moodcore::gbt::{BinnedRows, Binner, Ensemble, repetitions, sampled_rows};
use moodcore::parallel::{Compute, Team};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::Arc;

/// The categories of a column that occur, ascending, and how often each counts; None for a column
/// of numbers.
type CategoryCounts<'py> = Option<(PyReadonlyArray1<'py, f64>, PyReadonlyArray1<'py, u64>)>;

/// Rows that are binned chunk by chunk: one byte per cell.
#[pyclass(module = "moodcore._core")]
pub(crate) struct GbtBinnedRows {
    rows: BinnedRows,
}

impl GbtBinnedRows {
    pub(crate) fn rows(&self) -> &BinnedRows {
        &self.rows
    }
}

#[pymethods]
impl GbtBinnedRows {
    /// Memory for rows in bins that are learned from a sample of the rows, whose weights are
    /// repetitions, and from the counts of categories in all rows.
    #[staticmethod]
    #[pyo3(signature = (sample, repetitions, counts, n_rows, *, max_bin, threads=1))]
    fn learn(
        py: Python<'_>,
        sample: TableArrays<'_>,
        repetitions: Option<PyReadonlyArray1<'_, u32>>,
        counts: Vec<CategoryCounts<'_>>,
        n_rows: usize,
        max_bin: usize,
        threads: usize,
    ) -> PyResult<Self> {
        let table = read_table(&sample)?;
        let weight = repetitions.as_ref().map(vector).transpose()?;
        let counted = |counts: &CategoryCounts<'_>| -> PyResult<Option<Vec<(f64, u64)>>> {
            let Some((codes, counts)) = counts else { return Ok(None) };
            let pairs = vector(codes)?.iter().copied().zip(vector(counts)?.iter().copied());
            Ok(Some(pairs.collect()))
        };
        let counts = counts.iter().map(counted).collect::<PyResult<Vec<_>>>()?;
        let rows = detached(py, || {
            let team = Team::new(threads)?;
            let binner = Binner::learn_counted(&table, weight, counts, max_bin, &team)?;
            BinnedRows::new(Arc::new(binner), n_rows)
        });
        Ok(GbtBinnedRows { rows: rows.map_err(to_python)? })
    }

    /// Memory for rows in the bins of a model.
    #[staticmethod]
    fn of_model(py: Python<'_>, model: &GbtModel, n_rows: usize) -> PyResult<Self> {
        let binner = || Arc::new(model.ensemble().binner.clone());
        let rows = detached(py, || BinnedRows::new(binner(), n_rows)).map_err(to_python)?;
        Ok(GbtBinnedRows { rows })
    }

    /// The bins as a model without trees, which can be sent to other hosts.
    fn model(&self) -> GbtModel {
        let binner = Binner::clone(self.rows.binner());
        let (base, trees) = (vec![0.0], Vec::new());
        GbtModel::of(Ensemble { binner, base, trees, trees_per_round: 1 })
    }

    /// Memory for other rows in the same bins.
    fn like(&self, py: Python<'_>, n_rows: usize) -> PyResult<Self> {
        let rows = detached(py, || BinnedRows::new(self.rows.binner().clone(), n_rows));
        let rows = rows.map_err(to_python)?;
        Ok(GbtBinnedRows { rows })
    }

    /// The bins so far, of shape (n_features, n_rows).
    fn bins<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<u8>>> {
        let columns = self.rows.bins();
        let mut bins = room(columns.len().saturating_mul(self.rows.n_rows()))?;
        columns.iter().for_each(|column| bins.extend_from_slice(column));
        PyArray1::from_vec(py, bins).reshape([columns.len(), self.rows.n_rows()])
    }

    /// Adds rows that are binned already, of shape (n_features, n_rows), behind the others.
    fn append_bins(&mut self, py: Python<'_>, bins: PyReadonlyArray2<'_, u8>) -> PyResult<()> {
        let n_rows = bins.as_array().ncols();
        let flat = bins.as_slice().map_err(|_| PyValueError::new_err("bins have gaps"))?;
        let empty = vec![&flat[..0]; bins.as_array().nrows()];
        let features = if n_rows == 0 { empty } else { flat.chunks(n_rows).collect() };
        detached(py, || self.rows.append_bins(&features)).map_err(to_python)
    }

    /// The number of rows so far.
    #[getter]
    fn n_rows(&self) -> usize {
        self.rows.n_rows()
    }

    /// Adds the rows of a table behind the others.
    #[pyo3(signature = (table, *, threads=1, instructions))]
    fn append(
        &mut self,
        py: Python<'_>,
        table: TableArrays<'_>,
        threads: usize,
        instructions: &str,
    ) -> PyResult<()> {
        let isa = instruction_set(instructions)?;
        let table = read_table(&table)?;
        detached(py, || {
            let team = Team::new(threads)?;
            self.rows.append(&table, Compute { isa, team: &team })
        })
        .map_err(to_python)
    }
}

/// How often each row of these weights counts in the shares of bins.
#[pyfunction]
pub(crate) fn gbt_repetitions<'py>(
    py: Python<'py>,
    weight: PyReadonlyArray1<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<u32>>> {
    let weight = vector(&weight)?;
    let counts = detached(py, || repetitions(weight)).map_err(to_python)?;
    Ok(PyArray1::from_vec(py, counts))
}

/// The rows of a table from which cut points are learned, ascending; None for all.
#[pyfunction]
pub(crate) fn gbt_sampled_rows(
    py: Python<'_>,
    n_rows: u32,
) -> PyResult<Option<Bound<'_, PyArray1<u32>>>> {
    let rows = detached(py, || Ok(sampled_rows(n_rows as usize))).map_err(to_python)?;
    Ok(rows.map(|rows| PyArray1::from_vec(py, rows)))
}
