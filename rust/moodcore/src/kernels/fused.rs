//! Fused multiply-add of single precision where the CPU has none: the same bits as the instruction,
//! by additions and multiplications that are exact or whose rounding error is known.
//!
//! The library function that `mul_add` calls there is correct as well, but a call per lane takes
//! four to ten times as long. In double precision, where products are not exact, the emulation took
//! longer than the calls; there they stay.

use super::simd::LANES;

/// Whether `mul_add` is one instruction in code without runtime detection.
const NATIVE: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));

/// `a * b + c` of sixteen lanes, rounded once.
#[inline(always)]
pub(super) fn mul_add_singles(
    a: &[f32; LANES],
    b: &[f32; LANES],
    c: &[f32; LANES],
) -> [f32; LANES] {
    if NATIVE {
        return std::array::from_fn(|lane| a[lane].mul_add(b[lane], c[lane]));
    }
    #[cfg(target_arch = "x86_64")]
    {
        sse2(a, b, c)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        std::array::from_fn(|lane| by_rounding_to_odd(a[lane], b[lane], c[lane]))
    }
}

/// `a * b + c` in single precision, rounded once.
///
/// The product of two singles is exact in double precision; the sum is rounded to odd there, which
/// keeps apart what lies beside a tie of single precision from the tie (Boldo and Melquiond 2008,
/// theorem 3).
#[inline(always)]
fn by_rounding_to_odd(a: f32, b: f32, c: f32) -> f32 {
    sum_to_odd(f64::from(a) * f64::from(b), f64::from(c)) as f32
}

/// `x + y`, rounded to the neighbor with an odd last bit where it is not exact.
#[inline(always)]
fn sum_to_odd(x: f64, y: f64) -> f64 {
    let (sum, error) = two_sum(x, y);
    let bits = sum.to_bits();
    // False for NaN, the error of sums that are infinite.
    let inexact = u64::from(error.abs() > 0.0);
    // An error of the other sign: the exact sum lies between the sum and its neighbor closer to
    // zero, else between the sum and the neighbor farther from it. The odd one of both is wanted.
    let closer = ((bits ^ error.to_bits()) >> 63) & inexact;
    f64::from_bits(bits.wrapping_sub(closer) | inexact)
}

/// The rounded sum, and the exact sum minus it (Knuth 1969, section 4.2.2, theorem B).
#[inline(always)]
fn two_sum(x: f64, y: f64) -> (f64, f64) {
    let sum = x + y;
    let part = sum - x;
    (sum, (x - (sum - part)) + (y - part))
}

/// [`mul_add_singles`] four lanes at a time. Rounding to odd costs more than the sum itself, and is
/// needed only where the sum in double precision is a tie of single precision, or where single
/// precision has fewer digits, from the smallest normal number down.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn sse2(a: &[f32; LANES], b: &[f32; LANES], c: &[f32; LANES]) -> [f32; LANES] {
    use std::arch::x86_64::*;
    let mut out = [0.0_f32; LANES];
    // SAFETY: every x86-64 CPU has SSE2; each load and store is of four of sixteen lanes.
    let doubtful = unsafe {
        let tail = _mm_set1_epi32(0x1fff_ffff);
        let tie = _mm_set1_epi32(0x1000_0000);
        let size_of = _mm_set1_epi32(0x7fff_ffff);
        // The upper half of 2^-126 in double precision.
        let smallest = _mm_set1_epi32(0x3810_0000);
        let minus_one = _mm_set1_epi32(-1);
        let mut doubtful = _mm_setzero_si128();
        for at in (0..LANES).step_by(4) {
            let [a, b, c] = [a, b, c].map(|lanes| _mm_loadu_ps(lanes.as_ptr().add(at)));
            let upper = |x| _mm_cvtps_pd(_mm_movehl_ps(x, x));
            let product = _mm_mul_pd(_mm_cvtps_pd(a), _mm_cvtps_pd(b));
            let first = _mm_add_pd(product, _mm_cvtps_pd(c));
            let second = _mm_add_pd(_mm_mul_pd(upper(a), upper(b)), upper(c));
            let rounded = _mm_movelh_ps(_mm_cvtpd_ps(first), _mm_cvtpd_ps(second));
            _mm_storeu_ps(out.as_mut_ptr().add(at), rounded);
            let (first, second) = (_mm_castpd_ps(first), _mm_castpd_ps(second));
            let low = _mm_castps_si128(_mm_shuffle_ps::<0x88>(first, second));
            let high = _mm_castps_si128(_mm_shuffle_ps::<0xdd>(first, second));
            let is_tie = _mm_cmpeq_epi32(_mm_and_si128(low, tail), tie);
            // Minus one for zero, whose rounding is exact.
            let size = _mm_add_epi32(_mm_and_si128(high, size_of), minus_one);
            let is_small =
                _mm_and_si128(_mm_cmpgt_epi32(smallest, size), _mm_cmpgt_epi32(size, minus_one));
            doubtful = _mm_or_si128(doubtful, _mm_or_si128(is_tie, is_small));
        }
        _mm_movemask_epi8(doubtful) != 0
    };
    if doubtful { all_to_odd(a, b, c) } else { out }
}

