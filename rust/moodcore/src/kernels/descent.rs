//! The passes of sequential minimal optimisation: two for each step inside a working set, in single
//! precision, and one over all rows.

use super::doubles::Doubles;
use super::simd::{LANES, Simd};

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
struct Most<S: Simd> {
    value: S,
    at: S,
}

impl<S: Simd> Most<S> {
    #[inline(always)]
    fn above(value: f32) -> Self {
        Most { value: S::splat(value), at: S::splat(0.0) }
    }

    #[inline(always)]
    fn look(self, value: S, at: S) -> Self {
        Most { at: value.select_greater(self.value, at, self.at), value: value.max(self.value) }
    }

    /// The greatest of all lanes, the first place of equal ones.
    #[inline(always)]
    fn greatest(self) -> (f32, usize) {
        let (values, mut places) = (self.value.to_array(), self.at.to_array());
        let greatest = halve(values, |a, b| if a > b { a } else { b });
        for (place, value) in places.iter_mut().zip(values) {
            *place = if value == greatest { *place } else { f32::INFINITY };
        }
        let first = halve(places, |a, b| if a < b { a } else { b });
        // None is equal where values are no numbers.
        (greatest, if first.is_finite() { first as usize } else { 0 })
    }
}

/// What is left of the lanes when halves are joined until one is left: no branch to predict wrongly.
#[inline(always)]
fn halve(mut lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
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
/// When the slices differ in length or are no whole vectors.
#[inline(always)]
pub fn step_and_extremes<S: Simd>(
    gradient: &mut [f32],
    (step, grown, shrunk): (f32, &[f32], &[f32]),
    (up, low): (&[f32], &[f32]),
) -> Extremes {
    let n = gradient.len();
    assert!(n.is_multiple_of(LANES) && grown.len() == n && shrunk.len() == n);
    assert!(up.len() == n && low.len() == n);
    let (mut least, mut greatest) =
        (Most::<S>::above(f32::NEG_INFINITY), Most::<S>::above(f32::NEG_INFINITY));
    let step = S::splat(step);
    let (mut at, sixteen) = (S::narrow(places::<S>()), S::splat(LANES as f32));
    for start in (0..n).step_by(LANES) {
        // SAFETY: all slices have a whole vector at `start`, as asserted.
        unsafe {
            let place = gradient.as_mut_ptr().add(start);
            let row = S::load(grown.as_ptr().add(start)).sub(S::load(shrunk.as_ptr().add(start)));
            let value = row.mul_add(step, S::load(place));
            value.store(place);
            least = least.look(S::load(up.as_ptr().add(start)).sub(value), at);
            greatest = greatest.look(S::load(low.as_ptr().add(start)).add(value), at);
        }
        at = at.add(sixteen);
    }
    let extreme = |(value, at): (f32, usize)| Extreme { at, value: f64::from(value) };
    let least = extreme(least.greatest());
    Extremes {
        least_up: Extreme { value: -least.value, ..least },
        greatest_low: extreme(greatest.greatest()),
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
/// When the slices differ in length or are no whole vectors.
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

/// The partner of `first` with the largest fall of the objective along their pair, a square of
/// gradient differences over the curvature (Fan, Chen and Lin 2005, equation 9); none when nothing
/// that may shrink has a larger gradient.
///
/// # Panics
/// When the slices differ in length or are no whole vectors.
#[inline(always)]
pub fn best_partner<S: Simd>(
    gradient: &[f32],
    low: &[f32],
    first: Extreme,
    (row, diagonal): (&[f32], &[f32]),
) -> Option<usize> {
    let n = gradient.len();
    assert!(n.is_multiple_of(LANES) && low.len() == n && row.len() == n && diagonal.len() == n);
    let own = S::splat(diagonal[first.at]);
    let value = S::splat(first.value as f32);
    let (zero, two) = (S::splat(0.0), S::splat(-2.0));
    let flat = S::splat(FLAT as f32);
    let mut best = Most::<S>::above(0.0);
    let mut at = S::narrow(places::<S>());
    for start in (0..n).step_by(LANES) {
        // SAFETY: all slices have a whole vector at `start`, as asserted.
        unsafe {
            let gradient = S::load(gradient.as_ptr().add(start));
            let low = S::load(low.as_ptr().add(start));
            let difference = gradient.add(low).sub(value).max(zero);
            let both = own.add(S::load(diagonal.as_ptr().add(start)));
            let curvature = S::load(row.as_ptr().add(start)).mul_add(two, both).max(flat);
            best = best.look(difference.mul(difference).div(curvature), at);
        }
        at = at.add(S::splat(LANES as f32));
    }
    let (fall, at) = best.greatest();
    (fall > 0.0).then_some(at)
}

/// The least curvature that a pair is taken to have, for kernels that are not positive definite
/// (Chang and Lin 2011, section 4.1.3).
pub const FLAT: f64 = 1e-12;
