//! The gain of each candidate of a feature, and which candidates are allowed.

use super::candidates::{Chosen, Lanes};
use super::categories::Order;
use super::cells::Packed;
use super::histogram::BINS;
use super::score::Rules;
use super::split::SplitQuery;
use super::tree::MISSING;
use crate::kernels::LANES;

/// Requirements on both children of a split, and their total.
#[derive(Clone, Copy)]
struct Least {
    weight: f64,
    hessian: f64,
    total_weight: f64,
    total_hessian: f64,
}

impl Least {
    fn of<C: Packed>(query: &SplitQuery<'_, C>) -> Self {
        let SplitQuery { rules, parent, cells, .. } = query;
        Least {
            weight: rules.min_weight,
            hessian: rules.min_hessian * cells.len() as f64,
            total_weight: parent.weight,
            total_hessian: parent.sums.iter().map(|sums| sums.h).sum(),
        }
    }

    /// Whether one child may have this weight.
    #[inline(always)]
    fn allows_weight(&self, weight: f64) -> bool {
        (weight >= self.weight) & (self.total_weight - weight >= self.weight)
    }

    /// Whether one child may have this sum of second derivatives.
    #[inline(always)]
    fn allows_hessian(&self, hessian: f64) -> bool {
        (hessian >= self.hessian) & (self.total_hessian - hessian >= self.hessian)
    }

    /// Whether a child may have the sums of this cell.
    #[inline(always)]
    fn allows<C: Packed>(&self, weight: f64, hessian: f64) -> bool {
        let heavy = if C::COUNTED { self.allows_weight(weight) } else { true };
        heavy & self.allows_hessian(hessian)
    }
}

impl<C: Packed> SplitQuery<'_, C> {
    /// Leaves out candidates that make a child too light.
    pub(super) fn hold_to_weights(
        &self,
        order: &[u8],
        missing_left: bool,
        (count, weights): (usize, &[u64; BINS]),
        lanes: &mut Lanes<C>,
    ) {
        let least = Least::of(self);
        let mut sum = if missing_left { weights[usize::from(MISSING)] } else { 0 };
        let mut bins = order.iter().enumerate().peekable();
        for at in 0..count {
            let place = lanes.places.at(at);
            while let Some((_, &bin)) = bins.next_if(|&(next, _)| next <= place) {
                sum += weights[usize::from(bin)];
            }
            if !least.allows_weight(sum as f64) {
                lanes.gain[at] = f64::NEG_INFINITY;
            }
        }
    }

    /// The score of both children of the first `count` candidates; minus infinity where a child
    /// would be too small or out of order.
    #[inline(always)]
    pub(super) fn score(
        &self,
        order: Order<'_>,
        rest_left: bool,
        count: usize,
        lanes: &mut Lanes<C>,
    ) {
        let rules = self.rules.with_l2(self.more_l2(order));
        let limited =
            rules.limits(self.parent.bounds) || self.feature.signs.iter().any(|&sign| sign != 0);
        let least = Least::of(self);
        if !limited && self.cells.len() == 1 && rules.is_plain() {
            self.add_up(order, 0, rest_left, count, lanes);
            self.rate_plainly(rules, least, count, lanes);
            return;
        }
        lanes.gain[..count].fill(0.0);
        lanes.hessian[..count].fill(0.0);
        for output in 0..self.cells.len() {
            self.add_up(order, output, rest_left, count, lanes);
            if limited {
                self.rate::<true>(&rules, output, count, lanes);
            } else {
                self.rate::<false>(&rules, output, count, lanes);
            }
        }
        for at in 0..count {
            let (_, weight) = self.units.read(lanes.packed[at]);
            let fits = least.allows::<C>(weight, lanes.hessian[at]);
            lanes.gain[at] = if fits { lanes.gain[at] } else { f64::NEG_INFINITY };
        }
    }

    /// Sums of one output over the bins up to each candidate.
    #[inline(always)]
    fn add_up(
        &self,
        order: Order<'_>,
        output: usize,
        rest_left: bool,
        count: usize,
        lanes: &mut Lanes<C>,
    ) {
        let cells = self.cells[output];
        let mut sum = self.rest(cells, order, rest_left);
        let packed = &mut lanes.packed[..count];
        match lanes.places.chosen(count) {
            Chosen::Range(first) => {
                let bins = &order.bins[first..];
                if order.one_hot {
                    for (packed, &bin) in packed.iter_mut().zip(bins) {
                        *packed = sum.plus(cells[usize::from(bin)]);
                    }
                } else if self.feature.categorical {
                    let add = |sum: C, &bin: &u8| sum.plus(cells[usize::from(bin)]);
                    sum = order.bins[..first].iter().fold(sum, add);
                    for (packed, bin) in packed.iter_mut().zip(bins) {
                        sum = add(sum, bin);
                        *packed = sum;
                    }
                } else {
                    sum = cells[..first].iter().fold(sum, |sum, &cell| sum.plus(cell));
                    for (packed, &cell) in packed.iter_mut().zip(&cells[first..]) {
                        sum = sum.plus(cell);
                        *packed = sum;
                    }
                }
            }
            Chosen::Some(places) => {
                for (packed, &place) in packed.iter_mut().zip(places) {
                    sum = sum.plus(cells[place as usize % BINS]);
                    *packed = sum;
                }
            }
        }
    }

    /// Adds one output's scores and second derivatives to the first `count` candidates'.
    #[inline(always)]
    fn rate<const LIMITED: bool>(
        &self,
        rules: &Rules,
        output: usize,
        count: usize,
        lanes: &mut Lanes<C>,
    ) {
        let bounds = self.parent.bounds[output];
        let total = self.parent.sums[output];
        let sign = f64::from(self.feature.signs.get(output).copied().unwrap_or(0));
        let count = count.min(BINS);
        for at in 0..count {
            let (left, _) = self.units.read(lanes.packed[at]);
            let right = total.minus(left);
            let score = if LIMITED {
                let (low, high) = (rules.value(left, bounds), rules.value(right, bounds));
                let score = rules.score_at(left, low) + rules.score_at(right, high);
                if sign * (high - low) >= 0.0 { score } else { f64::NEG_INFINITY }
            } else {
                rules.score_of_both(left, right)
            };
            lanes.gain[at] += score;
            lanes.hessian[at] += left.h;
        }
    }

    /// What [`SplitQuery::score`] comes to for one output under plain rules: one pass, all of it in
    /// registers.
    #[inline(always)]
    fn rate_plainly(&self, rules: Rules, least: Least, count: usize, lanes: &mut Lanes<C>) {
        let (units, total) = (self.units, self.parent.sums[0]);
        // Whole vectors: entries beyond `count` are ignored.
        for at in 0..count.next_multiple_of(LANES).min(BINS) {
            let (left, weight) = units.read(lanes.packed[at]);
            let score = rules.score_of_both_plainly(left, total.minus(left));
            let fits = least.allows::<C>(weight, left.h);
            lanes.gain[at] = if fits { score } else { f64::NEG_INFINITY };
        }
    }
}
