//! The client's thread: a loop of socket, timer and doorbell.
//!
//! Owns the tokio runtime and the links, moves bytes between them and the monitor, and does
//! what the session asks for. Refuses to decide anything: it asks at every turn.

#![forbid(unsafe_code)]

mod intake;
mod link;
mod polling;
mod road;

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::runtime::Runtime;
use tokio::time::{Instant, Sleep};

use crate::core::{Order, Plan};
use crate::error::{Failure, Status};
use crate::monitor::{self, Shared};
use crate::session::Moment;
use crate::sys::{self, Signal};
use crate::transport::Transport;
use polling::Polling;
use road::{Progress, Road, advance};

/// The close code of a probe that is given up.
const NORMAL: u16 = 1000;

/// A timer that is never due within a process's life.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// The runtime of one client. Made by the caller, so that it can be told of a refusal.
pub fn runtime() -> io::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    // A client has a handful of descriptors; what is made room for is there for each client.
    builder.enable_io().enable_time().max_io_events_per_tick(16).build()
}

/// What the client's thread does from its first moment to its last.
pub fn main(shared: Arc<Shared>, runtime: Runtime) {
    let mut os_error = 0;
    monitor::guarded(&shared, || {
        if let Err(error) = runtime.block_on(drive(Arc::clone(&shared))) {
            os_error = error.raw_os_error().unwrap_or(libc::EIO);
            let text = format!("the client's thread cannot wait for its descriptors: {error}");
            let now = now();
            let failure = Failure::new(Status::System, text);
            let _ = shared.with(|core, effects| core.give_up(failure, now, effects));
        }
    });
    shared.driver_ended(os_error);
    // Sockets that are being parted from are closed here, with the runtime.
    drop(runtime);
}

/// The driver's work. On the heap, and never inlined, since its size would otherwise stay on the
/// stack of each client's thread.
#[inline(never)]
fn drive(shared: Arc<Shared>) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send>> {
    Box::pin(async move {
        // It is made before the driver.
        let Some(doorbell) = shared.signal() else { return Ok(()) };
        Driver::new(&shared, doorbell)?.run().await;
        Ok(())
    })
}

/// The clock that the session is told: it counts suspended time where the system has such a one.
pub fn now() -> Moment {
    Moment::from_nanos(sys::boot_nanos())
}

struct Driver<'a> {
    shared: &'a Arc<Shared>,
    doorbell: AsyncFd<BorrowedFd<'a>>,
    timer: Pin<Box<Sleep>>,
    /// The WebSocket that the session goes by.
    main: Option<Road>,
    /// The one that it may move to.
    probe: Option<Road>,
    /// One that it will not move to, and that is to last as long as the link.
    forgotten: Option<Road>,
    /// The polling link that it goes by.
    polling: Option<Box<Polling>>,
    /// The connection is quiet, and what it was busy with last is not done yet.
    rest: bool,
}

/// What ended a wait.
enum Wake {
    /// Something that the next turn will see.
    Turn,
    /// The WebSocket that the session goes by got on.
    Main(Progress),
    /// The probe got on.
    Probe(Progress),
    /// A request got on.
    Polling(polling::Step),
}

impl<'a> Driver<'a> {
    fn new(shared: &'a Arc<Shared>, doorbell: &'a Signal) -> io::Result<Self> {
        Ok(Driver {
            shared,
            doorbell: sys::watch(doorbell)?,
            timer: Box::pin(tokio::time::sleep(NEVER)),
            main: None,
            probe: None,
            forgotten: None,
            polling: None,
            rest: false,
        })
    }

    async fn run(&mut self) {
        loop {
            let Some(mut plan) = self.turn() else { return };
            if plan.stop {
                return;
            }
            let mut busy = !plan.orders.is_empty();
            for order in plan.orders.drain(..) {
                self.obey(order);
            }
            busy |= self.write();
            self.rest |= plan.rest;
            match poll_fn(|context| self.poll(context, plan.read, busy)).await {
                Wake::Turn => (),
                Wake::Main(progress) => advance(&mut self.main, self.shared, progress),
                Wake::Probe(progress) => advance(&mut self.probe, self.shared, progress),
                Wake::Polling(step) => {
                    if let Some(polling) = &mut self.polling {
                        polling.take_in(self.shared, step, now());
                    }
                }
            }
        }
    }

