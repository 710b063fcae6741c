//! Support vector machines with kernels for Python.

use crate::arrays::{
    SparseArrays, check_memory, fixed, matrix, owned, room, sparse_rows, vector, zeros,
};
use crate::errors::{detached, to_python};
use crate::monitor::poll;
use crate::platform::instruction_set;
use moodcore::kernels::{Isa, Real};
use moodcore::parallel::{Compute, Team};
use moodcore::svm::{
    Config, Features, Fitted, Gamma, Kernel, Model, PairFit, Rows, Sigmoid, SupportVectors, Values,
    couple, fit,
};
use numpy::{
    Element, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, ToPyArray,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use std::sync::OnceLock;

/// Features of type `T`, all of them or those other than zero.
#[derive(FromPyObject)]
pub(crate) enum FeatureArrays<'py, T: Element> {
    Dense(PyReadonlyArray2<'py, T>),
    Sparse(SparseArrays<'py, T>),
}

impl<T: Element + Real> FeatureArrays<'_, T> {
    fn features(&self) -> PyResult<Features<'_, T>> {
        match self {
            FeatureArrays::Dense(array) => {
                let (x, n_features) = matrix(array)?;
                Ok(Features::Dense { x, n_features })
            }
            FeatureArrays::Sparse(arrays) => sparse_rows(arrays).map(Features::Sparse),
        }
    }

    fn n_rows(&self) -> PyResult<usize> {
        match self {
            FeatureArrays::Dense(array) => Ok(array.as_array().nrows()),
            FeatureArrays::Sparse(arrays) => Ok(vector(&arrays.0)?.len().saturating_sub(1)),
        }
    }
}

/// Features in single or double precision, or kernel values in double.
#[derive(FromPyObject)]
pub(crate) enum RowArray<'py> {
    Single(FeatureArrays<'py, f32>),
    Double(FeatureArrays<'py, f64>),
}

impl RowArray<'_> {
    fn n_rows(&self) -> PyResult<usize> {
        match self {
            RowArray::Single(features) => features.n_rows(),
            RowArray::Double(features) => features.n_rows(),
        }
    }
}

/// Support vectors in the layout in which decisions read them.
enum LaidOut {
    Single(SupportVectors<f32>),
    Double(SupportVectors<f64>),
}

/// Rows, class codes and weights, as Python sends them.
type LabelledRows<'py> =
    (RowArray<'py>, PyReadonlyArray1<'py, u32>, Option<PyReadonlyArray1<'py, f32>>);

/// The parts of a model, as Python receives them: kernel, gamma, degree and coef0; how many support
/// vectors each class has, the vectors, coefficients, intercepts, slopes and offsets of sigmoids.
type Parts<'py> = (
    (String, f64, u32, f64),
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyAny>,
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray1<f64>>,
    (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>),
);

/// A fitted support vector machine.
#[pyclass(frozen, module = "moodcore._core")]
pub(crate) struct SvmModel {
    config: Config,
    gamma: f64,
    model: Model,
    /// An array, without columns where kernel values are given; or the parts of sparse rows.
    vectors: Py<PyAny>,
    /// The vectors in the core's layout, made when they are first needed.
    laid_out: OnceLock<LaidOut>,
    /// One for each pair of classes, or none.
    sigmoids: Vec<Sigmoid>,
}

impl SvmModel {
    /// Makes a model that shares `vectors`, an array of float32 or float64 or the parts of sparse
    /// rows, which no other code may write to.
    fn of(
        config: Config,
        gamma: f64,
        model: Model,
        vectors: &Bound<'_, PyAny>,
        sigmoids: Vec<Sigmoid>,
    ) -> PyResult<Self> {
        for array in arrays_of(vectors)? {
            array.call_method1("setflags", (false,))?;
        }
        let vectors = vectors.clone().unbind();
        Ok(SvmModel { config, gamma, model, vectors, laid_out: OnceLock::new(), sigmoids })
    }

    fn laid_out(&self, py: Python<'_>) -> PyResult<Option<&LaidOut>> {
        let Some(kernel) = self.config.function() else { return Ok(None) };
        if self.laid_out.get().is_none() {
            let laid_out = match self.vectors.bind(py).extract()? {
                RowArray::Single(vectors) => {
                    let vectors = vectors.features()?;
                    detached(py, || self.model.lay_out(kernel, vectors)).map(LaidOut::Single)
                }
                RowArray::Double(vectors) => {
                    let vectors = vectors.features()?;
                    detached(py, || self.model.lay_out(kernel, vectors)).map(LaidOut::Double)
                }
            };
            let _ = self.laid_out.set(laid_out.map_err(to_python)?);
        }
        Ok(self.laid_out.get())
    }

