//! Kernel values of sparse rows with a few others, with the bits of [`super::Weighted`].
//!
//! A kernel value is a function of a sum over features, which dense rows add up feature by feature
//! in one lane per row. A feature that is zero in both rows adds zero, and so does any product with
//! zero: leaving these terms out changes no bit of a sum that starts at zero. So products are summed
//! over the features of one of the rows, and squared distances over those that either of them has,
//! in ascending order.
//!
//! Sixteen rows make a tile: the features that any of them has, a vector each. For every feature of
//! the table the tile has the place of its vector, so that the features of another row find theirs
//! without a search.

use super::doubles::Doubles;
use super::forms::{Form, KernelFunction, WithForm};
use super::gram::Precision;
use super::real::{FromMemory, Real, ToMemory};
use super::simd::{LANES, Simd};
use crate::memory::{CollectVec, filled, reserve, resize};
use std::ops::Range;

/// Rows that a tile meets side by side, so that the latency of a sum is hidden by the others. Their
/// sums stay in registers: loops over more rows are not unrolled.
const GROUP: usize = 4;

/// The values other than zero of one row, with their features, which ascend.
pub type Entries<'a, T> = (&'a [u32], &'a [T]);

/// What tells whether sums of squares and products of rows are exact in any order: all values are
/// multiples of one power of two, and the sums have few enough digits. That is so for one-hot
/// encoded columns and small counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grain {
    /// The largest power of two that all values are multiples of.
    exponent: i32,
    /// The largest sum of squares of a row.
    square: f64,
}

impl Default for Grain {
    fn default() -> Self {
        Grain { exponent: i32::MAX, square: 0.0 }
    }
}

impl Grain {
    /// Takes a row into account.
    pub fn add<T: Real>(&mut self, values: &[T]) {
        let mut square = 0.0;
        for value in values {
            let value = value.to_f64();
            if value != 0.0 {
                square += value * value;
                self.exponent = self.exponent.min(lowest_bit(value));
            }
        }
        self.square = self.square.max(square);
    }

    /// That of the rows of both.
    pub fn with(self, other: Self) -> Self {
        Grain { exponent: self.exponent.min(other.exponent), square: self.square.max(other.square) }
    }

    /// Whether squared distances of two of the rows are exact in this type.
    pub fn is_exact<T: Real>(self) -> bool {
        // Squared units are normal numbers, and |x - z|^2 <= 2 |x|^2 + 2 |z|^2.
        let digits = if T::IS_SINGLE { 24 } else { 53 };
        self.exponent == i32::MAX
            || ((-60..60).contains(&self.exponent)
                && 4.0 * self.square <= libm::scalbn(1.0, digits + 2 * self.exponent))
    }
}

/// The exponent of the lowest bit that is set; the value is finite and not zero.
fn lowest_bit(value: f64) -> i32 {
    const DIGITS: u32 = 52;
    let bits = value.to_bits();
    let (exponent, mantissa) = ((bits >> DIGITS & 0x7ff) as i32, bits & ((1 << DIGITS) - 1));
    let zeros = mantissa.trailing_zeros().min(DIGITS) as i32;
    exponent.max(1) - 1075 + zeros
}

/// Sixteen sparse rows, feature by feature.
#[derive(Clone, Debug)]
pub struct SparseTile<T> {
    /// For each feature of the table the place of its vector; 0 where no row has it.
    places: Vec<u32>,
    /// The features of the vectors from place 1 on, ascending.
    features: Vec<u32>,
    /// The first is zero.
    vectors: Vec<[T; LANES]>,
    /// The sum of squares of each row.
    squares: [T; LANES],
    /// What tells whether sums over the rows are exact.
    grain: Grain,
}

impl<T: Real> SparseTile<T> {
    /// A tile of empty rows of a table with this many features.
    pub fn new(n_features: usize) -> Self {
        SparseTile {
            places: filled(0, n_features),
            features: Vec::new(),
            vectors: vec![[T::default(); LANES]],
            squares: [T::default(); LANES],
            grain: Grain::default(),
        }
    }

