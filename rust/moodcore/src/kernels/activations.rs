//! Activation functions other than ReLU, and their derivatives as functions of their outputs.

use super::math::exp_minus_one;
use super::matmul::Epilogue;
use super::simd::Simd;

/// An activation function of hidden layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// `x` above zero, else `x / 100`.
    LeakyRelu,
    /// Hyperbolic tangent.
    Tanh,
    /// Scaled exponential linear unit: `scale x` above zero, else `scale alpha (exp(x) - 1)`
    /// (Klambauer, Unterthiner, Mayr and Hochreiter 2017, equation 2).
    Selu,
}

/// Slope of the leaky ReLU below zero.
const LEAK: f32 = 0.01;
/// `scale` of the SELU.
const SELU_SCALE: f32 = 1.050_701;
/// `scale alpha` of the SELU.
const SELU_SCALE_ALPHA: f32 = 1.758_099_3;

impl Curve {
    /// The function's value. NaN passes, so that divergence is seen.
    #[inline(always)]
    pub(super) fn value<S: Simd>(self, x: S) -> S {
        let zero = S::splat(0.0);
        match self {
            Curve::LeakyRelu => x.select_greater(zero, x, x.mul(S::splat(LEAK))),
            Curve::Tanh => {
                // tanh |x| = -m / (2 + m) with m = exp(-2 |x|) - 1: no cancellation near zero.
                let size = x.max(zero.sub(x));
                let m = exp_minus_one(size.mul(S::splat(-2.0)));
                let value = zero.sub(m).div(S::splat(2.0).add(m));
                // Zero, or NaN where x is infinite or NaN.
                let unless_finite = x.sub(x);
                x.select_greater(zero, value, zero.sub(value)).add(unless_finite)
            }
            Curve::Selu => {
                let below = exp_minus_one(zero.sub(zero.sub(x).max(zero)));
                let below = below.mul(S::splat(SELU_SCALE_ALPHA)).add(x.sub(x));
                x.select_greater(zero, x.mul(S::splat(SELU_SCALE)), below)
            }
        }
    }

    /// The derivative where the function's value is `h`.
    #[inline(always)]
    pub(super) fn slope<S: Simd>(self, h: S) -> S {
        let zero = S::splat(0.0);
        match self {
            Curve::LeakyRelu => h.select_greater(zero, S::splat(1.0), S::splat(LEAK)),
            Curve::Tanh => zero.sub(h).mul_add(h, S::splat(1.0)),
            Curve::Selu => {
                let below = h.add(S::splat(SELU_SCALE_ALPHA));
                h.select_greater(zero, S::splat(SELU_SCALE), below)
            }
        }
    }
}

/// Stores the activation of the product.
#[derive(Clone, Copy)]
pub struct Activate(pub Curve);

impl Epilogue for Activate {
    #[inline(always)]
    unsafe fn apply<S: Simd>(self, value: S, _: usize) -> S {
        self.0.value(value)
    }
}

/// Stores the product times the derivative at the layer's output at the same place.
#[derive(Clone, Copy)]
pub struct ActivationGradient<'a> {
    /// The activation function.
    pub curve: Curve,
    /// The layer's outputs, laid out as the product's output.
    pub activation: &'a [f32],
}

impl Epilogue for ActivationGradient<'_> {
    #[inline(always)]
    unsafe fn apply<S: Simd>(self, value: S, offset: usize) -> S {
        // SAFETY: `matmul` has checked the activation's length through `capacity`.
        let h = unsafe { S::load(self.activation.as_ptr().add(offset)) };
        value.mul(self.curve.slope(h))
    }

    #[inline(always)]
    fn capacity(self) -> usize {
        self.activation.len()
    }
}
