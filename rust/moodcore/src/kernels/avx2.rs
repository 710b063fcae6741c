//! Sixteen lanes in two 256-bit registers.

use super::Task;
use super::avx2_bits::Avx2Bits;
use super::avx2_doubles::Avx2Doubles;
use super::simd::{LANES, Simd, array_of};
use std::arch::x86_64::*;

/// Sixteen lanes in two AVX2 registers, the first eight in the first.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256, __m256);

/// Wraps intrinsics that are unsafe only for the instructions they need.
macro_rules! avx2 {
    ($body:expr) => {
        // SAFETY: values of this type exist only inside `Isa::run`, which has checked that the
        // processor has AVX2 and FMA.
        unsafe { $body }
    };
}

impl Avx2 {
    /// The lanes of two registers.
    #[inline(always)]
    pub(super) fn of(low: __m256, high: __m256) -> Self {
        Avx2(low, high)
    }

    /// Applies an operation to both halves.
    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(__m256, __m256) -> __m256) -> Self {
        Avx2(op(self.0, other.0), op(self.1, other.1))
    }
}

/// Turns eight rows of eight lanes into columns.
#[inline(always)]
fn transpose_eight(r: [__m256; 8]) -> [__m256; 8] {
    avx2!({
        let mut pairs = [_mm256_setzero_ps(); 8];
        for i in 0..4 {
            pairs[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            pairs[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        let mut fours = [_mm256_setzero_ps(); 8];
        for (p, q) in [(0, 2), (4, 6)] {
            fours[p] = _mm256_shuffle_ps::<0x44>(pairs[p], pairs[q]);
            fours[p + 1] = _mm256_shuffle_ps::<0xee>(pairs[p], pairs[q]);
            fours[p + 2] = _mm256_shuffle_ps::<0x44>(pairs[p + 1], pairs[q + 1]);
            fours[p + 3] = _mm256_shuffle_ps::<0xee>(pairs[p + 1], pairs[q + 1]);
        }
        let mut columns = [_mm256_setzero_ps(); 8];
        for c in 0..4 {
            columns[c] = _mm256_permute2f128_ps::<0x20>(fours[c], fours[4 + c]);
            columns[4 + c] = _mm256_permute2f128_ps::<0x31>(fours[c], fours[4 + c]);
        }
        columns
    })
}

impl Simd for Avx2 {
    type Bits = Avx2Bits;
    type Doubles = Avx2Doubles;

    const NARROW_ROWS: usize = 4;
    const WIDE_VECTORS: usize = 1;
    const WIDE_ROWS: usize = 6;

    #[inline(always)]
    fn outline<T: Task>(task: T) -> T::Output {
        #[target_feature(enable = "avx2,fma")]
        #[inline(never)]
        fn run<T: Task>(task: T) -> T::Output {
            task.run::<Avx2>()
        }
        avx2!(run(task))
    }

    #[inline(always)]
    fn splat(value: f32) -> Self {
        let half = avx2!(_mm256_set1_ps(value));
        Avx2(half, half)
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for sixteen readable values.
        unsafe { Avx2(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for sixteen writable places.
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        // SAFETY: lanes whose mask has no sign bit are not read.
        unsafe {
            let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let count = count as i32;
            let low = _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane);
            let high = _mm256_cmpgt_epi32(_mm256_set1_epi32(count - 8), lane);
            let second = _mm256_maskload_ps(from.wrapping_add(8), high);
            Avx2(_mm256_maskload_ps(from, low), second)
        }
    }

    #[inline(always)]
    fn prefetch<T>(address: *const T) {
        // SAFETY: a prefetch never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }

    #[inline(always)]
    fn count_below(numbers: &[f64; LANES], value: f64) -> usize {
        // SAFETY: sixteen numbers are read; for the instructions see the macro.
        unsafe {
            let value = _mm256_set1_pd(value);
            let below = |at: usize| {
                let four = _mm256_loadu_pd(numbers.as_ptr().add(4 * at));
                _mm256_castpd_si256(_mm256_cmp_pd::<_CMP_LT_OQ>(four, value))
            };
            // Minus one in the lanes of those below.
            let halves =
                (_mm256_add_epi64(below(0), below(1)), _mm256_add_epi64(below(2), below(3)));
            let all = _mm256_add_epi64(halves.0, halves.1);
            let pair =
                _mm_add_epi64(_mm256_castsi256_si128(all), _mm256_extracti128_si256::<1>(all));
            -(_mm_cvtsi128_si64(pair) + _mm_extract_epi64::<1>(pair)) as usize
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_add_ps(a, b)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_sub_ps(a, b)))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_mul_ps(a, b)))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_div_ps(a, b)))
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Avx2(
            avx2!(_mm256_fmadd_ps(self.0, factor.0, addend.0)),
            avx2!(_mm256_fmadd_ps(self.1, factor.1, addend.1)),
        )
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Avx2(avx2!(_mm256_sqrt_ps(self.0)), avx2!(_mm256_sqrt_ps(self.1)))
    }

    #[inline(always)]
    fn zero_subnormal(self) -> Self {
        let half = |x| {
            avx2!({
                let sign = _mm256_set1_ps(-0.0);
                let size = _mm256_andnot_ps(sign, x);
                let small = _mm256_cmp_ps::<_CMP_LT_OQ>(size, _mm256_set1_ps(f32::MIN_POSITIVE));
                _mm256_andnot_ps(_mm256_andnot_ps(sign, small), x)
            })
        };
        Avx2(half(self.0), half(self.1))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_max_ps(a, b)))
    }

    #[inline(always)]
    fn select_greater(self, other: Self, if_greater: Self, otherwise: Self) -> Self {
        let half =
            |a, b, yes, no| avx2!(_mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)));
        Avx2(
            half(self.0, other.0, if_greater.0, otherwise.0),
            half(self.1, other.1, if_greater.1, otherwise.1),
        )
    }

    #[inline(always)]
    fn keep_equal(self, other: Self, if_equal: Self) -> Self {
        let half = |a, b, value| avx2!(_mm256_and_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(a, b), value));
        Avx2(half(self.0, other.0, if_equal.0), half(self.1, other.1, if_equal.1))
    }

    #[inline(always)]
    fn scale_by_power_of_two(self, n: Self) -> Self {
        self.zip(n, |x, n| {
            avx2!({
                let exponent = _mm256_slli_epi32::<23>(_mm256_cvttps_epi32(n));
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), exponent))
            })
        })
    }

    #[inline(always)]
    fn scale_by_rounded(self, rounded: Self) -> Self {
        self.zip(rounded, |x, rounded| {
            avx2!({
                let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(rounded));
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), exponent))
            })
        })
    }

    #[inline(always)]
    fn split_exponent(self) -> (Self, Self) {
        let half = |x| {
            avx2!({
                let bits = _mm256_castps_si256(x);
                let mantissa = _mm256_or_si256(
                    _mm256_and_si256(bits, _mm256_set1_epi32(0x007f_ffff)),
                    _mm256_set1_epi32(0x3f80_0000),
                );
                let exponent =
                    _mm256_sub_epi32(_mm256_srli_epi32::<23>(bits), _mm256_set1_epi32(127));
                (_mm256_castsi256_ps(mantissa), _mm256_cvtepi32_ps(exponent))
            })
        };
        let ((m0, e0), (m1, e1)) = (half(self.0), half(self.1));
        (Avx2(m0, m1), Avx2(e0, e1))
    }

    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let quarter = |first: usize, high: bool| {
            transpose_eight(array_of(|row| {
                let Avx2(left, right) = rows[first + row];
                if high { right } else { left }
            }))
        };
        let (top_left, top_right) = (quarter(0, false), quarter(0, true));
        let (bottom_left, bottom_right) = (quarter(8, false), quarter(8, true));
        array_of(|column| match column {
            0..8 => Avx2(top_left[column], bottom_left[column]),
            _ => Avx2(top_right[column - 8], bottom_right[column - 8]),
        })
    }

    #[inline(always)]
    fn widen(self) -> Avx2Doubles {
        Avx2Doubles::widen(self.0, self.1)
    }

    #[inline(always)]
    fn narrow(from: Avx2Doubles) -> Self {
        from.narrow()
    }

    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        // SAFETY: the array has sixteen places.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes
    }
}
