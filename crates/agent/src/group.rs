//! The group of processes that a child begins: it never outlives us.

use rustix::process::{Pid, Signal, kill_process_group};

/// Variables that a child keeps. By the first, the local provider finds and ends every process of an instance whose
/// agent was killed. The others configure Python and accelerate.
pub(crate) const KEPT: [&str; 3] = ["MORPHEUS_INSTANCE", "PYTHONPATH", "ACCELERATE_CONFIG_FILE"];

/// A child that was started in a group of its own, and everything that it starts. Dropped, all of it is killed.
#[derive(Debug)]
pub(crate) struct Group(Option<Pid>);

impl Group {
    /// The group of a child by its number.
    pub(crate) fn of(child: u32) -> Self {
        Self(i32::try_from(child).ok().and_then(Pid::from_raw))
    }

    /// Asks the whole group to end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends the whole group.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Ends what the child left behind, once it is reaped; its number may belong to somebody else later.
    pub(crate) fn end_stragglers(&mut self) {
        self.kill();
        self.0 = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It may have ended by itself at this moment.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
