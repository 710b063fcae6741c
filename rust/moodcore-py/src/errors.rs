//! One match from the crate's errors to Python's exceptions.

use moodcore::Error;
use pyo3::exceptions::{PyMemoryError, PyOSError, PyValueError};
use pyo3::{PyErr, Python};

/// The Python exception of an error, with the same message; a monitor's exception comes back as
/// itself.
pub(crate) fn to_python(error: Error) -> PyErr {
    let message = error.to_string();
    match error {
        Error::Parameter { .. }
        | Error::Choice { .. }
        | Error::Configuration(_)
        | Error::Data(_) => PyValueError::new_err(message),
        Error::Memory { .. } => PyMemoryError::new_err(message),
        Error::Threads { .. } => PyOSError::new_err(message),
        Error::Stopped(reason) => match reason.downcast::<PyErr>() {
            Ok(exception) => *exception,
            Err(_) => PyValueError::new_err(message),
        },
    }
}

/// Does the work without holding the interpreter; too little memory is an error.
///
/// # Errors
/// Those of the work, and [`Error::Memory`].
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> moodcore::Result<T> + Send,
) -> moodcore::Result<T> {
    py.detach(|| moodcore::memory::or_error(work))
}
