//! The squared hinge loss of one class against the rest: its sums over all rows.

use super::table::{BLOCK, Table, dot};
use crate::kernels::{Simd, Task};
use crate::memory::{copied, filled};
use crate::parallel::Compute;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// One class against the rest.
#[derive(Debug)]
pub(super) struct Problem<'a> {
    pub(super) table: &'a Table,
    /// One for the rows of the class, minus one for others; zero where rows fill up.
    pub(super) sign: Vec<f64>,
    /// What the loss of a row is multiplied with; zero where rows fill up.
    pub(super) cost: Vec<f64>,
    pub(super) compute: Compute<'a>,
    pub(super) stop: &'a AtomicBool,
}

/// Which second derivatives are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curvature {
    /// None.
    Without,
    /// Those on the diagonal, and which rows have any.
    Diagonal,
    /// All.
    Full,
}

/// Loss and derivatives at one point, without the penalty.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    pub(super) loss: f64,
    pub(super) gradient: Vec<f64>,
    /// Packed lower triangle, or diagonal.
    pub(super) curvature: Vec<f64>,
    /// The second derivative of each row's loss by its score, if the diagonal was requested.
    pub(super) by_score: Vec<f64>,
}

impl Sums {
    fn add(&mut self, other: &Sums) {
        self.loss += other.loss;
        add(&mut self.gradient, &other.gradient);
        add(&mut self.curvature, &other.curvature);
        self.by_score.extend_from_slice(&other.by_score);
    }
}

fn add(sums: &mut [f64], others: &[f64]) {
    sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
}

impl Problem<'_> {
    /// Whether the work is to be cancelled.
    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The same rows at other costs.
    pub(super) fn with_costs(&self, cost: Vec<f64>) -> Self {
        let Problem { table, compute, stop, .. } = *self;
        Problem { table, sign: copied(&self.sign), cost, compute, stop }
    }

    /// Sum of `cost max(0, 1 - sign score)^2` over the rows, and its derivatives.
    pub(super) fn sums(&self, weights: &[f64], curvature: Curvature) -> Sums {
        let width = self.table.width();
        let n_curvature = match curvature {
            Curvature::Without => 0,
            Curvature::Diagonal => width,
            Curvature::Full => width * (width + 1) / 2,
        };
        let empty = Sums {
            loss: 0.0,
            gradient: filled(0.0, width),
            curvature: filled(0.0, n_curvature),
            by_score: Vec::new(),
        };
        let parts = self.pass(&empty, |blocks, sums| {
            let task = SumsTask { problem: self, weights, curvature, blocks, sums };
            self.compute.isa.run(task);
        });
        let mut total = empty;
        parts.iter().for_each(|part| total.add(part));
        total
    }

    /// Calls `visit` for each stretch of blocks with a copy of `empty`, and gives the copies.
    fn pass<T: Clone + Send>(
        &self,
        empty: &T,
        visit: impl Fn(Range<usize>, &mut T) + Sync,
    ) -> Vec<T> {
        let stretches = self.table.stretches();
        let mut parts = filled(empty.clone(), stretches.len());
        let long = self.table.is_long();
        self.compute.team.for_each_of(long, &mut parts, |at, part| {
            if !self.stopped() {
                visit(stretches[at].clone(), part);
            }
        });
        parts
    }

    /// The second derivatives times a vector; `by_score` is that of [`Sums`].
    pub(super) fn curvature_times(&self, by_score: &[f64], vector: &[f64]) -> Vec<f64> {
        let empty = filled(0.0, self.table.width());
        let parts = self.pass(&empty, |blocks, out| {
            let task = ProductTask { table: self.table, by_score, vector, blocks, out };
            self.compute.isa.run(task);
        });
        let mut total = empty;
        parts.iter().for_each(|part| add(&mut total, part));
        total
    }

    /// First and second derivative of the loss by the step along a direction.
    pub(super) fn slope(&self, weights: &[f64], direction: &[f64]) -> (f64, f64) {
        let parts = self.pass(&(0.0, 0.0), |blocks, out| {
            let task = SlopeTask { problem: self, weights, direction, blocks };
            *out = self.compute.isa.run(task);
        });
        parts.iter().fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
    }
}

struct SumsTask<'t> {
    problem: &'t Problem<'t>,
    weights: &'t [f64],
    curvature: Curvature,
    blocks: Range<usize>,
    sums: &'t mut Sums,
}

