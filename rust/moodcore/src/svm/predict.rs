//! Decision values for new rows.

use super::fit::pairs;
use crate::data::check_finite;
use crate::kernels::{Isa, KernelFunction, LANES, Precision, Simd, Task, Tiles, Weighted};
use crate::parallel::{Compute, attended};
use crate::{Error, Result};
use std::sync::atomic::Ordering;

/// What a trained machine decides by.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// How many support vectors each class has.
    pub n_support: &'a [u32],
    /// Coefficients as in [`super::Fitted::dual_coef`].
    pub dual_coef: &'a [f64],
    /// What is added for each pair of classes.
    pub intercept: &'a [f64],
}

/// Rows that one thread takes at a time.
const CHUNK: usize = 32 * LANES;
/// The error of single precision, for each unit of the root of the sum of squares of coefficients,
/// and how much of it is let pass.
const ROUNDING: f64 = 1e-7;
const LARGEST_ERROR: f64 = 5e-4;

impl Machine<'_> {
    fn n_classes(&self) -> usize {
        self.n_support.len()
    }

    fn check(&self) -> Result<usize> {
        let k = self.n_classes();
        let n: usize = self.n_support.iter().map(|&count| count as usize).sum();
        if k < 2 || self.dual_coef.len() != (k - 1) * n || self.intercept.len() != k * (k - 1) / 2 {
            return Err(Error::Data(format!(
                "a machine of {k} classes and {n} support vectors must have as many coefficients \
                 against each other class and an intercept for each pair, got {} and {}",
                self.dual_coef.len(),
                self.intercept.len()
            )));
        }
        Ok(n)
    }

    /// Writes the decision values of all pairs of classes for each row of `x` to `out`.
    ///
    /// # Errors
    /// [`Error::Data`] when sizes do not fit or a value is not finite; what `poll` returns.
    pub fn decide(
        &self,
        kernel: KernelFunction,
        vectors: &[f32],
        (x, n_features): (&[f32], usize),
        out: &mut [f64],
        compute: Compute<'_>,
        poll: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let n = self.check()?;
        let n_pairs = self.intercept.len();
        if n_features == 0
            || vectors.len() != n * n_features
            || !x.len().is_multiple_of(n_features)
            || out.len() != x.len() / n_features * n_pairs
        {
            return Err(Error::Data(format!(
                "rows and support vectors must have the same {n_features} features, got {} and {} \
                 values",
                x.len(),
                vectors.len()
            )));
        }
        check_finite(x, n_features)?;
        let classes = self.by_class(vectors, n_features);
        let squares: f64 = self.dual_coef.iter().map(|value| value * value).sum();
        let exact = ROUNDING * squares.sqrt() * scale(kernel, vectors, n_features) <= LARGEST_ERROR;
        let precision = if exact { Precision::Single } else { Precision::Double };
        let rows = x.chunks(CHUNK * n_features);
        let mut work: Vec<_> = rows.zip(out.chunks_mut(CHUNK * n_pairs)).collect();
        let long = x.len() / n_features * n > 1 << 22;
        let mut run = |stopped: &(dyn Fn() -> bool + Sync)| {
            compute.team.for_each_of(x.len() * n > 1 << 16, &mut work, |_, (x, out)| {
                if !stopped() {
                    let classes = &classes;
                    let sums = sums_of(classes, (kernel, precision), (x, n_features), compute.isa);
                    self.combine(&sums, out);
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

    /// The same from kernel values of each row with each of `width` training rows, of which
    /// `support` are support vectors.
    ///
    /// # Errors
    /// [`Error::Data`] when sizes do not fit.
    pub fn decide_from_kernel(
        &self,
        support: &[u32],
        (values, width): (&[f64], usize),
        out: &mut [f64],
    ) -> Result<()> {
        let n = self.check()?;
        let (k, n_pairs) = (self.n_classes(), self.intercept.len());
        let inside = support.iter().all(|&row| (row as usize) < width);
        if support.len() != n
            || !inside
            || width == 0
            || out.len() * width != values.len() * n_pairs
        {
            return Err(Error::Data(format!(
                "kernel values must have a column for each of {width} training rows, got {} values \
                 for {n} support vectors",
                values.len()
            )));
        }
        let mut sums = vec![0.0; k * (k - 1) * LANES];
        for (row, out) in values.chunks_exact(width).zip(out.chunks_exact_mut(n_pairs)) {
            sums.fill(0.0);
            let mut at = 0;
            for (class, &count) in self.n_support.iter().enumerate() {
                for &vector in &support[at..at + count as usize] {
                    for against in 0..k - 1 {
                        sums[(class * (k - 1) + against) * LANES] +=
                            self.dual_coef[against * n + at] * row[vector as usize];
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
    fn by_class(&self, vectors: &[f32], n_features: usize) -> Vec<Weighted> {
        let n: usize = self.n_support.iter().map(|&count| count as usize).sum();
        let mut first = 0;
        let of_class = |&count: &u32| {
            let (start, count) = (first, count as usize);
            first += count;
            let tiles = Tiles::of(vectors, n_features, start..start + count);
            let all: Vec<u32> = (0..count as u32).collect();
            Weighted::new(&tiles, &all, self.n_classes() - 1, |at, against| {
                self.dual_coef[against * n + start + at]
            })
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
            let values = pairs(k).into_iter().zip(self.intercept).zip(out);
            for (((a, b), intercept), out) in values {
                let (a, b) = (a as usize, b as usize);
                *out = sum(a, b - 1) + sum(b, a) + intercept;
            }
        }
    }
}

/// The largest kernel value of a support vector with itself.
fn scale(kernel: KernelFunction, vectors: &[f32], n_features: usize) -> f64 {
    let square = |row: &[f32]| row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>();
    let own = |row: &[f32]| kernel.own(square(row));
    vectors.chunks_exact(n_features).map(own).fold(0.0, f64::max)
}

/// For each class the sums over its support vectors: tile by tile, against each other class.
fn sums_of(
    classes: &[Weighted],
    (kernel, precision): (KernelFunction, Precision),
    (x, n_features): (&[f32], usize),
    isa: Isa,
) -> Vec<Vec<f64>> {
    let tiles = Tiles::of(x, n_features, 0..x.len() / n_features);
    let length = tiles.n_rows().next_multiple_of(LANES) * (classes.len() - 1);
    let of_class = |weighted: &Weighted| {
        let mut out = vec![0.0; length];
        isa.run(Sum { kernel, precision, weighted, tiles: &tiles, out: &mut out });
        out
    };
    classes.iter().map(of_class).collect()
}

struct Sum<'a> {
    kernel: KernelFunction,
    precision: Precision,
    weighted: &'a Weighted,
    tiles: &'a Tiles,
    out: &'a mut [f64],
}

impl Task for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let tiles = 0..self.tiles.n_rows().div_ceil(LANES);
        let rows = (self.tiles, tiles);
        self.weighted.add_products::<S>(self.kernel, self.precision, rows, self.out);
    }
}
