//! Forward and backward through one block of samples.
//!
//! Sizes: B samples, n inputs and M neurons of a layer (filled up to whole vectors), K classes.
//! Hidden activations `h` are (B, M), neurons in the lanes. Before the output layer they are
//! turned into (M, B), so that scores, softmax and loss have samples in the lanes and K = 4
//! classes waste nothing. All of a block lies in the first two cache levels.

use super::dropout::Dropout;
use super::network::{Hidden, Network};
use crate::Samples;
use crate::kernels::{
    Activate, ActivationGradient, Aligned, BatchLoss, Identity, LANES, Left, Relu, ReluGradient,
    Right, Simd, Start, Targets, gather_rows, matmul, matmul_and_sums, multiply, row_sums,
    softmax_loss, transpose_rows,
};
use crate::memory::filled;

/// Samples in a block. Larger batches are cut into blocks, whose gradients are added in double
/// precision in the order of the blocks: by size alone, so that the number of threads that share
/// the blocks changes nothing.
pub(super) const BLOCK: usize = 128;

/// Probabilities of at most 2^-100 of the largest have no gradient. They count for nothing, and
/// their products with weights and learning rates would be subnormal, below 2^-126.
const TAIL: f32 = 1.0 / (1_u128 << 100) as f32;

/// One hidden layer's share of a [`Workspace`].
#[derive(Clone, Debug)]
struct Activity {
    /// Outputs (B, M).
    h: Aligned,
    /// Gradient of the loss by the inputs of the layer's activation function, (B, M).
    delta: Aligned,
    /// Factors of the outputs under dropout, and the outputs times them, (B, M); empty without it.
    mask: Aligned,
    kept: Aligned,
}

impl Activity {
    /// What the next layer computes with.
    #[inline(always)]
    fn output(&self, dropped: bool) -> &Aligned {
        if dropped { &self.kept } else { &self.h }
    }
}

/// All that one thread needs for a block, allocated once.
#[derive(Clone, Debug)]
pub(super) struct Workspace {
    /// Which samples are in the block, [`BLOCK`] for each network.
    rows: Vec<u32>,
    /// The position of the block's first row in the order of the epoch.
    pub(super) start: usize,
    /// Whether `mask` applies.
    dropped: bool,
    /// Their features (B, n), rows filled up with zeros.
    x: Aligned,
    label: Aligned,
    weight: Aligned,
    activity: Vec<Activity>,
    /// Inputs of the output layer, (M, B).
    transposed: Aligned,
    /// Scores of the classes, then their gradient, (K, B).
    pub(super) scores: Aligned,
    /// Sums of the scores of several networks, (K, B); empty for one network.
    sums: Aligned,
    /// Gradient of the block's summed losses, laid out as the weights.
    pub(super) gradient: Aligned,
    /// The block's summed loss, and the sum of its weights, each summed over the networks.
    loss: BatchLoss,
    loss_weight: f64,
}

impl Workspace {
    /// Allocates the buffers; those of dropout only `with_dropout`.
    pub(super) fn new(network: &Network, with_dropout: bool) -> Self {
        let zeros = |count: usize| Aligned::zeros(count * BLOCK);
        let dropped = |count: usize| zeros(if with_dropout { count } else { 0 });
        let activity = |layer: &Hidden| Activity {
            h: zeros(layer.row()),
            delta: zeros(layer.row()),
            mask: dropped(layer.row()),
            kept: dropped(layer.row()),
        };
        Workspace {
            rows: filled(0, BLOCK * network.n_networks),
            start: 0,
            dropped: false,
            x: zeros(network.n_features.next_multiple_of(LANES)),
            label: zeros(1),
            weight: zeros(1),
            activity: network.hidden.iter().map(activity).collect(),
            transposed: zeros(network.head.row()),
            scores: zeros(network.head.n_classes),
            sums: zeros(if network.n_networks > 1 { network.head.n_classes } else { 0 }),
            gradient: Aligned::zeros(network.total_len()),
            loss: BatchLoss::default(),
            loss_weight: 0.0,
        }
    }

    /// The first `count` rows of the block of network `member`, to be written.
    #[inline(always)]
    pub(super) fn rows_mut(&mut self, member: usize, count: usize) -> &mut [u32] {
        &mut self.rows[member * BLOCK..][..count]
    }

