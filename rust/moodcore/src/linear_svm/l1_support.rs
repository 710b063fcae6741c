//! Squared hinge with the sum of absolute weights, and many columns, most of whose weights are zero.
//!
//! Where columns are many and C is large, descent by columns creeps. By then it has told which
//! columns matter; the proximal Newton method solves the problem in those alone, and columns that
//! turn out to be missing are added until none is.

use super::config::Config;
use super::l1::{gap, penalty, proximal_newton};
use super::squared_hinge::{Curvature, Problem};
use super::{GOOD, Solution};

/// Columns up to which a matrix of all second derivatives is worth its while.
const MOST: usize = 512;
/// Times that columns are added; some five are usual.
const ROUNDS: usize = 50;

/// Minimises penalty and loss from weights near the optimum, or gives up: where too many columns
/// matter, or some are still missing at the end.
pub(super) fn solve_support(
    problem: &Problem<'_>,
    price: &[f64],
    mut weights: Vec<f64>,
    config: &Config,
) -> Option<Solution> {
    let mut matters = vec![false; price.len()];
    let mut iterations = 0;
    for _ in 0..ROUNDS {
        let sums = problem.sums(&weights, Curvature::Without);
        let objective = sums.loss + penalty(price, &weights);
        if iterations > 0 && gap(price, &weights, &sums) <= GOOD * config.tol * objective {
            return Some(Solution::new(weights, iterations, objective, true));
        }
        for (column, matters) in matters.iter_mut().enumerate() {
            *matters |= weights[column] != 0.0 || sums.gradient[column].abs() > price[column];
        }
        let columns: Vec<usize> = (0..price.len()).filter(|&column| matters[column]).collect();
        if columns.len() > MOST || iterations >= config.max_iter || problem.stopped() {
            return None;
        }
        let part = Problem {
            table: &problem.table.select(&columns),
            sign: problem.sign.clone(),
            cost: problem.cost.clone(),
            compute: problem.compute,
            stop: problem.stop,
        };
        let of = |values: &[f64]| columns.iter().map(|&column| values[column]).collect::<Vec<_>>();
        let solution = proximal_newton(&part, &of(price), of(&weights), config);
        iterations += solution.outcome.iterations;
        for (&column, weight) in columns.iter().zip(&solution.weights) {
            weights[column] = *weight;
        }
    }
    None
}
