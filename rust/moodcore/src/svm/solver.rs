//! The dual problem of one pair of classes.
//!
//! In the coefficients `beta_i = y_i alpha_i` the dual of the support vector machine (Chang and Lin
//! 2011, equation 2) reads: minimise `1/2 beta' K beta - y' beta` with `sum beta = 0` and each
//! `beta_i` between `lower_i` and `upper_i`, which are 0 and C_i, or -C_i and 0. The gradient
//! `K beta - y` is least, at the optimum, for no coefficient that may grow below its greatest for
//! one that may shrink.
//!
//! Solved by decomposition (Osuna, Freund and Girosi 1997; Joachims 1999): a working set of the
//! worst violators, among them always the worst pair, which makes it converge (Lin 2001), is solved
//! by sequential minimal optimisation on kernel values at hand; then the gradient of all rows is
//! brought up to date. Kernel values are single, sums and coefficients double precision. Where
//! single precision could hide a violation, the gradient is computed anew in double precision, and
//! what is left is corrected.

use super::active::{Active, Frozen};
use super::gram::Gram;
use super::working_set::{AddRows, Descend, Limit, WorkingSet};
use crate::kernels::{Extremes, LANES, Precision};
use crate::parallel::Compute;
use std::sync::atomic::{AtomicBool, Ordering};

/// Two classes: 1 and -1 in `y`; a coefficient of bound zero does not take part.
#[derive(Clone, Debug)]
pub(super) struct Problem<'m> {
    pub(super) gram: Gram<'m>,
    pub(super) y: Vec<f64>,
    /// The largest size of each coefficient, at least zero.
    pub(super) bound: Vec<f64>,
}

impl Problem<'_> {
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
    /// Steps at most.
    pub(super) max_steps: usize,
    /// Whether rows that seem settled are put aside.
    pub(super) shrinking: bool,
    /// Coefficients in a working set, at most.
    pub(super) working_set: usize,
}

/// Where the solver came to.
#[derive(Clone, Debug)]
pub(super) struct Solution {
    /// The coefficients.
    pub(super) beta: Vec<f64>,
    /// `K beta - y`.
    pub(super) gradient: Vec<f64>,
    /// Steps of two coefficients.
    pub(super) steps: usize,
    /// Whether the largest difference of gradients is at most `tol`.
    pub(super) converged: bool,
}

/// Coefficients in the first working sets: their kernel values fill half of a second-level cache.
const FIRST: usize = 512;
/// The part of a working set, one in so many, that may stay for the next.
const KEPT: usize = 2;
/// How much of the violation a working set is rid of.
const INNER: f64 = 0.2;
/// The part of the violation that the gradient inside a working set resolves.
const RESOLVED: f64 = 1e-5;
/// About how far the sum of kernel values in single precision is from exact, for each unit of the
/// root of the sum of squares of its factors.
const ROUNDING: f64 = 1e-6;

/// Working sets between two looks at what seems settled.
const SHRINK_EVERY: usize = 8;
/// The part of the violation at the last look, below which it is time for another.
const SHRINK_FALL: f64 = 0.25;

/// Corrections at most; a problem that needs more is beyond the precision of its numbers.
const CORRECTIONS: usize = 30;
struct Solver<'p, 'm> {
    problem: &'p Problem<'m>,
    options: Options,
    compute: Compute<'p>,
    stop: &'p AtomicBool,
    beta: Vec<f64>,
    active: Active<'p, 'm>,
    frozen: Vec<Frozen<'m>>,
    set: &'p mut WorkingSet,
    /// Whether all rows are one working set.
    whole: bool,
    /// Rows of the last working set that are between their bounds.
    free: Vec<u32>,
    /// Coefficients in the next working set.
    size: usize,
    steps: usize,
    rounds: usize,
    /// The violation at the last look at what seems settled.
    looked: f64,
    /// The violation to go down to.
    goal: f64,
    /// Whether it was computed in double precision after the last step.
    exact: bool,
}

/// Coefficients that satisfy all constraints, and their gradient.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) beta: Vec<f64>,
    pub(super) gradient: Vec<f64>,
}

