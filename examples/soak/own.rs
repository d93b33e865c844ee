//! What this process uses of the machine, as `/proc` tells it.

#![forbid(unsafe_code)]

use std::fs;
use std::time::Duration;

/// Open descriptors.
pub fn descriptors() -> usize {
    count("/proc/self/fd")
}

/// Threads.
pub fn threads() -> usize {
    count("/proc/self/task")
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
