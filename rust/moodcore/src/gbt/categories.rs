//! The order of a feature's bins in which cuts are tried. For categories the order is by their
//! gradients, and regularized: an order that is fitted to the labels overfits otherwise.
//!
//! Names and meaning of the rules are LightGBM's: `max_cat_to_onehot`, `cat_smooth`, `cat_l2`,
//! `max_cat_threshold` and `min_data_per_group`.

use super::candidates::Lanes;
use super::cells::Packed;
use super::config::Config;
use super::histogram::BINS;
use super::split::SplitQuery;
use super::tree::MISSING;
use crate::kernels::FeatureCells;

/// The regularization of splits of categories.
#[derive(Clone, Copy, Debug)]
pub(super) struct CategoryRules {
    max_to_onehot: usize,
    max_threshold: usize,
    smooth: f64,
    /// L2 penalty on the children of splits of ordered categories, beyond that of other splits.
    pub(super) l2: f64,
    min_group: f64,
}

impl CategoryRules {
    pub(super) fn of(config: &Config) -> Self {
        CategoryRules {
            max_to_onehot: config.max_cat_to_onehot,
            max_threshold: config.max_cat_threshold,
            smooth: config.cat_smooth,
            l2: config.cat_l2,
            min_group: config.min_data_per_group,
        }
    }

    /// Whether categories are split one against the others.
    pub(super) fn one_hot(&self, n_categories: usize) -> bool {
        n_categories <= self.max_to_onehot
    }
}

/// The bins of a feature in the order of cuts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order<'a> {
    /// The bins that cuts part.
    pub(super) bins: &'a [u8],
    /// The bins that are on one side together: that of missing values, and of categories those
    /// that have too few rows to have a place in the order.
    pub(super) rest: &'a [u8],
    /// Whether a cut sends one bin left, not all bins up to it.
    pub(super) one_hot: bool,
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

impl<'a> Order<'a> {
    /// The bins of a numerical feature.
    #[inline(always)]
    pub(super) fn numerical(n_bins: usize) -> Self {
        Order { bins: &IN_ORDER[..n_bins], rest: &[MISSING], one_hot: false }
    }

    /// The bins that a cut sends left, apart from the rest.
    #[inline(always)]
    pub(super) fn left(&self, at: usize) -> &'a [u8] {
        if self.one_hot { &self.bins[at..=at] } else { &self.bins[..=at] }
    }

    /// How many cuts leave neither side empty.
    #[inline(always)]
    pub(super) fn cuts(&self, has_rest: bool, rest_left: bool) -> usize {
        let n_bins = self.bins.len();
        let all_but_one_side = has_rest && !rest_left;
        if self.one_hot {
            if n_bins > 1 || all_but_one_side { n_bins } else { 0 }
        } else if all_but_one_side {
            n_bins
        } else {
            n_bins.saturating_sub(1)
        }
    }
}

impl<C: Packed> SplitQuery<'_, C> {
    /// The order of the categories in this node. Few categories are split one against the others.
    /// More are ordered by their best values, which makes the best two-group split a cut of that
    /// order (Fisher 1958), smoothed so that rare categories stay in the middle.
    pub(super) fn order_categories<'m>(&self, memory: &'m mut [u8; BINS]) -> Order<'m> {
        let rules = self.rules.categories;
        let one_hot = rules.one_hot(self.feature.bins);
        let cells = self.explained_output();
        let least = if one_hot { 0.0 } else { rules.smooth };
        let mut keyed: Vec<(f64, u8)> = Vec::with_capacity(self.feature.bins);
        let mut last = BINS;
        let mut put_last = |bin: u8, memory: &mut [u8; BINS]| {
            last -= 1;
            memory[last] = bin;
            last
        };
        let mut rest = put_last(MISSING, memory);
        for (bin, &cell) in cells.iter().enumerate().take(self.feature.bins) {
            let (sums, weight) = self.units.read(cell);
            if weight > 0.0 && weight >= least {
                let smoothed = (sums.h + rules.smooth).max(f64::MIN_POSITIVE);
                keyed.push((if one_hot { 0.0 } else { sums.g / smoothed }, bin as u8));
            } else {
                rest = put_last(bin as u8, memory);
            }
        }
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (place, &(_, bin)) in memory.iter_mut().zip(&keyed) {
            *place = bin;
        }
        let (bins, rest) = memory.split_at(rest);
        Order { bins: &bins[..keyed.len()], rest, one_hot }
    }

    /// The cells of the output that the categories explain best.
    fn explained_output(&self) -> &FeatureCells<C> {
        let energy = |cells: &FeatureCells<C>| -> f64 {
            cells.iter().map(|&cell| self.rules.score(self.units.read(cell).0)).sum()
        };
        let mut best = self.cells[0];
        let mut most = f64::NEG_INFINITY;
        for &output in self.cells {
            let energy = if self.cells.len() > 1 { energy(output) } else { 0.0 };
            if energy > most {
                (best, most) = (output, energy);
            }
        }
        best
    }

    /// Leaves out cuts of ordered categories that have too many categories on both sides, or too
    /// few rows between them and the last one that is tried, counted from either end.
    pub(super) fn hold_to_groups(&self, order: Order<'_>, count: usize, lanes: &mut Lanes<C>) {
        let rules = self.rules.categories;
        let n_bins = order.bins.len();
        let mut tried = [false; BINS];
        for backwards in [false, true] {
            let (mut taken, mut since) = (0.0, 0.0);
            for step in 0..n_bins.min(rules.max_threshold) {
                let at = if backwards { n_bins - 1 - step } else { step };
                let (_, weight) = self.units.read(self.cells[0][usize::from(order.bins[at])]);
                taken += weight;
                since += weight;
                if self.parent.weight - taken < rules.min_group {
                    break;
                }
                let cut = if backwards { at.checked_sub(1) } else { Some(at) };
                if let (Some(cut), true) = (cut, since >= rules.min_group) {
                    tried[cut] = true;
                    since = 0.0;
                }
            }
        }
        for (gain, tried) in lanes.gain[..count].iter_mut().zip(tried) {
            *gain = if tried { *gain } else { f64::NEG_INFINITY };
        }
    }
}
