//! Squared hinge with the sum of absolute weights, and many columns, most of whose weights are zero.
//!
//! Where columns are many and C is large, descent by columns creeps. Here the proximal Newton method
//! works in the columns that matter alone; columns that turn out to be missing are added until none
//! is. Where it does not meet the optimum soon from the weights that descent has left, C grows step
//! by step, and each problem is solved from the weights of the one before.

use super::config::Config;
use super::l1::{gap, penalty, proximal_newton};
use super::squared_hinge::{Curvature, Problem};
use super::{GOOD, Solution};
use crate::memory::{CollectVec, copied, filled};

/// Columns up to which a matrix of all second derivatives is worth its while.
const MOST: usize = 512;
/// Times that columns are added; some five are usual.
const ROUNDS: usize = 50;
/// Minimum number of columns that are added if as many are missing.
const LEAST: usize = 32;
/// C grows by this factor, this many times.
const GROWTH: f64 = 4.0;
const STAGES: i32 = 6;
/// Iterations from the weights given; where these are near the optimum, a few are enough.
const SOON: usize = 10;
/// The tolerance before the last stage.
const ROUGH: f64 = 0.1;

/// Minimizes penalty and loss, at first from the weights given, or gives up: where too many columns
/// matter, or some are still missing at the end.
pub(super) fn solve_support(
    problem: &Problem<'_>,
    price: &[f64],
    config: &Config,
    start: &[f64],
) -> Option<Solution> {
    let soon = config.with_max_iter(config.max_iter.min(SOON));
    let near = solve_stage(problem, price, copied(start), &soon);
    if near.is_some() || soon.max_iter == config.max_iter || problem.stopped() {
        return near;
    }
    let mut weights = filled(0.0, price.len());
    let mut iterations = SOON;
    for stage in (0..=STAGES).rev() {
        let share = GROWTH.powi(-stage);
        let scaled = problem.with_costs(problem.cost.iter().map(|cost| cost * share).collect_vec());
        let tol = if stage > 0 { config.tol.max(ROUGH) } else { config.tol };
        let left = Config { tol, ..config.with_max_iter(config.max_iter - iterations) };
        let solution = solve_stage(&scaled, price, weights, &left)?;
        iterations += solution.outcome.iterations;
        if stage == 0 {
            let outcome = super::Outcome { iterations, ..solution.outcome };
            return Some(Solution { outcome, ..solution });
        }
        if iterations >= config.max_iter {
            return None;
        }
        weights = solution.weights;
    }
    None
}

/// The problem of one C, from the weights given.
fn solve_stage(
    problem: &Problem<'_>,
    price: &[f64],
    mut weights: Vec<f64>,
    config: &Config,
) -> Option<Solution> {
    let mut matters = filled(false, price.len());
    let mut iterations = 0;
    for _ in 0..ROUNDS {
        let sums = problem.sums(&weights, Curvature::Without);
        let objective = sums.loss + penalty(price, &weights);
        if gap(price, &weights, &sums) <= GOOD * config.tol * objective {
            return Some(Solution::new(weights, iterations, objective, true));
        }
        add_missing(&mut matters, &weights, &sums.gradient, price);
        let columns: Vec<usize> = (0..price.len()).filter(|&column| matters[column]).collect_vec();
        if columns.len() > MOST || iterations >= config.max_iter || problem.stopped() {
            return None;
        }
        let table = problem.table.select(&columns);
        let part = Problem { table: &table, ..problem.with_costs(copied(&problem.cost)) };
        let of = |values: &[f64]| columns.iter().map(|&column| values[column]).collect::<Vec<_>>();
        let left = config.with_max_iter(config.max_iter - iterations);
        let solution = proximal_newton(&part, &of(price), of(&weights), &left);
        iterations += solution.outcome.iterations;
        for (&column, weight) in columns.iter().zip(&solution.weights) {
            weights[column] = *weight;
        }
    }
    None
}

/// Adds columns whose weights want to leave zero, those that want it most: as many as there are
/// already, lest most of them leave again.
fn add_missing(matters: &mut [bool], weights: &[f64], gradient: &[f64], price: &[f64]) {
    matters.iter_mut().zip(weights).for_each(|(matters, w)| *matters |= *w != 0.0);
    let known = matters.iter().filter(|&&matters| matters).count();
    let pull = |column: usize| gradient[column].abs() / price[column];
    let mut missing: Vec<usize> =
        (0..price.len()).filter(|&column| !matters[column] && pull(column) > 1.0).collect_vec();
    missing.sort_by(|&a, &b| pull(b).total_cmp(&pull(a)).then(a.cmp(&b)));
    for column in missing.into_iter().take(known.max(LEAST)) {
        matters[column] = true;
    }
}
