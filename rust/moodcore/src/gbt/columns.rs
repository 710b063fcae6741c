//! Which features a node may use: column sampling and interaction constraints.

use super::config::Config;
use crate::memory::filled;
use crate::rng::{Purpose, Stream};

/// The features of one tree.
#[derive(Clone, Debug)]
pub(super) struct Columns<'a> {
    config: &'a Config,
    seed: u64,
    /// The tree's number among all of the ensemble.
    tree: u64,
    /// The features that the tree may use, ascending.
    of_tree: Vec<u32>,
    n_features: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn new(config: &'a Config, n_features: usize, seed: u64, tree: usize) -> Self {
        let all: Vec<u32> = (0..n_features as u32).collect();
        let tree = tree as u64;
        let of_tree = draw(all, config.colsample_bytree, seed, Purpose::ColumnsOfTree, tree);
        Columns { config, seed, tree, of_tree, n_features }
    }

    /// Whether every node may use every feature.
    fn unrestricted(&self) -> bool {
        let Config { colsample_bylevel, colsample_bynode, interaction_constraints, .. } =
            self.config;
        self.of_tree.len() == self.n_features
            && (*colsample_bylevel, *colsample_bynode) == (1.0, 1.0)
            && interaction_constraints.is_empty()
    }

    /// For each feature whether a node may use it; none if it may use all. `path` holds the
    /// features of the splits above the node.
    pub(super) fn allowed(&self, node: u32, depth: usize, path: &[u32]) -> Option<Vec<bool>> {
        if self.unrestricted() {
            return None;
        }
        let Config { colsample_bylevel, colsample_bynode, .. } = self.config;
        let key = |at: u64| self.tree << 32 | at;
        let level = draw(
            self.of_tree.clone(),
            *colsample_bylevel,
            self.seed,
            Purpose::ColumnsOfLevel,
            key(depth as u64),
        );
        let mut open = filled(false, self.n_features);
        let may_follow = self.may_follow(path);
        let allowed = |&feature: &u32| {
            may_follow.as_ref().is_none_or(|may_follow| may_follow[feature as usize])
        };
        let meets: Vec<u32> = level.into_iter().filter(allowed).collect();
        let purpose = Purpose::ColumnsOfNode;
        for feature in draw(meets, *colsample_bynode, self.seed, purpose, key(u64::from(node))) {
            open[feature as usize] = true;
        }
        Some(open)
    }

    /// For each feature whether it may follow those of a path: whether one group contains them
    /// all. A feature that is in no group may follow only itself. None without constraints.
    fn may_follow(&self, path: &[u32]) -> Option<Vec<bool>> {
        let groups = &self.config.interaction_constraints;
        let (false, Some(&first)) = (groups.is_empty(), path.first()) else { return None };
        let mut may_follow = filled(false, self.n_features);
        may_follow[first as usize] = path.iter().all(|&feature| feature == first);
        for group in groups {
            if path.iter().all(|&feature| group.contains(&(feature as usize))) {
                group.iter().for_each(|&feature| may_follow[feature] = true);
            }
        }
        Some(may_follow)
    }

    /// A number from [0, 1) for a feature in a node: the threshold of an extra-random tree.
    pub(super) fn threshold(&self, node: u32, feature: usize) -> f64 {
        let index = self.tree << 32 | u64::from(node);
        Stream::new(self.seed.wrapping_add(feature as u64), Purpose::Threshold, index).next_unit()
    }
}

/// A share of some features, at least one of them, ascending.
fn draw(mut from: Vec<u32>, share: f64, seed: u64, purpose: Purpose, index: u64) -> Vec<u32> {
    if share == 1.0 || from.len() < 2 {
        return from;
    }
    let count = ((share * from.len() as f64).round() as usize).clamp(1, from.len());
    let mut stream = Stream::new(seed, purpose, index);
    // Fisher and Yates's shuffle, as far as it is needed.
    for at in 0..count {
        let rest = from.len() - at;
        let other = at + ((stream.next_unit() * rest as f64) as usize).min(rest - 1);
        from.swap(at, other);
    }
    from.truncate(count);
    from.sort_unstable();
    from
}
