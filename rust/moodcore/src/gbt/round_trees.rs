//! Growth of the trees of a round, and the update of the margins.

use super::boost::Boosting;
use super::context::{GrownTree, Outputs, TrainingContext, TreeSpec};
use super::grow::grow;
use super::lockstep::grow_together;
use super::margins::{Margins, RoutedRows, add_leaves, add_routed};
use super::roots::Roots;
use super::shard::Shard;
use super::training::Listener;
use super::tree::Tree;
use super::workspace::Workspace;
use crate::Result;
use crate::memory::CollectVec;
use crate::parallel::{Team, attended_if};
use std::sync::atomic::{AtomicBool, Ordering};

/// One tree of a round, and the margins that it updates, for the tree's outputs: first those of the
/// training rows, then those of each evaluation set.
struct Job<'m> {
    outputs: Outputs,
    margins: Vec<&'m mut [Vec<f64>]>,
    tree: Option<Tree>,
}

/// The rows that a round is trained on, and the factor of its leaf values.
#[derive(Clone, Copy)]
pub(super) struct RoundRules<'s> {
    pub(super) round: usize,
    /// `None` for all rows.
    pub(super) sample: Option<&'s [u32]>,
    pub(super) factor: f64,
}

/// If a round has more additions to histograms than this, another thread polls during the round.
const LONG: usize = 1 << 23;

/// Additions to histograms in a round that are worth a thread.
const WORK_OF_THREAD: usize = 1 << 14;

