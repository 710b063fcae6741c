//! A trained ensemble that Python holds but does not look into.

use crate::arrays::zeros;
use crate::errors::{detached, to_python};
use crate::gbt_arrays::{read_ensemble, write_ensemble};
use crate::gbt_tables::{TableArrays, read_table, row_major};
use crate::monitor::poll;
use crate::platform::instruction_set;
use moodcore::Result;
use moodcore::gbt::{
    Ensemble, NewRows, Predictor, check_classes, contributions, probabilities, useful_threads,
};
use moodcore::memory::or_error;
use moodcore::parallel::{Compute, Team};
use numpy::{PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use std::ops::Range;
use std::sync::OnceLock;

/// An ensemble, and the tables for its prediction, which are made when they are first needed.
#[pyclass(frozen, module = "moodcore._core")]
pub(crate) struct GbtModel {
    ensemble: Ensemble,
    predictor: OnceLock<Predictor>,
}

impl GbtModel {
    pub(crate) fn of(ensemble: Ensemble) -> Self {
        GbtModel { ensemble, predictor: OnceLock::new() }
    }

    pub(crate) fn ensemble(&self) -> &Ensemble {
        &self.ensemble
    }

    fn predictor(&self) -> &Predictor {
        self.predictor.get_or_init(|| Predictor::new(&self.ensemble))
    }

    /// The rounds from `first` up to `last`, or all from `first` on.
    fn range(&self, first: usize, last: Option<usize>) -> PyResult<Range<usize>> {
        let n_rounds = self.ensemble.n_rounds();
        let last = last.unwrap_or(n_rounds);
        if first > last || last > n_rounds {
            return Err(PyValueError::new_err(format!(
                "rounds must be within 0..{n_rounds}, got {first}..{last}"
            )));
        }
        Ok(first..last)
    }

    /// Computes `width` scores of each row by one of the predictor's methods.
    fn scores<'py>(
        &self,
        py: Python<'py>,
        request: &Request<'_, 'py>,
        width: usize,
        method: impl FnOnce(
            &Predictor,
            &NewRows<'_>,
            &mut [f64],
            Compute<'_>,
            &mut dyn FnMut() -> Result<()>,
        ) -> Result<()>
        + Send,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let table = read_table(&request.table)?;
        let n_rows = table.n_rows();
        let rounds = self.range(request.first, request.last)?;
        let threads =
            useful_threads(n_rows, rounds.len() * self.ensemble.trees_per_round, request.threads);
        let start = self.start(n_rows, request.start.as_ref())?;
        let rows = NewRows { table: &table, rounds, start };
        let mut out = zeros(n_rows.saturating_mul(width))?;
        compute(py, threads, request.instructions, |compute, poll| {
            method(self.predictor(), &rows, &mut out, compute, poll)
        })?;
        PyArray1::from_vec(py, out).reshape([n_rows, width])
    }

    /// The margins that the sums of the rows start from, if not from the model's base.
    fn start<'a>(
        &self,
        n_rows: usize,
        start: Option<&'a PyReadonlyArray2<'_, f64>>,
    ) -> PyResult<Option<&'a [f64]>> {
        let Some(start) = start else {
            return Ok(None);
        };
        let expected = (n_rows, self.ensemble.n_outputs());
        if start.as_array().dim() != expected {
            return Err(PyValueError::new_err(format!(
                "start must be of shape {expected:?}, got {:?}",
                start.as_array().dim()
            )));
        }
        row_major(start).map(Some)
    }
}

/// Rows to predict, as Python passes them.
struct Request<'a, 'py> {
    table: TableArrays<'py>,
    start: Option<PyReadonlyArray2<'py, f64>>,
    first: usize,
    last: Option<usize>,
    threads: usize,
    instructions: &'a str,
}

