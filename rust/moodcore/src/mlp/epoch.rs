//! One epoch: shuffle the rows, split them into batches and blocks, update the weights.

use super::config::{Config, Optimizer};
use super::dropout::Dropout;
use super::network::{MEMBER_SHIFT, Network, State};
use super::schedule::ScheduleKind;
use super::step::{BLOCK, Workspace, backward, forward, forward_mean, loss};
use crate::kernels::{
    Adam, Aligned, BatchLoss, Momentum, Simd, Task, add_penalty_gradient, scale_weights,
    transpose_rows,
};
use crate::memory::{CollectVec, filled};
use crate::monitor::{Monitor, Pace};
use crate::parallel::Compute;
use crate::shuffle::Shuffle;
use crate::{Result, Samples};

/// Results of one epoch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pass {
    /// Sums over all samples.
    pub(super) sums: BatchLoss,
    /// Sum of all weights.
    pub(super) weight: f64,
    /// The update, counted from zero, whose loss was not finite; the pass ended before it.
    pub(super) diverged: Option<usize>,
}

/// The buffers of training, allocated once.
pub(super) struct Trainer<'a> {
    pub(super) config: &'a Config,
    pub(super) samples: Samples<'a>,
    /// The sum of the weights of all rows.
    total_weight: f64,
    pub(super) seed: u64,
    /// The first epoch of this training, where cosines begin.
    pub(super) first_epoch: usize,
    /// What this epoch drops, and how many of its rows were drawn.
    dropout: Option<Dropout>,
    drawn: usize,
    pub(super) compute: Compute<'a>,
    /// One for each thread.
    pub(super) workspaces: Vec<Workspace>,
    /// W^T of all hidden layers but the first, network by network.
    transposed: Vec<Aligned>,
    /// The batch's gradient where it has more than one block.
    total: Vec<f64>,
    pace: Pace,
}

impl<'a> Trainer<'a> {
    pub(super) fn new(
        config: &'a Config,
        samples: Samples<'a>,
        total_weight: Option<f64>,
        state: &State,
        seed: u64,
        compute: Compute<'a>,
    ) -> Self {
        let network = &state.network;
        let widths = network.hidden.windows(2).map(|pair| pair[0].row() * pair[1].row());
        let widths: Vec<usize> = widths.collect();
        let transposed = (0..network.n_networks).flat_map(|_| widths.iter().copied());
        let workspace = Workspace::new(network, config.dropout > 0.0);
        Trainer {
            config,
            samples,
            total_weight: total_weight.unwrap_or_else(|| samples.total_weight()),
            seed,
            first_epoch: state.epoch,
            dropout: None,
            drawn: 0,
            compute,
            workspaces: filled(workspace, compute.team.threads()),
            transposed: transposed.map(Aligned::zeros).collect(),
            total: filled(0.0, network.total_len()),
            pace: Pace::new(),
        }
    }

    /// Updates in one pass.
    pub(super) fn n_updates(&self) -> usize {
        self.samples.n_rows().div_ceil(self.batch())
    }

    fn batch(&self) -> usize {
        self.config.batch_size.resolve(self.samples.n_rows())
    }

    /// What the gradient of a batch of `count` rows is divided by: the weight that this many rows
    /// have on average. The weight of the batch itself would cancel the weights of its rows,
    /// wholly in batches of one row; this way, the expected step is that along the gradient of the
    /// weighted mean over all rows, whatever the size of batches.
    fn normalizer(&self, count: usize) -> f64 {
        let n_rows = self.samples.n_rows();
        if count == n_rows {
            self.total_weight
        } else if self.samples.is_weighted() {
            count as f64 * (self.total_weight / n_rows as f64)
        } else {
            count as f64
        }
    }

    /// The learning rate of an epoch.
    fn rate(&self, epoch: usize) -> f64 {
        let schedule = &self.config.learning_rate_schedule;
        // A cosine ends with its training, so that the next training begins a new one (Loshchilov
        // and Hutter 2017); the other schedules continue.
        let passed = match schedule.kind {
            ScheduleKind::Cosine => epoch - self.first_epoch,
            _ => epoch,
        };
        self.config.learning_rate * schedule.scale(passed, self.config.epochs)
    }

    /// Runs the next epoch of `state`, or its first `limit` updates; `update_loss` receives the
    /// mean loss of every batch.
    pub(super) fn pass(
        &mut self,
        state: &mut State,
        limit: usize,
        update_loss: Option<&mut Vec<f32>>,
        monitor: &mut dyn Monitor,
    ) -> Result<Pass> {
        let isa = self.compute.isa;
        let pass = isa.run(EpochTask { trainer: self, state, limit, update_loss, monitor })?;
        state.epoch += 1;
        Ok(pass)
    }
}

