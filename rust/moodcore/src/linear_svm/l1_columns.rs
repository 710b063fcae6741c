//! Squared hinge with the sum of absolute weights, and many columns: coordinate descent.

use super::config::Config;
use super::l1::{gap, penalty};
use super::squared_hinge::{Curvature, Problem};
use super::table::{BLOCK, dot};
use super::{GOOD, Solution};
use crate::kernels::{Simd, Task};
use crate::memory::filled;
use crate::rng::{Purpose, Stream};

/// Share of the promised fall with which a step is content.
const SUFFICIENT: f64 = 0.01;

struct State {
    weights: Vec<f64>,
    /// What each row's margin lacks of one; below zero where it exceeds it.
    lacks: Vec<f64>,
    order: Vec<usize>,
    n_active: usize,
    /// The largest violation of the last pass, over the number of rows.
    margin: f64,
    /// The sum of violations in this pass.
    violation: f64,
}

/// Minimizes penalty and loss, from the weights given.
pub(super) fn descend_columns(
    problem: &Problem<'_>,
    price: &[f64],
    weights: Vec<f64>,
    config: &Config,
    seed: u64,
    class: u64,
) -> Solution {
    let n = price.len();
    let mut state = State {
        weights,
        lacks: filled(0.0, problem.table.height()),
        order: (0..n).collect(),
        n_active: n,
        margin: f64::INFINITY,
        violation: 0.0,
    };
    refresh(problem, &mut state);
    let mut stream = Stream::new(seed, Purpose::Coordinates, class);
    let (mut first, mut enough) = (None, config.tol);
    let mut objective = f64::INFINITY;
    for iteration in 1..=config.max_iter {
        let all = state.n_active == n;
        let isa = problem.compute.isa;
        isa.run(PassTask { problem, price, state: &mut state, stream: &mut stream });
        if problem.stopped() {
            break;
        }
        let first = *first.get_or_insert(state.violation);
        if state.violation <= enough * first {
            if all {
                let sums = problem.sums(&state.weights, Curvature::Without);
                objective = sums.loss + penalty(price, &state.weights);
                let gap = gap(price, &state.weights, &sums);
                let good = gap <= GOOD * config.tol * objective;
                if good || enough < 1e-14 {
                    return Solution::new(state.weights, iteration, objective, good);
                }
                enough *= 0.1;
                refresh(problem, &mut state);
            }
            (state.n_active, state.margin) = (n, f64::INFINITY);
        }
    }
    if !problem.stopped() {
        let sums = problem.sums(&state.weights, Curvature::Without);
        objective = sums.loss + penalty(price, &state.weights);
    }
    Solution::new(state.weights, config.max_iter, objective, false)
}

/// Computes what rows lack anew, free of what rounding has piled up.
fn refresh(problem: &Problem<'_>, state: &mut State) {
    for block in 0..problem.table.n_blocks() {
        let rows = problem.table.rows(block);
        let lacks = &mut state.lacks[rows.clone()];
        problem.table.scores(block, &state.weights, lacks);
        lacks.iter_mut().zip(&problem.sign[rows]).for_each(|(l, sign)| *l = 1.0 - sign * *l);
    }
}

struct PassTask<'t> {
    problem: &'t Problem<'t>,
    price: &'t [f64],
    state: &'t mut State,
    stream: &'t mut Stream,
}

impl Task for PassTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let PassTask { problem, price, state, stream } = self;
        let mut largest = 0.0_f64;
        state.violation = 0.0;
        let mut at = 0;
        while at < state.n_active && !problem.stopped() {
            let left = (state.n_active - at) as u64;
            let drawn = ((stream.next_u64() >> 32) * left) >> 32;
            state.order.swap(at, at + drawn as usize);
            let column = state.order[at];
            match step(problem, price[column], column, state) {
                None => {
                    state.n_active -= 1;
                    state.order.swap(at, state.n_active);
                }
                Some(violation) => {
                    largest = largest.max(violation);
                    state.violation += violation;
                    at += 1;
                }
            }
        }
        state.margin = largest / problem.table.n_rows() as f64;
    }
}

