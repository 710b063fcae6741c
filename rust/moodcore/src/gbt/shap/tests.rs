//! Quadrature, and trees that training does not build.

use super::*;
use crate::gbt::{FeatureBins, NONE, Values};
use crate::parallel::Team;

/// A tree that is one chain: each test of the features in turn has one leaf on its right, of
/// value 1 and up, and the next test on its left.
fn chain(n_tests: u32, n_features: u32) -> Ensemble {
    let leaf = Node {
        feature: NONE,
        bin: 0,
        missing_left: false,
        categories: NONE,
        left: NONE,
        right: NONE,
        gain: 0.0,
        cover: 1.0,
        weight: 1.0,
    };
    let mut nodes = Vec::new();
    for at in 0..n_tests {
        let (left, right) = (2 * at + 2, 2 * at + 1);
        nodes.extend([Node { feature: at % n_features, left, right, ..leaf }, leaf]);
    }
    nodes.push(leaf);
    let values = (0..nodes.len()).map(|at| (1 + at / 2 % 7) as f64).collect();
    let bins = FeatureBins::Numerical(vec![0.0]);
    Ensemble {
        binner: Binner::new(vec![bins; n_features as usize]),
        base: vec![0.5],
        trees: vec![Tree { nodes, values, sets: Vec::new(), output: Some(0) }],
        trees_per_round: 1,
    }
}

/// The contributions for three rows: one that fails all tests, one that passes all, and one
/// that passes those of every other feature.
fn explain(ensemble: &Ensemble) -> Result<Vec<f64>> {
    let n_features = ensemble.binner.n_columns();
    let ends = (0..n_features).map(|at| (at % 2) as f64);
    let ones = std::iter::repeat_n(1.0, n_features);
    let rows: Vec<f64> = ones.chain(vec![-1.0; n_features]).chain(ends).collect();
    let table = Table::from_rows(Values::F64(&rows), n_features)?;
    let mut out = vec![0.0; 3 * (n_features + 1)];
    let team = Team::new(1)?;
    let compute = Compute { isa: Isa::detect(), team: &team };
    contributions(ensemble, &table, 0..1, &mut out, compute, &mut || Ok(()))?;
    Ok(out)
}

#[test]
fn a_chain_of_a_hundred_thousand_nodes_takes_little_memory() {
    let ensemble = chain(50_000, 3);
    let out = explain(&ensemble).unwrap();
    let values = &ensemble.trees[0].values;
    for (row, leaf) in [1, 100_000, 3].into_iter().enumerate() {
        let sum: f64 = out[4 * row..][..4].iter().sum();
        assert!((sum - 0.5 - values[leaf]).abs() < 1e-9, "{row}: {sum} and {}", values[leaf]);
    }
}

#[test]
fn too_many_features_on_a_way_are_refused() {
    let most = MOST_FEATURES as u32;
    let error = explain(&chain(most + 1, most + 1)).unwrap_err().to_string();
    assert!(error.contains("at most 1024 features"), "{error}");
    // As many tests of one feature less are in order.
    let ways = |tree: &Ensemble| Ways::of(&tree.trees, &tree.binner);
    assert_eq!(ways(&chain(most + 1, most)).unwrap().rules.len(), MOST_FEATURES + 1);
}

#[test]
fn a_tree_is_left_when_the_work_is_stopped() {
    let ensemble = chain(10, 3);
    let ways = Ways::of(&ensemble.trees, &ensemble.binner).unwrap();
    let columns = vec![vec![0]; 3];
    let rows = Rows { binner: &ensemble.binner, columns: &columns, isa: Isa::Portable };
    let mut sums = vec![[0.0; ROWS]; 4];
    for stopped in [true, false] {
        let stop = AtomicBool::new(stopped);
        let result = add_tree(&ensemble.trees[0], &rows, &ways.rules, &stop, &mut sums);
        assert_eq!((result.is_err(), sums[3][0] == 0.0), (stopped, stopped));
    }
}

#[test]
fn quadrature_is_exact_for_polynomials() {
    for n in 1..32 {
        let rule = quadrature(n);
        for degree in 0..2 * n {
            let sum: f64 = rule.iter().map(|(t, w)| w * libm::pow(*t, degree as f64)).sum();
            assert!((sum * (degree + 1) as f64 - 1.0).abs() < 1e-12, "{n} {degree} {sum}");
        }
    }
}
