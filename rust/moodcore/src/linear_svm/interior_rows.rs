//! What the interior point method does with the rows of a block.
//!
//! The options of a block lie one after another, each with one entry a row. For one row, with
//! `t_k = a_k / s_k`, `T` the sum of the `t_k` and `v_k` the change of `-e_k` negated, a step
//! towards `s_k a_k = m_k` is
//!
//! ```text
//! bound' = (sum m_k / s_k - 1 + sum t_k v_k) / T,  s_k' = bound' - v_k,
//! a_k'   = m_k / s_k - a_k - t_k s_k',
//! ```
//!
//! and put into the equation of the weights it leaves the matrix `t_k [k = l] - t_k t_l / T` on the
//! left, and the shares `m_k / s_k - t_k (sum m_k / s_k - 1) / T` on the right.

use super::interior::Choices;
use super::table::{BLOCK, dot};
use crate::kernels::{Simd, Task};
use std::ops::Range;
use std::sync::atomic::Ordering;

/// Slacks and shares of a block's rows, and the direction in which they shall go.
#[derive(Debug)]
struct Rows {
    slack: Vec<f64>,
    share: Vec<f64>,
    slack_step: Vec<f64>,
    share_step: Vec<f64>,
}

/// Blocks that one thread works on at a time, and what it found.
#[derive(Debug)]
pub(super) struct Stretch {
    blocks: Range<usize>,
    rows: Vec<Rows>,
    pub(super) sums: Partial,
}

/// Sums over rows; which of them are filled depends on the pass.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// Cost times bound.
    pub(super) loss: f64,
    /// Cost times slack times share.
    pub(super) products: f64,
    /// What the shares pull the weights to: the sum of `cost ([k is own] - a_k) x`.
    pub(super) force: Vec<f64>,
    /// The same for the shares that a step would lead to if no weight changed.
    pub(super) pull: Vec<f64>,
    /// The rows' part of the matrix: a packed triangle for each pair of options.
    pub(super) triangles: Vec<f64>,
    /// The largest share of itself that a slack or share loses by the step.
    pub(super) steepest: f64,
    /// By how much `products` changes with the step's length, and with its square.
    pub(super) first_order: f64,
    pub(super) second_order: f64,
}

impl Partial {
    pub(super) fn add(&mut self, other: &Partial) {
        self.loss += other.loss;
        self.products += other.products;
        self.first_order += other.first_order;
        self.second_order += other.second_order;
        self.steepest = self.steepest.max(other.steepest);
        for (sums, others) in [
            (&mut self.force, &other.force),
            (&mut self.pull, &other.pull),
            (&mut self.triangles, &other.triangles),
        ] {
            sums.resize(others.len().max(sums.len()), 0.0);
            sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
        }
    }
}

/// What a pass does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sort<'a> {
    /// Sums up matrix and right side of the equations for a target of zero.
    Equations,
    /// Finds the direction that belongs to a step of the weights. With a target, that is corrected
    /// by the products of the direction found before.
    Direction {
        /// The change of the weights.
        step: &'a [f64],
        /// What slack times share shall become.
        target: Option<f64>,
    },
    /// Sums up the right side for a target, corrected.
    Correction {
        /// What slack times share shall become.
        target: f64,
    },
    /// Goes along the direction.
    Move {
        /// The share of it.
        length: f64,
    },
}

impl Stretch {
    /// At zero weights every other option lacks one: a bound of two is above all of them.
    pub(super) fn new(choices: &Choices<'_>, blocks: Range<usize>) -> Self {
        let n_options = choices.n_options;
        let start = |block| {
            let own = &choices.own[choices.table.rows(block)];
            let options = (0..n_options).flat_map(|k| own.iter().map(move |&o| o as usize == k));
            let slack: Vec<f64> = options.map(|own| if own { 2.0 } else { 1.0 }).collect();
            let zeros = vec![0.0; slack.len()];
            let share = vec![1.0 / n_options as f64; slack.len()];
            Rows { slack, share, slack_step: zeros.clone(), share_step: zeros }
        };
        let rows = blocks.clone().map(start).collect();
        Stretch { blocks, rows, sums: Partial::default() }
    }
}

/// One pass over one stretch.
pub(super) struct StretchTask<'t> {
    pub(super) choices: &'t Choices<'t>,
    pub(super) sort: Sort<'t>,
    pub(super) stretch: &'t mut Stretch,
}

