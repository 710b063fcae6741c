//! A new order of the samples every epoch, without storing it.
//!
//! Fisher and Yates's shuffle needs an index array and takes 3 ns a row, a tenth of the time in
//! which a small network trains on that row. Here the order is a keyed bijection of the numbers
//! below 2^k (the smallest power of two that covers all rows), read off at 0, 1, 2, ...; values
//! that are no row are skipped (cycle-walking's cousin, Black and Rogaway 2002). Every row
//! comes exactly once, nothing is stored, and sixteen evaluations run in the lanes of a register.
//!
//! The bijection is rounds of multiply-add modulo 2^k, which carries low bits upwards, and
//! xor-shift, which carries high bits down, with fresh keys for every epoch.

use crate::kernels::{LANES, Simd, keep_below};
use crate::rng::{Purpose, Stream};

const ROUNDS: usize = 4;

/// The order of `n_rows` samples in one epoch, read in blocks.
#[derive(Clone, Debug)]
pub struct Shuffle {
    n_rows: u32,
    mask: u32,
    shift: u32,
    multiply: [u32; ROUNDS],
    add: [u32; ROUNDS],
    /// Next input of the bijection.
    counter: u32,
    /// Rows found but not yet handed out: the first `waiting`.
    ready: [u32; 2 * LANES],
    waiting: usize,
}

impl Shuffle {
    /// The order of epoch `epoch` under `seed`; `n_rows` is at most 2^31.
    pub fn new(n_rows: usize, seed: u64, epoch: u64) -> Self {
        // With fewer than four bits the rounds cannot mix.
        let bits = usize::BITS - (n_rows.max(16) - 1).leading_zeros();
        let mut stream = Stream::new(seed, Purpose::Shuffle, epoch);
        let mut keys = || [(); ROUNDS].map(|()| (stream.next_u64() >> 32) as u32);
        let add = keys();
        let multiply = keys().map(|key| key | 1);
        let mask = ((1_u64 << bits) - 1) as u32;
        Shuffle {
            n_rows: n_rows as u32,
            mask,
            shift: bits.div_ceil(2),
            multiply,
            add,
            counter: 0,
            ready: [0; 2 * LANES],
            waiting: 0,
        }
    }

    /// Writes the next rows of the order to `out`; the caller takes `n_rows` in all.
    #[inline(always)]
    pub fn fill<S: Simd>(&mut self, out: &mut [u32]) {
        // All copies but the last are of one vector, whose length the compiler knows.
        let (vectors, rest) = out.as_chunks_mut();
        for vector in vectors {
            *vector = self.take::<S>(LANES);
        }
        if !rest.is_empty() {
            rest.copy_from_slice(&self.take::<S>(rest.len())[..rest.len()]);
        }
    }

    /// The next `count` rows, at most a vector of them; what follows is no row to take.
    #[inline(always)]
    fn take<S: Simd>(&mut self, count: usize) -> [u32; LANES] {
        while self.waiting < count {
            let candidates = self.next_candidates();
            self.waiting +=
                keep_below::<S>(candidates, self.n_rows, &mut self.ready[self.waiting..]);
        }
        let taken = first_vector(&self.ready);
        let kept = first_vector(&self.ready[count..]);
        self.ready[..LANES].copy_from_slice(&kept);
        self.waiting -= count;
        taken
    }

    /// The bijection of the next sixteen numbers.
    #[inline(always)]
    fn next_candidates(&mut self) -> [u32; LANES] {
        let mut word = std::array::from_fn(|lane| self.counter.wrapping_add(lane as u32));
        for round in 0..ROUNDS {
            for lane in &mut word {
                *lane = lane.wrapping_mul(self.multiply[round]).wrapping_add(self.add[round])
                    & self.mask;
                *lane ^= *lane >> self.shift;
            }
        }
        self.counter = self.counter.wrapping_add(LANES as u32);
        word
    }
}

#[inline(always)]
fn first_vector(values: &[u32]) -> [u32; LANES] {
    std::array::from_fn(|lane| values[lane])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Portable;
    use proptest::prelude::*;

    fn order(n_rows: usize, seed: u64, epoch: u64) -> Vec<u32> {
        let mut out = vec![0; n_rows];
        Shuffle::new(n_rows, seed, epoch).fill::<Portable>(&mut out);
        out
    }

    proptest! {
        #[test]
        fn every_row_comes_exactly_once(n_rows in 1_usize..5_000, seed: u64, epoch in 0_u64..9) {
            let mut rows = order(n_rows, seed, epoch);
            rows.sort_unstable();
            prop_assert!(rows.iter().enumerate().all(|(at, &row)| at == row as usize));
        }
    }

    #[test]
    fn filling_in_pieces_gives_the_same_order() {
        let mut pieces = Shuffle::new(1_000, 5, 2);
        let mut out = vec![0; 1_000];
        let (head, tail) = out.split_at_mut(37);
        pieces.fill::<Portable>(head);
        pieces.fill::<Portable>(tail);
        assert_eq!(out, order(1_000, 5, 2));
    }

    /// Over many seeds each row must land in each place equally often, and the place of one row
    /// must tell nothing of its neighbour's: chi-square within five standard deviations.
    #[test]
    fn places_and_neighbors_are_uniform() {
        for n_rows in [50_usize, 64, 100] {
            let (trials, cells) = (20_000, 10);
            let mut place = vec![0_f64; cells];
            let mut gap = vec![0_f64; cells];
            for seed in 0..trials {
                let rows = order(n_rows, seed, 0);
                let find = |row| rows.iter().position(|&r| r == row).unwrap_or(0);
                let (first, second) = (find(7), find(8));
                place[first * cells / n_rows] += 1.0;
                gap[((second + n_rows - first) % n_rows) * cells / n_rows] += 1.0;
            }
            let expect = |share: f64| trials as f64 * share;
            let uniform = vec![1.0 / cells as f64; cells];
            let chi = |seen: &[f64], share: &[f64]| -> f64 {
                seen.iter().zip(share).map(|(o, s)| (o - expect(*s)).powi(2) / expect(*s)).sum()
            };
            // Cells of n_rows not divisible by ten are uneven: count them exactly.
            let mut even = vec![0.0; cells];
            (0..n_rows).for_each(|at| even[at * cells / n_rows] += 1.0 / n_rows as f64);
            let mut apart = vec![0.0; cells];
            (1..n_rows).for_each(|d| apart[d * cells / n_rows] += 1.0 / (n_rows - 1) as f64);
            assert_eq!(uniform.len(), even.len());
            let limit = 9.0 + 5.0 * 18_f64.sqrt();
            assert!(chi(&place, &even) < limit, "place {} of {n_rows}", chi(&place, &even));
            assert!(chi(&gap, &apart) < limit, "gap {} of {n_rows}", chi(&gap, &apart));
        }
    }
}