impl Boosting<'_> {
    /// Grows the trees of a round and adds their values to the margins.
    pub(super) fn grow_trees(
        &mut self,
        rules: RoundRules<'_>,
        listener: &mut dyn Listener,
    ) -> Result<Vec<Tree>> {
        let n_outputs = self.margins.len();
        let per_tree = if self.config.is_vector_leaf() { n_outputs } else { 1 };
        let mut margins = std::mem::take(&mut self.margins);
        let mut eval_margins: Vec<Margins> =
            self.eval.iter_mut().map(|set| std::mem::take(&mut set.margins)).collect_vec();
        let mut jobs: Vec<Job<'_>> = margins
            .chunks_mut(per_tree)
            .enumerate()
            .map(|(at, margins)| {
                let outputs = Outputs { first: at * per_tree, count: margins.len() };
                Job { outputs, margins: vec![margins], tree: None }
            })
            .collect_vec();
        for set in &mut eval_margins {
            for (job, margins) in jobs.iter_mut().zip(set.chunks_mut(per_tree)) {
                job.margins.push(margins);
            }
        }
        let grown = match self.shard {
            None => self.grow_here(&mut jobs, rules, listener),
            Some(shard) => self.grow_on_all_hosts(shard, &mut jobs, rules, listener),
        };
        let trees = jobs.into_iter().filter_map(|job| job.tree).collect_vec();
        self.margins = margins;
        for (set, margins) in self.eval.iter_mut().zip(eval_margins) {
            set.margins = margins;
        }
        grown.map(|()| trees)
    }

    /// Grows the trees in parallel.
    fn grow_here(
        &self,
        jobs: &mut [Job<'_>],
        rules: RoundRules<'_>,
        listener: &mut dyn Listener,
    ) -> Result<()> {
        let work = self.y.len() * self.bins.columns.len() * self.gradients.outputs.len();
        let enough = work > 2 * WORK_OF_THREAD;
        let n_trees = jobs.len();
        let team = self.inner_team(n_trees).filter(|_| enough);
        let mut run = |stop: &AtomicBool| {
            let stopped = || stop.load(Ordering::Relaxed);
            let spec = |at: usize, outputs| {
                self.spec(rules.round * n_trees + at, outputs, rules, (team, stop))
            };
            let roots = jobs.first().and_then(|job| {
                Roots::new(self.context(), spec(0, job.outputs), n_trees, self.compute.team)
            });
            let task = |at: usize, job: &mut Job<'_>| {
                if stopped() {
                    return;
                }
                let root = roots.as_ref().map(|roots| roots.root(at));
                let mut workspace = self.take_workspace();
                let grown = grow(self.context(), spec(at, job.outputs), root, &mut workspace);
                // The margins of a stopped round are not used, and updating millions of rows takes
                // time.
                if !stopped() {
                    self.update(job, grown, rules, &mut workspace, team);
                }
                self.return_workspace(workspace);
            };
            let together = enough && !self.bins.one_tree_at_a_time;
            self.compute.team.for_each_of(together, jobs, task);
        };
        attended_if(work > LONG, &mut || listener.poll(), |stop| {
            if enough {
                self.compute.team.install(work / WORK_OF_THREAD, || run(stop))
            } else {
                run(stop)
            }
        })
    }

    /// Grows the trees step by step, together with the other hosts.
    fn grow_on_all_hosts(
        &self,
        shard: Shard<'_>,
        jobs: &mut [Job<'_>],
        rules: RoundRules<'_>,
        listener: &mut dyn Listener,
    ) -> Result<()> {
        let n_trees = jobs.len();
        let inner = self.inner_team(n_trees);
        let team = self.compute.team;
        let outputs: Vec<Outputs> = jobs.iter().map(|job| job.outputs).collect_vec();
        let mut workspaces: Vec<Workspace> =
            outputs.iter().map(|_| self.take_workspace()).collect_vec();
        let work = self.y.len() * self.bins.columns.len() * self.gradients.outputs.len();
        let grown = attended_if(work > LONG, &mut || listener.poll(), |stop| {
            let spec = |(at, &outputs)| {
                self.spec(rules.round * n_trees + at, outputs, rules, (inner, stop))
            };
            let specs: Vec<TreeSpec<'_>> = outputs.iter().enumerate().map(spec).collect_vec();
            grow_together(self.context(), &specs, &mut workspaces, (shard, team))
        })??;
        let mut parts: Vec<_> =
            jobs.iter_mut().zip(&mut workspaces).zip(grown.into_iter().map(Some)).collect_vec();
        team.for_each(&mut parts, |_, ((job, workspace), grown)| {
            if let Some(grown) = grown.take() {
                self.update(job, grown, rules, workspace, inner);
            }
        });
        workspaces.into_iter().for_each(|workspace| self.return_workspace(workspace));
        Ok(())
    }

    /// Returns the threads that share the work within a tree. More than one is used if there are
    /// fewer trees than threads, or if parallel trees would take too much memory.
    fn inner_team(&self, n_trees: usize) -> Option<&Team> {
        let threads = self.compute.team.threads();
        let idle = !n_trees.is_multiple_of(threads) && n_trees < 8 * threads;
        let shared = threads > 1 && (idle || self.bins.one_tree_at_a_time);
        shared.then_some(self.compute.team)
    }

    fn context(&self) -> TrainingContext<'_> {
        TrainingContext {
            config: self.config,
            rules: &self.rules,
            binner: &self.ensemble.binner,
            bins: &self.bins,
            weights: &self.weights,
            seed: self.seed,
            isa: self.compute.isa,
        }
    }

    fn spec<'s>(
        &'s self,
        number: usize,
        outputs: Outputs,
        rules: RoundRules<'s>,
        (team, stop): (Option<&'s Team>, &'s AtomicBool),
    ) -> TreeSpec<'s> {
        let (gradients, RoundRules { round, sample, .. }) = (&self.gradients, rules);
        TreeSpec { gradients, outputs, sample, number, round, team, stop }
    }

    /// Scales a tree and adds its values to the margins.
    fn update(
        &self,
        job: &mut Job<'_>,
        GrownTree { mut tree, leaves }: GrownTree,
        RoundRules { sample, factor, .. }: RoundRules<'_>,
        workspace: &mut Workspace,
        team: Option<&Team>,
    ) {
        let isa = self.compute.isa;
        if factor != 1.0 {
            tree.values.iter_mut().for_each(|value| *value *= factor);
        }
        let mut sets = job.margins.iter_mut();
        if let Some(margins) = sets.next() {
            add_leaves(&tree, &leaves, margins, &workspace.rows, team);
            if let Some(sample) = sample {
                let rows = RoutedRows { columns: &self.bins.columns, except: sample };
                add_routed(&tree, 1.0, rows, margins, workspace, (isa, team));
            }
        }
        for (margins, set) in sets.zip(&self.eval) {
            let rows = RoutedRows { columns: &set.columns, except: &[] };
            add_routed(&tree, 1.0, rows, margins, workspace, (isa, team));
        }
        job.tree = Some(tree);
    }
}
