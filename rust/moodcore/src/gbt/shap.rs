//! Contributions of features to margins: Shapley values of the ensemble.
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
use super::tree::{Ensemble, Node, Tree};
use crate::kernels::{Isa, Simd, Task};
use crate::memory::filled;
use crate::parallel::Compute;
use crate::{Error, Result};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Number of rows computed side by side: the bits of a mask.
const ROWS: usize = 64;

/// The most features that the tests on the way to a leaf may be of. The time for a leaf grows with
/// the square of this number, which a model file may put at a hundred thousand; training hardly
/// ever reaches a hundredth of the limit, since a tree uses its best features again.
const MOST_FEATURES: usize = 1024;

/// The tests of one feature on the way to a node.
#[derive(Clone, Copy, Debug)]
struct Element {
    feature: usize,
    /// The share of the training rows in the first node that tests the feature that pass all of
    /// its tests, were they spread independently.
    share: f64,
    /// The rows that pass all tests.
    mask: u64,
}

/// What is left to do on a walk through a tree.
enum Step {
    /// Go to a child by the test of its parent, of a feature, passed by a share of the training
    /// rows and by the rows in the mask.
    Enter { child: usize, test: Element },
    /// Leave the node whose test changed the element at a place, or added the last one.
    Leave(Option<(usize, Element)>),
}

/// Calls `visit` for each leaf of a tree, from left to right, with the way to it: each feature
/// once, which is a column of the table. `lefts` gives the rows that go left at a node. Only one
/// way is kept at a time, and changed from node to node, so that memory grows with the depth of the
/// tree and not with its square.
///
/// # Errors
/// [`Error::Data`] for a way with tests of more than [`MOST_FEATURES`] features, and the error of
/// `visit`.
fn walk(
    tree: &Tree,
    binner: &Binner,
    lefts: impl Fn(usize) -> u64,
    mut visit: impl FnMut(usize, &[Element]) -> Result<()>,
) -> Result<()> {
    let mut way: Vec<Element> = Vec::new();
    let mut open = Vec::new();
    let mut here = Some(0);
    loop {
        if let Some(at) = here {
            let node = &tree.nodes[at];
            if node.is_leaf() {
                visit(at, &way)?;
            } else {
                let feature = binner.column(node.feature as usize);
                let children = [(node.right as usize, !lefts(at)), (node.left as usize, lefts(at))];
                let cover: f64 = children.iter().map(|&(child, _)| tree.nodes[child].cover).sum();
                for (child, mask) in children {
                    // Where no training row counted, either way is as likely.
                    let share = if cover > 0.0 { tree.nodes[child].cover / cover } else { 0.5 };
                    open.push(Step::Enter { child, test: Element { feature, share, mask } });
                }
            }
        }
        here = match open.pop() {
            None => return Ok(()),
            Some(Step::Enter { child, test }) => {
                open.push(Step::Leave(add_test(&mut way, test)?));
                Some(child)
            }
            Some(Step::Leave(before)) => {
                match before {
                    Some((place, element)) => way[place] = element,
                    None => drop(way.pop()),
                }
                None
            }
        };
    }
}

/// Adds a test to a way; returns the element that it changed, unless it added one.
fn add_test(way: &mut Vec<Element>, test: Element) -> Result<Option<(usize, Element)>> {
    if let Some(place) = way.iter().position(|element| element.feature == test.feature) {
        let before = way[place];
        way[place].share *= test.share;
        way[place].mask &= test.mask;
        return Ok(Some((place, before)));
    }
    if way.len() == MOST_FEATURES {
        return Err(Error::Data(format!(
            "contributions need trees that test at most {MOST_FEATURES} features on the way to a \
             leaf, got a tree that tests more"
        )));
    }
    way.push(test);
    Ok(None)
}

/// What the ways to the leaves of trees have in common.
struct Ways {
    /// The quadrature for each number of features on a way; empty where there is no such way.
    rules: Vec<Vec<(f64, f64)>>,
    /// The sum over the ways of points of the quadrature times features: the work for a row.
    work: usize,
}

