//! What stands for the client where it is about readiness: two queues and the end of the connection
//! under one lock, and the order in which the monitor does things when it opens that.

use std::sync::Arc;

use loom::sync::Mutex;

use crate::ready::{Due, Function, Readiness, Ready, Takeable};
use crate::sys::Pipe;

pub struct Desk {
    core: Mutex<Core>,
    pub ready: Ready,
}

pub struct Core {
    pub events: u32,
    pub results: u32,
    /// The connection has ended, and no receive has said so.
    pub end: bool,
    readiness: Readiness,
    /// Since the wakeup function was called last, the program has been told that nothing is there.
    told: Told,
}

/// Of which queue; one that is empty need not be asked once the other has been.
#[derive(Clone, Copy)]
struct Told {
    events: bool,
    results: bool,
}

const ALL_TOLD: Told = Told { events: true, results: true };

impl Core {
    /// The function is being called: whether the program has been told that both are empty.
    pub fn begin_call(&mut self) -> bool {
        let Told { events, results } =
            std::mem::replace(&mut self.told, Told { events: false, results: false });
        events && results
    }

    fn has_events(&self) -> bool {
        self.events > 0 || self.end
    }

    fn takeable(&self) -> Takeable {
        Takeable { events: self.has_events(), results: self.results > 0 }
    }
}

impl Desk {
    pub fn new() -> Arc<Self> {
        let ready = Ready::default();
        let readiness = Readiness::of(&ready);
        let core = Core { events: 0, results: 0, end: false, readiness, told: ALL_TOLD };
        Arc::new(Desk { core: Mutex::new(core), ready })
    }

    /// As the monitor does: enter, act, compare, leave, tell.
    pub fn with<R>(&self, action: impl FnOnce(&mut Core) -> R) -> R {
        let mut core = self.core.lock().unwrap();
        let result = action(&mut core);
        let due = match core.readiness.is_asked_for() {
            true => {
                let takeable = core.takeable();
                core.readiness.update(takeable)
            }
            false => Due::default(),
        };
        drop(core);
        if due.level {
            self.ready.show();
        }
        if let Some(setting) = due.wakeup {
            self.ready.call(setting);
        }
        result
    }

    pub fn push_event(&self) {
        self.with(|core| core.events += 1);
    }

    pub fn push_result(&self) {
        self.with(|core| core.results += 1);
    }

    pub fn end(&self) {
        self.with(|core| core.end = true);
    }

    /// Takes an event; if there is none, the end is told once.
    pub fn receive(&self) -> bool {
        self.with(|core| {
            if core.events > 0 {
                core.events -= 1;
                return true;
            }
            let results = core.results > 0;
            core.readiness.no_events(results);
            core.told = Told { events: true, results: core.told.results || !results };
            std::mem::take(&mut core.end)
        })
    }

    pub fn result(&self) -> bool {
        self.with(|core| {
            if core.results > 0 {
                core.results -= 1;
                return true;
            }
            let events = core.has_events();
            core.readiness.no_results(events);
            core.told = Told { events: core.told.events || !events, results: true };
            false
        })
    }

    /// Takes from both until there is nothing, and says how much that was.
    pub fn drain(&self) -> u32 {
        let mut taken = 0;
        while self.result() {
            taken += 1;
        }
        while self.receive() {
            taken += 1;
        }
        taken
    }

    /// As `Client::descriptor` does.
    pub fn watch(&self) -> Arc<Pipe> {
        let descriptor = self.ready.descriptor().unwrap();
        self.with(|core| core.readiness.watch());
        Pipe::of(descriptor)
    }

    /// As `Client::set_wakeup` does.
    pub fn set_wakeup(&self, function: Option<Function>) {
        let setting = self.ready.set(function).unwrap();
        self.with(|core| core.readiness.wake(setting));
    }

    /// For a moment at which nobody is in a call.
    #[track_caller]
    pub fn check(&self, pipe: &Pipe) {
        let takeable = self.core.lock().unwrap().takeable();
        assert_eq!(pipe.is_readable(), takeable.events || takeable.results);
    }
}
