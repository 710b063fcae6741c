//! Dropout: which outputs of hidden layers a training step sets to zero (Srivastava et al. 2014).
//!
//! Whether an output is dropped is a function of the seed, the epoch, the layer, the row's position
//! in the epoch's order, and the neuron: the same for any number of threads.

use super::config::Config;
use super::network::{MEMBER_SHIFT, Network};
use crate::rng::{Purpose, Stream};

/// The masks of one epoch.
#[derive(Clone, Debug)]
pub(super) struct Dropout {
    /// A random 32-bit number below this one drops the output.
    limit: u32,
    /// What the outputs that are kept are multiplied by, so that their expected sum is unchanged.
    scale: f32,
    /// The key of each hidden layer, network by network.
    keys: Vec<[u32; 2]>,
}

impl Dropout {
    /// `None` without dropout.
    pub(super) fn of_epoch(
        config: &Config,
        network: &Network,
        seed: u64,
        epoch: usize,
    ) -> Option<Self> {
        if config.dropout == 0.0 {
            return None;
        }
        let n_layers = network.hidden.len();
        let key = |layer: usize| {
            let (member, layer) = ((layer / n_layers) as u64, (layer % n_layers) as u64);
            let index = (epoch as u64) * Config::MAX_LAYERS as u64 + layer;
            let index = member << MEMBER_SHIFT | index;
            let word = Stream::new(seed, Purpose::Dropout, index).next_u64();
            [word as u32, (word >> 32) as u32]
        };
        Some(Dropout {
            limit: (config.dropout * f64::from(u32::MAX)) as u32,
            scale: (1.0 / (1.0 - config.dropout)) as f32,
            keys: (0..network.n_networks * n_layers).map(key).collect(),
        })
    }

    /// Writes the factors of a layer's outputs (layers are counted network by network), rows of `row` neurons, from the epoch's row `start`.
    #[inline(always)]
    pub(super) fn fill(&self, layer: usize, start: usize, row: usize, mask: &mut [f32]) {
        let [first, second] = self.keys[layer];
        let first = first.wrapping_add((start.wrapping_mul(row)) as u32);
        for (at, factor) in mask.iter_mut().enumerate() {
            let word = hash(first.wrapping_add(at as u32)) ^ second;
            *factor = if hash(word) < self.limit { 0.0 } else { self.scale };
        }
    }
}

/// A bijection of 32-bit words in which every input bit moves every output bit: the finalizer of
/// `MurmurHash3` (Appleby 2011). It has no 64-bit products, so that compilers vectorize it.
#[inline(always)]
fn hash(mut word: u32) -> u32 {
    word = (word ^ (word >> 16)).wrapping_mul(0x85eb_ca6b);
    word = (word ^ (word >> 13)).wrapping_mul(0xc2b2_ae35);
    word ^ (word >> 16)
}
