//! Squared hinge with the squared penalty: Newton's method on the weights.
//!
//! The objective is convex, once differentiable, and quadratic wherever no row changes sides.
//! Newton's method with an exact line search therefore ends at the optimum after finitely many
//! steps (Mangasarian 2002, *A finite Newton method for classification*); some ten are usual. With
//! few columns the step comes from Cholesky's factors of all second derivatives, else from
//! conjugate gradients (Lin, Weng and Keerthi 2008), preconditioned by the diagonal. Where these
//! take long, by the factors of all second derivatives at an earlier point: few rows change sides
//! from step to step, so that a handful of products are enough.

use super::config::Config;
use super::squared_hinge::{Curvature, Problem, Sums};
use super::table::dot;
use super::{GOOD, Solution};
use crate::cholesky::{Factor, start_of};
use crate::memory::{CollectVec, copied, filled};

/// Share of `tol` that the next step must promise for the search to continue. As the last step is
/// exact where no row changes sides, the optimum is usually met to rounding.
const LAST_STEP: f64 = 1e-4;
/// Share of the fall that the slope promises with which a step is content.
const SUFFICIENT: f64 = 1e-4;
/// Columns up to which all second derivatives are worked out to precondition.
const MOST_FACTORED: usize = 1024;
/// All second derivatives cost about as much as one product with them per this many columns.
const COLUMNS_A_PRODUCT: usize = 8;

/// `ridge[j] / 2 * w_j^2`, summed, plus the loss of the problem.
struct Objective<'a> {
    problem: &'a Problem<'a>,
    ridge: &'a [f64],
    curvature: Curvature,
}

impl Objective<'_> {
    /// Value and derivatives, the penalty included.
    fn at(&self, weights: &[f64]) -> Sums {
        let mut sums = self.problem.sums(weights, self.curvature);
        for (column, (&weight, &ridge)) in weights.iter().zip(self.ridge).enumerate() {
            sums.loss += 0.5 * ridge * weight * weight;
            sums.gradient[column] += ridge * weight;
            match self.curvature {
                Curvature::Full => sums.curvature[start_of(column) + column] += ridge,
                Curvature::Diagonal => sums.curvature[column] += ridge,
                Curvature::Without => {}
            }
        }
        sums
    }

    /// Newton's step, which solves `H step = -gradient`; it takes the second derivatives away.
    /// `factor` is that of an earlier point.
    fn step(&self, here: &mut Sums, weights: &[f64], factor: &mut Option<Factor>) -> Vec<f64> {
        let mut step: Vec<f64> = here.gradient.iter().map(|g| -g).collect_vec();
        if self.curvature == Curvature::Full {
            let triangle = std::mem::take(&mut here.curvature);
            Factor::new(triangle, step.len()).solve(&mut step);
            return step;
        }
        let size = step.len();
        let long = size.saturating_mul(2).max(100);
        if size > MOST_FACTORED || self.problem.table.sparse().is_some() {
            return self.conjugate_gradients(here, step, None, long).0;
        }
        let most = size / COLUMNS_A_PRODUCT;
        let (found, enough) = self.conjugate_gradients(here, copied(&step), factor.as_ref(), most);
        if enough || self.problem.stopped() {
            return found;
        }
        let all = Objective { curvature: Curvature::Full, ..*self }.at(weights).curvature;
        let exact = factor.insert(Factor::new(all, size));
        self.conjugate_gradients(here, step, Some(exact), long).0
    }

    /// Solves `H step = residual` until the residual is small beside what it was, or `most`
    /// products were made; says whether it is.
    fn conjugate_gradients(
        &self,
        here: &Sums,
        mut residual: Vec<f64>,
        factor: Option<&Factor>,
        most: usize,
    ) -> (Vec<f64>, bool) {
        let precondition = |residual: &[f64]| -> Vec<f64> {
            let mut scaled = copied(residual);
            match factor {
                Some(factor) => factor.solve(&mut scaled),
                None => scaled.iter_mut().zip(&here.curvature).for_each(|(r, h)| *r /= h),
            }
            scaled
        };
        let mut step = filled(0.0, residual.len());
        let mut scaled = precondition(&residual);
        let mut direction = copied(&scaled);
        let mut size = dot(&residual, &scaled);
        // The nearer the optimum, the more exact (Nocedal and Wright 2006, theorem 7.2).
        let forcing = (size / here.loss).sqrt().clamp(1e-6, 0.1);
        let enough = forcing * forcing * size;
        for _ in 0..most {
            if size <= enough || self.problem.stopped() {
                return (step, true);
            }
            let mut product = self.problem.curvature_times(&here.by_score, &direction);
            for ((product, direction), ridge) in product.iter_mut().zip(&direction).zip(self.ridge)
            {
                *product += ridge * direction;
            }
            let length = size / dot(&direction, &product);
            if !length.is_finite() {
                return (step, true);
            }
            add_scaled(length, &direction, &mut step);
            add_scaled(-length, &product, &mut residual);
            scaled = precondition(&residual);
            let next = dot(&residual, &scaled);
            let share = next / size;
            direction.iter_mut().zip(&scaled).for_each(|(d, s)| *d = s + share * *d);
            size = next;
        }
        (step, size <= enough)
    }

    /// Where along the step, before its end, the objective is least: a zero of the slope, which
    /// grows piecewise linearly, by Newton's method inside a bracket.
    fn length(&self, weights: &[f64], step: &[f64]) -> f64 {
        let (mut low, mut high, mut t) = (0.0, 1.0, 1.0);
        let mut at_start = None;
        for _ in 0..50 {
            let point: Vec<f64> = weights.iter().zip(step).map(|(w, d)| w + t * d).collect_vec();
            let (mut slope, mut bend) = self.problem.slope(&point, step);
            for ((point, step), ridge) in point.iter().zip(step).zip(self.ridge) {
                slope += ridge * point * step;
                bend += ridge * step * step;
            }
            if slope.abs() <= 1e-6 * *at_start.get_or_insert(slope.abs()) {
                break;
            }
            if slope > 0.0 {
                high = t;
            } else {
                low = t;
            }
            let newton = t - slope / bend;
            t = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
            if high - low < 1e-12 || self.problem.stopped() {
                break;
            }
        }
        t
    }
}

