//! `moodcore._core`: the training loops of the `moodcore` crate for Python.
//!
//! Arrays come in as views, hyperparameters as one JSON object; results go out as new arrays.
//! The interpreter is released while anything is computed.

use pyo3::prelude::*;

mod arrays;
mod errors;
mod mlp;
mod monitor;
mod platform;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(mlp::mlp_check, module)?)?;
    module.add_function(wrap_pyfunction!(mlp::mlp_defaults, module)?)?;
    module.add_function(wrap_pyfunction!(mlp::mlp_fit, module)?)?;
    module.add_function(wrap_pyfunction!(mlp::mlp_predict, module)?)?;
    module.add_function(wrap_pyfunction!(platform::instruction_sets, module)?)?;
    Ok(())
}
