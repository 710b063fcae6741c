//! Exponential and logarithm, the same bits on every instruction set.

use super::simd::Simd;
use std::f32::consts::{LN_2, LOG2_E, SQRT_2};

/// `exp(x)` for `x <= 0`, relative error below 2e-7; below -87 it stays at exp(-87).
///
/// x = n ln 2 + r with |r| <= ln(2)/2; exp(r) by its Taylor polynomial of degree seven, whose
/// remainder is below 1e-8; then the exponent is added (Cody and Waite 1980, chapter 6).
#[inline(always)]
pub(super) fn exp_negative<S: Simd>(x: S) -> S {
    let (n, r) = split_by_ln_2(x.max(S::splat(-87.0)));
    let mut sum = S::splat(1.0 / 5040.0);
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = sum.mul_add(r, S::splat(coefficient));
    }
    sum.scale_by_power_of_two(n)
}

/// `exp(x) - 1` for `x <= 0`, error below 2e-7 times the result; below -87 it stays at that value.
///
/// x = n ln 2 + r as in [`exp_negative`]; exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1), where the
/// first bracket is the Taylor polynomial without its constant, and the second is exact.
#[inline(always)]
pub(super) fn exp_minus_one<S: Simd>(x: S) -> S {
    let (n, r) = split_by_ln_2(x.max(S::splat(-87.0)));
    let mut sum = S::splat(1.0 / 5040.0);
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0] {
        sum = sum.mul_add(r, S::splat(coefficient));
    }
    let one = S::splat(1.0);
    let power = one.scale_by_power_of_two(n);
    sum.mul(r).mul_add(power, power.sub(one))
}

/// `(n, r)` with `x = n ln 2 + r`, n whole and |r| at most ln(2)/2.
#[inline(always)]
fn split_by_ln_2<S: Simd>(x: S) -> (S, S) {
    // ln 2 in two parts: the first has so few bits that n times it is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest whole number.
    const ROUND: f32 = 12_582_912.0;

    let n = x.mul_add(S::splat(LOG2_E), S::splat(ROUND)).sub(S::splat(ROUND));
    let r = n.mul_add(S::splat(-LN_2_HIGH), x);
    (n, n.mul_add(S::splat(-LN_2_LOW), r))
}

/// `ln(x)` for positive normal `x`, error below 2e-7 times max(1, |ln x|).
///
/// x = m 2^e with m in [1/sqrt 2, sqrt 2]; ln m = 2 atanh(s) with s = (m - 1)/(m + 1), by its
/// series up to s^9, whose remainder is below 1e-9.
#[inline(always)]
pub(super) fn ln<S: Simd>(x: S) -> S {
    let (mantissa, exponent) = x.split_exponent();
    let large = S::splat(SQRT_2);
    let one = S::splat(1.0);
    let m = mantissa.select_greater(large, mantissa.mul(S::splat(0.5)), mantissa);
    let e = mantissa.select_greater(large, exponent.add(one), exponent);
    let s = m.sub(one).div(m.add(one));
    let square = s.mul(s);
    let mut sum = S::splat(2.0 / 9.0);
    for coefficient in [2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0] {
        sum = sum.mul_add(square, S::splat(coefficient));
    }
    e.mul_add(S::splat(LN_2), sum.mul(s))
}
