//! Rows of features, dense or sparse, in single or double precision.

use crate::data::SparseRows;
use crate::kernels::{Grain, KernelFunction, Real, SparseList, Tiles};
use crate::memory::filled;
use crate::{Error, Result};

/// Rows of features.
#[derive(Clone, Copy, Debug)]
pub enum Features<'a, T> {
    /// All values, row by row.
    Dense {
        /// The values.
        x: &'a [T],
        /// Number of features per row.
        n_features: usize,
    },
    /// The values other than zero.
    Sparse(SparseRows<'a, T>),
}

/// The largest part of values other than zero for which kernel values are computed from these alone;
/// of more, dense rows take less time. Of 100 and 1,000 features with 14 % of such values, dense rows
/// took 1.2 to 1.8 times as long, and the time of sparse ones is proportional to the part.
const SPARSE_PART: f64 = 0.15;
/// The same for distances that are not exact in any order: they take a step for each feature that any
/// of sixteen rows has. Dense rows took 0.9 times as long with 100 features and 2 % of such values, and
/// 1.4 times with 1,000.
const SPARSE_PART_OF_DISTANCES: f64 = 0.02;
/// Below this many features, dense rows take less time whatever the entries.
const FEW_FEATURES: usize = 32;

impl<'a, T: Real> Features<'a, T> {
    /// The number of features in a row.
    pub(super) fn n_features(&self) -> usize {
        match self {
            Features::Dense { n_features, .. } => *n_features,
            Features::Sparse(rows) => rows.n_features(),
        }
    }

    /// The number of rows.
    pub(super) fn n_rows(&self) -> usize {
        match self {
            Features::Dense { x, n_features } => x.len() / (*n_features).max(1),
            Features::Sparse(rows) => rows.n_rows(),
        }
    }

    /// The number of values in memory.
    pub fn n_values(&self) -> usize {
        match self {
            Features::Dense { x, .. } => x.len(),
            Features::Sparse(rows) => rows.n_values(),
        }
    }

    /// Whether there are this many whole rows.
    pub(super) fn has_rows(&self, n_rows: usize) -> bool {
        match self {
            Features::Dense { x, n_features } => x.len() == n_rows * n_features,
            Features::Sparse(rows) => rows.n_rows() == n_rows,
        }
    }

    /// Whether kernel values are computed from the values other than zero, also of dense rows. The
    /// choice changes time and memory, but no bit of the result.
    pub(super) fn is_sparse_enough(&self, kernel: KernelFunction) -> bool {
        if self.n_features() < FEW_FEATURES {
            return false;
        }
        let count = match self {
            Features::Dense { x, .. } => x.iter().filter(|&&x| x != T::default()).count(),
            Features::Sparse(rows) => rows.n_values(),
        };
        let part = count as f64 / (self.n_rows() as f64 * self.n_features() as f64);
        if !matches!(kernel, KernelFunction::Rbf { .. }) || part > SPARSE_PART {
            return part <= SPARSE_PART;
        }
        part <= SPARSE_PART_OF_DISTANCES || self.grain().is_exact::<T>()
    }

    /// What tells whether sums over the rows are exact.
    fn grain(&self) -> Grain {
        let mut grain = Grain::default();
        for row in 0..self.n_rows() {
            match *self {
                Features::Dense { x, n_features } => {
                    grain.add(&x[row * n_features..][..n_features])
                }
                Features::Sparse(rows) => grain.add(rows.row(row).1),
            }
        }
        grain
    }

    /// Checks the shape and that all values are finite.
    ///
    /// # Errors
    /// [`Error::Data`] when they are not.
    pub(super) fn check(&self, n_rows: usize) -> Result<()> {
        let n_features = self.n_features();
        if n_rows == 0 || n_features == 0 || !self.has_rows(n_rows) {
            return Err(Error::Data(format!(
                "X must have rows and features and y as many rows, got {} rows of {n_features} \
                 features and {n_rows} labels",
                self.n_rows()
            )));
        }
        match *self {
            Features::Dense { x, .. } => check_finite(x, n_features),
            // Checked by `SparseRows`.
            Features::Sparse(_) => Ok(()),
        }
    }

    /// Calls `each` with the features and values of a row; of a sparse row those that it has.
    #[inline(always)]
    pub(super) fn for_each(&self, row: usize, mut each: impl FnMut(usize, T)) {
        match *self {
            Features::Dense { x, n_features } => {
                let values = &x[row * n_features..][..n_features];
                values.iter().enumerate().for_each(|(feature, &value)| each(feature, value));
            }
            Features::Sparse(rows) => {
                let (columns, values) = rows.row(row);
                for (&column, &value) in columns.iter().zip(values) {
                    each(column as usize, value);
                }
            }
        }
    }

