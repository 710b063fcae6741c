//! Training on several hosts, each of which has some of the rows.
//!
//! Every host grows the same trees from sums over all rows. These are sums of integers, which do
//! not depend on the order of addition, so the model is the same to the bit as that of one host
//! with all rows. Hosts communicate by a single operation, [`Reduce::sum`] (an all-reduce).

use super::sampling::draw;
use crate::memory::filled;
use crate::parallel::Compute;
use crate::rng::Stream;
use crate::{Error, Result};
use std::fmt::Debug;

/// Sums over all hosts.
pub trait Reduce: Sync + Debug {
    /// Replaces each number by its sum over all hosts, modulo 2^64. All hosts must make the same
    /// calls, in the same order and with slices of the same length.
    ///
    /// # Errors
    /// When another host cannot be reached, or the caller stops training.
    fn sum(&self, words: &mut [u64]) -> Result<()>;
}

/// A range of consecutive rows of the whole table that is on one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Index of the first row in the whole table.
    pub first: u64,
    /// The number of rows.
    pub n_rows: usize,
}

/// Totals over the rows of all hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct Totals {
    /// The number of rows.
    pub n_rows: u64,
    /// The largest weight; `None` if all rows have weight one.
    pub largest_weight: Option<f64>,
    /// Whether all weights are whole numbers.
    pub whole_weights: bool,
    /// The sum of the weights, added in the order of the rows.
    pub weight: f64,
    /// The sum of the weights of each class, added in the order of the rows.
    pub class_weights: Vec<f64>,
}

/// The rows of one host among those of all.
#[derive(Clone, Copy, Debug)]
pub struct Shard<'a> {
    /// The index of this host, from 0. Host 0 has the evaluation sets and the listener.
    pub rank: usize,
    /// The number of hosts.
    pub size: usize,
    /// Computes sums over all hosts.
    pub reduce: &'a dyn Reduce,
    /// The ranges of the whole table that the rows of this host come from, in their order.
    pub pieces: &'a [Piece],
    /// Totals over all rows.
    pub totals: &'a Totals,
    /// The number of evaluation sets, which host 0 has.
    pub n_eval_sets: usize,
    /// Whether host 0 has a listener of rounds.
    pub listens: bool,
}

