//! The rows from which cut points are learned.
//!
//! Quantiles of a sample are nearly as good as those of all rows: with 262,144 sampled rows the
//! fraction of rows in one of 254 bins has a standard error of 1/32 of its value, and trees depend
//! little on the exact position of a cut point. The sample depends only on row indices, so it is
//! the same for a table in memory, a stream of unknown length, and a table divided among hosts.

use crate::memory::CollectVec;
use crate::rng::hash;

/// The number of rows from which cut points are learned; smaller tables use all rows.
pub const SAMPLE_ROWS: usize = 1 << 18;

/// Returns the key of a row. The sample consists of the [`SAMPLE_ROWS`] rows with the smallest
/// keys; all keys differ.
#[inline]
pub fn sample_key(row: u64) -> u64 {
    hash(row)
}

/// Returns the sampled rows of a table, ascending; `None` if all rows are used.
pub fn sampled_rows(n_rows: usize) -> Option<Vec<u32>> {
    smallest_keys(n_rows, SAMPLE_ROWS)
}

fn smallest_keys(n_rows: usize, wanted: usize) -> Option<Vec<u32>> {
    if n_rows <= wanted {
        return None;
    }
    // Keys are uniformly distributed, so a limit selects slightly more rows than needed, and memory
    // grows with the sample, not with the table. The exact sample is selected among these rows.
    let share = wanted as f64 / n_rows as f64;
    let mut limit = (share * 1.05 * u64::MAX as f64) as u64;
    loop {
        let mut keys: Vec<(u64, u32)> = (0..n_rows as u32)
            .map(|row| (sample_key(u64::from(row)), row))
            .filter(|&(key, _)| key <= limit)
            .collect_vec();
        if keys.len() >= wanted {
            keys.select_nth_unstable(wanted.max(1) - 1);
            let mut rows: Vec<u32> = keys[..wanted].iter().map(|&(_, row)| row).collect_vec();
            rows.sort_unstable();
            return Some(rows);
        }
        limit = limit.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BinaryHeap;

    /// Selects the sample row by row, as for a stream.
    fn streamed(n_rows: usize, wanted: usize) -> Vec<u32> {
        let mut heap = BinaryHeap::new();
        for row in 0..n_rows as u32 {
            heap.push((sample_key(u64::from(row)), row));
            if heap.len() > wanted {
                heap.pop();
            }
        }
        let mut rows: Vec<u32> = heap.into_iter().map(|(_, row)| row).collect();
        rows.sort_unstable();
        rows
    }

    proptest! {
        #[test]
        fn the_smallest_keys_are_those_of_a_stream(n_rows in 1..3000_usize, wanted in 1..400_usize) {
            match smallest_keys(n_rows, wanted) {
                None => prop_assert!(n_rows <= wanted),
                Some(rows) => prop_assert_eq!(rows, streamed(n_rows, wanted)),
            }
        }
    }

    #[test]
    fn keys_are_pinned() {
        // Models of large tables depend on them.
        assert_eq!(sample_key(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(sampled_rows(SAMPLE_ROWS), None);
        let rows = sampled_rows(SAMPLE_ROWS + 1).expect("a sample");
        assert_eq!(rows.len(), SAMPLE_ROWS);
    }
}
