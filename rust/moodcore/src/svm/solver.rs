//! The dual problem of one pair of classes.
//!
//! In the coefficients `beta_i = y_i alpha_i` the dual of the support vector machine (Chang and Lin
//! 2011, equation 2) reads: minimize `1/2 beta' K beta - y' beta` with `sum beta = 0` and each
//! `beta_i` between `lower_i` and `upper_i`, which are 0 and C_i, or -C_i and 0. The gradient
//! `K beta - y` is least, at the optimum, for no coefficient that may grow below its greatest for
//! one that may shrink.
//!
//! Solved by decomposition (Osuna, Freund and Girosi 1997; Joachims 1999): a working set of the
//! worst violators, among them always the worst pair, which makes it converge (Lin 2001), is solved
//! by sequential minimal optimization on its kernel values; then the gradient of all rows is
//! updated. Sums and coefficients have double precision, kernel values that of `T`. Where single
//! precision could hide a violation, the gradient of the rows that decide is recomputed in double
//! precision, and what is left is corrected. A problem that single precision cannot solve ends with
//! [`End::Precision`], and the caller continues it in double precision.

use super::active::{Active, Direction, Shrunk};
use super::gram::Gram;
use super::newton::solve_faces;
use super::selection::Selection;
use super::working_set::{AddRows, Descend, Limit, WorkingSet};
use crate::kernels::{Extremes, LANES, Precision, Real};
use crate::memory::{CollectVec, copied, filled, resize};
use crate::parallel::Compute;
use std::sync::atomic::{AtomicBool, Ordering};

/// Two classes: 1 and -1 in `y`; a coefficient of bound zero does not take part.
#[derive(Clone, Debug)]
pub(super) struct Problem<'m, T> {
    pub(super) gram: Gram<'m, T>,
    pub(super) y: Vec<f64>,
    /// The largest size of each coefficient, at least zero.
    pub(super) bound: Vec<f64>,
}

impl<T: Real> Problem<'_, T> {
    /// The least and the largest value of a coefficient.
    pub(super) fn bounds(&self, row: usize) -> (f64, f64) {
        let bound = self.bound[row];
        if self.y[row] > 0.0 { (0.0, bound) } else { (-bound, 0.0) }
    }
}

/// When to stop, and how much to hold at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// The largest difference of gradients that is left.
    pub(super) tol: f64,
    /// Maximum number of SMO iterations.
    pub(super) max_steps: usize,
    /// Whether rows that seem settled are shrunk.
    pub(super) shrinking: bool,
    /// Maximum number of coefficients in a working set.
    pub(super) working_set: usize,
}

/// Why the solver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The largest difference of gradients is at most `tol`.
    Converged,
    /// The limit of iterations, or a request to stop.
    Limit,
    /// The precision of kernel values allows no more progress.
    Precision,
}

/// The coefficients at which the solver ended.
#[derive(Clone, Debug)]
pub(super) struct Solution {
    /// The coefficients.
    pub(super) beta: Vec<f64>,
    /// `K beta - y`.
    pub(super) gradient: Vec<f64>,
    /// SMO iterations.
    pub(super) steps: usize,
    /// Why it ended.
    pub(super) end: End,
}

/// How much of the violation a working set may leave.
const INNER: f64 = 0.2;
/// The part of the violation that the gradient inside a working set resolves in single precision.
const RESOLVED: f64 = 1e-5;
/// About how far the sum of kernel values in single precision is from exact, for each unit of the
/// root of the sum of squares of its factors.
const ROUNDING: f64 = 1e-6;

/// Working sets between two attempts to shrink.
const SHRINK_EVERY: usize = 8;
/// The part of the violation at the last attempt, below which it is time for another.
const SHRINK_FALL: f64 = 0.25;

/// How far gradients must be from deciding whether a solution is optimal to be left in single
/// precision, as a multiple of their estimated error.
const MARGIN: f64 = 4.0;
/// How wrong the objective may be, as a part of it.
const OBJECTIVE: f64 = 1e-5;
/// Maximum number of corrections; a problem that needs more is beyond the precision of its numbers.
const CORRECTIONS: usize = 30;
/// Maximum number of corrections that start because nothing was gained.
const STALLS: usize = 3;
/// SMO iterations per row after which single precision is first compared with double.
const STEPS_TO_LOOK: usize = 50;
/// The part of the violation by which single precision may be wrong to be continued.
const MISLED: f64 = 0.5;

