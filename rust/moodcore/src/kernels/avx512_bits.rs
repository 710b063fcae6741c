//! 512 bits in one 512-bit register.

use super::bits::Bits;
use super::bitslices::RowBits;
use std::arch::x86_64::*;

/// 512 bits in one AVX-512 register.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Avx512Bits(__m512i);

/// Wraps intrinsics that are unsafe only for the instructions they need.
macro_rules! avx512 {
    ($body:expr) => {
        // SAFETY: values of this type exist only inside `Isa::run`, which has checked that the
        // processor has AVX-512 F.
        Avx512Bits(unsafe { $body })
    };
}

impl Bits for Avx512Bits {
    #[inline(always)]
    fn splat(word: u64) -> Self {
        avx512!(_mm512_set1_epi64(word as i64))
    }

    #[inline(always)]
    fn load(rows: &RowBits) -> Self {
        // Reads the 64 bytes of a set, which is aligned to as many.
        avx512!(_mm512_load_si512(std::ptr::from_ref(rows).cast()))
    }

    #[inline(always)]
    fn store(self, rows: &mut RowBits) {
        // SAFETY: writes the 64 bytes of a set, which is aligned to as many; for the instructions
        // see the macro.
        unsafe { _mm512_store_si512(std::ptr::from_mut(rows).cast(), self.0) }
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        avx512!(_mm512_and_si512(self.0, other.0))
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        avx512!(_mm512_andnot_si512(other.0, self.0))
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        avx512!(_mm512_or_si512(self.0, other.0))
    }

    #[inline(always)]
    fn shift_left(self, count: u32) -> Self {
        avx512!(_mm512_sll_epi64(self.0, _mm_cvtsi32_si128(count as i32)))
    }

    #[inline(always)]
    fn shift_right(self, count: u32) -> Self {
        avx512!(_mm512_srl_epi64(self.0, _mm_cvtsi32_si128(count as i32)))
    }
}
