//! Choice of the coefficients in a working set.

use super::active::{Active, Direction};
use crate::kernels::{Extremes, Isa, Real};
use crate::memory::filled;

/// Coefficients in the first working sets. Only the kernel rows of those that move are computed, which
/// are few in large sets, too. In double precision all are computed, and half as many fill a cache.
const FIRST: usize = 1024;
/// The part of a working set, one in this many, that may stay for the next.
const KEPT: usize = 2;
/// How far beyond the last of the worst violators in one working set those of the next are looked for.
const BEYOND: f64 = 1.25;

/// What the choice of a working set depends on, besides the gradient.
#[derive(Debug)]
pub(super) struct Selection {
    /// Rows of the last working set that are between their bounds.
    pub(super) free: Vec<u32>,
    /// Coefficients in the next working set.
    size: usize,
    /// Where the worst violators of the last working set ended, as a part of the violation, in each
    /// direction.
    parts: [f64; 2],
    /// A workspace.
    candidates: Vec<(f64, u32)>,
}

impl Selection {
    /// That of the first working set, of at most `limit` coefficients.
    pub(super) fn first<T: Real>(limit: usize) -> Self {
        let size = limit.min(if T::IS_SINGLE { FIRST } else { FIRST / 2 });
        Selection { free: Vec::new(), size, parts: [1.0; 2], candidates: Vec::new() }
    }

    /// Makes the next working sets larger, up to the limit, if they could not hold what is between its
    /// bounds: they would undo each other's work.
    pub(super) fn grow(&mut self, limit: usize) {
        if self.free.len() * KEPT > self.size {
            self.size = (2 * self.size).min(limit);
        }
    }

    /// Returns the places of the next working set, ascending: the worst violators in both directions,
    /// and free ones of the last set.
    pub(super) fn choose<T: Real>(
        &mut self,
        active: &Active<'_, '_, T>,
        extremes: &Extremes,
        isa: Isa,
    ) -> Vec<u32> {
        let size = self.size;
        let mut taken = filled(false, active.ids.len());
        let mut chosen = Vec::with_capacity(size);
        let count = (size - self.free.len().min(size / KEPT)) / 2;
        for direction in [Direction::Up, Direction::Down] {
            self.collect_worst((active, extremes, isa), direction, (count, &taken));
            for &(_, at) in &self.candidates {
                taken[at as usize] = true;
                chosen.push(at);
            }
        }
        for row in &self.free {
            if chosen.len() == size {
                break;
            }
            // Rows may have been shrunk since.
            if let Ok(at) = active.ids.binary_search(row)
                && !taken[at]
            {
                taken[at] = true;
                chosen.push(at as u32);
            }
        }
        chosen.sort_unstable();
        chosen
    }

    /// Collects the worst violators in a direction as candidates: `count` of those not yet taken if
    /// there are as many. They are looked for among the rows that are about as bad as the worst of the
    /// last working set, and among all if these are too few: to find them among thousands takes longer.
    fn collect_worst<T: Real>(
        &mut self,
        (active, extremes, isa): (&Active<'_, '_, T>, &Extremes, Isa),
        direction: Direction,
        (count, taken): (usize, &[bool]),
    ) {
        let (least, greatest) = (extremes.least_up.value, extremes.greatest_low.value);
        let (worst, last) = match direction {
            Direction::Up => (least, greatest),
            Direction::Down => (-greatest, -least),
        };
        let part = &mut self.parts[usize::from(direction == Direction::Up)];
        let candidates = &mut self.candidates;
        let mut limit = if *part < 1.0 { worst + *part * (last - worst) } else { last };
        loop {
            active.collect(direction, limit, isa, candidates);
            candidates.retain(|&(_, at)| !taken[at as usize]);
            if candidates.len() > count || limit == last {
                break;
            }
            (limit, *part) = (last, 1.0);
        }
        if candidates.len() > count {
            candidates
                .select_nth_unstable_by(count, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            *part = BEYOND * (candidates[count].0 - worst) / (last - worst);
            candidates.truncate(count);
        }
    }
}