    /// Replaces the rows; those behind the last are empty. `grain` is that of the rows, or of more.
    ///
    /// # Panics
    /// When there are more than sixteen rows, or a feature that the table does not have.
    pub fn load<'a>(&mut self, rows: impl Iterator<Item = Entries<'a, T>> + Clone, grain: Grain) {
        self.grain = grain;
        for &feature in &self.features {
            self.places[feature as usize] = 0;
        }
        self.features.clear();
        for (features, _) in rows.clone() {
            for &feature in features {
                let place = &mut self.places[feature as usize];
                if *place == 0 {
                    *place = 1;
                    self.features.push(feature);
                }
            }
        }
        self.features.sort_unstable();
        for (at, &feature) in self.features.iter().enumerate() {
            self.places[feature as usize] = at as u32 + 1;
        }
        self.vectors.clear();
        resize(&mut self.vectors, self.features.len() + 1, [T::default(); LANES]);
        self.squares = [T::default(); LANES];
        for (lane, (features, values)) in rows.enumerate() {
            let mut square = 0.0;
            for (&feature, &value) in features.iter().zip(values) {
                self.vectors[self.places[feature as usize] as usize][lane] = value;
                square += value.to_f64() * value.to_f64();
            }
            self.squares[lane] = T::from_f64(square);
        }
    }

    /// The vector of a feature.
    #[inline(always)]
    fn vector<L: FromMemory<T>>(&self, feature: u32) -> L {
        let vector = &self.vectors[self.places[feature as usize] as usize];
        // SAFETY: the array has sixteen values.
        unsafe { L::load(vector.as_ptr()) }
    }
}

/// Sparse rows, one after another.
#[derive(Clone, Debug)]
pub struct SparseList<T> {
    starts: Vec<usize>,
    features: Vec<u32>,
    values: Vec<T>,
    grain: Grain,
}

impl<T: Real> Default for SparseList<T> {
    fn default() -> Self {
        SparseList {
            starts: vec![0],
            features: Vec::new(),
            values: Vec::new(),
            grain: Grain::default(),
        }
    }
}

impl<T: Real> SparseList<T> {
    /// Appends a row; zeros are left out.
    pub fn push(&mut self, entries: impl Iterator<Item = (u32, T)>) {
        let start = self.values.len();
        for (feature, value) in entries.filter(|&(_, value)| value != T::default()) {
            reserve(&mut self.features, 1);
            reserve(&mut self.values, 1);
            self.features.push(feature);
            self.values.push(value);
        }
        self.grain.add(&self.values[start..]);
        reserve(&mut self.starts, 1);
        self.starts.push(self.values.len());
    }

    /// The number of rows.
    pub fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// What tells whether sums over these rows are exact.
    pub fn grain(&self) -> Grain {
        self.grain
    }

    /// The entries of a row.
    pub fn row(&self, row: usize) -> Entries<'_, T> {
        let range = self.range(row);
        (&self.features[range.clone()], &self.values[range])
    }

    fn range(&self, row: usize) -> Range<usize> {
        self.starts[row]..self.starts[row + 1]
    }
}

/// A few sparse rows and what each is multiplied by, for each of the outputs.
#[derive(Clone, Debug)]
pub struct SparseWeighted<T> {
    kernel: KernelFunction,
    rows: SparseList<T>,
    /// The sum of squares of each row.
    squares: Vec<T>,
    /// Where sums of squares may be inexact.
    groups: Option<Groups<T>>,
    /// Row by row.
    factors: Vec<f64>,
    n_outputs: usize,
}

impl<T: Real> SparseWeighted<T> {
    /// Takes the rows; `factor(at, output)` is that of the `at`-th of them. `others` is the grain of
    /// all rows that kernel values with these will be computed of, if they are known.
    pub fn new(
        kernel: KernelFunction,
        rows: SparseList<T>,
        others: Option<Grain>,
        n_outputs: usize,
        factor: impl Fn(usize, usize) -> f64,
    ) -> Self {
        let square = |row: usize| {
            let values = rows.row(row).1.iter();
            T::from_f64(values.map(|value| value.to_f64() * value.to_f64()).sum())
        };
        let n_rows = rows.n_rows();
        let places = (0..n_rows).flat_map(|at| (0..n_outputs).map(move |output| (at, output)));
        let is_distance = matches!(kernel, KernelFunction::Rbf { .. });
        let is_exact = others.is_some_and(|others| rows.grain.with(others).is_exact::<T>());
        SparseWeighted {
            kernel,
            squares: (0..n_rows).map(square).collect_vec(),
            groups: (is_distance && !is_exact).then(|| Groups::of(&rows)),
            factors: places.map(|(at, output)| factor(at, output)).collect_vec(),
            n_outputs,
            rows,
        }
    }

