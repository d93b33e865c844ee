//! What is measured of this process.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

/// The members of the line that is printed.
pub type Figures = Map<String, Value>;

pub struct Measure {
    cpu: i64,
    start: Instant,
}

impl Measure {
    pub fn start() -> Measure {
        Measure { cpu: cpu_us(), start: Instant::now() }
    }

    pub fn stop(self, count: usize) -> Figures {
        let cpu = cpu_us() - self.cpu;
        let wall = self.start.elapsed().as_micros() as u64;
        let threads = status("Threads");
        members(json!({"count": count, "cpu_us": cpu, "wall_us": wall, "threads": threads}))
    }
}

/// With the percentiles of these times.
pub fn percentiles(mut figures: Figures, mut times: Vec<Duration>) -> Figures {
    times.sort();
    let at = |share: f64| {
        let time = times[(times.len() as f64 * share) as usize];
        json!((time.as_nanos() as f64 / 100.0).round() / 10.0)
    };
    figures.insert("p50_us".into(), at(0.5));
    figures.insert("p99_us".into(), at(0.99));
    figures
}

pub fn idled(mut figures: Figures, before: u64) -> Figures {
    let rss = status("VmRSS");
    let clients = figures["count"].as_u64().unwrap_or(1);
    figures.insert("rss_kib".into(), json!(rss));
    figures.insert("kib_each".into(), json!((rss - before) as f64 / clients as f64));
    figures
}

pub fn members(value: Value) -> Figures {
    match value {
        Value::Object(members) => members,
        _ => Figures::new(),
    }
}

/// A number from the kernel's account of this process.
pub fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .expect("a number of that name")
}

/// The processor time of all threads, user and system.
fn cpu_us() -> i64 {
    // SAFETY: all zeros are a valid `rusage`, and the pointer is to one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let us = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
    us(usage.ru_utime) + us(usage.ru_stime)
}