    /// The scores of the `at`-th sample of the block, class by class.
    pub(super) fn scores_of(&self, at: usize) -> impl Iterator<Item = f32> + '_ {
        self.scores.chunks_exact(BLOCK).map(move |class| class[at])
    }

    /// Gathers the first `count` samples of network `member`; lanes past the last one weigh nothing.
    #[inline(always)]
    pub(super) fn load<S: Simd>(&mut self, samples: &Samples<'_>, member: usize, count: usize) {
        let rows = &self.rows[member * BLOCK..][..count];
        samples.gather_features::<S>(rows, &mut self.x);
        samples.gather_targets(rows, &mut self.label, &mut self.weight);
        self.weight[count..count.next_multiple_of(LANES)].fill(0.0);
    }

    /// Gathers the first `count` rows of `x`, which has `n_features` columns.
    #[inline(always)]
    pub(super) fn load_features<S: Simd>(&mut self, x: &[f32], n_features: usize, count: usize) {
        gather_rows::<S>(x, n_features, &self.rows[..count], &mut self.x);
    }

    /// Draws which outputs of the hidden layers of network `member` the next passes drop.
    #[inline(always)]
    pub(super) fn drop_outputs(
        &mut self,
        network: &Network,
        member: usize,
        dropout: Option<&Dropout>,
        count: usize,
    ) {
        self.dropped = dropout.is_some();
        let Some(dropout) = dropout else { return };
        let layers = network.hidden.iter().zip(&mut self.activity);
        for (index, (layer, activity)) in layers.enumerate() {
            let row = layer.row();
            dropout.fill(
                member * network.hidden.len() + index,
                self.start,
                row,
                &mut activity.mask[..count * row],
            );
        }
    }

    /// Sets the sums of [`Workspace::add_to_sums`] to zero.
    #[inline(always)]
    pub(super) fn clear_sums(&mut self) {
        (self.loss, self.loss_weight) = (BatchLoss::default(), 0.0);
    }

    /// Adds the loss of one network on the first `count` samples, which came from `samples`.
    #[inline(always)]
    pub(super) fn add_to_sums(&mut self, loss: BatchLoss, samples: &Samples<'_>, count: usize) {
        self.loss.loss += loss.loss;
        self.loss.correct += loss.correct;
        self.loss_weight += self.total_weight(samples, count);
    }

    /// The means over the networks of the block's summed loss and of its sum of weights.
    #[inline(always)]
    pub(super) fn mean_sums(&self, n_networks: usize) -> (BatchLoss, f64) {
        let share = 1.0 / n_networks as f64;
        let BatchLoss { loss, correct } = self.loss;
        (BatchLoss { loss: loss * share, correct: correct * share }, self.loss_weight * share)
    }

    /// The sum of the weights of the first `count` samples, which came from `samples`.
    #[inline(always)]
    pub(super) fn total_weight(&self, samples: &Samples<'_>, count: usize) -> f64 {
        if samples.is_weighted() {
            self.weight[..count].iter().map(|&weight| f64::from(weight)).sum()
        } else {
            count as f64
        }
    }
}

/// From features to the mean scores of all networks, without dropout.
#[inline(always)]
pub(super) fn forward_mean<S: Simd>(
    network: &Network,
    weights: &[f32],
    ws: &mut Workspace,
    count: usize,
) {
    ws.dropped = false;
    for (member, weights) in weights.chunks_exact(network.len).enumerate() {
        forward::<S>(network, weights, ws, count);
        let Workspace { sums, scores, .. } = ws;
        if member == 0 {
            let len = sums.len();
            sums.copy_from_slice(&scores[..len]);
        } else {
            sums.iter_mut().zip(scores.iter()).for_each(|(sum, score)| *sum += score);
        }
    }
    let share = 1.0 / network.n_networks as f32;
    ws.scores.iter_mut().zip(ws.sums.iter()).for_each(|(score, sum)| *score = sum * share);
}

/// From features to scores of one network: `h = f(a W + b)` layer by layer, then `z = h W + b`.
#[inline(always)]
pub(super) fn forward<S: Simd>(
    network: &Network,
    weights: &[f32],
    ws: &mut Workspace,
    count: usize,
) {
    let (mut input, mut input_row) = (&ws.x[..], network.n_features.next_multiple_of(LANES));
    for (layer, activity) in network.hidden.iter().zip(&mut ws.activity) {
        let row = layer.row();
        let shape = (count, layer.inputs, layer.vectors);
        let left = Left { data: input, row: input_row, column: 1 };
        let right = Right { data: &weights[layer.weights..layer.biases], row };
        let start = Start::Columns(&weights[layer.biases..][..row]);
        let out = (&mut activity.h[..], row);
        match network.activation.curve() {
            None => matmul::<S, _>(shape, left, right, start, out, Relu),
            Some(curve) => matmul::<S, _>(shape, left, right, start, out, Activate(curve)),
        }
        if ws.dropped {
            let kept = &mut activity.kept[..count * row];
            kept.copy_from_slice(&activity.h[..count * row]);
            multiply::<S>(kept, &activity.mask[..count * row]);
        }
        (input, input_row) = (activity.output(ws.dropped), row);
    }
    let head = &network.head;
    let vectors = count.div_ceil(LANES);
    transpose_rows::<S>((vectors, head.vectors), (input, input_row), (&mut ws.transposed, BLOCK));
    matmul::<S, _>(
        (head.n_classes, head.inputs, vectors),
        Left { data: &weights[head.weights..head.biases], row: head.row(), column: 1 },
        Right { data: &ws.transposed, row: BLOCK },
        Start::Rows(&weights[head.biases..]),
        (&mut ws.scores, BLOCK),
        Identity,
    );
}

