//! Histogram cells in two widths: the packed sums of the rows of a bin.
//!
//! A wide cell has room for any sum to some thirty bits of a derivative, and for the sum of
//! weights. A narrow one has half a word for each derivative and none for weights: its histograms
//! take half of the first-level cache and of the time, and in large nodes histograms take most of
//! the time. Derivatives are rounded to what leaves room for the sums over all rows of the tree: to
//! about 2^-31 times the number of rows, relative to their mean. Weights, which only decide
//! whether a child is large enough, are counted where second derivatives leave that open.

use super::gradients::Pair;
use super::node_search::Histogram;
use super::score::Sums;
use super::weights::{Scales, Weights};
use super::workspace::Workspace;
use crate::kernels::{Cell, NarrowCell, WideCell};

/// The sum of weights from which narrow cells are faster; below it derivatives keep all their bits.
/// Tests meet them early.
pub(super) const FEWEST: u64 = if cfg!(test) { 400 } else { 1 << 13 };

/// Up to where narrow cells leave derivatives ten bits or more of their mean.
const MOST: u64 = 1 << 21;

/// What integers in histograms are worth, and how cells hold them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Units {
    pub(super) gradient: f64,
    pub(super) hessian: f64,
    /// Bits of a wide cell's second word that hold the sum of weights.
    pub(super) count_bits: u32,
    /// The largest second derivative of a row of weight one.
    pub(super) largest_hessian: f64,
    /// What narrow cells leave out of derivatives.
    pub(super) dropped: Dropped,
}

/// Sums of the derivatives of the rows of a bin, packed.
pub(super) trait Packed: Cell {
    /// Whether cells hold the sum of weights.
    const COUNTED: bool;

    /// The cell of one row whose derivatives count this many times.
    fn of(pair: Pair, times: u32, count: u32, units: &Units) -> Self;

    /// The sums in integers: gradients, second derivatives, weights.
    fn unpack(self, units: &Units) -> (i64, u64, u64);

    /// Appends the cell to a message.
    fn to_words(self, words: &mut Vec<u64>);

    /// Takes a cell from the front of a message.
    fn from_words(words: &mut &[u64]) -> Self;

    /// Histograms to reuse.
    fn pool(workspace: &mut Workspace) -> &mut Vec<Histogram<Self>>;
}

impl Packed for WideCell {
    const COUNTED: bool = true;

    #[inline(always)]
    fn of(pair: Pair, times: u32, count: u32, units: &Units) -> Self {
        let g = i64::from(pair.g) * i64::from(times);
        let h = u64::from(pair.h) * u64::from(times);
        [g as u64, (h << units.count_bits) | u64::from(count)]
    }

    #[inline(always)]
    fn unpack(self, units: &Units) -> (i64, u64, u64) {
        let counts = self[1] & ((1 << units.count_bits) - 1);
        (self[0] as i64, self[1] >> units.count_bits, counts)
    }

    fn to_words(self, words: &mut Vec<u64>) {
        words.extend(self);
    }

    fn from_words(words: &mut &[u64]) -> Self {
        let Some((&cell, rest)) = words.split_first_chunk() else { return Self::EMPTY };
        *words = rest;
        cell
    }

    fn pool(workspace: &mut Workspace) -> &mut Vec<Histogram<Self>> {
        &mut workspace.wide
    }
}

impl Packed for NarrowCell {
    const COUNTED: bool = false;

    #[inline(always)]
    fn of(pair: Pair, times: u32, _: u32, units: &Units) -> Self {
        let pair = units.dropped.from(pair);
        let word = (u64::from(pair.g as u32) << 32) | u64::from(pair.h);
        // The product of the lower half stays in it.
        word.wrapping_mul(u64::from(times))
    }

    #[inline(always)]
    fn unpack(self, _: &Units) -> (i64, u64, u64) {
        (i64::from((self >> 32) as i32), self & u64::from(u32::MAX), 0)
    }

    fn to_words(self, words: &mut Vec<u64>) {
        words.push(self);
    }

    fn from_words(words: &mut &[u64]) -> Self {
        let Some((&cell, rest)) = words.split_first() else { return Self::EMPTY };
        *words = rest;
        cell
    }

    fn pool(workspace: &mut Workspace) -> &mut Vec<Histogram<Self>> {
        &mut workspace.narrow
    }
}

/// The number of low bits that narrow cells drop.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dropped {
    gradient: u32,
    hessian: u32,
    /// Half of the last place that is kept.
    half: Pair,
}

impl Dropped {
    fn new(gradient: u32, hessian: u32) -> Self {
        let half = |bits: u32| (1_u32 << bits) >> 1;
        Dropped { gradient, hessian, half: Pair { g: half(gradient) as i32, h: half(hessian) } }
    }

    /// Derivatives without these bits, rounded. The halves are at most 2^20 ([`MOST`]), so that no
    /// sum wraps.
    #[inline(always)]
    pub(super) fn from(self, pair: Pair) -> Pair {
        let g = pair.g.wrapping_add(self.half.g) >> self.gradient;
        let h = pair.h.wrapping_add(self.half.h) >> self.hessian;
        Pair { g, h }
    }
}

impl Units {
    /// The units of wide cells, where derivatives were multiplied by the scales of gradients.
    pub(super) fn wide(scales: Scales, weights: &Weights) -> Self {
        Units {
            gradient: 1.0 / scales.gradient,
            hessian: 1.0 / scales.hessian,
            count_bits: weights.count_bits,
            largest_hessian: f64::INFINITY,
            dropped: Dropped::default(),
        }
    }

