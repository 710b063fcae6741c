//! Margins and leaves of new rows.

use super::scorer::Bundle;
use super::table::Table;
use super::tree::{Ensemble, Tree};
use crate::kernels::{Isa, Simd, Task};
use crate::parallel::{Compute, attended};
use crate::{Error, Result};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rows that are worked on together: their bins and margins stay in the cache while bundle after
/// bundle of trees passes over them.
const TOGETHER: usize = 512;

/// Visits of rows to trees above which the work is attended from another thread.
const LONG: usize = 1 << 23;

/// Neighbouring trees in the form in which they are evaluated.
#[derive(Clone, Debug)]
enum Group {
    /// Up to sixteen trees of up to 32 leaves.
    Small(Bundle<u32, 16>),
    /// Up to eight trees of up to 64 leaves.
    Medium(Bundle<u64, 8>),
    /// A larger tree, by its number, which is walked through.
    Large(usize),
}

/// Tables for the prediction of an ensemble.
#[derive(Clone, Debug)]
pub struct Predictor {
    groups: Vec<Group>,
    rounds: Range<usize>,
}

impl Predictor {
    /// Tabulates all trees.
    pub fn new(ensemble: &Ensemble) -> Self {
        Self::of_rounds(ensemble, 0..ensemble.n_rounds())
    }

    fn of_rounds(ensemble: &Ensemble, rounds: Range<usize>) -> Self {
        let (n_features, n_outputs) = (ensemble.binner.features.len(), ensemble.n_outputs());
        let first = rounds.start * ensemble.trees_per_round;
        let trees = ensemble.rounds(rounds.clone());
        let size = |tree: &Tree| match tree.nodes.len().div_ceil(2) {
            ..=32 => 16,
            ..=64 => 8,
            _ => 1,
        };
        let mut groups = Vec::new();
        let mut at = 0;
        while at < trees.len() {
            let lanes = size(&trees[at]);
            let alike = trees[at..].iter().take(lanes).take_while(|tree| size(tree) == lanes);
            let bundle = &trees[at..at + alike.count()];
            groups.push(match lanes {
                16 => Group::Small(Bundle::new(bundle, n_features, n_outputs)),
                8 => Group::Medium(Bundle::new(bundle, n_features, n_outputs)),
                _ => Group::Large(first + at),
            });
            at += bundle.len();
        }
        Predictor { groups, rounds }
    }

    /// Adds the values of the trees of some rounds to `out`, margins row by row, which hold the
    /// base or what else the sum starts from. Values are added in the order of the trees.
    ///
    /// # Errors
    /// [`Error::Data`] for a table of other width or `out` of other length, and what `poll` says.
    pub fn margins(
        &self,
        ensemble: &Ensemble,
        table: &Table<'_>,
        rounds: Range<usize>,
        out: &mut [f64],
        compute: Compute<'_>,
        poll: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let n_outputs = ensemble.n_outputs();
        check_table(ensemble, table, &rounds, out.len(), n_outputs)?;
        let partial;
        let predictor = if rounds == self.rounds {
            self
        } else {
            partial = Self::of_rounds(ensemble, rounds.clone());
            &partial
        };
        let visits = table.n_rows() * ensemble.rounds(rounds).len();
        let chunks = out.chunks_mut(TOGETHER * n_outputs).collect();
        each_chunk(chunks, visits, compute, poll, |at, out| {
            let start = at * TOGETHER;
            compute.isa.run(AddMargins { predictor, ensemble, table, start, isa: compute.isa, out });
        })
    }

    /// The margins of one row, base included: for a row at a time, where a batch is not to be had.
    ///
    /// # Errors
    /// [`Error::Data`] for another number of values.
    pub fn row(&self, ensemble: &Ensemble, values: &[f64]) -> Result<Vec<f64>> {
        let features = &ensemble.binner.features;
        if values.len() != features.len() {
            return Err(Error::Data(format!(
                "a row must have {} values, got {}",
                features.len(),
                values.len()
            )));
        }
        let bins: Vec<u8> =
            features.iter().zip(values).map(|(bins, &value)| bins.bin(value)).collect();
        let mut out = ensemble.base.clone();
        for group in &self.groups {
            match group {
                Group::Small(bundle) => bundle.add_row(&bins, &mut out),
                Group::Medium(bundle) => bundle.add_row(&bins, &mut out),
                Group::Large(tree) => add_walked(&ensemble.trees[*tree], |f| bins[f], &mut out),
            }
        }
        Ok(out)
    }
}

