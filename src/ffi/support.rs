//! The fence around every exported function.
//!
//! Owns what all functions have in common: outputs are cleared first, a NULL object is answered,
//! a failure becomes a status and a text, and a panic goes no further. Refuses to know what the
//! functions do.

#![forbid(unsafe_code)]

use std::ffi::c_int;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::status::OK;
use crate::error::{Failure, Status};
use crate::sleepers::Timeout;

/// What a function acts on, as C names it.
pub(super) trait Object {
    /// What it is inside.
    type Inside: Reporter;

    /// A way to it that keeps it alive meanwhile.
    type Entered<'a>: Deref<Target = Self::Inside>
    where
        Self: 'a;

    /// Begins a call; none for NULL.
    fn enter(&self) -> Option<Self::Entered<'_>>;
}

/// What a failure is noted on.
pub(super) trait Reporter {
    /// Makes this the last failure.
    fn note(&self, failure: Failure) -> Status;

    /// A call has panicked.
    fn panicked(&self);
}

/// The places where a function puts its results beside what it returns.
pub(super) trait Outputs {
    /// Sets them to NULL, zero or empty text.
    fn clear(&self);
}

/// Why a function did not succeed.
pub(super) enum Fault {
    /// Noted already, if it is to be noted.
    Known(Status),
    /// To be noted on the object.
    New(Failure),
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Fault::Known(status)
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Fault::New(failure)
    }
}

/// What a function that returns a status returns if it succeeds.
pub(super) trait Success {
    /// As a number that is not negative.
    fn number(self) -> c_int;
}

/// As a rule there is nothing to tell.
impl Success for () {
    fn number(self) -> c_int {
        OK as c_int
    }
}

/// A descriptor.
impl Success for c_int {
    fn number(self) -> c_int {
        self
    }
}

/// Runs a function that returns a status.
pub(super) fn fence<O: Object, P: Outputs, S: Success>(
    object: O,
    outputs: P,
    body: impl FnOnce(&O::Inside, &P) -> Result<S, Fault>,
) -> c_int {
    let run = |inside: &O::Inside, outputs: &P| match body(inside, outputs) {
        Ok(success) => success.number(),
        Err(Fault::Known(status)) => status as c_int,
        Err(Fault::New(failure)) => inside.note(failure) as c_int,
    };
    let (null, panicked) = (Status::Invalid as c_int, Status::Internal as c_int);
    fence_values(object, outputs, null, panicked, run)
}

/// Runs a function that returns something else, which for a NULL object is `fallback`.
pub(super) fn fence_value<O: Object, P: Outputs, R: Copy>(
    object: O,
    outputs: P,
    fallback: R,
    body: impl FnOnce(&O::Inside, &P) -> R,
) -> R {
    fence_values(object, outputs, fallback, fallback, body)
}

fn fence_values<O: Object, P: Outputs, R>(
    object: O,
    outputs: P,
    null: R,
    panicked: R,
    body: impl FnOnce(&O::Inside, &P) -> R,
) -> R {
    outputs.clear();
    let Some(entered) = object.enter() else { return null };
    // A panic leaves what it interrupted to itself: the object is told and gives up what it has.
    match catch_unwind(AssertUnwindSafe(|| body(&entered, &outputs))) {
        Ok(result) => result,
        Err(_) => {
            // Should this panic as well, then what it says has been said.
            let _ = catch_unwind(AssertUnwindSafe(|| entered.panicked()));
            panicked
        }
    }
}

/// How long the call may wait. To be asked for before all else.
pub(super) fn timeout(timeout_ms: c_int) -> Result<Timeout, Failure> {
    Timeout::from_millis(timeout_ms).ok_or_else(|| {
        invalid(
            "timeout_ms",
            &format!("is {timeout_ms}; it must be 0 or more milliseconds, or SIO_FOREVER (-1)"),
        )
    })
}

/// The failure that names an argument and says what is wrong with it.
pub(super) fn invalid(argument: &str, what: &str) -> Failure {
    Failure::new(Status::Invalid, format!("argument `{argument}` {what}"))
}

/// For functions that act on no object.
impl Object for () {
    type Inside = ();
    type Entered<'a> = &'a ();

    fn enter(&self) -> Option<&()> {
        Some(self)
    }
}

impl Reporter for () {
    fn note(&self, failure: Failure) -> Status {
        failure.status
    }

    fn panicked(&self) {}
}

/// For functions without outputs.
impl Outputs for () {
    fn clear(&self) {}
}

impl<A: Outputs, B: Outputs> Outputs for (A, B) {
    fn clear(&self) {
        self.0.clear();
        self.1.clear();
    }
}

impl<A: Outputs, B: Outputs, C: Outputs, D: Outputs> Outputs for (A, B, C, D) {
    fn clear(&self) {
        self.0.clear();
        self.1.clear();
        self.2.clear();
        self.3.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    #[derive(Default)]
    struct Witness {
        noted: RefCell<Vec<String>>,
        panics: Cell<u32>,
    }

    impl Reporter for Witness {
        fn note(&self, failure: Failure) -> Status {
            self.noted.borrow_mut().push(failure.text);
            failure.status
        }

        fn panicked(&self) {
            self.panics.set(self.panics.get() + 1);
            panic!("on a poisoned lock, say");
        }
    }

    impl Object for Option<&Witness> {
        type Inside = Witness;
        type Entered<'a>
            = &'a Witness
        where
            Self: 'a;

        fn enter(&self) -> Option<&Witness> {
            *self
        }
    }

    struct Place(Cell<i32>);

    impl Outputs for &Place {
        fn clear(&self) {
            self.0.set(0);
        }
    }

    #[test]
    fn a_panic_is_internal_and_the_object_is_told() {
        let witness = Witness::default();
        let status = fence(Some(&witness), (), |_, ()| -> Result<(), Fault> { panic!("a defect") });
        assert_eq!(status, Status::Internal as c_int);
        assert_eq!(witness.panics.get(), 1);
        assert_eq!(fence_value(Some(&witness), (), 7, |_, ()| panic!("a defect")), 7);
        assert_eq!(witness.panics.get(), 2);
    }

    #[test]
    fn a_null_object_is_invalid_and_outputs_are_cleared_all_the_same() {
        let place = Place(Cell::new(9));
        assert_eq!(fence(None, &place, |_: &Witness, _| Ok(())), Status::Invalid as c_int);
        assert_eq!(place.0.get(), 0);
        assert_eq!(fence_value(None, (&place, ()), 7, |_: &Witness, _| 8), 7);
    }

    #[test]
    fn a_new_failure_is_noted_and_a_known_one_is_not() {
        let witness = Witness::default();
        let new =
            fence(Some(&witness), (), |_, ()| Err::<(), _>(invalid("event", "is NULL").into()));
        assert_eq!(new, Status::Invalid as c_int);
        let known = fence(Some(&witness), (), |_, ()| Err::<(), _>(Status::Timeout.into()));
        assert_eq!(known, Status::Timeout as c_int);
        assert_eq!(fence(Some(&witness), (), |_, ()| Ok(())), 0);
        assert_eq!(*witness.noted.borrow(), ["argument `event` is NULL"]);
    }

    #[test]
    fn a_timeout_is_milliseconds_or_forever() {
        assert_eq!(timeout(-1).unwrap(), Timeout::Forever);
        assert!(timeout(0).unwrap().is_zero());
        assert!(timeout(-2).unwrap_err().text.contains("`timeout_ms` is -2"));
        assert!(timeout(c_int::MIN).is_err());
    }
}
