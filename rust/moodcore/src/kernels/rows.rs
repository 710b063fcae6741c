//! Operations of boosted trees on lists of row indices: the loops in which a check for each access
//! would cost as much as the access. The largest row is looked for first instead.

use super::simd::{LANES, Simd, array_of, extent};
use std::fmt::Debug;
use std::ops::{Deref, DerefMut};

/// Sums over the rows in one bin of a histogram.
pub trait Cell: Copy + Debug + PartialEq + Send + Sync + 'static {
    /// The sum over no rows.
    const EMPTY: Self;
    /// The sum over the rows of both.
    fn plus(self, other: Self) -> Self;
    /// The sum over the rows of this one that are not among the other's.
    fn minus(self, other: Self) -> Self;
    /// Which of sixteen cells have rows, a bit each.
    fn filled<S: Simd>(cells: &[Self; LANES]) -> u16;
}

/// Two words, the second of which is zero where there are no rows.
pub type WideCell = [u64; 2];

/// One word. That of rows whose sums are zero cannot be told from that of no rows.
pub type NarrowCell = u64;

/// The bins of one feature: a place for every byte.
///
/// Features are a cache line or two more than a power of two apart. Otherwise the same bin of all
/// features would be in the same set of the first-level cache, and an update of one would look to
/// the processor like one of another (equal low twelve bits of the address). Where the features
/// have few bins, or most rows are in one, all updates would wait for each other. No cell is on two
/// cache lines.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct FeatureCells<C> {
    bins: [C; 256],
    apart: [C; 8],
}

impl<C: Cell> FeatureCells<C> {
    /// Cells that all contain the same.
    pub const fn filled_with(cell: C) -> Self {
        FeatureCells { bins: [cell; 256], apart: [C::EMPTY; 8] }
    }

    /// Cells of these bins.
    pub fn of(bins: [C; 256]) -> Self {
        FeatureCells { bins, apart: [C::EMPTY; 8] }
    }
}

impl<C> Deref for FeatureCells<C> {
    type Target = [C; 256];

    #[inline(always)]
    fn deref(&self) -> &[C; 256] {
        &self.bins
    }
}

impl<C> DerefMut for FeatureCells<C> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [C; 256] {
        &mut self.bins
    }
}

impl Cell for WideCell {
    const EMPTY: Self = [0; 2];

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        [self[0].wrapping_add(other[0]), self[1].wrapping_add(other[1])]
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        [self[0].wrapping_sub(other[0]), self[1].wrapping_sub(other[1])]
    }

    #[inline(always)]
    fn filled<S: Simd>(cells: &[Self; LANES]) -> u16 {
        S::filled(cells)
    }
}

impl Cell for NarrowCell {
    const EMPTY: Self = 0;

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }

    #[inline(always)]
    fn filled<S: Simd>(cells: &[Self; LANES]) -> u16 {
        let mut mask = 0;
        for (lane, &cell) in cells.iter().enumerate() {
            mask |= u16::from(cell != 0) << lane;
        }
        mask
    }
}

/// The narrow cells of several trees that have the same rows.
macro_rules! cells_of_trees {
    ($($count:literal),*) => {
        $(impl Cell for [NarrowCell; $count] {
            const EMPTY: Self = [0; $count];

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                array_of(|tree| self[tree].wrapping_add(other[tree]))
            }

            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                array_of(|tree| self[tree].wrapping_sub(other[tree]))
            }

            #[inline(always)]
            fn filled<S: Simd>(cells: &[Self; LANES]) -> u16 {
                let mut mask = 0;
                for (lane, cell) in cells.iter().enumerate() {
                    mask |= u16::from(*cell != Self::EMPTY) << lane;
                }
                mask
            }
        })*
    };
}

cells_of_trees!(4, 8);

/// The number that all rows of a list are below.
#[inline(always)]
fn end_of(rows: &[u32]) -> usize {
    let mut last = 0;
    for &row in rows {
        last = if row > last { row } else { last };
    }
    if rows.is_empty() { 0 } else { (last as usize).saturating_add(1) }
}