#[cfg(target_arch = "x86_64")]
#[cold]
#[inline(never)]
fn all_to_odd(a: &[f32; LANES], b: &[f32; LANES], c: &[f32; LANES]) -> [f32; LANES] {
    std::array::from_fn(|lane| by_rounding_to_odd(a[lane], b[lane], c[lane]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    /// Values whose sums of products are often ties, cancel, overflow or are subnormal: few
    /// significant bits at both ends of the mantissa, and exponents close to a given one.
    fn awkward(stream: &mut Stream, exponent: i32, spread: u64, digits: u32) -> f64 {
        let word = stream.next_u64();
        let mantissa = match word % 4 {
            0 => 0,
            1 => 1,
            2 => word >> 20,
            _ => (word >> 60) << (digits - 5) | (word >> 8 & 3),
        } & ((1 << digits) - 1);
        let exponent = exponent + (stream.next_u64() % (2 * spread + 1)) as i32 - spread as i32;
        let value = (1.0 + mantissa as f64 / libm::exp2(f64::from(digits)))
            * libm::exp2(f64::from(exponent));
        match stream.next_u64() % 32 {
            0 => 0.0,
            sign if sign % 2 == 0 => -value,
            _ => value,
        }
    }

    #[test]
    fn singles_have_the_bits_of_the_instruction() {
        let mut stream = Stream::new(1, Purpose::Weights, 0);
        for case in 0..60_000 {
            let half = [-75, -64, -60, -20, 0, 30, 63, 64][case % 8];
            let spread = [0, 2, 12, 26][case / 8 % 4];
            let factor = |stream: &mut Stream| {
                std::array::from_fn(|_| awkward(stream, half, spread, 23) as f32)
            };
            let (a, b): ([f32; LANES], [f32; LANES]) = (factor(&mut stream), factor(&mut stream));
            let c: [f32; LANES] =
                std::array::from_fn(|_| awkward(&mut stream, 2 * half, 2 * spread + 1, 23) as f32);
            let ours = mul_add_singles(&a, &b, &c);
            for lane in 0..LANES {
                let (a, b, c) = (a[lane], b[lane], c[lane]);
                let truth = a.mul_add(b, c);
                let odd = by_rounding_to_odd(a, b, c);
                assert_eq!(odd.to_bits(), truth.to_bits(), "{a:e} * {b:e} + {c:e}");
                assert_eq!(ours[lane].to_bits(), truth.to_bits(), "{a:e} * {b:e} + {c:e}");
            }
        }
    }

    #[test]
    fn singles_at_the_ends_of_the_range() {
        let ends: [f32; LANES] = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            1.000_000_1,
            f32::MIN_POSITIVE,
            1e-45,
            -1e-45,
            3e-23,
            f32::MAX,
            f32::MIN,
            1.844_674_4e19,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            5.877_472e-39,
        ];
        for a in ends {
            for b in ends {
                let ours = mul_add_singles(&[a; LANES], &[b; LANES], &ends);
                for (c, ours) in ends.into_iter().zip(ours) {
                    let truth = a.mul_add(b, c);
                    let same = ours.to_bits() == truth.to_bits() || ours.is_nan() && truth.is_nan();
                    assert!(same, "{a:e} * {b:e} + {c:e}: {ours:e}, not {truth:e}");
                }
            }
        }
    }
}
