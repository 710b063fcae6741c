//! Decision values for new rows.

use super::fit::pairs;
use crate::data::check_finite;
use crate::kernels::{Isa, KernelFunction, LANES, Precision, Simd, Task, Tiles, Weighted};
use crate::parallel::{Compute, attended};
use crate::{Error, Result};
use std::sync::atomic::Ordering;

/// A fitted support vector machine, apart from its support vectors.
#[derive(Clone, Debug)]
pub struct Machine {
    n_support: Vec<u32>,
    dual_coef: Vec<f64>,
    intercept: Vec<f64>,
}

/// Support vectors in the layout in which decisions read them.
#[derive(Clone, Debug)]
pub struct SupportVectors {
    kernel: KernelFunction,
    precision: Precision,
    n_features: usize,
    /// The vectors of each class with their coefficients against the others.
    classes: Vec<Weighted>,
}

/// Rows that one thread takes at a time.
const CHUNK: usize = 32 * LANES;
/// The error of single precision, for each unit of the root of the sum of squares of coefficients,
/// and how much of it is let pass.
const ROUNDING: f64 = 1e-7;
const LARGEST_ERROR: f64 = 5e-4;

impl Machine {
    /// Checks that the parts fit together: the number of support vectors of each class,
    /// coefficients as in [`super::Fitted::dual_coef`], and an intercept for each pair of classes.
    ///
    /// # Errors
    /// [`Error::Data`] when sizes do not fit.
    pub fn new(n_support: Vec<u32>, dual_coef: Vec<f64>, intercept: Vec<f64>) -> Result<Self> {
        let machine = Machine { n_support, dual_coef, intercept };
        let (k, n) = (machine.n_classes(), machine.n_vectors());
        let n_pairs = k * k.saturating_sub(1) / 2;
        if k < 2 || machine.dual_coef.len() != (k - 1) * n || machine.intercept.len() != n_pairs {
            return Err(Error::Data(format!(
                "a model of {k} classes and {n} support vectors must have as many coefficients \
                 against each other class and an intercept for each pair, got {} and {}",
                machine.dual_coef.len(),
                machine.intercept.len()
            )));
        }
        Ok(machine)
    }

    /// The number of classes.
    pub fn n_classes(&self) -> usize {
        self.n_support.len()
    }

    /// The number of support vectors.
    pub fn n_vectors(&self) -> usize {
        self.n_support.iter().map(|&count| count as usize).sum()
    }

    /// How many support vectors each class has.
    pub fn n_support(&self) -> &[u32] {
        &self.n_support
    }

    /// Coefficients as in [`super::Fitted::dual_coef`].
    pub fn dual_coef(&self) -> &[f64] {
        &self.dual_coef
    }

    /// What is added for each pair of classes.
    pub fn intercept(&self) -> &[f64] {
        &self.intercept
    }

    /// Lays out the support vectors, class by class, for decisions.
    ///
    /// # Errors
    /// [`Error::Data`] when their number is another.
    pub fn lay_out(
        &self,
        kernel: KernelFunction,
        vectors: &[f32],
        n_features: usize,
    ) -> Result<SupportVectors> {
        let n = self.n_vectors();
        if n_features == 0 || vectors.len() != n * n_features {
            return Err(Error::Data(format!(
                "{n} support vectors of {n_features} features must have as many values, got {}",
                vectors.len()
            )));
        }
        let squares: f64 = self.dual_coef.iter().map(|value| value * value).sum();
        let exact = ROUNDING * squares.sqrt() * scale(kernel, vectors, n_features) <= LARGEST_ERROR;
        let precision = if exact { Precision::Single } else { Precision::Double };
        let classes = self.by_class(vectors, n_features);
        Ok(SupportVectors { kernel, precision, n_features, classes })
    }

    /// Writes the decision values of all pairs of classes for each row of `x` to `out`.
    ///
    /// # Errors
    /// [`Error::Data`] when sizes do not fit or a value is not finite; what `poll` returns.
    pub fn decide(
        &self,
        vectors: &SupportVectors,
        (x, n_features): (&[f32], usize),
        out: &mut [f64],
        compute: Compute<'_>,
        poll: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let n_pairs = self.intercept.len();
        if n_features != vectors.n_features
            || !x.len().is_multiple_of(n_features)
            || out.len() != x.len() / n_features * n_pairs
        {
            return Err(Error::Data(format!(
                "rows must have the {} features of the support vectors, got {} values in rows of \
                 {n_features}",
                vectors.n_features,
                x.len()
            )));
        }
        check_finite(x, n_features)?;
        let n = self.n_vectors();
        let rows = x.chunks(CHUNK * n_features);
        let mut work: Vec<_> = rows.zip(out.chunks_mut(CHUNK * n_pairs)).collect();
        let long = x.len() / n_features * n > 1 << 22;
        let mut run = |stopped: &(dyn Fn() -> bool + Sync)| {
            compute.team.for_each_of(x.len() * n > 1 << 16, &mut work, |_, (x, out)| {
                if !stopped() {
                    self.combine(&vectors.sums(x, compute.isa), out);
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
        let mut sums = vec![0.0; k * (k - 1) * LANES];
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
    fn by_class(&self, vectors: &[f32], n_features: usize) -> Vec<Weighted> {
        let n = self.n_vectors();
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
            let values = pairs(k).into_iter().zip(&self.intercept).zip(out);
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

impl SupportVectors {
    /// For each class the sums over its support vectors: tile by tile, against each other class.
    fn sums(&self, x: &[f32], isa: Isa) -> Vec<Vec<f64>> {
        let tiles = Tiles::of(x, self.n_features, 0..x.len() / self.n_features);
        let length = tiles.n_rows().next_multiple_of(LANES) * (self.classes.len() - 1);
        let of_class = |weighted: &Weighted| {
            let mut out = vec![0.0; length];
            let (kernel, precision) = (self.kernel, self.precision);
            isa.run(Sum { kernel, precision, weighted, tiles: &tiles, out: &mut out });
            out
        };
        self.classes.iter().map(of_class).collect()
    }
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
