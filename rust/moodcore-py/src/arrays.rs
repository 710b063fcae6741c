//! NumPy arrays as the slices that the crate reads.

use crate::errors::to_python;
use moodcore::Samples;
use moodcore::mlp::Layer;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Weights and biases of each layer as Python sends and receives them.
pub(crate) type LayerArrays<'py> = Vec<(Bound<'py, PyArray2<f32>>, Bound<'py, PyArray1<f32>>)>;

/// Features, class codes and weights of the rows, as Python sends them.
pub(crate) type SampleArrays<'py> =
    (PyReadonlyArray2<'py, f32>, PyReadonlyArray1<'py, u32>, Option<PyReadonlyArray1<'py, f32>>);

/// The rows as the crate reads them, checked.
pub(crate) fn samples<'a>(arrays: &'a SampleArrays<'_>, n_classes: usize) -> PyResult<Samples<'a>> {
    let (x, y, weight) = arrays;
    let (x, n_features) = matrix(x)?;
    let weight = weight.as_ref().map(vector).transpose()?;
    Samples::new(x, n_features, vector(y)?, n_classes, weight).map_err(to_python)
}

/// The values of a C-contiguous matrix and its number of columns.
pub(crate) fn matrix<'a>(array: &'a PyReadonlyArray2<'_, f32>) -> PyResult<(&'a [f32], usize)> {
    let columns = array.as_array().ncols();
    let values = array.as_slice().map_err(|_| PyValueError::new_err("X must be C-contiguous"))?;
    Ok((values, columns))
}

/// The values of a contiguous vector.
pub(crate) fn vector<'a, T: numpy::Element>(
    array: &'a PyReadonlyArray1<'_, T>,
) -> PyResult<&'a [T]> {
    array.as_slice().map_err(|_| PyValueError::new_err("vectors must be contiguous"))
}

/// Python's layers as the crate's.
pub(crate) fn read_layers(layers: &LayerArrays<'_>) -> PyResult<Vec<Layer>> {
    let read = |(weights, biases): &(Bound<'_, PyArray2<f32>>, Bound<'_, PyArray1<f32>>)| {
        let weights = weights.readonly().as_array().iter().copied().collect();
        Ok(Layer { weights, biases: biases.readonly().as_array().iter().copied().collect() })
    };
    layers.iter().map(read).collect()
}

/// The crate's layers as Python's.
pub(crate) fn write_layers<'py>(py: Python<'py>, layers: &[Layer]) -> PyResult<LayerArrays<'py>> {
    let write = |layer: &Layer| {
        let outputs = layer.biases.len();
        let weights =
            layer.weights.to_pyarray(py).reshape([layer.weights.len() / outputs, outputs])?;
        Ok((weights, layer.biases.to_pyarray(py)))
    };
    layers.iter().map(write).collect()
}
