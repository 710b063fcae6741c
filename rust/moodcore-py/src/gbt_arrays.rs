//! An ensemble as plain arrays, for pickling and model files, and back with all checks.

use crate::arrays::owned;
use crate::errors::to_python;
use moodcore::gbt::{Binner, Ensemble, FeatureBins, NONE, Node, Tree};
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The arrays of an ensemble.
pub(crate) fn write_ensemble<'py>(
    py: Python<'py>,
    ensemble: &Ensemble,
) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    let put = |name: &str, array: Bound<'py, PyAny>| out.set_item(name, array);
    put("base", array(py, ensemble.base.iter().copied()))?;
    put("trees_per_round", array(py, [ensemble.trees_per_round as u32].into_iter()))?;
    let bins = &ensemble.binner.features;
    let values = |bins: &FeatureBins| match bins {
        FeatureBins::Numerical(values) | FeatureBins::Categorical(values) => values.clone(),
    };
    put("bin_values", array(py, bins.iter().flat_map(values)))?;
    put("bin_offsets", offsets(py, bins.iter().map(|bins| values(bins).len())))?;
    if !ensemble.binner.is_plain() {
        put("bin_column", array(py, ensemble.binner.columns().iter().copied()))?;
    }
    put("categorical", array(py, bins.iter().map(|bins| u8::from(bins.is_categorical()))))?;
    let trees = &ensemble.trees;
    put("tree_offsets", offsets(py, trees.iter().map(|tree| tree.nodes.len())))?;
    let output = |tree: &Tree| tree.output.map_or(-1, |output| output as i32);
    put("tree_output", array(py, trees.iter().map(output)))?;
    put("value", array(py, trees.iter().flat_map(|tree| tree.values.iter().copied())))?;
    let nodes = || trees.iter().flat_map(|tree| &tree.nodes);
    put("feature", array(py, nodes().map(|node| node.feature as i32)))?;
    put("bin", array(py, nodes().map(|node| node.bin)))?;
    put("missing_left", array(py, nodes().map(|node| u8::from(node.missing_left))))?;
    put("left", array(py, nodes().map(|node| node.left)))?;
    put("right", array(py, nodes().map(|node| node.right)))?;
    put("gain", array(py, nodes().map(|node| node.gain)))?;
    put("cover", array(py, nodes().map(|node| node.cover)))?;
    put("weight", array(py, nodes().map(|node| node.weight)))?;
    // In the order of the nodes, whatever the order in a tree: reading and writing again then
    // changes nothing.
    let set_of = |tree: &Tree, node: &Node| tree.sets.get(node.categories as usize).copied();
    let mut sets: Vec<[u64; 4]> = Vec::new();
    let number = |set: Option<[u64; 4]>| {
        set.map_or(-1, |set| {
            sets.push(set);
            sets.len() as i32 - 1
        })
    };
    let node_sets =
        trees.iter().flat_map(|tree| tree.nodes.iter().map(move |node| set_of(tree, node)));
    put("category_set", array(py, node_sets.map(number)))?;
    let sets = PyArray1::from_vec(py, sets.concat()).reshape([sets.len(), 4])?;
    out.set_item("sets", sets)?;
    Ok(out)
}

fn array<'py, T: numpy::Element>(
    py: Python<'py>,
    values: impl Iterator<Item = T>,
) -> Bound<'py, PyAny> {
    PyArray1::from_vec(py, values.collect()).into_any()
}

/// The start of each of several ranges, and the end of the last.
fn offsets<'py>(py: Python<'py>, lengths: impl Iterator<Item = usize>) -> Bound<'py, PyAny> {
    let mut end = 0;
    let ends = lengths.map(|length| {
        end += length;
        end as u32
    });
    array(py, std::iter::once(0).chain(ends))
}

fn refuse<T>(what: impl Into<String>) -> PyResult<T> {
    Err(PyValueError::new_err(what.into()))
}

/// The array called `name`, which must have `length` values if that is known.
fn take<T: numpy::Element + Copy>(
    arrays: &Bound<'_, PyDict>,
    name: &str,
    length: Option<usize>,
) -> PyResult<Vec<T>> {
    let Some(array) = arrays.get_item(name)? else {
        return refuse(format!("the array {name} is missing"));
    };
    let Ok(array) = array.extract::<PyReadonlyArray1<'_, T>>() else {
        let dtype = std::any::type_name::<T>();
        return refuse(format!("{name} must be a one-dimensional array of {dtype}"));
    };
    let values = owned(&array)?;
    match length {
        Some(length) if length != values.len() => {
            refuse(format!("{name} must hold {length} values, got {}", values.len()))
        }
        _ => Ok(values),
    }
}

