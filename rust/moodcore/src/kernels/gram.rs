//! Kernel values of many rows with a few: summed up at once, or kept.

use super::doubles::Doubles;
use super::forms::{Form, KernelFunction, WithForm};
use super::real::{FromMemory, Real, ToMemory};
use super::simd::{LANES, Simd, extent};
use super::sparse_gram::Entries;
use crate::memory::filled;

/// Columns that are computed side by side: a feature of the rows is loaded once for all of them.
const GROUP: usize = 4;

/// How exact kernel values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// `f32`, which is fast.
    Single,
    /// `f64`, about four times as slow.
    Double,
}

/// Rows in tiles of sixteen, feature by feature: feature k of row r is at
/// `(r / 16 * n_features + k) * 16 + r % 16`. The last tile is filled up with zeros.
#[derive(Clone, Debug, Default)]
pub struct Tiles<T = f32> {
    pub(super) values: Vec<T>,
    pub(super) n_features: usize,
    pub(super) n_rows: usize,
}

impl<T: Real> Tiles<T> {
    /// Copies the rows that are named, in that order.
    pub fn of(x: &[T], n_features: usize, rows: impl ExactSizeIterator<Item = usize>) -> Self {
        Self::from_fn(n_features, rows, |row, feature| x[row * n_features + feature])
    }

    /// Copies the rows that are named, in that order.
    pub fn select(&self, rows: impl ExactSizeIterator<Item = usize>) -> Self {
        Self::from_fn(self.n_features, rows, |row, feature| self.value(row, feature))
    }

    /// Lays out sparse rows.
    ///
    /// # Panics
    /// As [`Tiles::from_fn`], or when a row has a feature beyond `n_features`.
    pub fn of_sparse<'a>(
        n_features: usize,
        rows: impl ExactSizeIterator<Item = Entries<'a, T>>,
    ) -> Self {
        let mut tiles = Self::from_fn(n_features, 0..rows.len(), |_, _| T::default());
        for (at, (features, entries)) in rows.enumerate() {
            let tile = &mut tiles.values[at / LANES * n_features * LANES..];
            let tile = &mut tile[..n_features * LANES];
            for (&feature, &value) in features.iter().zip(entries) {
                tile[feature as usize * LANES + at % LANES] = value;
            }
        }
        tiles
    }

    /// Lays out the rows that are named, in that order; `value` is that of a row and a feature.
    ///
    /// # Panics
    /// When the tiles would have more values than memory has addresses.
    pub fn from_fn(
        n_features: usize,
        rows: impl ExactSizeIterator<Item = usize>,
        value: impl Fn(usize, usize) -> T,
    ) -> Self {
        let n_rows = rows.len();
        // The size of a tile cannot wrap anywhere once it has not here.
        let tile = n_features.checked_mul(LANES).expect("features of a tile fit memory");
        let size = n_rows.div_ceil(LANES).checked_mul(tile).expect("tiles fit memory");
        let mut values = filled(T::default(), size);
        for (at, row) in rows.enumerate() {
            let tile = &mut values[at / LANES * n_features * LANES..];
            for feature in 0..n_features {
                tile[feature * LANES + at % LANES] = value(row, feature);
            }
        }
        Tiles { values, n_features, n_rows }
    }

    /// The number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The number of features.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// A feature of a row.
    #[inline(always)]
    pub fn value(&self, row: usize, feature: usize) -> T {
        self.values[(row / LANES * self.n_features + feature) * LANES + row % LANES]
    }

    /// The tiles in the range.
    #[inline(always)]
    fn part(&self, tiles: std::ops::Range<usize>) -> &[T] {
        let tile = self.n_features * LANES;
        &self.values[tiles.start.saturating_mul(tile)..tiles.end.saturating_mul(tile)]
    }
}

/// A few rows and what each is multiplied by, for each of the outputs.
#[derive(Clone, Debug, Default)]
pub struct Weighted<T = f32> {
    /// Feature by feature in groups of four rows.
    rows: Vec<T>,
    /// Output by output in groups of four rows.
    factors: Vec<f64>,
    n_rows: usize,
    n_features: usize,
    n_outputs: usize,
}

