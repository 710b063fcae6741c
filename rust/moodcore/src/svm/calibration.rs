//! Probabilities from decision values: Platt's sigmoid for two classes, coupled for more.

use super::solver::{Options, Problem, Solution, Start, solve};
use super::working_set::{AddRows, WorkingSet};
use crate::kernels::{LANES, Precision};
use crate::parallel::Compute;
use crate::rng::{Purpose, Stream};
use std::sync::atomic::AtomicBool;

/// `P(first class | decision value f) = 1 / (1 + exp(a f + b))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sigmoid {
    /// The slope, below zero where larger values speak for the first class.
    pub a: f64,
    /// The offset.
    pub b: f64,
}

/// Folds whose decision values the sigmoid is fitted to.
const FOLDS: usize = 5;
/// How exactly folds are solved, in multiples of `tol`: their values are averaged over all rows.
const FOLD_TOL: f64 = 10.0;

/// Fits the sigmoid to decision values of rows that were not trained on (Platt 2000). Each fold
/// starts from the solution for all rows.
pub(super) fn calibrate(
    problem: &Problem<'_>,
    solution: &Solution,
    options: Options,
    (seed, pair): (u64, u64),
    set: &mut WorkingSet,
    (compute, stop): (Compute<'_>, &AtomicBool),
) -> Sigmoid {
    let n = problem.y.len();
    let mut order: Vec<usize> = (0..n).collect();
    let mut stream = Stream::new(seed, Purpose::Folds, pair);
    for at in (1..n).rev() {
        order.swap(at, (stream.next_u64() % (at as u64 + 1)) as usize);
    }
    let mut decisions = vec![0.0; n];
    let options = Options { tol: FOLD_TOL * options.tol, ..options };
    for fold in 0..FOLDS {
        let held: Vec<usize> = order.iter().copied().skip(fold).step_by(FOLDS).collect();
        without(problem, solution, (&held, &mut decisions), options, set, (compute, stop));
    }
    fit_sigmoid(&decisions, &problem.y)
}

/// Decision values of the rows held out, of the machine trained on the rest.
fn without(
    problem: &Problem<'_>,
    solution: &Solution,
    (held, decisions): (&[usize], &mut [f64]),
    options: Options,
    set: &mut WorkingSet,
    (compute, stop): (Compute<'_>, &AtomicBool),
) {
    let mut rest = problem.clone();
    let mut beta = solution.beta.clone();
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
    let mut order: Vec<usize> = (0..beta.len()).collect();
    let excess: f64 = beta.iter().sum();
    let key =
        |row: usize| if excess > 0.0 { -solution.gradient[row] } else { solution.gradient[row] };
    order.sort_by(|&a, &b| key(a).total_cmp(&key(b)).then(a.cmp(&b)));
    rest.balance(&mut beta, order.into_iter());
    let moved: Vec<u32> = (0..beta.len() as u32)
        .filter(|&row| beta[row as usize] != solution.beta[row as usize])
        .collect();
    let by: Vec<f64> =
        moved.iter().map(|&row| beta[row as usize] - solution.beta[row as usize]).collect();
    let mut gradient = solution.gradient.clone();
    gradient.resize(gradient.len().next_multiple_of(LANES), 0.0);
    if set.holds_all {
        compute.isa.run(AddRows { set, moved: &moved, by: &by, out: &mut gradient });
    } else {
        let gram = &rest.gram;
        gram.add_products(gram, (&moved, &by), Precision::Single, &mut gradient, compute);
    }
    gradient.truncate(beta.len());
    let start = Start { beta, gradient: Some((gradient, 0.0)) };
    let solved = solve(&rest, Some(start), options, set, (compute, stop));
    let offset = solved.offset(&rest);
    for &row in held {
        decisions[row] = solved.gradient[row] + rest.y[row] - offset;
    }
}

/// Maximum likelihood with Platt's targets, by Newton's method with backtracking in the form that
/// neither overflows nor cancels (Lin, Lin and Weng 2007, algorithm 1).
fn fit_sigmoid(decisions: &[f64], y: &[f64]) -> Sigmoid {
    const STEPS: usize = 100;
    const RIDGE: f64 = 1e-12;
    let positive = y.iter().filter(|&&y| y > 0.0).count() as f64;
    let negative = y.len() as f64 - positive;
    let high = (positive + 1.0) / (positive + 2.0);
    let low = 1.0 / (negative + 2.0);
    let target = |y: f64| if y > 0.0 { high } else { low };
    let loss = |s: Sigmoid| -> f64 {
        let rows = decisions.iter().zip(y);
        rows.map(|(&f, &y)| {
            let t = s.a * f + s.b;
            // t log-odds against: -target log p - (1 - target) log(1 - p), without overflow.
            (target(y) - f64::from(t < 0.0)) * t + libm::log1p(libm::exp(-t.abs()))
        })
        .sum()
    };
    let mut at = Sigmoid { a: 0.0, b: libm::log((negative + 1.0) / (positive + 1.0)) };
    let mut value = loss(at);
    for _ in 0..STEPS {
        let (mut h11, mut h22, mut h21, mut g1, mut g2) = (RIDGE, RIDGE, 0.0, 0.0, 0.0);
        for (&f, &y) in decisions.iter().zip(y) {
            let p = at.probability(f);
            let curvature = p * (1.0 - p);
            let slope = target(y) - p;
            h11 += f * f * curvature;
            h22 += curvature;
            h21 += f * curvature;
            g1 += f * slope;
            g2 += slope;
        }
        if g1.abs() < 1e-5 && g2.abs() < 1e-5 {
            break;
        }
        let determinant = h11 * h22 - h21 * h21;
        let (da, db) = (-(h22 * g1 - h21 * g2) / determinant, -(h11 * g2 - h21 * g1) / determinant);
        let slope = g1 * da + g2 * db;
        let mut step = 1.0;
        loop {
            let next = Sigmoid { a: at.a + step * da, b: at.b + step * db };
            let there = loss(next);
            if there < value + 1e-4 * step * slope {
                (at, value) = (next, there);
                break;
            }
            step *= 0.5;
            if step < 1e-10 {
                return at;
            }
        }
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
    let mut r = vec![0.0; k * k];
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
    let mut q = vec![0.0; k * k];
    for t in 0..k {
        for j in (0..k).filter(|&j| j != t) {
            q[t * k + t] += r[j * k + t] * r[j * k + t];
            q[t * k + j] = -r[j * k + t] * r[t * k + j];
        }
    }
    out.fill(1.0 / k as f64);
    let mut products = vec![0.0; k];
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
