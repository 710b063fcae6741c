//! Probabilities from decision values: Platt's sigmoid for two classes, coupled for more.

use super::solver::{Options, Problem, Solution, Start, solve};
use super::working_set::{AddRows, WorkingSet};
use crate::kernels::{LANES, Precision, Real};
use crate::memory::{CollectVec, copied, filled, resize};
use crate::parallel::Compute;
use crate::rng::{Purpose, Stream};
use std::sync::atomic::AtomicBool;

/// `P(first class | decision value f) = 1 / (1 + exp(a f + b))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sigmoid {
    /// The slope, negative if larger decision values mean the first class.
    pub a: f64,
    /// The offset.
    pub b: f64,
}

/// Folds whose decision values the sigmoid is fitted to.
const FOLDS: usize = 5;
/// How exactly folds are solved, in multiples of `tol`: what it moves the sigmoid by is far below the
/// sigmoid's own standard error.
const FOLD_TOL: f64 = 30.0;

/// Fits the sigmoid to decision values of rows that were not trained on (Platt 2000). Each fold
/// starts from the solution for all rows.
pub(super) fn calibrate<T: Real>(
    problem: &Problem<'_, T>,
    solution: &Solution,
    options: Options,
    (seed, pair): (u64, u64),
    set: &mut WorkingSet<T>,
    (compute, stop): (Compute<'_>, &AtomicBool),
) -> Sigmoid {
    let n = problem.y.len();
    let mut order: Vec<usize> = (0..n).collect_vec();
    let mut stream = Stream::new(seed, Purpose::Folds, pair);
    for at in (1..n).rev() {
        order.swap(at, (stream.next_u64() % (at as u64 + 1)) as usize);
    }
    let mut decisions = filled(0.0, n);
    let options = Options { tol: FOLD_TOL * options.tol, ..options };
    // What the rows of the folds not yet held out add to the decision values.
    let mut left: Vec<f64> =
        solution.gradient.iter().zip(&problem.y).map(|(g, y)| g + y).collect_vec();
    for fold in 0..FOLDS {
        let held: Vec<usize> = order.iter().copied().skip(fold).step_by(FOLDS).collect_vec();
        let part = if fold + 1 < FOLDS {
            let factors: Vec<f64> = held.iter().map(|&row| solution.beta[row]).collect_vec();
            let part = products(problem, set, (&held, &factors), filled(0.0, n), compute);
            left.iter_mut().zip(&part).for_each(|(left, part)| *left -= part);
            part
        } else {
            std::mem::take(&mut left)
        };
        without(problem, solution, (&held, &part, &mut decisions), options, set, (compute, stop));
    }
    fit_sigmoid(&decisions, &problem.y)
}

/// `start` plus the kernel values with some rows times a factor for each.
fn products<T: Real>(
    problem: &Problem<'_, T>,
    set: &mut WorkingSet<T>,
    (rows, factors): (&[usize], &[f64]),
    mut start: Vec<f64>,
    compute: Compute<'_>,
) -> Vec<f64> {
    let n = start.len();
    let terms = rows.iter().zip(factors).filter(|&(_, factor)| *factor != 0.0);
    let (moved, by): (Vec<u32>, Vec<f64>) =
        terms.map(|(&row, factor)| (row as u32, factor)).unzip();
    resize(&mut start, n.next_multiple_of(LANES), 0.0);
    if set.holds_all {
        let (kernel, source) = (&mut set.kernel, problem.gram.source());
        let (moved, by) = (&moved, &by);
        compute.isa.run(AddRows { kernel, source, moved, by, out: &mut start });
    } else {
        let gram = &problem.gram;
        gram.add_products(gram, (&moved, &by), Precision::Single, &mut start, compute);
    }
    start.truncate(n);
    start
}

/// Decision values of the rows held out, of the model trained on the rest; `part` is what the rows
/// held out add to the decision values of all.
fn without<T: Real>(
    problem: &Problem<'_, T>,
    solution: &Solution,
    (held, part, decisions): (&[usize], &[f64], &mut [f64]),
    options: Options,
    set: &mut WorkingSet<T>,
    (compute, stop): (Compute<'_>, &AtomicBool),
) {
    let mut rest = problem.clone();
    let mut beta = copied(&solution.beta);
    for &row in held {
        rest.bound[row] = 0.0;
        beta[row] = 0.0;
    }
    let sides =
        |wanted: f64| (0..beta.len()).any(|row| rest.bound[row] > 0.0 && rest.y[row] == wanted);
    let fill = match (sides(1.0), sides(-1.0)) {
        (true, true) => None,
        // Nothing to tell apart: the class that is left, as libsvm has it.
        (true, false) => Some(1.0),
        (false, true) => Some(-1.0),
        (false, false) => Some(0.0),
    };
    if let Some(value) = fill {
        held.iter().for_each(|&row| decisions[row] = value);
        return;
    }
    // What is moved should gain by it, or lose little: the least settled first.
    let excess: f64 = beta.iter().sum();
    let side = excess.signum();
    let mut order: Vec<usize> = (0..beta.len()).filter(|&row| side * beta[row] > 0.0).collect_vec();
    order.sort_unstable_by(|&a, &b| {
        (side * solution.gradient[b]).total_cmp(&(side * solution.gradient[a])).then(a.cmp(&b))
    });
    let before = copied(&beta);
    rest.balance(&mut beta, order.iter().copied());
    let by: Vec<f64> = order.iter().map(|&row| beta[row] - before[row]).collect_vec();
    let gradient = solution.gradient.iter().zip(part).map(|(gradient, part)| gradient - part);
    let gradient = products(problem, set, (&order, &by), gradient.collect_vec(), compute);
    let start = Start { beta, gradient: Some(gradient) };
    let solved = solve(&rest, Some(start), options, set, (compute, stop));
    let offset = solved.offset(&rest);
    for &row in held {
        decisions[row] = solved.gradient[row] + rest.y[row] - offset;
    }
}

/// The loss of a sigmoid with its derivatives.
struct Likelihood {
    loss: f64,
    slopes: [f64; 2],
    curvatures: [f64; 3],
}

impl Likelihood {
    /// Sums over rows of decision values and targets, in the form that neither overflows nor
    /// cancels (Lin, Lin and Weng 2007, section 3).
    fn of(at: Sigmoid, rows: &[(f64, f64)]) -> Self {
        const RIDGE: f64 = 1e-12;
        let mut sums = Likelihood { loss: 0.0, slopes: [0.0; 2], curvatures: [RIDGE, RIDGE, 0.0] };
        for &(f, target) in rows {
            let t = at.a * f + at.b;
            let e = libm::exp(-t.abs());
            // -target log p - (1 - target) log(1 - p)
            sums.loss += (target - f64::from(t < 0.0)) * t + libm::log1p(e);
            let p = if t >= 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) };
            let (slope, curvature) = (target - p, p * (1.0 - p));
            sums.slopes[0] += f * slope;
            sums.slopes[1] += slope;
            sums.curvatures[0] += f * f * curvature;
            sums.curvatures[1] += curvature;
            sums.curvatures[2] += f * curvature;
        }
        sums
    }

    /// Newton's step, and the slope of the loss along it.
    fn newton(&self) -> ([f64; 2], f64) {
        let ([g1, g2], [h11, h22, h21]) = (self.slopes, self.curvatures);
        let determinant = h11 * h22 - h21 * h21;
        let step = [-(h22 * g1 - h21 * g2) / determinant, -(h11 * g2 - h21 * g1) / determinant];
        (step, g1 * step[0] + g2 * step[1])
    }
}

