//! Linear support vector machines for Python.

use crate::arrays::{
    FeatureArrays, check_memory, fixed, matrix, owned, sparse_rows, vector, zeros,
};
use crate::errors::{detached, to_python};
use crate::monitor::{PythonMonitor, poll};
use crate::platform::instruction_set;
use moodcore::Samples;
use moodcore::kernels::Real;
use moodcore::linear_svm::{Config, Fit, classify, decide, decide_sparse, fit};
use moodcore::parallel::{Compute, Team};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

/// Features, class codes and weights of the rows, as Python sends them.
type Train<'py> =
    (FeatureArrays<'py>, PyReadonlyArray1<'py, u32>, Option<PyReadonlyArray1<'py, f32>>);

/// Features of dense rows in single or double precision.
#[derive(FromPyObject)]
enum Matrix<'py> {
    Single(PyReadonlyArray2<'py, f32>),
    Double(PyReadonlyArray2<'py, f64>),
}

/// Weights and intercepts.
#[pyclass(frozen, module = "moodcore._core")]
pub(crate) struct LinearSvmModel {
    coef: Vec<f64>,
    intercept: Vec<f64>,
}

impl LinearSvmModel {
    fn n_features(&self) -> usize {
        self.coef.len() / self.intercept.len()
    }

    fn classes<'py, T: Real>(
        &self,
        py: Python<'py>,
        (x, n_features): (&[T], usize),
        threads: usize,
        instructions: &str,
    ) -> PyResult<Option<Bound<'py, PyArray1<i64>>>> {
        let isa = instruction_set(instructions)?;
        let weights = (self.coef.as_slice(), self.intercept.as_slice());
        let mut out = zeros(x.len() / n_features.max(1))?;
        let is_finite = detached(py, || {
            let team = Team::new(threads)?;
            let compute = Compute { isa, team: &team };
            classify(weights, (x, n_features), &mut out, compute, &mut || poll(None))
        })
        .map_err(to_python)?;
        Ok(is_finite.then(|| PyArray1::from_vec(py, out)))
    }
}

#[pymethods]
impl LinearSvmModel {
    /// Checks weights, one row per intercept, and makes a model of them.
    #[new]
    fn new(
        coef: PyReadonlyArray2<'_, f64>,
        intercept: PyReadonlyArray1<'_, f64>,
    ) -> PyResult<Self> {
        let shape = coef.as_array().dim();
        if shape.0 != intercept.as_array().len() || shape.0 == 0 || shape.1 == 0 {
            return Err(PyValueError::new_err(format!(
                "weights must have a row for each of {} intercepts, got shape {shape:?}",
                intercept.as_array().len()
            )));
        }
        Ok(LinearSvmModel { coef: owned(&coef)?, intercept: owned(&intercept)? })
    }

