//! Resources of a computation: an instruction set and a thread pool. Work is split by
//! its size alone, so that results do not depend on the number of threads.

use crate::kernels::Isa;
use crate::memory::stop_with;
use crate::{Error, Result};
use rayon::prelude::*;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Instruction set and threads of a computation; they change its speed, not its results.
#[derive(Clone, Copy, Debug)]
pub struct Compute<'a> {
    /// The instruction set.
    pub isa: Isa,
    /// The threads.
    pub team: &'a Team,
}

/// A thread pool of fixed size; with one thread, the caller's thread does the work. The others start
/// when there is work for them: to start two takes longer than to train on a few hundred rows.
#[derive(Debug)]
pub struct Team {
    threads: usize,
    pool: OnceLock<rayon::ThreadPool>,
    shared: Arc<Shared>,
}

/// What the threads of a team know of each other.
#[derive(Debug, Default)]
struct Shared {
    /// Calls of [`Team::for_each`] that have not returned.
    calls: AtomicUsize,
    /// Threads beside the caller that [`Team::install`] keeps awake; zero outside of it.
    needed: AtomicUsize,
    /// Threads that are kept awake.
    awake: AtomicUsize,
    /// Threads that have not run [`Shared::help`] yet since [`Team::keep_awake`] sent it to them.
    pending: AtomicUsize,
}

impl Shared {
    /// Does what other threads have to do until the installed work ends.
    ///
    /// A thread starts this only while no call of `for_each` is under way: in a call it may be
    /// waiting for a part of its own work, which others wait for in turn.
    fn help(&self) {
        self.pending.fetch_sub(1, SeqCst);
        if self.calls.load(SeqCst) > 0 {
            return;
        }
        if self.awake.fetch_add(1, SeqCst) < self.needed.load(SeqCst) {
            while self.needed.load(SeqCst) > 0 {
                if rayon::yield_now() != Some(rayon::Yield::Executed) {
                    // Leaves the processor to other programs if there are any.
                    std::thread::yield_now();
                }
            }
        }
        self.awake.fetch_sub(1, SeqCst);
    }
}

/// Subtracts one from a number when it goes out of scope, also by a panic.
struct Decrease<'a>(&'a AtomicUsize);

impl Drop for Decrease<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Sets a number to zero when it goes out of scope, also by a panic.
struct Clear<'a>(&'a AtomicUsize);

impl Drop for Clear<'_> {
    fn drop(&mut self) {
        self.0.store(0, SeqCst);
    }
}

impl Team {
    /// Returns a pool whose threads have not started. If the system cannot start them later, the work
    /// unwinds with [`Error::Threads`], which [`crate::memory::or_error`] returns.
    ///
    /// # Errors
    /// [`Error::Parameter`] for zero threads.
    pub fn new(threads: usize) -> Result<Self> {
        if threads == 0 {
            return Err(Error::parameter("threads", "at least 1", threads));
        }
        Ok(Team { threads, pool: OnceLock::new(), shared: Arc::default() })
    }

    /// Returns the number of threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Returns the threads, if there are others than the caller's; starts them in the first call.
    fn pool(&self) -> Option<&rayon::ThreadPool> {
        let threads = self.threads;
        let start = || {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .thread_name(|index| format!("moodcore-{index}"))
                .build()
                .unwrap_or_else(|error| {
                    stop_with(Error::Threads { threads, reason: error.to_string() })
                })
        };
        (threads > 1).then(|| self.pool.get_or_init(start))
    }

    /// Runs work that calls the other methods many times, a moment after each other. As many
    /// threads as it needs at most, this one included, stay awake until its end: to wake a thread
    /// takes as long as to add a thousand rows to a histogram.
    pub(crate) fn install<T: Send>(&self, needed: usize, work: impl FnOnce() -> T + Send) -> T {
        let Some(pool) = self.pool() else { return work() };
        pool.install(|| {
            let _end = Clear(&self.shared.needed);
            self.shared.needed.store(needed.clamp(1, self.threads()) - 1, SeqCst);
            self.keep_awake(pool);
            work()
        })
    }

    /// Keeps threads awake, as far as [`Team::install`] needs more than are awake. Threads that work
    /// on a call of `for_each` are kept awake after it.
    fn keep_awake(&self, pool: &rayon::ThreadPool) {
        let Shared { calls, needed, awake, pending } = &*self.shared;
        let is_free = calls.load(SeqCst) == 0 && pending.load(SeqCst) == 0;
        if is_free && awake.load(SeqCst) < needed.load(SeqCst) {
            pending.store(self.threads() - 1, SeqCst);
            let (caller, shared) = (rayon::current_thread_index(), Arc::clone(&self.shared));
            pool.spawn_broadcast(move |thread| {
                if Some(thread.index()) != caller {
                    shared.help();
                }
            });
        }
    }

