//! Support vector machines with kernels for Python.

use crate::arrays::{fixed, matrix, owned, vector};
use crate::errors::to_python;
use crate::monitor::poll;
use crate::platform::instruction_set;
use moodcore::parallel::{Compute, Team};
use moodcore::svm::{
    Config, Fitted, Gamma, Kernel, Machine, PairFit, Rows, Sigmoid, SupportVectors, Values, couple,
    fit,
};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use std::sync::OnceLock;

/// Rows: features in single precision, or kernel values in double.
#[derive(FromPyObject)]
pub(crate) enum RowArray<'py> {
    Features(PyReadonlyArray2<'py, f32>),
    Kernel(PyReadonlyArray2<'py, f64>),
}

/// Rows, class codes and weights, as Python sends them.
type LabelledRows<'py> =
    (RowArray<'py>, PyReadonlyArray1<'py, u32>, Option<PyReadonlyArray1<'py, f32>>);

/// The parts of a model, as Python receives them: kernel, gamma, degree and coef0; how many support
/// vectors each class has, the vectors, coefficients, intercepts, slopes and offsets of sigmoids.
type Parts<'py> = (
    (String, f64, u32, f64),
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray2<f32>>,
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray1<f64>>,
    (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>),
);

/// A fitted support vector machine.
#[pyclass(frozen, module = "moodcore._core")]
pub(crate) struct SvmModel {
    config: Config,
    gamma: f64,
    machine: Machine,
    /// Without columns where kernel values are given.
    vectors: Py<PyArray2<f32>>,
    /// The vectors in the core's layout, made when they are first needed.
    laid_out: OnceLock<SupportVectors>,
    /// One for each pair of classes, or none.
    sigmoids: Vec<Sigmoid>,
}

impl SvmModel {
    /// Makes a model that shares `vectors`, which no other code may write to.
    fn of(
        config: Config,
        gamma: f64,
        machine: Machine,
        vectors: Bound<'_, PyArray2<f32>>,
        sigmoids: Vec<Sigmoid>,
    ) -> Self {
        let vectors = fixed(vectors).unbind();
        SvmModel { config, gamma, machine, vectors, laid_out: OnceLock::new(), sigmoids }
    }

    fn laid_out(&self, py: Python<'_>) -> PyResult<Option<&SupportVectors>> {
        let Some(kernel) = self.config.function() else { return Ok(None) };
        if self.laid_out.get().is_none() {
            let vectors = self.vectors.bind(py).readonly();
            let (values, n_features) = matrix(&vectors)?;
            let made = self.machine.lay_out(kernel, values, n_features).map_err(to_python)?;
            let _ = self.laid_out.set(made);
        }
        Ok(self.laid_out.get())
    }
}

#[pymethods]
impl SvmModel {
    /// Checks the parts and makes a model of them. With the kernel "precomputed" the vectors have
    /// the shape (0, 0); sigmoids are empty where probabilities are not calibrated.
    #[new]
    fn new(
        kernel: (String, f64, u32, f64),
        n_support: PyReadonlyArray1<'_, u32>,
        vectors: PyReadonlyArray2<'_, f32>,
        dual_coef: PyReadonlyArray2<'_, f64>,
        intercept: PyReadonlyArray1<'_, f64>,
        sigmoids: (PyReadonlyArray1<'_, f64>, PyReadonlyArray1<'_, f64>),
    ) -> PyResult<Self> {
        let (kernel, gamma, degree, coef0) = kernel;
        let kernel: Kernel = serde_json::from_value(kernel.into())
            .map_err(|error| PyValueError::new_err(format!("kernel: {error}")))?;
        let gamma_value = Gamma::Value(gamma);
        let config = Config { kernel, gamma: gamma_value, degree, coef0, ..Config::default() };
        config.check().map_err(to_python)?;
        let machine = Machine::new(owned(&n_support)?, owned(&dual_coef)?, owned(&intercept)?);
        let machine = machine.map_err(to_python)?;
        let n_rows = vectors.as_array().nrows();
        if kernel != Kernel::Precomputed && n_rows != machine.n_vectors() {
            return Err(PyValueError::new_err(format!(
                "there must be {} support vectors, got {n_rows}",
                machine.n_vectors()
            )));
        }
        let (slopes, offsets) = (owned(&sigmoids.0)?, owned(&sigmoids.1)?);
        let counts = (slopes.len(), offsets.len());
        if ![(0, 0), (machine.intercept().len(), machine.intercept().len())].contains(&counts) {
            return Err(PyValueError::new_err(format!(
                "there must be a sigmoid for each of {} pairs of classes, or none, got {counts:?}",
                machine.intercept().len()
            )));
        }
        let sigmoids = slopes.into_iter().zip(offsets).map(|(a, b)| Sigmoid { a, b }).collect();
        let vectors = vectors.as_any().call_method0("copy")?.cast_into()?;
        Ok(Self::of(config, gamma, machine, vectors, sigmoids))
    }

    /// The kernel's name.
    #[getter]
    fn kernel(&self) -> String {
        let name = serde_json::to_value(self.config.kernel).ok();
        name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// The kernel coefficient.
    #[getter]
    fn gamma(&self) -> f64 {
        self.gamma
    }

    /// The power of the polynomial kernel.
    #[getter]
    fn degree(&self) -> u32 {
        self.config.degree
    }

    /// What the polynomial and the sigmoid kernel add to products.
    #[getter]
    fn coef0(&self) -> f64 {
        self.config.coef0
    }

    /// How many support vectors each class has.
    #[getter]
    fn n_support<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        self.machine.n_support().to_pyarray(py)
    }

    /// The support vectors, class by class.
    #[getter]
    fn vectors<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<f32>> {
        self.vectors.bind(py).clone()
    }

    /// Coefficients against each other class, of shape (n_classes - 1, n_vectors); the first class
    /// of a pair is the positive one.
    #[getter]
    fn dual_coef<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let shape = [self.machine.n_classes() - 1, self.machine.n_vectors()];
        self.machine.dual_coef().to_pyarray(py).reshape(shape).map(fixed)
    }

    /// What is added for each pair of classes.
    #[getter]
    fn intercept<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        fixed(self.machine.intercept().to_pyarray(py))
    }

    /// Slopes and offsets of the sigmoids of all pairs; empty where there are none.
    #[getter]
    fn sigmoids<'py>(
        &self,
        py: Python<'py>,
    ) -> (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>) {
        let (a, b): (Vec<f64>, Vec<f64>) = self.sigmoids.iter().map(|s| (s.a, s.b)).unzip();
        (a.to_pyarray(py), b.to_pyarray(py))
    }

    /// How to pickle and copy: by the parts.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyType>, Parts<'py>)> {
        let parts = (
            (self.kernel(), self.gamma, self.config.degree, self.config.coef0),
            self.n_support(py),
            self.vectors(py),
            self.dual_coef(py)?,
            self.intercept(py),
            self.sigmoids(py),
        );
        Ok((py.get_type::<SvmModel>(), parts))
    }

    /// The decision value of each pair of classes for each row: of features, or of kernel values
    /// with each support vector where the kernel is precomputed.
    #[pyo3(signature = (rows, *, threads=1, instructions))]
    fn decide<'py>(
        &self,
        py: Python<'py>,
        rows: RowArray<'py>,
        threads: usize,
        instructions: &str,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let isa = instruction_set(instructions)?;
        let n_pairs = self.machine.intercept().len();
        let (machine, vectors) = (&self.machine, self.laid_out(py)?);
        let (out, n_rows) = match (&rows, vectors) {
            (RowArray::Features(rows), Some(vectors)) => {
                let (x, n_features) = matrix(rows)?;
                let n_rows = rows.as_array().nrows();
                let mut out = vec![0.0; n_rows * n_pairs];
                py.detach(|| {
                    let team = Team::new(threads)?;
                    let compute = Compute { isa, team: &team };
                    let rows = (x, n_features);
                    machine.decide(vectors, rows, &mut out, compute, &mut || poll(None))
                })
                .map_err(to_python)?;
                (out, n_rows)
            }
            (RowArray::Kernel(rows), None) => {
                let (values, _) = matrix(rows)?;
                let n_rows = rows.as_array().nrows();
                let mut out = vec![0.0; n_rows * n_pairs];
                py.detach(|| machine.decide_from_kernel(values, &mut out)).map_err(to_python)?;
                (out, n_rows)
            }
            _ => {
                return Err(PyValueError::new_err(
                    "features go with a kernel function, kernel values with a precomputed kernel",
                ));
            }
        };
        PyArray1::from_vec(py, out).reshape([n_rows, n_pairs])
    }

    /// The probability of each class from the decision values of all pairs.
    fn probabilities<'py>(
        &self,
        py: Python<'py>,
        decisions: PyReadonlyArray2<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let (values, n_pairs) = matrix(&decisions)?;
        if self.sigmoids.is_empty() || n_pairs != self.sigmoids.len() {
            return Err(PyValueError::new_err(format!(
                "probabilities need a sigmoid for each of {n_pairs} pairs of classes, got {}",
                self.sigmoids.len()
            )));
        }
        let n_classes = self.machine.n_classes();
        let n_rows = values.len() / n_pairs;
        let mut out = vec![0.0; n_rows * n_classes];
        py.detach(|| {
            let mut pairwise = vec![0.0; n_pairs];
            for (row, out) in values.chunks_exact(n_pairs).zip(out.chunks_exact_mut(n_classes)) {
                for ((p, sigmoid), &decision) in pairwise.iter_mut().zip(&self.sigmoids).zip(row) {
                    *p = sigmoid.probability(decision);
                }
                couple(n_classes, &pairwise, out);
            }
        });
        PyArray1::from_vec(py, out).reshape([n_rows, n_classes])
    }
}

