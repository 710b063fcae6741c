//! Sixteen `f32` lanes: the one vector type in which all kernels are written.
//!
//! Every operation is exact or rounds once per lane as IEEE 754 says, so that all
//! implementations agree to the bit; an operation whose result the standard leaves open
//! (approximate reciprocals, library exponentials) has no place here.

use super::Task;
use super::bits::Bits;
use super::bitslices::{self, RowBits, SLICE_CHUNK, SLICE_ROWS};
use super::doubles::Doubles;

/// Lanes of a vector, for any register width of the CPU.
pub const LANES: usize = 16;

/// The length of a slice that holds `count` rows of `width` values, `stride` apart.
///
/// Safe callers choose these sizes, and checks of them are all that keeps unsafe code inside its
/// slices. So the arithmetic saturates where it would wrap: no slice is `usize::MAX` long, and the
/// check fails.
#[inline(always)]
pub(super) fn extent(count: usize, stride: usize, width: usize) -> usize {
    if count == 0 { 0 } else { (count - 1).saturating_mul(stride).saturating_add(width) }
}

/// The array of `make(0)`, `make(1)` and so on.
///
/// `std::array::from_fn` does the same, but the compiler decides whether to inline it. Where it does
/// not, the call leaves the function that has the instructions of the set, and each operation
/// becomes a call.
#[inline(always)]
pub(crate) fn array_of<T: Copy, const N: usize>(make: impl Fn(usize) -> T) -> [T; N] {
    let mut values = [make(0); N];
    for (at, value) in values.iter_mut().enumerate().skip(1) {
        *value = make(at);
    }
    values
}

/// A vector of sixteen `f32`, in registers of one instruction set.
///
/// Values exist only inside [`super::Isa::run`], which has checked that the instructions are
/// there; that is what makes the methods safe to call.
pub trait Simd: Copy {
    /// As many bits as the lanes have.
    type Bits: Bits;
    /// The same lanes in double precision.
    type Doubles: Doubles;
    /// Rows of a register tile one vector wide: as many accumulators as hide the latency of
    /// multiply-add and still fit the registers. Sixteen, or at most eight. Each value of the inner
    /// index loads one value per row and one vector, which more rows share.
    const NARROW_ROWS: usize;
    /// Vectors and rows of a register tile of a wide matrix.
    const WIDE_VECTORS: usize;
    /// See [`Simd::WIDE_VECTORS`]. At most eight.
    const WIDE_ROWS: usize;
    /// Whether [`Simd::mul_add`] is emulated.
    const EMULATES: bool = false;
    /// Whether [`Simd::store_selected`] is one instruction.
    const COMPRESSES: bool = false;

    /// Runs a task in a function of its own, compiled for this instruction set: where inlining
    /// at every call would multiply the code and gain nothing.
    fn outline<T: Task>(task: T) -> T::Output;

