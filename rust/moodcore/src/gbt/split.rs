//! The best split of a node by one feature, found by walking over its histogram.

use super::candidates::{Lanes, Places, largest};
use super::cells::{Packed, Units};
use super::histogram::BINS;
use super::rows::WeightCounts;
use super::score::{Bounds, Rules, Sums};
use super::tree::{BinSet, MISSING};
use crate::kernels::{FeatureCells, Simd, Task};
use std::ops::Range;

/// The test of a split.
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
    /// The side of missing values; none where there are none, which then go with the majority.
    pub(super) missing_left: Option<bool>,
    /// Sums of each output over the rows that go left.
    pub(super) left: Vec<Sums>,
}

/// The node to split.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parent<'a> {
    /// Sums of each output.
    pub(super) sums: &'a [Sums],
    pub(super) weight: f64,
    pub(super) bounds: Bounds,
}

/// Properties of a feature.
#[derive(Clone, Copy, Debug)]
pub(super) struct FeatureRules {
    pub(super) feature: usize,
    /// Bins besides the one for missing values.
    pub(super) bins: usize,
    pub(super) categorical: bool,
    /// Whether it is missing in any row of the table.
    pub(super) may_miss: bool,
    /// 1 where the value must rise with the feature, -1 where it must fall, 0 where it is free.
    pub(super) sign: i8,
    /// A number from [0, 1) that chooses the one threshold that is tried; none to try all.
    pub(super) threshold: Option<f64>,
}

/// The input of the search for a split of a node by one feature.
#[derive(Clone, Copy, Debug)]
pub(super) struct SplitQuery<'a, C> {
    pub(super) rules: &'a Rules,
    pub(super) units: Units,
    pub(super) parent: Parent<'a>,
    pub(super) feature: FeatureRules,
    /// The feature's histogram for each output.
    pub(super) cells: &'a [&'a FeatureCells<C>],
    /// Where weights are counted when cells do not hold them.
    pub(super) weight_counts: WeightCounts<'a>,
}

/// Looks for a split by one feature that gains more than `best`.
pub(super) struct Search<'a, C> {
    pub(super) query: SplitQuery<'a, C>,
    pub(super) lanes: &'a mut Lanes<C>,
    pub(super) best: &'a mut Option<Split>,
}

/// The best cut of an order of bins.
struct BestCut {
    at: usize,
    gain: f64,
    missing_left: bool,
}

impl<C: Packed> Task for Search<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Search { query, lanes, best } = self;
        let mut order = IN_ORDER;
        let n_bins = if query.feature.categorical {
            query.order_categories(&mut order)
        } else {
            query.feature.bins
        };
        if n_bins == 0 {
            return;
        }
        let order = &order[..n_bins];
        let least = query.least_gain();
        let better = |cut: &BestCut| {
            cut.gain > least && best.as_ref().is_none_or(|best| cut.gain > best.gain)
        };
        let Some(mut cut) = query.best_cut::<S>(order, None, lanes).filter(better) else {
            return;
        };
        let mut has_missing = query.has_missing();
        if !C::COUNTED {
            let weighed = query.is_surely_heavy(order, &cut);
            if !weighed || (query.feature.may_miss && !has_missing) {
                let weights = query.weight_counts.count();
                has_missing = weights[usize::from(MISSING)] > 0;
                if !weighed {
                    let again = query.best_cut::<S>(order, Some(&weights), lanes);
                    let Some(again) = again.filter(better) else { return };
                    cut = again;
                }
            }
        }
        *best = Some(query.split(order, &cut, has_missing));
    }
}

/// The bins of a numerical feature in their order.
const IN_ORDER: [u8; BINS] = {
    let mut order = [0; BINS];
    let mut bin = 0;
    while bin < BINS {
        order[bin] = bin as u8;
        bin += 1;
    }
    order
};