impl Task for StretchTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let StretchTask { choices, sort, stretch } = self;
        let size = choices.n_free() * choices.ridge.len();
        let mut room = Room::new(choices.n_options);
        stretch.sums = Partial::default();
        stretch.sums.pull = vec![0.0; size];
        if let Sort::Equations = sort {
            let pairs = choices.n_free() * choices.n_options / 2;
            let each = choices.ridge.len() * (choices.ridge.len() + 1) / 2;
            stretch.sums.force = vec![0.0; size];
            stretch.sums.triangles = vec![0.0; pairs * each];
        }
        for (block, rows) in stretch.blocks.clone().zip(&mut stretch.rows) {
            if choices.stop.load(Ordering::Relaxed) {
                return;
            }
            let sums = &mut stretch.sums;
            match sort {
                Sort::Equations => equations(choices, block, rows, &mut room, sums),
                Sort::Direction { step, target } => {
                    targets(rows, target, &mut room);
                    direction(choices, block, rows, step, &mut room, sums);
                }
                Sort::Correction { target } => {
                    targets(rows, Some(target), &mut room);
                    pull(choices, block, rows, &mut room, sums);
                }
                Sort::Move { length } => {
                    for (value, step) in
                        [(&mut rows.slack, &rows.slack_step), (&mut rows.share, &rows.share_step)]
                    {
                        value.iter_mut().zip(step).for_each(|(v, d)| *v += length * d);
                    }
                }
            }
        }
    }
}

/// Room for intermediate values of one block: by option and row, and by row.
struct Room {
    /// The `m_k / s_k`.
    aimed: Vec<f64>,
    change: Vec<f64>,
    total: [f64; BLOCK],
    lacking: [f64; BLOCK],
    factor: [f64; BLOCK],
    scaled: [f64; BLOCK],
}

impl Room {
    fn new(n_options: usize) -> Self {
        let by_option = vec![0.0; n_options * BLOCK];
        let by_row = [0.0; BLOCK];
        Room {
            aimed: by_option.clone(),
            change: by_option,
            total: by_row,
            lacking: by_row,
            factor: by_row,
            scaled: by_row,
        }
    }
}

/// What slacks times shares shall become, divided by the slack.
#[inline(always)]
fn targets(rows: &Rows, target: Option<f64>, room: &mut Room) {
    let aimed = &mut room.aimed[..rows.slack.len()];
    let Some(target) = target else {
        aimed.fill(0.0);
        return;
    };
    let steps = rows.slack_step.iter().zip(&rows.share_step);
    for ((aimed, slack), (slack_step, share_step)) in aimed.iter_mut().zip(&rows.slack).zip(steps) {
        *aimed = (target - slack_step * share_step) / slack;
    }
}

/// Per row, the sum of the `t_k`, and that of the `m_k / s_k` minus one.
#[inline(always)]
fn totals(rows: &Rows, height: usize, room: &mut Room) {
    let (total, lacking) = (&mut room.total[..height], &mut room.lacking[..height]);
    total.fill(0.0);
    lacking.fill(-1.0);
    let options = rows.slack.chunks_exact(height).zip(rows.share.chunks_exact(height));
    for ((slack, share), aimed) in options.zip(room.aimed.chunks_exact(height)) {
        let given = slack.iter().zip(share).zip(aimed);
        for ((total, lacking), ((slack, share), aimed)) in
            total.iter_mut().zip(&mut *lacking).zip(given)
        {
            *total += share / slack;
            *lacking += aimed;
        }
    }
}

/// Adds `sum of cost ([k is own] - shares that no change of weights would lead to) x`.
#[inline(always)]
fn pull(choices: &Choices<'_>, block: usize, rows: &Rows, room: &mut Room, sums: &mut Partial) {
    let range = choices.table.rows(block);
    let height = range.len();
    totals(rows, height, room);
    let width = choices.ridge.len();
    for (k, pull) in sums.pull.chunks_exact_mut(width).enumerate() {
        let option = k * height..(k + 1) * height;
        let state = rows.slack[option.clone()].iter().zip(&rows.share[option.clone()]);
        let aimed = room.aimed[option].iter();
        let by_row = room.total.iter().zip(&room.lacking);
        let given = choices.own[range.clone()].iter().zip(&choices.cost[range.clone()]);
        let factor = &mut room.factor[..height];
        for ((((factor, (slack, share)), aimed), (total, lacking)), (&own, cost)) in
            factor.iter_mut().zip(state).zip(aimed).zip(by_row).zip(given)
        {
            let wanted = if own as usize == k { 1.0 } else { 0.0 };
            *factor = cost * (wanted - (aimed - share / slack * lacking / total));
        }
        choices.table.add_products(block, factor, pull);
    }
}

/// Sums up everything at the present point; the target is zero.
#[inline(always)]
fn equations(
    choices: &Choices<'_>,
    block: usize,
    rows: &Rows,
    room: &mut Room,
    sums: &mut Partial,
) {
    let range = choices.table.rows(block);
    let height = range.len();
    targets(rows, None, room);
    pull(choices, block, rows, room, sums);
    let (own, cost) = (&choices.own[range.clone()], &choices.cost[range]);
    let width = choices.ridge.len();
    let each = width * (width + 1) / 2;
    let mut triangles = sums.triangles.chunks_exact_mut(each);
    for k in 0..choices.n_options {
        let option = |k: usize| k * height..(k + 1) * height;
        let (slack, share) = (&rows.slack[option(k)], &rows.share[option(k)]);
        let factor = &mut room.factor[..height];
        let scaled = &mut room.scaled[..height];
        for (at, (factor, scaled)) in factor.iter_mut().zip(&mut *scaled).enumerate() {
            let own = if own[at] as usize == k { cost[at] } else { 0.0 };
            *factor = own - cost[at] * share[at];
            *scaled = own;
        }
        sums.loss += dot(scaled, slack);
        if k < choices.n_free() {
            choices.table.add_products(block, factor, &mut sums.force[k * width..][..width]);
        }
        factor.iter_mut().zip(cost).zip(share).for_each(|((f, c), a)| *f = c * a);
        sums.products += dot(factor, slack);
        for l in 0..=k.min(choices.n_free() - 1) {
            if k == choices.n_free() {
                break;
            }
            couple(rows, (k, l), height, cost, &room.total, factor);
            if let Some(triangle) = triangles.next() {
                choices.table.add_outer_products(block, factor, scaled, triangle);
            }
        }
    }
}

