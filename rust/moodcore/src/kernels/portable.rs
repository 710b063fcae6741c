//! Sixteen lanes in an array: NEON on AArch64, whatever there is elsewhere; the compiler
//! vectorizes it. Where the CPU has no fused multiply-add, `fused` emulates it with the same bits.

use super::Task;
use super::fused::{NATIVE, mul_add_singles};
#[cfg(not(target_arch = "x86_64"))]
use super::portable_bits::PortableBits;
use super::portable_doubles::PortableDoubles;
use super::simd::{LANES, Simd, array_of};
#[cfg(target_arch = "x86_64")]
use super::sse2_bits::Sse2Bits;

/// Sixteen lanes in plain code.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Portable([f32; LANES]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(f32, f32) -> f32) -> Self {
        Portable(array_of(|lane| op(self.0[lane], other.0[lane])))
    }
}

/// `first` if the condition holds, else `second`; by a mask, because the compiler makes branches
/// of conditions on single lanes, which it cannot vectorize and CPUs cannot predict.
#[inline(always)]
fn choose(condition: bool, first: f32, second: f32) -> f32 {
    let mask = u32::from(condition).wrapping_neg();
    f32::from_bits(first.to_bits() & mask | second.to_bits() & !mask)
}

impl Simd for Portable {
    #[cfg(not(target_arch = "x86_64"))]
    type Bits = PortableBits;
    #[cfg(target_arch = "x86_64")]
    type Bits = Sse2Bits;
    type Doubles = PortableDoubles;

    const NARROW_ROWS: usize = 4;
    const WIDE_VECTORS: usize = 1;
    const WIDE_ROWS: usize = 4;
    const EMULATES: bool = !NATIVE;

    #[inline(never)]
    fn outline<T: Task>(task: T) -> T::Output {
        task.run::<Self>()
    }

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Portable([value; LANES])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for sixteen readable values; arrays of f32 need no more
        // than f32's alignment.
        Portable(unsafe { from.cast::<[f32; LANES]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for sixteen writable places.
        unsafe { to.cast::<[f32; LANES]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        // SAFETY: the caller vouches for `count` readable values.
        let first = unsafe { std::slice::from_raw_parts(from, count) };
        let mut lanes = [0.0; LANES];
        // Each four in one store: loading them waits for stores of single lanes.
        for (four, lanes) in first.chunks(4).zip(lanes.as_chunks_mut().0) {
            *lanes = match *four {
                [a, b, c, d] => [a, b, c, d],
                [a, b, c] => [a, b, c, 0.0],
                [a, b] => [a, b, 0.0, 0.0],
                _ => [four[0], 0.0, 0.0, 0.0],
            };
        }
        Portable(lanes)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn prefetch<T>(address: *const T) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Portable(mul_add_singles(&self.0, &factor.0, &addend.0))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Portable(self.0.map(f32::sqrt))
    }

    #[inline(always)]
    fn zero_subnormal(self) -> Self {
        Portable(self.0.map(|x| choose(x.abs() < f32::MIN_POSITIVE, x * 0.0, x)))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn select_greater(self, other: Self, if_greater: Self, otherwise: Self) -> Self {
        Portable(array_of(|lane| {
            choose(self.0[lane] > other.0[lane], if_greater.0[lane], otherwise.0[lane])
        }))
    }

    #[inline(always)]
    fn keep_equal(self, other: Self, if_equal: Self) -> Self {
        Portable(array_of(|lane| choose(self.0[lane] == other.0[lane], if_equal.0[lane], 0.0)))
    }

    #[inline(always)]
    fn scale_by_power_of_two(self, n: Self) -> Self {
        self.zip(n, |x, n| f32::from_bits(x.to_bits().wrapping_add(((n as i32) << 23) as u32)))
    }

    #[inline(always)]
    fn scale_by_rounded(self, rounded: Self) -> Self {
        self.zip(rounded, |x, rounded| {
            f32::from_bits(x.to_bits().wrapping_add(rounded.to_bits() << 23))
        })
    }

    #[inline(always)]
    fn split_exponent(self) -> (Self, Self) {
        let mantissa = self.0.map(|x| f32::from_bits((x.to_bits() & 0x007f_ffff) | 0x3f80_0000));
        let exponent = self.0.map(|x| ((x.to_bits() >> 23) as i32 - 127) as f32);
        (Portable(mantissa), Portable(exponent))
    }

    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let mut columns = [Portable([0.0; LANES]); LANES];
        // SAFETY: both arrays are of sixteen times sixteen values without gaps.
        unsafe {
            let (from, to) = (rows.as_ptr().cast(), columns.as_mut_ptr().cast());
            Self::transpose_block(from, LANES, to, LANES);
        }
        columns
    }

    #[inline(always)]
    unsafe fn transpose_block(from: *const f32, row: usize, to: *mut f32, to_row: usize) {
        // Four by four, which the compiler does in registers; single lanes would pass through
        // memory, where loading sixteen lanes waits for all stores of one.
        for top in (0..LANES).step_by(4) {
            for left in (0..LANES).step_by(4) {
                // SAFETY: vouched for by the caller.
                unsafe {
                    let four: [[f32; 4]; 4] =
                        array_of(|r| from.add((top + r) * row + left).cast::<[f32; 4]>().read());
                    let columns: [[f32; 4]; 4] = array_of(|column| array_of(|r| four[r][column]));
                    for (column, values) in columns.into_iter().enumerate() {
                        to.add((left + column) * to_row + top).cast::<[f32; 4]>().write(values);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn widen(self) -> PortableDoubles {
        PortableDoubles(self.0.map(f64::from))
    }

    #[inline(always)]
    fn narrow(from: PortableDoubles) -> Self {
        Portable(from.0.map(|lane| lane as f32))
    }

    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        self.0
    }
}
