//! Kernel values among the rows of a problem, computed when they are needed.

use super::kernel_rows::RowSource;
use crate::kernels::{
    Isa, KernelFunction, LANES, Precision, Real, Simd, SparseList, SparseTile, SparseWeighted,
    Task, Tiles, Weighted,
};
use crate::memory::CollectVec;
use crate::parallel::Compute;
use std::sync::Arc;

/// Rows whose kernel values are added up at once by one thread: enough to be worth waking it.
const CHUNK: usize = 64 * LANES;

/// The kernel values among rows, as a function of their features or from a given matrix.
#[derive(Clone, Debug)]
pub(super) enum Gram<'a, T> {
    /// A function of the features.
    Function { kernel: KernelFunction, rows: Tiles<T>, scale: f64 },
    /// A function of the features of sparse rows; `rows` are those of the table that take part.
    Sparse {
        kernel: KernelFunction,
        table: Arc<SparseList<T>>,
        n_features: usize,
        rows: Vec<u32>,
        scale: f64,
    },
    /// Given; `rows` are those of the matrix that take part.
    Matrix { values: &'a [f64], width: usize, rows: Vec<u32>, scale: f64 },
}

impl<T: Real> Gram<'_, T> {
    /// How many rows there are.
    pub(super) fn n_rows(&self) -> usize {
        match self {
            Gram::Function { rows, .. } => rows.n_rows(),
            Gram::Sparse { rows, .. } | Gram::Matrix { rows, .. } => rows.len(),
        }
    }

    /// The size of the largest value of a row with itself.
    pub(super) fn scale(&self) -> f64 {
        match self {
            Gram::Function { scale, .. }
            | Gram::Sparse { scale, .. }
            | Gram::Matrix { scale, .. } => *scale,
        }
    }

    /// Rows and a function of them, if kernel values are computed from dense rows.
    pub(super) fn source(&self) -> Option<RowSource<'_, T>> {
        match self {
            Gram::Function { kernel, rows, .. } => Some(RowSource { kernel: *kernel, rows }),
            Gram::Sparse { .. } | Gram::Matrix { .. } => None,
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
            Gram::Sparse { kernel, table, n_features, rows, scale } => Gram::Sparse {
                kernel: *kernel,
                table: Arc::clone(table),
                n_features: *n_features,
                scale: *scale,
                rows: chosen.iter().map(|&row| rows[row as usize]).collect_vec(),
            },
            Gram::Matrix { values, width, rows, scale } => Gram::Matrix {
                values,
                width: *width,
                scale: *scale,
                rows: chosen.iter().map(|&row| rows[row as usize]).collect_vec(),
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
            Gram::Sparse { kernel, table, n_features, rows, .. } => {
                let rows: Vec<u32> = chosen.iter().map(|&row| rows[row as usize]).collect_vec();
                let weighted = weighted(*kernel, table, (&rows, None), stride);
                let rows = SparsePart { table, n_features: *n_features, rows: &rows };
                isa.run(SparseBlock { rows, weighted: &weighted, out, stride });
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
                let mut parts: Vec<_> = out.chunks_mut(CHUNK).collect_vec();
                compute.team.for_each_of(enough, &mut parts, |at, out| {
                    let first = at * CHUNK / LANES;
                    let tiles = first..first + out.len() / LANES;
                    isa.run(Products { kernel, weighted: &weighted, rows, tiles, precision, out });
                });
            }
            (
                Gram::Sparse { kernel, table, n_features, rows, .. },
                Gram::Sparse { rows: others, .. },
            ) => {
                let chosen: Vec<u32> = chosen.iter().map(|&row| others[row as usize]).collect_vec();
                let weighted = weighted(*kernel, table, (&chosen, Some(factors)), chosen.len());
                let mut parts: Vec<_> = out.chunks_mut(CHUNK).collect_vec();
                compute.team.for_each_of(enough, &mut parts, |at, out| {
                    let rows = &rows[at * CHUNK..rows.len().min((at + 1) * CHUNK)];
                    let rows = SparsePart { table, n_features: *n_features, rows };
                    let weighted = &weighted;
                    compute.isa.run(SparseProducts { rows, weighted, precision, out });
                });
            }
            (Gram::Matrix { values, width, rows, .. }, Gram::Matrix { rows: others, .. }) => {
                let mut parts: Vec<_> = out.chunks_mut(CHUNK).collect_vec();
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

/// Copies the chosen rows of a table and, behind them, empty ones up to `n_rows`.
fn weighted<T: Real>(
    kernel: KernelFunction,
    table: &SparseList<T>,
    (chosen, factors): (&[u32], Option<&[f64]>),
    n_rows: usize,
) -> SparseWeighted<T> {
    let mut rows = SparseList::default();
    for &row in chosen {
        let (features, values) = table.row(row as usize);
        rows.push(features.iter().copied().zip(values.iter().copied()));
    }
    for _ in chosen.len()..n_rows {
        rows.push(std::iter::empty());
    }
    let factor = |at: usize, _| factors.map_or(0.0, |factors| factors[at]);
    SparseWeighted::new(kernel, rows, Some(table.grain()), usize::from(factors.is_some()), factor)
}

/// Some rows of a sparse table.
#[derive(Clone, Copy)]
struct SparsePart<'a, T> {
    table: &'a SparseList<T>,
    n_features: usize,
    rows: &'a [u32],
}

impl<T: Real> SparsePart<'_, T> {
    fn n_tiles(&self) -> usize {
        self.rows.len().div_ceil(LANES)
    }

    /// Writes sixteen of the rows to a tile.
    fn load(&self, at: usize, tile: &mut SparseTile<T>) {
        let rows = &self.rows[at * LANES..self.rows.len().min((at + 1) * LANES)];
        let rows = rows.iter().map(|&row| self.table.row(row as usize));
        tile.load(rows, self.table.grain());
    }
}

struct SparseBlock<'a, T> {
    rows: SparsePart<'a, T>,
    weighted: &'a SparseWeighted<T>,
    out: &'a mut [T],
    stride: usize,
}

impl<T: Real> Task for SparseBlock<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let SparseBlock { rows, weighted, out, stride } = self;
        // A closure would be a function of its own, without the vector instructions.
        let mut tile = SparseTile::new(rows.n_features);
        for at in 0..rows.n_tiles() {
            rows.load(at, &mut tile);
            weighted.store_columns::<S>(&tile, (&mut out[at * LANES..], stride));
        }
    }
}

struct SparseProducts<'a, T> {
    rows: SparsePart<'a, T>,
    weighted: &'a SparseWeighted<T>,
    precision: Precision,
    out: &'a mut [f64],
}

impl<T: Real> Task for SparseProducts<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let SparseProducts { rows, weighted, precision, out } = self;
        let mut tile = SparseTile::new(rows.n_features);
        for at in 0..rows.n_tiles() {
            rows.load(at, &mut tile);
            weighted.add_products::<S>(precision, &tile, &mut out[at * LANES..][..LANES]);
        }
    }
}
