//! Events through an event loop: epoll tells when there is something, and all of it is taken then.
//!
//! Owns: poll and epoll. Refuses to know servers.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use sio::client::Client;
use sio::error::Status;
use sio::message::Message;

use crate::harness::{PATIENCE, ms};

/// Whether a descriptor is readable, or becomes so within that time.
pub fn is_readable(descriptor: RawFd, limit: Duration) -> bool {
    let mut poll = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    let limit = i32::try_from(limit.as_millis()).expect("a short time");
    // SAFETY: one pollfd is there for the call.
    let count = unsafe { libc::poll(&mut poll, 1, limit) };
    assert!(count >= 0, "{}", io::Error::last_os_error());
    assert!(count == 0 || poll.revents == libc::POLLIN, "revents {}", poll.revents);
    count == 1
}

/// A program's event loop with one client in it.
pub struct Loop {
    epoll: OwnedFd,
    /// How often it was woken.
    pub wakes: u64,
}

impl Loop {
    pub fn of(client: &Client) -> Self {
        let descriptor = client.descriptor().expect("a descriptor");
        // SAFETY: the call takes no pointers.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        assert!(epoll >= 0, "{}", io::Error::last_os_error());
        // SAFETY: the system has just made it, and nobody else has it.
        let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        // SAFETY: the event is there for the call.
        let added = unsafe {
            libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, descriptor, &mut event)
        };
        assert_eq!(added, 0, "{}", io::Error::last_os_error());
        Loop { epoll, wakes: 0 }
    }

    /// Waits until it is woken, and takes every event that there is. A wake-up that does not come, and
    /// one that finds nothing, is a failure.
    #[track_caller]
    pub fn turn(&mut self, client: &Client, mut take: impl FnMut(Box<Message>)) {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        let limit = PATIENCE.as_millis() as i32;
        // SAFETY: there is room for one event.
        let count = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), &mut event, 1, limit) };
        assert_eq!(count, 1, "not woken within {PATIENCE:?}");
        self.wakes += 1;
        let mut found = false;
        loop {
            match client.receive(ms(0)) {
                Ok(message) => take(message),
                Err(status) => {
                    assert_eq!(status, Status::Timeout, "{}", client.error());
                    break;
                }
            }
            found = true;
        }
        assert!(found, "woken for nothing, the {}. time", self.wakes);
    }
}

/// So many events of 64 bytes, which the server is asked for here. Gives the number of wake-ups.
#[track_caller]
pub fn flood(client: &Client, events: usize) -> u64 {
    let mut program = Loop::of(client);
    let asked = client.emit("flood", Some(&format!("[{events},64,false]")), &[], ms(5000));
    assert_eq!(asked, Ok(()), "{}", client.error());
    let (mut next, mut done) = (0, false);
    while !done {
        program.turn(client, |message| match message.name() {
            "flood" => {
                let number =
                    message.args()[1..].split(',').next().and_then(|text| text.parse().ok());
                assert_eq!(number, Some(next), "{:.100}", message.args());
                next += 1;
            }
            name => {
                assert_eq!((name, next), ("flood_done", events));
                done = true;
            }
        });
    }
    program.wakes
}
