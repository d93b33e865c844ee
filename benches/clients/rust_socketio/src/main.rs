//! Measures the crate rust_socketio as `benches/run.py` asks for it:
//!
//! ```text
//! bench-rust-socketio sync|async CELL key=value ...
//! ```
//!
//! Prints one line of JSON. Exit status 2: the client cannot do what is asked for.

mod asynchronous;
mod blocking;
mod measure;
mod order;

use measure::{Figures, status};
use order::{Order, fail};
use serde_json::json;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let variant = arguments.next().unwrap_or_default();
    let order = Order::from(arguments);
    if let Some(why) = order.impossible(&variant) {
        fail(2, why);
    }
    let mut figures: Figures = match variant.as_str() {
        "sync" => blocking::run(&order),
        "async" => asynchronous::run(&order),
        _ => fail(1, "say sync or async"),
    };
    if order.cell != "start" {
        figures.insert("peak_kib".into(), json!(status("VmHWM")));
    }
    println!("{}", serde_json::Value::Object(figures));
    // At once: what is connected need not be told.
    std::process::exit(0);
}
