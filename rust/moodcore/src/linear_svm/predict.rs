//! Scores of new rows.

use crate::kernels::{Real, Simd, Task};
use crate::memory::filled;
use crate::parallel::Compute;
use crate::{Error, Result, SparseRows};
use std::sync::atomic::{AtomicBool, Ordering};

/// Rows that one thread takes at a time.
const CHUNK: usize = 256;
/// Multiplications between two polls, for each thread.
const POLL: usize = 1 << 24;
/// Multiplications from which threads are worth starting.
const THREADED: usize = 1 << 19;
/// Rows whose sums are computed side by side. Each sum is a chain of additions, of which the CPU can
/// start another before one has ended.
const SIDE: usize = 8;

/// Writes the scores of each row of `x` to `out`, one for each row of `coef`: the intercept, and
/// then the products feature by feature, rounded one by one.
///
/// # Errors
/// [`Error::Data`] when sizes do not fit; what `poll` returns.
pub fn decide(
    (coef, intercept): (&[f64], &[f64]),
    (x, n_features): (&[f32], usize),
    out: &mut [f64],
    compute: Compute<'_>,
    poll: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let weights = Weights { coef, intercept, n_features };
    weights.check(x.len(), out.len(), intercept.len())?;
    weights.for_each_chunk((x, out), intercept.len(), compute, poll, |x, out| {
        compute.isa.run(Chunk { weights, x, output: Scores { n_scores: intercept.len(), out } });
    })
}

/// Writes the position of the class of each row of `x` to `out`, that of its first largest score
/// as [`decide`] computes it from the features in single precision; of two classes, which have one
/// score, the second where it is above zero. Returns false if a feature is not finite in single
/// precision, or a score is not; `out` then means nothing.
///
/// # Errors
/// [`Error::Data`] when sizes do not fit; what `poll` returns.
pub fn classify<T: Real>(
    (coef, intercept): (&[f64], &[f64]),
    (x, n_features): (&[T], usize),
    out: &mut [i64],
    compute: Compute<'_>,
    poll: &mut dyn FnMut() -> Result<()>,
) -> Result<bool> {
    let weights = Weights { coef, intercept, n_features };
    weights.check(x.len(), out.len(), 1)?;
    let is_finite = AtomicBool::new(true);
    weights.for_each_chunk((x, out), 1, compute, poll, |x, out| {
        let output = Classes::new(out, intercept.len() == 1);
        if !compute.isa.run(Chunk { weights, x, output }) {
            is_finite.store(false, Ordering::Relaxed);
        }
    })?;
    Ok(is_finite.into_inner())
}

/// The weights of a model, one row for each intercept.
#[derive(Clone, Copy)]
struct Weights<'a> {
    coef: &'a [f64],
    intercept: &'a [f64],
    n_features: usize,
}

impl Weights<'_> {
    /// Checks that this many values are rows, with `per_row` results of each.
    fn check(self, n_values: usize, n_results: usize, per_row: usize) -> Result<()> {
        let (n_features, n_scores) = (self.n_features, self.intercept.len());
        if n_features == 0
            || self.coef.len() != n_scores * n_features
            || !n_values.is_multiple_of(n_features)
            || n_results != n_values / n_features * per_row
        {
            return Err(Error::Data(format!(
                "rows of {n_features} features need as many weights for each of {n_scores} scores, \
                 got {} weights",
                self.coef.len()
            )));
        }
        Ok(())
    }

    /// Calls `task` with chunks of rows and of their results, of which each row has `per_row`.
    fn for_each_chunk<T: Sync, O: Send>(
        self,
        (x, out): (&[T], &mut [O]),
        per_row: usize,
        compute: Compute<'_>,
        poll: &mut dyn FnMut() -> Result<()>,
        task: impl Fn(&[T], &mut [O]) + Sync,
    ) -> Result<()> {
        let n_features = self.n_features;
        let work = n_features * self.intercept.len().max(1);
        let wave = (POLL / work).max(CHUNK) * compute.team.threads();
        for (x, out) in x.chunks(wave * n_features).zip(out.chunks_mut(wave * per_row)) {
            let rows = x.chunks(CHUNK * n_features);
            let mut parts: Vec<_> = rows.zip(out.chunks_mut(CHUNK * per_row)).collect();
            let enough = x.len() * self.intercept.len() > THREADED;
            compute.team.for_each_of(enough, &mut parts, |_, (x, out)| task(x, out));
            poll()?;
        }
        Ok(())
    }
}