    /// The same value in all lanes.
    fn splat(value: f32) -> Self;
    /// Sixteen consecutive values.
    ///
    /// # Safety
    /// `from` must be readable for sixteen `f32`.
    unsafe fn load(from: *const f32) -> Self;
    /// Writes the lanes to sixteen consecutive places.
    ///
    /// # Safety
    /// `to` must be writable for sixteen `f32`.
    unsafe fn store(self, to: *mut f32);
    /// The first `count` lanes from memory, the rest zero.
    ///
    /// # Safety
    /// `from` must be readable for `count` (at most sixteen) `f32`.
    unsafe fn load_first(from: *const f32, count: usize) -> Self;
    /// Writes the candidates below `limit`, in their order, and returns how many they are; places
    /// up to the sixteenth may be overwritten.
    ///
    /// # Safety
    /// `to` must be writable for sixteen `u32`.
    #[inline(always)]
    unsafe fn store_below(candidates: [u32; LANES], limit: u32, to: *mut u32) -> usize {
        let mut count = 0;
        for candidate in candidates {
            // Written always, counted only when it is below: no branch to predict wrongly.
            // SAFETY: at most fifteen were counted before this one.
            unsafe { to.add(count).write(candidate) };
            count += usize::from(candidate < limit);
        }
        count
    }
    /// Writes the values whose bit in `mask` is set, in their order; places up to the sixteenth
    /// may be overwritten.
    ///
    /// # Safety
    /// `to` must be writable for sixteen `u32`.
    #[inline(always)]
    unsafe fn store_selected(values: [u32; LANES], mask: u16, to: *mut u32) {
        let mut count = 0;
        for (lane, value) in values.into_iter().enumerate() {
            // SAFETY: at most fifteen were counted before this one.
            unsafe { to.add(count).write(value) };
            count += usize::from(mask >> lane & 1);
        }
    }
    /// Which of sixteen cells have a second word other than zero, a bit each.
    #[inline(always)]
    fn filled(cells: &[[u64; 2]; LANES]) -> u16 {
        let mut mask = 0;
        for (lane, cell) in cells.iter().enumerate() {
            mask |= u16::from(cell[1] != 0) << lane;
        }
        mask
    }
    /// Prefetches the cache line of an address.
    fn prefetch<T>(_address: *const T) {}
    /// Adds to each row's sum the value of its leaf. Byte `p` of `leaves[i]` is the leaf of the row
    /// whose place is `64 i + p`; there are at most eight chunks of values.
    #[inline(always)]
    fn add_leaf_values(
        leaves: &[RowBits; 8],
        values: &[[f64; SLICE_CHUNK]],
        sums: &mut [f64; SLICE_ROWS],
    ) {
        bitslices::add_leaf_values(leaves, values, sums);
    }
    /// How many of sixteen ascending numbers are below the value; none are below NaN.
    #[inline(always)]
    fn count_below(numbers: &[f64; LANES], value: f64) -> usize {
        numbers.iter().map(|&number| u64::from(number < value)).sum::<u64>() as usize
    }
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
    /// The square root, rounded once.
    fn sqrt(self) -> Self;
    /// Zero of the same sign in lanes that are subnormal, `self` in the rest.
    ///
    /// Arithmetic with subnormal numbers takes some CPUs a hundred cycles and more, and what decays
    /// by a factor close to one stays subnormal forever: the product rounds to itself. Training
    /// zeroes them in its own arithmetic, because the CPU's mode for it belongs to the caller.
    fn zero_subnormal(self) -> Self;
    /// `self` where it is greater than `other`, else `other`; so `NaN.max(x) = x`.
    fn max(self, other: Self) -> Self;
    /// `if_greater` in the lanes where `self > other`, `otherwise` in the rest.
    fn select_greater(self, other: Self, if_greater: Self, otherwise: Self) -> Self;
    /// `if_equal` in the lanes where `self == other`, zero in the rest.
    fn keep_equal(self, other: Self, if_equal: Self) -> Self;
    /// `self * 2^n` for whole-numbered `n` where neither is out of the normal range.
    fn scale_by_power_of_two(self, n: Self) -> Self;
    /// `self * 2^n` for the whole number n of `rounded`, which is 1.5 * 2^23 + n, where neither is out
    /// of the normal range: n is in the last bits of that sum.
    fn scale_by_rounded(self, rounded: Self) -> Self;
    /// Mantissa in [1, 2) and exponent of positive normal values.
    fn split_exponent(self) -> (Self, Self);
    /// Turns sixteen rows of sixteen lanes into columns.
    fn transpose(rows: [Self; LANES]) -> [Self; LANES];
    /// Writes the columns of sixteen rows of sixteen values, `row` apart, `to_row` apart.
    ///
    /// # Safety
    /// `from` must be readable for sixteen `f32` at sixteen multiples of `row`, and `to` writable at
    /// as many multiples of `to_row`.
    #[inline(always)]
    unsafe fn transpose_block(from: *const f32, row: usize, to: *mut f32, to_row: usize) {
        // SAFETY: vouched for by the caller.
        unsafe {
            let rows = array_of(|r| Self::load(from.add(r * row)));
            for (column, values) in Self::transpose(rows).into_iter().enumerate() {
                values.store(to.add(column * to_row));
            }
        }
    }
    /// The lanes in double precision.
    fn widen(self) -> Self::Doubles;
    /// Double precision rounded to single.
    fn narrow(from: Self::Doubles) -> Self;
    /// The lanes as an array.
    fn to_array(self) -> [f32; LANES];

    /// The sum of the lanes: halves are added until one is left, lane 0 with 8, then 4, 2, 1.
    #[inline(always)]
    fn sum_lanes(self) -> f32 {
        let mut lanes = self.to_array();
        let mut width = LANES / 2;
        while width > 0 {
            for lane in 0..width {
                lanes[lane] += lanes[lane + width];
            }
            width /= 2;
        }
        lanes[0]
    }
}
