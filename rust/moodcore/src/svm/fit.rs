//! One-vs-one training: a binary problem for each pair of classes, solved in parallel.

use super::calibration::{Sigmoid, calibrate};
use super::config::{Config, Gamma};
use super::features::Features;
use super::gram::Gram;
use super::precision::Spread;
use super::rows::{Rows, Values};
use super::solver::{End, Options, Problem, Solution, Start, solve};
use super::working_set::WorkingSet;
use crate::kernels::{KernelFunction, LANES, Real, Tiles};
use crate::memory::{CollectVec, copied, filled};
use crate::parallel::{Compute, attended};
use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A fitted model: the solutions for all pairs of classes.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The kernel coefficient.
    pub gamma: f64,
    /// Row indices of the support vectors, class by class, ascending in each.
    pub support: Vec<u32>,
    /// Number of support vectors of each class.
    pub n_support: Vec<u32>,
    /// Coefficients, `(n_classes - 1) x support.len()`: that of a vector of class `c` against class
    /// `d` is in row `d` when `d < c`, in row `d - 1` otherwise.
    pub dual_coef: Vec<f64>,
    /// The pairs (0, 1), (0, 2) and so on.
    pub pairs: Vec<PairFit>,
}

/// The solution for a pair of classes.
#[derive(Clone, Debug)]
pub struct PairFit {
    /// Added to the sum over the support vectors.
    pub intercept: f64,
    /// Number of SMO iterations.
    pub n_iter: usize,
    /// Whether training met `tol` before its limits.
    pub converged: bool,
    /// The dual problem's objective, which is minimized.
    pub dual_objective: f64,
    /// The primal objective minus the lower bound from the dual objective.
    pub duality_gap: f64,
    /// Platt scaling parameters of calibrated probabilities.
    pub sigmoid: Option<Sigmoid>,
    /// The coefficients of the pair's rows.
    pub coefficients: Vec<f64>,
}

/// The largest kernel value that the solver computes with.
const LARGEST: f64 = 1e100;
/// Maximum number of coefficients in a working set.
const WORKING_SET: usize = 1024;

