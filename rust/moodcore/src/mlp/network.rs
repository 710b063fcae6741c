//! Layout of the parameters: one flat vector for the whole network, padded to whole SIMD vectors.
//! A model of several networks has one such part per network, one after the other.
//!
//! A hidden layer of `width` neurons stores `W[input][neuron]`, one row per input and neurons in
//! the lanes, then its biases. The output layer stores `W[class][neuron]`, neurons in the lanes,
//! then its biases: few classes would waste lanes, so there the samples lie in the lanes.
//! Widths are filled up to multiples of sixteen; the filling is zero and stays zero, because its
//! activations are zero, and so are its gradients.

use super::config::{Activation, Config, Init, Optimizer};
use crate::kernels::{Aligned, LANES};
use crate::memory::{CollectVec, filled};
use crate::rng::{Purpose, Stream};
use crate::{Error, Result};

/// The parameters of a layer without padding: `weights[input * outputs + output]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Weights, row-major, one row per input.
    pub weights: Vec<f32>,
    /// One bias per output.
    pub biases: Vec<f32>,
}

/// A hidden layer's place in the flat vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hidden {
    /// Neurons of the layer before, or features.
    pub(super) inputs: usize,
    pub(super) width: usize,
    /// `width` in vectors.
    pub(super) vectors: usize,
    /// Where the weights start.
    pub(super) weights: usize,
    /// Where the weights end and the biases start.
    pub(super) biases: usize,
}

impl Hidden {
    /// The distance between rows: `width` filled up.
    #[inline(always)]
    pub(super) fn row(&self) -> usize {
        self.vectors * LANES
    }
}

/// The output layer's place in the flat vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) inputs: usize,
    /// `inputs` in vectors.
    pub(super) vectors: usize,
    pub(super) n_classes: usize,
    pub(super) weights: usize,
    pub(super) biases: usize,
}

impl Head {
    /// The distance between rows: `inputs` filled up.
    #[inline(always)]
    pub(super) fn row(&self) -> usize {
        self.vectors * LANES
    }
}

/// Where the number of a network is in the index of a random stream: above layers and epochs, so
/// that the first network draws the numbers of a model of one network.
pub(super) const MEMBER_SHIFT: u32 = 48;

/// The shape of a network, the layout of its flat vector, and the number of such networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    pub(super) n_features: usize,
    pub(super) hidden: Vec<Hidden>,
    pub(super) head: Head,
    /// Activation function of the hidden layers.
    pub(super) activation: Activation,
    /// Length of the flat vector of one network.
    pub(super) len: usize,
    /// Number of networks of this shape, whose mean scores are the scores of the model.
    pub(super) n_networks: usize,
}

impl Network {
    /// Weights that training can hold: with gradients, steps and copies, some ten gigabytes.
    const MOST_WEIGHTS: usize = 1 << 28;

    /// Lays out networks; `n_classes` and `n_networks` are at least 1.
    ///
    /// # Errors
    /// [`Error::Parameter`] when they would have more than 2^28 weights.
    pub fn new(
        n_features: usize,
        hidden_sizes: &[usize],
        n_classes: usize,
        activation: Activation,
        n_networks: usize,
    ) -> Result<Self> {
        let mut at = 0;
        let mut inputs = n_features;
        let mut hidden = Vec::with_capacity(hidden_sizes.len());
        for (index, &width) in hidden_sizes.iter().enumerate() {
            let vectors = width.div_ceil(LANES);
            // Rows past the first layer are filled up as well: they are transposed in blocks.
            let rows = if index == 0 { inputs } else { inputs.next_multiple_of(LANES) };
            let biases = at + rows * vectors * LANES;
            hidden.push(Hidden { inputs, width, vectors, weights: at, biases });
            at = biases + vectors * LANES;
            inputs = width;
        }
        let vectors = inputs.div_ceil(LANES);
        let biases = at + n_classes * vectors * LANES;
        let head = Head { inputs, vectors, n_classes, weights: at, biases };
        let len = biases + n_classes.next_multiple_of(LANES);
        let total = len.saturating_mul(n_networks);
        if total > Self::MOST_WEIGHTS {
            let allowed = "widths that make a network of at most 268435456 weights";
            return Err(Error::parameter("hidden_sizes", allowed, format!("{total} weights")));
        }
        Ok(Network { n_features, hidden, head, activation, len, n_networks })
    }

