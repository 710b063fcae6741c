//! The best split of a node by one feature, found by a scan of its histogram.

use super::candidates::{Lanes, Places, largest};
use super::categories::Order;
use super::cells::{Packed, Units};
use super::histogram::BINS;
use super::rows::WeightCounts;
use super::score::{Bounds, Rules, Sums};
use super::tree::{BinSet, MISSING, contains};
use crate::kernels::{FeatureCells, Simd, Task, filled_ends};
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
    /// L2 penalty on the children beyond `reg_lambda`.
    pub(super) l2: f64,
}

impl Split {
    /// Whether rows of this bin of the feature go left.
    pub(super) fn goes_left(&self, bin: u8) -> bool {
        match self.test {
            _ if bin == MISSING => self.missing_left == Some(true),
            Test::UpTo(last) => bin <= last,
            Test::In(bins) => contains(&bins, bin),
        }
    }
}

/// The node to split.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parent<'a> {
    /// Sums of each output.
    pub(super) sums: &'a [Sums],
    pub(super) weight: f64,
    /// Bounds of the values of each output.
    pub(super) bounds: &'a [Bounds],
}

impl Parent<'_> {
    /// The score of the node as a leaf.
    pub(super) fn score(&self, rules: &Rules) -> f64 {
        let limited = rules.limits(self.bounds);
        let scores = self.sums.iter().zip(self.bounds).map(|(&sums, &bounds)| {
            if limited {
                rules.score_at(sums, rules.value(sums, bounds))
            } else {
                rules.score(sums)
            }
        });
        scores.sum()
    }
}

/// Properties of a feature.
#[derive(Clone, Copy, Debug)]
pub(super) struct FeatureRules<'a> {
    pub(super) feature: usize,
    /// Bins besides the one for missing values.
    pub(super) bins: usize,
    pub(super) categorical: bool,
    /// Whether it is missing in any row of the table.
    pub(super) may_miss: bool,
    /// For each output 1 where the value must rise with the feature, -1 where it must fall, 0
    /// where it is free; empty where all are free.
    pub(super) signs: &'a [i8],
    /// A number from [0, 1) that chooses the one threshold that is tried; none to try all.
    pub(super) threshold: Option<f64>,
}

/// The input of the search for a split of a node by one feature.
#[derive(Clone, Copy, Debug)]
pub(super) struct SplitQuery<'a, C> {
    pub(super) rules: &'a Rules,
    pub(super) units: Units,
    pub(super) parent: Parent<'a>,
    /// The parent's score as a leaf.
    pub(super) parent_score: f64,
    pub(super) feature: FeatureRules<'a>,
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
    /// The side of the bins that are not in the order.
    rest_left: bool,
}

impl<C: Packed> Task for Search<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Search { query, lanes, best } = self;
        let mut memory = [0; BINS];
        let order = if query.feature.categorical {
            query.order_categories(&mut memory)
        } else {
            Order::numerical(query.feature.bins)
        };
        if order.bins.is_empty() {
            return;
        }
        let least = query.least_gain();
        let better = |cut: &BestCut| {
            cut.gain > least && best.as_ref().is_none_or(|best| cut.gain > best.gain)
        };
        let Some(mut cut) = query.best_cut::<S>(order, None, lanes).filter(better) else {
            return;
        };
        let mut has_rest = query.has_rest(order);
        if !C::COUNTED {
            let weighed = query.is_surely_heavy(order, &cut);
            if !weighed || (query.feature.may_miss && !has_rest) {
                let weights = query.weight_counts.count();
                has_rest = weights[usize::from(MISSING)] > 0;
                if !weighed {
                    let again = query.best_cut::<S>(order, Some(&weights), lanes);
                    let Some(again) = again.filter(better) else { return };
                    cut = again;
                }
            }
        }
        *best = Some(query.split(order, &cut, has_rest));
    }
}

