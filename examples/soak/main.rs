//! The long tests: that nothing is lost, grows or spins, over many runs and millions of messages.
//!
//! `make soak` runs all of them, `cargo run --release --example soak -- leave idle` some. Each tells
//! how far it is; a table at the end tells what came of them, and the exit status is 0 only if there
//! was no miss.
//!
//! Owns: which there are, and the table.

#![forbid(unsafe_op_in_unsafe_fn)]
// What the parts share is public to each other; there is nobody else.
#![allow(unreachable_pub)]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/interop/content.rs"]
mod content;
#[path = "../../tests/interop/harness.rs"]
mod harness;

mod cycles;
mod idle;
mod leave;
mod mixed;
mod own;
mod threads;

use std::process::ExitCode;
use std::time::Instant;

type Part = (&'static str, fn(&mut Table));

const PARTS: [Part; 5] = [
    // Those that look at the memory come first.
    ("cycles", cycles::run),
    ("mixed", mixed::run),
    ("idle", idle::run),
    ("leave", leave::run),
    ("threads", threads::run),
];

fn main() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = chosen.iter().find(|word| PARTS.iter().all(|(name, _)| name != word)) {
        eprintln!("{unknown}: there are {}", PARTS.map(|(name, _)| name).join(", "));
        return ExitCode::FAILURE;
    }
    let begin = Instant::now();
    let mut table = Table::default();
    for (name, part) in PARTS {
        if chosen.is_empty() || chosen.iter().any(|word| word == name) {
            println!("== {name}");
            part(&mut table);
        }
    }
    println!("\nafter {} s", begin.elapsed().as_secs());
    table.print()
}

/// What came of it all.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
}

struct Row {
    what: String,
    result: String,
    good: bool,
}

impl Table {
    /// Notes one figure.
    pub fn row(&mut self, what: String, result: String, good: bool) {
        println!("{} {what}: {result}", if good { "good" } else { "MISS" });
        self.rows.push(Row { what, result, good });
    }

    fn print(&self) -> ExitCode {
        let width = self.rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
        for Row { what, result, good } in &self.rows {
            println!("{} {what:width$}  {result}", if *good { "good" } else { "MISS" });
        }
        let missed = self.rows.iter().filter(|row| !row.good).count();
        println!("{} figures, {missed} missed", self.rows.len());
        if missed == 0 && !self.rows.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