impl Shard<'_> {
    /// Checks the description against the rows of this host.
    ///
    /// # Errors
    /// [`Error::Data`] if the number of rows or classes differs, or `rank` is not below `size`.
    pub(super) fn check(&self, n_rows: usize, n_classes: usize) -> Result<()> {
        let described: usize = self.pieces.iter().map(|piece| piece.n_rows).sum();
        let n_sums = self.totals.class_weights.len();
        if (described, n_sums) != (n_rows, n_classes) {
            return Err(Error::Data(format!(
                "the description of the rows of a host must have {n_rows} rows and {n_classes} \
                 classes, got {described} and {n_sums}"
            )));
        }
        if self.rank >= self.size {
            return Err(Error::Data(format!(
                "the number of the host must be below {}, got {}",
                self.size, self.rank
            )));
        }
        Ok(())
    }

    /// Draws a random fraction of all rows, and returns those of this host; `None` for all rows.
    ///
    /// # Errors
    /// What [`Reduce::sum`] returns.
    pub(super) fn subsample(
        &self,
        stream: &Stream,
        share: f64,
        compute: Compute<'_>,
    ) -> Result<Option<Vec<u32>>> {
        if share == 1.0 {
            return Ok(None);
        }
        let rows = draw(self.pieces, stream, share, compute);
        let mut n_drawn = [rows.len() as u64];
        self.reduce.sum(&mut n_drawn)?;
        Ok((n_drawn[0] > 0).then_some(rows))
    }

    /// Returns which rows of this host are among the `n_top` rows with the largest keys on all
    /// hosts; of equal keys, the first rows of the whole table are chosen.
    ///
    /// This is a radix selection. Keys, inverted, and row numbers form words of 96 bits, of which
    /// the smallest are chosen. In each step the hosts count the words by their next 12 bits; the
    /// sums of the counts tell which words are chosen, and which ones remain for the next step.
    ///
    /// # Errors
    /// What [`Reduce::sum`] returns.
    pub(super) fn largest(&self, keys: &[u64], n_top: u64) -> Result<Vec<bool>> {
        const BITS: u32 = 12;
        const DIGITS: usize = 1 << BITS;
        let starts: Vec<usize> = self
            .pieces
            .iter()
            .scan(0, |next, piece| Some(std::mem::replace(next, *next + piece.n_rows)))
            .collect();
        let word = |row: u32| {
            let piece = starts.partition_point(|&start| start <= row as usize) - 1;
            let number = self.pieces[piece].first + (row as usize - starts[piece]) as u64;
            u128::from(!keys[row as usize]) << u32::BITS | u128::from(number)
        };
        let mut is_top = filled(false, keys.len());
        let mut open: Vec<u32> = (0..keys.len() as u32).collect();
        let mut missing = n_top;
        let mut shift = u64::BITS + u32::BITS;
        while shift > 0 && missing > 0 {
            shift -= BITS;
            let digit = |row: u32| (word(row) >> shift) as usize % DIGITS;
            let mut counts = filled(0_u64, DIGITS);
            open.iter().for_each(|&row| counts[digit(row)] += 1);
            self.reduce.sum(&mut counts)?;
            let mut last = 0;
            while counts[last] < missing && last + 1 < DIGITS {
                missing -= counts[last];
                last += 1;
            }
            let whole = counts[last] == missing;
            open.retain(|&row| {
                let digit = digit(row);
                is_top[row as usize] = digit < last || (whole && digit == last);
                digit == last
            });
            if whole {
                missing = 0;
            }
        }
        Ok(is_top)
    }

    /// Returns for each position whether it is true on any host.
    ///
    /// # Errors
    /// What [`Reduce::sum`] returns.
    pub(super) fn any(&self, here: &[bool]) -> Result<Vec<bool>> {
        let mut words: Vec<u64> = here.iter().map(|&is_true| u64::from(is_true)).collect();
        self.reduce.sum(&mut words)?;
        Ok(words.into_iter().map(|count| count > 0).collect())
    }

    /// Copies the numbers of host 0 to all hosts; the others pass a slice of the same length.
    ///
    /// # Errors
    /// What [`Reduce::sum`] returns.
    pub(super) fn broadcast(&self, numbers: &mut [f64]) -> Result<()> {
        let mut words: Vec<u64> =
            numbers.iter().map(|n| if self.rank == 0 { n.to_bits() } else { 0 }).collect();
        self.reduce.sum(&mut words)?;
        numbers.iter_mut().zip(words).for_each(|(n, bits)| *n = f64::from_bits(bits));
        Ok(())
    }

    /// Adds floating-point numbers over all hosts, in the order of the hosts.
    ///
    /// # Errors
    /// What [`Reduce::sum`] returns.
    pub(super) fn sum_in_order<const N: usize>(&self, numbers: [f64; N]) -> Result<[f64; N]> {
        self.fold(numbers, [0.0; N], |sum, number| sum + number)
    }

    /// Returns the maximum of each number over all hosts; the numbers must not be negative.
    ///
    /// # Errors
    /// What [`Reduce::sum`] returns.
    pub(super) fn max<const N: usize>(&self, numbers: [f64; N]) -> Result<[f64; N]> {
        self.fold(numbers, [0.0; N], f64::max)
    }

    /// Combines the numbers of all hosts, in the order of the hosts.
    fn fold<const N: usize>(
        &self,
        numbers: [f64; N],
        start: [f64; N],
        combine: impl Fn(f64, f64) -> f64,
    ) -> Result<[f64; N]> {
        // Each host has words of its own, which are zero on the others.
        let mut words = filled(0, self.size * N);
        let place = &mut words[self.rank * N..][..N];
        place.iter_mut().zip(numbers).for_each(|(word, number)| *word = number.to_bits());
        self.reduce.sum(&mut words)?;
        Ok(words.chunks(N).fold(start, |result, host| {
            std::array::from_fn(|at| combine(result[at], f64::from_bits(host[at])))
        }))
    }
}