/// The leaf of each row in each tree of some rounds, row by row: node numbers.
///
/// # Errors
/// As for [`Predictor::margins`].
pub fn leaves(
    ensemble: &Ensemble,
    table: &Table<'_>,
    rounds: Range<usize>,
    out: &mut [u32],
    compute: Compute<'_>,
    poll: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let n_trees = rounds.len() * ensemble.trees_per_round;
    check_table(ensemble, table, &rounds, out.len(), n_trees)?;
    if out.is_empty() {
        return Ok(());
    }
    let trees = ensemble.rounds(rounds);
    let visits = table.n_rows() * n_trees;
    let chunks = out.chunks_mut(TOGETHER * n_trees).collect();
    each_chunk(chunks, visits, compute, poll, |at, out| {
        let columns = ensemble.binner.transform_rows(
            table,
            at * TOGETHER,
            out.len() / n_trees,
            compute.isa,
        );
        for (row, out) in out.chunks_exact_mut(n_trees).enumerate() {
            for (tree, leaf) in trees.iter().zip(out) {
                *leaf = tree.leaf(|feature| columns[feature][row]) as u32;
            }
        }
    })
}

/// Does a task for each chunk of rows, on any thread, until polling says to stop.
pub(super) fn each_chunk<T: Send>(
    mut chunks: Vec<&mut [T]>,
    visits: usize,
    compute: Compute<'_>,
    poll: &mut dyn FnMut() -> Result<()>,
    task: impl Fn(usize, &mut [T]) + Sync,
) -> Result<()> {
    let run = |stop: &AtomicBool| {
        compute.team.for_each_of(visits > 1 << 14, &mut chunks, |at, chunk| {
            if !stop.load(Ordering::Relaxed) {
                task(at, chunk);
            }
        });
    };
    if visits > LONG {
        return attended(poll, run);
    }
    let mut run = run;
    run(&AtomicBool::new(false));
    Ok(())
}

/// Checks a table and the output that is to be filled from it.
///
/// # Errors
/// [`Error::Data`] with what was expected.
pub(super) fn check_table(
    ensemble: &Ensemble,
    table: &Table<'_>,
    rounds: &Range<usize>,
    len: usize,
    width: usize,
) -> Result<()> {
    let n_features = ensemble.binner.features.len();
    if table.n_features() != n_features {
        return Err(Error::Data(format!(
            "X must have {n_features} features, got {}",
            table.n_features()
        )));
    }
    if rounds.start > rounds.end || rounds.end > ensemble.n_rounds() {
        return Err(Error::Data(format!(
            "rounds must be within 0..{}, got {rounds:?}",
            ensemble.n_rounds()
        )));
    }
    if len != table.n_rows() * width {
        return Err(Error::Data(format!(
            "the output must have {} rows of {width} numbers, got {len} numbers",
            table.n_rows()
        )));
    }
    Ok(())
}

struct AddMargins<'a> {
    predictor: &'a Predictor,
    ensemble: &'a Ensemble,
    table: &'a Table<'a>,
    start: usize,
    isa: Isa,
    out: &'a mut [f64],
}

impl Task for AddMargins<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let n_outputs = self.ensemble.n_outputs();
        let n_rows = self.out.len() / n_outputs;
        let columns =
            self.ensemble.binner.transform_rows(self.table, self.start, n_rows, self.isa);
        for group in &self.predictor.groups {
            match group {
                Group::Small(bundle) => bundle.add(&columns, n_outputs, self.out),
                Group::Medium(bundle) => bundle.add(&columns, n_outputs, self.out),
                Group::Large(tree) => {
                    let tree = &self.ensemble.trees[*tree];
                    for (row, out) in self.out.chunks_exact_mut(n_outputs).enumerate() {
                        add_walked(tree, |feature| columns[feature][row], out);
                    }
                }
            }
        }
    }
}

/// Adds the values of the leaf that a row falls into, node after node.
fn add_walked(tree: &Tree, bin: impl Fn(usize) -> u8, out: &mut [f64]) {
    let leaf = tree.leaf(bin);
    match tree.output {
        Some(output) => out[output as usize] += tree.values[leaf],
        None => {
            let values = &tree.values[leaf * out.len()..];
            out.iter_mut().zip(values).for_each(|(out, value)| *out += value);
        }
    }
}
