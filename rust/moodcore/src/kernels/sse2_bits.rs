//! 512 bits in four 128-bit registers, for the portable code on x86-64, where SSE2 is always there:
//! of eight words the compiler makes eight registers of one word, of which there are too few.

use super::bits::Bits;
use super::bitslices::RowBits;
use std::arch::x86_64::*;

/// 512 bits in four SSE2 registers.
#[derive(Clone, Copy)]
pub struct Sse2Bits([__m128i; 4]);

/// Wraps intrinsics that are unsafe only for the instructions they need.
macro_rules! sse2 {
    ($body:expr) => {
        // SAFETY: every x86-64 processor has SSE2.
        unsafe { $body }
    };
}

impl Sse2Bits {
    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(__m128i, __m128i) -> __m128i) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Sse2Bits([op(a, e), op(b, f), op(c, g), op(d, h)])
    }
}

impl Bits for Sse2Bits {
    #[inline(always)]
    fn splat(word: u64) -> Self {
        Sse2Bits([sse2!(_mm_set1_epi64x(word as i64)); 4])
    }

    #[inline(always)]
    fn load(rows: &RowBits) -> Self {
        let from: *const __m128i = std::ptr::from_ref(rows).cast();
        // SAFETY: reads the 64 bytes of a set, which is aligned to as many.
        let quarter = |at: usize| unsafe { _mm_load_si128(from.add(at)) };
        Sse2Bits([quarter(0), quarter(1), quarter(2), quarter(3)])
    }

    #[inline(always)]
    fn store(self, rows: &mut RowBits) {
        let to: *mut __m128i = std::ptr::from_mut(rows).cast();
        for (at, quarter) in self.0.into_iter().enumerate() {
            // SAFETY: writes the 64 bytes of a set, which is aligned to as many.
            unsafe { _mm_store_si128(to.add(at), quarter) };
        }
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| sse2!(_mm_and_si128(a, b)))
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        self.zip(other, |a, b| sse2!(_mm_andnot_si128(b, a)))
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| sse2!(_mm_or_si128(a, b)))
    }

    #[inline(always)]
    fn shift_left(self, count: u32) -> Self {
        self.zip(self, |a, _| sse2!(_mm_sll_epi64(a, _mm_cvtsi32_si128(count as i32))))
    }

    #[inline(always)]
    fn shift_right(self, count: u32) -> Self {
        self.zip(self, |a, _| sse2!(_mm_srl_epi64(a, _mm_cvtsi32_si128(count as i32))))
    }
}