impl<T: Real> Weighted<T> {
    /// Copies the chosen rows; `factor(at, output)` is that of the `at`-th of them.
    ///
    /// # Panics
    /// When a row is not in the tiles, or there are more factors than memory has addresses.
    pub fn new(
        tiles: &Tiles<T>,
        rows: &[u32],
        n_outputs: usize,
        factor: impl Fn(usize, usize) -> f64,
    ) -> Self {
        let n_features = tiles.n_features;
        let groups = rows.len().div_ceil(GROUP);
        // As in `Tiles::from_fn`: neither the sums nor the factors of all outputs wrap later.
        assert!(n_outputs <= usize::MAX / LANES);
        let n_factors = (n_outputs * GROUP).checked_mul(groups).expect("factors fit memory");
        let mut weighted = Weighted {
            rows: filled(T::default(), groups * n_features * GROUP),
            factors: filled(0.0, n_factors),
            n_rows: rows.len(),
            n_features,
            n_outputs,
        };
        for (at, &row) in rows.iter().enumerate() {
            let (group, lane) = (at / GROUP, at % GROUP);
            for feature in 0..n_features {
                weighted.rows[(group * n_features + feature) * GROUP + lane] =
                    tiles.value(row as usize, feature);
            }
            for output in 0..n_outputs {
                weighted.factors[(group * n_outputs + output) * GROUP + lane] = factor(at, output);
            }
        }
        weighted
    }

    /// `out[t][o][r] += sum over the chosen rows of factor * k(row r of tile t, chosen row)`, for
    /// the tiles in the range and each output, in the order of the rows and in double precision.
    ///
    /// # Panics
    /// When `out` is not of that size, or the rows have another number of features.
    #[inline(always)]
    pub fn add_products<S: Simd>(
        &self,
        kernel: KernelFunction,
        precision: Precision,
        (rows, tiles): (&Tiles<T>, std::ops::Range<usize>),
        out: &mut [f64],
    ) {
        assert_eq!(rows.n_features, self.n_features);
        assert_eq!(out.len(), tiles.len().saturating_mul(self.n_outputs * LANES));
        let rows = rows.part(tiles);
        match precision {
            Precision::Single => kernel.with_form(AddProducts::<T, T::Lanes<S>> {
                weighted: self,
                rows,
                out,
                lanes: std::marker::PhantomData,
            }),
            Precision::Double => kernel.with_form(AddProducts::<T, T::Wide<S>> {
                weighted: self,
                rows,
                out,
                lanes: std::marker::PhantomData,
            }),
        }
    }

    /// `out[c][r] = k(row r, row c)` of these rows with each other, in the precision of the features; the columns
    /// are `stride` apart. Each pair is computed once: kernels are symmetric to the bit.
    ///
    /// # Panics
    /// When the tiles have other rows in number, when the stride is less than the tiles' rows, or
    /// `out` shorter than as many columns.
    #[inline(always)]
    pub fn store_square<S: Simd>(
        &self,
        kernel: KernelFunction,
        rows: &Tiles<T>,
        (out, stride): (&mut [T], usize),
    ) {
        assert!(rows.n_features == self.n_features && rows.n_rows == self.n_rows);
        let padded = self.n_rows.next_multiple_of(LANES);
        assert!(stride >= padded && out.len() >= extent(padded, stride, stride));
        kernel.with_form(StoreSquare::<S, T> {
            weighted: self,
            rows: &rows.values,
            out,
            stride,
            lanes: std::marker::PhantomData,
        });
    }
}

