//! Kernel machines for Python.

use crate::arrays::{matrix, vector};
use crate::errors::to_python;
use crate::monitor::poll;
use crate::platform::instruction_set;
use moodcore::parallel::{Compute, Team};
use moodcore::svm::{
    Config, Fitted, Gamma, Machine, PairFit, Rows, Sigmoid, Values, couple, fit_path,
};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Rows: features in single precision, or kernel values in double.
#[derive(FromPyObject)]
pub(crate) enum RowArray<'py> {
    Features(PyReadonlyArray2<'py, f32>),
    Kernel(PyReadonlyArray2<'py, f64>),
}

/// Rows, class codes and weights, as Python sends them.
type LabelledRows<'py> =
    (RowArray<'py>, PyReadonlyArray1<'py, u32>, Option<PyReadonlyArray1<'py, f32>>);

/// Coefficients of the rows of each pair of classes, and the C that they were found with.
type StartArrays<'py> = (Vec<PyReadonlyArray1<'py, f64>>, f64);

/// Numbers of support vectors of each class, their coefficients and the intercepts.
type MachineArrays<'py> =
    (PyReadonlyArray1<'py, u32>, PyReadonlyArray2<'py, f64>, PyReadonlyArray1<'py, f64>);

/// Kernel values and how many a row has.
fn kernel_values<'a>(array: &'a PyReadonlyArray2<'_, f64>) -> PyResult<(&'a [f64], usize)> {
    let width = array.as_array().ncols();
    let values =
        array.as_slice().map_err(|_| PyValueError::new_err("kernels must be C-contiguous"))?;
    Ok((values, width))
}

/// Checks hyperparameters, a JSON object; raises what `svm_fit` would raise.
#[pyfunction]
pub(crate) fn svm_check(params: &str) -> PyResult<()> {
    Config::from_json(params).map(drop).map_err(to_python)
}

/// The hyperparameters' names and defaults, a JSON object.
#[pyfunction]
pub(crate) fn svm_defaults() -> PyResult<String> {
    serde_json::to_string(&Config::default()).map_err(|e| PyValueError::new_err(e.to_string()))
}

/// Trains for each C in turn: support vectors, coefficients, and what is known of each pair of
/// classes. The C among the hyperparameters does not count.
#[pyfunction]
#[pyo3(signature = (params, train, n_classes, cs, *, start=None, seed=0, threads=1, instructions, on_poll=None))]
#[expect(clippy::too_many_arguments, reason = "one door; all but the first four are keywords")]
pub(crate) fn svm_fit<'py>(
    py: Python<'py>,
    params: &str,
    train: LabelledRows<'py>,
    n_classes: usize,
    cs: Vec<f64>,
    start: Option<StartArrays<'py>>,
    seed: u64,
    threads: usize,
    instructions: &str,
    on_poll: Option<Py<PyAny>>,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let config = Config::from_json(params).map_err(to_python)?;
    let (values, y, weight) = &train;
    let values = match values {
        RowArray::Features(array) => {
            let (x, n_features) = matrix(array)?;
            Values::Features { x, n_features }
        }
        RowArray::Kernel(array) => Values::Kernel(kernel_values(array)?.0),
    };
    let weight = weight.as_ref().map(vector).transpose()?;
    let rows = Rows::new(values, vector(y)?, n_classes, weight).map_err(to_python)?;
    let start = start
        .map(|(pairs, c)| {
            let pairs = pairs.iter().map(|pair| vector(pair).map(<[f64]>::to_vec));
            Ok::<_, PyErr>((pairs.collect::<PyResult<Vec<_>>>()?, c))
        })
        .transpose()?;
    let start = start.as_ref().map(|(pairs, c)| (pairs.as_slice(), *c));
    let isa = instruction_set(instructions)?;
    let fitted = py
        .detach(|| {
            let team = Team::new(threads)?;
            let compute = Compute { isa, team: &team };
            fit_path(&config, &cs, &rows, start, seed, compute, &mut || poll(on_poll.as_ref()))
        })
        .map_err(to_python)?;
    fitted.iter().map(|fitted| write(py, fitted)).collect()
}

fn write<'py>(py: Python<'py>, fitted: &Fitted) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    let n = fitted.support.len();
    let against = fitted.n_support.len() - 1;
    out.set_item("gamma", fitted.gamma)?;
    out.set_item("support", fitted.support.to_pyarray(py))?;
    out.set_item("n_support", fitted.n_support.to_pyarray(py))?;
    out.set_item("dual_coef", fitted.dual_coef.to_pyarray(py).reshape([against, n])?)?;
    let each = |of: fn(&PairFit) -> f64| fitted.pairs.iter().map(of).collect::<Vec<_>>();
    out.set_item("intercept", each(|pair| pair.intercept).to_pyarray(py))?;
    out.set_item("dual_objective", each(|pair| pair.dual_objective).to_pyarray(py))?;
    out.set_item("duality_gap", each(|pair| pair.duality_gap).to_pyarray(py))?;
    let n_iter: Vec<i64> = fitted.pairs.iter().map(|pair| pair.n_iter as i64).collect();
    out.set_item("n_iter", n_iter.to_pyarray(py))?;
    let converged: Vec<bool> = fitted.pairs.iter().map(|pair| pair.converged).collect();
    out.set_item("converged", converged.to_pyarray(py))?;
    let sigmoids: Vec<Sigmoid> = fitted.pairs.iter().filter_map(|pair| pair.sigmoid).collect();
    let a: Vec<f64> = sigmoids.iter().map(|sigmoid| sigmoid.a).collect();
    let b: Vec<f64> = sigmoids.iter().map(|sigmoid| sigmoid.b).collect();
    out.set_item("sigmoid", (a.to_pyarray(py), b.to_pyarray(py)))?;
    Ok(out)
}