    /// The decision values of rows of features.
    fn decide_features<T: Real + Element>(
        &self,
        py: Python<'_>,
        vectors: &SupportVectors<T>,
        rows: &FeatureArrays<'_, T>,
        threads: usize,
        isa: Isa,
    ) -> PyResult<Vec<f64>> {
        let len = rows.n_rows()?.saturating_mul(self.model.intercept().len());
        let mut out = zeros(len)?;
        let rows = rows.features()?;
        detached(py, || {
            let team = Team::new(threads)?;
            let compute = Compute { isa, team: &team };
            self.model.decide(vectors, rows, &mut out, compute, &mut || poll(None))
        })
        .map_err(to_python)?;
        Ok(out)
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
        vectors: Bound<'_, PyAny>,
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
        let model = Model::new(owned(&n_support)?, owned(&dual_coef)?, owned(&intercept)?);
        let model = model.map_err(to_python)?;
        let n_rows = vectors.extract::<RowArray<'_>>()?.n_rows()?;
        if kernel != Kernel::Precomputed && n_rows != model.n_vectors() {
            return Err(PyValueError::new_err(format!(
                "there must be {} support vectors, got {n_rows}",
                model.n_vectors()
            )));
        }
        let (slopes, offsets) = (owned(&sigmoids.0)?, owned(&sigmoids.1)?);
        let counts = (slopes.len(), offsets.len());
        if ![(0, 0), (model.intercept().len(), model.intercept().len())].contains(&counts) {
            return Err(PyValueError::new_err(format!(
                "there must be a sigmoid for each of {} pairs of classes, or none, got {counts:?}",
                model.intercept().len()
            )));
        }
        let sigmoids = slopes.into_iter().zip(offsets).map(|(a, b)| Sigmoid { a, b }).collect();
        let vectors = copied(&vectors)?;
        if kernel != Kernel::Precomputed {
            // Whether the parts of sparse rows fit together.
            match vectors.extract()? {
                RowArray::Single(vectors) => vectors.features().map(drop)?,
                RowArray::Double(vectors) => vectors.features().map(drop)?,
            }
        }
        Self::of(config, gamma, model, &vectors, sigmoids)
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
        self.model.n_support().to_pyarray(py)
    }