    /// Writes all features of a row.
    pub(super) fn copy_row(&self, row: usize, out: &mut [f64]) {
        if matches!(self, Features::Sparse(_)) {
            out.fill(0.0);
        }
        self.for_each(row, |feature, value| out[feature] = value.to_f64());
    }

    /// The sum of squares of a row.
    pub(super) fn square(&self, row: usize) -> f64 {
        let mut sum = 0.0;
        self.for_each(row, |_, value| sum += value.to_f64() * value.to_f64());
        sum
    }

    /// The mean of each column.
    pub(super) fn means(&self) -> Vec<f64> {
        let n_rows = self.n_rows().max(1) as f64;
        let mut means = filled(0.0, self.n_features());
        for row in 0..self.n_rows() {
            // Divided before they are added: sums of large values would overflow.
            self.for_each(row, |feature, value| means[feature] += value.to_f64() / n_rows);
        }
        means
    }

    /// The variance of all values. Zeros are counted, so that it has the same bits for dense and
    /// sparse rows.
    pub(super) fn variance(&self) -> f64 {
        let n = self.n_rows() as f64 * self.n_features() as f64;
        let mean = self.sum_of(|value| value) / n;
        let square = |value: f64| if value == 0.0 { 0.0 } else { (value - mean) * (value - mean) };
        let count = self.sum_of(|value| if value == 0.0 { 0.0 } else { 1.0 });
        (self.sum_of(square) + (n - count) * (mean * mean)) / n
    }

    /// The sum of a function of all values that is zero for zeros. Columns have eight sums in turn, which a
    /// processor adds to at the same time.
    fn sum_of(&self, function: impl Fn(f64) -> f64) -> f64 {
        let mut sums = [0.0; 8];
        for row in 0..self.n_rows() {
            match *self {
                Features::Dense { x, n_features } => {
                    for values in x[row * n_features..][..n_features].chunks(sums.len()) {
                        for (sum, value) in sums.iter_mut().zip(values) {
                            *sum += function(value.to_f64());
                        }
                    }
                }
                Features::Sparse(_) => self.for_each(row, |feature, value| {
                    sums[feature % sums.len()] += function(value.to_f64());
                }),
            }
        }
        sums.iter().sum()
    }

    /// The entries other than zero of some rows.
    pub(super) fn list<U: Real>(&self, rows: impl Iterator<Item = usize>) -> SparseList<U> {
        let mut list = SparseList::default();
        for row in rows {
            match *self {
                Features::Dense { x, n_features } => {
                    let values = x[row * n_features..][..n_features].iter().enumerate();
                    list.push(values.map(|(at, value)| (at as u32, U::from_f64(value.to_f64()))));
                }
                Features::Sparse(table) => {
                    let (columns, values) = table.row(row);
                    let entries = columns.iter().zip(values);
                    list.push(entries.map(|(&at, value)| (at as u32, U::from_f64(value.to_f64()))));
                }
            }
        }
        list
    }

    /// Some rows, all features of each.
    pub(super) fn tiles<U: Real>(&self, rows: impl ExactSizeIterator<Item = usize>) -> Tiles<U> {
        match *self {
            Features::Dense { x, n_features } => {
                Tiles::from_fn(n_features, rows, |row, feature| {
                    U::from_f64(x[row * n_features + feature].to_f64())
                })
            }
            Features::Sparse(_) => {
                let list = self.list(rows);
                Tiles::of_sparse(self.n_features(), (0..list.n_rows()).map(|row| list.row(row)))
            }
        }
    }
}

/// Refuses features that are not finite, naming the first row and column.
pub(super) fn check_finite<T: Real>(x: &[T], n_features: usize) -> Result<()> {
    match x.iter().position(|value| !value.to_f64().is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::Data(format!(
            "X must be finite{}, got {} in row {}, column {}",
            if T::IS_SINGLE { " in float32" } else { "" },
            x[at].to_f64(),
            at / n_features,
            at % n_features
        ))),
    }
}

/// Refuses values that are not finite, naming the first row and column.
pub(super) fn check_finite_doubles(rule: &str, values: &[f64], width: usize) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::Data(format!(
            "{rule}, got {} in row {}, column {}",
            values[at],
            at / width,
            at % width
        ))),
    }
}
