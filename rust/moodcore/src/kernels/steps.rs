//! Updates of weights from a gradient: momentum, Adam, penalties, decay.

use super::simd::{LANES, Simd};

/// The constants of one momentum step.
#[derive(Clone, Copy, Debug)]
pub struct Momentum {
    /// Learning rate over the weight of the batch: the gradient comes as a sum.
    pub rate: f32,
    /// Momentum alpha: fraction of the previous step that is kept.
    pub momentum: f32,
    /// Whether to look ahead along the new step, as Nesterov's method does.
    pub nesterov: bool,
}

impl Momentum {
    /// One step of stochastic gradient descent with momentum (Rumelhart, Hinton and Williams
    /// 1986): `v <- alpha v - eta g`, `w <- w + v`; in Nesterov's form (Sutskever, Martens, Dahl
    /// and Hinton 2013, section 2, in the variables of the look-ahead point)
    /// `w <- w + alpha v - eta g` with the new `v`.
    ///
    /// # Panics
    /// When the slices differ in length or do not have the length of whole vectors.
    #[inline(always)]
    pub fn step<S: Simd>(self, weights: &mut [f32], velocity: &mut [f32], gradient: &[f32]) {
        let n = weights.len();
        assert!(n.is_multiple_of(LANES) && velocity.len() == n && gradient.len() == n);
        let (rate, momentum) = (S::splat(-self.rate), S::splat(self.momentum));
        for at in (0..n).step_by(LANES) {
            // SAFETY: all three slices have a whole vector at `at`, as asserted.
            unsafe {
                let g = S::load(gradient.as_ptr().add(at)).mul(rate);
                let v = S::load(velocity.as_ptr().add(at)).mul_add(momentum, g);
                let v = v.zero_subnormal();
                v.store(velocity.as_mut_ptr().add(at));
                let step = if self.nesterov { v.mul_add(momentum, g) } else { v };
                let w = S::load(weights.as_ptr().add(at)).add(step);
                w.store(weights.as_mut_ptr().add(at));
            }
        }
    }
}

/// The constants of one step of Adam.
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    /// Learning rate over `1 - beta1^t`, the correction of the first mean's bias.
    pub rate: f32,
    /// One over the weight of the batch: the gradient comes as a sum.
    pub gradient_scale: f32,
    /// Decay rate of the mean gradient.
    pub beta1: f32,
    /// Decay rate of the mean squared gradient.
    pub beta2: f32,
    /// One over the root of `1 - beta2^t`, the correction of the second mean's bias.
    pub root_scale: f32,
    /// Added to the root, so that a mean of zero divides nothing by zero.
    pub epsilon: f32,
}

impl Adam {
    /// One step (Kingma and Ba 2015, algorithm 1): `m <- beta1 m + (1 - beta1) g`,
    /// `v <- beta2 v + (1 - beta2) g^2`, `w <- w - rate m / (root_scale sqrt(v) + epsilon)`.
    ///
    /// # Panics
    /// When the slices differ in length or do not have the length of whole vectors.
    #[inline(always)]
    pub fn step<S: Simd>(
        self,
        weights: &mut [f32],
        (mean, square): (&mut [f32], &mut [f32]),
        gradient: &[f32],
    ) {
        let n = weights.len();
        assert!(n.is_multiple_of(LANES) && mean.len() == n);
        assert!(square.len() == n && gradient.len() == n);
        let (beta1, beta2) = (S::splat(self.beta1), S::splat(self.beta2));
        let (rest1, rest2) = (S::splat(1.0 - self.beta1), S::splat(1.0 - self.beta2));
        let (scale, rate) = (S::splat(self.gradient_scale), S::splat(-self.rate));
        let (root_scale, epsilon) = (S::splat(self.root_scale), S::splat(self.epsilon));
        for at in (0..n).step_by(LANES) {
            // SAFETY: all four slices have a whole vector at `at`, as asserted.
            unsafe {
                let g = S::load(gradient.as_ptr().add(at)).mul(scale);
                let m = S::load(mean.as_ptr().add(at)).mul_add(beta1, g.mul(rest1));
                let m = m.zero_subnormal();
                m.store(mean.as_mut_ptr().add(at));
                let v = S::load(square.as_ptr().add(at)).mul_add(beta2, g.mul(g).mul(rest2));
                let v = v.zero_subnormal();
                v.store(square.as_mut_ptr().add(at));
                let step = m.mul(rate).div(v.sqrt().mul_add(root_scale, epsilon));
                let w = S::load(weights.as_ptr().add(at)).add(step);
                w.store(weights.as_mut_ptr().add(at));
            }
        }
    }
}

/// Multiplies weights by a factor, such as that of weight decay, and zeroes subnormal results.
///
/// # Panics
/// When the slice is not a whole number of vectors.
#[inline(always)]
pub fn scale_weights<S: Simd>(factor: f32, weights: &mut [f32]) {
    assert!(weights.len().is_multiple_of(LANES));
    let factor = S::splat(factor);
    for at in (0..weights.len()).step_by(LANES) {
        // SAFETY: the slice has a whole vector at `at`, as asserted.
        unsafe {
            let place = weights.as_mut_ptr().add(at);
            S::load(place).mul(factor).zero_subnormal().store(place);
        }
    }
}

/// Multiplies values by those of a mask at the same place.
///
/// # Panics
/// When the slices differ in length or do not have the length of whole vectors.
#[inline(always)]
pub fn multiply<S: Simd>(values: &mut [f32], mask: &[f32]) {
    let n = values.len();
    assert!(n.is_multiple_of(LANES) && mask.len() == n);
    for at in (0..n).step_by(LANES) {
        // SAFETY: both slices have a whole vector at `at`, as asserted.
        unsafe {
            let place = values.as_mut_ptr().add(at);
            S::load(place).mul(S::load(mask.as_ptr().add(at))).store(place);
        }
    }
}

/// Adds the gradient of `l1 |w| + l2/2 w^2` to `gradient`; the subgradient of |w| at zero is
/// zero.
///
/// # Panics
/// When the slices differ in length or do not have the length of whole vectors.
#[inline(always)]
pub fn add_penalty_gradient<S: Simd>(l1: f32, l2: f32, weights: &[f32], gradient: &mut [f32]) {
    assert!(weights.len().is_multiple_of(LANES) && weights.len() == gradient.len());
    let zero = S::splat(0.0);
    for at in (0..weights.len()).step_by(LANES) {
        // SAFETY: both slices have a whole vector at `at`, as asserted.
        unsafe {
            let w = S::load(weights.as_ptr().add(at));
            let below = zero.select_greater(w, S::splat(-l1), zero);
            let sign = w.select_greater(zero, S::splat(l1), below);
            let g = S::load(gradient.as_ptr().add(at)).add(sign);
            w.mul_add(S::splat(l2), g).store(gradient.as_mut_ptr().add(at));
        }
    }
}
