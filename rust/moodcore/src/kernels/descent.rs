//! The three passes of a step of sequential minimal optimisation over a working set.

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

/// Adds `step` times the difference of two kernel rows to the gradient and looks for its extremes.
///
/// # Panics
/// When the slices differ in length or are no whole vectors.
#[inline(always)]
pub fn step_and_extremes<S: Simd>(
    gradient: &mut [f64],
    (step, grown, shrunk): (f64, &[f32], &[f32]),
    directions: Directions<'_>,
) -> Extremes {
    let n = gradient.len();
    assert!(n.is_multiple_of(LANES) && grown.len() == n && shrunk.len() == n);
    assert!(directions.up.len() == n && directions.low.len() == n);
    let (mut up, mut low) = (Best::<S>::none(), Best::<S>::none());
    let (step, zero) = (S::Doubles::splat(step), S::Doubles::splat(0.0));
    let (mut at, sixteen) = (places::<S>(), S::Doubles::splat(LANES as f64));
    for start in (0..n).step_by(LANES) {
        // SAFETY: all slices have a whole vector at `start`, as asserted.
        unsafe {
            let place = gradient.as_mut_ptr().add(start);
            let row = S::load(grown.as_ptr().add(start)).sub(S::load(shrunk.as_ptr().add(start)));
            let value = row.widen().mul_add(step, S::Doubles::load(place));
            value.store(place);
            let may_grow = value.add(S::Doubles::load(directions.up.as_ptr().add(start)));
            let may_shrink = value.add(S::Doubles::load(directions.low.as_ptr().add(start)));
            up = up.look(may_grow, at);
            low = low.look(zero.sub(may_shrink), at);
        }
        at = at.add(sixteen);
    }
    Extremes::of(up, low)
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
    gradient: &[f64],
    low: &[f64],
    first: Extreme,
    (row, diagonal): (&[f32], &[f32]),
) -> Option<usize> {
    let n = gradient.len();
    assert!(n.is_multiple_of(LANES) && low.len() == n && row.len() == n && diagonal.len() == n);
    let own = S::splat(diagonal[first.at]);
    let value = S::Doubles::splat(first.value);
    let (zero, two) = (S::splat(0.0), S::splat(-2.0));
    let flat = S::splat(FLAT as f32);
    let mut best = S::splat(0.0);
    let mut best_at = S::splat(-1.0);
    let mut at = S::narrow(places::<S>());
    for start in (0..n).step_by(LANES) {
        // SAFETY: all slices have a whole vector at `start`, as asserted.
        unsafe {
            let gradient = S::Doubles::load(gradient.as_ptr().add(start));
            let low = S::Doubles::load(low.as_ptr().add(start));
            let difference = S::narrow(gradient.add(low).sub(value)).max(zero);
            let both = own.add(S::load(diagonal.as_ptr().add(start)));
            let curvature = S::load(row.as_ptr().add(start)).mul_add(two, both).max(flat);
            let fall = difference.mul(difference).div(curvature);
            best_at = fall.select_greater(best, at, best_at);
            best = fall.select_greater(best, fall, best);
        }
        at = at.add(S::splat(LANES as f32));
    }
    let (falls, places) = (best.to_array(), best_at.to_array());
    let mut found: Option<(f32, usize)> = None;
    for (&fall, &place) in falls.iter().zip(&places) {
        let better =
            found.is_none_or(|(most, at)| fall > most || (fall == most && (place as usize) < at));
        if place >= 0.0 && better {
            found = Some((fall, place as usize));
        }
    }
    found.map(|(_, at)| at)
}

/// The least curvature that a pair is taken to have, for kernels that are not positive definite
/// (Chang and Lin 2011, section 4.1.3).
pub const FLAT: f64 = 1e-12;
