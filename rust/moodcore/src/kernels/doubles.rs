//! Vectors of sixteen `f64` lanes, for computations that need double precision.

use super::simd::LANES;

/// A vector of sixteen `f64`, in registers of one instruction set.
///
/// As for [`super::Simd`], every operation rounds once per lane as IEEE 754 says, and values exist
/// only inside [`super::Isa::run`].
pub trait Doubles: Copy {
    /// The same value in all lanes.
    fn splat(value: f64) -> Self;
    /// Sixteen consecutive values.
    ///
    /// # Safety
    /// `from` must be readable for sixteen `f64`.
    unsafe fn load(from: *const f64) -> Self;
    /// Writes the lanes to sixteen consecutive places.
    ///
    /// # Safety
    /// `to` must be writable for sixteen `f64`.
    unsafe fn store(self, to: *mut f64);
    /// `self + other`
    fn add(self, other: Self) -> Self;
    /// `self - other`
    fn sub(self, other: Self) -> Self;
    /// `self * other`
    fn mul(self, other: Self) -> Self;
    /// `self / other`
    fn div(self, other: Self) -> Self;
    /// `self * factor + addend`, rounded once.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// `self` where it is greater than `other`, else `other`.
    fn max(self, other: Self) -> Self;
    /// `if_less` in the lanes where `self < other`, `otherwise` in the rest.
    fn select_less(self, other: Self, if_less: Self, otherwise: Self) -> Self;
    /// `self * 2^n` for whole-numbered `n` where neither is out of the normal range.
    fn scale_by_power_of_two(self, n: Self) -> Self;
    /// The lanes where `self < other`, a bit each.
    fn less(self, other: Self) -> u16;

    /// The lanes as an array.
    #[inline(always)]
    fn to_array(self) -> [f64; LANES] {
        let mut lanes = [0.0; LANES];
        // SAFETY: the array has sixteen places.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes
    }
}
