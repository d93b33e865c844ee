//! What came of it all: the figures, what they must be, and how far a part is.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::common::Kind;

/// What the long tests were asked for, and what they saw.
pub struct Table {
    kinds: Vec<Kind>,
    most_runs: usize,
    rows: Vec<Row>,
}

struct Row {
    what: String,
    saw: String,
    must: String,
    good: bool,
}

impl Table {
    pub fn new(kinds: Vec<Kind>, most_runs: usize) -> Self {
        Table { kinds, most_runs, rows: Vec::new() }
    }

    /// The servers that were chosen.
    pub fn kinds(&self) -> Vec<Kind> {
        self.kinds.clone()
    }

    /// So many runs, or the fewer that were asked for.
    pub fn runs(&self, of: usize) -> usize {
        of.min(self.most_runs).max(1)
    }

    /// Notes one figure: what was seen, and what it must be.
    pub fn row(
        &mut self,
        what: impl Into<String>,
        saw: impl Into<String>,
        must: impl Into<String>,
        good: bool,
    ) {
        let row = Row { what: what.into(), saw: saw.into(), must: must.into(), good };
        println!("{} {}: {}  [must be: {}]", verdict(good), row.what, row.saw, row.must);
        self.rows.push(row);
    }

    /// Whether there was no miss is the exit status.
    pub fn print(&self) -> ExitCode {
        let width = |part: fn(&Row) -> &String| {
            self.rows.iter().map(|row| part(row).chars().count()).max().unwrap_or(0)
        };
        let (what_width, must_width) = (width(|row| &row.what), width(|row| &row.must));
        for Row { what, saw, must, good } in &self.rows {
            println!("{} {what:what_width$}  {must:must_width$}  {saw}", verdict(*good));
        }
        let missed = self.rows.iter().filter(|row| !row.good).count();
        println!("{} figures, {missed} missed", self.rows.len());
        if missed == 0 && !self.rows.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn verdict(good: bool) -> &'static str {
    if good { "good" } else { "MISS" }
}

/// Tells now and then how far something is.
pub struct Progress {
    what: String,
    of: usize,
    begin: Instant,
    told: Instant,
}

impl Progress {
    /// So long nothing is said.
    const PAUSE: Duration = Duration::from_secs(5);

    pub fn new(what: impl Into<String>, of: usize) -> Self {
        let now = Instant::now();
        Progress { what: what.into(), of, begin: now, told: now }
    }

    /// So many are done.
    pub fn at(&mut self, done: usize) {
        self.tell(done, String::new);
    }

    /// So many are done, and this can be said about them.
    pub fn tell(&mut self, done: usize, about: impl FnOnce() -> String) {
        if self.told.elapsed() < Self::PAUSE {
            return;
        }
        self.told = Instant::now();
        let (what, of, after) = (&self.what, self.of, self.begin.elapsed().as_secs());
        let about = about();
        let about = if about.is_empty() { about } else { format!("; {about}") };
        println!("     {what}: {done} of {of} after {after} s{about}");
    }
}

/// The figures of several runs, in words.
pub fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let Some(slowest) = times.last() else { return "none".to_owned() };
    format!("median {:.1?}, slowest {slowest:.1?}", times[times.len() / 2])
}
