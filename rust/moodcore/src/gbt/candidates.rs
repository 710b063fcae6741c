//! Candidate cuts of one feature in a node: their positions, and memory for their scores.

use super::cells::Packed;
use super::histogram::BINS;
use crate::kernels::{EMPTY_PLACES, FeatureCells, PlaceList, Simd, filled_places};
use std::ops::Range;

/// The candidates of one feature: the sums that each sends left, and its gain.
#[repr(align(64))]
#[derive(Debug)]
pub(super) struct Lanes<C> {
    /// The places in the order of bins that candidates cut behind.
    pub(super) places: Places,
    /// Sums of one output up to each candidate.
    pub(super) packed: [C; BINS],
    /// Sums of second derivatives over the outputs so far.
    pub(super) hessian: [f64; BINS],
    pub(super) gain: [f64; BINS],
}

impl<C: Packed> Lanes<C> {
    pub(super) const EMPTY: Self = Lanes {
        places: Places::EMPTY,
        packed: [C::EMPTY; BINS],
        hessian: [0.0; BINS],
        gain: [0.0; BINS],
    };
}

/// The largest of some numbers, none of which is NaN, and its first place.
#[inline(always)]
pub(super) fn largest(values: &[f64]) -> (f64, usize) {
    let mut most = [f64::NEG_INFINITY; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for (most, &value) in most.iter_mut().zip(chunk) {
            *most = if value > *most { value } else { *most };
        }
    }
    for (most, &value) in most.iter_mut().zip(rest) {
        *most = if value > *most { value } else { *most };
    }
    let mut all = most[0];
    for &most in &most {
        all = if most > all { most } else { all };
    }
    for (at, chunk) in chunks.iter().enumerate() {
        let mut contains_largest = false;
        for &value in chunk {
            contains_largest |= value == all;
        }
        if contains_largest {
            return (all, at * 16 + chunk.iter().position(|&value| value == all).unwrap_or(0));
        }
    }
    let place = rest.iter().position(|&value| value == all).unwrap_or(0);
    (all, chunks.len() * 16 + place)
}

/// The places of candidates: a range, or those in a list.
#[derive(Debug)]
pub(super) struct Places {
    list: PlaceList,
    /// Where a range starts; none for a list.
    first: Option<usize>,
}

/// The candidates of a feature.
pub(super) enum Chosen<'a> {
    Range(usize),
    Some(&'a [u32]),
}

impl Places {
    const EMPTY: Places = Places { list: EMPTY_PLACES, first: Some(0) };

    pub(super) fn choose_all(&mut self, range: Range<usize>) -> usize {
        self.first = Some(range.start);
        range.len()
    }

    #[inline(always)]
    pub(super) fn choose_filled<S: Simd, C: Packed>(
        &mut self,
        cells: &FeatureCells<C>,
        range: Range<usize>,
    ) -> usize {
        self.first = None;
        filled_places::<S, C>(cells, range.end, &mut self.list)
    }

    #[inline(always)]
    pub(super) fn chosen(&self, count: usize) -> Chosen<'_> {
        match self.first {
            Some(first) => Chosen::Range(first),
            None => Chosen::Some(&self.list[..count]),
        }
    }

    /// The place of a candidate.
    pub(super) fn at(&self, candidate: usize) -> usize {
        self.first.map_or_else(|| self.list[candidate] as usize, |first| first + candidate)
    }
}
