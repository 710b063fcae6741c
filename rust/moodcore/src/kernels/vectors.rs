//! Copies, transposes and updates of whole vectors.

use super::simd::{LANES, Simd, extent};

/// Copies the chosen rows of a matrix of `columns` columns to rows of whole vectors, filled up
/// with zeros.
///
/// # Panics
/// When a row is not in the matrix or `to` is too short.
#[inline(always)]
pub fn gather_rows<S: Simd>(from: &[f32], columns: usize, rows: &[u32], to: &mut [f32]) {
    let wide = columns.div_ceil(LANES).saturating_mul(LANES);
    let last = rows.iter().fold(0, |last, &row| last.max(row)) as usize;
    assert!(rows.is_empty() || extent(last.saturating_add(1), columns, columns) <= from.len());
    assert!(extent(rows.len(), wide, wide) <= to.len());
    let (whole, rest) = (columns - columns % LANES, columns % LANES);
    for (at, &row) in rows.iter().enumerate() {
        // SAFETY: the row is at most `last`, which the first assertion covers; the second covers
        // the place of its copy.
        unsafe {
            let source = from.as_ptr().add(row as usize * columns);
            let target = to.as_mut_ptr().add(at * wide);
            for column in (0..whole).step_by(LANES) {
                S::load(source.add(column)).store(target.add(column));
            }
            if rest > 0 {
                S::load_first(source.add(whole), rest).store(target.add(whole));
            }
        }
    }
}

/// Writes the candidates below `limit` to the start of `out`, in their order, and returns how many
/// they are; the rest of the first sixteen places may be overwritten.
///
/// # Panics
/// When `out` has fewer than sixteen places.
#[inline(always)]
pub fn keep_below<S: Simd>(candidates: [u32; LANES], limit: u32, out: &mut [u32]) -> usize {
    assert!(out.len() >= LANES);
    // SAFETY: sixteen places, as asserted.
    unsafe { S::store_below(candidates, limit, out.as_mut_ptr()) }
}

/// Prefetches the cache lines of the chosen rows of a matrix: the first and the
/// last of each row and, for long rows, those between.
#[inline(always)]
pub fn prefetch_rows<S: Simd, T>(from: &[T], columns: usize, rows: &[u32]) {
    const LINE: usize = 64;
    let bytes = columns * size_of::<T>();
    let start = from.as_ptr().cast::<u8>();
    for &row in rows {
        let row = start.wrapping_add(row as usize * bytes);
        S::prefetch(row);
        for offset in (LINE..bytes).step_by(LINE) {
            S::prefetch(row.wrapping_add(offset));
        }
        if columns > 1 {
            S::prefetch(row.wrapping_add(bytes - 1));
        }
    }
}

/// Writes the transpose of a matrix, sixteen rows and columns at a time.
///
/// `from` has `row_blocks * 16` rows of `column_blocks * 16` values, `from_row` apart; `to` gets
/// the columns as rows, `to_row` apart.
///
/// # Panics
/// When a slice is shorter than that.
#[inline(always)]
pub fn transpose_rows<S: Simd>(
    (row_blocks, column_blocks): (usize, usize),
    (from, from_row): (&[f32], usize),
    (to, to_row): (&mut [f32], usize),
) {
    if row_blocks == 0 || column_blocks == 0 {
        return;
    }
    let (rows, columns) = (row_blocks.saturating_mul(LANES), column_blocks.saturating_mul(LANES));
    assert!(extent(rows, from_row, columns) <= from.len());
    assert!(extent(columns, to_row, rows) <= to.len());
    for row in (0..rows).step_by(LANES) {
        for column in (0..columns).step_by(LANES) {
            // SAFETY: the assertions cover every row and column of both blocks.
            unsafe {
                let source = from.as_ptr().add(row * from_row + column);
                let target = to.as_mut_ptr().add(column * to_row + row);
                S::transpose_block(source, from_row, target, to_row);
            }
        }
    }
}

/// `out[r] = sum of the first vectors * 16 values of row r`: one chain of vectors, then
/// [`Simd::sum_lanes`].
///
/// # Panics
/// When `rows` is shorter than `out` needs.
#[inline(always)]
pub fn row_sums<S: Simd>(vectors: usize, (rows, row): (&[f32], usize), out: &mut [f32]) {
    assert!(extent(out.len(), row, vectors.saturating_mul(LANES)) <= rows.len());
    for (r, out) in out.iter_mut().enumerate() {
        let mut sum = S::splat(0.0);
        for v in 0..vectors {
            // SAFETY: the assertion covers all vectors of the last row.
            sum = sum.add(unsafe { S::load(rows.as_ptr().add(r * row + v * LANES)) });
        }
        *out = sum.sum_lanes();
    }
}
