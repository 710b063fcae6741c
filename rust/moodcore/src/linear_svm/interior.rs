//! Hinge losses of few weights: a primal-dual interior point method.
//!
//! Each row has a few options, of which the worst is what it costs:
//! `cost max_k e_k` with `e_k = [k is not own] - (w_own - w_k) x`. Two options are the hinge loss,
//! one option per class is the loss of Crammer and Singer (2001). Only differences of the weights
//! count, so that those of the last option are zero. With a slack `s_k = bound - e_k` and a share
//! `a_k` of the row's multiplier for each option, the optimum is where all `s_k a_k` are zero;
//! Newton's method follows the path on which they equal a number that is led to zero (Mehrotra
//! 1992; for this problem Ferris and Munson 2002). Everything of a row is eliminated by hand: what
//! remains are equations in the weights alone, and some fifteen steps lead to the optimum however
//! many rows there are. Multipliers are kept as shares of the row's cost, so that C does not change
//! the path, and a row of weight two has that of two rows.

use super::config::Config;
use super::interior_rows::{Aim, Partial, Sort, Stretch, StretchTask};
use super::table::{Table, dot};
use super::{GOOD, Solution};
use crate::cholesky::{Factor, start_of};
use crate::memory::{CollectVec, copied, filled};
use crate::parallel::Compute;
use std::sync::atomic::{AtomicBool, Ordering};

/// Share of `tol` that the gap must fall below: the method halves it many times over in a step.
const GAP: f64 = 1e-3;
/// Share of the way to the nearest bound that a step may go.
const NEARLY: f64 = 0.995;

/// Times the median cost that a row may have to follow the path of all.
const HEAVY: f64 = 10.0;

/// Rows with options, and what weights cost.
#[derive(Debug)]
pub(super) struct Choices<'a> {
    pub(super) table: &'a Table,
    pub(super) n_options: usize,
    /// The option of each row that should win; any where rows fill up.
    pub(super) own: Vec<u32>,
    /// Zero where rows fill up.
    pub(super) cost: Vec<f64>,
    /// What half the square of a weight costs, by column.
    pub(super) ridge: &'a [f64],
    /// Zero, or 1 / n_options where the penalty is that of all options' weights, the last
    /// included, with a sum of zero: `|w|^2 - coupling (sum of w)^2`.
    pub(super) coupling: f64,
    pub(super) compute: Compute<'a>,
    pub(super) stop: &'a AtomicBool,
}

impl Choices<'_> {
    /// Options that have weights.
    pub(super) fn n_free(&self) -> usize {
        self.n_options - 1
    }

    /// The gradient of the penalty.
    fn penalty_gradient(&self, weights: &[f64]) -> Vec<f64> {
        let width = self.ridge.len();
        let value = |at: usize| {
            let all: f64 = weights[at % width..].iter().step_by(width).sum();
            self.ridge[at % width] * (weights[at] - self.coupling * all)
        };
        (0..weights.len()).map(value).collect()
    }

    /// `vector' A^-1 vector` for the penalty `w' A w / 2`: by Sherman and Morrison, the inverse of
    /// `1 - coupling` for each pair of options is one plus one for each pair.
    fn inverse_penalty(&self, vector: &[f64]) -> f64 {
        let width = self.ridge.len();
        let mut sum = 0.0;
        for (column, ridge) in self.ridge.iter().enumerate() {
            let values = || vector[column..].iter().step_by(width);
            let all: f64 = values().sum();
            let coupled = if self.coupling > 0.0 { all * all } else { 0.0 };
            sum += (values().map(|v| v * v).sum::<f64>() + coupled) / ridge;
        }
        sum
    }

    /// The packed matrix of the equations: the rows' part by pairs of options, plus the penalty.
    fn matrix(&self, triangles: &[f64]) -> Vec<f64> {
        let (width, n_free) = (self.ridge.len(), self.n_free());
        let size = width * n_free;
        let mut matrix = filled(0.0, start_of(size));
        let each = start_of(width);
        for k in 0..n_free {
            for l in 0..=k {
                let triangle = &triangles[(start_of(k) + l) * each..][..each];
                for i in 0..width {
                    let row = &mut matrix[start_of(k * width + i)..][..=k * width + i];
                    let end = if k == l { i + 1 } else { width };
                    for j in 0..end {
                        row[l * width + j] = triangle[start_of(i.max(j)) + i.min(j)];
                    }
                    let own = if k == l { 1.0 } else { 0.0 };
                    row[l * width + i] += self.ridge[i] * (own - self.coupling);
                }
            }
        }
        matrix
    }

    /// One pass over all rows; gives the sums.
    fn pass(&self, stretches: &mut [Stretch], sort: Sort<'_>) -> Partial {
        let long = self.table.is_long();
        self.compute.team.for_each_of(long, stretches, |_, stretch| {
            self.compute.isa.run(StretchTask { choices: self, sort, stretch });
        });
        let mut total = Partial::default();
        stretches.iter().for_each(|stretch| total.add(&stretch.sums));
        total
    }
}

