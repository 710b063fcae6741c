//! The dual problem over a working set, whose kernel values are all at hand.

use crate::kernels::{Extremes, FLAT, LANES, Real, Simd, Task, best_partner, step_and_extremes};
use crate::memory::resize;

/// The part of the problem over a working set: coefficients may move between their bounds, their
/// sum stays.
#[derive(Debug)]
pub(super) struct WorkingSet<T> {
    /// Kernel values, one row per coefficient.
    pub(super) kernel: Vec<T>,
    /// Values in a row of `kernel`: whole vectors.
    pub(super) stride: usize,
    /// Whether `kernel` holds all rows of the problem, and so need not be computed again.
    pub(super) holds_all: bool,
    pub(super) beta: Vec<f64>,
    /// Less an offset that all have in common, of which single precision would lose digits.
    pub(super) gradient: Vec<T>,
    pub(super) lower: Vec<f64>,
    pub(super) upper: Vec<f64>,
    diagonal: Vec<T>,
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
        let (kernel, gradient, diagonal) = (Vec::new(), Vec::new(), Vec::new());
        let (up, low) = (Vec::new(), Vec::new());
        WorkingSet {
            kernel,
            stride: 0,
            holds_all: false,
            beta,
            gradient,
            lower,
            upper,
            diagonal,
            up,
            low,
            flat,
        }
    }

    /// Makes room for `n` coefficients.
    pub(super) fn resize(&mut self, n: usize) {
        self.stride = n.next_multiple_of(LANES);
        for values in [&mut self.beta, &mut self.lower, &mut self.upper] {
            values.clear();
            resize(values, self.stride, 0.0);
        }
        self.gradient.clear();
        resize(&mut self.gradient, self.stride, T::default());
        resize(&mut self.kernel, self.stride.max(1) * self.stride, T::default());
    }

    fn prepare(&mut self) {
        let n = self.stride;
        self.diagonal.clear();
        self.diagonal.extend((0..n).map(|at| self.kernel[at * n + at]));
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
pub(super) struct Descend<'a, T>(pub(super) &'a mut WorkingSet<T>, pub(super) Limit);

impl<T: Real> Task for Descend<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        let Descend(set, limit) = self;
        set.prepare();
        let n = set.stride;
        let mut extremes = set.look::<S>((0.0, 0, 0));
        let mut steps = 0;
        while steps < limit.steps && extremes.violation() > limit.tol {
            let first = extremes.least_up;
            let row = &set.kernel[first.at * n..][..n];
            let partner = best_partner::<S, T>(
                &set.gradient,
                &set.low,
                first,
                (row, &set.diagonal),
                set.flat,
            );
            let second = partner.unwrap_or(extremes.greatest_low.at);
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
    pub(super) set: &'a WorkingSet<T>,
    pub(super) moved: &'a [u32],
    pub(super) by: &'a [f64],
    pub(super) out: &'a mut [f64],
}

impl<T: Real> Task for AddRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let stride = self.set.stride;
        for (&row, &by) in self.moved.iter().zip(self.by) {
            let kernel = &self.set.kernel[row as usize * stride..][..stride];
            for (out, &value) in self.out.iter_mut().zip(kernel) {
                *out += by * value.to_f64();
            }
        }
    }
}

impl<T: Real> WorkingSet<T> {
    /// Moves a pair along its line to the minimum or to the first bound; gives the length.
    #[inline(always)]
    fn step(&mut self, grows: usize, shrinks: usize) -> f64 {
        let n = self.stride;
        let (k_ii, k_jj) = (self.diagonal[grows], self.diagonal[shrinks]);
        let k_ij = self.kernel[grows * n + shrinks];
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
        let n = self.stride;
        let (grown, shrunk) = (&self.kernel[grown * n..][..n], &self.kernel[shrunk * n..][..n]);
        let step = (T::from_f64(step), grown, shrunk);
        step_and_extremes::<S, T>(&mut self.gradient, step, (&self.up, &self.low))
    }
}

impl<T: Real> WorkingSet<T> {
    /// Sets a coefficient and updates the gradient.
    pub(super) fn move_to(&mut self, at: usize, beta: f64) {
        let by = beta - self.beta[at];
        self.beta[at] = beta;
        let row = &self.kernel[at * self.stride..][..self.stride];
        for (gradient, &value) in self.gradient.iter_mut().zip(row) {
            *gradient = T::from_f64(gradient.to_f64() + by * value.to_f64());
        }
    }
}
