//! Fused multiply-add of single precision where the CPU has none: the same bits as the instruction,
//! by additions and multiplications that are exact or whose rounding error is known.
//!
//! The library function that `mul_add` calls there is correct as well, but a call per lane takes
//! four to ten times as long. In double precision, where products are not exact, the emulation took
//! longer than the calls; there they stay.

use super::simd::{LANES, array_of};

/// Whether `mul_add` is one instruction in code without runtime detection.
pub(super) const NATIVE: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));

/// `a * b + c` of sixteen lanes, rounded once.
#[inline(always)]
pub(super) fn mul_add_singles(
    a: &[f32; LANES],
    b: &[f32; LANES],
    c: &[f32; LANES],
) -> [f32; LANES] {
    if NATIVE {
        return array_of(|lane| a[lane].mul_add(b[lane], c[lane]));
    }
    #[cfg(target_arch = "x86_64")]
    {
        sse2(a, b, c)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        array_of(|lane| by_rounding_to_odd(a[lane], b[lane], c[lane]))
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
///
/// Both are found by the minimum of sixteen numbers of 16 bits, the upper halves of words: SSE2 has
/// no minimum of whole words. So one sum in 2^16 that is no tie is rounded to odd as well, with the
/// same result.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn sse2(a: &[f32; LANES], b: &[f32; LANES], c: &[f32; LANES]) -> [f32; LANES] {
    use std::arch::x86_64::*;
    let largest = i32::MAX;
    let mut out = [0.0_f32; LANES];
    // SAFETY: every x86-64 CPU has SSE2; each load and store is of four of sixteen lanes.
    let doubtful = unsafe {
        let mut least_tail = _mm_set1_epi32(largest);
        let mut least_size = _mm_set1_epi32(largest);
        for at in (0..LANES).step_by(4) {
            let [a, b, c] = [a, b, c].map(|lanes| _mm_loadu_ps(lanes.as_ptr().add(at)));
            let upper = |x| _mm_cvtps_pd(_mm_movehl_ps(x, x));
            let product = _mm_mul_pd(_mm_cvtps_pd(a), _mm_cvtps_pd(b));
            let first = _mm_add_pd(product, _mm_cvtps_pd(c));
            let second = _mm_add_pd(_mm_mul_pd(upper(a), upper(b)), upper(c));
            let rounded = _mm_movelh_ps(_mm_cvtpd_ps(first), _mm_cvtpd_ps(second));
            _mm_storeu_ps(out.as_mut_ptr().add(at), rounded);
            // The 29 bits that single precision does not have; those of a tie are the smallest
            // signed word, and only those of its upper half, the smallest half.
            let low = _mm_shuffle_ps::<0x88>(_mm_castpd_ps(first), _mm_castpd_ps(second));
            let tail = _mm_slli_epi32::<3>(_mm_castps_si128(low));
            least_tail = _mm_min_epi16(least_tail, tail);
            // Without its sign and less the smallest word: zero, whose rounding is exact, becomes
            // the largest word, and the smallest numbers the smallest words.
            let bits = _mm_castps_si128(rounded);
            let size = _mm_add_epi32(_mm_add_epi32(bits, bits), _mm_set1_epi32(largest));
            least_size = _mm_min_epi16(least_size, size);
        }
        let is_tie = _mm_cmpeq_epi16(least_tail, _mm_set1_epi32(i32::MIN));
        // Less than 2^-125: exponent and sign take nine bits, of which the sign was dropped.
        let is_small = _mm_cmpgt_epi16(_mm_set1_epi32(i32::MIN + (2 << 24)), least_size);
        _mm_movemask_ps(_mm_castsi128_ps(_mm_or_si128(is_tie, is_small))) != 0
    };
    if doubtful { all_to_odd([*a, *b, *c]) } else { out }
}

/// All sixteen lanes rounded to odd. By value: the lanes of the caller can stay in registers.
#[cfg(target_arch = "x86_64")]
#[cold]
#[inline(never)]
fn all_to_odd([a, b, c]: [[f32; LANES]; 3]) -> [f32; LANES] {
    array_of(|lane| by_rounding_to_odd(a[lane], b[lane], c[lane]))
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
    fn sums_beside_a_tie_of_two_subnormal_numbers() {
        let power = |exponent: f64| libm::exp2(exponent) as f32;
        let (up, down) = (1.0 + power(-23.0), 1.0 - power(-23.0));
        // The product is 2^-150 less a little, half of the distance of subnormal numbers, and a
        // part of it that double precision cannot add to the third number.
        let (a, b) = ([up * power(-75.0); LANES], [down * power(-75.0); LANES]);
        let c = std::array::from_fn(|lane| f32::from_bits(0x0040_0001 + lane as u32));
        let ours = mul_add_singles(&a, &b, &c);
        assert_eq!(ours.map(f32::to_bits), c.map(f32::to_bits));
        let instruction = |lane: usize| a[lane].mul_add(b[lane], c[lane]).to_bits();
        assert_eq!(ours.map(f32::to_bits), std::array::from_fn(instruction));
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
