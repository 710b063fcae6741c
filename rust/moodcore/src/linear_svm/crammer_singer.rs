//! All classes in one problem (Crammer and Singer 2001): descent on the multipliers of one row
//! at a time.
//!
//! A row has a multiplier for each class, at most its cost for its own and at most zero for the
//! others, with a sum of zero. All of a row's are set to their best values at once: the problem
//! has one unknown threshold, which sorting finds (Keerthi, Sundararajan, Chang, Hsieh and Lin
//! 2008, section 3; the threshold is that of Crammer and Singer 2001, section 6).

use super::config::Config;
use super::rows::{TrainingRows, WeightVector};
use super::{GOOD, Solution};
use crate::kernels::{Isa, Simd, Task};
use crate::memory::{CollectVec, filled};
use crate::rng::{Purpose, Stream};
use std::sync::atomic::{AtomicBool, Ordering};

/// All classes together, as the rows are read one by one.
#[derive(Clone, Copy, Debug)]
pub(super) struct JointProblem<'a> {
    pub(super) rows: TrainingRows<'a>,
    pub(super) own: &'a [u32],
    pub(super) cost: &'a [f64],
    pub(super) n_classes: usize,
    pub(super) isa: Isa,
    pub(super) stop: &'a AtomicBool,
}

struct State {
    weights: Vec<WeightVector>,
    /// One for each row and class.
    multipliers: Vec<f64>,
    order: Vec<u32>,
    n_active: usize,
    /// The largest violation of the last pass.
    worst: f64,
    /// Scores of the row at hand, and room.
    score: Vec<f64>,
    wanted: Vec<f64>,
    sorted: Vec<f64>,
}

impl JointProblem<'_> {
    /// The objective at the weights, and that of the dual problem.
    fn values(&self, state: &State) -> (f64, f64) {
        let penalty: f64 =
            state.weights.iter().map(|weights| 0.5 * self.rows.squared_norm(weights)).sum();
        let (mut primal, mut dual) = (penalty, -penalty);
        for (row, multipliers) in state.multipliers.chunks_exact(self.n_classes).enumerate() {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let own = self.own[row] as usize;
            let wanted = self.rows.score(row, &state.weights[own]);
            let mut lacks = 0.0_f64;
            for (class, weights) in state.weights.iter().enumerate() {
                if class != own {
                    lacks = lacks.max(1.0 + self.rows.score(row, weights) - wanted);
                }
            }
            primal += self.cost[row] * lacks;
            dual += multipliers[own];
        }
        (primal, dual)
    }

    fn finish(&self, state: State) -> Vec<f64> {
        state.weights.into_iter().flat_map(|weights| self.rows.finish(weights)).collect_vec()
    }
}

/// Minimizes penalty and loss; gives the weights of all classes, one after another.
pub(super) fn descend_jointly(problem: &JointProblem<'_>, config: &Config, seed: u64) -> Solution {
    let k = problem.n_classes;
    let rows = (0..problem.cost.len()).filter(|&row| problem.cost[row] > 0.0);
    let order: Vec<u32> = rows.map(|row| row as u32).collect_vec();
    let mut state = State {
        weights: filled(problem.rows.zero_weights(), k),
        multipliers: filled(0.0, problem.cost.len() * k),
        n_active: order.len(),
        order,
        worst: f64::INFINITY,
        score: filled(0.0, k),
        wanted: filled(0.0, k),
        sorted: filled(0.0, k),
    };
    let mut stream = Stream::new(seed, Purpose::Coordinates, 0);
    let mut enough = config.tol;
    for pass in 1..=config.max_iter {
        problem.isa.run(PassTask { problem, state: &mut state, stream: &mut stream });
        if problem.stop.load(Ordering::Relaxed) {
            break;
        }
        if state.worst <= enough {
            if state.n_active < state.order.len() {
                (state.n_active, state.worst) = (state.order.len(), f64::INFINITY);
                continue;
            }
            let (primal, dual) = problem.values(&state);
            let good = primal - dual <= GOOD * config.tol * primal;
            if good || enough < 1e-13 {
                return Solution::new(problem.finish(state), pass, primal, good);
            }
            enough *= 0.1;
        }
    }
    let (primal, dual) = problem.values(&state);
    let converged = primal - dual <= GOOD * config.tol * primal;
    Solution::new(problem.finish(state), config.max_iter, primal, converged)
}