/// [`Trainer::pass`], compiled for each instruction set.
struct EpochTask<'t, 'a> {
    trainer: &'t mut Trainer<'a>,
    state: &'t mut State,
    limit: usize,
    update_loss: Option<&'t mut Vec<f32>>,
    monitor: &'t mut dyn Monitor,
}

impl Task for EpochTask<'_, '_> {
    type Output = Result<Pass>;

    #[inline(always)]
    fn run<S: Simd>(mut self) -> Result<Pass> {
        let (config, samples) = (self.trainer.config, self.trainer.samples);
        let epoch = self.state.epoch;
        let rate = self.trainer.rate(epoch);
        let batch = self.trainer.batch();
        // A single batch has no order worth drawing.
        let shuffled = batch < samples.n_rows();
        let seed = self.trainer.seed;
        self.trainer.dropout = Dropout::of_epoch(config, &self.state.network, seed, epoch);
        self.trainer.drawn = 0;
        let order = |member: usize| {
            let index = (member as u64) << MEMBER_SHIFT | epoch as u64;
            let shuffle = shuffled.then(|| Shuffle::new(samples.n_rows(), seed, index));
            Order::new(samples.n_rows(), shuffle)
        };
        let mut orders = (0..self.state.network.n_networks).map(order).collect_vec();
        let mut pass = Pass::default();
        let mut left = samples.n_rows();
        for update in 0..self.trainer.n_updates().min(self.limit) {
            let count = batch.min(left);
            left -= count;
            let (sums, weight) = self.trainer.gradient::<S>(
                &self.state.network,
                &self.state.weights,
                &mut orders,
                count,
                self.monitor,
            )?;
            if !sums.loss.is_finite() {
                pass.diverged = Some(update);
                break;
            }
            let normalizer = self.trainer.normalizer(count);
            if let Some(losses) = &mut self.update_loss {
                losses.push((sums.loss / normalizer) as f32);
            }
            pass.sums.loss += sums.loss;
            pass.sums.correct += sums.correct;
            pass.weight += weight;
            self.trainer.update::<S>(self.state, rate, normalizer);
        }
        Ok(pass)
    }
}

/// A network's order of one epoch, a batch ahead: rows are far apart in memory, and a batch takes about
/// as long as fetching the next one's rows.
struct Order {
    /// Rows not yet drawn.
    left: usize,
    /// `None` where all rows are one batch, whose order does not matter.
    shuffle: Option<Shuffle>,
    /// The next row without a shuffle.
    next: u32,
    drawn: [u32; BLOCK],
    /// How many rows in `drawn` are still to be handed out; they are its first.
    waiting: usize,
}

impl Order {
    fn new(n_rows: usize, shuffle: Option<Shuffle>) -> Self {
        Order { left: n_rows, shuffle, next: 0, drawn: [0; BLOCK], waiting: 0 }
    }

    /// Gives the next rows; at most [`BLOCK`].
    #[inline(always)]
    fn fill<S: Simd>(&mut self, rows: &mut [u32]) {
        let count = rows.len();
        if self.waiting != count {
            debug_assert_eq!(self.waiting, 0);
            self.draw::<S>(count);
        }
        rows.copy_from_slice(&self.drawn[..count]);
        self.waiting = 0;
    }

    /// Draws the rows that the next [`Order::fill`] of the same `count` will give.
    #[inline(always)]
    fn look_ahead<S: Simd>(&mut self, count: usize) {
        self.draw::<S>(count.min(self.left));
    }

    /// The rows that are drawn and not yet handed out.
    #[inline(always)]
    fn ahead(&self) -> &[u32] {
        &self.drawn[..self.waiting]
    }

    #[inline(always)]
    fn draw<S: Simd>(&mut self, count: usize) {
        self.left -= count;
        self.waiting = count;
        let rows = &mut self.drawn[..count];
        match &mut self.shuffle {
            Some(shuffle) => shuffle.fill::<S>(rows),
            None => {
                for row in rows {
                    *row = self.next;
                    self.next += 1;
                }
            }
        }
    }
}