/// The classes of all pairs.
pub(super) fn pairs(n_classes: usize) -> Vec<(u32, u32)> {
    let n = n_classes as u32;
    (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect_vec()
}

/// Trains a problem for each pair of classes.
///
/// # Errors
/// [`Error::Parameter`] for a hyperparameter out of range, [`Error::Data`] when kernel values are
/// too large; what `poll` returns.
pub fn fit(
    config: &Config,
    rows: &Rows<'_>,
    seed: u64,
    compute: Compute<'_>,
    poll: &mut dyn FnMut() -> Result<()>,
) -> Result<Fitted> {
    config.check()?;
    let gamma = config.gamma.resolve(rows.values);
    let kernel = Config { gamma: Gamma::Value(gamma), ..config.clone() }.function();
    if kernel.is_none() != matches!(rows.values, Values::Kernel(_)) {
        return Err(Error::Data(
            "a matrix of kernel values goes with kernel=\"precomputed\"".into(),
        ));
    }
    let geometry = Geometry::of(rows, kernel)?;
    let classes = pairs(rows.n_classes);
    let mut work: Vec<_> = classes.iter().map(|&pair| (pair, None)).collect_vec();
    attended(poll, |stop| {
        compute.team.for_each(&mut work, |at, ((a, b), out)| {
            let members = members(rows, *a, *b);
            let pair = Pair { config, rows, members: &members, positive: *a, geometry: &geometry };
            let fit = pair.fit((seed, at as u64), (compute, stop));
            *out = Some((members, fit));
        });
    })?;
    let trained = work.into_iter().filter_map(|(_, trained)| trained);
    let (members, fits): (Vec<_>, Vec<_>) = trained.unzip();
    Ok(gather(rows, gamma, &classes, &members, fits))
}

/// The rows of two classes.
fn members(rows: &Rows<'_>, a: u32, b: u32) -> Vec<u32> {
    let of_pair = |&row: &u32| [a, b].contains(&rows.y[row as usize]);
    (0..rows.y.len() as u32).filter(of_pair).collect_vec()
}

/// The kernel, and where its values are computed.
struct Geometry {
    kernel: Option<KernelFunction>,
    /// What is subtracted from features that are far from the origin: the linear kernel's dual
    /// problem does not change, and its kernel values lose fewer digits.
    center: Option<Vec<f64>>,
    spread: Spread,
    /// Whether the features lose too much in single precision.
    is_double: bool,
    /// Whether kernel values are computed from the features other than zero.
    is_sparse: bool,
}

impl Geometry {
    fn of(rows: &Rows<'_>, kernel: Option<KernelFunction>) -> Result<Self> {
        let n_rows = rows.y.len();
        let raw = Spread::of(rows.values, n_rows, kernel);
        if raw.scale.is_nan() || raw.scale > LARGEST {
            return Err(Error::Data(format!(
                "kernel values must be at most {LARGEST:e}, got {:e}; scale the features first",
                raw.scale
            )));
        }
        let is_far = !raw.is_near() || rows.values.is_double();
        // Sparse rows would be dense if they were centered. Where single precision cannot tell them
        // apart as they are, double precision has to.
        let centers = is_far && kernel == Some(KernelFunction::Linear) && !rows.values.is_sparse();
        let center = centers.then(|| rows.values.means());
        let spread = match &center {
            None => raw,
            Some(center) => {
                let square = |row: usize| {
                    let difference =
                        |(at, mean): (usize, &f64)| rows.values.feature(row, at) - mean;
                    center.iter().enumerate().map(difference).map(|d| d * d).sum::<f64>()
                };
                let (sum, largest) = (0..n_rows)
                    .map(square)
                    .fold((0.0, 0.0), |(sum, most): (f64, f64), s| (sum + s, most.max(s)));
                Spread { scale: largest, variance: sum / n_rows as f64, is_in_range: true }
            }
        };
        // Centered features of any table fit single precision.
        let is_double = center.is_none() && rows.values.is_double();
        let is_sparse = center.is_none()
            && match (rows.values, kernel) {
                (Values::Single(features), Some(kernel)) => features.is_sparse_enough(kernel),
                (Values::Double(features), Some(kernel)) => features.is_sparse_enough(kernel),
                _ => false,
            };
        Ok(Geometry { kernel, center, spread, is_double, is_sparse })
    }
}

/// Two classes, the first of them positive.
struct Pair<'a> {
    config: &'a Config,
    rows: &'a Rows<'a>,
    members: &'a [u32],
    positive: u32,
    geometry: &'a Geometry,
}

