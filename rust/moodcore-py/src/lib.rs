//! `moodcore._core`: the training loops of the `moodcore` crate for Python.
//!
//! Arrays come in as views, hyperparameters as one JSON object; results go out as new arrays.
//! The interpreter is released while anything is computed.

use pyo3::prelude::*;

mod arrays;
mod errors;
mod gbt;
mod gbt_arrays;
mod gbt_binned;
mod gbt_listener;
mod gbt_model;
mod gbt_shard;
mod gbt_tables;
mod learners;
mod linear_svm;
mod mlp;
mod monitor;
mod platform;
mod svm;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<gbt_model::GbtModel>()?;
    module.add_class::<gbt_binned::GbtBinnedRows>()?;
    module.add_class::<linear_svm::LinearSvmModel>()?;
    module.add_class::<mlp::MlpModel>()?;
    module.add_class::<svm::SvmModel>()?;
    module.add_function(wrap_pyfunction!(learners::check, module)?)?;
    module.add_function(wrap_pyfunction!(learners::defaults, module)?)?;
    module.add_function(wrap_pyfunction!(gbt::gbt_base, module)?)?;
    module.add_function(wrap_pyfunction!(gbt::gbt_fit, module)?)?;
    module.add_function(wrap_pyfunction!(gbt::gbt_probabilities, module)?)?;
    module.add_function(wrap_pyfunction!(gbt_binned::gbt_repetitions, module)?)?;
    module.add_function(wrap_pyfunction!(gbt_binned::gbt_sampled_rows, module)?)?;
    module.add_function(wrap_pyfunction!(linear_svm::linear_svm_fit, module)?)?;
    module.add_function(wrap_pyfunction!(mlp::mlp_fit, module)?)?;
    module.add_function(wrap_pyfunction!(platform::instruction_sets, module)?)?;
    module.add_function(wrap_pyfunction!(svm::svm_fit, module)?)?;
    Ok(())
}
