//! The upgrade in every order in which things can happen: there are never two polls or two POSTs,
//! none begins once the session is being moved, `5` goes out only when both are back, and what the
//! program emits goes out once and in order.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happening {
    /// The websocket of the probe opens.
    Open,
    /// The server answers the probe.
    Pong,
    /// The poll brings an event.
    Event,
    /// The poll brings a NOOP.
    Noop,
    /// The POST is answered.
    Posted,
    Emit,
    Leave,
    /// The probe fails.
    Fail,
    /// A moment passes.
    Tick,
}

use Happening::{Emit, Event as Brought, Fail, Leave, Noop, Open, Pong, Posted, Tick};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    Opening,
    Open,
    Pinged,
    Answered,
    /// The poll came back after the answer: nothing of polling begins any more.
    Last,
    Gone,
    /// It is the link.
    Link,
}

/// Driver, outbox and server around a session that has begun a probe.
struct World {
    rig: Rig,
    probe: Probe,
    polling: bool,
    /// The packets of the POST that is under way.
    posting: Option<Vec<u32>>,
    waiting: Vec<u32>,
    emitted: u32,
    arrived: Vec<u32>,
    brought: u32,
    ticks: u32,
    parted: bool,
    over: bool,
}

impl World {
    fn new() -> Self {
        let mut rig = Rig::probing();
        rig.reports();
        let mut world = World {
            rig,
            probe: Probe::Opening,
            polling: true,
            posting: None,
            waiting: Vec::new(),
            emitted: 0,
            arrived: Vec::new(),
            brought: 0,
            ticks: 0,
            parted: false,
            over: false,
        };
        // A POST is under way from the start.
        world.happen(Emit);
        assert!(world.posting.is_some());
        world
    }

    fn happen(&mut self, what: Happening) {
        if self.over {
            return;
        }
        match what {
            Open if self.probe == Probe::Opening => {
                self.probe = Probe::Open;
                self.rig.input(Input::ProbeOpen);
            }
            Pong if self.probe == Probe::Pinged => {
                // A poll that is being held back counts as back.
                self.probe = if self.polling { Probe::Answered } else { Probe::Last };
                self.rig.probe("3probe");
            }
            Brought if self.polling => {
                self.brought += 1;
                let expected = event("e", &format!("[{}]", self.brought));
                assert_eq!(self.rig.text(&format!("42[\"e\",{}]", self.brought)), expected);
                self.poll_is_back(&[]);
            }
            Noop if self.polling => self.poll_is_back(&["6"]),
            Posted if self.posting.is_some() => {
                self.arrived.append(&mut self.posting.take().unwrap());
                self.rig.input(Input::Posted);
            }
            Emit if self.rig.session.state() == State::Connected => {
                self.emitted += 1;
                self.waiting.push(self.emitted);
            }
            Leave => self.rig.session.leave(self.rig.now),
            Fail if !matches!(self.probe, Probe::Gone | Probe::Link) => {
                self.rig.input(Input::ProbeFailed("closed".into()));
                assert_eq!(self.rig.session.carrier(), Some(POLLING));
            }
            // Not so long that somebody gives up.
            Tick if self.ticks < 5 => {
                self.ticks += 1;
                self.rig.pass(ms(100));
            }
            _ => {}
        }
        self.settle();
    }

    fn poll_is_back(&mut self, texts: &[&str]) {
        self.polling = false;
        if self.probe == Probe::Answered {
            self.probe = Probe::Last;
        }
        match texts {
            [] => self.rig.polled(),
            texts => self.rig.body(texts),
        }
    }

    /// What driver and core do after each input.
    fn settle(&mut self) {
        self.act();
        match self.probe {
            Probe::Link => self.write(),
            _ => self.post(),
        }
        self.act();
    }

    fn act(&mut self) {
        for action in self.rig.actions() {
            assert!(!self.over);
            match action {
                Action::Poll => {
                    assert!(!self.polling, "two polls");
                    assert!(!matches!(self.probe, Probe::Last | Probe::Answered | Probe::Link));
                    self.polling = true;
                }
                Action::ProbePing => {
                    assert_eq!(self.probe, Probe::Open);
                    self.probe = Probe::Pinged;
                }
                Action::ProbeDrop | Action::ProbeForget => {
                    assert!(!matches!(self.probe, Probe::Gone | Probe::Link));
                    self.probe = Probe::Gone;
                }
                Action::Switch => {
                    assert!(!self.polling && self.posting.is_none());
                    assert_eq!(self.probe, Probe::Last);
                    assert_eq!(self.rig.session.transmit(false), Some(Transmit::Upgrade));
                    self.probe = Probe::Link;
                }
                Action::ShutdownWrite => assert!(self.probe == Probe::Link && self.parted),
                Action::Farewell { .. } | Action::Hangup => self.over = true,
                Action::Prepare | Action::Dial(_) | Action::Probe => panic!("{action:?}"),
            }
        }
    }

