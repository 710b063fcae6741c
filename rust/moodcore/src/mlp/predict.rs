//! Scores for new samples.

use super::network::Network;
use super::step::{BLOCK, Workspace, forward_mean};
use crate::kernels::{LANES, ScoreKind, Simd, Task, class_scores};
use crate::memory::filled;
use crate::monitor::Monitor;
use crate::parallel::Compute;
use crate::{Error, Result};

/// Blocks between two polls of the monitor, for each thread.
const BLOCKS_A_POLL: usize = 64;

/// Writes one row of mean scores of the networks for each row of `x` (row-major, finite) to `out`, `n x n_classes`.
/// Rows whose scores overflow are NaN.
///
/// Probabilities are brought to a sum of one in double precision.
///
/// # Errors
/// [`Error::Data`] when sizes do not fit the network; whatever the monitor stops with.
pub fn predict(
    network: &Network,
    weights: &[f32],
    x: &[f32],
    kind: ScoreKind,
    out: &mut [f64],
    compute: Compute<'_>,
    monitor: &mut dyn Monitor,
) -> Result<()> {
    let (features, classes) = (network.n_features, network.head.n_classes);
    let n_rows = x.len() / features;
    let fits = x.len() == n_rows * features && out.len() == n_rows * classes;
    if !fits || weights.len() != network.total_len() {
        return Err(Error::Data(format!(
            "X holds {} values and the output {}, the network has {features} features and \
             {classes} classes",
            x.len(),
            out.len()
        )));
    }
    let mut workspaces = filled(Workspace::new(network, false), compute.team.threads());
    let share = BLOCKS_A_POLL * BLOCK;
    let wave = share * workspaces.len();
    for (x, out) in x.chunks(wave * features).zip(out.chunks_mut(wave * classes)) {
        let parts = x.chunks(share * features).zip(out.chunks_mut(share * classes));
        let mut parts: Vec<_> = parts.zip(&mut workspaces).collect();
        compute.team.for_each(&mut parts, |_, ((x, out), ws)| {
            compute.isa.run(PredictTask { network, weights, x, kind, out, ws });
        });
        monitor.poll()?;
    }
    Ok(())
}

/// One thread's share of [`predict`].
struct PredictTask<'t> {
    network: &'t Network,
    weights: &'t [f32],
    x: &'t [f32],
    kind: ScoreKind,
    out: &'t mut [f64],
    ws: &'t mut Workspace,
}

impl Task for PredictTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let (network, ws) = (self.network, self.ws);
        let (features, classes) = (network.n_features, network.head.n_classes);
        for (at, row) in ws.rows_mut(0, BLOCK).iter_mut().enumerate() {
            *row = at as u32;
        }
        let blocks = self.x.chunks(BLOCK * features).zip(self.out.chunks_mut(BLOCK * classes));
        for (x, out) in blocks {
            let count = x.len() / features;
            ws.load_features::<S>(x, features, count);
            forward_mean::<S>(network, self.weights, ws, count);
            let unless_finite = not_finite(ws);
            let shape = (classes, count.div_ceil(LANES));
            class_scores::<S>(shape, (&mut ws.scores, BLOCK), self.kind);
            for (at, out) in out.chunks_exact_mut(classes).enumerate() {
                if unless_finite[at] != 0.0 {
                    out.fill(f64::NAN);
                    continue;
                }
                let scores = ws.scores_of(at);
                out.iter_mut().zip(scores).for_each(|(out, score)| *out = f64::from(score));
                if self.kind == ScoreKind::Probability {
                    let sum: f64 = out.iter().sum();
                    out.iter_mut().for_each(|p| *p /= sum);
                }
            }
        }
    }
}

/// Zero for each sample of a block whose scores before the softmax are finite, NaN for the others.
#[inline(always)]
fn not_finite(ws: &Workspace) -> [f32; BLOCK] {
    let mut sums = [0.0; BLOCK];
    for class in ws.scores.chunks_exact(BLOCK) {
        for (sum, score) in sums.iter_mut().zip(class) {
            *sum += score * 0.0;
        }
    }
    sums
}
