//! Training on several hosts, each of which has some of the rows.
//!
//! Every host grows the same trees from sums over all rows. These are sums of integers, which do
//! not depend on the order of addition, so the model is the same to the bit as that of one host
//! with all rows. Hosts communicate by a single operation, [`Reduce::sum`] (an all-reduce).

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
    pub(super) fn subsample(&self, stream: &Stream, share: f64) -> Result<Option<Vec<u32>>> {
        if share == 1.0 {
            return Ok(None);
        }
        let (mut rows, mut start) = (Vec::new(), 0);
        for piece in self.pieces {
            let mut stream = stream.clone();
            stream.skip(piece.first);
            let drawn = (start..start + piece.n_rows as u32).filter(|_| stream.next_unit() < share);
            rows.extend(drawn);
            start += piece.n_rows as u32;
        }
        let mut n_drawn = [rows.len() as u64];
        self.reduce.sum(&mut n_drawn)?;
        Ok((n_drawn[0] > 0).then_some(rows))
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
        let mut words = vec![0; self.size * N];
        let place = &mut words[self.rank * N..][..N];
        place.iter_mut().zip(numbers).for_each(|(word, number)| *word = number.to_bits());
        self.reduce.sum(&mut words)?;
        let mut sums = [0.0; N];
        for host in words.chunks(N) {
            sums.iter_mut().zip(host).for_each(|(sum, &bits)| *sum += f64::from_bits(bits));
        }
        Ok(sums)
    }
}