    /// Fills a POST as core does, with one packet of the program's at most.
    fn post(&mut self) {
        if !self.rig.session.may_post() {
            assert_eq!(self.rig.session.transmit(true), None);
            return;
        }
        assert!(self.posting.is_none(), "two POSTs");
        assert_ne!(self.probe, Probe::Last, "a POST while the session is moved");
        let idle = self.waiting.is_empty();
        match self.rig.session.transmit(idle) {
            Some(Transmit::Disconnect(_)) => {
                assert!(!self.parted && self.arrived.len() == self.emitted as usize);
                self.parted = true;
            }
            Some(Transmit::EngineClose) => assert!(self.parted),
            Some(other) => panic!("{other:?}"),
            None if idle => return,
            None => {}
        }
        let body = if idle { Vec::new() } else { vec![self.waiting.remove(0)] };
        self.posting = Some(body);
        self.rig.session.post_begun(self.rig.now);
        assert!(self.rig.session.is_posting() && !self.rig.session.may_post());
    }

    /// Writes as core does; the server takes all of it.
    fn write(&mut self) {
        assert!(!self.rig.session.may_post());
        self.arrived.append(&mut self.waiting);
        while let Some(next) = self.rig.session.transmit(true) {
            match next {
                Transmit::WebSocketPing(_) | Transmit::Disconnect(_) => {}
                Transmit::WebSocketClose(_) => self.parted = true,
                other => panic!("{other:?}"),
            }
        }
        self.rig.input(Input::Drained);
    }

    /// The server answers whatever is left until we have left.
    fn finish(mut self) {
        self.ticks = 0;
        for _ in 0..3 {
            for what in [Tick, Open, Pong, Noop, Posted] {
                self.happen(what);
            }
        }
        assert_eq!(self.probe == Probe::Link, self.rig.session.transport() == Some(WEBSOCKET));
        assert!(matches!(self.probe, Probe::Link | Probe::Gone));
        self.happen(Leave);
        for _ in 0..self.emitted + 4 {
            if self.probe == Probe::Link {
                self.rig.input(Input::WebSocketPong(b"sio 1"));
                self.settle();
            }
            self.happen(Noop);
            self.happen(Posted);
        }
        if self.probe == Probe::Link {
            self.rig.input(Input::Eof);
            self.act();
        }
        assert!(self.over && self.parted);
        assert_eq!(self.rig.session.state(), State::Closed);
        assert_eq!(self.rig.session.left(), Some(Left::Confirmed));
        assert_eq!(self.arrived, Vec::from_iter(1..=self.emitted));
    }

    /// The link ends now, and nothing comes of anything after that.
    fn lose(mut self) {
        self.rig.input(Input::Lost { text: "reset".into(), os_error: None });
        self.act();
        assert!(self.over);
        assert_eq!(self.rig.session.state(), State::Closed);
        let late = [
            Input::ProbeOpen,
            Input::Probe(engine::Packet::Pong("probe")),
            Input::ProbeFailed("late".into()),
            Input::Polled { only_noop: true },
            Input::Posted,
        ];
        for input in late {
            self.rig.input(input);
        }
        self.rig.pass(ms(10_000));
        assert_eq!(self.rig.actions(), []);
        assert!(!self.rig.session.may_post());
        assert_eq!(self.rig.session.transmit(true), None);
    }
}

/// Calls `judge` with every sequence, of any length, in which none of them comes twice.
fn each_order(
    left: &[Happening],
    so_far: &mut Vec<Happening>,
    judge: &mut impl FnMut(&[Happening]),
) {
    judge(so_far);
    for (index, next) in left.iter().enumerate() {
        let mut rest = left.to_vec();
        rest.remove(index);
        so_far.push(*next);
        each_order(&rest, so_far, judge);
        so_far.pop();
    }
}

fn world_after(order: &[Happening]) -> World {
    let mut world = World::new();
    for what in order {
        world.happen(*what);
    }
    world
}

#[test]
fn in_every_order_everything_arrives_once_and_in_order() {
    let all = [Open, Pong, Brought, Noop, Posted, Emit, Leave, Fail];
    let mut count = 0;
    each_order(&all, &mut Vec::new(), &mut |order| {
        if order.len() >= 7 {
            count += 1;
            world_after(order).finish();
        }
    });
    assert_eq!(count, 2 * 40_320);
}

#[test]
fn in_every_order_a_loss_ends_all_of_it() {
    let all = [Open, Pong, Noop, Posted, Emit, Leave, Fail];
    let mut count = 0;
    each_order(&all, &mut Vec::new(), &mut |order| {
        count += 1;
        world_after(order).lose();
    });
    assert_eq!(count, 13_700);
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => Just(Open),
        2 => Just(Pong),
        4 => Just(Brought),
        4 => Just(Noop),
        6 => Just(Posted),
        8 => Just(Emit),
        1 => Just(Leave),
        1 => Just(Fail),
        2 => Just(Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn under_traffic_everything_arrives_once_and_in_order(
        order in proptest::collection::vec(happening(), 0..60)
    ) {
        world_after(&order).finish();
        world_after(&order).lose();
    }
}