/// Adds rows to the histograms of `F` neighboring features. `bins` holds `stride` bins a row of
/// the table, those of the features from `first` on; `rows` are the rows to add, and `words` gives
/// what a row with its value adds. The rows of `next` are fetched meanwhile.
///
/// # Panics
/// When a row is not in the table or has no value, or a row of it has no such features.
#[inline(always)]
pub fn add_to_histograms<S: Simd, C: Cell, T: Copy, const F: usize>(
    cells: &mut [FeatureCells<C>; F],
    (bins, stride, first): (&[u8], usize, usize),
    (rows, next): (RowList<'_>, &[u32]),
    values: &[T],
    words: impl Fn(usize, T) -> C,
) {
    // Rows that far ahead are prefetched: about as many as one memory access takes.
    const AHEAD: usize = 32;
    let end = match rows {
        RowList::Range(start, end) => end.max(start),
        RowList::Some(rows) => end_of(rows),
    };
    assert!(first.saturating_add(F) <= stride && extent(end, stride, stride) <= bins.len());
    assert!(end <= values.len());
    let start = bins.as_ptr().wrapping_add(first);
    match rows {
        RowList::Range(from, to) => {
            for row in from..to {
                // SAFETY: the row is in the table, has features from `first` on, and a value, as asserted.
                let (bins, value) = unsafe {
                    (&*start.add(row * stride).cast::<[u8; F]>(), *values.get_unchecked(row))
                };
                add_row(cells, bins, words(row, value));
            }
        }
        RowList::Some(rows) => {
            let pause = rows.len().div_ceil(next.len().max(1));
            let (mut fetch, mut next) = (pause, next.iter());
            for (at, &row) in rows.iter().enumerate() {
                let ahead = rows[if at + AHEAD < rows.len() { at + AHEAD } else { at }];
                S::prefetch(start.wrapping_add(ahead as usize * stride));
                S::prefetch(values.as_ptr().wrapping_add(ahead as usize));
                fetch -= 1;
                if fetch == 0 {
                    fetch = pause;
                    if let Some(&row) = next.next() {
                        S::prefetch(values.as_ptr().wrapping_add(row as usize));
                        // A row may lie on two cache lines.
                        let row = bins.as_ptr().wrapping_add(row as usize * stride);
                        S::prefetch(row);
                        S::prefetch(row.wrapping_add(stride - 1));
                    }
                }
                let row = row as usize;
                // SAFETY: as above.
                let (bins, value) = unsafe {
                    (&*start.add(row * stride).cast::<[u8; F]>(), *values.get_unchecked(row))
                };
                add_row(cells, bins, words(row, value));
            }
        }
    }
}

#[inline(always)]
fn add_row<C: Cell, const F: usize>(cells: &mut [FeatureCells<C>; F], bins: &[u8; F], words: C) {
    for (cells, &bin) in cells.iter_mut().zip(bins) {
        let cell = &mut cells[usize::from(bin)];
        *cell = cell.plus(words);
    }
}

/// Rows of a table.
#[derive(Clone, Copy, Debug)]
pub enum RowList<'a> {
    /// From the first up to the second.
    Range(usize, usize),
    /// These.
    Some(&'a [u32]),
}

/// Places in a histogram of one feature, and room behind them to write sixteen at a time.
pub type PlaceList = [u32; 256 + LANES];

/// A list to be filled.
pub const EMPTY_PLACES: PlaceList = [0; 256 + LANES];

/// Lists the bins below `end` that have rows; gives how many.
///
/// # Panics
/// When `end` is beyond 256.
#[inline(always)]
pub fn filled_places<S: Simd, C: Cell>(
    cells: &FeatureCells<C>,
    end: usize,
    places: &mut PlaceList,
) -> usize {
    assert!(end <= cells.len());
    let mut count = 0;
    for (at, chunk) in cells.as_chunks::<LANES>().0.iter().enumerate() {
        let first = at * LANES;
        if first >= end {
            break;
        }
        let wanted = if end - first < LANES { (1 << (end - first)) - 1 } else { u16::MAX };
        let mask = C::filled::<S>(chunk) & wanted;
        let values = std::array::from_fn(|lane| (first + lane) as u32);
        // SAFETY: at most 240 were counted before this chunk, and there is room for 272.
        unsafe { S::store_selected(values, mask, places.as_mut_ptr().add(count)) };
        count += mask.count_ones() as usize;
    }
    count
}

/// The first and the last bin below `end` that have rows.
///
/// # Panics
/// When `end` is beyond 256.
#[inline(always)]
pub fn filled_ends<S: Simd, C: Cell>(
    cells: &FeatureCells<C>,
    end: usize,
) -> Option<(usize, usize)> {
    let mut ends = None;
    for (at, chunk) in
        cells[..end.next_multiple_of(LANES)].as_chunks::<LANES>().0.iter().enumerate()
    {
        let first = at * LANES;
        let wanted = if end - first < LANES { (1 << (end - first)) - 1 } else { u16::MAX };
        let mask = C::filled::<S>(chunk) & wanted;
        if mask != 0 {
            let low = first + mask.trailing_zeros() as usize;
            let high = first + LANES - 1 - mask.leading_zeros() as usize;
            ends = Some((ends.map_or(low, |(low, _)| low), high));
        }
    }
    ends
}

/// Moves the rows whose bin in `column` goes left to the front and writes the others to `spare`,
/// both in their old order; gives the number of the first.
///
/// # Panics
/// When a row is not in the column, or `spare` is shorter than `rows`.
#[inline(always)]
pub fn part_rows<S: Simd>(
    rows: &mut [u32],
    spare: &mut [u32],
    column: &[u8],
    goes_left: &[bool; 256],
) -> usize {
    assert!(end_of(rows) <= column.len() && spare.len() >= rows.len());
    let (mut n_left, mut n_right) = (0, 0);
    let whole = if S::COMPRESSES { rows.len() - rows.len() % LANES } else { 0 };
    for at in (0..whole).step_by(LANES) {
        // SAFETY: `at` and the places that are written to, which are at most `at`, have sixteen
        // rows after them; the rows are in the column, as asserted.
        unsafe {
            let values = *rows.as_ptr().add(at).cast::<[u32; LANES]>();
            let mut mask = 0_u16;
            for (lane, &row) in values.iter().enumerate() {
                let left = goes_left[usize::from(*column.get_unchecked(row as usize))];
                mask |= u16::from(left) << lane;
            }
            S::store_selected(values, mask, rows.as_mut_ptr().add(n_left));
            S::store_selected(values, !mask, spare.as_mut_ptr().add(n_right));
            let count = mask.count_ones() as usize;
            n_left += count;
            n_right += LANES - count;
        }
    }
    for at in whole..rows.len() {
        // SAFETY: as above, of one row.
        unsafe {
            let row = *rows.get_unchecked(at);
            let left = goes_left[usize::from(*column.get_unchecked(row as usize))];
            // Written to both, counted in one: no branch to predict wrongly.
            *rows.get_unchecked_mut(n_left) = row;
            *spare.get_unchecked_mut(n_right) = row;
            n_left += usize::from(left);
            n_right += usize::from(!left);
        }
    }
    n_left
}

#[cfg(test)]
mod tests;
