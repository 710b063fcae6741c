//! First and second derivatives of the loss at the current margins, rounded to integers.

use super::margins::Margins;
use super::shard::Shard;
use super::training::Derivatives;
use super::weights::{Scales, Weights};
use crate::kernels::{BatchLoss, LANES, Simd, Targets, Task, softmax_loss};
use crate::memory::{CollectVec, filled};
use crate::parallel::{Compute, is_set};
use crate::{Error, Result};
use std::sync::atomic::AtomicBool;

/// The derivatives of one row and output as integers; a whole-numbered weight is not yet in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(8))]
pub(super) struct Pair {
    // In this order a pair is read as one word, the gradient above.
    pub(super) h: u32,
    pub(super) g: i32,
}

/// The derivatives of all rows.
#[derive(Clone, Debug)]
pub(super) struct Gradients {
    /// For each output the pair of each row.
    pub(super) outputs: Vec<Vec<Pair>>,
    /// The factors that derivatives were multiplied by.
    pub(super) scales: Scales,
}

/// Number of rows processed together: their scores stay in the first-level cache.
fn rows_together(n_classes: usize) -> usize {
    (8192 / n_classes / LANES * LANES).clamp(LANES, 1024)
}

/// Rounds to the nearest integer by adding 1.5 * 2^52, whose last place is one.
#[inline(always)]
pub(super) fn nearest(value: f64) -> i64 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    (value + ROUND).to_bits() as i64 - ROUND.to_bits() as i64
}

impl Gradients {
    pub(super) fn new(n_outputs: usize, n_rows: usize) -> Self {
        let scales = Scales { gradient: 1.0, hessian: 1.0 };
        let outputs = (0..n_outputs).map(|_| filled(Pair::default(), n_rows)).collect_vec();
        Gradients { outputs, scales }
    }

    /// Derivatives of softmax cross-entropy (Bishop 2006, equation 4.109): `p - y` and
    /// `p (1 - p)`. One output stands for the second of two classes. Derivatives may grow `room`
    /// times afterwards. If `stop` is set, the remaining rows are left out.
    pub(super) fn softmax(
        &mut self,
        margins: &Margins,
        y: &[u32],
        weights: &Weights,
        room: f64,
        compute: Compute<'_>,
        stop: &AtomicBool,
    ) {
        // |p - y| is at most 1, p (1 - p) at most 1/4.
        self.scales = weights.scales(room, 0.25 * room);
        let scales = self.scales;
        let together = rows_together(margins.len().max(2));
        let mut chunks = row_chunks(&mut self.outputs, together);
        compute.team.for_each_of(y.len() * margins.len() > 1 << 13, &mut chunks, |at, pairs| {
            if !is_set(stop) {
                let start = at * together;
                compute.isa.run(SoftmaxPairs { margins, y, weights, scales, start, pairs });
            }
        });
    }

    /// Derivatives that the caller computed, row-major; on several hosts, those of this host.
    ///
    /// # Errors
    /// [`Error::Data`] when they are not as many as margins, not finite, or a second derivative
    /// is negative; what [`super::shard::Reduce::sum`] returns.
    pub(super) fn custom(
        &mut self,
        (gradient, hessian): &Derivatives,
        weights: &Weights,
        room: f64,
        shard: Option<Shard<'_>>,
    ) -> Result<()> {
        let n_outputs = self.outputs.len();
        let expected = n_outputs * self.outputs[0].len();
        for (name, values) in [("gradient", gradient), ("hessian", hessian)] {
            if values.len() != expected {
                return Err(Error::Data(format!(
                    "the objective's {name} must have {expected} values, got {}",
                    values.len()
                )));
            }
            let least = if name == "hessian" { 0.0 } else { f64::MIN };
            if let Some(at) = values.iter().position(|&v| !(v.is_finite() && v >= least)) {
                let allowed = if name == "hessian" { "finite and at least 0" } else { "finite" };
                return Err(Error::Data(format!(
                    "the objective's {name} must be {allowed}, got {} in row {}",
                    values[at],
                    at / n_outputs
                )));
            }
        }
        let largest = |values: &[f64]| values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let mut sizes = [largest(gradient), largest(hessian)];
        if let Some(shard) = shard {
            sizes = shard.max(sizes)?;
        }
        self.scales = weights.scales(room * sizes[0], room * sizes[1]);
        for (output, pairs) in self.outputs.iter_mut().enumerate() {
            for (row, pair) in pairs.iter_mut().enumerate() {
                let at = row * n_outputs + output;
                *pair = round(gradient[at], hessian[at], row, weights, self.scales);
            }
        }
        Ok(())
    }
}

/// Rounds the derivatives of a row.
#[inline(always)]
fn round(g: f64, h: f64, row: usize, weights: &Weights, scales: Scales) -> Pair {
    let factor = weights.factors.as_ref().map_or(1.0, |factors| factors[row]);
    let (g, h) = (g * factor * scales.gradient, h * factor * scales.hessian);
    Pair { g: nearest(g) as i32, h: nearest(h) as u32 }
}

/// The same `together` rows of every output, chunk after chunk.
fn row_chunks(outputs: &mut [Vec<Pair>], together: usize) -> Vec<Vec<&mut [Pair]>> {
    let n_chunks = outputs[0].len().div_ceil(together);
    let mut chunks: Vec<Vec<&mut [Pair]>> = (0..n_chunks).map(|_| Vec::new()).collect_vec();
    for output in outputs {
        for (chunk, pairs) in chunks.iter_mut().zip(output.chunks_mut(together)) {
            chunk.push(pairs);
        }
    }
    chunks
}