impl Task for SumsTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let (table, sums) = (self.problem.table, self.sums);
        let mut room = [[0.0; BLOCK]; 4];
        let mut columns = room;
        for block in self.blocks {
            if self.problem.stopped() {
                return;
            }
            let rows = table.rows(block);
            let [score, factor, second, scaled] = &mut room;
            let score = &mut score[..rows.len()];
            let factor = &mut factor[..rows.len()];
            let second = &mut second[..rows.len()];
            let scaled = &mut scaled[..rows.len()];
            let (sign, cost) = (&self.problem.sign[rows.clone()], &self.problem.cost[rows]);
            table.scores(block, self.weights, score);
            let given = sign.iter().zip(cost);
            let taken = score.iter_mut().zip(&mut *factor).zip(&mut *second);
            for ((&sign, &cost), ((score, factor), second)) in given.zip(taken) {
                let lacks = 1.0 - sign * *score;
                let lacks = if lacks > 0.0 { lacks } else { 0.0 };
                *factor = -2.0 * cost * sign * lacks;
                *second = if lacks > 0.0 { 2.0 * cost } else { 0.0 };
                *score = lacks;
            }
            for ((scaled, &lacks), &cost) in scaled.iter_mut().zip(&*score).zip(cost) {
                *scaled = cost * lacks;
            }
            sums.loss += dot(scaled, score);
            table.add_products(block, factor, &mut sums.gradient);
            match self.curvature {
                Curvature::Without => {}
                Curvature::Full => {
                    table.add_outer_products(block, second, &mut columns, &mut sums.curvature);
                }
                Curvature::Diagonal => {
                    add_diagonal(table, block, second, scaled, &mut sums.curvature);
                    sums.by_score.extend_from_slice(second);
                }
            }
        }
    }
}

/// Adds `sum of factor x_j^2` for each column j.
#[inline(always)]
fn add_diagonal(
    table: &Table,
    block: usize,
    factors: &[f64],
    squares: &mut [f64],
    sums: &mut [f64],
) {
    if let Some(sparse) = table.sparse() {
        sparse.add_squares(table.rows(block).start, factors, sums);
        return;
    }
    for (column, sum) in sums.iter_mut().enumerate() {
        for (square, &x) in squares.iter_mut().zip(table.column(block, column)) {
            *square = f64::from(x) * f64::from(x);
        }
        *sum += dot(factors, squares);
    }
}

struct ProductTask<'t> {
    table: &'t Table,
    by_score: &'t [f64],
    vector: &'t [f64],
    blocks: Range<usize>,
    out: &'t mut [f64],
}

impl Task for ProductTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let mut score = [0.0; BLOCK];
        for block in self.blocks {
            let rows = self.table.rows(block);
            let score = &mut score[..rows.len()];
            self.table.scores(block, self.vector, score);
            score.iter_mut().zip(&self.by_score[rows]).for_each(|(score, by)| *score *= by);
            self.table.add_products(block, score, self.out);
        }
    }
}

struct SlopeTask<'t> {
    problem: &'t Problem<'t>,
    weights: &'t [f64],
    direction: &'t [f64],
    blocks: Range<usize>,
}

impl Task for SlopeTask<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<S: Simd>(self) -> (f64, f64) {
        let table = self.problem.table;
        let (mut first, mut second) = (0.0, 0.0);
        let mut room = [[0.0; BLOCK]; 3];
        for block in self.blocks {
            let rows = table.rows(block);
            let [score, change, by] = &mut room;
            let score = &mut score[..rows.len()];
            let change = &mut change[..rows.len()];
            let by = &mut by[..rows.len()];
            table.scores(block, self.weights, score);
            table.scores(block, self.direction, change);
            let given = self.problem.sign[rows.clone()].iter().zip(&self.problem.cost[rows]);
            for (((&sign, &cost), score), (change, by)) in
                given.zip(&mut *score).zip(change.iter().zip(&mut *by))
            {
                let lacks = 1.0 - sign * *score;
                let active = if lacks > 0.0 { 2.0 * cost } else { 0.0 };
                *score = -active * sign * lacks;
                *by = active * change;
            }
            first += dot(score, change);
            second += dot(by, change);
        }
        (first, second)
    }
}