/// Trains: the model, which rows are support vectors, and how the training of each pair of classes
/// ended.
#[pyfunction]
#[pyo3(signature = (params, train, n_classes, *, seed=0, threads=1, instructions, on_poll=None))]
#[expect(clippy::too_many_arguments, reason = "all but the first three are keywords")]
pub(crate) fn svm_fit<'py>(
    py: Python<'py>,
    params: &str,
    train: LabelledRows<'py>,
    n_classes: usize,
    seed: u64,
    threads: usize,
    instructions: &str,
    on_poll: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let config = Config::from_json(params).map_err(to_python)?;
    let (values, y, weight) = &train;
    let values = match values {
        RowArray::Features(array) => {
            let (x, n_features) = matrix(array)?;
            Values::Features { x, n_features }
        }
        RowArray::Kernel(array) => Values::Kernel(matrix(array)?.0),
    };
    let weight = weight.as_ref().map(vector).transpose()?;
    let rows = Rows::new(values, vector(y)?, n_classes, weight).map_err(to_python)?;
    let isa = instruction_set(instructions)?;
    let fitted = py
        .detach(|| {
            let team = Team::new(threads)?;
            let compute = Compute { isa, team: &team };
            fit(&config, &rows, seed, compute, &mut || poll(on_poll.as_ref()))
        })
        .map_err(to_python)?;
    write(py, config, values, fitted)
}