/// As [`take`], for numbers that must be finite.
fn take_finite(
    arrays: &Bound<'_, PyDict>,
    name: &str,
    length: Option<usize>,
) -> PyResult<Vec<f64>> {
    let values = take::<f64>(arrays, name, length)?;
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => refuse(format!("{name} must be finite, got {} at {at}", values[at])),
        None => Ok(values),
    }
}

/// As [`take`], for the starts of ranges, which must ascend from zero.
fn take_offsets(
    arrays: &Bound<'_, PyDict>,
    name: &str,
    length: Option<usize>,
) -> PyResult<Vec<usize>> {
    let offsets = take::<u32>(arrays, name, length)?;
    if offsets.first() != Some(&0) || !offsets.is_sorted() {
        return refuse(format!("{name} must rise from 0"));
    }
    Ok(offsets.into_iter().map(|at| at as usize).collect())
}

/// Reads the arrays of an ensemble; whatever they hold, no later use of the ensemble can fail.
pub(crate) fn read_ensemble(arrays: &Bound<'_, PyDict>) -> PyResult<Ensemble> {
    let binner = read_binner(arrays)?;
    let base = take_finite(arrays, "base", None)?;
    let trees_per_round = take::<u32>(arrays, "trees_per_round", Some(1))?[0] as usize;
    if base.is_empty() || (trees_per_round != 1 && trees_per_round != base.len()) {
        return refuse(format!(
            "trees_per_round must be 1 or the number of outputs, {}, got {trees_per_round}",
            base.len()
        ));
    }
    let offsets = take_offsets(arrays, "tree_offsets", None)?;
    let n_trees = offsets.len() - 1;
    if !n_trees.is_multiple_of(trees_per_round) {
        return refuse(format!("{n_trees} trees are no whole rounds of {trees_per_round}"));
    }
    let outputs = take::<i32>(arrays, "tree_output", Some(n_trees))?;
    let nodes = NodeArrays::take(arrays, offsets[n_trees])?;
    let values = take_finite(arrays, "value", None)?;
    let mut values = values.as_slice();
    let mut trees = Vec::with_capacity(n_trees);
    for (at, ends) in offsets.windows(2).enumerate() {
        let output = read_output(outputs[at], at % trees_per_round, trees_per_round, base.len())?;
        let (tree_nodes, sets) = nodes.read_tree(at, ends[0]..ends[1], &binner)?;
        let width = if output.is_none() { base.len() } else { 1 };
        let Some((tree_values, rest)) = values.split_at_checked(tree_nodes.len() * width) else {
            return refuse(format!("value must hold {width} numbers for each node of tree {at}"));
        };
        trees.push(Tree { nodes: tree_nodes, values: tree_values.to_vec(), sets, output });
        values = rest;
    }
    if !values.is_empty() {
        return refuse(format!("value holds {} numbers that no node has", values.len()));
    }
    Ok(Ensemble { binner, base, trees, trees_per_round })
}

/// Which output a tree's values belong to.
fn read_output(
    output: i32,
    place: usize,
    trees_per_round: usize,
    n_outputs: usize,
) -> PyResult<Option<u32>> {
    let all = output == -1 && trees_per_round == 1;
    let single = usize::try_from(output) == Ok(place) && trees_per_round == n_outputs;
    match (all, single) {
        (true, _) => Ok(None),
        (_, true) => Ok(Some(place as u32)),
        _ => refuse(format!("tree_output must be the tree's place in its round, got {output}")),
    }
}

fn read_binner(arrays: &Bound<'_, PyDict>) -> PyResult<Binner> {
    let offsets = take_offsets(arrays, "bin_offsets", None)?;
    let n_features = offsets.len() - 1;
    let values = take::<f64>(arrays, "bin_values", Some(offsets[n_features]))?;
    let categorical = take::<u8>(arrays, "categorical", Some(n_features))?;
    let mut features = Vec::with_capacity(n_features);
    for (at, ends) in offsets.windows(2).enumerate() {
        let bins = &values[ends[0]..ends[1]];
        let most = if categorical[at] == 0 { 254 } else { 255 };
        let ascending = bins.windows(2).all(|pair| pair[0] < pair[1]);
        if bins.len() > most || !ascending || bins.iter().any(|value| value.is_nan()) {
            return refuse(format!("feature {at} must have at most {most} ascending bin_values"));
        }
        features.push(match categorical[at] {
            0 => FeatureBins::Numerical(bins.to_vec()),
            _ => FeatureBins::Categorical(bins.to_vec()),
        });
    }
    if arrays.contains("bin_column")? {
        let columns = take::<u32>(arrays, "bin_column", Some(n_features))?;
        return Binner::of_columns(features, columns).map_err(to_python);
    }
    Ok(Binner::new(features))
}

