//! The long tests: that nothing is lost, grows or spins, over many runs and millions of messages.
//!
//! `make soak` runs all of them, `make soak PART="restarts node"` those that are named: parts, of
//! servers (oxide, node, asyncio, threaded) only these, and `runs=N` for at most so many runs of each
//! figure. Each tells how far it is; a table at the end tells what was seen and what it must be, and the
//! exit status is 0 only if there was no miss.
//!
//! Owns: which there are, and what was chosen. `table` owns the figures.

#![forbid(unsafe_op_in_unsafe_fn)]
// What the parts share is public to each other; there is nobody else.
#![allow(unreachable_pub)]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/interop/content.rs"]
mod content;
#[path = "../../tests/interop/epoll.rs"]
#[allow(dead_code)]
mod epoll;
#[path = "../../tests/interop/harness.rs"]
mod harness;
#[path = "../../tests/interop/process.rs"]
#[allow(dead_code)]
mod process;

mod cycles;
mod dead;
mod idle;
mod leave;
mod life;
mod mixed;
mod own;
mod refused;
mod restarts;
mod silence;
mod table;
mod threads;
mod upgrade;
mod wakes;
mod watch;
mod ways;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use common::Kind;
use table::Table;

type Part = (&'static str, fn(&mut Table));

const PARTS: [Part; 11] = [
    // Those that look at the memory come first.
    ("cycles", cycles::run),
    ("mixed", mixed::run),
    ("restarts", restarts::run),
    ("idle", idle::run),
    ("silence", silence::run),
    ("dead", dead::run),
    ("refused", refused::run),
    ("upgrade", upgrade::run),
    ("leave", leave::run),
    ("threads", threads::run),
    ("wakes", wakes::run),
];

fn main() -> ExitCode {
    let chosen = match Chosen::from_args() {
        Ok(chosen) => chosen,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::FAILURE;
        }
    };
    let begin = Instant::now();
    let mut table = Table::new(chosen.kinds, chosen.runs);
    for (name, part) in chosen.parts {
        println!("== {name}, after {} s", begin.elapsed().as_secs());
        // What breaks one part off is told on stderr, and says nothing about the next.
        if catch_unwind(AssertUnwindSafe(|| part(&mut table))).is_err() {
            table.row(name, "broke off", "no failure", false);
        }
    }
    println!("\nafter {} s", begin.elapsed().as_secs());
    table.print()
}

struct Chosen {
    parts: Vec<Part>,
    kinds: Vec<Kind>,
    runs: usize,
}

impl Chosen {
    fn from_args() -> Result<Self, String> {
        let mut chosen = Chosen { parts: Vec::new(), kinds: Vec::new(), runs: usize::MAX };
        for word in std::env::args().skip(1) {
            let part = PARTS.into_iter().find(|(name, _)| *name == word);
            let kind = Kind::all().into_iter().find(|kind| ways::server_name(*kind) == word);
            let runs = word.strip_prefix("runs=").and_then(|runs| runs.parse().ok());
            chosen.parts.extend(part);
            chosen.kinds.extend(kind);
            chosen.runs = runs.unwrap_or(chosen.runs);
            if part.is_none() && kind.is_none() && runs.is_none() {
                let parts = PARTS.map(|(name, _)| name).join(", ");
                let kinds = Kind::all().map(ways::server_name).join(", ");
                return Err(format!(
                    "{word}: there are the parts {parts}; the servers {kinds}; and runs=N"
                ));
            }
        }
        if chosen.parts.is_empty() {
            chosen.parts = PARTS.to_vec();
        }
        if chosen.kinds.is_empty() {
            chosen.kinds = Kind::all().to_vec();
        }
        Ok(chosen)
    }
}