impl<C: Packed> SplitQuery<'_, C> {
    /// Whether rows are in no bin of the order, as far as cells tell.
    #[inline(always)]
    fn has_rest(&self, order: Order<'_>) -> bool {
        order.rest.iter().any(|&bin| self.cells[0][usize::from(bin)] != C::EMPTY)
    }

    /// The minimum gain of a split. Derivatives are rounded, and rounding alone must not make a gain
    /// where there is none.
    #[inline(always)]
    fn least_gain(&self) -> f64 {
        self.rules.gamma.max(1e-9 * self.parent_score.abs())
    }

    /// The best of all cuts of an order of bins. With weights by bin given, cuts that leave a
    /// child too light are left out.
    #[inline(always)]
    fn best_cut<S: Simd>(
        &self,
        order: Order<'_>,
        weights: Option<&[u64; BINS]>,
        lanes: &mut Lanes<C>,
    ) -> Option<BestCut> {
        let has_rest = self.has_rest(order);
        // All bins left and none right is a split only where values are missing.
        let candidates = self.candidates::<S>(order, order.cuts(has_rest, false));
        let mut cut: Option<BestCut> = None;
        for rest_left in [false, true] {
            let last = order.cuts(has_rest, rest_left);
            let (from, end) = (candidates.start.min(last), candidates.end.min(last));
            if from == end || (rest_left && !has_rest) {
                continue;
            }
            let count = self.choose::<S>(from..end, &mut lanes.places);
            self.score(order, rest_left, count, lanes);
            if self.feature.categorical && !order.one_hot && self.feature.threshold.is_none() {
                self.hold_to_groups(order, count, lanes);
            }
            if let Some(weights) = weights {
                self.hold_to_weights(order.bins, rest_left, (count, weights), lanes);
            }
            let (most, at) = largest(&lanes.gain[..count]);
            let gain = most - self.parent_score;
            if count > 0 && cut.as_ref().is_none_or(|cut| gain > cut.gain) {
                cut = Some(BestCut { at: lanes.places.at(at), gain, rest_left });
            }
        }
        cut
    }

    /// Whether the second derivatives of both children alone show that they are heavy enough: a
    /// row of weight one has at most the largest.
    fn is_surely_heavy(&self, order: Order<'_>, cut: &BestCut) -> bool {
        let (left, _) = self.units.read(self.left(self.cells[0], order, cut));
        let needed = self.rules.min_weight * self.units.largest_hessian;
        left.h >= needed && self.parent.sums[0].h - left.h >= needed
    }

    /// The sum over the rows that go left.
    fn left(&self, cells: &FeatureCells<C>, order: Order<'_>, cut: &BestCut) -> C {
        let start = self.rest(cells, order, cut.rest_left);
        order.left(cut.at).iter().fold(start, |sum, &bin| sum.plus(cells[usize::from(bin)]))
    }

    /// The sum over the bins that are not in the order, if they go left.
    #[inline(always)]
    pub(super) fn rest(&self, cells: &FeatureCells<C>, order: Order<'_>, left: bool) -> C {
        let rest = if left { order.rest } else { &[] };
        rest.iter().fold(C::EMPTY, |sum, &bin| sum.plus(cells[usize::from(bin)]))
    }

    /// Which of the first `last` candidates are tried: all, or for extra-random trees one between
    /// the first and the last bin that have rows (Geurts et al. 2006, table 1).
    #[inline(always)]
    fn candidates<S: Simd>(&self, order: Order<'_>, last: usize) -> Range<usize> {
        let Some(draw) = self.feature.threshold else { return 0..last };
        // Only numerical features have thresholds: places are bins.
        let end = (last + 1).min(order.bins.len());
        match filled_ends::<S, C>(self.cells[0], end) {
            Some((from, to)) if from < last => {
                let width = to.saturating_sub(from).max(1);
                let at = from + (draw * width as f64) as usize;
                at..at + 1
            }
            _ => 0..0,
        }
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

    /// The split of a candidate.
    fn split(&self, order: Order<'_>, cut: &BestCut, has_rest: bool) -> Split {
        let read = |cells: &&FeatureCells<C>| self.units.read(self.left(cells, order, cut)).0;
        let left = self.cells.iter().map(read).collect();
        let test = if self.feature.categorical {
            let mut set = [0; 4];
            let rest = if cut.rest_left { order.rest } else { &[] };
            let bins = order.left(cut.at).iter().chain(rest).filter(|&&bin| bin != MISSING);
            bins.for_each(|&bin| set[usize::from(bin >> 6)] |= 1 << (bin & 63));
            Test::In(set)
        } else {
            Test::UpTo(cut.at as u8)
        };
        let missing_left = has_rest.then_some(cut.rest_left);
        let l2 = self.more_l2(order);
        let (gain, feature) = (cut.gain, self.feature.feature);
        Split { gain, feature, test, missing_left, left, l2 }
    }

    /// L2 penalty on the children beyond that of other splits.
    #[inline(always)]
    pub(super) fn more_l2(&self, order: Order<'_>) -> f64 {
        let ordered = self.feature.categorical && !order.one_hot;
        if ordered { self.rules.categories.l2 } else { 0.0 }
    }
}