fn write<'py>(
    py: Python<'py>,
    config: Config,
    values: Values<'_>,
    fitted: Fitted,
) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    out.set_item("support", fitted.support.to_pyarray(py))?;
    let each = |of: fn(&PairFit) -> f64| fitted.pairs.iter().map(of).collect::<Vec<_>>();
    out.set_item("dual_objective", each(|pair| pair.dual_objective).to_pyarray(py))?;
    out.set_item("duality_gap", each(|pair| pair.duality_gap).to_pyarray(py))?;
    let n_iter: Vec<i64> = fitted.pairs.iter().map(|pair| pair.n_iter as i64).collect();
    out.set_item("n_iter", n_iter.to_pyarray(py))?;
    let converged: Vec<bool> = fitted.pairs.iter().map(|pair| pair.converged).collect();
    out.set_item("converged", converged.to_pyarray(py))?;
    let vectors = match values {
        Values::Features { x, n_features } => {
            let row = |&row: &u32| x[row as usize * n_features..][..n_features].iter().copied();
            let vectors: Vec<f32> = fitted.support.iter().flat_map(row).collect();
            PyArray1::from_vec(py, vectors).reshape([fitted.support.len(), n_features])?
        }
        Values::Kernel(_) => PyArray2::zeros(py, [0, 0], false),
    };
    let intercept = each(|pair| pair.intercept);
    let sigmoids = fitted.pairs.iter().filter_map(|pair| pair.sigmoid).collect();
    let machine = Machine::new(fitted.n_support, fitted.dual_coef, intercept).map_err(to_python)?;
    let gamma = fitted.gamma;
    let config = Config { gamma: Gamma::Value(gamma), ..config };
    out.set_item("model", SvmModel::of(config, gamma, machine, vectors, sigmoids))?;
    Ok(out)
}