/// Fills a lane-wise block of scores, `f32` below the row's largest margin, and its targets.
struct Scores {
    /// One row of `lanes` scores per class.
    scores: Vec<f32>,
    label: Vec<f32>,
    weight: Vec<f32>,
    n_classes: usize,
    lanes: usize,
}

impl Scores {
    #[inline(always)]
    fn of(margins: &Margins, y: &[u32], start: usize, n_rows: usize) -> Self {
        let lanes = n_rows.next_multiple_of(LANES);
        let n_classes = margins.len().max(2);
        let mut scores = filled(0.0, n_classes * lanes);
        let mut label = filled(0.0, lanes);
        let mut weight = filled(0.0, lanes);
        weight[..n_rows].fill(1.0);
        for (label, &code) in label.iter_mut().zip(&y[start..start + n_rows]) {
            *label = code as f32;
        }
        // Differences are taken in double precision, so that large margins keep their digits.
        let mut best = filled(if margins.len() == 1 { 0.0 } else { f64::NEG_INFINITY }, n_rows);
        for output in margins {
            for (best, &margin) in best.iter_mut().zip(&output[start..start + n_rows]) {
                *best = if margin > *best { margin } else { *best };
            }
        }
        let first = n_classes - margins.len();
        for (output, row) in margins.iter().zip(scores[first * lanes..].chunks_mut(lanes)) {
            let margins = &output[start..start + n_rows];
            for ((score, &margin), &best) in row.iter_mut().zip(margins).zip(&best) {
                *score = (margin - best) as f32;
            }
        }
        if first == 1 {
            for (score, &best) in scores.iter_mut().zip(&best) {
                *score = -best as f32;
            }
        }
        Scores { scores, label, weight, n_classes, lanes }
    }

    /// Cross-entropy and hits; the scores become `p - y`.
    #[inline(always)]
    fn differentiate<S: Simd>(&mut self) -> BatchLoss {
        let targets = Targets::new(&self.label, &self.weight);
        let shape = (self.n_classes, self.lanes / LANES);
        softmax_loss::<S>(shape, (&mut self.scores, self.lanes), targets)
    }
}

struct SoftmaxPairs<'a, 'b> {
    margins: &'a Margins,
    y: &'a [u32],
    weights: &'a Weights,
    scales: Scales,
    start: usize,
    pairs: &'a mut Vec<&'b mut [Pair]>,
}

impl Task for SoftmaxPairs<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let n_rows = self.pairs[0].len();
        let mut scores = Scores::of(self.margins, self.y, self.start, n_rows);
        scores.differentiate::<S>();
        let first = scores.n_classes - self.margins.len();
        let plain = self.weights.factors.is_none();
        for (output, pairs) in self.pairs.iter_mut().enumerate() {
            let class = (first + output) as f32;
            let g = &scores.scores[(first + output) * scores.lanes..][..n_rows];
            let labels = &scores.label[..n_rows];
            for (at, ((pair, &g), &label)) in pairs.iter_mut().zip(g).zip(labels).enumerate() {
                let g = f64::from(g);
                // With p = g + y: of the right class 1 - p is -g exactly, of others p is g.
                let h = if label == class { (1.0 + g) * -g } else { g * (1.0 - g) };
                *pair = if plain {
                    let (g, h) = (g * self.scales.gradient, h * self.scales.hessian);
                    Pair { g: nearest(g) as i32, h: nearest(h) as u32 }
                } else {
                    round(g, h, self.start + at, self.weights, self.scales)
                };
            }
        }
    }
}

/// Sums of weighted cross-entropy and of weighted hits over rows, and of the weights. If `stop` is
/// set, the remaining rows are left out.
pub(super) fn measure(
    margins: &Margins,
    y: &[u32],
    weights: &Weights,
    compute: Compute<'_>,
    stop: &AtomicBool,
) -> (BatchLoss, f64) {
    // Chunks of rows are summed each by itself and added in their order.
    let together = rows_together(margins.len().max(2));
    let mut sums = filled((BatchLoss::default(), 0.0), y.len().div_ceil(together));
    compute.team.for_each_of(y.len() * margins.len() > 1 << 13, &mut sums, |at, sum| {
        if is_set(stop) {
            return;
        }
        let start = at * together;
        let n_rows = together.min(y.len() - start);
        *sum = compute.isa.run(Measure { margins, y, weights, start, n_rows });
    });
    sums.iter().fold((BatchLoss::default(), 0.0), |(total, all), (sum, weight)| {
        let loss = total.loss + sum.loss;
        (BatchLoss { loss, correct: total.correct + sum.correct }, all + weight)
    })
}

struct Measure<'a> {
    margins: &'a Margins,
    y: &'a [u32],
    weights: &'a Weights,
    start: usize,
    n_rows: usize,
}

impl Task for Measure<'_> {
    type Output = (BatchLoss, f64);

    #[inline(always)]
    fn run<S: Simd>(self) -> (BatchLoss, f64) {
        let mut scores = Scores::of(self.margins, self.y, self.start, self.n_rows);
        let mut total = 0.0;
        for (at, weight) in scores.weight[..self.n_rows].iter_mut().enumerate() {
            let exact = self.weights.weight(self.start + at);
            *weight = exact as f32;
            total += exact;
        }
        (scores.differentiate::<S>(), total)
    }
}
