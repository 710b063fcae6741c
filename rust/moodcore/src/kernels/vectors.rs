//! Copies, transposes and updates of whole vectors.

use super::simd::{LANES, Simd};

/// Copies `from` to the start of `to` and fills up to a whole number of vectors with zeros.
///
/// # Panics
/// When `to` is shorter than `from` rounded up to whole vectors.
#[inline(always)]
pub fn copy_row<S: Simd>(from: &[f32], to: &mut [f32]) {
    assert!(to.len() >= from.len().next_multiple_of(LANES));
    for at in (0..from.len()).step_by(LANES) {
        // SAFETY: `count` values are left in `from`, and `to` has a whole vector at `at`.
        unsafe {
            let count = LANES.min(from.len() - at);
            S::load_first(from.as_ptr().add(at), count).store(to.as_mut_ptr().add(at));
        }
    }
}

/// Asks for the cache lines of a short slice ahead of its use.
#[inline(always)]
pub fn prefetch<S: Simd, T>(slice: &[T]) {
    const LINE: usize = 64;
    let bytes = size_of_val(slice);
    let start = slice.as_ptr().cast::<u8>();
    for offset in (0..bytes).step_by(LINE) {
        S::prefetch(start.wrapping_add(offset));
    }
    // The last line, where the slice crosses into it from the middle of another.
    S::prefetch(start.wrapping_add(bytes.max(1) - 1));
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
    let (rows, columns) = (row_blocks * LANES, column_blocks * LANES);
    assert!((rows - 1) * from_row + columns <= from.len());
    assert!((columns - 1) * to_row + rows <= to.len());
    for row in (0..rows).step_by(LANES) {
        for column in (0..columns).step_by(LANES) {
            // SAFETY: the assertions cover every row and column of both blocks.
            unsafe {
                let source = from.as_ptr().add(row * from_row + column);
                let block = std::array::from_fn(|r| S::load(source.add(r * from_row)));
                let target = to.as_mut_ptr().add(column * to_row + row);
                for (c, values) in S::transpose(block).into_iter().enumerate() {
                    values.store(target.add(c * to_row));
                }
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
    assert!(out.is_empty() || (out.len() - 1) * row + vectors * LANES <= rows.len());
    for (r, out) in out.iter_mut().enumerate() {
        let mut sum = S::splat(0.0);
        for v in 0..vectors {
            // SAFETY: the assertion covers all vectors of the last row.
            sum = sum.add(unsafe { S::load(rows.as_ptr().add(r * row + v * LANES)) });
        }
        *out = sum.sum_lanes();
    }
}

/// The constants of one momentum step.
#[derive(Clone, Copy, Debug)]
pub struct Momentum {
    /// Learning rate over the weight of the batch: the gradient comes as a sum.
    pub rate: f32,
    /// Share of the last step that is kept, alpha.
    pub momentum: f32,
    /// Whether to look ahead along the new step, as Nesterov's method does.
    pub nesterov: bool,
}

impl Momentum {
    /// One step of stochastic gradient descent with momentum (Rumelhart, Hinton and Williams
    /// 1986): `v <- alpha v - eta g`, `w <- w + v`; in Nesterov's form (Sutskever, Martens, Dahl
    /// and Hinton 2013, section 2, in the variables of the look-ahead point)
    /// `w <- w + alpha v - eta g` with the new `v`.
    ///
    /// # Panics
    /// When the slices differ in length or are no whole vectors.
    #[inline(always)]
    pub fn step<S: Simd>(self, weights: &mut [f32], velocity: &mut [f32], gradient: &[f32]) {
        let n = weights.len();
        assert!(n % LANES == 0 && velocity.len() == n && gradient.len() == n);
        let (rate, momentum) = (S::splat(-self.rate), S::splat(self.momentum));
        for at in (0..n).step_by(LANES) {
            // SAFETY: all three slices have a whole vector at `at`, as asserted.
            unsafe {
                let g = S::load(gradient.as_ptr().add(at)).mul(rate);
                let v = S::load(velocity.as_ptr().add(at)).mul_add(momentum, g);
                v.store(velocity.as_mut_ptr().add(at));
                let step = if self.nesterov { v.mul_add(momentum, g) } else { v };
                let w = S::load(weights.as_ptr().add(at)).add(step);
                w.store(weights.as_mut_ptr().add(at));
            }
        }
    }
}

/// Adds the gradient of `l1 |w| + l2/2 w^2` to `gradient`; the subgradient of |w| at zero is
/// zero.
///
/// # Panics
/// When the slices differ in length or are no whole vectors.
#[inline(always)]
pub fn add_penalty_gradient<S: Simd>(l1: f32, l2: f32, weights: &[f32], gradient: &mut [f32]) {
    assert!(weights.len() % LANES == 0 && weights.len() == gradient.len());
    let zero = S::splat(0.0);
    for at in (0..weights.len()).step_by(LANES) {
        // SAFETY: both slices have a whole vector at `at`, as asserted.
        unsafe {
            let w = S::load(weights.as_ptr().add(at));
            let below = zero.select_greater(w, S::splat(-l1), zero);
            let sign = w.select_greater(zero, S::splat(l1), below);
            let g = S::load(gradient.as_ptr().add(at)).add(sign);
            w.mul_add(S::splat(l2), g).store(gradient.as_mut_ptr().add(at));
        }
    }
}