/// One pass over the rows that take part.
struct PassTask<'t> {
    problem: &'t JointProblem<'t>,
    state: &'t mut State,
    stream: &'t mut Stream,
}

impl Task for PassTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let PassTask { problem, state, stream } = self;
        let (mut worst, mut at) = (0.0_f64, 0);
        let stride = (problem.rows.stride() / problem.n_classes).max(1);
        while at < state.n_active {
            if at % stride == 0 && problem.stop.load(Ordering::Relaxed) {
                return;
            }
            let left = (state.n_active - at) as u64;
            let drawn = ((stream.next_u64() >> 32) * left) >> 32;
            state.order.swap(at, at + drawn as usize);
            match step(problem, state, state.order[at] as usize) {
                None => {
                    state.n_active -= 1;
                    state.order.swap(at, state.n_active);
                }
                Some(violation) => {
                    worst = worst.max(violation);
                    at += 1;
                }
            }
        }
        state.worst = worst;
    }
}

/// Sets the multipliers of one row to their best values; gives the violation, or nothing where
/// all are zero and the margin is so wide that they will stay so.
#[inline(always)]
fn step(problem: &JointProblem<'_>, state: &mut State, row: usize) -> Option<f64> {
    let (k, own, cost) = (problem.n_classes, problem.own[row] as usize, problem.cost[row]);
    let multipliers = &mut state.multipliers[row * k..][..k];
    for (class, (score, weights)) in state.score.iter_mut().zip(&state.weights).enumerate() {
        *score = problem.rows.score(row, weights) + if class == own { 0.0 } else { 1.0 };
    }
    let most = |class| if class == own { cost } else { 0.0 };
    // What may grow must not lie below what may fall; all may fall.
    let (mut highest, mut lowest) = (f64::NEG_INFINITY, f64::INFINITY);
    for (class, (&score, &multiplier)) in state.score.iter().zip(&*multipliers).enumerate() {
        highest = highest.max(score);
        if multiplier < most(class) {
            lowest = lowest.min(score);
        }
    }
    let violation = highest - lowest;
    if multipliers[own] <= 0.0 {
        let other =
            |class: usize| if class == own { f64::NEG_INFINITY } else { state.score[class] };
        let next = (0..k).map(other).fold(f64::NEG_INFINITY, f64::max);
        if state.score[own] - next > state.worst {
            return None;
        }
    }
    let length = problem.rows.squared_length(row);
    if violation > 1e-14 && length > 0.0 {
        let given = state.score.iter().zip(&*multipliers);
        for (wanted, (score, multiplier)) in state.wanted.iter_mut().zip(given) {
            *wanted = score - length * multiplier;
        }
        let threshold = threshold(&state.wanted, own, length * cost, &mut state.sorted);
        for (class, weights) in state.weights.iter_mut().enumerate() {
            let best = ((threshold - state.wanted[class]) / length).min(most(class));
            let change = best - multipliers[class];
            if change != 0.0 && change.is_finite() {
                multipliers[class] = best;
                problem.rows.add(change, row, weights);
            }
        }
    }
    Some(violation.max(0.0))
}

/// The number `b` for which the `min(b - wanted_k, most_k)` have a sum of zero, where `most_k` is
/// `most` for the own class and zero for the others.
pub(super) fn threshold(wanted: &[f64], own: usize, most: f64, sorted: &mut [f64]) -> f64 {
    sorted.copy_from_slice(wanted);
    sorted[own] += most;
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut sum = sorted[0] - most;
    let mut count = 1.0;
    for &value in &sorted[1..] {
        if sum >= count * value {
            break;
        }
        sum += value;
        count += 1.0;
    }
    sum / count
}
