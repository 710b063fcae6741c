//! Sixteen `f64` in four 256-bit registers.

use super::avx2::Avx2;
use super::doubles::Doubles;
use super::simd::array_of;
use std::arch::x86_64::*;

/// Sixteen `f64`, four per register.
#[derive(Clone, Copy)]
pub(super) struct Avx2Doubles([__m256d; 4]);

/// Wraps intrinsics that are unsafe only for the instructions they need.
macro_rules! avx2 {
    ($body:expr) => {
        // SAFETY: values of this type exist only inside `Isa::run`, which has checked that the
        // processor has AVX2 and FMA.
        unsafe { $body }
    };
}

impl Avx2Doubles {
    /// Applies an operation to all quarters.
    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(__m256d, __m256d) -> __m256d) -> Self {
        Avx2Doubles(array_of(|quarter| op(self.0[quarter], other.0[quarter])))
    }

    /// The lanes of sixteen `f32`.
    #[inline(always)]
    pub(super) fn widen(low: __m256, high: __m256) -> Self {
        avx2!(Avx2Doubles([
            _mm256_cvtps_pd(_mm256_castps256_ps128(low)),
            _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(low)),
            _mm256_cvtps_pd(_mm256_castps256_ps128(high)),
            _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(high)),
        ]))
    }

    /// The nearest `f32` of each lane.
    #[inline(always)]
    pub(super) fn narrow(self) -> Avx2 {
        let half = |low, high| avx2!(_mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low)));
        Avx2::of(half(self.0[0], self.0[1]), half(self.0[2], self.0[3]))
    }
}

impl Doubles for Avx2Doubles {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        Avx2Doubles([avx2!(_mm256_set1_pd(value)); 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        // SAFETY: the caller vouches for sixteen readable values.
        Avx2Doubles(array_of(|quarter| unsafe { _mm256_loadu_pd(from.add(4 * quarter)) }))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        for (quarter, &lanes) in self.0.iter().enumerate() {
            // SAFETY: the caller vouches for sixteen writable places.
            unsafe { _mm256_storeu_pd(to.add(4 * quarter), lanes) };
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_add_pd(a, b)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_sub_pd(a, b)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_mul_pd(a, b)))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_div_pd(a, b)))
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Avx2Doubles(array_of(|q| avx2!(_mm256_fmadd_pd(self.0[q], factor.0[q], addend.0[q]))))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_max_pd(a, b)))
    }

    #[inline(always)]
    fn select_less(self, other: Self, if_less: Self, otherwise: Self) -> Self {
        Avx2Doubles(array_of(|q| {
            avx2!({
                let less = _mm256_cmp_pd::<_CMP_LT_OQ>(self.0[q], other.0[q]);
                _mm256_blendv_pd(otherwise.0[q], if_less.0[q], less)
            })
        }))
    }

    #[inline(always)]
    fn scale_by_power_of_two(self, n: Self) -> Self {
        self.zip(n, |x, n| {
            avx2!({
                let whole = _mm256_cvtepi32_epi64(_mm256_cvttpd_epi32(n));
                let exponent = _mm256_slli_epi64::<52>(whole);
                _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(x), exponent))
            })
        })
    }

    #[inline(always)]
    fn less(self, other: Self) -> u16 {
        let mut mask = 0;
        for quarter in 0..4 {
            let less = avx2!({
                let less = _mm256_cmp_pd::<_CMP_LT_OQ>(self.0[quarter], other.0[quarter]);
                _mm256_movemask_pd(less)
            });
            mask |= (less as u16) << (4 * quarter);
        }
        mask
    }
}