/// The nodes of all trees, one array per field.
struct NodeArrays {
    feature: Vec<i32>,
    bin: Vec<u8>,
    missing_left: Vec<u8>,
    left: Vec<u32>,
    right: Vec<u32>,
    gain: Vec<f64>,
    cover: Vec<f64>,
    weight: Vec<f64>,
    category_set: Vec<i32>,
    sets: Vec<[u64; 4]>,
}

impl NodeArrays {
    fn take(arrays: &Bound<'_, PyDict>, n_nodes: usize) -> PyResult<Self> {
        let n = Some(n_nodes);
        Ok(NodeArrays {
            feature: take(arrays, "feature", n)?,
            bin: take(arrays, "bin", n)?,
            missing_left: take(arrays, "missing_left", n)?,
            left: take(arrays, "left", n)?,
            right: take(arrays, "right", n)?,
            gain: take_finite(arrays, "gain", n)?,
            cover: take_finite(arrays, "cover", n)?,
            weight: take_finite(arrays, "weight", n)?,
            category_set: take(arrays, "category_set", n)?,
            sets: take_sets(arrays)?,
        })
    }

    /// The nodes and sets of a tree whose nodes are at `range`.
    fn read_tree(
        &self,
        tree: usize,
        range: std::ops::Range<usize>,
        binner: &Binner,
    ) -> PyResult<(Vec<Node>, Vec<[u64; 4]>)> {
        let count = range.len();
        let mut sets = Vec::new();
        let mut nodes = Vec::with_capacity(count);
        let mut parents = vec![0_u32; count];
        for (number, at) in range.enumerate() {
            let node = self.read_node(at, binner, &mut sets);
            let node = node.map_err(|what| {
                PyValueError::new_err(format!("node {number} of tree {tree}: {what}"))
            })?;
            for child in [node.left, node.right].into_iter().filter(|_| !node.is_leaf()) {
                if child as usize <= number || child as usize >= count {
                    return refuse(format!(
                        "node {number} of tree {tree}: children must come after it, got {child}"
                    ));
                }
                parents[child as usize] += 1;
            }
            nodes.push(node);
        }
        if count == 0 || parents[1..].iter().any(|&parents| parents != 1) {
            return refuse(format!("tree {tree} must have a root, and one way to each other node"));
        }
        Ok((nodes, sets))
    }

    /// The node at a place; `sets` takes the categories of its split.
    fn read_node(
        &self,
        at: usize,
        binner: &Binner,
        sets: &mut Vec<[u64; 4]>,
    ) -> Result<Node, String> {
        let mut node = Node {
            feature: NONE,
            bin: self.bin[at],
            missing_left: self.missing_left[at] != 0,
            categories: NONE,
            left: self.left[at],
            right: self.right[at],
            gain: self.gain[at],
            cover: self.cover[at],
            weight: self.weight[at],
        };
        if self.feature[at] == -1 {
            return Ok(node);
        }
        let bins = usize::try_from(self.feature[at]).ok().and_then(|f| binner.features.get(f));
        let Some(bins) = bins else {
            return Err(format!("there is no feature {}", self.feature[at]));
        };
        node.feature = self.feature[at] as u32;
        if bins.is_categorical() {
            let set = usize::try_from(self.category_set[at]).ok().and_then(|s| self.sets.get(s));
            let Some(set) = set else {
                return Err(format!("there is no set of categories {}", self.category_set[at]));
            };
            node.categories = sets.len() as u32;
            sets.push(*set);
        } else if self.category_set[at] != -1 || usize::from(node.bin) >= bins.count() {
            let (bin, set) = (node.bin, self.category_set[at]);
            return Err(format!("feature {} has no bin {bin}, set {set}", node.feature));
        }
        Ok(node)
    }
}

fn take_sets(arrays: &Bound<'_, PyDict>) -> PyResult<Vec<[u64; 4]>> {
    let Some(array) = arrays.get_item("sets")? else {
        return refuse("the array sets is missing");
    };
    match array.extract::<PyReadonlyArray2<'_, u64>>() {
        Ok(array) if array.as_array().ncols() == 4 => Ok(owned(&array)?.as_chunks().0.to_vec()),
        _ => refuse("sets must be an array of u64 with four columns"),
    }
}
