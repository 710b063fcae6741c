//! Squared hinge with the sum of absolute weights.
//!
//! With few columns, a proximal Newton method: all second derivatives come from one pass over the
//! rows, and the quadratic problem that they and the penalty make is solved by coordinate descent
//! on a small matrix (Friedman, Hastie and Tibshirani 2010; Lee, Sun and Saunders 2014). With many,
//! coordinate descent with Newton steps on the table (Chang, Hsieh and Lin 2008; Yuan, Chang, Hsieh
//! and Lin 2010, section 4). Both end when the duality gap is small.

use super::config::Config;
use super::squared_hinge::{Curvature, Problem, Sums};
use super::table::dot;
use super::{GOOD, Solution};
use crate::cholesky::{Factor, start_of};
use crate::memory::{CollectVec, copied, with_room};

/// Share of `tol` that the duality gap must fall below.
const GAP: f64 = 1e-3;
/// Share of the objective by which its rounding may raise it.
const ROUNDING: f64 = 1e-13;
/// Share of the promised fall with which a step is content.
const SUFFICIENT: f64 = 0.01;

/// `price[j] |w_j|`, summed.
pub(super) fn penalty(price: &[f64], weights: &[f64]) -> f64 {
    price.iter().zip(weights).map(|(price, w)| price * w.abs()).sum()
}

/// How far the objective is from the optimum at most.
///
/// The dual problem is to maximize `sum a - sum a^2 / (4 cost)` where no column's product with
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

/// Minimizes penalty and loss where all second derivatives fit a small matrix, from the weights
/// given.
pub(super) fn proximal_newton(
    problem: &Problem<'_>,
    price: &[f64],
    mut weights: Vec<f64>,
    config: &Config,
) -> Solution {
    let mut here = problem.sums(&weights, Curvature::Full);
    let mut objective = here.loss + penalty(price, &weights);
    for iteration in 1..=config.max_iter {
        if problem.stopped() {
            return Solution::new(weights, iteration, objective, false);
        }
        let left = gap(price, &weights, &here);
        if left <= GAP * config.tol * objective {
            return Solution::new(weights, iteration, objective, true);
        }
        let step = quadratic_step(&here, &weights, price);
        let whole: Vec<f64> = weights.iter().zip(&step).map(|(w, d)| w + d).collect_vec();
        let fall = penalty(price, &weights) - penalty(price, &whole) - dot(&here.gradient, &step);
        let (mut point, mut next) = (copied(&whole), problem.sums(&whole, Curvature::Full));
        let mut value = next.loss + penalty(price, &point);
        if value > objective - SUFFICIENT * fall {
            let t = length(problem, price, &weights, &step);
            point = weights.iter().zip(&step).map(|(w, d)| w + t * d).collect_vec();
            next = problem.sums(&point, Curvature::Full);
            value = next.loss + penalty(price, &point);
        }
        // Near the optimum the objective's rounding hides what a step is worth; the gap, linear in
        // what is missing, still shows it.
        let level = value <= objective * (1.0 + ROUNDING) && gap(price, &point, &next) < left;
        if value >= objective && !level {
            // What is left is less than rounding, or no step can be computed any more.
            let good = left <= GOOD * config.tol * objective;
            return Solution::new(weights, iteration, objective, good);
        }
        (weights, here, objective) = (point, next, value);
    }
    Solution::new(weights, config.max_iter, objective, false)
}

/// Where along the step, before its end, the objective is least: a zero of the slope, which never
/// falls and jumps where a weight changes its sign.
fn length(problem: &Problem<'_>, price: &[f64], weights: &[f64], step: &[f64]) -> f64 {
    let (mut low, mut high, mut t) = (0.0, 1.0, 1.0);
    for _ in 0..60 {
        let point: Vec<f64> = weights.iter().zip(step).map(|(w, d)| w + t * d).collect_vec();
        let (mut slope, bend) = problem.slope(&point, step);
        for ((w, d), price) in point.iter().zip(step).zip(price) {
            slope += if *w == 0.0 { price * d.abs() } else { price * d * w.signum() };
        }
        if slope > 0.0 {
            high = t;
        } else {
            low = t;
        }
        if high - low < 1e-9 * high || problem.stopped() {
            break;
        }
        let newton = t - slope / bend;
        // Newton's method alone may creep towards a jump from one side.
        let inside = newton > low + 0.01 * (high - low) && newton < high - 0.01 * (high - low);
        t = if inside { newton } else { 0.5 * (low + high) };
    }
    low
}

/// A trace of a ridge makes the least unique where the matrix of few rows is singular.
const RIDGE: f64 = 1e-10;

/// Cycles before a leap, which costs as much as many of them, and how often both are done; what
/// is then missing the next step makes up for.
const CYCLES: usize = 8;
const ROUNDS: usize = 12;
/// The smallest share of a step to the minimum on which weights that cross zero are set to it.
const SHORTEST: f64 = 0.05;

