//! Gradient-boosted trees for Python: training, and probabilities of margins.

use crate::arrays::{check_memory, zeros};
use crate::errors::{detached, to_python};
use crate::gbt_listener::PythonListener;
use crate::gbt_model::GbtModel;
use crate::gbt_shard::{PythonReduce, ShardArguments};
use crate::gbt_tables::{LabelledArrays, read_rows, row_major};
use crate::platform::instruction_set;
use moodcore::gbt::{
    BestRound, Config, Features, Metric, MetricKind, Plan, Progress, Shard, fit, log_probabilities,
    probabilities,
};
use moodcore::parallel::{Compute, Team};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A metric's name, whether larger is better, and the callable that computes it; none for those
/// that the crate computes.
type PythonMetric = (String, bool, Option<Py<PyAny>>);

/// How far a training came that another one resumes: the rounds of the model that it continued
/// from, the metrics after its rounds, and its best round and score.
type ProgressArguments = (usize, Vec<Vec<Vec<f64>>>, Option<usize>, Option<f64>);

fn progress((first, history, round, value): ProgressArguments) -> Progress {
    let best = round.zip(value).map(|(round, value)| BestRound { round, value });
    Progress { first, history, best }
}

fn metric_kind(name: &str, callable: Option<&Py<PyAny>>) -> PyResult<MetricKind> {
    match (name, callable) {
        (_, Some(_)) => Ok(MetricKind::Custom),
        ("logloss", None) => Ok(MetricKind::LogLoss),
        ("error", None) => Ok(MetricKind::Error),
        (other, None) => Err(PyValueError::new_err(format!("metric {other} has no callable"))),
    }
}

/// Trains: the model, the values of all metrics, the best round and its value, and the number of
/// splits of the new trees; on several hosts also the exception that ended training early, if any.
#[pyfunction]
#[pyo3(signature = (params, train, n_classes, *, categorical, base=None, start=None, evaluate=Vec::new(), metrics=Vec::new(), objective=None, seed=0, threads=1, instructions, on_round=None, on_poll=None, shard=None, resume=None, checkpoint=None))]
#[expect(clippy::too_many_arguments, reason = "all but the first three are keywords")]
pub(crate) fn gbt_fit<'py>(
    py: Python<'py>,
    params: &str,
    train: LabelledArrays<'py>,
    n_classes: usize,
    categorical: Vec<bool>,
    base: Option<Vec<f64>>,
    start: Option<&GbtModel>,
    evaluate: Vec<LabelledArrays<'py>>,
    metrics: Vec<PythonMetric>,
    objective: Option<Py<PyAny>>,
    seed: u64,
    threads: usize,
    instructions: &str,
    on_round: Option<Py<PyAny>>,
    on_poll: Option<Py<PyAny>>,
    shard: Option<ShardArguments>,
    resume: Option<ProgressArguments>,
    checkpoint: Option<(usize, Py<PyAny>)>,
) -> PyResult<Bound<'py, PyDict>> {
    let config = Config::from_json(params).map_err(to_python)?;
    let train = read_rows(&train)?;
    // The columns are binned already, and trees of this many rows grow one at a time.
    let (per_row, per_cell) = match train.features {
        Features::Binned(_) => (40, 1),
        Features::Table(_) => (96, 2),
    };
    let shape = (train.y.len(), categorical.len());
    check_memory(shape, per_row + 16 * n_classes, per_cell, threads)?;
    let eval = evaluate.iter().map(read_rows).collect::<PyResult<Vec<_>>>()?;
    let isa = instruction_set(instructions)?;
    let measured = metrics
        .iter()
        .map(|(name, maximize, callable)| {
            Ok(Metric { kind: metric_kind(name, callable.as_ref())?, maximize: *maximize })
        })
        .collect::<PyResult<Vec<_>>>()?;
    let shared = shard.as_ref().map(|s| (s.pieces(), s.totals(), PythonReduce::of(s)));
    let plan = Plan {
        config: &config,
        n_classes,
        categorical: &categorical,
        start: start.map(|model| model.ensemble().clone()),
        base,
        metrics: &measured,
        seed,
        shard: shard.as_ref().zip(shared.as_ref()).map(|(shard, (pieces, totals, reduce))| Shard {
            rank: shard.rank,
            size: shard.size,
            reduce,
            pieces,
            totals,
            n_eval_sets: shard.n_eval_sets,
            listens: shard.listens,
        }),
        resume: resume.map(progress),
    };
    let callables = metrics.into_iter().map(|(_, _, callable)| callable).collect();
    let n_outputs = if n_classes <= 2 { 1 } else { n_classes };
    let mut listener =
        PythonListener { metrics: callables, objective, on_round, on_poll, checkpoint, n_outputs };
    let fitted = detached(py, || {
        let team = Team::new(threads)?;
        fit(plan, &train, &eval, Compute { isa, team: &team }, &mut listener)
    })
    .map_err(to_python)?;
    let out = PyDict::new(py);
    out.set_item("model", GbtModel::of(fitted.ensemble))?;
    out.set_item("history", fitted.history)?;
    out.set_item("best_round", fitted.best.map(|best| best.round))?;
    out.set_item("best_score", fitted.best.map(|best| best.value))?;
    out.set_item("n_splits", fitted.n_splits)?;
    let interrupted = fitted.interrupted.map(|error| to_python(error).into_value(py));
    out.set_item("interrupted", interrupted)?;
    Ok(out)
}

/// The margins at which classes have these shares: for one share, the second of two classes', the
/// logarithm of its odds; for more, the logarithm of each.
#[pyfunction]
pub(crate) fn gbt_base(shares: Vec<f64>) -> Vec<f64> {
    match shares[..] {
        [share] => vec![libm::log(share) - libm::log1p(-share)],
        _ => shares.into_iter().map(libm::log).collect(),
    }
}

/// Probabilities of all classes, or their logarithms, from margins of shape (n, n_outputs).
#[pyfunction]
#[pyo3(signature = (margins, n_classes, *, log=false))]
pub(crate) fn gbt_probabilities<'py>(
    py: Python<'py>,
    margins: PyReadonlyArray2<'py, f64>,
    n_classes: usize,
    log: bool,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let (n_rows, n_outputs) = margins.as_array().dim();
    if n_outputs != if n_classes <= 2 { 1 } else { n_classes } {
        return Err(PyValueError::new_err(format!(
            "{n_classes} classes have another number of outputs than {n_outputs}"
        )));
    }
    let margins = row_major(&margins)?;
    let mut out = zeros(n_rows.saturating_mul(n_classes))?;
    py.detach(|| {
        for (margins, out) in margins.chunks(n_outputs).zip(out.chunks_mut(n_classes.max(1))) {
            if log { log_probabilities(margins, out) } else { probabilities(margins, out) }
        }
    });
    PyArray1::from_vec(py, out).reshape([n_rows, n_classes])
}
