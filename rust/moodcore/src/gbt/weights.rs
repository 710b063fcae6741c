//! Row weights as whole numbers, and the precision to which gradients are rounded.
//!
//! Every sum that decides a split is a sum of integers. One 64-bit word holds a gradient; another
//! holds a second derivative above `count_bits` bits of weight. Whole-numbered weights stay what
//! they are, and multiply derivatives after rounding: a row of weight two is two rows, to the
//! bit. Other weights multiply derivatives before; each of their rows counts once, because weights
//! that sum to one would otherwise leave no leaf with enough rows.

use super::shard::Totals;
use crate::memory::{CollectVec, copied};
use crate::{Error, Result};
use std::borrow::Cow;

/// The weights of rows, and how often each row counts.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    /// How often each row counts, in sums and in the size of a node; none where each counts once.
    pub(super) counts: Option<Vec<u32>>,
    /// Real weights, which multiply derivatives before rounding; none for whole numbers, whose
    /// counts multiply them afterwards.
    pub(super) factors: Option<Vec<f64>>,
    /// Bits that hold the sum of the counts.
    pub(super) count_bits: u32,
    /// The sum of the weights.
    sum: f64,
    largest: f64,
}

/// Whole-numbered weights up to here multiply rounded derivatives.
const MOST_REPETITIONS: f64 = 65_536.0;

impl Weights {
    /// The weights of `n_rows` rows.
    ///
    /// # Errors
    /// [`Error::Data`] for a weight that is not finite and above zero, with its row.
    pub(super) fn new(n_rows: usize, weight: Option<&[f64]>) -> Result<Self> {
        let Some(weight) = weight else {
            let count_bits = bits_of(n_rows as u64);
            return Ok(Weights {
                counts: None,
                factors: None,
                count_bits,
                sum: n_rows as f64,
                largest: 1.0,
            });
        };
        if weight.len() != n_rows {
            return Err(Error::Data(format!(
                "there must be one sample weight per row, got {} for {n_rows} rows",
                weight.len()
            )));
        }
        if let Some(row) = weight.iter().position(|&value| !(value.is_finite() && value > 0.0)) {
            return Err(Error::Data(format!(
                "sample weights must be finite and above zero, got {} in row {row}",
                weight[row]
            )));
        }
        let largest = weight.iter().fold(0.0, |largest: f64, &value| largest.max(value));
        let whole = largest <= MOST_REPETITIONS && weight.iter().all(|value| value.fract() == 0.0);
        let sum: f64 = weight.iter().sum();
        Ok(if whole {
            let counts = weight.iter().map(|&value| value as u32).collect_vec();
            let count_bits = bits_of(sum as u64);
            Weights { counts: Some(counts), factors: None, count_bits, sum, largest }
        } else {
            let count_bits = bits_of(n_rows as u64);
            Weights { counts: None, factors: Some(copied(weight)), count_bits, sum, largest }
        })
    }

    /// The weights of some of the rows that several hosts have.
    ///
    /// # Errors
    /// As [`Weights::new`].
    pub(super) fn of_shard(n_rows: usize, weight: Option<&[f64]>, totals: &Totals) -> Result<Self> {
        let mut weights = Weights::new(n_rows, weight)?;
        let Some(largest) = totals.largest_weight else {
            weights.count_bits = bits_of(totals.n_rows);
            weights.sum = totals.n_rows as f64;
            return Ok(weights);
        };
        let weight = weight.ok_or_else(|| {
            Error::Data("all hosts must have row weights, or none of them".to_owned())
        })?;
        if totals.whole_weights && largest <= MOST_REPETITIONS {
            weights.count_bits = bits_of(totals.weight as u64);
        } else {
            (weights.counts, weights.factors) = (None, Some(copied(weight)));
            weights.count_bits = bits_of(totals.n_rows);
        }
        (weights.sum, weights.largest) = (totals.weight, largest);
        Ok(weights)
    }