    /// Weights of each feature, one row per score.
    #[getter]
    fn coef<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let shape = [self.intercept.len(), self.n_features()];
        self.coef.to_pyarray(py).reshape(shape).map(fixed)
    }

    /// The intercept of each score.
    #[getter]
    fn intercept<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        fixed(self.intercept.to_pyarray(py))
    }

    /// How to pickle and copy: by the arrays.
    #[expect(clippy::type_complexity, reason = "what Python asks for")]
    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyType>, (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray1<f64>>))>
    {
        Ok((py.get_type::<LinearSvmModel>(), (self.coef(py)?, self.intercept(py))))
    }

    /// The scores of each row.
    #[pyo3(signature = (x, *, threads=1, instructions))]
    fn decide<'py>(
        &self,
        py: Python<'py>,
        x: FeatureArrays<'py>,
        threads: usize,
        instructions: &str,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let isa = instruction_set(instructions)?;
        let weights = (self.coef.as_slice(), self.intercept.as_slice());
        let x = match &x {
            FeatureArrays::Dense(x) => x,
            FeatureArrays::Sparse(arrays) => {
                let rows = sparse_rows(arrays)?;
                let mut out = zeros(rows.n_rows().saturating_mul(self.intercept.len()))?;
                detached(py, || decide_sparse(weights, rows, &mut out)).map_err(to_python)?;
                return PyArray1::from_vec(py, out).reshape([rows.n_rows(), self.intercept.len()]);
            }
        };
        let (x, n_features) = matrix(x)?;
        let n_rows = x.len() / n_features.max(1);
        let mut out = zeros(n_rows.saturating_mul(self.intercept.len()))?;
        detached(py, || {
            let team = Team::new(threads)?;
            let compute = Compute { isa, team: &team };
            decide(weights, (x, n_features), &mut out, compute, &mut || poll(None))
        })
        .map_err(to_python)?;
        PyArray1::from_vec(py, out).reshape([n_rows, self.intercept.len()])
    }

    /// The position of the class of each dense row; None if features or scores are not finite in
    /// single precision.
    fn classify<'py>(
        &self,
        py: Python<'py>,
        x: Matrix<'py>,
        threads: usize,
        instructions: &str,
    ) -> PyResult<Option<Bound<'py, PyArray1<i64>>>> {
        match &x {
            Matrix::Single(x) => self.classes(py, matrix(x)?, threads, instructions),
            Matrix::Double(x) => self.classes(py, matrix(x)?, threads, instructions),
        }
    }
}

/// Fits the weights: a dict of `model`, `solver` and, with one entry a problem,
/// `iterations`, `objective` and `converged`.
#[pyfunction]
#[pyo3(signature = (params, train, n_classes, *, class_weight=None, seed=0, threads=1, instructions, on_poll=None))]
#[expect(clippy::too_many_arguments, reason = "all but the first three are keywords")]
pub(crate) fn linear_svm_fit<'py>(
    py: Python<'py>,
    params: &str,
    train: Train<'py>,
    n_classes: usize,
    class_weight: Option<PyReadonlyArray1<'py, f64>>,
    seed: u64,
    threads: usize,
    instructions: &str,
    on_poll: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let config = Config::from_json(params).map_err(to_python)?;
    let (features, y, weight) = &train;
    let (y, weight) = (vector(y)?, weight.as_ref().map(vector).transpose()?);
    let train = match features {
        FeatureArrays::Dense(x) => {
            let (x, n_features) = matrix(x)?;
            check_memory((y.len(), n_features), 64 + 40 * n_classes, 4, threads)?;
            Samples::new(x, n_features, y, n_classes, weight)
        }
        FeatureArrays::Sparse(arrays) => {
            Samples::of_sparse(sparse_rows(arrays)?, y, n_classes, weight)
        }
    }
    .map_err(to_python)?;
    let class_weight = class_weight.as_ref().map(vector).transpose()?;
    let isa = instruction_set(instructions)?;
    let mut monitor = PythonMonitor { on_epoch: None, on_poll };
    let fitted = detached(py, || {
        let team = Team::new(threads)?;
        let compute = Compute { isa, team: &team };
        fit(&config, train, class_weight, seed, compute, &mut monitor)
    })
    .map_err(to_python)?;
    write_fit(py, fitted)
}

fn write_fit(py: Python<'_>, fitted: Fit) -> PyResult<Bound<'_, PyDict>> {
    let out = PyDict::new(py);
    out.set_item("solver", fitted.solver.name())?;
    let of = |value: fn(&moodcore::linear_svm::Outcome) -> f64| -> Vec<f64> {
        fitted.outcomes.iter().map(value).collect()
    };
    out.set_item("objective", of(|outcome| outcome.objective))?;
    let iterations: Vec<usize> = fitted.outcomes.iter().map(|o| o.iterations).collect();
    out.set_item("iterations", iterations)?;
    let converged: Vec<bool> = fitted.outcomes.iter().map(|o| o.converged).collect();
    out.set_item("converged", converged)?;
    let model = LinearSvmModel { coef: fitted.coef, intercept: fitted.intercept };
    out.set_item("model", model)?;
    Ok(out)
}
