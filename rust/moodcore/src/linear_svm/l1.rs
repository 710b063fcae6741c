//! Squared hinge with the sum of absolute weights.
//!
//! With few columns, a proximal Newton method: all second derivatives come from one pass over the
//! rows, and the quadratic problem that they and the penalty make is solved by coordinate descent
//! on a small matrix (Friedman, Hastie and Tibshirani 2010; Lee, Sun and Saunders 2014). With many,
//! coordinate descent with Newton steps on the table (Chang, Hsieh and Lin 2008; Yuan, Chang, Hsieh
//! and Lin 2010, section 4). Both end when the duality gap is small.

use super::Solution;
use super::cholesky::start_of;
use super::config::Config;
use super::squared_hinge::{Curvature, Problem, Sums};
use super::table::dot;

/// Share of `tol` that the duality gap must fall below.
const GAP: f64 = 1e-3;
/// Share of the promised fall with which a step is content.
const SUFFICIENT: f64 = 0.01;

/// `price[j] |w_j|`, summed.
pub(super) fn penalty(price: &[f64], weights: &[f64]) -> f64 {
    price.iter().zip(weights).map(|(price, w)| price * w.abs()).sum()
}

/// How far the objective is from the optimum at most.
///
/// The dual problem is to maximise `sum a - sum a^2 / (4 cost)` where no column's product with
/// the signed `a` exceeds its price. The rows' `2 cost lacks`, scaled down until none does, are
/// such a point; its value needs no more than loss and gradient.
pub(super) fn gap(price: &[f64], weights: &[f64], sums: &Sums) -> f64 {
    let within = price.iter().zip(&sums.gradient).map(|(price, g)| price / g.abs());
    let scale = within.fold(f64::INFINITY, f64::min);
    let total = 2.0 * sums.loss - dot(&sums.gradient, weights);
    let best = if sums.loss > 0.0 { 0.5 * total / sums.loss } else { 0.0 };
    let scale = scale.min(best).max(0.0);
    let dual = scale * total - scale * scale * sums.loss;
    sums.loss + penalty(price, weights) - dual
}

/// Minimises penalty and loss where all second derivatives fit a small matrix.
pub(super) fn proximal_newton(problem: &Problem<'_>, price: &[f64], config: &Config) -> Solution {
    let n = price.len();
    let mut weights = vec![0.0; n];
    let mut here = problem.sums(&weights, Curvature::Full);
    let mut objective = here.loss;
    for iteration in 1..=config.max_iter {
        if problem.stopped() {
            return Solution::new(weights, iteration, objective, false);
        }
        if gap(price, &weights, &here) <= GAP * config.tol * objective {
            return Solution::new(weights, iteration, objective, true);
        }
        let step = quadratic_step(&here, &weights, price);
        let whole: Vec<f64> = weights.iter().zip(&step).map(|(w, d)| w + d).collect();
        let fall = penalty(price, &weights) - penalty(price, &whole) - dot(&here.gradient, &step);
        let mut t = 1.0;
        let (point, next, value) = loop {
            let point: Vec<f64> = weights.iter().zip(&step).map(|(w, d)| w + t * d).collect();
            let next = problem.sums(&point, Curvature::Full);
            let value = next.loss + penalty(price, &point);
            if value <= objective - SUFFICIENT * t * fall || t < 1e-12 || problem.stopped() {
                break (point, next, value);
            }
            t *= 0.5;
        };
        if value >= objective {
            // What the step promised is less than rounding: this is the optimum.
            return Solution::new(weights, iteration, objective, true);
        }
        (weights, here, objective) = (point, next, value);
    }
    Solution::new(weights, config.max_iter, objective, false)
}

/// Minimises `g d + d' H d / 2 + penalty(w + d)` by coordinate descent.
fn quadratic_step(here: &Sums, weights: &[f64], price: &[f64]) -> Vec<f64> {
    let n = weights.len();
    let triangle = &here.curvature;
    let entry = |i: usize, j: usize| triangle[start_of(i.max(j)) + i.min(j)];
    let square: Vec<f64> = (0..n * n).map(|at| entry(at / n, at % n)).collect();
    let mut slope = here.gradient.clone();
    let mut step = vec![0.0; n];
    let mut in_all = 0.0;
    for _ in 0..1000 {
        let mut progress = 0.0;
        for j in 0..n {
            let column = &square[j * n..][..n];
            // The matrix of few rows is singular; a trace of a ridge makes the least unique.
            let bend = column[j] * (1.0 + 1e-10) + f64::MIN_POSITIVE;
            let old = weights[j] + step[j];
            let change = shrink(old - slope[j] / bend, price[j] / bend) - old;
            if change != 0.0 && change.is_finite() {
                step[j] += change;
                slope.iter_mut().zip(column).for_each(|(slope, h)| *slope += change * h);
                progress += bend * change * change;
            }
        }
        in_all += progress;
        if progress <= 1e-16 * in_all {
            break;
        }
    }
    step
}

/// Moves a value towards zero by an amount, and no further than zero.
pub(super) fn shrink(value: f64, by: f64) -> f64 {
    if value > by {
        value - by
    } else if value < -by {
        value + by
    } else {
        0.0
    }
}
