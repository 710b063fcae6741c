//! Tables processed by threads in chunks of rows, while the caller is polled for interrupts.

use super::table::Table;
use super::tree::Ensemble;
use crate::parallel::{Compute, attended};
use crate::{Error, Result};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Visits of rows to trees above which another thread polls during the work.
const LONG: usize = 1 << 23;

/// The number of threads worth starting for sending rows down trees: starting a thread takes about
/// as long as this many visits.
pub fn useful_threads(n_rows: usize, n_trees: usize, threads: usize) -> usize {
    const VISITS: usize = 1 << 18;
    let visits = n_rows.saturating_mul(n_trees);
    if visits < VISITS { threads.min(1) } else { threads }
}

/// Runs a task for each chunk of rows, on any thread, until polling returns an error. A task that
/// may be long watches the flag, which is then set, and ends early.
pub(super) fn each_chunk<T: Send>(
    mut chunks: Vec<&mut [T]>,
    visits: usize,
    compute: Compute<'_>,
    poll: &mut dyn FnMut() -> Result<()>,
    task: impl Fn(usize, &mut [T], &AtomicBool) + Sync,
) -> Result<()> {
    let run = |stop: &AtomicBool| {
        compute.team.for_each_of(visits > 1 << 14, &mut chunks, |at, chunk| {
            if !stop.load(Ordering::Relaxed) {
                task(at, chunk, stop);
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

/// Checks a table and the output buffer that belongs to it.
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
    let n_features = ensemble.binner.n_columns();
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

#[cfg(test)]
mod tests {
    use super::useful_threads;

    #[test]
    fn threads_are_started_for_large_batches_alone() {
        assert_eq!(useful_threads(500, 100, 8), 1);
        assert_eq!(useful_threads(100_000, 100, 8), 8);
        assert_eq!(useful_threads(usize::MAX, 2, 3), 3);
    }
}
