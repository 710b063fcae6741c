//! 512 bits in two 256-bit registers.

use super::bits::Bits;
use super::bitslices::RowBits;
use std::arch::x86_64::*;

/// 512 bits in two AVX2 registers.
#[derive(Clone, Copy)]
pub(super) struct Avx2Bits(__m256i, __m256i);

/// Wraps intrinsics that are unsafe only for the instructions they need.
macro_rules! avx2 {
    ($body:expr) => {
        // SAFETY: values of this type exist only inside `Isa::run`, which has checked that the
        // processor has AVX2.
        unsafe { $body }
    };
}

impl Avx2Bits {
    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(__m256i, __m256i) -> __m256i) -> Self {
        Avx2Bits(op(self.0, other.0), op(self.1, other.1))
    }
}

impl Bits for Avx2Bits {
    #[inline(always)]
    fn splat(word: u64) -> Self {
        let half = avx2!(_mm256_set1_epi64x(word as i64));
        Avx2Bits(half, half)
    }

    #[inline(always)]
    fn load(rows: &RowBits) -> Self {
        let from: *const __m256i = std::ptr::from_ref(rows).cast();
        // Reads the 64 bytes of a set, which is aligned to as many.
        avx2!(Avx2Bits(_mm256_load_si256(from), _mm256_load_si256(from.add(1))))
    }

    #[inline(always)]
    fn store(self, rows: &mut RowBits) {
        let to: *mut __m256i = std::ptr::from_mut(rows).cast();
        // Writes the 64 bytes of a set, which is aligned to as many.
        avx2!({
            _mm256_store_si256(to, self.0);
            _mm256_store_si256(to.add(1), self.1);
        });
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_and_si256(a, b)))
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_andnot_si256(b, a)))
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| avx2!(_mm256_or_si256(a, b)))
    }

    #[inline(always)]
    fn shift_left(self, count: u32) -> Self {
        avx2!({
            let count = _mm_cvtsi32_si128(count as i32);
            Avx2Bits(_mm256_sll_epi64(self.0, count), _mm256_sll_epi64(self.1, count))
        })
    }

    #[inline(always)]
    fn shift_right(self, count: u32) -> Self {
        avx2!({
            let count = _mm_cvtsi32_si128(count as i32);
            Avx2Bits(_mm256_srl_epi64(self.0, count), _mm256_srl_epi64(self.1, count))
        })
    }
}