/// Kernel values of `T` tiles with `G` groups of rows each.
///
/// # Safety
/// `tiles` must be readable for `T` times `n_features` vectors, `groups` for `G` times as many groups
/// of values.
#[inline(always)]
unsafe fn values<R: Real, L: FromMemory<R>, F: Form, const T: usize, const G: usize>(
    form: F,
    tiles: *const R,
    groups: *const R,
    n_features: usize,
) -> [[[L; GROUP]; G]; T] {
    let mut sums = [[[L::splat(0.0); GROUP]; G]; T];
    for feature in 0..n_features {
        let mut x = [L::splat(0.0); T];
        for (tile, x) in x.iter_mut().enumerate() {
            // SAFETY: `feature` is below `n_features`, for which the caller vouches.
            *x = unsafe { L::load(tiles.add((tile * n_features + feature) * LANES)) };
        }
        for at in 0..G * GROUP {
            let (group, lane) = (at / GROUP, at % GROUP);
            // SAFETY: as above.
            let z = L::of(unsafe { *groups.add((group * n_features + feature) * GROUP + lane) });
            for (x, sums) in x.iter().zip(&mut sums) {
                sums[group][lane] = F::step(sums[group][lane], *x, z);
            }
        }
    }
    // `array::map` would be a function of its own, without the vector instructions.
    for sum in sums.as_flattened_mut().as_flattened_mut() {
        *sum = form.finish(*sum);
    }
    sums
}

struct AddProducts<'a, T, L> {
    weighted: &'a Weighted<T>,
    rows: &'a [T],
    out: &'a mut [f64],
    lanes: std::marker::PhantomData<L>,
}

impl<T: Real, L: FromMemory<T>> WithForm for AddProducts<'_, T, L> {
    #[inline(always)]
    fn run<F: Form>(self, form: F) {
        match (self.weighted.n_outputs, L::SIXTEEN_FIT) {
            (1, true) => self.add_one_output::<F, 2, 2>(form),
            (1, false) => self.add_one_output::<F, 1, 1>(form),
            _ => self.add_outputs(form),
        }
    }
}

impl<R: Real, L: FromMemory<R>> AddProducts<'_, R, L> {
    /// Adds to the only output of each row, whose sum stays in registers: for `T` tiles and `G` groups
    /// at once, and what is left one by one.
    #[inline(always)]
    fn add_one_output<F: Form, const T: usize, const G: usize>(self, form: F) {
        let size = (self.weighted.n_features * LANES).max(1);
        let mut tiles = self.rows.chunks_exact(T * size);
        let mut outs = self.out.chunks_exact_mut(T * LANES);
        for (tiles, out) in tiles.by_ref().zip(outs.by_ref()) {
            self.weighted.add_tiles::<L, F, T, G>(form, tiles, out);
        }
        let outs = outs.into_remainder().chunks_exact_mut(LANES);
        for (tile, out) in tiles.remainder().chunks_exact(size).zip(outs) {
            self.weighted.add_tiles::<L, F, 1, G>(form, tile, out);
        }
    }

    #[inline(always)]
    fn add_outputs<F: Form>(self, form: F) {
        let Weighted { rows: groups, factors, n_features, n_outputs, .. } = self.weighted;
        let (group_size, factors_size) = (n_features * GROUP, n_outputs * GROUP);
        let tiles = self.rows.chunks_exact((n_features * LANES).max(1));
        for (tile, out) in tiles.zip(self.out.chunks_exact_mut((n_outputs * LANES).max(1))) {
            let groups = groups.chunks_exact(group_size.max(1));
            for (group, factors) in groups.zip(factors.chunks_exact(factors_size.max(1))) {
                // SAFETY: a tile and a group have a vector and a group for each feature.
                let [[k]] = unsafe {
                    values::<R, L, F, 1, 1>(form, tile.as_ptr(), group.as_ptr(), *n_features)
                };
                for output in 0..*n_outputs {
                    // SAFETY: there are sixteen sums and four factors for each output.
                    unsafe {
                        let place = out.as_mut_ptr().add(output * LANES);
                        let mut sum = L::Doubles::load(place);
                        for (lane, k) in k.into_iter().enumerate() {
                            let factor = *factors.get_unchecked(output * GROUP + lane);
                            sum = k.doubles().mul_add(L::Doubles::splat(factor), sum);
                        }
                        sum.store(place);
                    }
                }
            }
        }
    }
}

