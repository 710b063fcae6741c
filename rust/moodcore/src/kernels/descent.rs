//! The passes of sequential minimal optimization: two for each step inside a working set, in the
//! precision of its kernel values, and one over all rows.

use super::doubles::Doubles;
use super::forms::Lanes;
use super::real::{FromMemory, Real, ToMemory};
use super::simd::{LANES, Simd};
use crate::memory::reserve;

/// A place and its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extreme {
    /// The first place with this value.
    pub at: usize,
    /// The value.
    pub value: f64,
}

/// Where the gradient is least among those that may grow, and greatest among those that may
/// shrink.
#[derive(Clone, Copy, Debug)]
pub struct Extremes {
    /// The least of gradient plus `up` offset.
    pub least_up: Extreme,
    /// The greatest of gradient plus `low` offset.
    pub greatest_low: Extreme,
}

/// A gradient, and what is added to it for those that may not grow (infinity) or may not shrink
/// (minus infinity). All have the same whole number of vectors.
#[derive(Clone, Copy, Debug)]
pub struct Directions<'a> {
    /// Zero, or infinity for those that may not grow.
    pub up: &'a [f64],
    /// Zero, or minus infinity for those that may not shrink.
    pub low: &'a [f64],
}

/// Lanes with the least values so far and where they were.
#[derive(Clone, Copy)]
struct Best<S: Simd> {
    value: S::Doubles,
    at: S::Doubles,
}

impl<S: Simd> Best<S> {
    #[inline(always)]
    fn none() -> Self {
        Best { value: S::Doubles::splat(f64::INFINITY), at: S::Doubles::splat(0.0) }
    }

    #[inline(always)]
    fn look(self, value: S::Doubles, at: S::Doubles) -> Self {
        Best {
            at: value.select_less(self.value, at, self.at),
            value: value.select_less(self.value, value, self.value),
        }
    }

    /// The least of all lanes, the first place of equal ones.
    #[inline(always)]
    fn least(self) -> Extreme {
        let (values, places) = (self.value.to_array(), self.at.to_array());
        let mut best = Extreme { at: places[0] as usize, value: values[0] };
        for (&value, &place) in values.iter().zip(&places).skip(1) {
            let at = place as usize;
            if value < best.value || (value == best.value && at < best.at) {
                best = Extreme { at, value };
            }
        }
        best
    }
}

/// The places of sixteen lanes from zero.
#[inline(always)]
fn places<S: Simd>() -> S::Doubles {
    let lanes: [f64; LANES] = std::array::from_fn(|lane| lane as f64);
    // SAFETY: the array has sixteen values.
    unsafe { S::Doubles::load(lanes.as_ptr()) }
}

/// Lanes with the greatest values so far and where they were.
#[derive(Clone, Copy)]
struct Most<L> {
    value: L,
    at: L,
}

impl<L: Lanes> Most<L> {
    #[inline(always)]
    fn above(value: f64) -> Self {
        Most { value: L::splat(value), at: L::splat(0.0) }
    }

    #[inline(always)]
    fn look(self, value: L, at: L) -> Self {
        Most { at: self.value.select_less(value, at, self.at), value: value.max(self.value) }
    }

    /// The greatest of all lanes, the first place of equal ones.
    #[inline(always)]
    fn greatest<T: Real>(self) -> (f64, usize)
    where
        L: ToMemory<T>,
    {
        let (values, mut places) = (to_array(self.value), to_array(self.at));
        let greatest = halve(values, |a, b| if a > b { a } else { b });
        for (place, value) in places.iter_mut().zip(values) {
            *place = if value == greatest { *place } else { T::INFINITY };
        }
        let first = halve(places, |a, b| if a < b { a } else { b }).to_f64();
        // None is equal where values are no numbers.
        (greatest.to_f64(), if first.is_finite() { first as usize } else { 0 })
    }
}