/// One Newton step of one weight with a line search (Yuan et al. 2010, equations 23 to 27); gives
/// by how much the weight missed its optimum, or nothing where it is firmly zero.
#[inline(always)]
fn step(problem: &Problem<'_>, price: f64, column: usize, state: &mut State) -> Option<f64> {
    let (slope, bend) = derivatives(problem, column, &state.lacks);
    let weight = state.weights[column];
    let violation = if weight == 0.0 {
        if slope.abs() < price - state.margin {
            return None;
        }
        (slope.abs() - price).max(0.0)
    } else {
        (slope + price.copysign(weight)).abs()
    };
    // No active row bends the loss: any step that the line search allows will do.
    let bend = bend.max(1e-12);
    let change = super::l1::shrink(weight - slope / bend, price / bend) - weight;
    if change.abs() < 1e-300 {
        return Some(violation);
    }
    let fall = price * (weight.abs() - (weight + change).abs()) - slope * change;
    let mut t = 1.0;
    for _ in 0..40 {
        let growth = loss_change(problem, column, t * change, &state.lacks);
        let now = price * ((weight + t * change).abs() - weight.abs());
        if growth + now <= -SUFFICIENT * t * fall {
            state.weights[column] = weight + t * change;
            move_lacks(problem, column, t * change, &mut state.lacks);
            break;
        }
        t *= 0.5;
    }
    Some(violation)
}

/// First and second derivative of the loss by one weight.
#[inline(always)]
fn derivatives(problem: &Problem<'_>, column: usize, lacks: &[f64]) -> (f64, f64) {
    let (mut slope, mut bend) = (0.0, 0.0);
    if let Some(sparse) = problem.table.sparse() {
        let (rows, values) = sparse.column(column);
        for (&row, &x) in rows.iter().zip(values) {
            let (row, x) = (row as usize, f64::from(x));
            if lacks[row] > 0.0 {
                let active = 2.0 * problem.cost[row];
                slope -= active * problem.sign[row] * lacks[row] * x;
                bend += active * x * x;
            }
        }
        return (slope, bend);
    }
    let mut room = [[0.0; BLOCK]; 3];
    for block in 0..problem.table.n_blocks() {
        let rows = problem.table.rows(block);
        let [first, second, values] = &mut room;
        let x = problem.table.column(block, column);
        let first = &mut first[..rows.len()];
        let second = &mut second[..rows.len()];
        let values = &mut values[..rows.len()];
        let (sign, cost) = (&problem.sign[rows.clone()], &problem.cost[rows.clone()]);
        for (at, lacks) in lacks[rows].iter().enumerate() {
            let active = if *lacks > 0.0 { 2.0 * cost[at] } else { 0.0 };
            values[at] = f64::from(x[at]);
            first[at] = -active * sign[at] * lacks;
            second[at] = active * values[at];
        }
        slope += dot(first, values);
        bend += dot(second, values);
    }
    (slope, bend)
}

/// By how much the loss grows with a change of one weight.
#[inline(always)]
fn loss_change(problem: &Problem<'_>, column: usize, change: f64, lacks: &[f64]) -> f64 {
    let mut sum = 0.0;
    if let Some(sparse) = problem.table.sparse() {
        let (rows, values) = sparse.column(column);
        for (&row, &x) in rows.iter().zip(values) {
            let row = row as usize;
            let by = change * problem.sign[row] * f64::from(x);
            let (old, new) = (lacks[row].max(0.0), (lacks[row] - by).max(0.0));
            sum += (new - old) * (new + old) * problem.cost[row];
        }
        return sum;
    }
    let mut room = [0.0; BLOCK];
    for block in 0..problem.table.n_blocks() {
        let rows = problem.table.rows(block);
        let x = problem.table.column(block, column);
        let room = &mut room[..rows.len()];
        let sign = &problem.sign[rows.clone()];
        for (at, lacks) in lacks[rows.clone()].iter().enumerate() {
            let by = change * sign[at] * f64::from(x[at]);
            let (old, new) = (lacks.max(0.0), (lacks - by).max(0.0));
            room[at] = (new - old) * (new + old);
        }
        sum += dot(room, &problem.cost[rows]);
    }
    sum
}

#[inline(always)]
fn move_lacks(problem: &Problem<'_>, column: usize, change: f64, lacks: &mut [f64]) {
    if let Some(sparse) = problem.table.sparse() {
        let (rows, values) = sparse.column(column);
        for (&row, &x) in rows.iter().zip(values) {
            lacks[row as usize] -= change * problem.sign[row as usize] * f64::from(x);
        }
        return;
    }
    for block in 0..problem.table.n_blocks() {
        let rows = problem.table.rows(block);
        let x = problem.table.column(block, column);
        let sign = &problem.sign[rows.clone()];
        for (at, lacks) in lacks[rows].iter_mut().enumerate() {
            *lacks -= change * sign[at] * f64::from(x[at]);
        }
    }
}
