//! Sampling of the rows of a round, and of the rounds that DART drops.

use super::config::Boosting;
use super::gradients::{Gradients, nearest};
use crate::rng::{Purpose, Stream};

/// A random fraction of the rows, ascending; none for all.
pub(super) fn subsample(n_rows: usize, share: f64, seed: u64, round: usize) -> Option<Vec<u32>> {
    if share == 1.0 {
        return None;
    }
    let mut stream = Stream::new(seed, Purpose::Rows, round as u64);
    let rows: Vec<u32> = (0..n_rows as u32).filter(|_| stream.next_unit() < share).collect();
    (!rows.is_empty()).then_some(rows)
}

/// Gradient-based one-side sampling (Ke et al. 2017, algorithm 2): the rows of largest
/// `sum |g h|` (LightGBM's measure), and a sample of the others, whose derivatives are multiplied
/// so that they represent all the others.
pub(super) fn goss(
    gradients: &mut Gradients,
    Boosting { top_rate, other_rate, .. }: Boosting,
    seed: u64,
    round: usize,
) -> Vec<u32> {
    let n_rows = gradients.outputs[0].len();
    let mut keys: Vec<(u64, u32)> = (0..n_rows as u32).map(|row| (0, row)).collect();
    for pairs in &gradients.outputs {
        for (key, pair) in keys.iter_mut().zip(pairs) {
            let product = u64::from(pair.g.unsigned_abs()) * u64::from(pair.h);
            key.0 = key.0.saturating_add(product >> 12);
        }
    }
    let n_top = ((top_rate * n_rows as f64) as usize).clamp(1, n_rows);
    // Largest first; of equals the first row.
    keys.select_nth_unstable_by(n_top - 1, |a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut is_top = vec![false; n_rows];
    keys[..n_top].iter().for_each(|&(_, row)| is_top[row as usize] = true);
    let share = (other_rate / (1.0 - top_rate)).min(1.0);
    let factor = 1.0 / share;
    let mut stream = Stream::new(seed, Purpose::Rows, round as u64);
    let mut rows = Vec::with_capacity(n_rows / 2);
    for (row, &top) in is_top.iter().enumerate() {
        // Drawn for every row, so that a draw belongs to its row.
        let drawn = stream.next_unit() < share;
        if top || drawn {
            rows.push(row as u32);
        }
        if drawn && !top {
            for pairs in &mut gradients.outputs {
                let pair = &mut pairs[row];
                pair.g = nearest(f64::from(pair.g) * factor) as i32;
                pair.h = nearest(f64::from(pair.h) * factor) as u32;
            }
        }
    }
    rows
}

/// The earlier rounds that a round of DART drops, ascending.
pub(super) fn dropped_rounds(boosting: Boosting, seed: u64, round: usize) -> Vec<usize> {
    let mut stream = Stream::new(seed, Purpose::Drop, round as u64);
    if stream.next_unit() < boosting.skip_drop {
        return Vec::new();
    }
    (0..round).filter(|_| stream.next_unit() < boosting.drop_rate).collect()
}

#[cfg(test)]
mod tests;