impl Ways {
    fn of(trees: &[Tree], binner: &Binner) -> Result<Self> {
        let mut counts: Vec<usize> = Vec::new();
        for tree in trees {
            walk(
                tree,
                binner,
                |_| 0,
                |_, way| {
                    counts.resize(counts.len().max(way.len() + 1), 0);
                    counts[way.len()] += 1;
                    Ok(())
                },
            )?;
        }
        let points = |n_features: usize| n_features.div_ceil(2);
        let works = counts.iter().enumerate().map(|(n, count)| count * points(n) * n);
        let work = works.fold(0, usize::saturating_add);
        let rules = counts
            .iter()
            .enumerate()
            .map(|(n, &count)| if count > 0 { quadrature(points(n)) } else { Vec::new() });
        Ok(Ways { rules: rules.collect(), work })
    }
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
/// [`Error::Data`] for a table of other width, `out` of other length or a tree that tests more than
/// 1,024 features on the way to a leaf, and the error of `poll`.
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
    let trees = ensemble.rounds(rounds);
    let ways = Ways::of(trees, &ensemble.binner)?;
    let work = table.n_rows().saturating_mul(ways.work);
    let chunks = out.chunks_mut(ROWS * width).collect();
    each_chunk(chunks, work, compute, poll, |at, out, stop| {
        let n_rows = out.len() / width;
        let columns = ensemble.binner.transform_rows(table, at * ROWS, n_rows, compute.isa);
        let mut sums = filled([0.0; ROWS], width);
        for output in 0..n_outputs {
            sums[output * (n_features + 1) + n_features] = [ensemble.base[output]; ROWS];
        }
        let rows = Rows { binner: &ensemble.binner, columns: &columns, isa: compute.isa };
        for tree in trees {
            // Stopped early, the result is thrown away.
            if add_tree(tree, &rows, &ways.rules, stop, &mut sums).is_err() {
                return;
            }
        }
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            for (out, sums) in out.iter_mut().zip(&sums) {
                *out = sums[row];
            }
        }
    })
}

/// Up to 64 rows to send down trees.
struct Rows<'a> {
    binner: &'a Binner,
    /// The bins of each feature of the binner.
    columns: &'a [Vec<u8>],
    isa: Isa,
}

impl Rows<'_> {
    /// The rows that go left at each node of a tree.
    fn lefts(&self, tree: &Tree) -> Vec<u64> {
        let left = |node: &Node| {
            if node.is_leaf() {
                return 0;
            }
            let bins = self.columns[node.feature as usize].iter().enumerate();
            bins.fold(0, |mask, (row, &bin)| mask | u64::from(tree.goes_left(node, bin)) << row)
        };
        tree.nodes.iter().map(left).collect()
    }
}

/// Adds the contributions of one tree to the sums of some rows; ends early, with an error, when
/// `stop` is set.
fn add_tree(
    tree: &Tree,
    rows: &Rows<'_>,
    rules: &[Vec<(f64, f64)>],
    stop: &AtomicBool,
    sums: &mut [[f64; ROWS]],
) -> Result<()> {
    let width = rows.binner.n_columns() + 1;
    let outputs = match tree.output {
        Some(output) => output as usize..output as usize + 1,
        None => 0..sums.len() / width,
    };
    let lefts = rows.lefts(tree);
    walk(
        tree,
        rows.binner,
        |node| lefts[node],
        |leaf, way| {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped("the result is thrown away".into()));
            }
            let values = &tree.values[leaf * outputs.len()..][..outputs.len()];
            // The share of the training rows that reach the leaf.
            let share: f64 = way.iter().map(|element| element.share).product();
            for (output, value) in outputs.clone().zip(values) {
                let expected = &mut sums[output * width + width - 1];
                expected.iter_mut().for_each(|sum| *sum += value * share);
            }
            let integrals = rows.isa.run(Integrate { elements: way, rule: &rules[way.len()] });
            for (element, integral) in way.iter().zip(&integrals) {
                for (output, value) in outputs.clone().zip(values) {
                    let sums = &mut sums[output * width + element.feature];
                    for (sum, integral) in sums.iter_mut().zip(integral) {
                        *sum += value * integral;
                    }
                }
            }
            Ok(())
        },
    )
}

/// `(o_i - z_i)` times the integral of the other factors' product, for each element of a path
/// and 64 rows.
struct Integrate<'a> {
    elements: &'a [Element],
    rule: &'a [(f64, f64)],
}

impl Task for Integrate<'_> {
    type Output = Vec<[f64; ROWS]>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Self::Output {
        let mut sums = filled([0.0; ROWS], self.elements.len());
        for &(t, weight) in self.rule {
            let mut product = [weight; ROWS];
            for element in self.elements {
                let missed = element.share * (1.0 - t);
                times(&mut product, element.mask, missed + t, missed);
            }
            for (element, sums) in self.elements.iter().zip(&mut sums) {
                let missed = element.share * (1.0 - t);
                // A test that neither the row nor any training row passes makes both sides zero,
                // and the inverse of a subnormal number may be infinite.
                let inverse = if missed >= f64::MIN_POSITIVE { 1.0 / missed } else { 0.0 };
                let mut others = product;
                times(&mut others, element.mask, 1.0 / (missed + t), inverse);
                for (sum, other) in sums.iter_mut().zip(&others) {
                    *sum += other;
                }
            }
        }
        for (element, sums) in self.elements.iter().zip(&mut sums) {
            times(sums, element.mask, 1.0 - element.share, -element.share);
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
mod tests;