    /// Multiply-adds of one sample's training step, about: forward, backward and gradient.
    pub(super) fn work(&self) -> usize {
        3 * self.total_len()
    }

    /// Length of the flat vector of all networks.
    pub(super) fn total_len(&self) -> usize {
        self.len * self.n_networks
    }

    /// The part of the flat vector that belongs to a network.
    #[inline(always)]
    pub(super) fn member<'w>(&self, member: usize, flat: &'w [f32]) -> &'w [f32] {
        &flat[member * self.len..][..self.len]
    }

    /// The part of all networks' transposed weights that belongs to a network: one matrix for each
    /// hidden layer but the first.
    #[inline(always)]
    pub(super) fn transposed<'w>(&self, member: usize, all: &'w [Aligned]) -> &'w [Aligned] {
        let count = self.hidden.len().saturating_sub(1);
        &all[member * count..][..count]
    }

    /// As [`Network::transposed`], to write them.
    #[inline(always)]
    pub(super) fn transposed_mut<'w>(
        &self,
        member: usize,
        all: &'w mut [Aligned],
    ) -> &'w mut [Aligned] {
        let count = self.hidden.len().saturating_sub(1);
        &mut all[member * count..][..count]
    }

    /// The number of networks.
    pub fn n_networks(&self) -> usize {
        self.n_networks
    }

    /// Neurons of each hidden layer.
    pub fn hidden_sizes(&self) -> Vec<usize> {
        self.hidden.iter().map(|layer| layer.width).collect_vec()
    }

    /// The number of classes.
    pub fn n_classes(&self) -> usize {
        self.head.n_classes
    }

    /// Activation function of the hidden layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The number of features.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// The ranges of the flat vector that hold weights, not biases.
    pub(super) fn weight_ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        let head = (self.head.weights, self.head.biases);
        let layers = self.hidden.iter().map(|layer| (layer.weights, layer.biases)).chain([head]);
        let layers = layers.collect_vec();
        (0..self.n_networks).flat_map(move |member| {
            let start = member * self.len;
            layers.clone().into_iter().map(move |(from, to)| start + from..start + to)
        })
    }

    /// Where each layer's weights and biases are, network by network, the output layer last.
    fn places(&self) -> impl Iterator<Item = Place> + '_ {
        (0..self.n_networks).flat_map(|member| {
            let start = member * self.len;
            self.places_of_first().map(move |place| Place {
                weights: start + place.weights,
                biases: start + place.biases,
                ..place
            })
        })
    }

    /// Where each layer of the first network is.
    fn places_of_first(&self) -> impl Iterator<Item = Place> + '_ {
        let hidden = self.hidden.iter().map(|layer| Place {
            inputs: layer.inputs,
            outputs: layer.width,
            weights: layer.weights,
            input_stride: layer.row(),
            output_stride: 1,
            biases: layer.biases,
        });
        let head = Place {
            inputs: self.head.inputs,
            outputs: self.head.n_classes,
            weights: self.head.weights,
            input_stride: 1,
            output_stride: self.head.row(),
            biases: self.head.biases,
        };
        hidden.chain([head])
    }

    /// The flat vector as layers, network by network.
    pub fn unpack(&self, flat: &[f32]) -> Vec<Layer> {
        let layer = |place: Place| Layer {
            weights: place.weights().map(|at| flat[at]).collect_vec(),
            biases: flat[place.biases..][..place.outputs].to_vec(),
        };
        self.places().map(layer).collect_vec()
    }

    /// Layers, network by network, as a flat vector.
    ///
    /// # Errors
    /// [`Error::Data`] when a layer's size is not this network's or a value is not finite.
    pub fn pack(&self, layers: &[Layer]) -> Result<Aligned> {
        let n_layers = self.n_networks * (self.hidden.len() + 1);
        if layers.len() != n_layers {
            return Err(Error::Data(format!(
                "the model has {n_layers} layers of weights, got {}",
                layers.len()
            )));
        }
        let mut flat = Aligned::zeros(self.total_len());
        for (index, (layer, place)) in layers.iter().zip(self.places()).enumerate() {
            let Place { inputs, outputs, biases, .. } = place;
            if layer.weights.len() != inputs * outputs || layer.biases.len() != outputs {
                return Err(Error::Data(format!(
                    "layer {index} must have {inputs} x {outputs} weights and {outputs} biases, \
                     got {} and {}",
                    layer.weights.len(),
                    layer.biases.len()
                )));
            }
            let mut values = layer.weights.iter().chain(&layer.biases);
            if let Some(value) = values.find(|value| !value.is_finite()) {
                return Err(Error::Data(format!(
                    "layer {index} must hold finite weights, got {value}"
                )));
            }
            for (at, &weight) in place.weights().zip(&layer.weights) {
                flat[at] = weight;
            }
            flat[biases..][..outputs].copy_from_slice(&layer.biases);
        }
        Ok(flat)
    }
}