/// Loss of the block from its scores; leaves the gradient by the scores in their place.
#[inline(always)]
pub(super) fn loss<S: Simd>(
    network: &Network,
    ws: &mut Workspace,
    count: usize,
    smoothing: f32,
) -> BatchLoss {
    let targets = Targets { smoothing, tail: TAIL, ..Targets::new(&ws.label, &ws.weight) };
    let shape = (network.head.n_classes, count.div_ceil(LANES));
    softmax_loss::<S>(shape, (&mut ws.scores, BLOCK), targets)
}

/// From the gradient by the scores to the part of network `member` in `ws.gradient` (Bishop 2006, equations 5.53 to 5.56):
/// `dW = a^T delta`, `db = sum of delta`, and `delta_before = (delta W^T) . f'(h_before)`.
/// `transposed` holds the W^T of all hidden layers but the first.
#[inline(always)]
pub(super) fn backward<S: Simd>(
    network: &Network,
    member: usize,
    weights: &[f32],
    transposed: &[Aligned],
    ws: &mut Workspace,
    count: usize,
) {
    let x_row = network.n_features.next_multiple_of(LANES);
    let first = member * network.len;
    head_gradient::<S>(network, first, weights, ws, count, x_row);
    for index in (0..network.hidden.len()).rev() {
        let layer = &network.hidden[index];
        let row = layer.row();
        let (before, here) = ws.activity.split_at_mut(index);
        let delta = &here[0].delta;
        let (input, input_row) = match before.last() {
            None => (&ws.x, x_row),
            Some(below) => (below.output(ws.dropped), network.hidden[index - 1].row()),
        };
        let (weights, biases) =
            ws.gradient[first + layer.weights..].split_at_mut(layer.biases - layer.weights);
        matmul_and_sums::<S>(
            (layer.inputs, count, layer.vectors),
            Left { data: input, row: 1, column: input_row },
            Right { data: delta, row },
            (weights, row),
            biases,
        );
        if let Some(below) = before.last_mut() {
            pass_back::<S>(
                network,
                (count, layer.width, network.hidden[index - 1].vectors),
                Left { data: delta, row, column: 1 },
                Right { data: &transposed[index - 1], row: input_row },
                below,
                ws.dropped,
            );
        }
    }
}

/// Passes the gradient back through the outputs of a hidden layer: `delta` of that layer.
#[inline(always)]
fn pass_back<S: Simd>(
    network: &Network,
    shape: (usize, usize, usize),
    left: Left<'_>,
    right: Right<'_>,
    below: &mut Activity,
    dropped: bool,
) {
    let (count, _, vectors) = shape;
    let row = vectors * LANES;
    let Activity { h, delta, mask, .. } = below;
    let out = (&mut delta[..], row);
    match network.activation.curve() {
        None => {
            let epilogue = ReluGradient { activation: h };
            matmul::<S, _>(shape, left, right, Start::Zero, out, epilogue);
        }
        Some(curve) => {
            let epilogue = ActivationGradient { curve, activation: h };
            matmul::<S, _>(shape, left, right, Start::Zero, out, epilogue);
        }
    }
    if dropped {
        multiply::<S>(&mut delta[..count * row], &mask[..count * row]);
    }
}

/// The output layer's part of [`backward`]: its own gradient, and delta of the last hidden layer.
/// The gradient of the network begins at `first`.
#[inline(always)]
fn head_gradient<S: Simd>(
    network: &Network,
    first: usize,
    weights: &[f32],
    ws: &mut Workspace,
    count: usize,
    x_row: usize,
) {
    let head = &network.head;
    let row = head.row();
    let own = &weights[head.weights..head.biases];
    let input = match ws.activity.last_mut() {
        None => {
            debug_assert_eq!(x_row, row);
            &ws.x
        }
        Some(last) => {
            pass_back::<S>(
                network,
                (count, head.n_classes, head.vectors),
                Left { data: &ws.scores, row: 1, column: BLOCK },
                Right { data: own, row },
                last,
                ws.dropped,
            );
            last.output(ws.dropped)
        }
    };
    matmul::<S, _>(
        (head.n_classes, count, head.vectors),
        Left { data: &ws.scores, row: BLOCK, column: 1 },
        Right { data: input, row },
        Start::Zero,
        (&mut ws.gradient[first + head.weights..first + head.biases], row),
        Identity,
    );
    let biases = &mut ws.gradient[first + head.biases..][..head.n_classes];
    row_sums::<S>(count.div_ceil(LANES), (&ws.scores, BLOCK), biases);
}