    /// The support vectors, class by class: float32, or float64 where that would lose digits; of
    /// sparse rows their parts.
    #[getter]
    fn vectors<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.vectors.bind(py).clone()
    }

    /// Coefficients against each other class, of shape (n_classes - 1, n_vectors); the first class
    /// of a pair is the positive one.
    #[getter]
    fn dual_coef<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let shape = [self.model.n_classes() - 1, self.model.n_vectors()];
        self.model.dual_coef().to_pyarray(py).reshape(shape).map(fixed)
    }

    /// What is added for each pair of classes.
    #[getter]
    fn intercept<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        fixed(self.model.intercept().to_pyarray(py))
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
        let n_pairs = self.model.intercept().len();
        let n_rows = rows.n_rows()?;
        let out = match (&rows, self.laid_out(py)?) {
            (RowArray::Single(rows), Some(LaidOut::Single(vectors))) => {
                self.decide_features(py, vectors, rows, threads, isa)?
            }
            (RowArray::Double(rows), Some(LaidOut::Double(vectors))) => {
                self.decide_features(py, vectors, rows, threads, isa)?
            }
            (RowArray::Double(FeatureArrays::Dense(rows)), None) => {
                let (values, _) = matrix(rows)?;
                let mut out = zeros(n_rows.saturating_mul(n_pairs))?;
                detached(py, || self.model.decide_from_kernel(values, &mut out))
                    .map_err(to_python)?;
                out
            }
            _ => {
                return Err(PyValueError::new_err(
                    "rows must have the type of the support vectors; kernel values are float64",
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
        let n_classes = self.model.n_classes();
        let n_rows = values.len() / n_pairs;
        let mut out = zeros(n_rows.saturating_mul(n_classes))?;
        let mut pairwise = zeros(n_pairs)?;
        detached(py, || {
            for (row, out) in values.chunks_exact(n_pairs).zip(out.chunks_exact_mut(n_classes)) {
                for ((p, sigmoid), &decision) in pairwise.iter_mut().zip(&self.sigmoids).zip(row) {
                    *p = sigmoid.probability(decision);
                }
                couple(n_classes, &pairwise, out);
            }
            Ok(())
        })
        .map_err(to_python)?;
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
        RowArray::Single(features) => Values::Single(features.features()?),
        RowArray::Double(FeatureArrays::Dense(array)) if config.kernel == Kernel::Precomputed => {
            Values::Kernel(matrix(array)?.0)
        }
        RowArray::Double(features) => Values::Double(features.features()?),
    };
    // Of each value a copy for the pair, and two for rows that are shrunk.
    let (n_values, bytes) = match values {
        Values::Single(features) => (features.n_values(), 12),
        Values::Double(features) => (features.n_values(), 24),
        Values::Kernel(_) => (0, 0),
    };
    let n_rows = vector(y)?.len().max(1);
    check_memory((n_rows, n_values / n_rows), 100 + 25 * n_classes, bytes, threads)?;
    let (y, weight) = (vector(y)?, weight.as_ref().map(vector).transpose()?);
    let rows = detached(py, || Rows::new(values, y, n_classes, weight)).map_err(to_python)?;
    let isa = instruction_set(instructions)?;
    let fitted = detached(py, || {
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
        Values::Single(features) => chosen_rows(py, features, &fitted.support)?,
        Values::Double(features) => chosen_rows(py, features, &fitted.support)?,
        Values::Kernel(_) => PyArray2::<f32>::zeros(py, [0, 0], false).into_any(),
    };
    let intercept = each(|pair| pair.intercept);
    let sigmoids = fitted.pairs.iter().filter_map(|pair| pair.sigmoid).collect();
    let model = Model::new(fitted.n_support, fitted.dual_coef, intercept).map_err(to_python)?;
    let gamma = fitted.gamma;
    let config = Config { gamma: Gamma::Value(gamma), ..config };
    out.set_item("model", SvmModel::of(config, gamma, model, &vectors, sigmoids)?)?;
    Ok(out)
}

/// The arrays among the support vectors and their number of features.
fn arrays_of<'py>(vectors: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    match vectors.cast::<PyTuple>() {
        Ok(parts) => Ok(parts.iter().take(3).collect()),
        Err(_) => Ok(vec![vectors.clone()]),
    }
}

fn copied<'py>(vectors: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let Ok(parts) = vectors.cast::<PyTuple>() else { return vectors.call_method0("copy") };
    let copy = |at| parts.get_item(at)?.call_method0("copy");
    let copies = (copy(0)?, copy(1)?, copy(2)?, parts.get_item(3)?);
    Ok(copies.into_pyobject(vectors.py())?.into_any())
}

fn chosen_rows<'py, T: Element + Real>(
    py: Python<'py>,
    features: Features<'_, T>,
    rows: &[u32],
) -> PyResult<Bound<'py, PyAny>> {
    match features {
        Features::Dense { x, n_features } => {
            let row = |&row: &u32| x[row as usize * n_features..][..n_features].iter().copied();
            let mut values: Vec<T> = room(rows.len().saturating_mul(n_features))?;
            values.extend(rows.iter().flat_map(row));
            Ok(PyArray1::from_vec(py, values).reshape([rows.len(), n_features])?.into_any())
        }
        Features::Sparse(table) => {
            let n_values = rows.iter().map(|&row| table.row(row as usize).1.len()).sum();
            let (mut columns, mut values) = (room(n_values)?, room(n_values)?);
            let mut starts = room(rows.len() + 1)?;
            starts.push(0);
            for &row in rows {
                let (of_row, entries) = table.row(row as usize);
                columns.extend_from_slice(of_row);
                values.extend_from_slice(entries);
                starts.push(values.len() as i64);
            }
            let columns: Bound<'_, PyArray1<i32>> = PyArray1::from_vec(py, columns);
            let starts: Bound<'_, PyArray1<i64>> = PyArray1::from_vec(py, starts);
            let parts = (starts, columns, PyArray1::from_vec(py, values), table.n_features());
            Ok(parts.into_pyobject(py)?.into_any())
        }
    }
}
