//! Rounds, metrics and losses of boosting as Python callables; Ctrl-C from the interpreter.

use crate::gbt_model::GbtModel;
use crate::monitor::{poll, stopped};
use moodcore::Result;
use moodcore::gbt::{BestRound, Derivatives, Ensemble, Listener, TrainingLoss};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Callbacks of Python during training.
#[derive(Default)]
pub(crate) struct PythonListener {
    /// The callable of each metric; none for those that the crate computes.
    pub(crate) metrics: Vec<Option<Py<PyAny>>>,
    pub(crate) objective: Option<Py<PyAny>>,
    pub(crate) on_round: Option<Py<PyAny>>,
    pub(crate) on_poll: Option<Py<PyAny>>,
    /// Every how many rounds a callable takes the model, the metrics, and the best round and score.
    pub(crate) checkpoint: Option<(usize, Py<PyAny>)>,
    pub(crate) n_outputs: usize,
}

fn margins_array<'py>(
    py: Python<'py>,
    margins: Vec<f64>,
    n_outputs: usize,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let n_rows = margins.len() / n_outputs;
    PyArray1::from_vec(py, margins).reshape([n_rows, n_outputs])
}

/// The values of a matrix that the objective gave, row by row.
fn given(matrix: &PyReadonlyArray2<'_, f64>, shape: (usize, usize)) -> PyResult<Vec<f64>> {
    let view = matrix.as_array();
    if view.dim() != shape {
        return Err(PyValueError::new_err(format!(
            "the objective must give derivatives of shape {shape:?}, got {:?}",
            view.dim()
        )));
    }
    Ok(view.iter().copied().collect())
}

impl Listener for PythonListener {
    fn poll(&mut self) -> Result<()> {
        poll(self.on_poll.as_ref())
    }

    fn round(
        &mut self,
        round: usize,
        values: &[Vec<f64>],
        training: &dyn Fn() -> TrainingLoss,
    ) -> Result<bool> {
        let Some(on_round) = &self.on_round else { return Ok(false) };
        let TrainingLoss { loss, error } = training();
        Python::attach(|py| {
            let answer = on_round.bind(py).call1((round, values.to_vec(), (loss, error)))?;
            answer.extract::<Option<bool>>().map(|stop| stop == Some(true))
        })
        .map_err(stopped)
    }

    fn finished(
        &mut self,
        ensemble: &Ensemble,
        history: &[Vec<Vec<f64>>],
        best: Option<BestRound>,
    ) -> Result<()> {
        let Some((every, save)) = &self.checkpoint else { return Ok(()) };
        if !ensemble.n_rounds().is_multiple_of(*every) {
            return Ok(());
        }
        Python::attach(|py| {
            let model = Bound::new(py, GbtModel::of(ensemble.clone()))?;
            let best = (best.map(|best| best.round), best.map(|best| best.value));
            save.bind(py).call1((model, history.to_vec(), best.0, best.1)).map(drop)
        })
        .map_err(stopped)
    }

    fn derivatives(&mut self, margins: &dyn Fn() -> Vec<f64>) -> Result<Option<Derivatives>> {
        let Some(objective) = &self.objective else { return Ok(None) };
        let margins = margins();
        let shape = (margins.len() / self.n_outputs, self.n_outputs);
        Python::attach(|py| {
            let margins = margins_array(py, margins, self.n_outputs)?;
            let (gradient, hessian) = objective
                .bind(py)
                .call1((margins,))?
                .extract::<(PyReadonlyArray2<'_, f64>, PyReadonlyArray2<'_, f64>)>()?;
            Ok(Some((given(&gradient, shape)?, given(&hessian, shape)?)))
        })
        .map_err(stopped)
    }

    fn metric(&mut self, metric: usize, set: usize, margins: &[f64]) -> Result<f64> {
        Python::attach(|py| {
            let margins = margins_array(py, margins.to_vec(), self.n_outputs)?;
            match self.metrics.get(metric) {
                Some(Some(callable)) => callable.bind(py).call1((set, margins))?.extract(),
                _ => Err(PyValueError::new_err(format!("metric {metric} has no callable"))),
            }
        })
        .map_err(stopped)
    }
}