/// The quadratic problem of one step: minimize `g d + d' H d / 2 + penalty(w + d)`.
struct Quadratic<'a> {
    square: Vec<f64>,
    price: &'a [f64],
    /// The weights with the step.
    point: Vec<f64>,
    /// The derivative by each, without the penalty.
    slope: Vec<f64>,
}

impl Quadratic<'_> {
    fn bend(&self, j: usize) -> f64 {
        self.square[j * self.price.len() + j] * (1.0 + RIDGE) + f64::MIN_POSITIVE
    }

    fn change(&mut self, j: usize, by: f64) {
        let n = self.price.len();
        self.point[j] += by;
        let column = &self.square[j * n..][..n];
        self.slope.iter_mut().zip(column).for_each(|(slope, h)| *slope += by * h);
    }

    /// Sets each weight to its best value in turn; gives how much that helped.
    fn cycle(&mut self) -> f64 {
        let mut progress = 0.0;
        for j in 0..self.price.len() {
            let (bend, old) = (self.bend(j), self.point[j]);
            let by = shrink(old - self.slope[j] / bend, self.price[j] / bend) - old;
            if by != 0.0 && by.is_finite() {
                self.change(j, by);
                progress += bend * by * by;
            }
        }
        progress
    }

    /// Sets all weights that are not zero to their best values together, as far as none changes
    /// its sign; where one would, it becomes zero (Lee, Battle, Raina and Ng 2007). Descent alone
    /// creeps along directions that the matrix hardly bends. Returns by how much the objective
    /// falls.
    fn leap(&mut self) -> f64 {
        let support: Vec<usize> =
            (0..self.price.len()).filter(|&j| self.point[j] != 0.0).collect_vec();
        let mut triangle = with_room(start_of(support.len()));
        for (at, &i) in support.iter().enumerate() {
            triangle.extend(support[..at].iter().map(|&j| self.square[i * self.price.len() + j]));
            triangle.push(self.bend(i));
        }
        let pull = |&j: &usize| -(self.slope[j] + self.price[j].copysign(self.point[j]));
        let mut step: Vec<f64> = support.iter().map(pull).collect_vec();
        Factor::new(triangle, support.len()).solve(&mut step);
        let room = |(&j, by): (&usize, &f64)| {
            if self.point[j] * by < 0.0 { -self.point[j] / by } else { f64::INFINITY }
        };
        let length = support.iter().zip(&step).map(room).fold(1.0, f64::min);
        let mut change = self.clipped(&support, &step, length);
        let mut best = self.fall(&change);
        // Where that is a small part of the step, weights may also change their signs on the way,
        // or those that would become zero together (Bertsekas 1982), if that helps more.
        let mut share = 1.0;
        while share > length && share > SHORTEST {
            let whole = support.iter().zip(&step).map(|(&j, by)| (j, share * by)).collect_vec();
            for candidate in [whole, self.clipped(&support, &step, share)] {
                let fall = self.fall(&candidate);
                if fall > best {
                    (change, best) = (candidate, fall);
                }
            }
            share *= 0.5;
        }
        for (j, by) in change {
            self.change(j, by);
        }
        best
    }

    /// The changes of weights for a share of a step; none beyond zero.
    fn clipped(&self, support: &[usize], step: &[f64], share: f64) -> Vec<(usize, f64)> {
        let change = |(&j, by): (&usize, &f64)| {
            let to = self.point[j] + share * by;
            let crosses = to * self.point[j] <= 0.0;
            (j, if crosses { -self.point[j] } else { share * by })
        };
        support.iter().zip(step).map(change).collect_vec()
    }

    /// By how much the objective falls with changes of some weights.
    fn fall(&self, changes: &[(usize, f64)]) -> f64 {
        let n = self.price.len();
        let mut fall = 0.0;
        for &(j, by) in changes {
            let column = &self.square[j * n..][..n];
            let product: f64 = changes.iter().map(|&(i, other)| column[i] * other).sum();
            let growth = (self.point[j] + by).abs() - self.point[j].abs();
            fall -= by * (self.slope[j] + 0.5 * product) + self.price[j] * growth;
        }
        fall
    }
}

/// Solves the quadratic problem by cycles and leaps in turn; gives the step.
fn quadratic_step(here: &Sums, weights: &[f64], price: &[f64]) -> Vec<f64> {
    let n = weights.len();
    let triangle = &here.curvature;
    let entry = |i: usize, j: usize| triangle[start_of(i.max(j)) + i.min(j)];
    let mut problem = Quadratic {
        square: (0..n * n).map(|at| entry(at / n, at % n)).collect_vec(),
        price,
        point: copied(weights),
        slope: copied(&here.gradient),
    };
    let mut in_all = 0.0;
    for _ in 0..ROUNDS {
        let progress = (0..CYCLES).map(|_| problem.cycle()).fold(0.0, |_, last| last);
        in_all += progress;
        if progress <= 1e-14 * in_all {
            break;
        }
        in_all += problem.leap();
    }
    problem.point.iter().zip(weights).map(|(to, from)| to - from).collect_vec()
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
