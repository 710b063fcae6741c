//! Sampling of the rows of a round, and of the rounds that DART drops.

use super::config::Boosting;
use super::gradients::{Gradients, nearest};
use super::shard::{Piece, Shard};
use crate::Result;
use crate::kernels::{Isa, Simd, Task};
use crate::memory::{CollectVec, filled, with_room};
use crate::parallel::Compute;
use crate::rng::{Purpose, Stream};

/// A random fraction of the rows, ascending; none for all.
pub(super) fn subsample(
    n_rows: usize,
    share: f64,
    stream: &Stream,
    compute: Compute<'_>,
) -> Option<Vec<u32>> {
    if share == 1.0 {
        return None;
    }
    let rows = draw(&[Piece { first: 0, n_rows }], stream, share, compute);
    (!rows.is_empty()).then_some(rows)
}

/// Draws each row of some pieces with a probability; a draw belongs to the row's number.
pub(super) fn draw(
    pieces: &[Piece],
    stream: &Stream,
    share: f64,
    compute: Compute<'_>,
) -> Vec<u32> {
    // Rows that a thread draws at a time.
    const TOGETHER: usize = 1 << 13;
    let mut parts = Vec::new();
    let mut start = 0;
    for piece in pieces {
        for at in (0..piece.n_rows).step_by(TOGETHER) {
            let mut stream = stream.clone();
            stream.skip(piece.first + at as u64);
            let n_rows = TOGETHER.min(piece.n_rows - at);
            parts.push(Draw {
                stream,
                first: (start + at) as u32,
                n_rows,
                share,
                rows: Vec::new(),
            });
        }
        start += piece.n_rows;
    }
    compute.team.for_each(&mut parts, |_, part| part.run(compute.isa));
    let mut rows = with_room(parts.iter().map(|part| part.rows.len()).sum());
    parts.iter().for_each(|part| rows.extend_from_slice(&part.rows));
    rows
}

/// The draw of some rows.
struct Draw {
    stream: Stream,
    first: u32,
    n_rows: usize,
    share: f64,
    /// Those that are drawn.
    rows: Vec<u32>,
}

impl Draw {
    fn run(&mut self, isa: Isa) {
        self.rows = filled(0, self.n_rows);
        let Draw { stream, first, share, rows, .. } = self;
        let n_drawn = isa.run(DrawInto { stream, first: *first, share: *share, rows });
        rows.truncate(n_drawn);
    }
}

struct DrawInto<'a> {
    stream: &'a mut Stream,
    first: u32,
    share: f64,
    rows: &'a mut [u32],
}

impl Task for DrawInto<'_> {
    type Output = usize;

    /// Writes every row to where the next drawn one belongs: no branch can be predicted wrongly.
    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        let DrawInto { stream, first, share, rows } = self;
        let mut n_drawn = 0;
        for row in first..first + rows.len() as u32 {
            rows[n_drawn] = row;
            n_drawn += usize::from(stream.next_unit() < share);
        }
        n_drawn
    }
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
    compute: Compute<'_>,
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
    let mut rows = draw(shard.map_or(&whole, |shard| shard.pieces), stream, share, compute);
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
