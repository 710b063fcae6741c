//! Hyperparameters of all learners: their checks and defaults.

use crate::errors::to_python;
use moodcore::{Error, gbt, linear_svm, mlp, svm};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

fn unknown<T>(learner: &str) -> PyResult<T> {
    let known = "'gbt', 'linear_svm', 'mlp', 'svm'";
    Err(PyValueError::new_err(format!("learner must be one of {known}, got '{learner}'")))
}

/// Checks hyperparameters, a JSON object; raises what training would raise. The parameter
/// `callable` may be a callable in Python besides the names that are known here.
#[pyfunction]
#[pyo3(signature = (learner, params, *, callable=None))]
pub(crate) fn check(learner: &str, params: &str, callable: Option<&str>) -> PyResult<()> {
    let checked = match learner {
        "gbt" => gbt::Config::from_json(params).map(drop),
        "linear_svm" => linear_svm::Config::from_json(params).map(drop),
        "mlp" => mlp::Config::from_json(params).map(drop),
        "svm" => svm::Config::from_json(params).map(drop),
        _ => return unknown(learner),
    };
    checked.map_err(|error| match error {
        Error::Choice { name, allowed, value } if callable == Some(name.as_str()) => {
            to_python(Error::Choice { name, allowed: allowed + " or a callable", value })
        }
        error => to_python(error),
    })
}

/// The names and defaults of a learner's hyperparameters, a JSON object.
#[pyfunction]
pub(crate) fn defaults(learner: &str) -> PyResult<String> {
    let text = match learner {
        "gbt" => serde_json::to_string(&gbt::Config::default()),
        "linear_svm" => serde_json::to_string(&linear_svm::Config::default()),
        "mlp" => serde_json::to_string(&mlp::Config::default()),
        "svm" => serde_json::to_string(&svm::Config::default()),
        _ => return unknown(learner),
    };
    text.map_err(|error| PyValueError::new_err(error.to_string()))
}