    /// `out[o][r] += sum over these rows of factor * k(row r of the tile, row)`, for each output, in
    /// the order of the rows and in double precision.
    ///
    /// # Panics
    /// When `out` is not of that size, or these rows have features that the tile does not know.
    #[inline(always)]
    pub fn add_products<S: Simd>(
        &self,
        precision: Precision,
        tile: &SparseTile<T>,
        out: &mut [f64],
    ) {
        assert_eq!(out.len(), self.n_outputs * LANES);
        let (kernel, weighted) = (self.kernel, self);
        match precision {
            Precision::Single => {
                let lanes = std::marker::PhantomData::<T::Lanes<S>>;
                kernel.with_form(AddProducts { weighted, tile, out, lanes });
            }
            Precision::Double => {
                let lanes = std::marker::PhantomData::<T::Wide<S>>;
                kernel.with_form(AddProducts { weighted, tile, out, lanes });
            }
        }
    }

    /// Writes `k(row r of the tile, row c)` to `out[c * stride + r]`, for each of these rows.
    ///
    /// # Panics
    /// When `out` is too short, or these rows have features that the tile does not know.
    #[inline(always)]
    pub fn store_columns<S: Simd>(&self, tile: &SparseTile<T>, (out, stride): (&mut [T], usize)) {
        let lanes = std::marker::PhantomData::<S>;
        self.kernel.with_form(StoreColumns { weighted: self, tile, out, stride, lanes });
    }

    /// The kernel values of a tile with a group of rows; in place of rows behind the last, those
    /// of any.
    #[inline(always)]
    fn values<L: FromMemory<T>, F: Form>(
        &self,
        form: F,
        (tile, is_exact): (&SparseTile<T>, bool),
        group: usize,
    ) -> [L; GROUP] {
        let mut sums = [L::splat(0.0); GROUP];
        if let (Some(groups), false) = (&self.groups, is_exact) {
            sums = groups.distances(tile, group);
        } else {
            let last = self.rows.n_rows() - 1;
            for (lane, sum) in sums.iter_mut().enumerate() {
                let at = group * GROUP + lane;
                let row = if at < last { at } else { last };
                let (features, values) = self.rows.row(row);
                for (&feature, &value) in features.iter().zip(values) {
                    *sum = tile.vector::<L>(feature).mul_add(L::of(value), *sum);
                }
                if F::IS_DISTANCE {
                    // SAFETY: there are sixteen sums of squares.
                    let squares = unsafe { L::load(tile.squares.as_ptr()) };
                    *sum = sum.mul_add(L::splat(-2.0), squares.add(L::of(self.squares[row])));
                }
            }
        }
        // `array::map` would be a function of its own, without the vector instructions.
        for sum in &mut sums {
            *sum = form.finish(*sum);
        }
        sums
    }
}

/// The features of each group of rows, with the values of all of them.
#[derive(Clone, Debug)]
struct Groups<T> {
    starts: Vec<usize>,
    features: Vec<u32>,
    values: Vec<[T; GROUP]>,
}

impl<T: Real> Groups<T> {
    fn of(rows: &SparseList<T>) -> Self {
        let n_rows = rows.n_rows();
        let mut groups = Groups { starts: vec![0], features: Vec::new(), values: Vec::new() };
        for first in (0..n_rows).step_by(GROUP) {
            let mut left: [Range<usize>; GROUP] = std::array::from_fn(|lane| {
                if first + lane < n_rows { rows.range(first + lane) } else { 0..0 }
            });
            let next = |left: &Range<usize>| (!left.is_empty()).then(|| rows.features[left.start]);
            while let Some(feature) = left.iter().filter_map(next).min() {
                let mut values = [T::default(); GROUP];
                for (value, left) in values.iter_mut().zip(&mut left) {
                    if next(left) == Some(feature) {
                        *value = rows.values[left.start];
                        left.start += 1;
                    }
                }
                reserve(&mut groups.features, 1);
                reserve(&mut groups.values, 1);
                groups.features.push(feature);
                groups.values.push(values);
            }
            groups.starts.push(groups.features.len());
        }
        groups
    }