/// The best weights so far, and how far from the optimum they are at most.
struct Best {
    weights: Vec<f64>,
    objective: f64,
    gap: f64,
    /// The gap at the last iteration that brought a tenth of it, and how long ago that was.
    mark: f64,
    age: usize,
}

/// Minimizes penalty and loss; gives the weights of all options but the last.
pub(super) fn interior(choices: &Choices<'_>, config: &Config) -> Solution {
    let size = choices.ridge.len() * choices.n_free();
    let table = choices.table;
    let mut stretches: Vec<Stretch> =
        table.stretches().into_iter().map(|blocks| Stretch::new(choices, blocks)).collect();
    let mut weights = filled(0.0, size);
    let in_all: f64 = choices.cost.iter().sum::<f64>() * choices.n_options as f64;
    let heavy =
        HEAVY * median(choices.cost.iter().copied().filter(|&cost| cost > 0.0).collect_vec());
    let mut best = Best {
        weights: copied(&weights),
        objective: in_all,
        gap: f64::INFINITY,
        mark: f64::INFINITY,
        age: 0,
    };
    for iteration in 1..=config.max_iter {
        let here = choices.pass(&mut stretches, Sort::Equations);
        if choices.stop.load(Ordering::Relaxed) {
            break;
        }
        let penalty = choices.penalty_gradient(&weights);
        let residual: Vec<f64> = penalty.iter().zip(&here.force).map(|(p, f)| p - f).collect();
        let objective = 0.5 * dot(&penalty, &weights) + here.loss;
        let gap = here.products + 0.5 * choices.inverse_penalty(&residual);
        best.age += 1;
        if gap < best.gap {
            let (mark, age) = if gap < 0.9 * best.mark { (gap, 0) } else { (best.mark, best.age) };
            best = Best { weights: copied(&weights), objective, gap, mark, age };
        }
        let good = best.gap <= GAP * config.tol * best.objective;
        if good || best.age > 15 || in_all <= 0.0 {
            // What rounding stops on the last steps is good enough where the tolerance is met.
            let good = best.gap <= GOOD * config.tol * best.objective;
            return Solution::new(best.weights, iteration, best.objective, good);
        }
        let factor = Factor::new(choices.matrix(&here.triangles), size);
        let change = newton_step(choices, &mut stretches, &factor, &penalty, &here, heavy);
        weights.iter_mut().zip(&change).for_each(|(w, d)| *w += d);
    }
    let good = best.gap <= GOOD * config.tol * best.objective;
    Solution::new(best.weights, config.max_iter, best.objective, good)
}

/// Predictor and corrector (Mehrotra 1992); moves the rows and gives the change of the weights.
fn newton_step(
    choices: &Choices<'_>,
    stretches: &mut [Stretch],
    factor: &Factor,
    penalty: &[f64],
    here: &Partial,
    heavy: f64,
) -> Vec<f64> {
    let solve = |pull: &[f64]| -> Vec<f64> {
        let mut step: Vec<f64> = pull.iter().zip(penalty).map(|(f, p)| f - p).collect();
        factor.solve(&mut step);
        step
    };
    let step = solve(&here.pull);
    let affine = choices.pass(stretches, Sort::Direction { step: &step, aim: None });
    let t = (1.0 / affine.steepest).min(1.0);
    let after = here.products + t * affine.first_order + t * t * affine.second_order;
    let centring = (after / here.products).clamp(0.0, 1.0);
    let parts: f64 = choices.cost.iter().map(|cost| cost.min(heavy)).sum::<f64>();
    let parts = parts * choices.n_options as f64;
    let target = centring * centring * centring * here.products / parts;
    // A correction meant for the whole step, where less than that can be gone, may lead round in
    // circles (Colombo and Gondzio 2008).
    let aim = Aim { target, heavy, correction: t };
    let corrected = choices.pass(stretches, Sort::Correction(aim));
    let mut step = solve(&corrected.pull);
    let found = choices.pass(stretches, Sort::Direction { step: &step, aim: Some(aim) });
    let t = (NEARLY / found.steepest).min(1.0);
    choices.pass(stretches, Sort::Move { length: t });
    step.iter_mut().for_each(|d| *d *= t);
    step
}

/// The middle one of numbers, or zero where there are none.
fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(middle, f64::total_cmp).1 }
}
