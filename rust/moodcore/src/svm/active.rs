//! The active rows of the solver, and those that shrinking has removed.

use super::gram::Gram;
use super::working_set::{low_offset, up_offset};
use crate::kernels::{
    Directions, Extremes, Isa, LANES, Precision, Real, Simd, Task, collect_below, extremes,
};
use crate::memory::{CollectVec, copied, filled, resize};
use crate::parallel::Compute;
use std::borrow::Cow;

/// Rows with their gradients.
#[derive(Debug)]
pub(super) struct Active<'g, 'm, T: Real> {
    /// The rows' numbers in the problem, ascending.
    pub(super) ids: Vec<u32>,
    /// The kernel values among them.
    pub(super) gram: Cow<'g, Gram<'m, T>>,
    /// The gradient in whole vectors.
    pub(super) gradient: Vec<f64>,
    /// What keeps a coefficient from growing, and from shrinking.
    up: Vec<f64>,
    low: Vec<f64>,
}

/// Rows removed by shrinking, with the gradient that they had then.
#[derive(Debug)]
pub(super) struct Shrunk<'m, T: Real> {
    ids: Vec<u32>,
    gram: Gram<'m, T>,
    gradient: Vec<f64>,
    /// The coefficients of all rows of the problem at that time.
    beta: Vec<f64>,
}

impl<'g, 'm, T: Real> Active<'g, 'm, T> {
    /// All rows of a problem.
    pub(super) fn all(gram: &'g Gram<'m, T>, mut gradient: Vec<f64>) -> Self {
        let n = gram.n_rows();
        let padded = n.next_multiple_of(LANES);
        resize(&mut gradient, padded, 0.0);
        Active {
            ids: (0..n as u32).collect_vec(),
            gram: Cow::Borrowed(gram),
            gradient,
            up: filled(f64::INFINITY, padded),
            low: filled(f64::NEG_INFINITY, padded),
        }
    }

    /// Takes note of what may move.
    pub(super) fn mark(&mut self, at: usize, beta: f64, (lower, upper): (f64, f64)) {
        self.up[at] = up_offset(beta, upper);
        self.low[at] = low_offset(beta, lower);
    }

    /// Where the gradient is least among what may grow, and greatest among what may shrink.
    pub(super) fn extremes(&self, isa: Isa) -> Extremes {
        let directions = Directions { up: &self.up, low: &self.low };
        isa.run(Look { gradient: &self.gradient, directions })
    }

    /// Collects the places that may move in a direction and whose gradient along it is below the
    /// limit, with that gradient.
    pub(super) fn collect(
        &self,
        direction: Direction,
        limit: f64,
        isa: Isa,
        out: &mut Vec<(f64, u32)>,
    ) {
        let gradient = &self.gradient;
        out.clear();
        isa.run(match direction {
            Direction::Up => Collect { gradient, offsets: &self.up, sign: 1.0, limit, out },
            Direction::Down => Collect { gradient, offsets: &self.low, sign: -1.0, limit, out },
        });
    }

    /// Shrinks: removes rows that are at a bound and whose gradient, beyond all that could pair with
    /// them, says that they stay there (Joachims 1999; Chang and Lin 2011, section 5.1), if they
    /// are at least a fifth of all.
    pub(super) fn shrink(&mut self, extremes: &Extremes, beta: &[f64]) -> Option<Shrunk<'m, T>> {
        let (least, greatest) = (extremes.least_up.value, extremes.greatest_low.value);
        let stays = |at: usize| {
            let gradient = self.gradient[at];
            let (may_grow, may_shrink) = (self.up[at] == 0.0, self.low[at] == 0.0);
            (!may_grow && (gradient < least || !may_shrink)) || (!may_shrink && gradient > greatest)
        };
        let n = self.ids.len();
        let count = (0..n).filter(|&at| stays(at)).count();
        if count * 5 < n {
            return None;
        }
        let (removed, kept): (Vec<u32>, Vec<u32>) =
            (0..n as u32).partition(|&at| stays(at as usize));
        let shrunk = Shrunk {
            ids: removed.iter().map(|&at| self.ids[at as usize]).collect_vec(),
            gram: self.gram.select(&removed),
            gradient: chosen(&self.gradient, &removed, 0.0),
            beta: copied(beta),
        };
        *self = Active {
            ids: kept.iter().map(|&at| self.ids[at as usize]).collect_vec(),
            gram: Cow::Owned(self.gram.select(&kept)),
            gradient: chosen(&self.gradient, &kept, 0.0),
            up: chosen(&self.up, &kept, f64::INFINITY),
            low: chosen(&self.low, &kept, f64::NEG_INFINITY),
        };
        Some(shrunk)
    }
}

impl<T: Real> Shrunk<'_, T> {
    /// Brings the gradient up to date and writes it where it belongs.
    pub(super) fn unshrink(
        mut self,
        problem: &Gram<'_, T>,
        beta: &[f64],
        compute: Compute<'_>,
        out: &mut [f64],
    ) {
        let moved: Vec<u32> = (0..beta.len() as u32)
            .filter(|&j| beta[j as usize] != self.beta[j as usize])
            .collect_vec();
        let by: Vec<f64> =
            moved.iter().map(|&j| beta[j as usize] - self.beta[j as usize]).collect_vec();
        let into = &mut self.gradient;
        self.gram.add_products(problem, (&moved, &by), Precision::Single, into, compute);
        for (&id, &gradient) in self.ids.iter().zip(&self.gradient) {
            out[id as usize] = gradient;
        }
    }
}

/// Where a coefficient moves: up when it grows, down when it shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

/// Collects places, with the gradient times `sign`, where the sum of gradient and offset times `sign`
/// is below the limit.
struct Collect<'a> {
    gradient: &'a [f64],
    offsets: &'a [f64],
    sign: f64,
    limit: f64,
    out: &'a mut Vec<(f64, u32)>,
}

impl Task for Collect<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Collect { gradient, offsets, sign, limit, out } = self;
        collect_below::<S>(gradient, offsets, (sign, limit), out);
    }
}

/// The chosen values, filled up to whole vectors.
fn chosen(values: &[f64], places: &[u32], fill: f64) -> Vec<f64> {
    let mut out: Vec<f64> = places.iter().map(|&at| values[at as usize]).collect_vec();
    resize(&mut out, places.len().next_multiple_of(LANES), fill);
    out
}

struct Look<'a> {
    gradient: &'a [f64],
    directions: Directions<'a>,
}

impl Task for Look<'_> {
    type Output = Extremes;

    #[inline(always)]
    fn run<S: Simd>(self) -> Extremes {
        extremes::<S>(self.gradient, self.directions)
    }
}