/// Minimises, from zero or from where it is told to. `set` is room to work in; when it is that of
/// an earlier solution over the same rows, kernel values that it holds are not computed again.
pub(super) fn solve(
    problem: &Problem<'_>,
    start: Option<Start>,
    options: Options,
    set: &mut WorkingSet,
    (compute, stop): (Compute<'_>, &AtomicBool),
) -> Solution {
    let n = problem.gram.n_rows();
    let zero = || Start { beta: vec![0.0; n], gradient: problem.y.iter().map(|y| -y).collect() };
    let Start { beta, gradient } = start.unwrap_or_else(zero);
    let mut solver = Solver {
        problem,
        options,
        compute,
        stop,
        active: Active::all(&problem.gram, gradient),
        frozen: Vec::new(),
        set,
        whole: n <= options.working_set,
        free: Vec::new(),
        size: options.working_set.min(FIRST),
        steps: 0,
        rounds: 0,
        looked: 0.0,
        goal: options.tol,
        exact: false,
        beta,
    };
    solver.mark();
    solver.looked = solver.extremes().violation();
    let converged = solver.run();
    Solution {
        gradient: solver.active.gradient[..n].to_vec(),
        beta: solver.beta,
        steps: solver.steps,
        converged,
    }
}

impl Solver<'_, '_> {
    /// Goes on until nothing is left to gain; whether it got there.
    fn run(&mut self) -> bool {
        let mut corrections = 0;
        while corrections < CORRECTIONS {
            let settled = self.descend();
            self.thaw();
            if !settled || self.stop.load(Ordering::Relaxed) {
                return false;
            }
            if self.extremes().violation() > self.goal {
                continue;
            }
            if self.error() <= 0.1 * self.options.tol {
                return true;
            }
            self.look_again(Precision::Double);
            if self.extremes().violation() <= self.options.tol {
                self.exact = true;
                return true;
            }
            // What is left is corrected a little further than need be: the next look will differ.
            self.goal = 0.9 * self.options.tol;
            corrections += 1;
        }
        false
    }

    /// About how far the gradient may be from exact.
    fn error(&self) -> f64 {
        let square: f64 = self.beta.iter().map(|beta| beta * beta).sum();
        ROUNDING * square.sqrt() * self.problem.gram.scale()
    }

    fn extremes(&self) -> Extremes {
        self.active.extremes(self.compute.isa)
    }

    /// Computes the gradient of all rows from the coefficients.
    fn look_again(&mut self, precision: Precision) {
        let chosen: Vec<u32> =
            (0..self.beta.len() as u32).filter(|&j| self.beta[j as usize] != 0.0).collect();
        let factors: Vec<f64> = chosen.iter().map(|&j| self.beta[j as usize]).collect();
        let mut gradient: Vec<f64> = self.problem.y.iter().map(|y| -y).collect();
        gradient.resize(gradient.len().next_multiple_of(LANES), 0.0);
        let gram = &self.problem.gram;
        gram.add_products(gram, (&chosen, &factors), precision, &mut gradient, self.compute);
        self.active.gradient = gradient;
    }

    /// Takes note of what may move.
    fn mark(&mut self) {
        for at in 0..self.active.ids.len() {
            let row = self.active.ids[at] as usize;
            self.active.mark(at, self.beta[row], self.problem.bounds(row));
        }
    }

    /// Takes back all that was put aside.
    fn thaw(&mut self) {
        if self.frozen.is_empty() {
            return;
        }
        let gram = &self.problem.gram;
        let mut gradient = vec![0.0; gram.n_rows()];
        for (&id, &value) in self.active.ids.iter().zip(&self.active.gradient) {
            gradient[id as usize] = value;
        }
        for frozen in self.frozen.drain(..) {
            frozen.thaw(gram, &self.beta, self.compute, &mut gradient);
        }
        self.active = Active::all(gram, gradient);
        self.mark();
    }

    /// Solves working sets until the active rows have no violation left; false when the limit of
    /// steps is reached, when asked to stop, or when rounding leaves nothing to move.
    fn descend(&mut self) -> bool {
        loop {
            let extremes = self.extremes();
            if extremes.violation() <= self.goal {
                return true;
            }
            let limit = self.options.max_steps - self.steps;
            if limit == 0 || self.stop.load(Ordering::Relaxed) {
                return false;
            }
            self.rounds += 1;
            let falls = extremes.violation() < SHRINK_FALL * self.looked;
            if self.options.shrinking
                && !self.whole
                && (falls || self.rounds.is_multiple_of(SHRINK_EVERY))
            {
                self.frozen.extend(self.active.shrink(&extremes, &self.beta));
                self.looked = extremes.violation();
            }
            if !self.improve(limit) {
                return false;
            }
        }
    }

    /// Solves one working set; false when nothing moved.
    fn improve(&mut self, most: usize) -> bool {
        let extremes = self.extremes();
        let n = self.active.ids.len();
        let chosen = if self.whole { (0..n as u32).collect() } else { self.choose(&extremes) };
        let offset = 0.5 * (extremes.least_up.value + extremes.greatest_low.value);
        self.load(&chosen, offset);
        let part = (INNER * extremes.violation()).max(0.5 * self.goal);
        // Less would be lost in the single precision inside.
        let seen = RESOLVED * extremes.violation();
        let tol = if self.whole { self.goal.max(seen) } else { part };
        let limit = Limit { tol, steps: most.min(100 * chosen.len()) };
        self.steps += self.compute.isa.run(Descend(self.set, limit));
        let (mut moved, mut by) = (Vec::new(), Vec::new());
        self.free.clear();
        for (at, &place) in chosen.iter().enumerate() {
            let row = self.active.ids[place as usize];
            let (old, new) = (&mut self.beta[row as usize], self.set.beta[at]);
            let (lower, upper) = self.problem.bounds(row as usize);
            if new > lower && new < upper {
                self.free.push(row);
            }
            if new != *old {
                moved.push(place);
                by.push(new - *old);
                *old = new;
                self.active.mark(place as usize, new, (lower, upper));
            }
        }
        // Working sets that cannot hold what is between its bounds would undo each other's work.
        if self.free.len() * KEPT > self.size {
            self.size = (2 * self.size).min(self.options.working_set);
        }
        let Active { gram, gradient, .. } = &mut self.active;
        if self.whole {
            self.compute.isa.run(AddRows { set: self.set, moved: &moved, by: &by, out: gradient });
        } else {
            gram.add_products(gram, (&moved, &by), Precision::Single, gradient, self.compute);
        }
        !moved.is_empty()
    }

    /// The places of the next working set, ascending: the free ones of the last, and the worst
    /// violators in both directions.
    fn choose(&self, extremes: &Extremes) -> Vec<u32> {
        let size = self.size;
        let mut taken = vec![false; self.active.ids.len()];
        let mut chosen = Vec::with_capacity(size);
        let kept = self.free.len().min(size / KEPT);
        let mut candidates = Vec::new();
        for up in [true, false] {
            if up {
                self.active.may_grow(extremes, &mut candidates);
            } else {
                self.active.may_shrink(extremes, &mut candidates);
            }
            candidates.retain(|&(_, at)| !taken[at as usize]);
            let half = (size - kept) / 2;
            if candidates.len() > half {
                candidates
                    .select_nth_unstable_by(half, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                candidates.truncate(half);
            }
            for &(_, at) in &candidates {
                taken[at as usize] = true;
                chosen.push(at);
            }
        }
        for row in &self.free {
            if chosen.len() == size {
                break;
            }
            // Rows may have been put aside since.
            if let Ok(at) = self.active.ids.binary_search(row)
                && !taken[at]
            {
                taken[at] = true;
                chosen.push(at as u32);
            }
        }
        chosen.sort_unstable();
        chosen
    }

    /// Copies the chosen places into the working set, the gradient less `offset`.
    fn load(&mut self, chosen: &[u32], offset: f64) {
        let set = &mut *self.set;
        set.resize(chosen.len());
        if !set.holds_all {
            let stride = set.stride;
            self.active.gram.block(chosen, self.compute.isa, (&mut set.kernel, stride));
            set.holds_all = self.whole;
        }
        for (at, &place) in chosen.iter().enumerate() {
            let row = self.active.ids[place as usize] as usize;
            set.beta[at] = self.beta[row];
            set.gradient[at] = (self.active.gradient[place as usize] - offset) as f32;
            (set.lower[at], set.upper[at]) = self.problem.bounds(row);
        }
    }
}