/// Computes something about a table without the interpreter.
fn compute(
    py: Python<'_>,
    threads: usize,
    instructions: &str,
    task: impl FnOnce(Compute<'_>, &mut dyn FnMut() -> Result<()>) -> Result<()> + Send,
) -> PyResult<()> {
    let isa = instruction_set(instructions)?;
    detached(py, || {
        let team = Team::new(threads)?;
        task(Compute { isa, team: &team }, &mut || poll(None))
    })
    .map_err(to_python)
}

#[pymethods]
impl GbtModel {
    /// Checks the arrays that `arrays` gives, and makes a model of them.
    #[new]
    fn new(arrays: &Bound<'_, PyDict>) -> PyResult<Self> {
        or_error(|| Ok(read_ensemble(arrays))).map_err(to_python)?.map(Self::of)
    }

    /// The model as plain arrays.
    fn arrays<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        write_ensemble(py, &self.ensemble)
    }

    /// How to pickle and copy: by the arrays.
    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyType>, (Bound<'py, PyDict>,))> {
        Ok((py.get_type::<GbtModel>(), (self.arrays(py)?,)))
    }

    #[getter]
    fn n_features(&self) -> usize {
        self.ensemble.binner.n_columns()
    }

    #[getter]
    fn n_outputs(&self) -> usize {
        self.ensemble.n_outputs()
    }

    #[getter]
    fn n_rounds(&self) -> usize {
        self.ensemble.n_rounds()
    }

    #[getter]
    fn trees_per_round(&self) -> usize {
        self.ensemble.trees_per_round
    }

    /// Margin of each output before the first tree.
    #[getter]
    fn base(&self) -> Vec<f64> {
        self.ensemble.base.clone()
    }

    /// Margins of each row and output.
    #[pyo3(signature = (table, *, start=None, first=0, last=None, threads=1, instructions))]
    #[expect(clippy::too_many_arguments, reason = "all but the table are keywords")]
    fn margins<'py>(
        &self,
        py: Python<'py>,
        table: TableArrays<'py>,
        start: Option<PyReadonlyArray2<'py, f64>>,
        first: usize,
        last: Option<usize>,
        threads: usize,
        instructions: &str,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let request = Request { table, start, first, last, threads, instructions };
        self.scores(py, &request, self.n_outputs(), |predictor, rows, out, compute, poll| {
            predictor.margins(&self.ensemble, rows, out, compute, poll)
        })
    }

    /// Probabilities of the classes of each row.
    #[pyo3(signature = (table, n_classes, *, start=None, last=None, threads=1, instructions))]
    #[expect(clippy::too_many_arguments, reason = "all but the table and the number are keywords")]
    fn probabilities<'py>(
        &self,
        py: Python<'py>,
        table: TableArrays<'py>,
        n_classes: usize,
        start: Option<PyReadonlyArray2<'py, f64>>,
        last: Option<usize>,
        threads: usize,
        instructions: &str,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        check_classes(n_classes, self.n_outputs()).map_err(to_python)?;
        let request = Request { table, start, first: 0, last, threads, instructions };
        self.scores(py, &request, n_classes, |predictor, rows, out, compute, poll| {
            predictor.probabilities(&self.ensemble, rows, n_classes, out, compute, poll)
        })
    }

    /// The node that each row ends in, in each tree.
    #[pyo3(signature = (table, *, first=0, last=None, threads=1, instructions))]
    fn leaves<'py>(
        &self,
        py: Python<'py>,
        table: TableArrays<'py>,
        first: usize,
        last: Option<usize>,
        threads: usize,
        instructions: &str,
    ) -> PyResult<Bound<'py, PyArray2<u32>>> {
        let table = read_table(&table)?;
        let rounds = self.range(first, last)?;
        let n_trees = rounds.len() * self.ensemble.trees_per_round;
        let threads = useful_threads(table.n_rows(), n_trees, threads);
        let mut out = zeros(table.n_rows().saturating_mul(n_trees))?;
        compute(py, threads, instructions, |compute, poll| {
            let predictor = self.predictor();
            predictor.leaves(&self.ensemble, &table, rounds, &mut out, compute, poll)
        })?;
        PyArray1::from_vec(py, out).reshape([table.n_rows(), n_trees])
    }

    /// Contributions of each feature to each output's margin, the expected margin last.
    #[pyo3(signature = (table, *, first=0, last=None, threads=1, instructions))]
    fn contributions<'py>(
        &self,
        py: Python<'py>,
        table: TableArrays<'py>,
        first: usize,
        last: Option<usize>,
        threads: usize,
        instructions: &str,
    ) -> PyResult<Bound<'py, PyArray3<f64>>> {
        let table = read_table(&table)?;
        let rounds = self.range(first, last)?;
        let shape = [table.n_rows(), self.n_outputs(), self.n_features() + 1];
        let mut out = zeros(shape.iter().fold(1, |len: usize, &n| len.saturating_mul(n)))?;
        compute(py, threads, instructions, |compute, poll| {
            contributions(&self.ensemble, &table, rounds, &mut out, compute, poll)
        })?;
        PyArray1::from_vec(py, out).reshape(shape)
    }

    /// Margins of one row.
    #[pyo3(signature = (values, *, last=None))]
    fn row(&self, values: Vec<f64>, last: Option<usize>) -> PyResult<Vec<f64>> {
        let rounds = self.range(0, last)?;
        // So short that the interpreter stays held.
        or_error(|| self.predictor().row(&self.ensemble, &values, rounds)).map_err(to_python)
    }

    /// Probabilities of one row.
    #[pyo3(signature = (values, n_classes, *, last=None))]
    fn row_probabilities(
        &self,
        values: Vec<f64>,
        n_classes: usize,
        last: Option<usize>,
    ) -> PyResult<Vec<f64>> {
        let margins = self.row(values, last)?;
        let mut out = zeros(n_classes)?;
        probabilities(&margins, &mut out);
        Ok(out)
    }

    /// A model of some of the rounds.
    fn slice(&self, first: usize, last: usize) -> PyResult<Self> {
        let rounds = self.range(first, Some(last))?;
        let ensemble = &self.ensemble;
        Ok(Self::of(Ensemble {
            binner: ensemble.binner.clone(),
            base: ensemble.base.clone(),
            trees: ensemble.rounds(rounds).to_vec(),
            trees_per_round: ensemble.trees_per_round,
        }))
    }
}
