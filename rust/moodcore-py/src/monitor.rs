//! Progress to a Python callable, Ctrl-C from the interpreter.

use moodcore::monitor::{EpochRecord, Monitor};
use moodcore::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Calls `on_epoch` with a dict after every epoch, and ends training if it returns `True`. At every
/// poll it checks for signals and calls `on_poll`. Signals reach only Python's main thread: in other
/// threads only `on_poll` can stop training.
#[derive(Default)]
pub(crate) struct PythonMonitor {
    pub(crate) on_epoch: Option<Py<PyAny>>,
    pub(crate) on_poll: Option<Py<PyAny>>,
}

/// The error that carries an exception of Python through the crate.
pub(crate) fn stopped(exception: PyErr) -> Error {
    Error::Stopped(Box::new(exception))
}

impl Monitor for PythonMonitor {
    fn epoch(&mut self, record: &EpochRecord) -> Result<bool> {
        let Some(on_epoch) = &self.on_epoch else { return Ok(false) };
        Python::attach(|py| {
            let message = PyDict::new(py);
            message.set_item("epoch", record.epoch)?;
            message.set_item("loss", record.loss)?;
            message.set_item("accuracy", record.accuracy)?;
            if let Some((loss, accuracy)) = record.eval {
                message.set_item("eval_loss", loss)?;
                message.set_item("eval_accuracy", accuracy)?;
            }
            on_epoch.call1(py, (message,))?.extract(py)
        })
        .map_err(stopped)
    }

    fn poll(&mut self) -> Result<()> {
        poll(self.on_poll.as_ref())
    }
}

/// Looks for signals, and calls what wants to be called at every poll.
pub(crate) fn poll(on_poll: Option<&Py<PyAny>>) -> Result<()> {
    Python::attach(|py| {
        py.check_signals()?;
        on_poll.map_or(Ok(()), |on_poll| on_poll.call0(py).map(drop))
    })
    .map_err(stopped)
}
