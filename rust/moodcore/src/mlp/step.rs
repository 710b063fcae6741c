//! Forward and backward through one block of samples.
//!
//! Sizes: B samples, n inputs and M neurons of a layer (filled up to whole vectors), K classes.
//! Hidden activations `h` are (B, M), neurons in the lanes. Before the output layer they are
//! turned into (M, B), so that scores, softmax and loss have samples in the lanes and K = 4
//! classes waste nothing. All of a block lies in the first two cache levels.

use super::network::Network;
use crate::Samples;
use crate::kernels::{
    Aligned, BatchLoss, Identity, LANES, Left, Relu, ReluGradient, Right, Simd, Start, Targets,
    gather_rows, matmul, matmul_and_sums, row_sums, softmax_loss, transpose_rows,
};

/// Samples in a block. Larger batches are cut into blocks, whose gradients are added in double
/// precision in the order of the blocks: by size alone, so that the number of threads that share
/// the blocks changes nothing.
pub(super) const BLOCK: usize = 128;

/// One hidden layer's share of a [`Workspace`].
#[derive(Clone, Debug)]
struct Activity {
    /// Outputs (B, M).
    h: Aligned,
    /// Gradient of the loss by the layer's inputs to its ReLU, (B, M).
    delta: Aligned,
}

/// All that one thread needs for a block, allocated once.
#[derive(Clone, Debug)]
pub(super) struct Workspace {
    /// Which samples are in the block.
    pub(super) rows: Vec<u32>,
    /// Their features (B, n), rows filled up with zeros.
    x: Aligned,
    label: Aligned,
    weight: Aligned,
    activity: Vec<Activity>,
    /// Inputs of the output layer, (M, B).
    transposed: Aligned,
    /// Scores of the classes, then their gradient, (K, B).
    pub(super) scores: Aligned,
    /// Gradient of the block's summed loss, laid out as the weights.
    pub(super) gradient: Aligned,
    /// The block's summed loss.
    pub(super) loss: BatchLoss,
}

impl Workspace {
    pub(super) fn new(network: &Network) -> Self {
        let zeros = |count: usize| Aligned::zeros(count * BLOCK);
        let activity = |layer: &super::network::Hidden| Activity {
            h: zeros(layer.row()),
            delta: zeros(layer.row()),
        };
        Workspace {
            rows: vec![0; BLOCK],
            x: zeros(network.n_features.next_multiple_of(LANES)),
            label: zeros(1),
            weight: zeros(1),
            activity: network.hidden.iter().map(activity).collect(),
            transposed: zeros(network.head.row()),
            scores: zeros(network.head.n_classes),
            gradient: Aligned::zeros(network.len),
            loss: BatchLoss::default(),
        }
    }

    /// The scores of the `at`-th sample of the block, class by class.
    pub(super) fn scores_of(&self, at: usize) -> impl Iterator<Item = f32> + '_ {
        self.scores.chunks_exact(BLOCK).map(move |class| class[at])
    }

    /// Gathers the first `count` samples of `rows`; lanes past the last one weigh nothing.
    #[inline(always)]
    pub(super) fn load<S: Simd>(&mut self, samples: &Samples<'_>, count: usize) {
        let rows = &self.rows[..count];
        samples.gather_features::<S>(rows, &mut self.x);
        samples.gather_targets(rows, &mut self.label, &mut self.weight);
        self.weight[count..count.next_multiple_of(LANES)].fill(0.0);
    }

    /// Gathers the first `count` rows of `x`, which has `n_features` columns.
    #[inline(always)]
    pub(super) fn load_features<S: Simd>(&mut self, x: &[f32], n_features: usize, count: usize) {
        gather_rows::<S>(x, n_features, &self.rows[..count], &mut self.x);
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

/// From features to scores: `h = relu(a W + b)` layer by layer, then `z = h W + b`.
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
        matmul::<S, _>(
            (count, layer.inputs, layer.vectors),
            Left { data: input, row: input_row, column: 1 },
            Right { data: &weights[layer.weights..layer.biases], row },
            Start::Columns(&weights[layer.biases..][..row]),
            (&mut activity.h, row),
            Relu,
        );
        (input, input_row) = (&activity.h, row);
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
pub(super) fn loss<S: Simd>(network: &Network, ws: &mut Workspace, count: usize) -> BatchLoss {
    let targets = Targets { label: &ws.label, weight: &ws.weight };
    let shape = (network.head.n_classes, count.div_ceil(LANES));
    softmax_loss::<S>(shape, (&mut ws.scores, BLOCK), targets)
}

/// From the gradient by the scores to `ws.gradient` (Bishop 2006, equations 5.53 to 5.56):
/// `dW = a^T delta`, `db = sum of delta`, and `delta_before = (delta W^T) . [h_before > 0]`.
/// `transposed` holds the W^T of all hidden layers but the first.
#[inline(always)]
pub(super) fn backward<S: Simd>(
    network: &Network,
    weights: &[f32],
    transposed: &[Aligned],
    ws: &mut Workspace,
    count: usize,
) {
    let x_row = network.n_features.next_multiple_of(LANES);
    head_gradient::<S>(network, weights, ws, count, x_row);
    for index in (0..network.hidden.len()).rev() {
        let layer = &network.hidden[index];
        let row = layer.row();
        let (before, here) = ws.activity.split_at_mut(index);
        let delta = &here[0].delta;
        let (input, input_row) = match before.last() {
            None => (&ws.x, x_row),
            Some(below) => (&below.h, network.hidden[index - 1].row()),
        };
        let (weights, biases) =
            ws.gradient[layer.weights..].split_at_mut(layer.biases - layer.weights);
        matmul_and_sums::<S>(
            (layer.inputs, count, layer.vectors),
            Left { data: input, row: 1, column: input_row },
            Right { data: delta, row },
            (weights, row),
            biases,
        );
        if let Some(below) = before.last_mut() {
            matmul::<S, _>(
                (count, layer.width, network.hidden[index - 1].vectors),
                Left { data: delta, row, column: 1 },
                Right { data: &transposed[index - 1], row: input_row },
                Start::Zero,
                (&mut below.delta, input_row),
                ReluGradient { activation: &below.h },
            );
        }
    }
}

/// The output layer's part of [`backward`]: its own gradient, and delta of the last hidden layer.
#[inline(always)]
fn head_gradient<S: Simd>(
    network: &Network,
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
        Some(Activity { h, delta }) => {
            matmul::<S, _>(
                (count, head.n_classes, head.vectors),
                Left { data: &ws.scores, row: 1, column: BLOCK },
                Right { data: own, row },
                Start::Zero,
                (delta, row),
                ReluGradient { activation: h },
            );
            h
        }
    };
    matmul::<S, _>(
        (head.n_classes, count, head.vectors),
        Left { data: &ws.scores, row: BLOCK, column: 1 },
        Right { data: input, row },
        Start::Zero,
        (&mut ws.gradient[head.weights..head.biases], row),
        Identity,
    );
    let biases = &mut ws.gradient[head.biases..][..head.n_classes];
    row_sums::<S>(count.div_ceil(LANES), (&ws.scores, BLOCK), biases);
}
