//! What the interior point method does with the rows of a block.
//!
//! The options of a block lie one after another, each with one entry a row. For one row, with
//! `t_k = a_k / s_k`, `T` the sum of the `t_k` and `v_k` the change of `-e_k` negated, a step
//! towards `s_k a_k = m_k` is
//!
//! ```text
//! bound' = (sum m_k / s_k - 1 + sum t_k v_k) / T,  s_k' = bound' - v_k,
//! a_k'   = m_k / s_k - a_k - t_k s_k',
//! ```
//!
//! and put into the equation of the weights it leaves the matrix `t_k [k = l] - t_k t_l / T` on the
//! left, and the shares `m_k / s_k - t_k (sum m_k / s_k - 1) / T` on the right.

use super::interior::Choices;
use super::interior_block::{Room, direction, equations, pull, targets};
use crate::kernels::{Simd, Task};
use crate::memory::{CollectVec, copied, filled, resize};
use std::ops::Range;
use std::sync::atomic::Ordering;

/// Slacks and shares of a block's rows, and the direction in which they shall go.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) slack: Vec<f64>,
    pub(super) share: Vec<f64>,
    pub(super) slack_step: Vec<f64>,
    pub(super) share_step: Vec<f64>,
}

impl Rows {
    /// Slacks and shares of one option.
    #[inline(always)]
    pub(super) fn option(&self, k: usize, height: usize) -> (&[f64], &[f64]) {
        (&self.slack[k * height..][..height], &self.share[k * height..][..height])
    }
}

/// Blocks that one thread works on at a time, and what it found.
#[derive(Debug)]
pub(super) struct Stretch {
    blocks: Range<usize>,
    rows: Vec<Rows>,
    pub(super) sums: Partial,
}

/// Sums over rows; which of them are filled depends on the pass.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// Cost times bound.
    pub(super) loss: f64,
    /// Cost times slack times share.
    pub(super) products: f64,
    /// What the shares pull the weights to: the sum of `cost ([k is own] - a_k) x`.
    pub(super) force: Vec<f64>,
    /// The same for the shares that a step would lead to if no weight changed.
    pub(super) pull: Vec<f64>,
    /// The rows' part of the matrix: a packed triangle for each pair of options.
    pub(super) triangles: Vec<f64>,
    /// The largest share of itself that a slack or share loses by the step.
    pub(super) steepest: f64,
    /// By how much `products` changes with the step's length, and with its square.
    pub(super) first_order: f64,
    pub(super) second_order: f64,
}

impl Partial {
    pub(super) fn add(&mut self, other: &Partial) {
        self.loss += other.loss;
        self.products += other.products;
        self.first_order += other.first_order;
        self.second_order += other.second_order;
        self.steepest = self.steepest.max(other.steepest);
        for (sums, others) in [
            (&mut self.force, &other.force),
            (&mut self.pull, &other.pull),
            (&mut self.triangles, &other.triangles),
        ] {
            let length = others.len().max(sums.len());
            resize(sums, length, 0.0);
            sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
        }
    }
}

/// What slacks times shares shall become, with a correction for their steps not being straight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aim {
    pub(super) target: f64,
    /// Rows that cost more have a smaller target, so that their part of the gap is that of this
    /// cost: else the light ones are at their bounds long before the heavy ones are near theirs.
    pub(super) heavy: f64,
    /// How much of the product of the steps found before is taken off.
    pub(super) correction: f64,
}

/// What a pass does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sort<'a> {
    /// Sums up matrix and right side of the equations for a target of zero.
    Equations,
    /// Finds the direction that belongs to a step of the weights, to zero or to an aim.
    Direction {
        /// The change of the weights.
        step: &'a [f64],
        /// Where the products of slack and share shall go.
        aim: Option<Aim>,
    },
    /// Sums up the right side for an aim.
    Correction(Aim),
    /// Goes along the direction.
    Move {
        /// The share of it.
        length: f64,
    },
}

impl Stretch {
    /// At zero weights every other option lacks one: a bound of two is above all of them.
    pub(super) fn new(choices: &Choices<'_>, blocks: Range<usize>) -> Self {
        let n_options = choices.n_options;
        let start = |block| {
            let own = &choices.own[choices.table.rows(block)];
            let options = (0..n_options).flat_map(|k| own.iter().map(move |&o| o as usize == k));
            let slack: Vec<f64> = options.map(|own| if own { 2.0 } else { 1.0 }).collect_vec();
            let zeros = filled(0.0, slack.len());
            let share = filled(1.0 / n_options as f64, slack.len());
            Rows { slack, share, slack_step: copied(&zeros), share_step: zeros }
        };
        let rows = blocks.clone().map(start).collect_vec();
        Stretch { blocks, rows, sums: Partial::default() }
    }
}

/// One pass over one stretch.
pub(super) struct StretchTask<'t> {
    pub(super) choices: &'t Choices<'t>,
    pub(super) sort: Sort<'t>,
    pub(super) stretch: &'t mut Stretch,
}

impl Task for StretchTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let StretchTask { choices, sort, stretch } = self;
        let size = choices.n_free() * choices.ridge.len();
        let mut room = Room::new(choices.n_options);
        stretch.sums = Partial::default();
        stretch.sums.pull = filled(0.0, size);
        if let Sort::Equations = sort {
            let pairs = choices.n_free() * choices.n_options / 2;
            let each = choices.ridge.len() * (choices.ridge.len() + 1) / 2;
            stretch.sums.force = filled(0.0, size);
            stretch.sums.triangles = filled(0.0, pairs * each);
        }
        for (block, rows) in stretch.blocks.clone().zip(&mut stretch.rows) {
            if choices.stop.load(Ordering::Relaxed) {
                return;
            }
            let sums = &mut stretch.sums;
            let cost = &choices.cost[choices.table.rows(block)];
            match sort {
                Sort::Equations => equations(choices, block, rows, &mut room, sums),
                Sort::Direction { step, aim } => {
                    targets(rows, cost, aim, &mut room);
                    direction(choices, block, rows, step, &mut room, sums);
                }
                Sort::Correction(aim) => {
                    targets(rows, cost, Some(aim), &mut room);
                    pull(choices, block, rows, &mut room, sums);
                }
                Sort::Move { length } => {
                    for (value, step) in
                        [(&mut rows.slack, &rows.slack_step), (&mut rows.share, &rows.share_step)]
                    {
                        value.iter_mut().zip(step).for_each(|(v, d)| *v += length * d);
                    }
                }
            }
        }
    }
}
