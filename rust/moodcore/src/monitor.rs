//! Progress reports and cancellation of training.

use crate::Result;
use std::time::{Duration, Instant};

/// Results of one epoch; means over the rows, weighted if rows have weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochRecord {
    /// Epochs finished, counted from one.
    pub epoch: usize,
    /// Cross-entropy on the training rows, computed in the minibatches of this epoch.
    pub loss: f64,
    /// Share of training rows classified correctly, computed in the minibatches.
    pub accuracy: f64,
    /// Cross-entropy and accuracy on the evaluation rows after the epoch.
    pub eval: Option<(f64, f64)>,
}

/// Listens to a training loop and may stop it: an error from either method ends training at
/// once, and [`crate::Error::Stopped`] carries the listener's reason back to the caller.
pub trait Monitor {
    /// Called after every epoch; returns whether training ends there and keeps what is trained.
    ///
    /// # Errors
    /// The listener's reason to stop and keep nothing.
    fn epoch(&mut self, record: &EpochRecord) -> Result<bool>;

    /// Called at least every 50 ms or so of training.
    ///
    /// # Errors
    /// The listener's reason to stop.
    fn poll(&mut self) -> Result<()>;
}

/// A monitor that ignores all reports.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn epoch(&mut self, _: &EpochRecord) -> Result<bool> {
        Ok(false)
    }

    fn poll(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Turns a count of work into polls at a steady pace: reading the clock costs as much as a
/// hundred multiplications, a training step of a small network not much more.
pub(crate) struct Pace {
    work: usize,
    last: Instant,
}

impl Pace {
    /// Multiply-adds between two looks at the clock: about a millisecond of portable code.
    const WORK: usize = 1 << 22;
    const INTERVAL: Duration = Duration::from_millis(20);

    pub(crate) fn new() -> Self {
        Pace { work: 0, last: Instant::now() }
    }

    /// Reports `work` multiply-adds done; polls when it is time.
    #[inline(always)]
    pub(crate) fn advance(&mut self, work: usize, monitor: &mut dyn Monitor) -> Result<()> {
        self.work += work;
        if self.work < Self::WORK {
            return Ok(());
        }
        self.look(monitor)
    }

    #[cold]
    #[inline(never)]
    fn look(&mut self, monitor: &mut dyn Monitor) -> Result<()> {
        self.work = 0;
        if self.last.elapsed() < Self::INTERVAL {
            return Ok(());
        }
        monitor.poll()?;
        self.last = Instant::now();
        Ok(())
    }
}
