//! What each feature contributes to a margin: Shapley values of the ensemble.
//!
//! For one leaf of value v, let `o_j` be 1 where the row passes all tests of feature j on the way
//! to the leaf, else 0, and `z_j` the share of the training rows that pass them. If a coalition S
//! of features is known and the others are left to chance, the leaf is expected to give
//! `v prod_{j in S} o_j prod_{j not in S} z_j` (Lundberg et al. 2020, algorithm 1). The Shapley
//! value of feature i averages `(o_i - z_i) prod ...` over all coalitions of the d - 1 others with
//! weights `|S|! (d - 1 - |S|)! / d!`, which are `integral_0^1 t^|S| (1 - t)^(d - 1 - |S|) dt`
//! (Owen 1972). So the sum over 2^(d - 1) coalitions is an integral of one product,
//!
//! `phi_i = v (o_i - z_i) integral_0^1 prod_{j != i} (o_j t + z_j (1 - t)) dt`,
//!
//! a polynomial of degree d - 1, which the quadrature of Gauss and Legendre with `ceil(d / 2)`
//! points integrates exactly. Unlike the recursion of `TreeSHAP` nothing is ever subtracted, so
//! that deep paths lose no digits; and 64 rows are computed side by side.

use super::batch::{check_table, each_chunk};
use super::binning::Binner;
use super::table::Table;
use super::tree::{Ensemble, Tree};
use crate::Result;
use crate::kernels::{Isa, Simd, Task};
use crate::parallel::Compute;
use std::ops::Range;

/// Number of rows computed side by side: the bits of a mask.
const ROWS: usize = 64;

/// The tests of one feature on the way to a leaf.
#[derive(Clone, Debug)]
struct Element {
    feature: usize,
    /// The nodes, and whether the way goes left there.
    tests: Vec<(usize, bool)>,
    /// The share of the training rows in the first of these nodes that pass all, were they
    /// spread independently.
    share: f64,
}

/// The way to a leaf, each feature once.
#[derive(Clone, Debug)]
struct Path {
    leaf: usize,
    elements: Vec<Element>,
}

impl Path {
    /// The share of the training rows that reach the leaf.
    fn share(&self) -> f64 {
        self.elements.iter().map(|element| element.share).product()
    }
}

/// All paths of a tree, from left to right; what counts as a feature is a column of the table.
fn paths(tree: &Tree, binner: &Binner) -> Vec<Path> {
    let mut paths = Vec::new();
    let mut open: Vec<(usize, Vec<Element>)> = vec![(0, Vec::new())];
    while let Some((at, elements)) = open.pop() {
        let node = &tree.nodes[at];
        if node.is_leaf() {
            paths.push(Path { leaf: at, elements });
            continue;
        }
        let children = [(node.right as usize, false), (node.left as usize, true)];
        let cover: f64 = children.iter().map(|&(child, _)| tree.nodes[child].cover).sum();
        for (child, left) in children {
            // Where no training row counted, either way is as likely.
            let share = if cover > 0.0 { tree.nodes[child].cover / cover } else { 0.5 };
            let mut elements = elements.clone();
            let feature = binner.column(node.feature as usize);
            match elements.iter_mut().find(|element| element.feature == feature) {
                Some(element) => {
                    element.tests.push((at, left));
                    element.share *= share;
                }
                None => elements.push(Element { feature, tests: vec![(at, left)], share }),
            }
            open.push((child, elements));
        }
    }
    paths
}

/// Points and weights of Gauss and Legendre's quadrature on [0, 1], exact for polynomials up to
/// degree `2 n - 1`: the roots of the Legendre polynomial by Newton's method from Tricomi's
/// estimate (Press et al. 2007, section 4.6).
fn quadrature(n: usize) -> Vec<(f64, f64)> {
    let count = n as f64;
    let root = |i: usize| {
        let mut x = libm::cos(std::f64::consts::PI * (i as f64 + 0.75) / (count + 0.5));
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut p, mut before) = (1.0, 0.0);
            for k in 0..n {
                let k = k as f64;
                let next = ((2.0 * k + 1.0) * x * p - k * before) / (k + 1.0);
                (before, p) = (p, next);
            }
            slope = count * (x * p - before) / (x * x - 1.0);
            let step = p / slope;
            x -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        // From [-1, 1], where the weight is 2 / ((1 - x^2) P'^2), to [0, 1].
        (0.5 * (1.0 - x), 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..n).map(root).collect()
}

