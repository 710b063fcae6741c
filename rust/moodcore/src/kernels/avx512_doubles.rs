//! Sixteen `f64` in two 512-bit registers.

use super::avx512::Avx512;
use super::doubles::Doubles;
use std::arch::x86_64::*;

/// Sixteen `f64`, the first eight in the first register.
#[derive(Clone, Copy)]
pub(super) struct Avx512Doubles(__m512d, __m512d);

/// Wraps intrinsics that are unsafe only for the instructions they need.
macro_rules! avx512 {
    ($body:expr) => {
        // SAFETY: values of this type exist only inside `Isa::run`, which has checked that the
        // processor has AVX-512 F and DQ.
        unsafe { $body }
    };
}

impl Avx512Doubles {
    /// Applies an operation to both halves.
    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(__m512d, __m512d) -> __m512d) -> Self {
        Avx512Doubles(op(self.0, other.0), op(self.1, other.1))
    }

    /// The lanes of sixteen `f32`.
    #[inline(always)]
    pub(super) fn widen(from: __m512) -> Self {
        avx512!({
            let high = _mm512_extractf32x8_ps::<1>(from);
            Avx512Doubles(_mm512_cvtps_pd(_mm512_castps512_ps256(from)), _mm512_cvtps_pd(high))
        })
    }

    /// The nearest `f32` of each lane.
    #[inline(always)]
    pub(super) fn narrow(self) -> Avx512 {
        avx512!({
            let low = _mm512_castps256_ps512(_mm512_cvtpd_ps(self.0));
            Avx512::of(_mm512_insertf32x8::<1>(low, _mm512_cvtpd_ps(self.1)))
        })
    }
}

impl Doubles for Avx512Doubles {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        let half = avx512!(_mm512_set1_pd(value));
        Avx512Doubles(half, half)
    }

    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        // SAFETY: the caller vouches for sixteen readable values.
        unsafe { Avx512Doubles(_mm512_loadu_pd(from), _mm512_loadu_pd(from.add(8))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: the caller vouches for sixteen writable places.
        unsafe {
            _mm512_storeu_pd(to, self.0);
            _mm512_storeu_pd(to.add(8), self.1);
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| avx512!(_mm512_add_pd(a, b)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| avx512!(_mm512_sub_pd(a, b)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| avx512!(_mm512_mul_pd(a, b)))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| avx512!(_mm512_div_pd(a, b)))
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Avx512Doubles(
            avx512!(_mm512_fmadd_pd(self.0, factor.0, addend.0)),
            avx512!(_mm512_fmadd_pd(self.1, factor.1, addend.1)),
        )
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| avx512!(_mm512_max_pd(a, b)))
    }

    #[inline(always)]
    fn select_less(self, other: Self, if_less: Self, otherwise: Self) -> Self {
        let half = |a, b, yes, no| {
            avx512!(_mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b), no, yes))
        };
        Avx512Doubles(
            half(self.0, other.0, if_less.0, otherwise.0),
            half(self.1, other.1, if_less.1, otherwise.1),
        )
    }

    #[inline(always)]
    fn scale_by_power_of_two(self, n: Self) -> Self {
        self.zip(n, |x, n| {
            avx512!({
                let exponent = _mm512_slli_epi64::<52>(_mm512_cvttpd_epi64(n));
                _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(x), exponent))
            })
        })
    }

    #[inline(always)]
    fn less(self, other: Self) -> u16 {
        avx512!({
            let low = _mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, other.0);
            let high = _mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.1, other.1);
            u16::from(low) | u16::from(high) << 8
        })
    }
}
