//! What this process uses of the machine, as `/proc` tells it.

#![forbid(unsafe_code)]

use std::fmt;
use std::fs;
use std::time::Duration;

/// What would grow if something were not given back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    pub descriptors: usize,
    pub threads: usize,
    /// Resident memory in KiB.
    pub memory: u64,
}

impl Used {
    pub fn now() -> Self {
        let (descriptors, threads) = (count("/proc/self/fd"), count("/proc/self/task"));
        Used { descriptors, threads, memory: resident() }
    }

    /// Each the larger of the two.
    pub fn most(self, other: Used) -> Used {
        Used {
            descriptors: self.descriptors.max(other.descriptors),
            threads: self.threads.max(other.threads),
            memory: self.memory.max(other.memory),
        }
    }

    /// Whether this is no more than it was, but for so many descriptors and threads, and KiB.
    pub fn is_within(self, before: Used, more: usize, more_memory: u64) -> bool {
        self.descriptors <= before.descriptors + more
            && self.threads <= before.threads + more
            && self.memory <= before.memory + more_memory
    }

    pub fn told(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Used { descriptors, threads, memory } = self;
        write!(f, "{descriptors} descriptors, {threads} threads, {memory} KiB")
    }
}

/// Resident memory in KiB.
pub fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Processor time of all threads that run now.
pub fn processor() -> Duration {
    let of = |task: &fs::DirEntry| {
        let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    let tasks = fs::read_dir("/proc/self/task").expect("tasks");
    tasks.flatten().filter_map(|task| of(&task)).sum()
}

fn count(folder: &str) -> usize {
    fs::read_dir(folder).expect("a folder of /proc").count()
}
