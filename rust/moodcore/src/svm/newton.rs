//! Newton's method on the free coefficients of a working set.
//!
//! Sequential minimal optimization finds soon which coefficients are between their bounds, and may
//! then take millions of steps to find their values: with a linear kernel and features of very
//! different scales the condition number of the kernel matrix is the squared ratio of the scales.
//! For given free coefficients the values solve a small system of linear equations. A step to its
//! solution, or to the first bound in its way, is what an active set method takes (Nocedal and
//! Wright 2006, section 16.5).

use super::working_set::WorkingSet;
use crate::cholesky::{Factor, start_of};
use crate::kernels::Real;
use crate::memory::{CollectVec, filled};

/// Maximum number of free coefficients: the equations must cost less than the SMO steps before.
const MOST_FREE: usize = 256;
/// Maximum number of systems of equations per call.
const MOST_STEPS: usize = 64;
/// Added to the diagonal, relative to its largest value: directions without curvature, along which
/// a step goes up to a bound, then have a finite solution.
const RIDGE: f64 = 1e-14;

/// Moves the free ones of the first `n` coefficients to the minimum over them, or as far as the
/// first ones that reach a bound allow.
pub(super) fn solve_faces<T: Real>(set: &mut WorkingSet<T>, n: usize) {
    for _ in 0..MOST_STEPS {
        let free: Vec<usize> = (0..n)
            .filter(|&at| set.beta[at] > set.lower[at] && set.beta[at] < set.upper[at])
            .collect_vec();
        if free.len() < 2 || free.len() > MOST_FREE || step_is_whole(set, &free) {
            return;
        }
    }
}

/// Takes one step; whether no bound was in its way.
fn step_is_whole<T: Real>(set: &mut WorkingSet<T>, free: &[usize]) -> bool {
    let direction = direction(set, free);
    let slope: f64 =
        free.iter().zip(&direction).map(|(&at, by)| by * set.gradient[at].to_f64()).sum();
    if slope.is_nan() || slope >= 0.0 {
        return true;
    }
    let room = |(&at, &by): (&usize, &f64)| {
        let bound = if by > 0.0 { set.upper[at] } else { set.lower[at] };
        if by == 0.0 { f64::INFINITY } else { (bound - set.beta[at]) / by }
    };
    let length = free.iter().zip(&direction).map(room).fold(1.0, f64::min);
    for (&at, by) in free.iter().zip(&direction) {
        let (lower, upper) = (set.lower[at], set.upper[at]);
        let bound = if *by > 0.0 { upper } else { lower };
        let reaches = *by != 0.0 && (bound - set.beta[at]) / by <= length;
        let new = if reaches { bound } else { (set.beta[at] + length * by).clamp(lower, upper) };
        set.move_to(at, new);
    }
    length >= 1.0
}

/// The way to the minimum over the free coefficients whose sum stays, from the gradient of all.
fn direction<T: Real>(set: &WorkingSet<T>, free: &[usize]) -> Vec<f64> {
    let size = free.len();
    let mut matrix = filled(0.0, start_of(size));
    let mut largest = f64::MIN_POSITIVE;
    for (row, &i) in free.iter().enumerate() {
        for (column, &j) in free[..=row].iter().enumerate() {
            matrix[start_of(row) + column] = set.kernel.row(i)[j].to_f64();
        }
        largest = largest.max(matrix[start_of(row) + row]);
    }
    for row in 0..size {
        matrix[start_of(row) + row] += RIDGE * largest;
    }
    let factor = Factor::new(matrix, size);
    let mut by_gradient: Vec<f64> = free.iter().map(|&at| set.gradient[at].to_f64()).collect_vec();
    let mut by_sum = filled(1.0, size);
    factor.solve(&mut by_gradient);
    factor.solve(&mut by_sum);
    let multiplier = by_gradient.iter().sum::<f64>() / by_sum.iter().sum::<f64>();
    let mut direction: Vec<f64> =
        by_gradient.iter().zip(&by_sum).map(|(g, one)| multiplier * one - g).collect_vec();
    // What rounding has left of the sum would violate the constraint.
    let excess = direction.iter().sum::<f64>() / size as f64;
    direction.iter_mut().for_each(|by| *by -= excess);
    direction
}