    /// Asks what to do; none if the client cannot be entered any more.
    fn turn(&mut self) -> Option<Plan> {
        let now = now();
        let prepare = self.shared.prepare.is_set();
        let main = &mut self.main;
        let plan = self.shared.with(|core, effects| {
            let plan = core.turn(prepare, now, effects);
            if let Some(Road::Open(link)) = main {
                link.fill(core);
            }
            plan
        });
        let plan = plan.ok()?;
        if plan.rest {
            // Without the lock, since memory goes back to the system.
            if let Some(Road::Open(link)) = &mut self.main {
                link.rest();
            }
            if let Some(polling) = &self.polling {
                polling.rest();
            }
        }
        let due = match plan.deadline {
            Some(deadline) => deadline.saturating_sub(now),
            None => NEVER,
        };
        self.timer.as_mut().reset(Instant::now() + due.min(NEVER));
        Some(plan)
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Prepare(ticket) => self.shared.start_prepare(ticket),
            Order::Dial { link, transport, target, plan } => {
                self.part(None, false);
                match transport {
                    Transport::Polling => {
                        self.polling = Some(Box::new(Polling::open(&plan, target, link)))
                    }
                    Transport::WebSocket => {
                        self.main = Some(Road::dial(plan, target, link, false));
                    }
                }
            }
            Order::Poll { target } => {
                if let Some(polling) = &mut self.polling {
                    polling.poll_server(target);
                }
            }
            Order::Post { target, body } => {
                if let Some(polling) = &mut self.polling {
                    polling.post(target, body);
                }
            }
            Order::Probe { link, target, plan } => {
                self.probe = Some(Road::dial(plan, target, link, true));
            }
            Order::ProbePing => {
                if let Some(Road::Open(probe)) = &mut self.probe {
                    probe.ask();
                }
            }
            Order::ProbeDrop => {
                if let Some(Road::Open(probe)) = self.probe.take() {
                    tokio::spawn(probe.part(Some(NORMAL)));
                }
            }
            Order::ProbeForget => self.forgotten = self.probe.take(),
            Order::Switch => {
                if let Some(polling) = self.polling.take() {
                    polling.part(false);
                }
                self.main = self.probe.take();
                if let Some(Road::Open(link)) = &mut self.main {
                    link.take_over(self.shared);
                }
            }
            Order::ShutdownWrite => {
                if let Some(Road::Open(link)) = &self.main {
                    link.shutdown();
                }
            }
            Order::Farewell { code } => self.part(code, true),
            Order::Hangup => self.part(None, false),
        }
    }

    /// Parts from whatever link there is, for a farewell in the background.
    fn part(&mut self, code: Option<u16>, farewell: bool) {
        self.probe = None;
        self.forgotten = None;
        if let Some(polling) = self.polling.take() {
            polling.part(farewell);
        }
        if let Some(Road::Open(link)) = self.main.take() {
            // Without unwritten bytes it is not the writer; a caller that is reports by itself.
            if !link.unwritten().is_empty() {
                let _ = self.shared.with(|core, effects| {
                    core.give_back(link.number(), link.unwritten(), 0, effects);
                });
            }
            if farewell {
                tokio::spawn(link.part(code));
            }
        }
        self.shared.forget_socket();
    }

    /// Writes what the links have to write; true if that got on.
    fn write(&mut self) -> bool {
        let mut busy = false;
        for road in [&mut self.main, &mut self.probe] {
            if let Some(Road::Open(link)) = road {
                busy |= link.write(self.shared);
            }
        }
        busy
    }

    fn poll(&mut self, context: &mut Context<'_>, read: bool, busy: bool) -> Poll<Wake> {
        let mut turn = busy;
        while let Poll::Ready(ready) = self.doorbell.poll_read_ready(context) {
            let Ok(mut guard) = ready else { break };
            self.shared.answer_doorbell();
            // Mostly this is the first packet of a burst. Where both share a processor, whoever
            // emits may go on now, so that one write takes many packets; elsewhere it costs nothing.
            std::thread::yield_now();
            guard.clear_ready();
            // If the client cannot be entered, the next turn ends the driver.
            let _ = self.shared.deliver_interrupt();
            turn = true;
        }
        if let Some(road) = &mut self.main {
            if let Poll::Ready(progress) = road.poll(context, read) {
                return Poll::Ready(Wake::Main(progress));
            }
            turn |= road.poll_writable(context);
        }
        if let Some(road) = &mut self.probe {
            if let Poll::Ready(progress) = road.poll(context, true) {
                return Poll::Ready(Wake::Probe(progress));
            }
            turn |= road.poll_writable(context);
        }
        if let Some(polling) = &mut self.polling
            && let Poll::Ready(step) = polling.poll(context, read)
        {
            return Poll::Ready(Wake::Polling(step));
        }
        turn |= self.timer.as_mut().poll(context).is_ready();
        if turn {
            return Poll::Ready(Wake::Turn);
        }
        if std::mem::take(&mut self.rest) {
            sys::give_back_stack();
        }
        Poll::Pending
    }
}
