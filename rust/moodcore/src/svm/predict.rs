//! Decision values for new rows.

use super::features::{Features, check_finite};
use super::fit::pairs;
use super::precision::Spread;
use crate::kernels::{
    Isa, KernelFunction, LANES, Precision, Real, Simd, SparseTile, SparseWeighted, Task, Tiles,
    Weighted,
};
use crate::memory::filled;
use crate::parallel::{Compute, attended};
use crate::{Error, Result};
use std::ops::Range;
use std::sync::atomic::Ordering;

/// A fitted support vector machine without its support vectors.
#[derive(Clone, Debug)]
pub struct Model {
    n_support: Vec<u32>,
    dual_coef: Vec<f64>,
    intercept: Vec<f64>,
}

/// Support vectors in the layout in which decisions read them.
#[derive(Clone, Debug)]
pub struct SupportVectors<T = f32> {
    n_features: usize,
    layout: Layout<T>,
}

#[derive(Clone, Debug)]
enum Layout<T> {
    /// The vectors of each class with their coefficients against the others.
    Classes { kernel: KernelFunction, precision: Precision, classes: Vec<Weighted<T>> },
    /// The same of sparse vectors.
    Sparse { precision: Precision, classes: Vec<SparseWeighted<T>> },
    /// A linear kernel whose values are much larger than their differences: the weights of the
    /// features for each pair of classes, and what is subtracted from the features first.
    Weights { center: Vec<f64>, weights: Vec<f64>, intercept: Vec<f64> },
}

/// Rows that one thread takes at a time.
const CHUNK: usize = 32 * LANES;
/// The error of single precision, for each unit of the root of the sum of squares of coefficients,
/// and how much of it is let pass.
const ROUNDING: f64 = 1e-7;
const LARGEST_ERROR: f64 = 5e-4;

impl Model {
    /// Checks that the parts fit together: the number of support vectors of each class,
    /// coefficients as in [`super::Fitted::dual_coef`], and an intercept for each pair of classes.
    ///
    /// # Errors
    /// [`Error::Data`] when sizes do not fit.
    pub fn new(n_support: Vec<u32>, dual_coef: Vec<f64>, intercept: Vec<f64>) -> Result<Self> {
        let model = Model { n_support, dual_coef, intercept };
        let (k, n) = (model.n_classes(), model.n_vectors());
        let n_pairs = k * k.saturating_sub(1) / 2;
        if k < 2 || model.dual_coef.len() != (k - 1) * n || model.intercept.len() != n_pairs {
            return Err(Error::Data(format!(
                "a model of {k} classes and {n} support vectors must have as many coefficients \
                 against each other class and an intercept for each pair, got {} and {}",
                model.dual_coef.len(),
                model.intercept.len()
            )));
        }
        Ok(model)
    }

    /// The number of classes.
    pub fn n_classes(&self) -> usize {
        self.n_support.len()
    }

    /// The number of support vectors.
    pub fn n_vectors(&self) -> usize {
        self.n_support.iter().map(|&count| count as usize).sum()
    }

    /// Returns the number of support vectors of each class.
    pub fn n_support(&self) -> &[u32] {
        &self.n_support
    }

    /// Coefficients as in [`super::Fitted::dual_coef`].
    pub fn dual_coef(&self) -> &[f64] {
        &self.dual_coef
    }

    /// Returns the intercept of each pair of classes.
    pub fn intercept(&self) -> &[f64] {
        &self.intercept
    }

    /// Lays out the support vectors, class by class, for decisions.
    ///
    /// # Errors
    /// [`Error::Data`] when their number is another.
    pub fn lay_out<T: Real>(
        &self,
        kernel: KernelFunction,
        vectors: Features<'_, T>,
    ) -> Result<SupportVectors<T>> {
        let (n, n_features) = (self.n_vectors(), vectors.n_features());
        if n_features == 0 || !vectors.has_rows(n) {
            return Err(Error::Data(format!(
                "there must be {n} support vectors of at least 1 feature, got {} of {n_features}",
                vectors.n_rows()
            )));
        }
        let center = vectors.means();
        let spread = Spread::of_rows(kernel, vectors, &center);
        if kernel == KernelFunction::Linear && !spread.fits_single() {
            let weights = self.weights(vectors, &center);
            let shift =
                |weights: &[f64]| weights.iter().zip(&center).map(|(w, c)| w * c).sum::<f64>();
            let shifts = weights.chunks_exact(n_features).map(shift);
            let intercept = shifts.zip(&self.intercept).map(|(shift, b)| shift + b).collect();
            let layout = Layout::Weights { center, weights, intercept };
            return Ok(SupportVectors { n_features, layout });
        }
        let squares: f64 = self.dual_coef.iter().map(|value| value * value).sum();
        let is_single = T::IS_SINGLE
            && ROUNDING * squares.sqrt() * spread.scale <= LARGEST_ERROR
            && spread.fits_single();
        let precision = if is_single { Precision::Single } else { Precision::Double };
        let layout = if vectors.is_sparse_enough(kernel) {
            Layout::Sparse { precision, classes: self.sparse_by_class(kernel, vectors) }
        } else {
            Layout::Classes { kernel, precision, classes: self.by_class(vectors) }
        };
        Ok(SupportVectors { n_features, layout })
    }

