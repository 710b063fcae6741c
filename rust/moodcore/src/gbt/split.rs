//! The best split of a node by one feature, found by walking over its histogram.

use super::histogram::{BINS, Cell, FeatureCells, Packing, add_cell};
use super::score::{Bounds, Rules, Sums};
use super::tree::{BinSet, MISSING};
use crate::kernels::{EMPTY_PLACES, LANES, PlaceList, Simd, Task, filled_places};
use std::ops::Range;

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

/// What is asked: the split of a node by one feature.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) rules: &'a Rules,
    pub(super) units: Units,
    pub(super) parent: Parent<'a>,
    pub(super) feature: FeatureRules,
    /// The feature's histogram for each output.
    pub(super) cells: &'a [&'a FeatureCells],
}

/// Looks for a split by one feature that gains more than `best`.
pub(super) struct Search<'a> {
    pub(super) question: Question<'a>,
    pub(super) lanes: &'a mut Lanes,
    pub(super) best: &'a mut Option<Split>,
}

/// The candidates of one feature: what each sends left, and what it gains.
#[repr(align(64))]
#[derive(Debug)]
pub(super) struct Lanes {
    /// The places in the order of bins that candidates cut behind.
    places: Places,
    /// Sums of one output up to each candidate.
    packed: [Cell; BINS],
    /// Sums of second derivatives over the outputs so far.
    hessian: [f64; BINS],
    gain: [f64; BINS],
}

impl Lanes {
    pub(super) const EMPTY: Lanes = Lanes {
        places: Places::EMPTY,
        packed: [[0; 2]; BINS],
        hessian: [0.0; BINS],
        gain: [0.0; BINS],
    };
}

/// The largest of some numbers, none of which is NaN, and its first place.
#[inline(always)]
fn largest(values: &[f64]) -> (f64, usize) {
    let mut most = [f64::NEG_INFINITY; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for (most, &value) in most.iter_mut().zip(chunk) {
            *most = if value > *most { value } else { *most };
        }
    }
    for (most, &value) in most.iter_mut().zip(rest) {
        *most = if value > *most { value } else { *most };
    }
    let mut all = most[0];
    for &most in &most {
        all = if most > all { most } else { all };
    }
    for (at, chunk) in chunks.iter().enumerate() {
        let mut found = false;
        for &value in chunk {
            found |= value == all;
        }
        if found {
            return (all, at * 16 + chunk.iter().position(|&value| value == all).unwrap_or(0));
        }
    }
    let place = rest.iter().position(|&value| value == all).unwrap_or(0);
    (all, chunks.len() * 16 + place)
}

/// What both children of a split must have, and what they have together.
#[derive(Clone, Copy)]
struct Least {
    weight: f64,
    hessian: f64,
    total_weight: f64,
    total_hessian: f64,
}

impl Least {
    fn of(question: &Question<'_>) -> Self {
        let Question { rules, parent, cells, .. } = question;
        Least {
            weight: rules.min_weight,
            hessian: rules.min_hessian * cells.len() as f64,
            total_weight: parent.weight,
            total_hessian: parent.sums.iter().map(|sums| sums.h).sum(),
        }
    }

    /// Whether one child may have this weight and sum of second derivatives.
    #[inline(always)]
    fn holds(&self, weight: f64, hessian: f64) -> bool {
        (weight >= self.weight)
            & (self.total_weight - weight >= self.weight)
            & (hessian >= self.hessian)
            & (self.total_hessian - hessian >= self.hessian)
    }
}

/// The places of candidates: a range, or those in a list.
#[derive(Debug)]
struct Places {
    list: PlaceList,
    /// Where a range starts; none for a list.
    first: Option<usize>,
}

/// The candidates of a feature.
enum Chosen<'a> {
    Range(usize),
    Some(&'a [u32]),
}

impl Places {
    const EMPTY: Places = Places { list: EMPTY_PLACES, first: Some(0) };

    fn choose_all(&mut self, range: Range<usize>) -> usize {
        self.first = Some(range.start);
        range.len()
    }

    #[inline(always)]
    fn choose_filled<S: Simd>(&mut self, cells: &FeatureCells, range: Range<usize>) -> usize {
        self.first = None;
        filled_places::<S>(cells, range.end, &mut self.list)
    }

    #[inline(always)]
    fn chosen(&self, count: usize) -> Chosen<'_> {
        match self.first {
            Some(first) => Chosen::Range(first),
            None => Chosen::Some(&self.list[..count]),
        }
    }

    /// The place of a candidate.
    fn at(&self, candidate: usize) -> usize {
        self.first.map_or_else(|| self.list[candidate] as usize, |first| first + candidate)
    }
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
        let Search { question, lanes, best } = self;
        let mut order = IN_ORDER;
        let n_bins = if question.feature.categorical {
            question.order_categories(&mut order)
        } else {
            question.feature.bins
        };
        if n_bins == 0 {
            return;
        }
        let missing = question.cells[0][usize::from(MISSING)];
        let has_missing = question.units.read(missing).1 > 0.0;
        // Everything left and nothing right tells rows apart only where values are missing.
        let last = if has_missing { n_bins } else { n_bins - 1 };
        let candidates = question.candidates(&order, last);
        let parent = question.parent_score();
        let mut found: Option<Found> = None;
        for missing_left in [false, true] {
            let last = if missing_left { n_bins - 1 } else { last };
            let (from, end) = (candidates.start.min(last), candidates.end.min(last));
            if from == end || (missing_left && !has_missing) {
                continue;
            }
            let count = question.choose::<S>(from..end, &mut lanes.places);
            question.score(&order, missing_left, count, lanes);
            let (most, at) = largest(&lanes.gain[..count]);
            let gain = most - parent;
            if count > 0 && found.as_ref().is_none_or(|found| gain > found.gain) {
                found = Some(Found { at: lanes.places.at(at), gain, missing_left });
            }
        }
        // Derivatives are rounded to about 2^-30: that alone must make no gain where there is none.
        let least = question.rules.gamma.max(1e-9 * parent.abs());
        if let Some(found) = found.filter(|found| found.gain > least)
            && best.as_ref().is_none_or(|best| found.gain > best.gain)
        {
            *best = Some(question.split(&order, &found, has_missing));
        }
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

