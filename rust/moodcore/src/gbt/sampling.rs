//! Sampling of the rows of a round, and of the rounds that DART drops.

use super::config::Boosting;
use super::gradients::{Gradients, nearest};
use super::shard::{Piece, Shard, draw};
use crate::Result;
use crate::memory::{CollectVec, filled};
use crate::rng::{Purpose, Stream};

/// A random fraction of the rows, ascending; none for all.
pub(super) fn subsample(n_rows: usize, share: f64, seed: u64, round: usize) -> Option<Vec<u32>> {
    if share == 1.0 {
        return None;
    }
    let mut stream = Stream::new(seed, Purpose::Rows, round as u64);
    let rows: Vec<u32> = (0..n_rows as u32).filter(|_| stream.next_unit() < share).collect_vec();
    (!rows.is_empty()).then_some(rows)
}

/// Gradient-based one-side sampling (Ke et al. 2017, algorithm 2): the rows of largest
/// `sum |g h|` (LightGBM's measure), and a sample of the others, whose derivatives are multiplied
/// so that they represent all the others. On several hosts, the rows of this host.
///
/// # Errors
/// What [`super::shard::Reduce::sum`] returns.
pub(super) fn goss(
    gradients: &mut Gradients,
    Boosting { top_rate, other_rate, .. }: Boosting,
    stream: &Stream,
    shard: Option<Shard<'_>>,
) -> Result<Vec<u32>> {
    let n_rows = gradients.outputs[0].len();
    let mut keys = filled(0_u64, n_rows);
    for pairs in &gradients.outputs {
        for (key, pair) in keys.iter_mut().zip(pairs) {
            let product = u64::from(pair.g.unsigned_abs()) * u64::from(pair.h);
            *key = key.saturating_add(product >> 12);
        }
    }
    let n_of_all = shard.map_or(n_rows as u64, |shard| shard.totals.n_rows);
    let n_top = ((top_rate * n_of_all as f64) as u64).clamp(1, n_of_all);
    let is_top = match shard {
        None => largest(&keys, n_top as usize),
        Some(shard) => shard.largest(&keys, n_top)?,
    };
    let share = (other_rate / (1.0 - top_rate)).min(1.0);
    let factor = 1.0 / share;
    // Drawn from all rows, so that a draw belongs to its row.
    let whole = [Piece { first: 0, n_rows }];
    let mut rows = draw(shard.map_or(&whole, |shard| shard.pieces), stream, share);
    for pairs in &mut gradients.outputs {
        for &row in rows.iter().filter(|&&row| !is_top[row as usize]) {
            let pair = &mut pairs[row as usize];
            pair.g = nearest(f64::from(pair.g) * factor) as i32;
            pair.h = nearest(f64::from(pair.h) * factor) as u32;
        }
    }
    let mut is_kept = is_top;
    rows.iter().for_each(|&row| is_kept[row as usize] = true);
    rows.clear();
    rows.extend((0..n_rows as u32).filter(|&row| is_kept[row as usize]));
    Ok(rows)
}

/// Returns which rows have the `n_top` largest keys; of equal keys, the first rows.
fn largest(keys: &[u64], n_top: usize) -> Vec<bool> {
    let mut order: Vec<(u64, u32)> = keys.iter().copied().zip(0..).collect_vec();
    order.select_nth_unstable_by(n_top - 1, |a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut is_top = filled(false, keys.len());
    order[..n_top].iter().for_each(|&(_, row)| is_top[row as usize] = true);
    is_top
}

/// The earlier rounds that a round of DART drops, ascending.
pub(super) fn dropped_rounds(boosting: Boosting, seed: u64, round: usize) -> Vec<usize> {
    let mut stream = Stream::new(seed, Purpose::Drop, round as u64);
    if stream.next_unit() < boosting.skip_drop {
        return Vec::new();
    }
    (0..round).filter(|_| stream.next_unit() < boosting.drop_rate).collect_vec()
}

#[cfg(test)]
mod tests;