impl<C: Packed> SplitQuery<'_, C> {
    /// Whether values are missing, as far as cells tell.
    #[inline(always)]
    fn has_missing(&self) -> bool {
        self.cells[0][usize::from(MISSING)] != C::EMPTY
    }

    /// The minimum gain of a split. Derivatives are rounded, and rounding alone must not make a gain
    /// where there is none.
    #[inline(always)]
    fn least_gain(&self) -> f64 {
        self.rules.gamma.max(1e-9 * self.parent_score().abs())
    }

    /// The best of all cuts of an order of bins. With weights by bin given, cuts that leave a
    /// child too light are left out.
    #[inline(always)]
    fn best_cut<S: Simd>(
        &self,
        order: &[u8],
        weights: Option<&[u64; BINS]>,
        lanes: &mut Lanes<C>,
    ) -> Option<BestCut> {
        let n_bins = order.len();
        let has_missing = self.has_missing();
        // All bins left and none right is a split only where values are missing.
        let last = if has_missing { n_bins } else { n_bins - 1 };
        let candidates = self.candidates(order, last);
        let parent = self.parent_score();
        let mut cut: Option<BestCut> = None;
        for missing_left in [false, true] {
            let last = if missing_left { n_bins - 1 } else { last };
            let (from, end) = (candidates.start.min(last), candidates.end.min(last));
            if from == end || (missing_left && !has_missing) {
                continue;
            }
            let count = self.choose::<S>(from..end, &mut lanes.places);
            self.score(order, missing_left, count, lanes);
            if let Some(weights) = weights {
                self.hold_to_weights(order, missing_left, (count, weights), lanes);
            }
            let (most, at) = largest(&lanes.gain[..count]);
            let gain = most - parent;
            if count > 0 && cut.as_ref().is_none_or(|cut| gain > cut.gain) {
                cut = Some(BestCut { at: lanes.places.at(at), gain, missing_left });
            }
        }
        cut
    }

    /// Whether the second derivatives of both children alone show that they are heavy enough: a
    /// row of weight one has at most the largest.
    fn is_surely_heavy(&self, order: &[u8], cut: &BestCut) -> bool {
        let (left, _) = self.units.read(self.left(self.cells[0], order, cut));
        let needed = self.rules.min_weight * self.units.largest_hessian;
        left.h >= needed && self.parent.sums[0].h - left.h >= needed
    }

    /// The sum over the rows that go left.
    fn left(&self, cells: &FeatureCells<C>, order: &[u8], cut: &BestCut) -> C {
        let missing = cells[usize::from(MISSING)];
        let start = if cut.missing_left { missing } else { C::EMPTY };
        order[..=cut.at].iter().fold(start, |sum, &bin| sum.plus(cells[usize::from(bin)]))
    }

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
    fn candidates(&self, order: &[u8], last: usize) -> Range<usize> {
        let Some(draw) = self.feature.threshold else { return 0..last };
        let filled = |&at: &usize| self.cells[0][usize::from(order[at])] != C::EMPTY;
        let Some(from) = (0..last).find(filled) else { return 0..0 };
        let to = (from + 1..=last.min(order.len() - 1)).rev().find(filled).unwrap_or(from + 1);
        let at = from + (draw * (to - from) as f64) as usize;
        at..at + 1
    }

    /// Chooses the candidates of a range. In a node of few rows a cut behind an empty bin parts
    /// them as the one before does, and is left out.
    #[inline(always)]
    fn choose<S: Simd>(&self, range: Range<usize>, places: &mut Places) -> usize {
        let sparse = self.parent.weight < (4 * self.feature.bins) as f64;
        let plain = self.feature.categorical || self.feature.threshold.is_some();
        if sparse && !plain {
            places.choose_filled::<S, C>(self.cells[0], range)
        } else {
            places.choose_all(range)
        }
    }

    /// Writes the categories that have rows in ascending order of their best values, which makes
    /// the best two-group split a cut of that order (Fisher 1958); returns how many they are. Ten
    /// rows' worth of the node's second derivatives is added to each, so that rare categories
    /// stay in the middle.
    fn order_categories(&self, order: &mut [u8; BINS]) -> usize {
        let energy = |cells: &FeatureCells<C>| -> f64 {
            cells.iter().map(|&cell| self.rules.score(self.units.read(cell).0)).sum()
        };
        // With several outputs, by the one that the categories explain best.
        let mut cells = self.cells[0];
        let mut most = f64::NEG_INFINITY;
        let mut total = self.parent.sums[0];
        for (&output, &sums) in self.cells.iter().zip(self.parent.sums) {
            let energy = if self.cells.len() > 1 { energy(output) } else { 0.0 };
            if energy > most {
                (cells, most, total) = (output, energy, sums);
            }
        }
        let smooth = self.rules.lambda + 10.0 * total.h / self.parent.weight;
        let mut keyed: Vec<(f64, u8)> = Vec::new();
        for (bin, &cell) in cells.iter().enumerate().take(self.feature.bins) {
            let (sums, weight) = self.units.read(cell);
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

    /// The split of a candidate.
    fn split(&self, order: &[u8], cut: &BestCut, has_missing: bool) -> Split {
        let read = |cells: &&FeatureCells<C>| self.units.read(self.left(cells, order, cut)).0;
        let left = self.cells.iter().map(read).collect();
        let test = if self.feature.categorical {
            let mut set = [0; 4];
            let bins = &order[..=cut.at];
            bins.iter().for_each(|&bin| set[usize::from(bin >> 6)] |= 1 << (bin & 63));
            Test::In(set)
        } else {
            Test::UpTo(cut.at as u8)
        };
        let missing_left = has_missing.then_some(cut.missing_left);
        let (gain, feature) = (cut.gain, self.feature.feature);
        Split { gain, feature, test, missing_left, left }
    }
}
