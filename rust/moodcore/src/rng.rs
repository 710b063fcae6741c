//! Seeded, counter-based random numbers: the n-th draw of a stream is a pure function of
//! (seed, purpose, index, n), the same on every host and thread.

/// What a stream is for; streams of different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// First weights; the index is the layer.
    Weights = 1,
    /// Order of the samples; the index is the epoch.
    Shuffle = 2,
    /// Features of a tree; the index is the tree.
    ColumnsOfTree = 3,
    /// Features of a level; the index is the tree and the depth.
    ColumnsOfLevel = 4,
    /// Features of a node; the index is the tree and the node.
    ColumnsOfNode = 5,
    /// Threshold of an extra-random split; the index is the tree and the node.
    Threshold = 6,
    /// Rows of a round; the index is the round.
    Rows = 7,
    /// Trees that a round leaves out; the index is the round.
    Drop = 8,
    /// Folds of a pair of classes in calibration; the index is the pair.
    Folds = 9,
    /// Order of coordinates in a descent; the index is the class.
    Coordinates = 10,
    /// Dropped outputs of hidden layers; the index is the epoch and the layer.
    Dropout = 11,
}

/// A stream of 64-bit numbers: `SplitMix64` (Steele, Lea and Flood 2014) from a hashed start.
#[derive(Clone, Debug)]
pub struct Stream {
    state: u64,
}

/// The odd number nearest 2^64 / golden ratio, the step of `SplitMix64`.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of `SplitMix64`: a bijection of 64-bit words in which every input bit moves
/// every output bit.
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The first number of the `SplitMix64` stream that starts at a word; words that differ have
/// numbers that differ.
#[inline]
pub fn hash(word: u64) -> u64 {
    mix(word.wrapping_add(GOLDEN))
}

impl Stream {
    /// The stream of a seed for one purpose and one index.
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        let keyed = mix(seed.wrapping_add(GOLDEN)) ^ (purpose as u64).wrapping_mul(GOLDEN);
        Stream { state: mix(mix(keyed).wrapping_add(index.wrapping_mul(GOLDEN))) }
    }

    /// Leaves out the next `n` numbers.
    pub fn skip(&mut self, n: u64) {
        self.state = self.state.wrapping_add(GOLDEN.wrapping_mul(n));
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// The next number of the open interval (0, 1): 52 random bits and a half.
    pub fn next_unit(&mut self) -> f64 {
        ((self.next_u64() >> 12) as f64 + 0.5) * (1.0 / (1_u64 << 52) as f64)
    }

    /// Two independent draws of the standard normal distribution (Box and Muller 1958).
    ///
    /// Logarithm and cosine come from the `libm` crate, not from the system, whose last bits
    /// differ from machine to machine.
    pub fn next_normal_pair(&mut self) -> (f64, f64) {
        let radius = libm::sqrt(-2.0 * libm::log(self.next_unit()));
        let angle = std::f64::consts::TAU * self.next_unit();
        (radius * libm::cos(angle), radius * libm::sin(angle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_purpose_and_index() {
        let first = |seed, purpose, index| Stream::new(seed, purpose, index).next_u64();
        let base = first(1, Purpose::Weights, 0);
        assert_eq!(base, first(1, Purpose::Weights, 0));
        assert_ne!(base, first(2, Purpose::Weights, 0));
        assert_ne!(base, first(1, Purpose::Shuffle, 0));
        assert_ne!(base, first(1, Purpose::Weights, 1));
    }

    #[test]
    fn skipped_numbers_are_left_out() {
        let mut stream = Stream::new(5, Purpose::Rows, 2);
        let mut skipped = stream.clone();
        let numbers: Vec<u64> = (0..20).map(|_| stream.next_u64()).collect();
        skipped.skip(13);
        assert_eq!(skipped.next_u64(), numbers[13]);
        skipped.skip(0);
        assert_eq!(skipped.next_u64(), numbers[14]);
    }

    #[test]
    fn normal_draws_have_the_moments_of_a_normal() {
        let mut stream = Stream::new(3, Purpose::Weights, 0);
        let draws: Vec<f64> = (0..50_000)
            .flat_map(|_| {
                let (a, b) = stream.next_normal_pair();
                [a, b]
            })
            .collect();
        let moment = |power| draws.iter().map(|x| libm::pow(*x, power)).sum::<f64>() / 1e5;
        assert!(moment(1.0).abs() < 0.015);
        assert!((moment(2.0) - 1.0).abs() < 0.02);
        assert!((moment(4.0) - 3.0).abs() < 0.15);
    }
}