/// The decision value of each pair of classes for each row; `vectors` are the support vectors, or
/// their numbers among the columns of kernel values.
#[pyfunction]
#[pyo3(signature = (params, gamma, machine, vectors, rows, *, threads=1, instructions, on_poll=None))]
#[expect(clippy::too_many_arguments, reason = "one door; all but the first five are keywords")]
pub(crate) fn svm_decide<'py>(
    py: Python<'py>,
    params: &str,
    gamma: f64,
    machine: MachineArrays<'py>,
    vectors: VectorArray<'py>,
    rows: RowArray<'py>,
    threads: usize,
    instructions: &str,
    on_poll: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let config =
        Config { gamma: Gamma::Value(gamma), ..Config::from_json(params).map_err(to_python)? };
    let (n_support, dual_coef, intercept) = &machine;
    let dual_coef = kernel_values(dual_coef)?.0;
    let machine =
        Machine { n_support: vector(n_support)?, dual_coef, intercept: vector(intercept)? };
    let n_pairs = machine.intercept.len();
    let isa = instruction_set(instructions)?;
    let (out, n_rows) = match (&rows, &vectors, config.function()) {
        (RowArray::Features(rows), VectorArray::Features(vectors), Some(kernel)) => {
            let (x, n_features) = matrix(rows)?;
            let vectors = matrix(vectors)?.0;
            let n_rows = rows.as_array().nrows();
            let mut out = vec![0.0; n_rows * n_pairs];
            py.detach(|| {
                let team = Team::new(threads)?;
                let compute = Compute { isa, team: &team };
                let poll = &mut || poll(on_poll.as_ref());
                machine.decide(kernel, vectors, (x, n_features), &mut out, compute, poll)
            })
            .map_err(to_python)?;
            (out, n_rows)
        }
        (RowArray::Kernel(rows), VectorArray::Places(places), None) => {
            let n_rows = rows.as_array().nrows();
            let (values, places) = (kernel_values(rows)?, vector(places)?);
            let mut out = vec![0.0; n_rows * n_pairs];
            py.detach(|| machine.decide_from_kernel(places, values, &mut out))
                .map_err(to_python)?;
            (out, n_rows)
        }
        _ => {
            return Err(PyValueError::new_err(
                "features go with a kernel function, kernel values with kernel=\"precomputed\"",
            ));
        }
    };
    PyArray1::from_vec(py, out).reshape([n_rows, n_pairs])
}

/// Support vectors, or their numbers.
#[derive(FromPyObject)]
pub(crate) enum VectorArray<'py> {
    Features(PyReadonlyArray2<'py, f32>),
    Places(PyReadonlyArray1<'py, u32>),
}

/// The probability of each class from the decision values of all pairs and their sigmoids.
#[pyfunction]
pub(crate) fn svm_probabilities<'py>(
    py: Python<'py>,
    decisions: PyReadonlyArray2<'py, f64>,
    sigmoids: (PyReadonlyArray1<'py, f64>, PyReadonlyArray1<'py, f64>),
    n_classes: usize,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let (values, n_pairs) = kernel_values(&decisions)?;
    let (a, b) = (vector(&sigmoids.0)?, vector(&sigmoids.1)?);
    let wanted = n_classes * n_classes.saturating_sub(1) / 2;
    if n_classes < 2 || [n_pairs, a.len(), b.len()] != [wanted; 3] {
        return Err(PyValueError::new_err(format!(
            "{n_classes} classes have {wanted} pairs, got {n_pairs} decision values and {} and {} \
             sigmoids",
            a.len(),
            b.len()
        )));
    }
    let n_rows = values.len() / n_pairs;
    let mut out = vec![0.0; n_rows * n_classes];
    py.detach(|| {
        let mut pairwise = vec![0.0; n_pairs];
        for (row, out) in values.chunks_exact(n_pairs).zip(out.chunks_exact_mut(n_classes)) {
            for (pair, p) in pairwise.iter_mut().enumerate() {
                *p = Sigmoid { a: a[pair], b: b[pair] }.probability(row[pair]);
            }
            couple(n_classes, &pairwise, out);
        }
    });
    PyArray1::from_vec(py, out).reshape([n_rows, n_classes])
}