    /// The same for narrow cells with room for rows that are that large together; none where they
    /// do not pay, or derivatives would lose too much.
    pub(super) fn narrowed(self, sizes: Sizes) -> Option<Self> {
        if !(FEWEST..=MOST).contains(&sizes.count) {
            return None;
        }
        // Rounding adds at most half a unit per row.
        let bits = |sum: u64, most: u64| {
            (0..=MOST.ilog2()).find(|&bits| (sum >> bits) + sizes.count <= most)
        };
        let dropped = Dropped::new(
            bits(sizes.gradient, i32::MAX as u64)?,
            bits(sizes.hessian, u64::from(u32::MAX))?,
        );
        let largest = dropped.from(Pair { g: 0, h: sizes.largest_hessian });
        let times = |unit: f64, bits: u32| unit * (1_u64 << bits) as f64;
        let hessian = times(self.hessian, dropped.hessian);
        Some(Units {
            gradient: times(self.gradient, dropped.gradient),
            hessian,
            largest_hessian: f64::from(largest.h) * hessian,
            dropped,
            ..self
        })
    }

    /// Sums and weight of a cell. Below 2^53 the conversion is exact, so that differences of sums
    /// are sums of differences.
    #[inline(always)]
    pub(super) fn read<C: Packed>(&self, cell: C) -> (Sums, f64) {
        let (g, h, count) = cell.unpack(self);
        let sums = Sums { g: g as f64 * self.gradient, h: h as f64 * self.hessian };
        (sums, count as f64)
    }
}

/// The total size of the derivatives of some rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sizes {
    /// The sum of absolute gradients, in their integer units.
    pub(super) gradient: u64,
    /// The sum of second derivatives.
    pub(super) hessian: u64,
    /// The largest second derivative of a row of weight one.
    pub(super) largest_hessian: u32,
    /// The sum of weights.
    pub(super) count: u64,
}

impl Sizes {
    /// Adds the derivatives of a row that count this many times, and its weight.
    #[inline(always)]
    pub(super) fn add(&mut self, pair: Pair, times: u32, count: u32) {
        self.gradient += u64::from(pair.g.unsigned_abs()) * u64::from(times);
        self.hessian += u64::from(pair.h) * u64::from(times);
        self.largest_hessian = self.largest_hessian.max(pair.h);
        self.count += u64::from(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn units() -> Units {
        let weights = Weights::new(1 << 20, None).expect("valid");
        Units::wide(weights.scales(1.0, 0.25), &weights)
    }

    proptest! {
        #[test]
        fn narrow_sums_fit_and_lose_half_a_unit_a_row(
            rows in prop::collection::vec((-(1 << 30)..=1_i32 << 30, 0..=1_u32 << 31, 1..2000_u32), 1..60),
            // From tables of equal rows to those of few that matter.
            small in 0..31_u32,
        ) {
            let mut sizes = Sizes::default();
            let shrunk = |at: usize, pair: Pair| {
                if at == 0 { pair } else { Pair { h: pair.h >> small, g: pair.g >> small } }
            };
            let rows: Vec<(Pair, u32)> = rows.iter().enumerate()
                .map(|(at, &(g, h, times))| (shrunk(at, Pair { h, g }), times)).collect();
            for &(pair, times) in &rows {
                sizes.gradient += u64::from(pair.g.unsigned_abs()) * u64::from(times);
                sizes.hessian += u64::from(pair.h) * u64::from(times);
                sizes.largest_hessian = sizes.largest_hessian.max(pair.h);
                sizes.count += u64::from(times);
            }
            let wide = units();
            let Some(narrow) = wide.narrowed(sizes) else {
                prop_assert!(!(FEWEST..=MOST).contains(&sizes.count));
                return Ok(());
            };
            let dropped = narrow.dropped;
            let (mut sums, mut cell) = ((0_i128, 0_i128), NarrowCell::EMPTY);
            for &(pair, times) in &rows {
                let short = dropped.from(pair);
                let loss = (f64::from(short.g) * narrow.gradient - f64::from(pair.g) * wide.gradient).abs();
                prop_assert!(loss <= narrow.gradient / 2.0);
                let loss = (f64::from(short.h) * narrow.hessian - f64::from(pair.h) * wide.hessian).abs();
                prop_assert!(loss <= narrow.hessian / 2.0);
                prop_assert!(f64::from(short.h) * narrow.hessian <= narrow.largest_hessian);
                sums.0 += i128::from(short.g) * i128::from(times);
                sums.1 += i128::from(short.h) * i128::from(times);
                cell = cell.plus(NarrowCell::of(pair, times, times, &narrow));
                let (g, h, _) = cell.unpack(&narrow);
                prop_assert_eq!((i128::from(g), i128::from(h)), sums);
            }
            // Sums that are rounded up still fit, and no bit is dropped that would have fitted.
            prop_assert!((sizes.gradient >> dropped.gradient) + sizes.count <= i32::MAX as u64);
            prop_assert!((sizes.hessian >> dropped.hessian) + sizes.count <= u64::from(u32::MAX));
            let room = |sum: u64, bits: u32, most: u64| bits == 0 || (sum >> (bits - 1)) + sizes.count > most;
            prop_assert!(room(sizes.gradient, dropped.gradient, i32::MAX as u64));
            prop_assert!(room(sizes.hessian, dropped.hessian, u64::from(u32::MAX)));
        }
    }
}