/// The matrix of two options, row by row, times the cost. On the diagonal `t_k - t_k^2 / T` is
/// `t_k / T` times the other `t`, which loses nothing to cancellation.
#[inline(always)]
fn couple(
    rows: &Rows,
    (k, l): (usize, usize),
    height: usize,
    cost: &[f64],
    total: &[f64],
    out: &mut [f64],
) {
    let option =
        |k: usize| (&rows.slack[k * height..][..height], &rows.share[k * height..][..height]);
    let (slack, share) = option(k);
    if k != l {
        let (other_slack, other_share) = option(l);
        for (at, out) in out.iter_mut().enumerate() {
            let other = other_share[at] / other_slack[at];
            *out = -cost[at] * (share[at] / slack[at]) * (other / total[at]);
        }
        return;
    }
    out.fill(0.0);
    for other in (0..rows.slack.len() / height).filter(|&other| other != k) {
        let (other_slack, other_share) = option(other);
        for (at, out) in out.iter_mut().enumerate() {
            *out += other_share[at] / other_slack[at];
        }
    }
    for (at, out) in out.iter_mut().enumerate() {
        *out *= cost[at] * (share[at] / slack[at] / total[at]);
    }
}

/// Finds how slacks and shares go with a step of the weights, and how far they can.
#[inline(always)]
fn direction(
    choices: &Choices<'_>,
    block: usize,
    rows: &mut Rows,
    step: &[f64],
    room: &mut Room,
    sums: &mut Partial,
) {
    let range = choices.table.rows(block);
    let height = range.len();
    totals(rows, height, room);
    changes(choices, block, step, room);
    // The bound's change: first what it lacks, then divided by the sum of the t_k.
    let bound = &mut room.lacking[..height];
    for (k, change) in room.change.chunks_exact(height).take(choices.n_options).enumerate() {
        let state = rows.slack[k * height..].iter().zip(&rows.share[k * height..]);
        for ((bound, change), (slack, share)) in bound.iter_mut().zip(change).zip(state) {
            *bound += share / slack * change;
        }
    }
    bound.iter_mut().zip(&room.total).for_each(|(bound, total)| *bound /= total);
    let cost = &choices.cost[range];
    let (first, second) = (&mut room.factor[..height], &mut room.scaled[..height]);
    let mut steepest = [0.0_f64; 8];
    for k in 0..choices.n_options {
        let option = k * height..(k + 1) * height;
        let (slack, share) = (&rows.slack[option.clone()], &rows.share[option.clone()]);
        let slack_step = &mut rows.slack_step[option.clone()];
        let share_step = &mut rows.share_step[option.clone()];
        let (aimed, change) = (&room.aimed[option.clone()], &room.change[option]);
        for at in 0..height {
            let by = bound[at] - change[at];
            let t = share[at] / slack[at];
            let of_share = aimed[at] - share[at] - t * by;
            first[at] = share[at] * by + slack[at] * of_share;
            second[at] = by * of_share;
            let most = (-by / slack[at]).max(-of_share / share[at]);
            steepest[at % 8] = steepest[at % 8].max(most);
            (slack_step[at], share_step[at]) = (by, of_share);
        }
        sums.first_order += dot(cost, first);
        sums.second_order += dot(cost, second);
    }
    sums.steepest = steepest.into_iter().fold(sums.steepest, f64::max);
}

/// The `v_k`: by how much the option's score grows more than that of the own.
#[inline(always)]
fn changes(choices: &Choices<'_>, block: usize, step: &[f64], room: &mut Room) {
    let range = choices.table.rows(block);
    let height = range.len();
    let own = &choices.own[range];
    let own_change = &mut room.factor[..height];
    own_change.fill(0.0);
    let options = room.change.chunks_exact_mut(height).take(choices.n_options);
    let mut steps = step.chunks_exact(choices.ridge.len());
    for (k, change) in options.enumerate() {
        match steps.next() {
            Some(step) => choices.table.scores(block, step, change),
            None => change.fill(0.0),
        }
        for ((own_change, change), &own) in own_change.iter_mut().zip(&*change).zip(own) {
            *own_change = if own as usize == k { *change } else { *own_change };
        }
    }
    for change in room.change.chunks_exact_mut(height).take(choices.n_options) {
        change.iter_mut().zip(&*own_change).for_each(|(change, own)| *change -= own);
    }
}