impl<'a> Pair<'a> {
    fn problem<T: Real>(&self) -> Problem<'a, T> {
        let (rows, scale) = (self.rows, self.geometry.spread.scale);
        let gram = match (rows.values, self.geometry.kernel) {
            (Values::Kernel(values), _) => {
                Gram::Matrix { values, width: rows.y.len(), rows: copied(self.members), scale }
            }
            (Values::Single(features), Some(kernel)) => self.gram(features, kernel),
            (Values::Double(features), Some(kernel)) => self.gram(features, kernel),
            (_, None) => unreachable!("checked in `fit`"),
        };
        let sign = |&row: &u32| if rows.y[row as usize] == self.positive { 1.0 } else { -1.0 };
        let y = self.members.iter().map(sign).collect_vec();
        let bound = |&row: &u32| self.config.c * rows.weight(row as usize);
        Problem { gram, y, bound: self.members.iter().map(bound).collect_vec() }
    }

    fn gram<T: Real, U: Real>(
        &self,
        features: Features<'_, U>,
        kernel: KernelFunction,
    ) -> Gram<'a, T> {
        let scale = self.geometry.spread.scale;
        let members = self.members.iter().map(|&row| row as usize);
        if self.geometry.is_sparse {
            return Gram::Sparse {
                kernel,
                table: Arc::new(features.list(members)),
                n_features: features.n_features(),
                rows: (0..self.members.len() as u32).collect_vec(),
                scale,
            };
        }
        let values = self.rows.values;
        let rows = match &self.geometry.center {
            Some(center) => Tiles::from_fn(center.len(), members, |row, feature| {
                T::from_f64(values.feature(row, feature) - center[feature])
            }),
            None => features.tiles(members),
        };
        Gram::Function { kernel, rows, scale }
    }

    fn fit(&self, seed: (u64, u64), context: (Compute<'_>, &AtomicBool)) -> PairFit {
        let mut start = None;
        let mut steps = 0;
        if !self.geometry.is_double && self.geometry.spread.fits_single() {
            let solved = self.solve::<f32>(None, 0, context);
            if solved.solution.end != End::Precision {
                return self.finish(solved, seed, context);
            }
            steps = solved.solution.steps;
            start = Some(Start { beta: solved.solution.beta, gradient: None });
        }
        self.finish(self.solve::<f64>(start, steps, context), seed, context)
    }

    fn options(&self, steps: usize) -> Options {
        let limit = usize::try_from(self.config.max_iter).unwrap_or(usize::MAX);
        Options {
            tol: self.config.tol,
            max_steps: limit.saturating_sub(steps),
            shrinking: self.config.shrinking,
            working_set: working_set(self.config.cache_size),
        }
    }

    /// Solves the problem after `steps` SMO iterations in another precision.
    fn solve<T: Real>(
        &self,
        start: Option<Start>,
        steps: usize,
        context: (Compute<'_>, &AtomicBool),
    ) -> Solved<'a, T> {
        let problem = self.problem();
        let mut set = WorkingSet::new(self.geometry.spread.scale);
        let options = self.options(steps);
        let mut solution = solve(&problem, start, options, &mut set, context);
        solution.steps += steps;
        Solved { problem, set, solution }
    }

    fn finish<T: Real>(
        &self,
        solved: Solved<'_, T>,
        seed: (u64, u64),
        context: (Compute<'_>, &AtomicBool),
    ) -> PairFit {
        let Solved { problem, mut set, solution } = solved;
        let sigmoid = self
            .config
            .probability
            .then(|| calibrate(&problem, &solution, self.options(0), seed, &mut set, context));
        PairFit {
            intercept: -solution.offset(&problem) - self.center_value(&solution.beta),
            n_iter: solution.steps,
            converged: solution.end == End::Converged,
            dual_objective: solution.objective(&problem),
            duality_gap: solution.duality_gap(&problem),
            sigmoid,
            coefficients: solution.beta,
        }
    }

    /// What the features' center adds to each decision value of the uncentered linear kernel.
    fn center_value(&self, beta: &[f64]) -> f64 {
        let Some(center) = &self.geometry.center else { return 0.0 };
        let weight = |(feature, mean): (usize, &f64)| {
            let rows = self.members.iter().zip(beta).filter(|&(_, beta)| *beta != 0.0);
            let value = |&row: &u32| self.rows.values.feature(row as usize, feature) - mean;
            mean * rows.map(|(row, beta)| beta * value(row)).sum::<f64>()
        };
        center.iter().enumerate().map(weight).sum()
    }
}

/// A solution with what calibration computes from.
struct Solved<'m, T: Real> {
    problem: Problem<'m, T>,
    set: WorkingSet<T>,
    solution: Solution,
}

/// As many coefficients as have room for the kernel values of each with each.
fn working_set(megabytes: f64) -> usize {
    let values = megabytes * f64::from(1 << 20) / size_of::<f32>() as f64;
    let room = libm::sqrt(values) as usize / LANES * LANES;
    room.clamp(4 * LANES, WORKING_SET)
}

