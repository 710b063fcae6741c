//! The arithmetic of the interior point method on one block of rows; see [`super::interior_rows`].

use super::interior::Choices;
use super::interior_rows::{Aim, Partial, Rows};
use super::table::{BLOCK, dot};
use crate::memory::{copied, filled};

/// Room for intermediate values of one block: by option and row, and by row.
pub(super) struct Room {
    /// The `m_k / s_k`.
    aimed: Vec<f64>,
    change: Vec<f64>,
    total: [f64; BLOCK],
    lacking: [f64; BLOCK],
    factor: [f64; BLOCK],
    scaled: [f64; BLOCK],
    columns: [[f64; BLOCK]; 4],
}

impl Room {
    pub(super) fn new(n_options: usize) -> Self {
        let by_option = filled(0.0, n_options * BLOCK);
        let by_row = [0.0; BLOCK];
        Room {
            aimed: copied(&by_option),
            change: by_option,
            total: by_row,
            lacking: by_row,
            factor: by_row,
            scaled: by_row,
            columns: [by_row; 4],
        }
    }
}

/// What slacks times shares shall become, divided by the slack.
#[inline(always)]
pub(super) fn targets(rows: &Rows, cost: &[f64], aim: Option<Aim>, room: &mut Room) {
    let aimed = &mut room.aimed[..rows.slack.len()];
    let Some(Aim { target, heavy, correction }) = aim else {
        aimed.fill(0.0);
        return;
    };
    let height = cost.len();
    let targets = &mut room.factor[..height];
    for (row, cost) in targets.iter_mut().zip(cost) {
        *row = if *cost > heavy { target * heavy / cost } else { target };
    }
    let steps = rows.slack_step.chunks_exact(height).zip(rows.share_step.chunks_exact(height));
    let options = aimed.chunks_exact_mut(height).zip(rows.slack.chunks_exact(height));
    for ((aimed, slack), (slack_step, share_step)) in options.zip(steps) {
        let given = slack.iter().zip(slack_step).zip(share_step);
        for ((aimed, target), ((slack, slack_step), share_step)) in
            aimed.iter_mut().zip(&*targets).zip(given)
        {
            *aimed = (target - correction * slack_step * share_step) / slack;
        }
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
pub(super) fn pull(
    choices: &Choices<'_>,
    block: usize,
    rows: &Rows,
    room: &mut Room,
    sums: &mut Partial,
) {
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
            let wanted = if own == k as u32 { 1.0 } else { 0.0 };
            *factor = cost * (wanted - (aimed - share / slack * lacking / total));
        }
        choices.table.add_products(block, factor, pull);
    }
}

/// Sums up everything at the present point; the target is zero.
#[inline(always)]
pub(super) fn equations(
    choices: &Choices<'_>,
    block: usize,
    rows: &Rows,
    room: &mut Room,
    sums: &mut Partial,
) {
    let range = choices.table.rows(block);
    let height = range.len();
    targets(rows, &choices.cost[range.clone()], None, room);
    pull(choices, block, rows, room, sums);
    let (own, cost) = (&choices.own[range.clone()][..height], &choices.cost[range][..height]);
    let width = choices.ridge.len();
    let each = width * (width + 1) / 2;
    let mut triangles = sums.triangles.chunks_exact_mut(each);
    for k in 0..choices.n_options {
        let (slack, share) = rows.option(k, height);
        let factor = &mut room.factor[..height];
        let scaled = &mut room.scaled[..height];
        for (at, (factor, scaled)) in factor.iter_mut().zip(&mut *scaled).enumerate() {
            let own = if own[at] == k as u32 { cost[at] } else { 0.0 };
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
                choices.table.add_outer_products(block, factor, &mut room.columns, triangle);
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
    // Slices of one length, as the compiler can see: no checks stand between the vectors.
    let (cost, total, out) = (&cost[..height], &total[..height], &mut out[..height]);
    let (slack, share) = rows.option(k, height);
    if k != l {
        let (other_slack, other_share) = rows.option(l, height);
        for (at, out) in out.iter_mut().enumerate() {
            let other = other_share[at] / other_slack[at];
            *out = -cost[at] * (share[at] / slack[at]) * (other / total[at]);
        }
        return;
    }
    out.fill(0.0);
    for other in (0..rows.slack.len() / height).filter(|&other| other != k) {
        let (other_slack, other_share) = rows.option(other, height);
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
pub(super) fn direction(
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
    let cost = &choices.cost[range][..height];
    let bound = &room.lacking[..height];
    let (first, second) = (&mut room.factor[..height], &mut room.scaled[..height]);
    for k in 0..choices.n_options {
        let option = k * height;
        let (slack, share) = (&rows.slack[option..][..height], &rows.share[option..][..height]);
        let slack_step = &mut rows.slack_step[option..][..height];
        let share_step = &mut rows.share_step[option..][..height];
        let aimed = &room.aimed[option..][..height];
        let change = &mut room.change[option..][..height];
        for at in 0..height {
            let by = bound[at] - change[at];
            let of_share = aimed[at] - share[at] - share[at] / slack[at] * by;
            first[at] = share[at] * by + slack[at] * of_share;
            second[at] = by * of_share;
            let (a, b) = (-by / slack[at], -of_share / share[at]);
            change[at] = if a > b { a } else { b };
            (slack_step[at], share_step[at]) = (by, of_share);
        }
        sums.first_order += dot(cost, first);
        sums.second_order += dot(cost, second);
        sums.steepest = sums.steepest.max(largest(change));
    }
}

/// The largest of values whose number is a multiple of eight, or zero.
#[inline(always)]
fn largest(values: &[f64]) -> f64 {
    let mut found = [0.0_f64; 8];
    for values in values.as_chunks::<8>().0 {
        for (found, &value) in found.iter_mut().zip(values) {
            *found = if value > *found { value } else { *found };
        }
    }
    found.into_iter().fold(0.0, f64::max)
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
            *own_change = if own == k as u32 { *change } else { *own_change };
        }
    }
    for change in room.change.chunks_exact_mut(height).take(choices.n_options) {
        change.iter_mut().zip(&*own_change).for_each(|(change, own)| *change -= own);
    }
}
