//! Kernel values of all rows with one row.

use super::forms::{Form, KernelFunction, Lanes, WithForm};
use super::gram::Tiles;
use super::real::{FromMemory, Real, ToMemory};
use super::simd::{LANES, Simd};

impl<T: Real> Tiles<T> {
    /// `out[r] = k(row, r)` with all rows, in the precision of the features and with the bits of
    /// [`Weighted::store_square`].
    ///
    /// # Panics
    /// When there is no such row, or `out` has another length than the tiles have rows.
    #[inline(always)]
    pub fn store_row<S: Simd>(&self, kernel: KernelFunction, row: usize, out: &mut [T]) {
        assert!(row < out.len() && out.len() == self.n_rows.next_multiple_of(LANES));
        let lanes = std::marker::PhantomData::<S>;
        kernel.with_form(StoreRow { rows: self, row: Some(row), out, lanes });
    }

    /// `out[r] = k(r, r)` for all rows, with the bits of [`Weighted::store_square`].
    ///
    /// # Panics
    /// When `out` has another length than the tiles have rows.
    #[inline(always)]
    pub fn store_diagonal<S: Simd>(&self, kernel: KernelFunction, out: &mut [T]) {
        assert!(out.len() == self.n_rows.next_multiple_of(LANES));
        let lanes = std::marker::PhantomData::<S>;
        kernel.with_form(StoreRow { rows: self, row: None, out, lanes });
    }
}

/// Kernel values of all rows with one row, or of each row with itself.
struct StoreRow<'a, S, T> {
    rows: &'a Tiles<T>,
    row: Option<usize>,
    out: &'a mut [T],
    lanes: std::marker::PhantomData<S>,
}

impl<S: Simd, T: Real> WithForm for StoreRow<'_, S, T> {
    #[inline(always)]
    fn run<F: Form>(self, form: F) {
        let StoreRow { rows, row, out, .. } = self;
        let (n_features, size) = (rows.n_features, rows.n_features * LANES);
        let place = row.map(|row| row / LANES * size + row % LANES);
        let mut rest = (rows.values.as_slice(), out);
        // Sums of six tiles hide the latency of an addition, and fit the registers of every set.
        while rest.1.len() >= 6 * LANES {
            rest = store_tiles::<S, T, F, 6>(form, (&rows.values, place, n_features), rest);
        }
        while !rest.1.is_empty() {
            rest = store_tiles::<S, T, F, 1>(form, (&rows.values, place, n_features), rest);
        }
    }
}

/// Writes the kernel values of the first `N` tiles; what is left of tiles and places. The other row
/// has its first feature at `place` of `all`, and each of the next sixteen values further; without
/// a place each row's other row is itself.
#[inline(always)]
fn store_tiles<'a, S: Simd, T: Real, F: Form, const N: usize>(
    form: F,
    (all, place, n_features): (&[T], Option<usize>, usize),
    (tiles, out): (&'a [T], &'a mut [T]),
) -> (&'a [T], &'a mut [T]) {
    let size = n_features * LANES;
    let (tiles, tiles_left) = tiles.split_at(N * size);
    let (out, out_left) = out.split_at_mut(N * LANES);
    let mut sums = [T::Lanes::<S>::splat(0.0); N];
    for feature in 0..n_features {
        for (tile, sum) in sums.iter_mut().enumerate() {
            // SAFETY: `tiles` has `N` tiles of a vector per feature.
            let x =
                unsafe { T::Lanes::<S>::load(tiles.as_ptr().add(tile * size + feature * LANES)) };
            let z = match place {
                Some(place) => T::Lanes::<S>::of(all[place + feature * LANES]),
                None => x,
            };
            *sum = F::step(*sum, x, z);
        }
    }
    for (tile, sum) in sums.into_iter().enumerate() {
        // SAFETY: `out` has `N` vectors.
        unsafe { form.finish(sum).store(out.as_mut_ptr().add(tile * LANES)) };
    }
    (tiles_left, out_left)
}
