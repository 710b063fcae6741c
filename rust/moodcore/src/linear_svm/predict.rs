//! Scores of new rows.

use crate::memory::filled;
use crate::parallel::Compute;
use crate::{Error, Result, SparseRows};

/// Rows that one thread takes at a time.
const CHUNK: usize = 256;
/// Multiplications between two polls, for each thread.
const POLL: usize = 1 << 24;
/// Multiplications from which threads are worth starting.
const THREADED: usize = 1 << 19;
/// Rows whose sums are computed side by side. Each sum is a chain of additions, of which the CPU can
/// start another before one has ended.
const SIDE: usize = 8;

/// Writes the scores of each row of `x` to `out`, one for each row of `coef`: the intercept, and
/// then the products feature by feature, rounded one by one.
///
/// # Errors
/// [`Error::Data`] when sizes do not fit; what `poll` returns.
pub fn decide(
    (coef, intercept): (&[f64], &[f64]),
    (x, n_features): (&[f32], usize),
    out: &mut [f64],
    compute: Compute<'_>,
    poll: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let n_scores = intercept.len();
    if n_features == 0
        || coef.len() != n_scores * n_features
        || !x.len().is_multiple_of(n_features)
        || out.len() != x.len() / n_features * n_scores
    {
        return Err(Error::Data(format!(
            "rows of {n_features} features need as many weights for each of {n_scores} scores, got \
             {} weights",
            coef.len()
        )));
    }
    let work = n_features * n_scores.max(1);
    let wave = (POLL / work).max(CHUNK) * compute.team.threads();
    for (x, out) in x.chunks(wave * n_features).zip(out.chunks_mut(wave * n_scores)) {
        let rows = x.chunks(CHUNK * n_features);
        let mut parts: Vec<_> = rows.zip(out.chunks_mut(CHUNK * n_scores)).collect();
        let enough = x.len() * n_scores > THREADED;
        compute.team.for_each_of(enough, &mut parts, |_, (x, out)| {
            decide_chunk((coef, intercept), (x, n_features), out);
        });
        poll()?;
    }
    Ok(())
}

/// The scores of one chunk of rows.
fn decide_chunk(
    (coef, intercept): (&[f64], &[f64]),
    (x, n_features): (&[f32], usize),
    out: &mut [f64],
) {
    let n_scores = intercept.len();
    let mut columns = filled([0.0; SIDE], n_features);
    for (x, out) in x.chunks(SIDE * n_features).zip(out.chunks_mut(SIDE * n_scores)) {
        for (row, x) in x.chunks_exact(n_features).enumerate() {
            for (column, &x) in columns.iter_mut().zip(x) {
                column[row] = f64::from(x);
            }
        }
        for (score, (weights, &intercept)) in
            coef.chunks_exact(n_features).zip(intercept).enumerate()
        {
            let mut sums = [intercept; SIDE];
            for (column, weight) in columns.iter().zip(weights) {
                for (sum, x) in sums.iter_mut().zip(column) {
                    *sum += x * weight;
                }
            }
            // The last rows of a table fill only some of the sums.
            for (out, sum) in out.chunks_exact_mut(n_scores).zip(sums) {
                out[score] = sum;
            }
        }
    }
}

/// Writes the scores of sparse rows as [`decide`] does.
///
/// # Errors
/// [`Error::Data`] when sizes do not fit.
pub fn decide_sparse(
    (coef, intercept): (&[f64], &[f64]),
    rows: SparseRows<'_>,
    out: &mut [f64],
) -> Result<()> {
    let (n_scores, n_features) = (intercept.len(), rows.n_features());
    if coef.len() != n_scores * n_features || out.len() != rows.n_rows() * n_scores {
        return Err(Error::Data(format!(
            "rows of {n_features} features need as many weights for each of {n_scores} scores, got \
             {} weights",
            coef.len()
        )));
    }
    for (row, out) in out.chunks_exact_mut(n_scores.max(1)).enumerate() {
        let (columns, values) = rows.row(row);
        let weights = coef.chunks_exact(n_features.max(1)).zip(intercept);
        for ((weights, intercept), out) in weights.zip(out) {
            let entries = columns.iter().zip(values);
            let products = entries.map(|(&column, &x)| f64::from(x) * weights[column as usize]);
            *out = products.fold(*intercept, |sum, product| sum + product);
        }
    }
    Ok(())
}