    /// Weights as whole numbers of one unit, which is all that the quantiles of binning need; none
    /// where every row weighs one.
    pub(super) fn repetitions(&self) -> Option<Cow<'_, [u32]>> {
        let Some(factors) = &self.factors else { return self.counts.as_deref().map(Cow::from) };
        // 20 bits of the largest weight, fewer where there are many rows.
        let unit =
            power_of_two_above(self.largest) * power_of_two(-20.min(44 - self.count_bits as i32));
        Some(factors.iter().map(|value| (value / unit).round() as u32).collect_vec().into())
    }

    /// The weight of a row.
    pub(super) fn weight(&self, row: usize) -> f64 {
        match (&self.factors, &self.counts) {
            (Some(factors), _) => factors[row],
            (None, Some(counts)) => f64::from(counts[row]),
            (None, None) => 1.0,
        }
    }

    /// The powers of two that derivatives are multiplied by before they are rounded, when
    /// derivatives of a row of weight one are at most these in size: a gradient fits 31 bits, a
    /// second derivative 32, and the sum of these the bits that the counts leave.
    pub(super) fn scales(&self, gradient: f64, hessian: f64) -> Scales {
        let fits = |room: u32, size: f64| {
            power_of_two(room as i32) / power_of_two_above(size.max(f64::MIN_POSITIVE * 1e100))
        };
        let largest = if self.factors.is_some() { self.largest } else { 1.0 };
        let sum_room = u64::BITS - 1 - self.count_bits;
        let gradient = fits(30, gradient * largest);
        let hessian = fits(31, hessian * largest).min(fits(sum_room, hessian * self.sum));
        Scales { gradient, hessian }
    }
}

/// How often each row of positive weights counts in the shares of bins.
///
/// # Errors
/// [`Error::Data`] for a weight that is not finite and above zero, with its row.
pub fn repetitions(weight: &[f64]) -> Result<Vec<u32>> {
    let weights = Weights::new(weight.len(), Some(weight))?;
    Ok(weights.repetitions().map_or_else(Vec::new, Cow::into_owned))
}

/// The factors of derivatives before rounding; powers of two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scales {
    pub(super) gradient: f64,
    pub(super) hessian: f64,
}

/// The number of bits of a sum.
fn bits_of(sum: u64) -> u32 {
    u64::BITS - sum.leading_zeros()
}

/// `2^n`, exactly, for n of the normal range; others become its ends.
fn power_of_two(n: i32) -> f64 {
    f64::from_bits(((n.clamp(-1022, 1023) + 1023) as u64) << 52)
}

/// The smallest power of two that is not below a positive number.
fn power_of_two_above(value: f64) -> f64 {
    let below = f64::from_bits(value.to_bits() & 0x7ff0_0000_0000_0000);
    if below == value { value } else { below * 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_weights_stay_whole_and_others_keep_their_ratio() {
        let whole = Weights::new(3, Some(&[1.0, 2.0, 5.0])).expect("valid");
        assert_eq!((whole.counts, whole.count_bits), (Some(vec![1, 2, 5]), 4));
        let real = Weights::new(2, Some(&[0.3, 0.1])).expect("valid");
        assert_eq!((&real.counts, real.count_bits), (&None, 2));
        let repetitions = real.repetitions().expect("weighted");
        let ratio = f64::from(repetitions[0]) / f64::from(repetitions[1]);
        assert!((ratio - 3.0).abs() < 1e-5);
    }

    #[test]
    fn sums_fit_their_words() {
        for n_rows in [1_usize, 100, 135_635, 1 << 26] {
            let weights = Weights::new(n_rows, None).expect("valid");
            let scales = weights.scales(1.0, 0.25);
            assert!(scales.gradient <= f64::from(1 << 30));
            let sum = 0.25 * n_rows as f64 * scales.hessian;
            assert!(sum <= power_of_two(63 - weights.count_bits as i32));
            assert!(0.25 * scales.hessian < 4_294_967_296.0);
        }
    }

    #[test]
    fn powers() {
        assert_eq!(power_of_two(-3), 0.125);
        assert_eq!(power_of_two_above(0.3), 0.5);
        assert_eq!(power_of_two_above(0.5), 0.5);
        assert_eq!(power_of_two_above(5.0), 8.0);
    }
}
