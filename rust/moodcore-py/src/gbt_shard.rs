//! Training of boosted trees on several hosts: sums over hosts by a Python callable.

use crate::monitor::stopped;
use moodcore::Result;
use moodcore::gbt::{Piece, Reduce, Totals};
use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The rows of this host among those of all, as Python describes them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct ShardArguments {
    pub(crate) rank: usize,
    pub(crate) size: usize,
    /// The first row and the number of rows of each piece.
    pieces: Vec<(u64, usize)>,
    n_rows: u64,
    largest_weight: Option<f64>,
    whole_weights: bool,
    weight: f64,
    class_weights: Vec<f64>,
    pub(crate) n_eval_sets: usize,
    pub(crate) listens: bool,
    /// Called with an array of uint64, gives the sums over all hosts.
    sum: Py<PyAny>,
}

impl ShardArguments {
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        self.pieces.iter().map(|&(first, n_rows)| Piece { first, n_rows }).collect()
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            n_rows: self.n_rows,
            largest_weight: self.largest_weight,
            whole_weights: self.whole_weights,
            weight: self.weight,
            class_weights: self.class_weights.clone(),
        }
    }
}

/// Sums over hosts by a callable.
#[derive(Debug)]
pub(crate) struct PythonReduce<'a> {
    sum: &'a Py<PyAny>,
}

impl<'a> PythonReduce<'a> {
    pub(crate) fn of(shard: &'a ShardArguments) -> Self {
        PythonReduce { sum: &shard.sum }
    }
}

impl Reduce for PythonReduce<'_> {
    fn sum(&self, words: &mut [u64]) -> Result<()> {
        Python::attach(|py| {
            let sums = self.sum.bind(py).call1((PyArray1::from_slice(py, words),))?;
            let sums = sums.extract::<PyReadonlyArray1<'_, u64>>()?;
            let sums = sums.as_slice().map_err(|_| PyValueError::new_err("sums have gaps"))?;
            if sums.len() != words.len() {
                return Err(PyValueError::new_err(format!(
                    "there must be {} sums, got {}",
                    words.len(),
                    sums.len()
                )));
            }
            words.copy_from_slice(sums);
            Ok(())
        })
        .map_err(stopped)
    }
}