    /// The weights of the centered features for each pair of classes.
    fn weights<T: Real>(&self, vectors: Features<'_, T>, center: &[f64]) -> Vec<f64> {
        let d = center.len();
        let ranges = self.ranges();
        let mut weights = Vec::new();
        let mut row = filled(0.0, d);
        for (a, b) in pairs(self.n_classes()) {
            let mut sums = filled(0.0, d);
            for (class, against) in [(a, b - 1), (b, a)] {
                for at in ranges[class as usize].clone() {
                    let coef = self.factor(at, against as usize);
                    vectors.copy_row(at, &mut row);
                    for ((sum, value), mean) in sums.iter_mut().zip(&row).zip(center) {
                        *sum += coef * (value - mean);
                    }
                }
            }
            weights.extend(sums);
        }
        weights
    }

    /// Writes the decision values of all pairs of classes for each row to `out`.
    ///
    /// # Errors
    /// [`Error::Data`] when sizes do not fit or a value is not finite; what `poll` returns.
    pub fn decide<T: Real>(
        &self,
        vectors: &SupportVectors<T>,
        rows: Features<'_, T>,
        out: &mut [f64],
        compute: Compute<'_>,
        poll: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let n_pairs = self.intercept.len();
        let (n_rows, n_features) = (rows.n_rows(), rows.n_features());
        if n_features != vectors.n_features
            || !rows.has_rows(n_rows)
            || out.len() != n_rows * n_pairs
        {
            return Err(Error::Data(format!(
                "rows must have the {} features of the support vectors, got {n_rows} rows of \
                 {n_features}",
                vectors.n_features,
            )));
        }
        if let Features::Dense { x, n_features } = rows {
            check_finite(x, n_features)?;
        }
        let n = self.n_vectors();
        let mut work: Vec<_> = out.chunks_mut(CHUNK * n_pairs).collect();
        let long = n_rows * n > 1 << 22;
        let enough = n_rows * n_features * n > 1 << 16;
        let mut run = |stopped: &(dyn Fn() -> bool + Sync)| {
            compute.team.for_each_of(enough, &mut work, |at, out| {
                if !stopped() {
                    let chunk = at * CHUNK..n_rows.min((at + 1) * CHUNK);
                    self.decide_chunk(vectors, (rows, chunk), out, compute.isa);
                }
            });
        };
        if long {
            attended(poll, |stop| run(&|| stop.load(Ordering::Relaxed)))
        } else {
            run(&|| false);
            Ok(())
        }
    }