impl Question<'_> {
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
    fn candidates(&self, order: &[u8; BINS], last: usize) -> Range<usize> {
        let Some(draw) = self.feature.threshold else { return 0..last };
        let filled = |&at: &usize| self.cells[0][usize::from(order[at])][1] != 0;
        let Some(from) = (0..last).find(filled) else { return 0..0 };
        let to = (from + 1..=last.min(BINS - 2)).rev().find(filled).unwrap_or(from + 1);
        let at = from + (draw * (to - from) as f64) as usize;
        at..at + 1
    }

    /// Chooses the candidates of a range. In a node of few rows a cut behind an empty bin parts
    /// them as the one before does, and is left out.
    #[inline(always)]
    fn choose<S: Simd>(&self, range: Range<usize>, places: &mut Places) -> usize {
        let sparse = self.parent.weight < (4 * self.feature.bins) as f64 * self.units.weight;
        let plain = self.feature.categorical || self.feature.threshold.is_some();
        if sparse && !plain {
            places.choose_filled::<S>(self.cells[0], range)
        } else {
            places.choose_all(range)
        }
    }

    /// The score of both children of the first `count` candidates; minus infinity where a child
    /// would be too small or out of order.
    #[inline(always)]
    fn score(&self, order: &[u8; BINS], missing_left: bool, count: usize, lanes: &mut Lanes) {
        let limited = self.rules.limits(self.parent.bounds) || self.feature.sign != 0;
        let least = Least::of(self);
        if !limited && self.cells.len() == 1 && self.rules.is_plain() {
            self.add_up(order, 0, missing_left, count, lanes);
            self.rate_plainly(least, count, lanes);
            return;
        }
        lanes.gain[..count].fill(0.0);
        lanes.hessian[..count].fill(0.0);
        for output in 0..self.cells.len() {
            self.add_up(order, output, missing_left, count, lanes);
            if limited {
                self.rate::<true>(output, count, lanes);
            } else {
                self.rate::<false>(output, count, lanes);
            }
        }
        for at in 0..count {
            let (_, weight) = self.units.read(lanes.packed[at]);
            let fits = least.holds(weight, lanes.hessian[at]);
            lanes.gain[at] = if fits { lanes.gain[at] } else { f64::NEG_INFINITY };
        }
    }

    /// Sums of one output over the bins up to each candidate.
    #[inline(always)]
    fn add_up(
        &self,
        order: &[u8; BINS],
        output: usize,
        missing_left: bool,
        count: usize,
        lanes: &mut Lanes,
    ) {
        let cells = self.cells[output];
        let mut sum = if missing_left { cells[usize::from(MISSING)] } else { [0; 2] };
        let packed = &mut lanes.packed[..count];
        match lanes.places.chosen(count) {
            Chosen::Range(first) => {
                let bin = |at: usize| usize::from(order[at]);
                (0..first).for_each(|at| add_cell(&mut sum, cells[bin(at)]));
                if self.feature.categorical {
                    for (packed, &bin) in packed.iter_mut().zip(&order[first..]) {
                        add_cell(&mut sum, cells[usize::from(bin)]);
                        *packed = sum;
                    }
                } else {
                    for (packed, cell) in packed.iter_mut().zip(&cells[first..]) {
                        add_cell(&mut sum, *cell);
                        *packed = sum;
                    }
                }
            }
            Chosen::Some(places) => {
                for (packed, &place) in packed.iter_mut().zip(places) {
                    add_cell(&mut sum, cells[place as usize % BINS]);
                    *packed = sum;
                }
            }
        }
    }

    /// Adds one output's scores and second derivatives to the first `count` candidates'.
    #[inline(always)]
    fn rate<const LIMITED: bool>(&self, output: usize, count: usize, lanes: &mut Lanes) {
        let (rules, bounds) = (self.rules, self.parent.bounds);
        let total = self.parent.sums[output];
        let sign = f64::from(self.feature.sign);
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

    /// What [`Question::score`] comes to for one output under plain rules: one pass, all of it in
    /// registers.
    #[inline(always)]
    fn rate_plainly(&self, least: Least, count: usize, lanes: &mut Lanes) {
        let (rules, units, total) = (*self.rules, self.units, self.parent.sums[0]);
        // Whole vectors: what is beyond `count` is not looked at.
        for at in 0..count.next_multiple_of(LANES).min(BINS) {
            let (left, weight) = units.read(lanes.packed[at]);
            let score = rules.score_of_both_plainly(left, total.minus(left));
            let fits = least.holds(weight, left.h);
            lanes.gain[at] = if fits { score } else { f64::NEG_INFINITY };
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

    /// The split that a candidate stands for.
    fn split(&self, order: &[u8; BINS], found: &Found, has_missing: bool) -> Split {
        let bins = &order[..=found.at];
        let mut left = Vec::with_capacity(self.cells.len());
        let mut left_weight = 0.0;
        for cells in self.cells {
            let mut sum = if found.missing_left { cells[usize::from(MISSING)] } else { [0; 2] };
            bins.iter().for_each(|&bin| add_cell(&mut sum, cells[usize::from(bin)]));
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
