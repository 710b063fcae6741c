//! Vectors of 512 bits, for logical operations on sets of rows.

use super::bitslices::RowBits;

/// A vector of eight 64-bit words, in registers of one instruction set.
///
/// As for [`super::Simd`], values exist only inside [`super::Isa::run`].
pub trait Bits: Copy {
    /// The same word eight times.
    fn splat(word: u64) -> Self;
    /// The bits of a set.
    fn load(rows: &RowBits) -> Self;
    /// Writes the bits to a set.
    fn store(self, rows: &mut RowBits);
    /// `self & other`
    fn and(self, other: Self) -> Self;
    /// `self & !other`
    fn and_not(self, other: Self) -> Self;
    /// `self | other`
    fn or(self, other: Self) -> Self;
    /// Each word shifted to the left; `count` is a constant below 64.
    fn shift_left(self, count: u32) -> Self;
    /// Each word shifted to the right; `count` is a constant below 64.
    fn shift_right(self, count: u32) -> Self;

    /// No row.
    #[inline(always)]
    fn none() -> Self {
        Self::splat(0)
    }
}