/// Where a layer lies: weight (input, output) is at
/// `weights + input * input_stride + output * output_stride`.
#[derive(Clone, Copy)]
struct Place {
    inputs: usize,
    outputs: usize,
    weights: usize,
    input_stride: usize,
    output_stride: usize,
    biases: usize,
}

impl Place {
    /// The places of all weights, input by input.
    fn weights(self) -> impl Iterator<Item = usize> {
        (0..self.inputs * self.outputs).map(move |at| {
            let (input, output) = (at / self.outputs, at % self.outputs);
            self.weights + input * self.input_stride + output * self.output_stride
        })
    }
}

/// The state of training: weights, the state of the optimizer, and the numbers of epochs and
/// updates so far.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The shape.
    pub network: Network,
    /// The flat vector of weights and biases.
    pub weights: Aligned,
    /// The last step of each; for Adam its mean gradient.
    pub velocity: Aligned,
    /// For Adam the mean squared gradient of each; empty otherwise.
    pub square: Aligned,
    /// For Adam: updates behind the means.
    pub updates: u64,
    /// Number of epochs so far: schedules and shuffles continue from here.
    pub epoch: usize,
}

impl State {
    /// Draws the initial weights, layer by layer, from the streams of the seed.
    ///
    /// # Errors
    /// [`Error::Parameter`] when the configuration is out of range.
    pub fn initial(
        config: &Config,
        n_features: usize,
        n_classes: usize,
        seed: u64,
    ) -> Result<Self> {
        config.check()?;
        let Config { ref hidden_sizes, activation, n_networks, .. } = *config;
        let network = Network::new(n_features, hidden_sizes, n_classes, activation, n_networks)?;
        let n_layers = hidden_sizes.len() + 1;
        let mut layers = Vec::new();
        for (index, Place { inputs, outputs, .. }) in network.places().enumerate() {
            let std = match config.init {
                Init::He => libm::sqrt(2.0 / inputs as f64),
                Init::Lecun => libm::sqrt(1.0 / inputs as f64),
                Init::Normal => config.init_std,
            };
            let (member, layer) = ((index / n_layers) as u64, (index % n_layers) as u64);
            let mut stream = Stream::new(seed, Purpose::Weights, member << MEMBER_SHIFT | layer);
            let pairs = (0..(inputs * outputs).div_ceil(2)).map(|_| stream.next_normal_pair());
            let mut weights: Vec<f32> =
                pairs.flat_map(|(a, b)| [(a * std) as f32, (b * std) as f32]).collect_vec();
            weights.truncate(inputs * outputs);
            layers.push(Layer { weights, biases: filled(0.0, outputs) });
        }
        let weights = network.pack(&layers)?;
        let velocity = Aligned::zeros(network.total_len());
        let square = Aligned::zeros(0);
        Ok(State { network, weights, velocity, square, updates: 0, epoch: 0 })
    }

    /// Prepares the state of the optimizer: it is reset if another optimizer trained before,
    /// because a momentum step is not a mean gradient.
    pub(super) fn prepare(&mut self, optimizer: Optimizer) {
        let is_adam = !self.square.is_empty();
        match optimizer {
            Optimizer::Sgd if is_adam => {
                self.velocity.fill(0.0);
                self.square = Aligned::zeros(0);
                self.updates = 0;
            }
            Optimizer::Adam if !is_adam => {
                self.velocity.fill(0.0);
                self.square = Aligned::zeros(self.network.total_len());
                self.updates = 0;
            }
            _ => {}
        }
    }
}