impl Trainer<'_> {
    /// Leaves the gradient of the next `count` samples' summed loss in the first workspace.
    #[inline(always)]
    fn gradient<S: Simd>(
        &mut self,
        network: &Network,
        weights: &[f32],
        orders: &mut [Order],
        count: usize,
        monitor: &mut dyn Monitor,
    ) -> Result<(BatchLoss, f64)> {
        if count <= BLOCK {
            let ws = &mut self.workspaces[0];
            ws.start = self.drawn;
            self.drawn += count;
            ws.clear_sums();
            for (member, order) in orders.iter_mut().enumerate() {
                let weights = network.member(member, weights);
                let transposed = network.transposed_mut(member, &mut self.transposed);
                order.fill::<S>(ws.rows_mut(member, count));
                ws.drop_outputs(network, member, self.dropout.as_ref(), count);
                ws.load::<S>(&self.samples, member, count);
                // The next batch's rows are fetched in thirds: the processor waits for few at a
                // time.
                order.look_ahead::<S>(count);
                let (first, rest) = order.ahead().split_at(order.ahead().len() / 3);
                let (second, third) = rest.split_at(rest.len() / 2);
                self.samples.prefetch::<S>(first);
                forward::<S>(network, weights, ws, count);
                self.samples.prefetch::<S>(second);
                let loss = loss::<S>(network, ws, count, self.config.label_smoothing as f32);
                ws.add_to_sums(loss, &self.samples, count);
                // The loss is one long chain of operations; beside it, the processor finds time
                // for what does not depend on it.
                self.samples.prefetch::<S>(third);
                transpose_weights::<S>(network, weights, transposed);
                backward::<S>(network, member, weights, transposed, ws, count);
            }
            self.pace.advance(count * network.work(), monitor)?;
            return Ok(ws.mean_sums(network.n_networks));
        }
        for member in 0..network.n_networks {
            let transposed = network.transposed_mut(member, &mut self.transposed);
            transpose_weights::<S>(network, network.member(member, weights), transposed);
        }
        self.gradient_of_blocks::<S>(network, weights, orders, count, monitor)
    }

    /// [`Trainer::gradient`] of a batch of several blocks, which threads share.
    #[inline(always)]
    fn gradient_of_blocks<S: Simd>(
        &mut self,
        network: &Network,
        weights: &[f32],
        orders: &mut [Order],
        count: usize,
        monitor: &mut dyn Monitor,
    ) -> Result<(BatchLoss, f64)> {
        let Compute { isa, team } = self.compute;
        let (mut sums, mut weight) = (BatchLoss::default(), 0.0);
        self.total.fill(0.0);
        let mut left = count;
        while left > 0 {
            let mut counts = Vec::with_capacity(self.workspaces.len());
            for ws in &mut self.workspaces {
                let count = BLOCK.min(left);
                if count > 0 {
                    for (member, order) in orders.iter_mut().enumerate() {
                        order.fill::<S>(ws.rows_mut(member, count));
                    }
                    ws.start = self.drawn;
                    self.drawn += count;
                    counts.push(count);
                    left -= count;
                }
            }
            let wave = &mut self.workspaces[..counts.len()];
            let shared = Shared {
                samples: &self.samples,
                network,
                weights,
                transposed: &self.transposed,
                dropout: self.dropout.as_ref(),
                smoothing: self.config.label_smoothing as f32,
            };
            team.for_each(wave, |at, ws| {
                isa.run(BlockTask { shared, ws, count: counts[at] });
            });
            for ws in wave.iter() {
                let (block_sums, block_weight) = ws.mean_sums(network.n_networks);
                sums.loss += block_sums.loss;
                sums.correct += block_sums.correct;
                weight += block_weight;
                for (total, &part) in self.total.iter_mut().zip(ws.gradient.iter()) {
                    *total += f64::from(part);
                }
            }
            self.pace.advance(counts.iter().sum::<usize>() * network.work(), monitor)?;
        }
        for (gradient, &total) in self.workspaces[0].gradient.iter_mut().zip(&self.total) {
            *gradient = total as f32;
        }
        Ok((sums, weight))
    }

    /// Steps along the gradient in the first workspace, a sum, divided by `normalizer`.
    #[inline(always)]
    fn update<S: Simd>(&mut self, state: &mut State, rate: f64, normalizer: f64) {
        let config = self.config;
        let gradient = &mut self.workspaces[0].gradient;
        if config.l1 > 0.0 || config.l2 > 0.0 {
            let (l1, l2) = ((config.l1 * normalizer) as f32, (config.l2 * normalizer) as f32);
            for range in state.network.weight_ranges() {
                let weights = &state.weights[range.clone()];
                add_penalty_gradient::<S>(l1, l2, weights, &mut gradient[range]);
            }
        }
        if config.l1 > 0.0 || config.l2 > 0.0 || config.weight_decay > 0.0 {
            // Only here may a weight shrink towards zero for ever, and become subnormal.
            let factor = (1.0 - rate * config.weight_decay) as f32;
            for range in state.network.weight_ranges() {
                scale_weights::<S>(factor, &mut state.weights[range]);
            }
        }
        let State { weights, velocity, square, .. } = state;
        match config.optimizer {
            Optimizer::Sgd => {
                let momentum = Momentum {
                    rate: (rate / normalizer) as f32,
                    momentum: config.momentum as f32,
                    nesterov: config.nesterov,
                };
                momentum.step::<S>(weights, velocity, gradient);
            }
            Optimizer::Adam => {
                state.updates += 1;
                let adam = adam(config, state.updates, rate, normalizer);
                adam.step::<S>(weights, (velocity, square), gradient);
            }
        }
    }
}

