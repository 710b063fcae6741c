//! The best split of a node by one feature, found by walking over its histogram.

use super::histogram::{BINS, Cell, FeatureCells, Packing, add};
use super::score::{Bounds, Rules, Sums};
use super::tree::{BinSet, MISSING};
use crate::kernels::{Simd, Task};

/// How rows are told apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Test {
    /// Bins up to this one go left.
    UpTo(u8),
    /// Bins of this set go left.
    In(BinSet),
}

/// A split that a node could make.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Split {
    pub(super) gain: f64,
    pub(super) feature: usize,
    pub(super) test: Test,
    pub(super) missing_left: bool,
    /// Sums of each output over the rows that go left.
    pub(super) left: Vec<Sums>,
    pub(super) left_weight: f64,
}

/// What integers in histograms are worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Units {
    pub(super) packing: Packing,
    pub(super) gradient: f64,
    pub(super) hessian: f64,
    pub(super) weight: f64,
}

impl Units {
    /// Sums and weight of a packed cell. Below 2^53 the conversion is exact, so that differences
    /// of sums are sums of differences.
    #[inline(always)]
    pub(super) fn read(&self, cell: Cell) -> (Sums, f64) {
        let (g, h, count) = self.packing.unpack(cell);
        let sums = Sums { g: g as f64 * self.gradient, h: h as f64 * self.hessian };
        (sums, count as f64 * self.weight)
    }
}

/// The node that is to be split.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parent<'a> {
    /// Sums of each output.
    pub(super) sums: &'a [Sums],
    pub(super) weight: f64,
    pub(super) bounds: Bounds,
}

/// What a feature allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct FeatureRules {
    pub(super) feature: usize,
    /// Bins besides the one for missing values.
    pub(super) bins: usize,
    pub(super) categorical: bool,
    /// 1 where the value must rise with the feature, -1 where it must fall, 0 where it is free.
    pub(super) sign: i8,
    /// A number from [0, 1) that chooses the one threshold that is tried; none to try all.
    pub(super) threshold: Option<f64>,
}

/// Looks for a split by one feature that gains more than `best`.
pub(super) struct Search<'a> {
    pub(super) rules: &'a Rules,
    pub(super) units: Units,
    pub(super) parent: Parent<'a>,
    pub(super) feature: FeatureRules,
    /// The feature's histogram for each output.
    pub(super) cells: &'a [&'a FeatureCells],
    pub(super) best: &'a mut Option<Split>,
}

/// Sums over the first candidates, and what each candidate gains.
struct Lanes {
    g: [f64; BINS],
    h: [f64; BINS],
    weight: [f64; BINS],
    hessian: [f64; BINS],
    gain: [f64; BINS],
}

/// The best of a row of candidates.
struct Found {
    at: usize,
    gain: f64,
    missing_left: bool,
}

impl Task for Search<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let mut order = [0_u8; BINS];
        let n_bins = if self.feature.categorical {
            self.order_categories(&mut order)
        } else {
            for (bin, place) in order.iter_mut().enumerate() {
                *place = bin as u8;
            }
            self.feature.bins
        };
        if n_bins == 0 {
            return;
        }
        let missing = self.cells[0][usize::from(MISSING)];
        let (_, missing_weight) = self.units.read(missing);
        let has_missing = missing_weight > 0.0;
        // Everything left and nothing right tells rows apart only where values are missing.
        let last = if has_missing { n_bins } else { n_bins - 1 };
        let candidates = self.candidates(&order, last);
        let mut lanes = Lanes {
            g: [0.0; BINS],
            h: [0.0; BINS],
            weight: [0.0; BINS],
            hessian: [0.0; BINS],
            gain: [0.0; BINS],
        };
        let parent = self.parent_score();
        let mut found: Option<Found> = None;
        let directions: &[bool] = if has_missing { &[false, true] } else { &[false] };
        for &missing_left in directions {
            let last = if missing_left { n_bins - 1 } else { last };
            let range = candidates.start.min(last)..candidates.end.min(last);
            if range.is_empty() {
                continue;
            }
            self.score(&order, missing_left, range.clone(), &mut lanes);
            let gains = &lanes.gain[range.clone()];
            let most = gains.iter().fold(f64::NEG_INFINITY, |m, &gain| if gain > m { gain } else { m });
            let at = gains.iter().position(|&gain| gain == most).unwrap_or(0);
            let gain = most - parent;
            if found.as_ref().is_none_or(|found| gain > found.gain) {
                found = Some(Found { at: range.start + at, gain, missing_left });
            }
        }
        // Rounding alone must not make a gain of a split that changes nothing.
        let least = self.rules.gamma.max(1e-12 * parent.abs());
        if let Some(found) = found.filter(|found| found.gain > least) {
            if self.best.as_ref().is_none_or(|best| found.gain > best.gain) {
                *self.best = Some(self.split(&order, &found, has_missing));
            }
        }
    }
}

