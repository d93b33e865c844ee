//! What threads meet by: locks, atomic numbers, parking, the clock.
//!
//! The standard library's, and nothing else. The modules whose very business is the order of threads
//! ([`sleepers`](crate::sleepers), [`ready`](crate::ready), [`gate`](crate::gate),
//! [`turnstile`](crate::turnstile), [`callback`](crate::callback)) take these names from here, so that
//! the models in `tests/loom` can compile the same sources with types in their place that try the
//! orders in which threads may go.

#![forbid(unsafe_code)]

pub use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, atomic};
pub use std::thread;
pub use std::thread_local;
pub use std::time::Instant;