/// What becomes of the scores of rows that are computed side by side, `at` being the first of them.
/// The last rows of a table are fewer.
trait Output {
    /// Takes a score of each of the rows; returns whether the result can be used.
    fn take(&mut self, at: usize, score: usize, values: [f64; SIDE]) -> bool;
    /// Writes the results of the rows after their last score.
    fn finish(&mut self, at: usize);
}

struct Scores<'a> {
    n_scores: usize,
    out: &'a mut [f64],
}

impl Output for Scores<'_> {
    #[inline(always)]
    fn take(&mut self, at: usize, score: usize, values: [f64; SIDE]) -> bool {
        let rows = self.out[at * self.n_scores..].chunks_exact_mut(self.n_scores);
        for (out, value) in rows.zip(values) {
            out[score] = value;
        }
        true
    }

    #[inline(always)]
    fn finish(&mut self, _: usize) {}
}

struct Classes<'a> {
    out: &'a mut [i64],
    /// Whether the only score is that of the second of two classes, against zero.
    has_two: bool,
    best: [f64; SIDE],
    class: [f64; SIDE],
}

impl<'a> Classes<'a> {
    fn new(out: &'a mut [i64], has_two: bool) -> Self {
        let lowest = if has_two { 0.0 } else { f64::NEG_INFINITY };
        Classes { out, has_two, best: [lowest; SIDE], class: [0.0; SIDE] }
    }
}

impl Output for Classes<'_> {
    #[inline(always)]
    fn take(&mut self, _: usize, score: usize, values: [f64; SIDE]) -> bool {
        let class = (score + usize::from(self.has_two)) as f64;
        let mut is_finite = true;
        for ((best, chosen), value) in self.best.iter_mut().zip(&mut self.class).zip(values) {
            is_finite &= value.abs() < f64::INFINITY;
            *chosen = if value > *best { class } else { *chosen };
            *best = if value > *best { value } else { *best };
        }
        is_finite
    }

    #[inline(always)]
    fn finish(&mut self, at: usize) {
        for (out, class) in self.out[at..].iter_mut().zip(self.class) {
            *out = class as i64;
        }
        self.class = [0.0; SIDE];
        self.best = [if self.has_two { 0.0 } else { f64::NEG_INFINITY }; SIDE];
    }
}

/// A chunk of rows; whether all features are finite in single precision, and all scores can be used.
struct Chunk<'a, T, O> {
    weights: Weights<'a>,
    x: &'a [T],
    output: O,
}

impl<T: Real, O: Output> Task for Chunk<'_, T, O> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(mut self) -> bool {
        let Weights { coef, intercept, n_features } = self.weights;
        let mut columns = filled([0.0; SIDE], n_features);
        let mut is_finite = true;
        for (at, x) in self.x.chunks(SIDE * n_features).enumerate() {
            for (row, x) in x.chunks_exact(n_features).enumerate() {
                for (column, &x) in columns.iter_mut().zip(x) {
                    let x = x.to_f64() as f32;
                    is_finite &= x.abs() < f32::INFINITY;
                    column[row] = f64::from(x);
                }
            }
            for (score, (weights, &intercept)) in
                coef.chunks_exact(n_features).zip(intercept).enumerate()
            {
                let mut sums = [intercept; SIDE];
                for (column, weight) in columns.iter().zip(weights) {
                    for (sum, x) in sums.iter_mut().zip(column) {
                        *sum += x * weight;
                    }
                }
                is_finite &= self.output.take(at * SIDE, score, sums);
            }
            self.output.finish(at * SIDE);
        }
        is_finite
    }
}

/// Writes the scores of sparse rows as [`decide`] does.
///
/// # Errors
/// [`Error::Data`] when sizes do not fit.
pub fn decide_sparse(
    (coef, intercept): (&[f64], &[f64]),
    rows: SparseRows<'_>,
    out: &mut [f64],
) -> Result<()> {
    let (n_scores, n_features) = (intercept.len(), rows.n_features());
    if coef.len() != n_scores * n_features || out.len() != rows.n_rows() * n_scores {
        return Err(Error::Data(format!(
            "rows of {n_features} features need as many weights for each of {n_scores} scores, got \
             {} weights",
            coef.len()
        )));
    }
    for (row, out) in out.chunks_exact_mut(n_scores.max(1)).enumerate() {
        let (columns, values) = rows.row(row);
        let weights = coef.chunks_exact(n_features.max(1)).zip(intercept);
        for ((weights, intercept), out) in weights.zip(out) {
            let entries = columns.iter().zip(values);
            let products = entries.map(|(&column, &x)| f64::from(x) * weights[column as usize]);
            *out = products.fold(*intercept, |sum, product| sum + product);
        }
    }
    Ok(())
}