struct Solver<'p, 'm, T: Real> {
    problem: &'p Problem<'m, T>,
    options: Options,
    compute: Compute<'p>,
    stop: &'p AtomicBool,
    beta: Vec<f64>,
    active: Active<'p, 'm, T>,
    shrunk: Vec<Shrunk<'m, T>>,
    set: &'p mut WorkingSet<T>,
    /// Whether all rows are one working set.
    whole: bool,
    selection: Selection,
    /// Whether less than half of the coefficients of the last working set moved.
    few_move: bool,
    steps: usize,
    /// The steps after which single precision is compared with double.
    next_look: usize,
    rounds: usize,
    /// The violation at the last attempt to shrink.
    looked: f64,
    /// The violation to go down to.
    goal: f64,
}

/// Coefficients that satisfy all constraints, and their gradient if it is known.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) beta: Vec<f64>,
    pub(super) gradient: Option<Vec<f64>>,
}

/// Why a descent over the active rows ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Descent {
    /// No violation is left.
    Settled,
    /// The limit of iterations, or a request to stop.
    Limit,
    /// A working set gained nothing.
    Stalled,
    /// It is time to compare single precision with double.
    Look,
}

/// Minimizes, from zero or from the given start. `set` is a workspace; if it is that of an earlier
/// solution over the same rows, its kernel values are not computed again.
///
/// The gradient of the result has double precision unless the estimated error of a converged
/// solution is far below `tol`. The objective is never above that of the start.
pub(super) fn solve<T: Real>(
    problem: &Problem<'_, T>,
    start: Option<Start>,
    options: Options,
    set: &mut WorkingSet<T>,
    (compute, stop): (Compute<'_>, &AtomicBool),
) -> Solution {
    let n = problem.gram.n_rows();
    let zero = || Start {
        beta: filled(0.0, n),
        gradient: Some(problem.y.iter().map(|y| -y).collect_vec()),
    };
    let start = start.unwrap_or_else(zero);
    let mut solver = Solver {
        problem,
        options,
        compute,
        stop,
        active: Active::all(
            &problem.gram,
            start.gradient.as_deref().map(copied).unwrap_or_default(),
        ),
        shrunk: Vec::new(),
        set,
        whole: n <= options.working_set,
        selection: Selection::first::<T>(options.working_set),
        few_move: true,
        steps: 0,
        next_look: if T::IS_SINGLE { STEPS_TO_LOOK * n } else { usize::MAX },
        rounds: 0,
        looked: 0.0,
        goal: options.tol,
        beta: copied(&start.beta),
    };
    if start.gradient.is_none() {
        solver.look_again(Precision::Double);
    }
    let first = Solution {
        gradient: copied(&solver.active.gradient[..n]),
        beta: start.beta,
        steps: 0,
        end: End::Limit,
    };
    solver.mark();
    solver.looked = solver.extremes().violation();
    let end = solver.run();
    if end != End::Converged {
        solver.look_again(Precision::Double);
    }
    let solution = Solution {
        gradient: copied(&solver.active.gradient[..n]),
        beta: solver.beta,
        steps: solver.steps,
        end,
    };
    if end != End::Converged && solution.objective(problem) > first.objective(problem) {
        return Solution { steps: solution.steps, end, ..first };
    }
    solution
}

impl<T: Real> Solver<'_, '_, T> {
    /// Continues until nothing is left to gain.
    fn run(&mut self) -> End {
        let (mut corrections, mut stalls) = (0, 0);
        loop {
            let descent = self.descend();
            self.unshrink();
            if descent == Descent::Limit || self.stop.load(Ordering::Relaxed) {
                return End::Limit;
            }
            if descent == Descent::Look {
                if self.is_misled() {
                    return End::Precision;
                }
                self.next_look = self.steps.saturating_mul(2);
                continue;
            }
            if descent == Descent::Settled {
                if self.extremes().violation() > self.goal {
                    continue;
                }
                if self.error() <= 0.1 * self.options.tol {
                    return End::Converged;
                }
            }
            self.check_decisive();
            if self.extremes().violation() <= self.options.tol {
                return End::Converged;
            }
            // What is left is corrected a little further than need be: the next look will differ.
            self.goal = 0.9 * self.options.tol;
            corrections += 1;
            stalls += usize::from(descent == Descent::Stalled);
            if corrections == CORRECTIONS || stalls == STALLS {
                return End::Precision;
            }
        }
    }

    /// Recomputes the gradient; whether that of single precision had other directions of descent.
    fn is_misled(&mut self) -> bool {
        let before = std::mem::take(&mut self.active.gradient);
        self.look_again(Precision::Double);
        let n = self.beta.len();
        let differences = before[..n].iter().zip(&self.active.gradient).map(|(a, b)| a - b);
        let (least, greatest) = differences
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), d| (low.min(d), high.max(d)));
        greatest - least > MISLED * self.extremes().violation()
    }

    /// About how far the gradient may be from exact.
    fn error(&self) -> f64 {
        if !T::IS_SINGLE {
            return 0.0;
        }
        let square: f64 = self.beta.iter().map(|beta| beta * beta).sum();
        ROUNDING * square.sqrt() * self.problem.gram.scale()
    }

    fn extremes(&self) -> Extremes {
        self.active.extremes(self.compute.isa)
    }

    /// Computes the gradient of all rows from the coefficients.
    fn look_again(&mut self, precision: Precision) {
        let all: Vec<u32> = (0..self.beta.len() as u32).collect_vec();
        self.active.gradient = self.computed(&self.problem.gram, &all, precision);
    }

    /// Computes the gradient of some of the rows from the coefficients, in whole vectors; `gram` has the
    /// kernel values of these rows.
    fn computed(&self, gram: &Gram<'_, T>, rows: &[u32], precision: Precision) -> Vec<f64> {
        let chosen: Vec<u32> =
            (0..self.beta.len() as u32).filter(|&j| self.beta[j as usize] != 0.0).collect_vec();
        let factors: Vec<f64> = chosen.iter().map(|&j| self.beta[j as usize]).collect_vec();
        let mut gradient: Vec<f64> =
            rows.iter().map(|&row| -self.problem.y[row as usize]).collect_vec();
        let padded = gradient.len().next_multiple_of(LANES);
        resize(&mut gradient, padded, 0.0);
        let of = &self.problem.gram;
        gram.add_products(of, (&chosen, &factors), precision, &mut gradient, self.compute);
        gradient
    }

    /// Computes in double precision the gradient of the rows that decide whether the solution is
    /// optimal: those that may move and whose gradient is not far from that of others that may move the
    /// other way. Of the songs these are 1 to 5 %. The others count only if single precision is wrong
    /// by half of the margin. All rows are computed if it is wrong by a quarter of it in any of these, and in
    /// small problems, where they cost little.
    fn check_decisive(&mut self) {
        if self.whole || !T::IS_SINGLE {
            return self.look_again(Precision::Double);
        }
        let margin = MARGIN * self.error();
        let extremes = self.extremes();
        let n = self.beta.len();
        let (mut near, mut candidates) = (filled(false, n), Vec::new());
        for (direction, limit) in [
            (Direction::Up, extremes.greatest_low.value),
            (Direction::Down, -extremes.least_up.value),
        ] {
            self.active.collect(direction, limit + margin, self.compute.isa, &mut candidates);
            candidates.iter().for_each(|&(_, at)| near[at as usize] = true);
        }
        let near: Vec<u32> = (0..n as u32).filter(|&row| near[row as usize]).collect_vec();
        if 2 * near.len() > n {
            return self.look_again(Precision::Double);
        }
        let mut gradient =
            self.computed(&self.problem.gram.select(&near), &near, Precision::Double);
        gradient.truncate(near.len());
        let (mut error, mut squares) = (0.0_f64, 0.0);
        for (&row, &exact) in near.iter().zip(&gradient) {
            let value = &mut self.active.gradient[row as usize];
            error = error.max((exact - *value).abs());
            squares += (exact - *value).powi(2);
            *value = exact;
        }
        // Errors of the others only change the objective, by about half of their product with the
        // coefficients.
        let norm = self.beta.iter().map(|beta| beta * beta).sum::<f64>().sqrt();
        let rows = self.beta.iter().zip(&self.active.gradient).zip(&self.problem.y);
        let objective = 0.5 * rows.map(|((beta, g), y)| beta * (g - y)).sum::<f64>();
        let of_objective = 0.5 * norm * (squares / near.len().max(1) as f64).sqrt();
        let is_small = error <= 0.25 * margin && of_objective <= OBJECTIVE * objective.abs();
        if !is_small {
            self.look_again(Precision::Double);
        }
    }

    /// Notes which coefficients may move.
    fn mark(&mut self) {
        for at in 0..self.active.ids.len() {
            let row = self.active.ids[at] as usize;
            self.active.mark(at, self.beta[row], self.problem.bounds(row));
        }
    }

    /// Takes all rows back that were shrunk.
    fn unshrink(&mut self) {
        if self.shrunk.is_empty() {
            return;
        }
        let gram = &self.problem.gram;
        let mut gradient = filled(0.0, gram.n_rows());
        for (&id, &value) in self.active.ids.iter().zip(&self.active.gradient) {
            gradient[id as usize] = value;
        }
        for shrunk in self.shrunk.drain(..) {
            shrunk.unshrink(gram, &self.beta, self.compute, &mut gradient);
        }
        self.active = Active::all(gram, gradient);
        self.mark();
    }

    /// Solves working sets until the active rows have no violation left, or another reason to end.
    fn descend(&mut self) -> Descent {
        loop {
            let extremes = self.extremes();
            if extremes.violation() <= self.goal {
                return Descent::Settled;
            }
            let limit = self.options.max_steps - self.steps;
            if limit == 0 || self.stop.load(Ordering::Relaxed) {
                return Descent::Limit;
            }
            if self.steps >= self.next_look {
                return Descent::Look;
            }
            self.rounds += 1;
            let falls = extremes.violation() < SHRINK_FALL * self.looked;
            if self.options.shrinking
                && !self.whole
                && (falls || self.rounds.is_multiple_of(SHRINK_EVERY))
            {
                self.shrunk.extend(self.active.shrink(&extremes, &self.beta));
                self.looked = extremes.violation();
            }
            let gain = self.improve(&extremes, limit);
            if gain.is_nan() || gain <= 0.0 {
                return Descent::Stalled;
            }
        }
    }

    /// Solves one working set; how far the objective fell.
    fn improve(&mut self, extremes: &Extremes, most: usize) -> f64 {
        let n = self.active.ids.len();
        let chosen = if self.whole {
            (0..n as u32).collect_vec()
        } else {
            self.selection.choose(&self.active, extremes, self.compute.isa)
        };
        let offset = 0.5 * (extremes.least_up.value + extremes.greatest_low.value);
        // Newton's method, in double precision, reads rows of coefficients that do not move. Where most
        // move, computing each pair of them once is faster.
        let on_demand = T::IS_SINGLE && self.few_move && self.active.gram.source().is_some();
        let own = (on_demand && !self.whole).then(|| self.active.gram.select(&chosen));
        self.load(&chosen, (offset, own.as_ref()), on_demand);
        let part = (INNER * extremes.violation()).max(0.5 * self.goal);
        // Less would be lost in the single precision inside.
        let seen = if T::IS_SINGLE { RESOLVED * extremes.violation() } else { 0.0 };
        let tol = if self.whole { self.goal.max(seen) } else { part };
        let limit = Limit { tol, steps: most.min(100 * chosen.len()) };
        let source = own.as_ref().unwrap_or(&self.active.gram).source();
        let set = &mut *self.set;
        let steps = self.compute.isa.run(Descend { set, source, limit });
        self.steps += steps;
        if !T::IS_SINGLE && steps == limit.steps {
            solve_faces(self.set, chosen.len());
        }
        let (mut moved, mut by) = (Vec::new(), Vec::new());
        self.selection.free.clear();
        for (at, &place) in chosen.iter().enumerate() {
            let row = self.active.ids[place as usize];
            let (old, new) = (&mut self.beta[row as usize], self.set.beta[at]);
            let (lower, upper) = self.problem.bounds(row as usize);
            if new > lower && new < upper {
                self.selection.free.push(row);
            }
            if new != *old {
                moved.push(place);
                by.push(new - *old);
                *old = new;
                self.active.mark(place as usize, new, (lower, upper));
            }
        }
        self.few_move = self.whole || 2 * moved.len() < chosen.len();
        self.selection.grow(self.options.working_set);
        let along = |gradient: &[f64]| -> f64 {
            moved.iter().zip(&by).map(|(&at, by)| by * gradient[at as usize]).sum()
        };
        let Active { gram, gradient, .. } = &mut self.active;
        let before = along(gradient);
        if self.whole {
            let (kernel, source) = (&mut self.set.kernel, gram.source());
            let (moved, by) = (&moved, &by);
            self.compute.isa.run(AddRows { kernel, source, moved, by, out: gradient });
        } else {
            gram.add_products(gram, (&moved, &by), Precision::Single, gradient, self.compute);
        }
        // The objective is quadratic: its slope along the step falls evenly.
        -0.5 * (before + along(gradient))
    }

    /// Copies the chosen places into the working set, the gradient less `offset`. If kernel rows are
    /// computed on demand, their source is `own`, or all active rows if these are the working set.
    fn load(
        &mut self,
        chosen: &[u32],
        (offset, own): (f64, Option<&Gram<'_, T>>),
        on_demand: bool,
    ) {
        let set = &mut *self.set;
        set.resize(chosen.len());
        if !set.holds_all {
            let (gram, isa) = (&self.active.gram, self.compute.isa);
            match own.unwrap_or(gram).source() {
                Some(source) if on_demand => set.kernel.compute_on_demand(source, isa),
                _ => set.kernel.compute_all(gram, chosen, isa),
            }
            set.holds_all = self.whole;
        }
        for (at, &place) in chosen.iter().enumerate() {
            let row = self.active.ids[place as usize] as usize;
            set.beta[at] = self.beta[row];
            set.gradient[at] = T::from_f64(self.active.gradient[place as usize] - offset);
            (set.lower[at], set.upper[at]) = self.problem.bounds(row);
        }
    }
}