    fn decide_chunk<T: Real>(
        &self,
        vectors: &SupportVectors<T>,
        (rows, chunk): (Features<'_, T>, Range<usize>),
        out: &mut [f64],
        isa: Isa,
    ) {
        match &vectors.layout {
            Layout::Classes { kernel, precision, classes } => {
                let tiles = rows.tiles(chunk);
                let (kernel, precision) = (*kernel, *precision);
                self.combine(&sums((kernel, precision), classes, &tiles, isa), out);
            }
            Layout::Sparse { precision, classes } => {
                let rows = (rows, vectors.n_features, chunk);
                self.combine(&sparse_sums(*precision, classes, rows, isa), out);
            }
            Layout::Weights { center, weights, intercept } => {
                let mut row = filled(0.0, center.len());
                for (at, out) in chunk.zip(out.chunks_exact_mut(intercept.len())) {
                    rows.copy_row(at, &mut row);
                    let weights = weights.chunks_exact(center.len()).zip(intercept);
                    for ((weights, intercept), out) in weights.zip(out) {
                        let features = row.iter().zip(center).map(|(x, c)| x - c);
                        let products = features.zip(weights).map(|(x, w)| x * w);
                        *out = products.fold(*intercept, |sum, product| sum + product);
                    }
                }
            }
        }
    }

    /// The same from kernel values of each row with each support vector.
    ///
    /// # Errors
    /// [`Error::Data`] when sizes do not fit.
    pub fn decide_from_kernel(&self, values: &[f64], out: &mut [f64]) -> Result<()> {
        let n = self.n_vectors();
        let (k, n_pairs) = (self.n_classes(), self.intercept.len());
        if n == 0 || out.len() * n != values.len() * n_pairs {
            return Err(Error::Data(format!(
                "kernel values must have a column for each of {n} support vectors, got {} values",
                values.len()
            )));
        }
        let mut sums = filled(0.0, k * (k - 1) * LANES);
        for (row, out) in values.chunks_exact(n).zip(out.chunks_exact_mut(n_pairs)) {
            sums.fill(0.0);
            let mut at = 0;
            for (class, &count) in self.n_support.iter().enumerate() {
                for _ in 0..count {
                    for against in 0..k - 1 {
                        sums[(class * (k - 1) + against) * LANES] +=
                            self.dual_coef[against * n + at] * row[at];
                    }
                    at += 1;
                }
            }
            let parts: Vec<&[f64]> = sums.chunks((k - 1) * LANES).collect();
            self.combine(&parts, out);
        }
        Ok(())
    }

    /// The support vectors of each class with their coefficients against the others.
    fn by_class<T: Real>(&self, vectors: Features<'_, T>) -> Vec<Weighted<T>> {
        let of_class = |range: Range<usize>| {
            let tiles: Tiles<T> = vectors.tiles(range.clone());
            let all: Vec<u32> = (0..range.len() as u32).collect();
            let factor = |at, against| self.factor(range.start + at, against);
            Weighted::new(&tiles, &all, self.n_classes() - 1, factor)
        };
        self.ranges().into_iter().map(of_class).collect()
    }

    /// The same of sparse vectors.
    fn sparse_by_class<T: Real>(
        &self,
        kernel: KernelFunction,
        vectors: Features<'_, T>,
    ) -> Vec<SparseWeighted<T>> {
        let of_class = |range: Range<usize>| {
            let factor = |at, against| self.factor(range.start + at, against);
            let rows = vectors.list(range.clone());
            SparseWeighted::new(kernel, rows, None, self.n_classes() - 1, factor)
        };
        self.ranges().into_iter().map(of_class).collect()
    }

    /// The coefficient of a support vector against another class.
    fn factor(&self, vector: usize, against: usize) -> f64 {
        self.dual_coef[against * self.n_vectors() + vector]
    }

    /// The support vectors of each class.
    fn ranges(&self) -> Vec<Range<usize>> {
        let mut next = 0;
        let of_class = |&count: &u32| {
            let start = next;
            next += count as usize;
            start..next
        };
        self.n_support.iter().map(of_class).collect()
    }

    /// Decision values of the pairs from the sums over the support vectors of each class.
    fn combine<T: AsRef<[f64]>>(&self, sums: &[T], out: &mut [f64]) {
        let k = self.n_classes();
        for (row, out) in out.chunks_exact_mut(self.intercept.len()).enumerate() {
            let (tile, lane) = (row / LANES * (k - 1), row % LANES);
            let sum = |class: usize, against: usize| {
                sums[class].as_ref()[(tile + against) * LANES + lane]
            };
            let values = pairs(k).into_iter().zip(&self.intercept).zip(out);
            for (((a, b), intercept), out) in values {
                let (a, b) = (a as usize, b as usize);
                *out = sum(a, b - 1) + sum(b, a) + intercept;
            }
        }
    }
}

/// For each class the sums over its support vectors: tile by tile, against each other class.
fn sums<T: Real>(
    (kernel, precision): (KernelFunction, Precision),
    classes: &[Weighted<T>],
    tiles: &Tiles<T>,
    isa: Isa,
) -> Vec<Vec<f64>> {
    let length = tiles.n_rows().next_multiple_of(LANES) * (classes.len() - 1);
    let of_class = |weighted: &Weighted<T>| {
        let mut out = filled(0.0, length);
        isa.run(Sum { kernel, precision, weighted, tiles, out: &mut out });
        out
    };
    classes.iter().map(of_class).collect()
}

struct Sum<'a, T> {
    kernel: KernelFunction,
    precision: Precision,
    weighted: &'a Weighted<T>,
    tiles: &'a Tiles<T>,
    out: &'a mut [f64],
}

impl<T: Real> Task for Sum<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let tiles = 0..self.tiles.n_rows().div_ceil(LANES);
        let rows = (self.tiles, tiles);
        self.weighted.add_products::<S>(self.kernel, self.precision, rows, self.out);
    }
}

/// The same of sparse vectors.
fn sparse_sums<T: Real>(
    precision: Precision,
    classes: &[SparseWeighted<T>],
    (rows, n_features, chunk): (Features<'_, T>, usize, Range<usize>),
    isa: Isa,
) -> Vec<Vec<f64>> {
    let n_outputs = (classes.len() - 1) * LANES;
    let length = chunk.len().div_ceil(LANES) * n_outputs;
    let mut out: Vec<Vec<f64>> = classes.iter().map(|_| filled(0.0, length)).collect();
    let list = rows.list(chunk);
    let mut tile = SparseTile::new(n_features);
    for at in 0..list.n_rows().div_ceil(LANES) {
        let rows = at * LANES..list.n_rows().min((at + 1) * LANES);
        tile.load(rows.map(|row| list.row(row)), list.grain());
        for (weighted, out) in classes.iter().zip(&mut out) {
            let out = &mut out[at * n_outputs..][..n_outputs];
            isa.run(SparseSum { precision, weighted, tile: &tile, out });
        }
    }
    out
}

struct SparseSum<'a, T> {
    precision: Precision,
    weighted: &'a SparseWeighted<T>,
    tile: &'a SparseTile<T>,
    out: &'a mut [f64],
}

impl<T: Real> Task for SparseSum<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        self.weighted.add_products::<S>(self.precision, self.tile, self.out);
    }
}