#[inline(always)]
fn to_array<T: Real, L: ToMemory<T>>(lanes: L) -> [T; LANES] {
    let mut values = [T::default(); LANES];
    // SAFETY: the array has sixteen places.
    unsafe { lanes.store(values.as_mut_ptr()) };
    values
}

/// Sixteen values from `start` on.
///
/// # Safety
/// `values` must have as many.
#[inline(always)]
unsafe fn lanes_at<S: Simd, T: Real>(values: &[T], start: usize) -> T::Lanes<S> {
    // SAFETY: the caller guarantees sixteen values.
    unsafe { T::Lanes::<S>::load(values.as_ptr().add(start)) }
}

/// The places of sixteen lanes from zero.
#[inline(always)]
fn first_places<T: Real, L: FromMemory<T>>() -> L {
    let lanes: [T; LANES] = std::array::from_fn(|lane| T::from_f64(lane as f64));
    // SAFETY: the array has sixteen values.
    unsafe { L::load(lanes.as_ptr()) }
}

/// Reduces the lanes to one by joining halves, without branches that could be mispredicted.
#[inline(always)]
fn halve<T: Real>(mut lanes: [T; LANES], join: impl Fn(T, T) -> T) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = join(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// Adds `step` times the difference of two kernel rows to the gradient and looks for its extremes
/// among those that may grow, `up` being zero and not minus infinity, and those that may shrink,
/// `low` being so.
///
/// # Panics
/// When the slices differ in length or do not have the length of whole vectors.
#[inline(always)]
pub fn step_and_extremes<S: Simd, T: Real>(
    gradient: &mut [T],
    (step, grown, shrunk): (T, &[T], &[T]),
    (up, low): (&[T], &[T]),
) -> Extremes {
    let n = gradient.len();
    assert!(n.is_multiple_of(LANES) && grown.len() == n && shrunk.len() == n);
    assert!(up.len() == n && low.len() == n);
    let none = Most::<T::Lanes<S>>::above(f64::NEG_INFINITY);
    let (mut least, mut greatest) = (none, none);
    let step = T::Lanes::<S>::of(step);
    let (mut at, sixteen): (T::Lanes<S>, _) = (first_places(), Lanes::splat(LANES as f64));
    for start in (0..n).step_by(LANES) {
        // SAFETY: all slices have a whole vector at `start`, as asserted.
        unsafe {
            let row = lanes_at::<S, T>(grown, start).sub(lanes_at::<S, T>(shrunk, start));
            let value = row.mul_add(step, lanes_at::<S, T>(gradient, start));
            value.store(gradient.as_mut_ptr().add(start));
            least = least.look(lanes_at::<S, T>(up, start).sub(value), at);
            greatest = greatest.look(lanes_at::<S, T>(low, start).add(value), at);
        }
        at = at.add(sixteen);
    }
    let (least, least_at) = least.greatest();
    let (greatest, greatest_at) = greatest.greatest();
    Extremes {
        least_up: Extreme { at: least_at, value: -least },
        greatest_low: Extreme { at: greatest_at, value: greatest },
    }
}

impl Extremes {
    #[inline(always)]
    fn of<S: Simd>(up: Best<S>, low: Best<S>) -> Self {
        let greatest = low.least();
        Extremes {
            least_up: up.least(),
            greatest_low: Extreme { at: greatest.at, value: -greatest.value },
        }
    }

    /// How far the gradient is from letting nothing move: above zero where a pair would gain.
    #[inline(always)]
    pub fn violation(&self) -> f64 {
        self.greatest_low.value - self.least_up.value
    }
}

/// Looks for the extremes of a gradient.
///
/// # Panics
/// When the slices differ in length or do not have the length of whole vectors.
#[inline(always)]
pub fn extremes<S: Simd>(gradient: &[f64], directions: Directions<'_>) -> Extremes {
    let n = gradient.len();
    assert!(n.is_multiple_of(LANES) && directions.up.len() == n && directions.low.len() == n);
    let (mut up, mut low) = (Best::<S>::none(), Best::<S>::none());
    let zero = S::Doubles::splat(0.0);
    let (mut at, sixteen) = (places::<S>(), S::Doubles::splat(LANES as f64));
    for start in (0..n).step_by(LANES) {
        // SAFETY: all slices have a whole vector at `start`, as asserted.
        unsafe {
            let value = S::Doubles::load(gradient.as_ptr().add(start));
            let may_grow = value.add(S::Doubles::load(directions.up.as_ptr().add(start)));
            let may_shrink = value.add(S::Doubles::load(directions.low.as_ptr().add(start)));
            up = up.look(may_grow, at);
            low = low.look(zero.sub(may_shrink), at);
        }
        at = at.add(sixteen);
    }
    Extremes::of(up, low)
}

/// Appends the places where the gradient plus its offset, both times `sign`, is below the limit, with
/// the gradient times `sign`.
///
/// # Panics
/// When the slices differ in length or do not have the length of whole vectors.
#[inline(always)]
pub fn collect_below<S: Simd>(
    gradient: &[f64],
    offsets: &[f64],
    (sign, limit): (f64, f64),
    out: &mut Vec<(f64, u32)>,
) {
    let n = gradient.len();
    assert!(n.is_multiple_of(LANES) && offsets.len() == n);
    let (signs, limits) = (S::Doubles::splat(sign), S::Doubles::splat(limit));
    for start in (0..n).step_by(LANES) {
        // SAFETY: both slices have a whole vector at `start`, as asserted.
        let sum = unsafe {
            let offset = S::Doubles::load(offsets.as_ptr().add(start));
            S::Doubles::load(gradient.as_ptr().add(start)).add(offset)
        };
        let mut below = sum.mul(signs).less(limits);
        if below != 0 {
            reserve(out, LANES);
        }
        while below != 0 {
            let at = start + below.trailing_zeros() as usize;
            out.push((sign * gradient[at], at as u32));
            below &= below - 1;
        }
    }
}

/// The partner of `first` with the largest fall of the objective along their pair, a square of
/// gradient differences over the curvature, which is taken to be at least `flat` (Fan, Chen and Lin
/// 2005, equation 9); none when nothing that may shrink has a larger gradient.
///
/// # Panics
/// When the slices differ in length or do not have the length of whole vectors.
#[inline(always)]
pub fn best_partner<S: Simd, T: Real>(
    gradient: &[T],
    low: &[T],
    first: Extreme,
    (row, diagonal): (&[T], &[T]),
    flat: f64,
) -> Option<usize> {
    let n = gradient.len();
    assert!(n.is_multiple_of(LANES) && low.len() == n && row.len() == n && diagonal.len() == n);
    let own = T::Lanes::<S>::of(diagonal[first.at]);
    let (zero, two) = (T::Lanes::<S>::splat(0.0), T::Lanes::<S>::splat(-2.0));
    let (value, flat) = (T::Lanes::<S>::splat(first.value), T::Lanes::<S>::splat(flat));
    let mut best = Most::<T::Lanes<S>>::above(0.0);
    let (mut at, sixteen): (T::Lanes<S>, _) = (first_places(), Lanes::splat(LANES as f64));
    for start in (0..n).step_by(LANES) {
        // SAFETY: all slices have a whole vector at `start`, as asserted.
        unsafe {
            let gradient = lanes_at::<S, T>(gradient, start);
            let difference = gradient.add(lanes_at::<S, T>(low, start)).sub(value).max(zero);
            let both = own.add(lanes_at::<S, T>(diagonal, start));
            let curvature = lanes_at::<S, T>(row, start).mul_add(two, both).max(flat);
            best = best.look(difference.mul(difference).div(curvature), at);
        }
        at = at.add(sixteen);
    }
    let (fall, at) = best.greatest();
    (fall > 0.0).then_some(at)
}

/// The least curvature that a pair is taken to have, for kernels that are not positive definite
/// (Chang and Lin 2011, section 4.1.3).
pub const FLAT: f64 = 1e-12;
