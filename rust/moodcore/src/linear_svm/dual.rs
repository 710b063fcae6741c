//! Hinge and squared hinge with the squared penalty: coordinate descent on the multipliers.
//!
//! One multiplier per row, each in turn set to its best value, in a new random order every pass;
//! rows whose multiplier sits firmly at a bound are left out until the rest is solved (Hsieh,
//! Chang, Lin, Keerthi and Sundararajan 2008, algorithms 1 and 3). The weights are kept beside
//! the multipliers, so that a step costs two passes over one row.

use super::config::{Config, Loss};
use super::rows::{TrainingRows, WeightVector};
use super::{GOOD, Solution};
use crate::kernels::{Isa, Simd, Task};
use crate::memory::{CollectVec, filled};
use crate::rng::{Purpose, Stream};
use std::sync::atomic::{AtomicBool, Ordering};

/// One class against the rest, as the rows are read one by one.
#[derive(Clone, Copy, Debug)]
pub(super) struct DualProblem<'a> {
    pub(super) rows: TrainingRows<'a>,
    /// One or minus one for each row.
    pub(super) sign: &'a [f64],
    /// What the loss of a row is multiplied with.
    pub(super) cost: &'a [f64],
    pub(super) loss: Loss,
    pub(super) isa: Isa,
    pub(super) stop: &'a AtomicBool,
}

impl DualProblem<'_> {
    /// What is added to the diagonal, and the largest value of the row's multiplier.
    #[inline(always)]
    fn bounds(&self, row: usize) -> (f64, f64) {
        match self.loss {
            Loss::Hinge => (0.0, self.cost[row]),
            Loss::SquaredHinge => (0.5 / self.cost[row], f64::INFINITY),
        }
    }

    /// The objective at the weights, and that of the dual problem, which is never above it.
    fn values(&self, weights: &WeightVector, multipliers: &[f64]) -> (f64, f64) {
        let penalty = 0.5 * self.rows.squared_norm(weights);
        let (mut primal, mut dual) = (penalty, -penalty);
        for (row, &multiplier) in multipliers.iter().enumerate() {
            if self.cost[row] <= 0.0 || self.stop.load(Ordering::Relaxed) {
                continue;
            }
            let lacks = (1.0 - self.sign[row] * self.rows.score(row, weights)).max(0.0);
            let (diagonal, _) = self.bounds(row);
            dual += multiplier - 0.5 * diagonal * multiplier * multiplier;
            primal += self.cost[row]
                * match self.loss {
                    Loss::Hinge => lacks,
                    Loss::SquaredHinge => lacks * lacks,
                };
        }
        (primal, dual)
    }
}

/// Where the descent is.
struct State {
    weights: WeightVector,
    multipliers: Vec<f64>,
    /// Rows, those that take part first.
    order: Vec<u32>,
    n_active: usize,
    /// Largest and smallest projected gradient of the last pass: what is firmly at a bound lies
    /// beyond them.
    high: f64,
    low: f64,
}

/// Minimizes penalty and loss, from zero multipliers.
pub(super) fn descend(
    problem: &DualProblem<'_>,
    config: &Config,
    seed: u64,
    class: u64,
) -> Solution {
    let rows = (0..problem.cost.len()).filter(|&row| problem.cost[row] > 0.0);
    let order: Vec<u32> = rows.map(|row| row as u32).collect_vec();
    let mut state = State {
        weights: problem.rows.zero_weights(),
        multipliers: filled(0.0, problem.cost.len()),
        n_active: order.len(),
        order,
        high: f64::INFINITY,
        low: f64::NEG_INFINITY,
    };
    let mut stream = Stream::new(seed, Purpose::Coordinates, class);
    let mut enough = config.tol;
    for pass in 1..=config.max_iter {
        problem.isa.run(PassTask { problem, state: &mut state, stream: &mut stream });
        if problem.stop.load(Ordering::Relaxed) {
            break;
        }
        if state.high - state.low <= enough {
            if state.n_active < state.order.len() {
                // The rows left out have to agree before the end.
                state.n_active = state.order.len();
                (state.high, state.low) = (f64::INFINITY, f64::NEG_INFINITY);
                continue;
            }
            let (primal, dual) = problem.values(&state.weights, &state.multipliers);
            let good = primal - dual <= GOOD * config.tol * primal;
            if good || enough < 1e-13 {
                return Solution::new(problem.rows.finish(state.weights), pass, primal, good);
            }
            enough *= 0.1;
        }
        state.high = if state.high > 0.0 { state.high } else { f64::INFINITY };
        state.low = if state.low < 0.0 { state.low } else { f64::NEG_INFINITY };
    }
    let (primal, dual) = problem.values(&state.weights, &state.multipliers);
    let converged = primal - dual <= GOOD * config.tol * primal;
    Solution::new(problem.rows.finish(state.weights), config.max_iter, primal, converged)
}

/// One pass over the rows that take part.
struct PassTask<'t> {
    problem: &'t DualProblem<'t>,
    state: &'t mut State,
    stream: &'t mut Stream,
}

impl Task for PassTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let PassTask { problem, state, stream } = self;
        let (mut high, mut low) = (f64::NEG_INFINITY, f64::INFINITY);
        let (mut at, stride) = (0, problem.rows.stride());
        while at < state.n_active {
            if at % stride == 0 && problem.stop.load(Ordering::Relaxed) {
                return;
            }
            let left = (state.n_active - at) as u64;
            // The high half of a product is uniform to 2^-32 for up to 2^32 rows.
            let drawn = ((stream.next_u64() >> 32) * left) >> 32;
            state.order.swap(at, at + drawn as usize);
            let row = state.order[at] as usize;
            match step(problem, state, row) {
                None => {
                    state.n_active -= 1;
                    state.order.swap(at, state.n_active);
                }
                Some(gradient) => {
                    high = high.max(gradient);
                    low = low.min(gradient);
                    at += 1;
                }
            }
        }
        if state.n_active == 0 {
            // All rows are at a bound: a spread of zero says so.
            (high, low) = (0.0, 0.0);
        }
        (state.high, state.low) = (high, low);
    }
}

/// Sets one multiplier to its best value; gives the projected gradient, or nothing where the row
/// is firmly at a bound (equations 9, 12 and 21 of the paper).
#[inline(always)]
fn step(problem: &DualProblem<'_>, state: &mut State, row: usize) -> Option<f64> {
    let (diagonal, most) = problem.bounds(row);
    let (sign, old) = (problem.sign[row], state.multipliers[row]);
    let score = problem.rows.score(row, &state.weights);
    let gradient = sign * score - 1.0 + diagonal * old;
    let projected = if old <= 0.0 {
        if gradient > state.high {
            return None;
        }
        gradient.min(0.0)
    } else if old >= most {
        if gradient < state.low {
            return None;
        }
        gradient.max(0.0)
    } else {
        gradient
    };
    if projected.abs() > 1e-14 {
        let best = old - gradient / (problem.rows.squared_length(row) + diagonal);
        let new = best.max(0.0).min(most);
        if new.is_finite() {
            state.multipliers[row] = new;
            problem.rows.add((new - old) * sign, row, &mut state.weights);
        }
    }
    Some(projected)
}