    /// Calls `task` once for each item, on any thread, in no particular order.
    pub(crate) fn for_each<T: Send>(&self, items: &mut [T], task: impl Fn(usize, &mut T) + Sync) {
        match if items.len() > 1 { self.pool() } else { None } {
            Some(pool) => {
                self.shared.calls.fetch_add(1, SeqCst);
                let call = Decrease(&self.shared.calls);
                pool.install(|| {
                    items.par_iter_mut().enumerate().for_each(|(index, item)| task(index, item));
                });
                drop(call);
                self.keep_awake(pool);
            }
            None => items.iter_mut().enumerate().for_each(|(index, item)| task(index, item)),
        }
    }

    /// As [`Team::for_each`] where there is enough to do, on this thread alone where waking the
    /// others would take longer.
    pub(crate) fn for_each_of<T: Send>(
        &self,
        enough: bool,
        items: &mut [T],
        task: impl Fn(usize, &mut T) + Sync,
    ) {
        if enough {
            self.for_each(items, task);
        } else {
            items.iter_mut().enumerate().for_each(|(index, item)| task(index, item));
        }
    }
}

/// Returns whether the flag of [`attended`] work is set. Loops over many rows check it about once
/// per [`ROWS_PER_CHECK`] rows.
pub(crate) fn is_set(stop: &AtomicBool) -> bool {
    #[cfg(test)]
    checks::count();
    stop.load(Ordering::Relaxed)
}

/// The maximum number of rows that a thread processes between two checks of the flag: less than a
/// millisecond for ten features.
pub(crate) const ROWS_PER_CHECK: usize = 1 << 16;

/// Runs work on this thread, or, if it is long, as [`attended`] does.
///
/// # Errors
/// As [`attended`].
pub(crate) fn attended_if<T: Send>(
    long: bool,
    poll: &mut dyn FnMut() -> Result<()>,
    work: impl FnOnce(&AtomicBool) -> T + Send,
) -> Result<T> {
    if long { attended(poll, work) } else { Ok(work(&AtomicBool::new(false))) }
}

/// Runs long work on another thread while this one polls. If polling fails, the flag that the work
/// receives is set, the work ends early, and its result is discarded.
///
/// # Errors
/// What `poll` returns; [`Error::Threads`] if the system cannot start the thread.
pub(crate) fn attended<T: Send>(
    poll: &mut dyn FnMut() -> Result<()>,
    work: impl FnOnce(&AtomicBool) -> T + Send,
) -> Result<T> {
    const INTERVAL: Duration = Duration::from_millis(20);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (done, finished) = mpsc::channel();
        let stop = &stop;
        let worker = std::thread::Builder::new()
            .spawn_scoped(scope, move || {
                let result = work(stop);
                // The other end is gone only when this thread is being waited for.
                let _ = done.send(());
                result
            })
            .map_err(|error| Error::Threads { threads: 1, reason: error.to_string() })?;
        let mut polled = Ok(());
        while finished.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            if polled.is_ok() {
                polled = poll();
                stop.store(polled.is_err(), Ordering::Relaxed);
            }
        }
        let result = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        polled.map(|()| result)
    })
}

/// Counts the checks of a test.
#[cfg(test)]
pub(crate) mod checks {
    use std::cell::Cell;

    thread_local! {
        static CHECKS: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn count() {
        CHECKS.set(CHECKS.get() + 1);
    }

    /// The number of checks in this thread since the last call.
    pub(crate) fn taken() -> usize {
        CHECKS.replace(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn installed_work_shares_its_parts() -> Result<()> {
        for threads in 1..5 {
            let team = Team::new(threads)?;
            let sum = team.install(threads, || {
                let mut parts = [0_usize; 7];
                for _ in 0..100 {
                    team.for_each(&mut parts, |at, part| *part += at);
                }
                parts.iter().sum::<usize>()
            });
            assert_eq!(sum, 100 * 21);
        }
        Ok(())
    }

    /// Parts that wait for parts of their own, of which other threads take some.
    #[test]
    fn installed_work_may_be_nested() -> Result<()> {
        for threads in 2..5 {
            let team = Team::new(threads)?;
            for _ in 0..2000 {
                let sum = team.install(threads, || {
                    let mut parts = [0_usize; 5];
                    team.for_each(&mut parts, |_, part| {
                        let mut inner = [1_usize; 6];
                        team.for_each(&mut inner, |at, number| *number += at);
                        *part = inner.iter().sum();
                    });
                    parts.iter().sum::<usize>()
                });
                assert_eq!(sum, 5 * 21);
            }
        }
        Ok(())
    }

    #[test]
    fn installed_work_that_panics_ends() -> Result<()> {
        for threads in 1..4 {
            let team = Team::new(threads)?;
            let work = || team.install(3, || std::panic::resume_unwind(Box::new("stop")));
            assert!(catch_unwind(AssertUnwindSafe(work)).is_err());
            // The threads work on.
            let mut parts = [0; 5];
            team.for_each(&mut parts, |_, part| *part += 1);
            assert_eq!(parts, [1; 5]);
        }
        Ok(())
    }
}