/// Adds the contribution of each feature to each margin, row by row and in it output by output;
/// the last of an output's `n_features + 1` numbers is the expected margin. They add up to the
/// margin. `out` starts as zeros.
///
/// # Errors
/// [`crate::Error::Data`] for a table of other width or `out` of other length, and the
/// error of `poll`.
pub fn contributions(
    ensemble: &Ensemble,
    table: &Table<'_>,
    rounds: Range<usize>,
    out: &mut [f64],
    compute: Compute<'_>,
    poll: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let (n_features, n_outputs) = (ensemble.binner.n_columns(), ensemble.n_outputs());
    let width = n_outputs * (n_features + 1);
    check_table(ensemble, table, &rounds, out.len(), width)?;
    let trees: Vec<(&Tree, Vec<Path>)> =
        ensemble.rounds(rounds).iter().map(|tree| (tree, paths(tree, &ensemble.binner))).collect();
    let deepest = trees.iter().flat_map(|(_, paths)| paths).map(|path| path.elements.len()).max();
    let rules: Vec<Vec<(f64, f64)>> =
        (0..=deepest.unwrap_or(0).div_ceil(2)).map(quadrature).collect();
    let n_paths: usize = trees.iter().map(|(_, paths)| paths.len()).sum();
    let visits = table.n_rows().saturating_mul(n_paths);
    let chunks = out.chunks_mut(ROWS * width).collect();
    each_chunk(chunks, visits, compute, poll, |at, out| {
        let n_rows = out.len() / width;
        let columns = ensemble.binner.transform_rows(table, at * ROWS, n_rows, compute.isa);
        let mut sums = vec![[0.0; ROWS]; width];
        for output in 0..n_outputs {
            sums[output * (n_features + 1) + n_features] = [ensemble.base[output]; ROWS];
        }
        for (tree, paths) in &trees {
            add_tree(tree, paths, &rules, &columns, n_features, &mut sums, compute.isa);
        }
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            for (out, sums) in out.iter_mut().zip(&sums) {
                *out = sums[row];
            }
        }
    })
}

/// Adds the contributions of one tree to the sums of up to 64 rows.
fn add_tree(
    tree: &Tree,
    paths: &[Path],
    rules: &[Vec<(f64, f64)>],
    columns: &[Vec<u8>],
    n_features: usize,
    sums: &mut [[f64; ROWS]],
    isa: Isa,
) {
    let n_outputs = sums.len() / (n_features + 1);
    let lefts: Vec<u64> = tree
        .nodes
        .iter()
        .map(|node| {
            if node.is_leaf() {
                return 0;
            }
            let bins = columns[node.feature as usize].iter().enumerate();
            bins.fold(0, |mask, (row, &bin)| mask | u64::from(tree.goes_left(node, bin)) << row)
        })
        .collect();
    let outputs = match tree.output {
        Some(output) => output as usize..output as usize + 1,
        None => 0..n_outputs,
    };
    for path in paths {
        let values = &tree.values[path.leaf * outputs.len()..][..outputs.len()];
        let share = path.share();
        for (output, value) in outputs.clone().zip(values) {
            let expected = &mut sums[output * (n_features + 1) + n_features];
            expected.iter_mut().for_each(|sum| *sum += value * share);
        }
        let masks: Vec<u64> = path
            .elements
            .iter()
            .map(|element| {
                let passed = |&(node, left): &(usize, bool)| {
                    if left { lefts[node] } else { !lefts[node] }
                };
                element.tests.iter().map(passed).fold(u64::MAX, |all, passed| all & passed)
            })
            .collect();
        let rule = &rules[path.elements.len().div_ceil(2)];
        let integrals = isa.run(Integrate { elements: &path.elements, masks: &masks, rule });
        for (element, integral) in path.elements.iter().zip(&integrals) {
            for (output, value) in outputs.clone().zip(values) {
                let sums = &mut sums[output * (n_features + 1) + element.feature];
                for (sum, integral) in sums.iter_mut().zip(integral) {
                    *sum += value * integral;
                }
            }
        }
    }
}

/// `(o_i - z_i)` times the integral of the other factors' product, for each element of a path
/// and 64 rows.
struct Integrate<'a> {
    elements: &'a [Element],
    /// For each element the rows that pass its tests.
    masks: &'a [u64],
    rule: &'a [(f64, f64)],
}

impl Task for Integrate<'_> {
    type Output = Vec<[f64; ROWS]>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Self::Output {
        let mut sums = vec![[0.0; ROWS]; self.elements.len()];
        for &(t, weight) in self.rule {
            let mut product = [weight; ROWS];
            for (element, &mask) in self.elements.iter().zip(self.masks) {
                let missed = element.share * (1.0 - t);
                times(&mut product, mask, missed + t, missed);
            }
            for ((element, &mask), sums) in self.elements.iter().zip(self.masks).zip(&mut sums) {
                let missed = element.share * (1.0 - t);
                // A test that neither the row nor any training row passes makes both sides zero.
                let inverse = if missed > 0.0 { 1.0 / missed } else { 0.0 };
                let mut others = product;
                times(&mut others, mask, 1.0 / (missed + t), inverse);
                for (sum, other) in sums.iter_mut().zip(&others) {
                    *sum += other;
                }
            }
        }
        for ((element, &mask), sums) in self.elements.iter().zip(self.masks).zip(&mut sums) {
            times(sums, mask, 1.0 - element.share, -element.share);
        }
        sums
    }
}

/// Multiplies by one factor where the row's bit is set, by the other where it is not.
#[inline(always)]
fn times(values: &mut [f64; ROWS], mask: u64, set: f64, unset: f64) {
    for (row, value) in values.iter_mut().enumerate() {
        *value *= if mask >> row & 1 == 1 { set } else { unset };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quadrature_is_exact_for_polynomials() {
        for n in 1..32 {
            let rule = quadrature(n);
            for degree in 0..2 * n {
                let sum: f64 = rule.iter().map(|(t, w)| w * libm::pow(*t, degree as f64)).sum();
                assert!((sum * (degree + 1) as f64 - 1.0).abs() < 1e-12, "{n} {degree} {sum}");
            }
        }
    }
}