impl<R: Real> Weighted<R> {
    /// Adds the products with all groups to the sums of `T` tiles, in the order of the groups.
    #[inline(always)]
    fn add_tiles<L: FromMemory<R>, F: Form, const T: usize, const G: usize>(
        &self,
        form: F,
        tiles: &[R],
        out: &mut [f64],
    ) {
        let size = self.n_features * GROUP;
        assert!(tiles.len() == T * self.n_features * LANES && out.len() == T * LANES);
        let mut sums = [L::Doubles::splat(0.0); T];
        for (tile, sum) in sums.iter_mut().enumerate() {
            // SAFETY: there are sixteen sums for each tile.
            *sum = unsafe { L::Doubles::load(out.as_ptr().add(tile * LANES)) };
        }
        let mut groups = self.rows.chunks_exact((G * size).max(1));
        let mut factors = self.factors.chunks_exact(G * GROUP);
        for (groups, factors) in groups.by_ref().zip(factors.by_ref()) {
            sums = add_groups::<R, L, F, T, G>(form, (tiles, groups, factors), sums);
        }
        let groups = groups.remainder().chunks_exact(size.max(1));
        for (group, factors) in groups.zip(factors.remainder().chunks_exact(GROUP)) {
            sums = add_groups::<R, L, F, T, 1>(form, (tiles, group, factors), sums);
        }
        for (tile, sum) in sums.into_iter().enumerate() {
            // SAFETY: as above.
            unsafe { sum.store(out.as_mut_ptr().add(tile * LANES)) };
        }
    }
}

/// Adds the products of `T` tiles with `G` groups of rows to the sums of the tiles.
#[inline(always)]
fn add_groups<R: Real, L: FromMemory<R>, F: Form, const T: usize, const G: usize>(
    form: F,
    (tiles, groups, factors): (&[R], &[R], &[f64]),
    mut sums: [L::Doubles; T],
) -> [L::Doubles; T] {
    let n_features = tiles.len() / (T * LANES);
    assert!(groups.len() == G * n_features * GROUP && factors.len() == G * GROUP);
    // SAFETY: tiles and groups have a vector and a group of values for each feature.
    let k = unsafe { values::<R, L, F, T, G>(form, tiles.as_ptr(), groups.as_ptr(), n_features) };
    for (k, sum) in k.iter().zip(&mut sums) {
        for (k, factor) in k.as_flattened().iter().zip(factors) {
            *sum = k.doubles().mul_add(L::Doubles::splat(*factor), *sum);
        }
    }
    sums
}

struct StoreSquare<'a, S, T> {
    weighted: &'a Weighted<T>,
    rows: &'a [T],
    out: &'a mut [T],
    stride: usize,
    lanes: std::marker::PhantomData<S>,
}

impl<S: Simd, T: Real> WithForm for StoreSquare<'_, S, T> {
    #[inline(always)]
    fn run<F: Form>(self, form: F) {
        let n_features = self.weighted.n_features;
        let tiles = self.rows.chunks_exact((n_features * LANES).max(1));
        for (t, tile) in tiles.enumerate() {
            let groups = self.weighted.rows.chunks_exact((n_features * GROUP).max(1));
            // Up to the columns of the tile's own rows.
            for (g, group) in groups.take((t + 1) * (LANES / GROUP)).enumerate() {
                // SAFETY: a tile and a group have a vector and a group for each feature.
                let [[k]] = unsafe {
                    let (tile, group) = (tile.as_ptr(), group.as_ptr());
                    values::<T, T::Lanes<S>, F, 1, 1>(form, tile, group, n_features)
                };
                for (lane, k) in k.into_iter().enumerate() {
                    let column = g * GROUP + lane;
                    // SAFETY: `store_square` has checked that `out` has sixteen places of every
                    // tile for as many columns as the tiles have rows.
                    unsafe {
                        k.store(self.out.as_mut_ptr().add(column * self.stride + t * LANES));
                    }
                }
            }
            for other in 0..t {
                let (from, to) = (
                    other * LANES * self.stride + t * LANES,
                    t * LANES * self.stride + other * LANES,
                );
                // SAFETY: both tiles are among the rows, for which `store_square` has checked
                // `out`.
                unsafe { T::transpose::<S>(self.out, from, to, self.stride) };
            }
        }
    }
}