    /// The squared distances of a tile's rows from those of a group, added up feature by feature.
    #[inline(always)]
    fn distances<L: FromMemory<T>>(&self, tile: &SparseTile<T>, group: usize) -> [L; GROUP] {
        let mut sums = [L::splat(0.0); GROUP];
        let range = self.starts[group]..self.starts[group + 1];
        let own = &tile.features[..];
        // The place of the next vector of the tile among those behind the first, which is zero.
        let mut next = 0;
        for (&feature, values) in self.features[range.clone()].iter().zip(&self.values[range]) {
            while next < own.len() && own[next] < feature {
                // SAFETY: the array has sixteen values.
                let x = unsafe { L::load(tile.vectors[next + 1].as_ptr()) };
                for sum in &mut sums {
                    *sum = x.mul_add(x, *sum);
                }
                next += 1;
            }
            let x = tile.vector::<L>(feature);
            for (lane, sum) in sums.iter_mut().enumerate() {
                let difference = x.sub(L::of(values[lane]));
                *sum = difference.mul_add(difference, *sum);
            }
            next += usize::from(next < own.len() && own[next] == feature);
        }
        for vector in &tile.vectors[next + 1..] {
            // SAFETY: as above.
            let x = unsafe { L::load(vector.as_ptr()) };
            for sum in &mut sums {
                *sum = x.mul_add(x, *sum);
            }
        }
        sums
    }
}

struct AddProducts<'a, T, L> {
    weighted: &'a SparseWeighted<T>,
    tile: &'a SparseTile<T>,
    out: &'a mut [f64],
    lanes: std::marker::PhantomData<L>,
}

impl<T: Real, L: FromMemory<T>> WithForm for AddProducts<'_, T, L> {
    #[inline(always)]
    fn run<F: Form>(self, form: F) {
        let SparseWeighted { rows, factors, n_outputs, .. } = self.weighted;
        let n_rows = rows.n_rows();
        let tile = (self.tile, rows.grain.with(self.tile.grain).is_exact::<T>());
        for group in 0..n_rows.div_ceil(GROUP) {
            let k: [L; GROUP] = self.weighted.values(form, tile, group);
            for (output, out) in self.out.chunks_exact_mut(LANES).enumerate() {
                // SAFETY: there are sixteen sums.
                let mut sum = unsafe { L::Doubles::load(out.as_ptr()) };
                for (lane, k) in k.into_iter().enumerate() {
                    let row = group * GROUP + lane;
                    if row < n_rows {
                        let factor = factors[row * n_outputs + output];
                        sum = k.doubles().mul_add(L::Doubles::splat(factor), sum);
                    }
                }
                // SAFETY: as above.
                unsafe { sum.store(out.as_mut_ptr()) };
            }
        }
    }
}

struct StoreColumns<'a, S, T> {
    weighted: &'a SparseWeighted<T>,
    tile: &'a SparseTile<T>,
    out: &'a mut [T],
    stride: usize,
    lanes: std::marker::PhantomData<S>,
}

impl<S: Simd, T: Real> WithForm for StoreColumns<'_, S, T> {
    #[inline(always)]
    fn run<F: Form>(self, form: F) {
        let rows = &self.weighted.rows;
        let n_rows = rows.n_rows();
        let tile = (self.tile, rows.grain.with(self.tile.grain).is_exact::<T>());
        for group in 0..n_rows.div_ceil(GROUP) {
            let k: [T::Lanes<S>; GROUP] = self.weighted.values(form, tile, group);
            for (lane, k) in k.into_iter().enumerate() {
                let column = group * GROUP + lane;
                if column < n_rows {
                    let out = &mut self.out[column * self.stride..][..LANES];
                    // SAFETY: the slice has sixteen places.
                    unsafe { k.store(out.as_mut_ptr()) };
                }
            }
        }
    }
}
