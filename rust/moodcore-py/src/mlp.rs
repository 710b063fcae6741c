//! The multilayer perceptron for Python.

use crate::arrays::{SampleArrays, check_memory, fixed, matrix, owned, samples, zeros};
use crate::errors::{detached, to_python};
use crate::monitor::PythonMonitor;
use crate::platform::instruction_set;
use moodcore::kernels::{Aligned, ScoreKind};
use moodcore::memory::or_error;
use moodcore::mlp::{
    Activation, Config, Fit, History, Layer, Network, Outcome, Rows, State, fit, predict,
};
use moodcore::parallel::{Compute, Team};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

/// Weights and biases of each layer, as Python sends them.
type Layers<'py> = Vec<(PyReadonlyArray2<'py, f32>, PyReadonlyArray1<'py, f32>)>;
/// Weights and biases of each layer, as Python receives them.
type NewLayers<'py> = Vec<(Bound<'py, PyArray2<f32>>, Bound<'py, PyArray1<f32>>)>;

/// Networks of the same sizes with the state from which their training may continue.
#[pyclass(frozen, module = "moodcore._core")]
pub(crate) struct MlpModel {
    state: State,
}

impl MlpModel {
    fn write<'py>(&self, py: Python<'py>, values: &[f32]) -> PyResult<NewLayers<'py>> {
        let write = |layer: Layer| {
            let outputs = layer.biases.len();
            let inputs = layer.weights.len() / outputs;
            let weights = PyArray1::from_vec(py, layer.weights).reshape([inputs, outputs])?;
            Ok((fixed(weights), fixed(PyArray1::from_vec(py, layer.biases))))
        };
        let layers = or_error(|| Ok(self.state.network.unpack(values))).map_err(to_python)?;
        layers.into_iter().map(write).collect()
    }
}

#[pymethods]
impl MlpModel {
    /// Checks layers, network by network, and what the optimizer remembers of them (nothing where
    /// it is left out), and makes a model of them.
    #[new]
    #[pyo3(signature = (
        layers, velocities=None, n_epochs=0, activation="relu", squares=None, n_updates=0,
        n_networks=1
    ))]
    fn new(
        layers: Layers<'_>,
        velocities: Option<Layers<'_>>,
        n_epochs: usize,
        activation: &str,
        squares: Option<Layers<'_>>,
        n_updates: u64,
        n_networks: usize,
    ) -> PyResult<Self> {
        if n_networks == 0 || !layers.len().is_multiple_of(n_networks) {
            return Err(PyValueError::new_err(format!(
                "{n_networks} networks must have the same number of layers each, got {} layers",
                layers.len()
            )));
        }
        let shapes: Vec<(usize, usize)> = layers[..layers.len() / n_networks]
            .iter()
            .map(|(weights, _)| weights.as_array().dim())
            .collect();
        let (Some(&(n_features, _)), Some(&(_, n_classes))) = (shapes.first(), shapes.last())
        else {
            return Err(PyValueError::new_err("a network must have at least one layer, got none"));
        };
        let linked = shapes.windows(2).all(|pair| pair[0].1 == pair[1].0);
        if !linked || shapes.iter().any(|&(inputs, outputs)| inputs == 0 || outputs == 0) {
            return Err(PyValueError::new_err(format!(
                "each layer must have as many inputs as the one before has outputs, got {shapes:?}"
            )));
        }
        let hidden: Vec<usize> = shapes[1..].iter().map(|&(inputs, _)| inputs).collect();
        let Some(activation) = Activation::of_name(activation) else {
            return Err(PyValueError::new_err(format!("unknown activation: '{activation}'")));
        };
        let network = Network::new(n_features, &hidden, n_classes, activation, n_networks)
            .map_err(to_python)?;
        let layers = read(&layers)?;
        let velocities = velocities.as_ref().map(read).transpose()?;
        let squares = squares.as_ref().map(read).transpose()?;
        let packed = or_error(|| {
            let weights = network.pack(&layers)?;
            let pack = |layers: &Vec<Layer>| network.pack(layers);
            let velocity = velocities.as_ref().map(pack).transpose()?;
            let velocity = velocity.unwrap_or_else(|| Aligned::zeros(weights.len()));
            let square = squares.as_ref().map(pack).transpose()?;
            Ok((weights, velocity, square.unwrap_or_else(|| Aligned::zeros(0))))
        });
        let (weights, velocity, square) = packed.map_err(to_python)?;
        if square.iter().any(|&value| value < 0.0) {
            return Err(PyValueError::new_err("squares must be at least 0"));
        }
        let state =
            State { network, weights, velocity, square, updates: n_updates, epoch: n_epochs };
        Ok(MlpModel { state })
    }

    /// Weights and biases of each layer, network by network.
    fn layers<'py>(&self, py: Python<'py>) -> PyResult<NewLayers<'py>> {
        self.write(py, &self.state.weights)
    }

    /// The number of networks.
    #[getter]
    fn n_networks(&self) -> usize {
        self.state.network.n_networks()
    }

    /// The number of neurons of each hidden layer.
    #[getter]
    fn hidden_sizes(&self) -> Vec<usize> {
        self.state.network.hidden_sizes()
    }

    /// The activation function of the hidden layers.
    #[getter]
    fn activation(&self) -> &'static str {
        self.state.network.activation().name()
    }

    /// For Adam the mean squared gradient of each weight and bias; `None` otherwise.
    fn squares<'py>(&self, py: Python<'py>) -> PyResult<Option<NewLayers<'py>>> {
        let square = &self.state.square;
        (!square.is_empty()).then(|| self.write(py, square)).transpose()
    }

    /// For Adam the number of updates behind its means.
    #[getter]
    fn n_updates(&self) -> u64 {
        self.state.updates
    }

    /// The last step of each weight and bias; for Adam its mean gradient.
    fn velocities<'py>(&self, py: Python<'py>) -> PyResult<NewLayers<'py>> {
        self.write(py, &self.state.velocity)
    }

    /// Finished epochs of all trainings.
    #[getter]
    fn n_epochs(&self) -> usize {
        self.state.epoch
    }

    /// How to pickle and copy: by the arguments of `new`.
    #[expect(clippy::type_complexity, reason = "what Python asks for")]
    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(
        Bound<'py, PyType>,
        (NewLayers<'py>, NewLayers<'py>, usize, &'static str, Option<NewLayers<'py>>, u64, usize),
    )> {
        let (layers, velocities, squares) =
            (self.layers(py)?, self.velocities(py)?, self.squares(py)?);
        let State { epoch, updates, .. } = self.state;
        let (activation, n_networks) = (self.activation(), self.n_networks());
        let arguments = (layers, velocities, epoch, activation, squares, updates, n_networks);
        Ok((py.get_type::<MlpModel>(), arguments))
    }

    /// Scores of each row and class: `kind` is `logit`, `log_probability` or `probability`.
    #[pyo3(signature = (x, *, kind, threads=1, instructions))]
    fn scores<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f32>,
        kind: &str,
        threads: usize,
        instructions: &str,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let kind = match kind {
            "logit" => ScoreKind::Logit,
            "log_probability" => ScoreKind::LogProbability,
            "probability" => ScoreKind::Probability,
            other => return Err(PyValueError::new_err(format!("unknown kind of score: {other}"))),
        };
        let isa = instruction_set(instructions)?;
        let State { network, weights, .. } = &self.state;
        let (x, n_features) = matrix(&x)?;
        if n_features != network.n_features() {
            return Err(PyValueError::new_err(format!(
                "X must have {} columns, got {n_features}",
                network.n_features()
            )));
        }
        let (n_rows, n_classes) = (x.len() / n_features, network.n_classes());
        let mut out = zeros(n_rows.saturating_mul(n_classes))?;
        detached(py, || {
            let team = Team::new(threads)?;
            let compute = Compute { isa, team: &team };
            let mut monitor = PythonMonitor::default();
            predict(network, weights, x, kind, &mut out, compute, &mut monitor)
        })
        .map_err(to_python)?;
        PyArray1::from_vec(py, out).reshape([n_rows, n_classes])
    }
}

