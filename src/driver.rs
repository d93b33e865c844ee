//! The client's thread: a loop of socket, timer and doorbell.
//!
//! Owns the tokio runtime and the one socket, moves bytes between it and the monitor, and does
//! what the session asks for. Refuses to decide anything: it asks at every turn.

#![forbid(unsafe_code)]

mod link;

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, Sleep};

use crate::core::{DialPlan, Plan};
use crate::error::{Failure, Phase, Status};
use crate::monitor::{self, Shared};
use crate::net;
use crate::session::{Action, Input, Moment};
use crate::sys::{self, Signal};
use link::{Link, Read};

/// A timer that is never due within a process's life.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// The runtime of one client. Made by the caller, so that it can be told of a refusal.
pub fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()
}

/// What the client's thread does from its first moment to its last.
pub fn main(shared: Arc<Shared>, runtime: Runtime) {
    let mut os_error = 0;
    monitor::guarded(&shared, || {
        let Some(doorbell) = shared.signal() else { return };
        let outcome = runtime.block_on(async {
            let mut driver = Driver::new(&shared, doorbell)?;
            driver.run().await;
            Ok::<(), io::Error>(())
        });
        if let Err(error) = outcome {
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

/// The clock that the session is told: it counts suspended time where the system has such a one.
pub fn now() -> Moment {
    Moment::from_nanos(sys::boot_nanos())
}

type Dialing = Pin<Box<dyn Future<Output = Result<TcpStream, Failure>> + Send>>;

/// A dial that goes on: the attempt it belongs to, and the steps that it reports.
struct Dial {
    attempt: u64,
    plan: DialPlan,
    dialing: Dialing,
    phases: UnboundedReceiver<Phase>,
}

struct Driver<'a> {
    shared: &'a Arc<Shared>,
    doorbell: AsyncFd<BorrowedFd<'a>>,
    timer: Pin<Box<Sleep>>,
    dial: Option<Dial>,
    link: Option<Link>,
}

/// What ended a wait.
enum Wake {
    /// Something that the next turn will see.
    Turn,
    /// The dial reached a step.
    Phase(Phase),
    /// The dial is over.
    Dialed(Result<TcpStream, Failure>),
    /// The socket gave something.
    Read(Read),
}

impl<'a> Driver<'a> {
    fn new(shared: &'a Arc<Shared>, doorbell: &'a Signal) -> io::Result<Self> {
        Ok(Driver {
            shared,
            doorbell: sys::watch(doorbell)?,
            timer: Box::pin(tokio::time::sleep(NEVER)),
            dial: None,
            link: None,
        })
    }

    async fn run(&mut self) {
        loop {
            let Some(mut plan) = self.turn() else { return };
            if plan.stop {
                return;
            }
            for action in &plan.actions {
                match action {
                    Action::Dial => self.start_dial(plan.dial.take()),
                    other => self.act(*other, plan.clean),
                }
            }
            let busy = !plan.actions.is_empty() || self.write();
            match poll_fn(|context| self.poll(context, &plan, busy)).await {
                Wake::Turn => (),
                Wake::Phase(phase) => self.input(|| Input::Phase(phase)),
                Wake::Dialed(outcome) => self.dialed(outcome),
                Wake::Read(read) => self.read(read),
            }
        }
    }

    /// Asks what to do; none if the client cannot be entered any more.
    fn turn(&mut self) -> Option<Plan> {
        let now = now();
        let link = &mut self.link;
        let plan = self.shared.with(|core, effects| {
            let plan = core.turn(now, effects);
            if let Some(link) = link {
                link.fill(core);
            }
            plan
        });
        let plan = plan.ok()?;
        let due = match plan.deadline {
            Some(deadline) => deadline.saturating_sub(now),
            None => NEVER,
        };
        self.timer.as_mut().reset(Instant::now() + due.min(NEVER));
        Some(plan)
    }

    fn act(&mut self, action: Action, clean: bool) {
        match action {
            // Done by who has the plan.
            Action::Dial => (),
            Action::ShutdownWrite => {
                if let Some(link) = &self.link {
                    link.shutdown();
                }
            }
            Action::Farewell { code } => {
                self.dial = None;
                if let Some(link) = self.link.take() {
                    tokio::spawn(link.part(clean.then_some(code)));
                }
                self.shared.forget_socket();
            }
            Action::Hangup => {
                self.dial = None;
                self.link = None;
                self.shared.forget_socket();
            }
        }
    }

    fn start_dial(&mut self, plan: Option<(u64, DialPlan)>) {
        let Some((attempt, plan)) = plan else { return };
        let (sender, phases): (UnboundedSender<Phase>, _) = unbounded_channel();
        let (host, port) = (plan.url.host.clone(), plan.url.port);
        let dialing = Box::pin(async move {
            // Nobody listens any more if the dial has been given up.
            net::dial::dial(&host, port, |phase| {
                let _ = sender.send(phase);
            })
            .await
        });
        self.dial = Some(Dial { attempt, plan, dialing, phases });
    }

    fn dialed(&mut self, outcome: Result<TcpStream, Failure>) {
        let Some(Dial { attempt, plan, .. }) = self.dial.take() else { return };
        let opened = outcome.and_then(|stream| {
            let socket = stream.as_raw_fd();
            let link = Link::open(stream, &plan, attempt)?;
            Ok((link, socket))
        });
        let now = now();
        // The monitor's own refusals show at the next turn.
        let _ = match opened {
            Ok((link, socket)) => {
                self.shared.keep_socket(socket);
                self.link = Some(link);
                self.shared.with(|core, effects| {
                    core.input_of(attempt, Input::Phase(Phase::Handshake), now, effects)
                })
            }
            Err(failure) => self
                .shared
                .with(|core, effects| core.input_of(attempt, Input::Failed(failure), now, effects)),
        };
    }

    fn input<'i>(&self, input: impl FnOnce() -> Input<'i>) {
        let attempt = match (&self.dial, &self.link) {
            (Some(dial), _) => dial.attempt,
            (None, Some(link)) => link.attempt(),
            (None, None) => return,
        };
        let now = now();
        let _ = self.shared.with(|core, effects| core.input_of(attempt, input(), now, effects));
    }

    fn read(&mut self, read: Read) {
        if let Some(link) = &mut self.link {
            link.take_in(self.shared, read, now());
        }
    }

    /// Writes what the link has to write; true if that got on.
    fn write(&mut self) -> bool {
        let Some(link) = &mut self.link else { return false };
        link.write(self.shared)
    }

    fn poll(&mut self, context: &mut Context<'_>, plan: &Plan, busy: bool) -> Poll<Wake> {
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
        if let Some(dial) = &mut self.dial {
            if let Poll::Ready(Some(phase)) = dial.phases.poll_recv(context) {
                return Poll::Ready(Wake::Phase(phase));
            }
            if let Poll::Ready(outcome) = dial.dialing.as_mut().poll(context) {
                return Poll::Ready(Wake::Dialed(outcome));
            }
            // The dial may have reached a step just now.
            if let Poll::Ready(Some(phase)) = dial.phases.poll_recv(context) {
                return Poll::Ready(Wake::Phase(phase));
            }
        }
        if let Some(link) = &mut self.link {
            if (plan.read || link.is_broken())
                && let Poll::Ready(read) = link.poll_read(context)
            {
                return Poll::Ready(Wake::Read(read));
            }
            turn |= link.poll_writable(context);
        }
        turn |= self.timer.as_mut().poll(context).is_ready();
        if turn { Poll::Ready(Wake::Turn) } else { Poll::Pending }
    }
}
