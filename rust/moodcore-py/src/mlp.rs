//! The multilayer perceptron for Python.

use crate::arrays::{LayerArrays, SampleArrays, matrix, read_layers, samples, write_layers};
use crate::errors::to_python;
use crate::monitor::PythonMonitor;
use crate::platform::instruction_set;
use moodcore::Error;
use moodcore::kernels::ScoreKind;
use moodcore::mlp::{Config, Fit, History, Network, Outcome, State, fit, predict};
use moodcore::parallel::{Compute, Team};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2, ToPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Weights, velocities and finished epochs, as Python keeps them.
type StateArrays<'py> = (LayerArrays<'py>, LayerArrays<'py>, usize);

/// Checks hyperparameters, a JSON object; raises what `mlp_fit` would raise.
#[pyfunction]
pub(crate) fn mlp_check(params: &str) -> PyResult<()> {
    Config::from_json(params).map(drop).map_err(to_python)
}

/// The hyperparameters' names and defaults, a JSON object.
#[pyfunction]
pub(crate) fn mlp_defaults() -> PyResult<String> {
    serde_json::to_string(&Config::default()).map_err(|e| PyValueError::new_err(e.to_string()))
}

/// Trains a network: the new state, the history, and how training ended.
#[pyfunction]
#[pyo3(signature = (params, train, n_classes, *, evaluate=None, state=None, seed=0, threads=1, instructions, on_epoch=None, on_poll=None))]
#[expect(clippy::too_many_arguments, reason = "one door; all but the first three are keywords")]
pub(crate) fn mlp_fit<'py>(
    py: Python<'py>,
    params: &str,
    train: SampleArrays<'py>,
    n_classes: usize,
    evaluate: Option<SampleArrays<'py>>,
    state: Option<StateArrays<'py>>,
    seed: u64,
    threads: usize,
    instructions: &str,
    on_epoch: Option<Py<PyAny>>,
    on_poll: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let config = Config::from_json(params).map_err(to_python)?;
    let train = samples(&train, n_classes)?;
    let evaluate = evaluate.as_ref().map(|arrays| samples(arrays, n_classes)).transpose()?;
    let state = match &state {
        None => State::initial(&config, train.n_features(), n_classes, seed).map_err(to_python)?,
        Some(arrays) => read_state(&config, train.n_features(), n_classes, arrays)?,
    };
    let isa = instruction_set(instructions)?;
    let mut monitor = PythonMonitor { on_epoch, on_poll };
    let fitted = py
        .detach(|| {
            let team = Team::new(threads)?;
            let compute = Compute { isa, team: &team };
            fit(&config, train, evaluate, state, seed, compute, &mut monitor)
        })
        .map_err(to_python)?;
    write_fit(py, &fitted)
}

fn read_state(
    config: &Config,
    n_features: usize,
    n_classes: usize,
    (layers, velocities, epoch): &StateArrays<'_>,
) -> PyResult<State> {
    let network = Network::new(n_features, &config.hidden_sizes, n_classes).map_err(to_python)?;
    let weights = network.pack(&read_layers(layers)?).map_err(to_python)?;
    let velocity = network.pack(&read_layers(velocities)?).map_err(to_python)?;
    Ok(State { network, weights, velocity, epoch: *epoch })
}

fn write_fit<'py>(py: Python<'py>, fitted: &Fit) -> PyResult<Bound<'py, PyDict>> {
    let State { network, weights, velocity, epoch } = &fitted.state;
    let out = PyDict::new(py);
    out.set_item("layers", write_layers(py, &network.unpack(weights))?)?;
    out.set_item("velocities", write_layers(py, &network.unpack(velocity))?)?;
    out.set_item("epoch", epoch)?;
    let History { loss, accuracy, eval_loss, eval_accuracy, update_loss } = &fitted.history;
    let history = PyDict::new(py);
    history.set_item("loss", loss)?;
    history.set_item("accuracy", accuracy)?;
    history.set_item("eval_loss", eval_loss)?;
    history.set_item("eval_accuracy", eval_accuracy)?;
    history.set_item("update_loss", update_loss.to_pyarray(py))?;
    out.set_item("history", history)?;
    let diverged = match fitted.outcome {
        Outcome::Finished | Outcome::EarlyStopped => None,
        Outcome::Diverged { epoch, update } => Some((epoch, update)),
    };
    out.set_item("best_epoch", fitted.best_epoch)?;
    out.set_item("diverged", diverged)?;
    Ok(out)
}

/// Scores of each row and class: `kind` is `logit`, `log_probability` or `probability`.
#[pyfunction]
#[pyo3(signature = (layers, x, *, kind, threads=1, instructions))]
pub(crate) fn mlp_predict<'py>(
    py: Python<'py>,
    layers: LayerArrays<'py>,
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
    let layers = read_layers(&layers)?;
    let sizes: Vec<usize> = layers.iter().map(|layer| layer.biases.len()).collect();
    let (x, n_features) = matrix(&x)?;
    let (&n_classes, hidden) = sizes
        .split_last()
        .ok_or_else(|| PyValueError::new_err("a network has at least one layer, got none"))?;
    let out: Vec<f64> = py
        .detach(|| {
            let network = Network::new(n_features, hidden, n_classes)?;
            let weights = network.pack(&layers)?;
            let team = Team::new(threads)?;
            let compute = Compute { isa, team: &team };
            let mut out = vec![0.0; x.len() / n_features.max(1) * n_classes];
            let mut monitor = PythonMonitor::default();
            predict(&network, &weights, x, kind, &mut out, compute, &mut monitor)?;
            Ok::<_, Error>(out)
        })
        .map_err(to_python)?;
    PyArray1::from_vec(py, out).reshape([x.len() / n_features.max(1), n_classes])
}
