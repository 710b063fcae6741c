//! Sixteen `f64` in an array.

use super::doubles::Doubles;
use super::simd::{LANES, array_of};

/// Sixteen `f64` in plain code.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct PortableDoubles(pub(super) [f64; LANES]);

impl PortableDoubles {
    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(f64, f64) -> f64) -> Self {
        PortableDoubles(array_of(|lane| op(self.0[lane], other.0[lane])))
    }
}

impl Doubles for PortableDoubles {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        PortableDoubles([value; LANES])
    }

    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        // SAFETY: the caller vouches for sixteen readable values; arrays of f64 need no more
        // than f64's alignment.
        PortableDoubles(unsafe { from.cast::<[f64; LANES]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: the caller vouches for sixteen writable places.
        unsafe { to.cast::<[f64; LANES]>().write(self.0) }
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
        PortableDoubles(array_of(|lane| self.0[lane].mul_add(factor.0[lane], addend.0[lane])))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn select_less(self, other: Self, if_less: Self, otherwise: Self) -> Self {
        PortableDoubles(array_of(|lane| {
            if self.0[lane] < other.0[lane] { if_less.0[lane] } else { otherwise.0[lane] }
        }))
    }

    #[inline(always)]
    fn scale_by_power_of_two(self, n: Self) -> Self {
        self.zip(n, |x, n| f64::from_bits(x.to_bits().wrapping_add(((n as i64) << 52) as u64)))
    }

    #[inline(always)]
    fn less(self, other: Self) -> u16 {
        let mut mask = 0;
        for lane in 0..LANES {
            mask |= u16::from(self.0[lane] < other.0[lane]) << lane;
        }
        mask
    }
}