fn add_scaled(factor: f64, from: &[f64], to: &mut [f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
}

/// Minimizes `ridge[j] / 2 * w_j^2`, summed, plus the loss, from zero weights.
pub(super) fn newton(
    problem: &Problem<'_>,
    ridge: &[f64],
    few_columns: bool,
    config: &Config,
) -> Solution {
    let curvature = if few_columns { Curvature::Full } else { Curvature::Diagonal };
    let objective = Objective { problem, ridge, curvature };
    let mut weights = filled(0.0, ridge.len());
    let mut here = objective.at(&weights);
    let mut factor = None;
    for iteration in 1..=config.max_iter {
        let step = objective.step(&mut here, &weights, &mut factor);
        let fall = -dot(&here.gradient, &step);
        if problem.stopped() {
            return Solution::new(weights, iteration, here.loss, false);
        }
        if 0.5 * fall <= LAST_STEP * config.tol * here.loss {
            if fall > 0.0 {
                add_scaled(1.0, &step, &mut weights);
            }
            return Solution::new(weights, iteration, here.loss, true);
        }
        let whole: Vec<f64> = weights.iter().zip(&step).map(|(w, d)| w + d).collect_vec();
        let mut next = objective.at(&whole);
        let mut point = whole;
        if next.loss > here.loss - SUFFICIENT * fall {
            let t = objective.length(&weights, &step);
            point = weights.iter().zip(&step).map(|(w, d)| w + t * d).collect_vec();
            next = objective.at(&point);
        }
        if next.loss >= here.loss {
            // What is left is less than rounding, or no step can be computed any more.
            let good = 0.5 * fall <= GOOD * config.tol * here.loss;
            return Solution::new(weights, iteration, here.loss, good);
        }
        (weights, here) = (point, next);
    }
    Solution::new(weights, config.max_iter, here.loss, false)
}
