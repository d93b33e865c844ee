//! Which tests may run at the same time.
//!
//! Owns: the turns. Tests that measure times have the machine for themselves.

#![forbid(unsafe_code)]

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static TURNS: RwLock<()> = RwLock::new(());

/// For a test that others may run beside.
pub fn among_others() -> RwLockReadGuard<'static, ()> {
    // A test that failed leaves nothing behind that another would meet.
    TURNS.read().unwrap_or_else(PoisonError::into_inner)
}

/// For a test beside which no other runs.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    TURNS.write().unwrap_or_else(PoisonError::into_inner)
}
