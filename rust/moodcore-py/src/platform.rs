//! Which instruction set to run on.

use moodcore::kernels::Isa;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The instruction sets that this processor can run, the fastest first.
#[pyfunction]
pub(crate) fn instruction_sets() -> Vec<&'static str> {
    Isa::available().into_iter().map(Isa::name).collect()
}

/// The set called `name`.
pub(crate) fn instruction_set(name: &str) -> PyResult<Isa> {
    Isa::available().into_iter().find(|isa| isa.name() == name).ok_or_else(|| {
        let allowed = instruction_sets().join(", ");
        PyValueError::new_err(format!(
            "instruction set must be one that this processor has ({allowed}), got {name}"
        ))
    })
}