/// The constants of the `updates`-th step of Adam, counted from one.
fn adam(config: &Config, updates: u64, rate: f64, normalizer: f64) -> Adam {
    let unbiased = |beta: f64| 1.0 - libm::pow(beta, updates as f64);
    Adam {
        rate: (rate / unbiased(config.momentum)) as f32,
        gradient_scale: (1.0 / normalizer) as f32,
        beta1: config.momentum as f32,
        beta2: config.beta2 as f32,
        root_scale: (1.0 / libm::sqrt(unbiased(config.beta2))) as f32,
        epsilon: config.epsilon as f32,
    }
}

/// Writes W^T of all hidden layers but the first.
#[inline(always)]
fn transpose_weights<S: Simd>(network: &Network, weights: &[f32], transposed: &mut [Aligned]) {
    for (pair, to) in network.hidden.windows(2).zip(transposed) {
        let from = &weights[pair[1].weights..pair[1].biases];
        let blocks = (pair[0].vectors, pair[1].vectors);
        transpose_rows::<S>(blocks, (from, pair[1].row()), (to, pair[0].row()));
    }
}

/// What the blocks of a batch share.
#[derive(Clone, Copy)]
struct Shared<'t> {
    samples: &'t Samples<'t>,
    network: &'t Network,
    weights: &'t [f32],
    transposed: &'t [Aligned],
    dropout: Option<&'t Dropout>,
    smoothing: f32,
}

/// Loss and gradient of one block, left in its workspace; compiled for each instruction set on its
/// own.
struct BlockTask<'t> {
    shared: Shared<'t>,
    ws: &'t mut Workspace,
    count: usize,
}

impl Task for BlockTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Shared { samples, network, weights, transposed, dropout, smoothing } = self.shared;
        let (ws, count) = (self.ws, self.count);
        ws.clear_sums();
        for member in 0..network.n_networks {
            let weights = network.member(member, weights);
            let transposed = network.transposed(member, transposed);
            ws.drop_outputs(network, member, dropout, count);
            ws.load::<S>(samples, member, count);
            forward::<S>(network, weights, ws, count);
            let loss = loss::<S>(network, ws, count, smoothing);
            ws.add_to_sums(loss, samples, count);
            backward::<S>(network, member, weights, transposed, ws, count);
        }
    }
}

/// Loss and accuracy of the mean scores of all samples under fixed weights: sums, and the sum of the weights.
pub(super) fn evaluate(
    network: &Network,
    weights: &[f32],
    samples: &Samples<'_>,
    compute: Compute<'_>,
    workspaces: &mut [Workspace],
) -> (BatchLoss, f64) {
    let blocks = samples.n_rows().div_ceil(BLOCK);
    let mut results = filled((BatchLoss::default(), 0.0), blocks);
    let share = blocks.div_ceil(workspaces.len());
    let mut parts: Vec<_> = results.chunks_mut(share).zip(workspaces).collect();
    compute.team.for_each(&mut parts, |at, (results, ws)| {
        compute.isa.run(EvaluateTask { network, weights, samples, first: at * share, results, ws });
    });
    results.iter().fold((BatchLoss::default(), 0.0), |(sums, weight), (part, part_weight)| {
        let loss = sums.loss + part.loss;
        (BatchLoss { loss, correct: sums.correct + part.correct }, weight + part_weight)
    })
}

/// One thread's share of [`evaluate`]: consecutive blocks from block `first`.
struct EvaluateTask<'t> {
    network: &'t Network,
    weights: &'t [f32],
    samples: &'t Samples<'t>,
    first: usize,
    results: &'t mut [(BatchLoss, f64)],
    ws: &'t mut Workspace,
}

impl Task for EvaluateTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let ws = self.ws;
        for (at, result) in self.results.iter_mut().enumerate() {
            let start = (self.first + at) * BLOCK;
            let count = BLOCK.min(self.samples.n_rows() - start);
            for (offset, row) in ws.rows_mut(0, count).iter_mut().enumerate() {
                *row = (start + offset) as u32;
            }
            ws.load::<S>(self.samples, 0, count);
            forward_mean::<S>(self.network, self.weights, ws, count);
            *result =
                (loss::<S>(self.network, ws, count, 0.0), ws.total_weight(self.samples, count));
        }
    }
}