/// Maximum likelihood with Platt's targets, by Newton's method with backtracking (Lin, Lin and Weng
/// 2007, algorithm 1).
pub(super) fn fit_sigmoid(decisions: &[f64], y: &[f64]) -> Sigmoid {
    const STEPS: usize = 100;
    /// How far rounding may move a loss, as a part of it: beside the optimum it hides the fall.
    const ROUNDING: f64 = 1e-12;
    let positive = y.iter().filter(|&&y| y > 0.0).count() as f64;
    let negative = y.len() as f64 - positive;
    let (high, low) = ((positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0));
    let target = |&y: &f64| if y > 0.0 { high } else { low };
    let rows: Vec<_> = decisions.iter().copied().zip(y.iter().map(target)).collect_vec();
    let mut at = Sigmoid { a: 0.0, b: libm::log((negative + 1.0) / (positive + 1.0)) };
    let mut here = Likelihood::of(at, &rows);
    for _ in 0..STEPS {
        if here.slopes.iter().all(|slope| slope.abs() < 1e-5) {
            break;
        }
        let ([da, db], slope) = here.newton();
        let along = |step: f64| Sigmoid { a: at.a + step * da, b: at.b + step * db };
        let mut step = 1.0;
        (at, here) = loop {
            let there = Likelihood::of(along(step), &rows);
            if there.loss < here.loss * (1.0 + ROUNDING) + 1e-4 * step * slope {
                break (along(step), there);
            }
            step *= 0.5;
            if step < 1e-10 {
                return at;
            }
        };
    }
    at
}

impl Sigmoid {
    /// The probability of the first class.
    pub fn probability(self, decision: f64) -> f64 {
        let t = self.a * decision + self.b;
        let e = libm::exp(-t.abs());
        if t >= 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
    }
}

/// Probabilities of all classes from those of each pair (Wu, Lin and Weng 2004, algorithm 2);
/// `pairwise` has the probability of the first of each pair.
pub fn couple(n_classes: usize, pairwise: &[f64], out: &mut [f64]) {
    const LEAST: f64 = 1e-7;
    let k = n_classes;
    let mut r = filled(0.0, k * k);
    let mut at = 0;
    for i in 0..k {
        for j in i + 1..k {
            let p = pairwise[at].clamp(LEAST, 1.0 - LEAST);
            (r[i * k + j], r[j * k + i]) = (p, 1.0 - p);
            at += 1;
        }
    }
    if k == 2 {
        (out[0], out[1]) = (r[1], r[2]);
        return;
    }
    let mut q = filled(0.0, k * k);
    for t in 0..k {
        for j in (0..k).filter(|&j| j != t) {
            q[t * k + t] += r[j * k + t] * r[j * k + t];
            q[t * k + j] = -r[j * k + t] * r[t * k + j];
        }
    }
    out.fill(1.0 / k as f64);
    let mut products = filled(0.0, k);
    for _ in 0..100.max(k) {
        let mut total = 0.0;
        for t in 0..k {
            products[t] = (0..k).map(|j| q[t * k + j] * out[j]).sum();
            total += out[t] * products[t];
        }
        let error = products.iter().fold(0.0, |most: f64, p| most.max((p - total).abs()));
        if error < 0.005 / k as f64 {
            break;
        }
        for t in 0..k {
            let change = (total - products[t]) / q[t * k + t];
            out[t] += change;
            let scale = 1.0 + change;
            total =
                (total + change * (change * q[t * k + t] + 2.0 * products[t])) / (scale * scale);
            for j in 0..k {
                products[j] = (products[j] + change * q[t * k + j]) / scale;
                out[j] /= scale;
            }
        }
    }
}