impl Search<'_> {
    /// The score of the node as a leaf.
    #[inline(always)]
    fn parent_score(&self) -> f64 {
        let limited = self.rules.limits(self.parent.bounds);
        let scores = self.parent.sums.iter().map(|&sums| {
            if limited {
                self.rules.score_at(sums, self.rules.value(sums, self.parent.bounds))
            } else {
                self.rules.score(sums)
            }
        });
        scores.sum()
    }

    /// Which of the first `last` candidates are tried: all, or for extra-random trees one between
    /// the first and the last bin that have rows (Geurts et al. 2006, table 1).
    #[inline(always)]
    fn candidates(&self, order: &[u8; BINS], last: usize) -> std::ops::Range<usize> {
        let Some(draw) = self.feature.threshold else { return 0..last };
        let filled = |&at: &usize| self.cells[0][usize::from(order[at])][1] != 0;
        let Some(from) = (0..last).find(filled) else { return 0..0 };
        let to = (from + 1..=last.min(BINS - 2)).rev().find(filled).unwrap_or(from + 1);
        let at = from + (draw * (to - from) as f64) as usize;
        at..at + 1
    }

    /// The gain of each candidate, less the score of the parent; minus infinity where a child
    /// would be too small or out of order.
    #[inline(always)]
    fn score(
        &self,
        order: &[u8; BINS],
        missing_left: bool,
        range: std::ops::Range<usize>,
        lanes: &mut Lanes,
    ) {
        let limited = self.rules.limits(self.parent.bounds) || self.feature.sign != 0;
        let n_outputs = self.cells.len();
        let end = range.end;
        lanes.gain[..end].fill(0.0);
        lanes.hessian[..end].fill(0.0);
        for (output, cells) in self.cells.iter().enumerate() {
            self.add_up(order, cells, missing_left, end, lanes);
            let total = self.parent.sums[output];
            if limited {
                self.score_limited(total, end, lanes);
            } else {
                self.score_free(total, end, lanes);
            }
        }
        let all: f64 = self.parent.sums.iter().map(|sums| sums.h).sum();
        let least = self.rules.min_hessian * n_outputs as f64;
        let rules = self.rules;
        let weight = self.parent.weight;
        for at in 0..end {
            let (w, h) = (lanes.weight[at], lanes.hessian[at]);
            let fits = (w >= rules.min_weight)
                & (weight - w >= rules.min_weight)
                & (h >= least)
                & (all - h >= least);
            lanes.gain[at] = if fits { lanes.gain[at] } else { f64::NEG_INFINITY };
        }
    }

    /// Sums of one output over the bins up to each candidate.
    #[inline(always)]
    fn add_up(
        &self,
        order: &[u8; BINS],
        cells: &FeatureCells,
        missing_left: bool,
        end: usize,
        lanes: &mut Lanes,
    ) {
        let mut sum = if missing_left { cells[usize::from(MISSING)] } else { [0; 2] };
        let mut packed = [[0; 2]; BINS];
        if self.feature.categorical {
            for (packed, &bin) in packed.iter_mut().zip(order).take(end) {
                add(&mut sum, cells[usize::from(bin)]);
                *packed = sum;
            }
        } else {
            for (packed, cell) in packed.iter_mut().zip(cells).take(end) {
                add(&mut sum, *cell);
                *packed = sum;
            }
        }
        for at in 0..end {
            let (sums, weight) = self.units.read(packed[at]);
            lanes.g[at] = sums.g;
            lanes.h[at] = sums.h;
            lanes.weight[at] = weight;
            lanes.hessian[at] += sums.h;
        }
    }

    #[inline(always)]
    fn score_free(&self, total: Sums, end: usize, lanes: &mut Lanes) {
        for at in 0..end {
            let left = Sums { g: lanes.g[at], h: lanes.h[at] };
            lanes.gain[at] += self.rules.score(left) + self.rules.score(total.minus(left));
        }
    }

    #[inline(always)]
    fn score_limited(&self, total: Sums, end: usize, lanes: &mut Lanes) {
        let (rules, bounds) = (self.rules, self.parent.bounds);
        let sign = f64::from(self.feature.sign);
        for at in 0..end {
            let left = Sums { g: lanes.g[at], h: lanes.h[at] };
            let right = total.minus(left);
            let (low, high) = (rules.value(left, bounds), rules.value(right, bounds));
            let gain = rules.score_at(left, low) + rules.score_at(right, high);
            let ordered = sign * (high - low) >= 0.0;
            lanes.gain[at] += if ordered { gain } else { f64::NEG_INFINITY };
        }
    }

    /// Writes the categories that have rows in ascending order of their best values, which makes
    /// the best two-group split a cut of that order (Fisher 1958); gives how many they are. Ten
    /// rows' worth of the node's second derivatives is added to each, so that rare categories
    /// stay in the middle.
    fn order_categories(&self, order: &mut [u8; BINS]) -> usize {
        let energy = |cells: &FeatureCells| -> f64 {
            cells.iter().map(|&cell| self.rules.score(self.units.read(cell).0)).sum()
        };
        // With several outputs, by the one that the categories tell most about.
        let mut cells = self.cells[0];
        let mut most = f64::NEG_INFINITY;
        let mut total = self.parent.sums[0];
        for (&own, &sums) in self.cells.iter().zip(self.parent.sums) {
            let energy = if self.cells.len() > 1 { energy(own) } else { 0.0 };
            if energy > most {
                (cells, most, total) = (own, energy, sums);
            }
        }
        let smooth = self.rules.lambda + 10.0 * total.h / self.parent.weight;
        let mut keyed: Vec<(f64, u8)> = Vec::new();
        for bin in 0..self.feature.bins {
            let (sums, weight) = self.units.read(cells[bin]);
            if weight > 0.0 {
                keyed.push((sums.g / (sums.h + smooth).max(f64::MIN_POSITIVE), bin as u8));
            }
        }
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (place, &(_, bin)) in order.iter_mut().zip(&keyed) {
            *place = bin;
        }
        keyed.len()
    }

    /// The split that a candidate stands for.
    fn split(&self, order: &[u8; BINS], found: &Found, has_missing: bool) -> Split {
        let bins = &order[..=found.at];
        let mut left = Vec::with_capacity(self.cells.len());
        let mut left_weight = 0.0;
        for cells in self.cells {
            let mut sum = if found.missing_left { cells[usize::from(MISSING)] } else { [0; 2] };
            bins.iter().for_each(|&bin| add(&mut sum, cells[usize::from(bin)]));
            let (sums, weight) = self.units.read(sum);
            left.push(sums);
            left_weight = weight;
        }
        let test = if self.feature.categorical {
            let mut set = [0; 4];
            bins.iter().for_each(|&bin| set[usize::from(bin >> 6)] |= 1 << (bin & 63));
            Test::In(set)
        } else {
            Test::UpTo(found.at as u8)
        };
        // Values that were never missing in training go with the majority.
        let larger_left = left_weight >= self.parent.weight - left_weight;
        let missing_left = if has_missing { found.missing_left } else { larger_left };
        let (gain, feature) = (found.gain, self.feature.feature);
        Split { gain, feature, test, missing_left, left, left_weight }
    }
}
