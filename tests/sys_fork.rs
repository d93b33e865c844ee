//! What a child process does with a client of its parent's, by real forks.
//!
//! A child of a process with several threads runs only the code under test, and ends by `_exit`
//! with the number of the check that failed. The tests share one process whose descriptors they
//! count, so they are one test.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use sio::sys::{self, Signal};
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Builder, Runtime};

#[test]
fn a_child_frees_what_its_parent_made() {
    sys::register_fork_handler().unwrap();
    forks_are_counted();
    all_descriptors_are_closed_and_the_parent_is_undisturbed();
    after_closing_everything_nothing_is_touched();
    what_the_parent_has_made_since_is_not_mistaken();
}

fn forks_are_counted() {
    let before = sys::generation();
    in_child(|check| {
        let here = sys::generation();
        check(1, here != before);
        let grandchild = fork(|| i32::from(sys::generation() == here));
        check(2, wait(grandchild) == 0);
    });
    assert_eq!(sys::generation(), before);
}

fn all_descriptors_are_closed_and_the_parent_is_undisturbed() {
    // The program's own descriptors, among them an epoll instance that watches the client's.
    let ready = signal();
    let program = runtime();
    let watch = register(&program, ready);
    let before = open();
    let client = Client::new();
    let made: BTreeSet<RawFd> = open().difference(&before).copied().collect();
    assert_eq!(made.len(), 2 + 3 + 1, "doorbell, runtime and socket");

    in_child(|check| {
        sys::close_inherited(client.doorbell, &[client.socket_fd()]);
        check(1, open() == before);
        // Its numbers go to others now, which later calls do not touch.
        let other = Signal::new();
        check(2, other.is_ok());
        client.doorbell.raise();
        client.doorbell.clear();
        sys::close_inherited(client.doorbell, &[]);
        check(3, open().len() == before.len() + 2);
    });
    // Without being told of the socket, as when it is still being connected.
    in_child(|check| {
        sys::close_inherited(client.doorbell, &[]);
        check(1, open() == before);
    });
    client.works();
    ready.raise();
    program.block_on(async { drop(soon(watch.readable()).await.unwrap()) });
}

fn after_closing_everything_nothing_is_touched() {
    let mut client = Client::new();
    in_child(|check| {
        let highest = *open().iter().next_back().unwrap();
        // SAFETY: nothing that owns a descriptor is dropped in this process.
        (3..=highest).for_each(|fd| unsafe { assert!(libc::close(fd) <= 0) });
        // The same kinds of descriptors, in the same order, under the same numbers.
        let new = Client::new();
        while open().len() < 60 {
            std::mem::forget(std::fs::File::open("/dev/null").unwrap());
        }
        let before = open();
        sys::close_inherited(client.doorbell, &[client.socket_fd()]);
        check(1, open() == before);
        new.works();
    });
    client.works();
    // A daemon's parent ends at once; here it frees its client.
    let (tell, told) = std::io::pipe().unwrap();
    let child = fork(|| {
        let mut byte = [0];
        let _ = std::io::Read::read(&mut &tell, &mut byte);
        let before = open();
        sys::close_inherited(client.doorbell, &[client.socket_fd()]);
        let left = open();
        // The doorbell and the socket are closed; the runtime is not found any more.
        i32::from(!(left.is_subset(&before) && left.len() == before.len() - 3))
    });
    client.end();
    std::io::Write::write_all(&mut &told, b"x").unwrap();
    assert_eq!(wait(child), 0);
}

fn what_the_parent_has_made_since_is_not_mistaken() {
    let client = Client::new();
    let (tell, told) = std::io::pipe().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let child = fork(|| {
        // Take the number that the parent is about to give to its next socket.
        let mine = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut byte = [0];
        let _ = std::io::Read::read(&mut &tell, &mut byte);
        sys::close_inherited(client.doorbell, &[client.socket_fd()]);
        i32::from(mine.local_addr().is_err()) + 2 * i32::from(listener.local_addr().is_err())
    });
    let later = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let _registered = register_socket(&client.runtime, later);
    std::io::Write::write_all(&mut &told, b"x").unwrap();
    assert_eq!(wait(child), 0);
    client.works();
}

/// What a client has of the system.
struct Client {
    /// Lives as long as the process, so that it can be registered.
    doorbell: &'static Signal,
    registered: Option<AsyncFd<BorrowedFd<'static>>>,
    socket: Option<tokio::net::TcpStream>,
    runtime: Runtime,
}

impl Client {
    fn new() -> Self {
        let doorbell = signal();
        let runtime = runtime();
        let registered = register(&runtime, doorbell);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = register_socket(&runtime, socket);
        Client { doorbell, registered: Some(registered), socket: Some(socket), runtime }
    }

    fn socket_fd(&self) -> RawFd {
        self.socket.as_ref().unwrap().as_raw_fd()
    }

    fn works(&self) {
        self.doorbell.raise();
        self.runtime.block_on(async {
            let mut guard = soon(self.registered.as_ref().unwrap().readable()).await.unwrap();
            guard.clear_ready();
            self.doorbell.clear();
            // The runtime's own waker, from another thread.
            let (tell, told) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(10));
                tell.send(()).unwrap();
            });
            soon(told).await.unwrap();
        });
    }

    /// As a freed client does: takes doorbell and socket out of the epoll instance.
    fn end(&mut self) {
        self.registered.take();
        self.socket.take();
    }
}

fn signal() -> &'static Signal {
    Box::leak(Box::new(Signal::new().unwrap()))
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn register(runtime: &Runtime, signal: &'static Signal) -> AsyncFd<BorrowedFd<'static>> {
    let _context = runtime.enter();
    sys::watch(signal).unwrap()
}

fn register_socket(runtime: &Runtime, socket: TcpStream) -> tokio::net::TcpStream {
    let _context = runtime.enter();
    socket.set_nonblocking(true).unwrap();
    tokio::net::TcpStream::from_std(socket).unwrap()
}

async fn soon<F: std::future::Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(5), future).await.expect("the parent is disturbed")
}

/// The open descriptors, without the one by which they are listed.
fn open() -> BTreeSet<RawFd> {
    // SAFETY: the call takes no pointers.
    (0..1024).filter(|&fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0).collect()
}

/// Runs checks in a child; each has a number by which it is known when it fails.
fn in_child(work: impl FnOnce(&dyn Fn(i32, bool))) {
    let child = fork(|| {
        work(&|number, holds| {
            if !holds {
                exit(number);
            }
        });
        0
    });
    assert_eq!(wait(child), 0, "the number of the check that failed, or 101 for a panic");
}

fn fork(work: impl FnOnce() -> i32) -> libc::pid_t {
    // SAFETY: the child runs only what it is given, and leaves without returning from here.
    match unsafe { libc::fork() } {
        0 => {
            let work = std::panic::AssertUnwindSafe(work);
            exit(std::panic::catch_unwind(work).unwrap_or(101))
        }
        child => child,
    }
}

fn exit(status: i32) -> ! {
    // SAFETY: ends this process without running anything that its parent has registered.
    unsafe { libc::_exit(status) }
}

fn wait(child: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: the child is this process's own, and the status is writable for the call.
    let waited = unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(waited, child);
    if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 256 + status }
}
