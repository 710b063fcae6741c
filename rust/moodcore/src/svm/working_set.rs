//! The dual problem over a working set, whose kernel values are all at hand.

use super::kernel_rows::{KernelRows, RowSource};
use crate::kernels::{Extremes, FLAT, LANES, Real, Simd, Task, best_partner, step_and_extremes};
use crate::memory::resize;

/// The part of the problem over a working set: coefficients may move between their bounds, their
/// sum stays.
#[derive(Debug)]
pub(super) struct WorkingSet<T> {
    /// Kernel values, one row per coefficient.
    pub(super) kernel: KernelRows<T>,
    /// Whether the set is all rows of the problem, so that `kernel` need not be computed again.
    pub(super) holds_all: bool,
    pub(super) beta: Vec<f64>,
    /// Less an offset that all have in common, of which single precision would lose digits.
    pub(super) gradient: Vec<T>,
    pub(super) lower: Vec<f64>,
    pub(super) upper: Vec<f64>,
    /// Zero, or minus infinity for those that may not grow.
    up: Vec<T>,
    /// Zero, or minus infinity for those that may not shrink.
    low: Vec<T>,
    /// The least curvature of a pair.
    flat: f64,
}

/// When to leave a working set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// The difference of gradients that is left.
    pub(super) tol: f64,
    /// Steps at most.
    pub(super) steps: usize,
}

impl<T: Real> WorkingSet<T> {
    /// An empty set, for kernel values of a row with itself of at most `scale`.
    pub(super) fn new(scale: f64) -> Self {
        // In double precision a flatter pair is one whose curvature is rounding.
        let flat = if T::IS_SINGLE { FLAT } else { (1e-15 * scale).max(f64::MIN_POSITIVE) };
        let (beta, lower, upper) = (Vec::new(), Vec::new(), Vec::new());
        let (kernel, gradient) = (KernelRows::new(), Vec::new());
        let (up, low) = (Vec::new(), Vec::new());
        WorkingSet { kernel, holds_all: false, beta, gradient, lower, upper, up, low, flat }
    }

    /// Makes room for `n` coefficients.
    pub(super) fn resize(&mut self, n: usize) {
        let padded = n.next_multiple_of(LANES);
        for values in [&mut self.beta, &mut self.lower, &mut self.upper] {
            values.clear();
            resize(values, padded, 0.0);
        }
        self.gradient.clear();
        resize(&mut self.gradient, padded, T::default());
    }

    fn prepare(&mut self) {
        let n = self.beta.len();
        self.up.clear();
        self.low.clear();
        self.up.extend((0..n).map(|at| T::from_f64(-up_offset(self.beta[at], self.upper[at]))));
        self.low.extend((0..n).map(|at| T::from_f64(low_offset(self.beta[at], self.lower[at]))));
    }
}

/// What keeps a coefficient that may not grow from being chosen for it.
pub(super) fn up_offset(beta: f64, upper: f64) -> f64 {
    if beta < upper { 0.0 } else { f64::INFINITY }
}

/// What keeps a coefficient that may not shrink from being chosen for it.
pub(super) fn low_offset(beta: f64, lower: f64) -> f64 {
    if beta > lower { 0.0 } else { f64::NEG_INFINITY }
}

/// Sequential minimal optimization inside the working set, with the second-order choice of pairs
/// (Fan, Chen and Lin 2005, algorithm 2); gives the number of steps.
pub(super) struct Descend<'a, T> {
    pub(super) set: &'a mut WorkingSet<T>,
    /// Where kernel rows on demand are computed from.
    pub(super) source: Option<RowSource<'a, T>>,
    pub(super) limit: Limit,
}

impl<T: Real> Task for Descend<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        let Descend { set, source, limit } = self;
        set.prepare();
        set.kernel.provide::<S>(source, 0);
        let mut extremes = set.look::<S>((0.0, 0, 0));
        let mut steps = 0;
        while steps < limit.steps && extremes.violation() > limit.tol {
            let first = extremes.least_up;
            set.kernel.provide::<S>(source, first.at);
            let partner = best_partner::<S, T>(
                &set.gradient,
                &set.low,
                first,
                (set.kernel.row(first.at), &set.kernel.diagonal),
                set.flat,
            );
            let second = partner.unwrap_or(extremes.greatest_low.at);
            set.kernel.provide::<S>(source, second);
            let step = set.step(first.at, second);
            extremes = set.look::<S>((step, first.at, second));
            steps += 1;
        }
        steps
    }
}

/// Adds kernel rows times what their coefficients moved by, one row after the other. The gradient
/// inside the working set will not do in its place: there each step rounds.
pub(super) struct AddRows<'a, T> {
    pub(super) kernel: &'a mut KernelRows<T>,
    /// Where kernel rows on demand are computed from.
    pub(super) source: Option<RowSource<'a, T>>,
    pub(super) moved: &'a [u32],
    pub(super) by: &'a [f64],
    pub(super) out: &'a mut [f64],
}

impl<T: Real> Task for AddRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for (&row, &by) in self.moved.iter().zip(self.by) {
            self.kernel.provide::<S>(self.source, row as usize);
            for (out, &value) in self.out.iter_mut().zip(self.kernel.row(row as usize)) {
                *out += by * value.to_f64();
            }
        }
    }
}

impl<T: Real> WorkingSet<T> {
    /// Moves a pair along its line to the minimum or to the first bound; gives the length.
    #[inline(always)]
    fn step(&mut self, grows: usize, shrinks: usize) -> f64 {
        let (k_ii, k_jj) = (self.kernel.diagonal[grows], self.kernel.diagonal[shrinks]);
        let k_ij = self.kernel.row(grows)[shrinks];
        let curvature = k_ii.to_f64() + k_jj.to_f64() - 2.0 * k_ij.to_f64();
        let slope = self.gradient[shrinks].to_f64() - self.gradient[grows].to_f64();
        let wanted = slope / curvature.max(self.flat);
        let room_up = self.upper[grows] - self.beta[grows];
        let room_down = self.beta[shrinks] - self.lower[shrinks];
        let step = wanted.min(room_up).min(room_down);
        self.beta[grows] =
            if step == room_up { self.upper[grows] } else { self.beta[grows] + step };
        self.beta[shrinks] =
            if step == room_down { self.lower[shrinks] } else { self.beta[shrinks] - step };
        for at in [grows, shrinks] {
            self.up[at] = T::from_f64(-up_offset(self.beta[at], self.upper[at]));
            self.low[at] = T::from_f64(low_offset(self.beta[at], self.lower[at]));
        }
        step
    }

    #[inline(always)]
    fn look<S: Simd>(&mut self, (step, grown, shrunk): (f64, usize, usize)) -> Extremes {
        let (grown, shrunk) = (self.kernel.row(grown), self.kernel.row(shrunk));
        let step = (T::from_f64(step), grown, shrunk);
        step_and_extremes::<S, T>(&mut self.gradient, step, (&self.up, &self.low))
    }
}

impl<T: Real> WorkingSet<T> {
    /// Sets a coefficient and updates the gradient.
    pub(super) fn move_to(&mut self, at: usize, beta: f64) {
        let by = beta - self.beta[at];
        self.beta[at] = beta;
        for (gradient, &value) in self.gradient.iter_mut().zip(self.kernel.row(at)) {
            *gradient = T::from_f64(gradient.to_f64() + by * value.to_f64());
        }
    }
}