impl<T: Real> Problem<'_, T> {
    /// Takes from the side that has too much, row after row, until the sum is zero.
    pub(super) fn balance(&self, beta: &mut [f64], order: impl Iterator<Item = usize>) {
        let mut excess: f64 = beta.iter().sum();
        for row in order {
            let taken = if excess > 0.0 {
                beta[row].max(0.0).min(excess)
            } else {
                beta[row].min(0.0).max(excess)
            };
            beta[row] -= taken;
            excess -= taken;
        }
    }
}

impl Solution {
    /// Half of `beta' (K beta - 2 y)`.
    pub(super) fn objective<T: Real>(&self, problem: &Problem<'_, T>) -> f64 {
        let rows = self.beta.iter().zip(&self.gradient).zip(&problem.y);
        0.5 * rows.map(|((beta, gradient), y)| beta * (gradient - y)).sum::<f64>()
    }

    /// The decision's offset rho: what the gradient of all coefficients between their bounds is, on
    /// average; where there are none, the middle of what it can be (Chang and Lin 2011, section
    /// 4.1.5).
    pub(super) fn offset<T: Real>(&self, problem: &Problem<'_, T>) -> f64 {
        let (mut sum, mut count) = (0.0, 0_usize);
        let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
        for (row, (&beta, &gradient)) in self.beta.iter().zip(&self.gradient).enumerate() {
            let (lower, upper) = problem.bounds(row);
            let (may_grow, may_shrink) = (beta < upper, beta > lower);
            if may_grow && may_shrink {
                sum += gradient;
                count += 1;
            }
            if may_grow {
                least = least.min(gradient);
            }
            if may_shrink {
                greatest = greatest.max(gradient);
            }
        }
        match (count, least.is_finite(), greatest.is_finite()) {
            (1.., _, _) => sum / count as f64,
            (_, true, true) => 0.5 * (least + greatest),
            (_, true, false) => least,
            (_, false, true) => greatest,
            _ => 0.0,
        }
    }

    /// The primal objective plus the minimized dual objective; zero at the optimum.
    fn duality_gap<T: Real>(&self, problem: &Problem<'_, T>) -> f64 {
        let offset = self.offset(problem);
        let rows = self.beta.iter().zip(&self.gradient).zip(problem.y.iter().zip(&problem.bound));
        rows.map(|((beta, gradient), (y, bound))| {
            // y (f - rho) with f = gradient + y.
            let slack = (y * (offset - gradient)).max(0.0);
            beta * gradient + bound * slack
        })
        .sum()
    }
}

/// Lays the pairs' coefficients out as all support vectors have them.
fn gather(
    rows: &Rows<'_>,
    gamma: f64,
    classes: &[(u32, u32)],
    members: &[Vec<u32>],
    fits: Vec<PairFit>,
) -> Fitted {
    let (n_rows, n_classes) = (rows.y.len(), rows.n_classes);
    let mut supports = filled(false, n_rows);
    for (members, fit) in members.iter().zip(&fits) {
        for (&row, &value) in members.iter().zip(&fit.coefficients) {
            supports[row as usize] |= value != 0.0;
        }
    }
    let mut support: Vec<u32> =
        (0..n_rows as u32).filter(|&row| supports[row as usize]).collect_vec();
    support.sort_by_key(|&row| rows.y[row as usize]);
    let mut n_support = filled(0, n_classes);
    let mut place = filled(u32::MAX, n_rows);
    for (at, &row) in support.iter().enumerate() {
        n_support[rows.y[row as usize] as usize] += 1;
        place[row as usize] = at as u32;
    }
    let n = support.len();
    let mut dual_coef = filled(0.0, (n_classes - 1) * n);
    for ((members, fit), &(a, b)) in members.iter().zip(&fits).zip(classes) {
        for (&row, &value) in members.iter().zip(&fit.coefficients) {
            if value != 0.0 {
                let against = if rows.y[row as usize] == a { b - 1 } else { a };
                dual_coef[against as usize * n + place[row as usize] as usize] = value;
            }
        }
    }
    Fitted { gamma, support, n_support, dual_coef, pairs: fits }
}
