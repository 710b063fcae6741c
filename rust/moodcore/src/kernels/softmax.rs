//! Softmax, cross-entropy and its gradient, with one sample in each lane.

use super::math::{exp_negative, ln};
use super::simd::{LANES, Simd, extent};

/// The targets of a batch, one lane per sample.
#[derive(Clone, Copy)]
pub struct Targets<'a> {
    /// Class codes, as numbers (exact: there are fewer than 2^24 classes).
    pub label: &'a [f32],
    /// Weights; zero in the lanes that fill up the last vector.
    pub weight: &'a [f32],
    /// Share of each target that is spread evenly over the classes (Szegedy et al. 2016,
    /// section 7).
    pub smoothing: f32,
    /// Probabilities that are not above this share of the largest one have no gradient.
    pub tail: f32,
}

impl<'a> Targets<'a> {
    /// Targets without smoothing, and gradients of all probabilities.
    pub fn new(label: &'a [f32], weight: &'a [f32]) -> Self {
        Targets { label, weight, smoothing: 0.0, tail: 0.0 }
    }
}

/// Sums over a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchLoss {
    /// Sum of weight times cross-entropy.
    pub loss: f64,
    /// Sum of the weights of the samples whose largest score is the right class's.
    pub correct: f64,
}

/// Largest score of the classes and which class has it (the first of equals).
///
/// # Safety
/// `scores` must be readable for vectors at `class * row` for all classes.
#[inline(always)]
unsafe fn largest<S: Simd>(scores: *const f32, row: usize, n_classes: usize) -> (S, S) {
    // SAFETY: vouched for by the caller.
    unsafe {
        let mut best = S::load(scores);
        let mut class = S::splat(0.0);
        for c in 1..n_classes {
            let score = S::load(scores.add(c * row));
            class = score.select_greater(best, S::splat(c as f32), class);
            best = score.max(best);
        }
        (best, class)
    }
}

/// Replaces each score by `exp(score - best)` and gives their sum over the classes.
///
/// # Safety
/// As for [`largest`], and writable.
#[inline(always)]
unsafe fn exponentials<S: Simd>(scores: *mut f32, row: usize, n_classes: usize, best: S) -> S {
    // SAFETY: vouched for by the caller.
    unsafe {
        let mut sum = S::splat(0.0);
        for c in 0..n_classes {
            let at = scores.add(c * row);
            let e = exp_negative(S::load(at).sub(best));
            e.store(at);
            sum = sum.add(e);
        }
        sum
    }
}

/// Cross-entropy of a batch, and its gradient by the scores in their place:
/// `d loss / d z_c = weight (softmax_c - [c = label])` (Bishop 2006, equation 4.109).
///
/// `scores` holds one row of `row` lanes a class; `vectors * 16` lanes of each are samples. A
/// score that is not finite makes the loss NaN or infinite.
///
/// # Panics
/// When a slice is shorter than that, or there is no class.
#[inline(always)]
pub fn softmax_loss<S: Simd>(
    (n_classes, vectors): (usize, usize),
    (scores, row): (&mut [f32], usize),
    targets: Targets<'_>,
) -> BatchLoss {
    let lanes = vectors.saturating_mul(LANES);
    assert!(n_classes > 0 && extent(n_classes, row, lanes) <= scores.len());
    assert!(targets.label.len() >= lanes && targets.weight.len() >= lanes);
    let (mut loss, mut correct) = (S::splat(0.0), S::splat(0.0));
    let zero = S::splat(0.0);
    let spread = targets.smoothing / n_classes as f32;
    for at in (0..lanes).step_by(LANES) {
        // SAFETY: the assertions cover the vector at `at` of every class and target.
        unsafe {
            let label = S::load(targets.label.as_ptr().add(at));
            let weight = S::load(targets.weight.as_ptr().add(at));
            let z = scores.as_mut_ptr().add(at);
            let (best, class) = largest::<S>(z, row, n_classes);
            let mut own = zero;
            for c in 0..n_classes {
                own = own.add(label.keep_equal(S::splat(c as f32), S::load(z.add(c * row))));
            }
            if spread > 0.0 {
                // The mean score under the smoothed target; `best` minus it stays at least zero.
                let mut below = zero;
                for c in 0..n_classes {
                    below = below.add(best.sub(S::load(z.add(c * row))));
                }
                let rest = best.sub(own).mul(S::splat(1.0 - targets.smoothing));
                own = best.sub(below.mul_add(S::splat(spread), rest));
            }
            let sum = exponentials(z, row, n_classes, best);
            // best - own and ln sum are both at least zero: no cancellation.
            let entropy = best.sub(own).add(ln(sum));
            loss = weight.mul_add(entropy, loss);
            correct = correct.add(label.keep_equal(class, weight));
            let scale = weight.div(sum);
            let on_label = weight.mul(S::splat(1.0 - targets.smoothing));
            let on_all = weight.mul(S::splat(spread));
            for c in 0..n_classes {
                let at = z.add(c * row);
                let e = S::load(at);
                let e = e.select_greater(S::splat(targets.tail), e, zero);
                let target = label.keep_equal(S::splat(c as f32), on_label).add(on_all);
                e.mul(scale).sub(target).store(at);
            }
        }
    }
    BatchLoss { loss: f64::from(loss.sum_lanes()), correct: f64::from(correct.sum_lanes()) }
}

/// The kind of scores to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreKind {
    /// The scores before the softmax.
    Logit,
    /// Logarithms of the probabilities.
    LogProbability,
    /// Probabilities.
    Probability,
}

/// Turns the scores of a batch into what `kind` says, in their place; laid out as in
/// [`softmax_loss`].
///
/// # Panics
/// When `scores` is too short, or there is no class.
#[inline(always)]
pub fn class_scores<S: Simd>(
    (n_classes, vectors): (usize, usize),
    (scores, row): (&mut [f32], usize),
    kind: ScoreKind,
) {
    let lanes = vectors.saturating_mul(LANES);
    assert!(n_classes > 0 && extent(n_classes, row, lanes) <= scores.len());
    if kind == ScoreKind::Logit {
        return;
    }
    for at in (0..lanes).step_by(LANES) {
        // SAFETY: the assertion covers the vector at `at` of every class.
        unsafe {
            let z = scores.as_mut_ptr().add(at);
            let (best, _) = largest::<S>(z, row, n_classes);
            if kind == ScoreKind::Probability {
                let sum = exponentials(z, row, n_classes, best);
                for c in 0..n_classes {
                    let at = z.add(c * row);
                    S::load(at).div(sum).store(at);
                }
                continue;
            }
            let mut sum = S::splat(0.0);
            for c in 0..n_classes {
                sum = sum.add(exp_negative(S::load(z.add(c * row)).sub(best)));
            }
            let shift = best.add(ln(sum));
            for c in 0..n_classes {
                let at = z.add(c * row);
                S::load(at).sub(shift).store(at);
            }
        }
    }
}
