//! Linear support vector machines for Python.

use crate::arrays::{SampleArrays, samples, vector};
use crate::errors::to_python;
use crate::monitor::PythonMonitor;
use crate::platform::instruction_set;
use moodcore::linear_svm::{Config, Fit, fit};
use moodcore::parallel::{Compute, Team};
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1, ToPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Checks hyperparameters, a JSON object; raises what `linear_svm_fit` would raise.
#[pyfunction]
pub(crate) fn linear_svm_check(params: &str) -> PyResult<()> {
    Config::from_json(params).map(drop).map_err(to_python)
}

/// The hyperparameters' names and defaults, a JSON object.
#[pyfunction]
pub(crate) fn linear_svm_defaults() -> PyResult<String> {
    serde_json::to_string(&Config::default()).map_err(|e| PyValueError::new_err(e.to_string()))
}

/// Fits the weights: a dict of `coef`, `intercept`, `solver` and, with one entry a problem,
/// `iterations`, `objective` and `converged`.
#[pyfunction]
#[pyo3(signature = (params, train, n_classes, *, class_weight=None, seed=0, threads=1, instructions, on_poll=None))]
#[expect(clippy::too_many_arguments, reason = "one door; all but the first three are keywords")]
pub(crate) fn linear_svm_fit<'py>(
    py: Python<'py>,
    params: &str,
    train: SampleArrays<'py>,
    n_classes: usize,
    class_weight: Option<PyReadonlyArray1<'py, f64>>,
    seed: u64,
    threads: usize,
    instructions: &str,
    on_poll: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let config = Config::from_json(params).map_err(to_python)?;
    let train = samples(&train, n_classes)?;
    let class_weight = class_weight.as_ref().map(vector).transpose()?;
    let isa = instruction_set(instructions)?;
    let mut monitor = PythonMonitor { on_epoch: None, on_poll };
    let fitted = py
        .detach(|| {
            let team = Team::new(threads)?;
            let compute = Compute { isa, team: &team };
            fit(&config, train, class_weight, seed, compute, &mut monitor)
        })
        .map_err(to_python)?;
    write_fit(py, fitted, train.n_features())
}

fn write_fit<'py>(py: Python<'py>, fitted: Fit, n_features: usize) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    let n_vectors = fitted.intercept.len();
    let coef = PyArray1::from_vec(py, fitted.coef).reshape([n_vectors, n_features])?;
    out.set_item("coef", coef)?;
    out.set_item("intercept", fitted.intercept.to_pyarray(py))?;
    out.set_item("solver", fitted.solver.name())?;
    let of = |value: fn(&moodcore::linear_svm::Outcome) -> f64| -> Vec<f64> {
        fitted.outcomes.iter().map(value).collect()
    };
    out.set_item("objective", of(|outcome| outcome.objective))?;
    let iterations: Vec<usize> = fitted.outcomes.iter().map(|o| o.iterations).collect();
    out.set_item("iterations", iterations)?;
    let converged: Vec<bool> = fitted.outcomes.iter().map(|o| o.converged).collect();
    out.set_item("converged", converged)?;
    Ok(out)
}
