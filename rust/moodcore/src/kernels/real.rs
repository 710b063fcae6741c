//! The types of kernel values in memory, and how vectors of either precision read them.

use super::doubles::Doubles;
use super::forms::{Double, Lanes, Single};
use super::simd::{LANES, Simd};
use std::fmt::Debug;

/// Type of the features and kernel values that a solver keeps: `f32` or `f64`.
pub trait Real: Copy + Debug + Default + PartialOrd + Send + Sync + 'static {
    /// Sixteen values of this type.
    type Lanes<S: Simd>: FromMemory<Self, Doubles = S::Doubles> + ToMemory<Self>;
    /// Sixteen values of this type as `f64`.
    type Wide<S: Simd>: FromMemory<Self, Doubles = S::Doubles>;
    /// Whether this is `f32`.
    const IS_SINGLE: bool;
    /// The infinity of this type.
    const INFINITY: Self;
    /// Rounds to this type.
    fn from_f64(value: f64) -> Self;
    /// Converts without loss.
    fn to_f64(self) -> f64;
    /// Transposes a block of sixteen rows and columns from one place of `values` to another.
    ///
    /// # Safety
    /// Both places must have sixteen rows of sixteen values, `stride` apart.
    unsafe fn transpose<S: Simd>(values: &mut [Self], from: usize, to: usize, stride: usize);
}

/// Vectors of sixteen values that are read from values of type `T`.
pub trait FromMemory<T>: Lanes {
    /// The same values as `f64`.
    type Doubles: Doubles;

    /// # Safety
    /// `from` must be readable for sixteen values.
    unsafe fn load(from: *const T) -> Self;
    /// The same value in all lanes.
    fn of(value: T) -> Self;
    /// The lanes as `f64`.
    fn doubles(self) -> Self::Doubles;
}

/// Vectors of sixteen values that are written as values of type `T`.
pub trait ToMemory<T>: Lanes {
    /// # Safety
    /// `to` must be writable for sixteen values.
    unsafe fn store(self, to: *mut T);
}

impl Real for f32 {
    type Lanes<S: Simd> = Single<S>;
    type Wide<S: Simd> = Double<S>;
    const IS_SINGLE: bool = true;
    const INFINITY: Self = f32::INFINITY;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    unsafe fn transpose<S: Simd>(values: &mut [Self], from: usize, to: usize, stride: usize) {
        let mut block = [S::splat(0.0); LANES];
        for (lane, row) in block.iter_mut().enumerate() {
            // SAFETY: the caller guarantees sixteen rows from `from` on.
            *row = unsafe { S::load(values.as_ptr().add(from + lane * stride)) };
        }
        for (lane, row) in S::transpose(block).into_iter().enumerate() {
            // SAFETY: the caller guarantees sixteen rows from `to` on.
            unsafe { row.store(values.as_mut_ptr().add(to + lane * stride)) };
        }
    }
}

impl Real for f64 {
    type Lanes<S: Simd> = Double<S>;
    type Wide<S: Simd> = Double<S>;
    const IS_SINGLE: bool = false;
    const INFINITY: Self = f64::INFINITY;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    unsafe fn transpose<S: Simd>(values: &mut [Self], from: usize, to: usize, stride: usize) {
        for row in 0..LANES {
            for column in 0..LANES {
                values[to + column * stride + row] = values[from + row * stride + column];
            }
        }
    }
}

impl<S: Simd> FromMemory<f32> for Single<S> {
    type Doubles = S::Doubles;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller guarantees sixteen readable values.
        Single(unsafe { S::load(from) })
    }

    #[inline(always)]
    fn of(value: f32) -> Self {
        Single(S::splat(value))
    }

    #[inline(always)]
    fn doubles(self) -> S::Doubles {
        self.0.widen()
    }
}

impl<S: Simd> FromMemory<f32> for Double<S> {
    type Doubles = S::Doubles;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller guarantees sixteen readable values.
        Double(unsafe { S::load(from) }.widen())
    }

    #[inline(always)]
    fn of(value: f32) -> Self {
        Double(S::Doubles::splat(f64::from(value)))
    }

    #[inline(always)]
    fn doubles(self) -> S::Doubles {
        self.0
    }
}

impl<S: Simd> FromMemory<f64> for Double<S> {
    type Doubles = S::Doubles;

    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        // SAFETY: the caller guarantees sixteen readable values.
        Double(unsafe { S::Doubles::load(from) })
    }

    #[inline(always)]
    fn of(value: f64) -> Self {
        Double(S::Doubles::splat(value))
    }

    #[inline(always)]
    fn doubles(self) -> S::Doubles {
        self.0
    }
}

impl<S: Simd> ToMemory<f32> for Single<S> {
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller guarantees sixteen writable places.
        unsafe { self.0.store(to) };
    }
}

impl<S: Simd> ToMemory<f64> for Double<S> {
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: the caller guarantees sixteen writable places.
        unsafe { self.0.store(to) };
    }
}