fn read(layers: &Layers<'_>) -> PyResult<Vec<Layer>> {
    let read = |(weights, biases): &(PyReadonlyArray2<'_, f32>, PyReadonlyArray1<'_, f32>)| {
        Ok(Layer { weights: owned(weights)?, biases: owned(biases)? })
    };
    layers.iter().map(read).collect()
}

/// Trains a network, from first weights or from where a model ended: the new model, the history,
/// and how training ended.
#[pyfunction]
#[pyo3(signature = (params, train, n_classes, *, total_weight=None, evaluate=None, start=None, seed=0, threads=1, instructions, on_epoch=None, on_poll=None))]
#[expect(clippy::too_many_arguments, reason = "all but the first three are keywords")]
pub(crate) fn mlp_fit<'py>(
    py: Python<'py>,
    params: &str,
    train: SampleArrays<'py>,
    n_classes: usize,
    total_weight: Option<f64>,
    evaluate: Option<SampleArrays<'py>>,
    start: Option<&MlpModel>,
    seed: u64,
    threads: usize,
    instructions: &str,
    on_epoch: Option<Py<PyAny>>,
    on_poll: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let config = Config::from_json(params).map_err(to_python)?;
    let train = samples(&train, n_classes)?;
    check_memory((train.n_rows(), train.n_features()), 32, 0, threads)?;
    let eval = evaluate.as_ref().map(|arrays| samples(arrays, n_classes)).transpose()?;
    let isa = instruction_set(instructions)?;
    let mut monitor = PythonMonitor { on_epoch, on_poll };
    let fitted = detached(py, || {
        let team = Team::new(threads)?;
        let compute = Compute { isa, team: &team };
        let state = match start {
            None => State::initial(&config, train.n_features(), n_classes, seed)?,
            Some(model) => model.state.clone(),
        };
        let rows = Rows { train, total_weight, eval };
        fit(&config, rows, state, seed, compute, &mut monitor)
    })
    .map_err(to_python)?;
    write_fit(py, fitted)
}

fn write_fit(py: Python<'_>, fitted: Fit) -> PyResult<Bound<'_, PyDict>> {
    let out = PyDict::new(py);
    let History { loss, accuracy, eval_loss, eval_accuracy, update_loss } = &fitted.history;
    let history = PyDict::new(py);
    history.set_item("loss", loss)?;
    history.set_item("accuracy", accuracy)?;
    history.set_item("eval_loss", eval_loss)?;
    history.set_item("eval_accuracy", eval_accuracy)?;
    history.set_item("update_loss", update_loss.to_pyarray(py))?;
    out.set_item("history", history)?;
    let diverged = match fitted.outcome {
        Outcome::Finished | Outcome::EarlyStopped | Outcome::Converged | Outcome::Ended => None,
        Outcome::Diverged { epoch, update } => Some((epoch, update)),
    };
    out.set_item("best_epoch", fitted.best_epoch)?;
    out.set_item("diverged", diverged)?;
    out.set_item("model", MlpModel { state: fitted.state })?;
    Ok(out)
}
