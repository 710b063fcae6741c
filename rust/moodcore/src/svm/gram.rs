//! Kernel values among the rows of a problem, computed when they are needed.

use crate::kernels::{Isa, KernelFunction, LANES, Precision, Real, Simd, Task, Tiles, Weighted};
use crate::parallel::Compute;

/// Rows whose kernel values are added up at once by one thread: enough to be worth waking it.
const CHUNK: usize = 64 * LANES;

/// The kernel values among rows, as a function of their features or from a given matrix.
#[derive(Clone, Debug)]
pub(super) enum Gram<'a, T> {
    /// A function of the features.
    Function { kernel: KernelFunction, rows: Tiles<T>, scale: f64 },
    /// Given; `rows` are those of the matrix that take part.
    Matrix { values: &'a [f64], width: usize, rows: Vec<u32>, scale: f64 },
}

impl<T: Real> Gram<'_, T> {
    /// How many rows there are.
    pub(super) fn n_rows(&self) -> usize {
        match self {
            Gram::Function { rows, .. } => rows.n_rows(),
            Gram::Matrix { rows, .. } => rows.len(),
        }
    }

    /// The size of the largest value of a row with itself.
    pub(super) fn scale(&self) -> f64 {
        match self {
            Gram::Function { scale, .. } | Gram::Matrix { scale, .. } => *scale,
        }
    }

    /// The kernel values among some of the rows.
    pub(super) fn select(&self, chosen: &[u32]) -> Self {
        match self {
            Gram::Function { kernel, rows, scale } => Gram::Function {
                kernel: *kernel,
                scale: *scale,
                rows: rows.select(chosen.iter().map(|&row| row as usize)),
            },
            Gram::Matrix { values, width, rows, scale } => Gram::Matrix {
                values,
                width: *width,
                scale: *scale,
                rows: chosen.iter().map(|&row| rows[row as usize]).collect(),
            },
        }
    }

    /// The values of each chosen row with each, `stride` apart.
    pub(super) fn block(&self, chosen: &[u32], isa: Isa, (out, stride): (&mut [T], usize)) {
        match self {
            Gram::Function { kernel, rows, .. } => {
                let tiles = rows.select(chosen.iter().map(|&row| row as usize));
                let weighted = Weighted::new(rows, chosen, 0, |_, _| 0.0);
                isa.run(Block { kernel: *kernel, tiles: &tiles, weighted: &weighted, out, stride });
            }
            Gram::Matrix { values, width, rows, .. } => {
                for (&a, out) in chosen.iter().zip(out.chunks_mut(stride)) {
                    let row = &values[rows[a as usize] as usize * width..];
                    for (&b, out) in chosen.iter().zip(out) {
                        *out = T::from_f64(row[rows[b as usize] as usize]);
                    }
                }
            }
        }
    }

    /// `out[r] += sum over j of factors[j] k(r, chosen[j])`, in the order of the chosen rows, which
    /// are rows of `of`.
    pub(super) fn add_products(
        &self,
        of: &Gram<'_, T>,
        (chosen, factors): (&[u32], &[f64]),
        precision: Precision,
        out: &mut [f64],
        compute: Compute<'_>,
    ) {
        let enough = chosen.len() * self.n_rows() > 1 << 16;
        match (self, of) {
            (Gram::Function { kernel, rows, .. }, Gram::Function { rows: others, .. }) => {
                let weighted = Weighted::new(others, chosen, 1, |at, _| factors[at]);
                let (isa, kernel) = (compute.isa, *kernel);
                let mut parts: Vec<_> = out.chunks_mut(CHUNK).collect();
                compute.team.for_each_of(enough, &mut parts, |at, out| {
                    let first = at * CHUNK / LANES;
                    let tiles = first..first + out.len() / LANES;
                    isa.run(Products { kernel, weighted: &weighted, rows, tiles, precision, out });
                });
            }
            (Gram::Matrix { values, width, rows, .. }, Gram::Matrix { rows: others, .. }) => {
                let mut parts: Vec<_> = out.chunks_mut(CHUNK).collect();
                compute.team.for_each_of(enough, &mut parts, |at, out| {
                    let rows = &rows[at * CHUNK..];
                    for (&j, &factor) in chosen.iter().zip(factors) {
                        let row = &values[others[j as usize] as usize * width..];
                        for (&r, out) in rows.iter().zip(out.iter_mut()) {
                            *out += factor * row[r as usize];
                        }
                    }
                });
            }
            _ => unreachable!("the rows of one problem are of one kind"),
        }
    }
}

struct Block<'a, T> {
    kernel: KernelFunction,
    tiles: &'a Tiles<T>,
    weighted: &'a Weighted<T>,
    out: &'a mut [T],
    stride: usize,
}

impl<T: Real> Task for Block<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        self.weighted.store_square::<S>(self.kernel, self.tiles, (self.out, self.stride));
    }
}

struct Products<'a, T> {
    kernel: KernelFunction,
    weighted: &'a Weighted<T>,
    rows: &'a Tiles<T>,
    tiles: std::ops::Range<usize>,
    precision: Precision,
    out: &'a mut [f64],
}

impl<T: Real> Task for Products<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let rows = (self.rows, self.tiles);
        self.weighted.add_products::<S>(self.kernel, self.precision, rows, self.out);
    }
}
