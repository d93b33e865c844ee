//! All that differs by system: the clock, threads, forks, wake descriptors.
//!
//! Owns the calls to the C library. Refuses to know clients, protocols and locks: each function
//! here does one thing that the standard library does not offer, and says what its callers may
//! rely on everywhere. Written for Linux and for macOS and its BSD kin; the other systems that
//! tokio knows take the plainest way.

mod stack;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};
use std::{mem, ptr};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub use stack::give_back_stack;

/// Nanoseconds on a clock that never steps back and, where the system has such a one, goes on
/// while the machine is suspended, so that a connection which died meanwhile is seen as dead.
pub fn boot_nanos() -> u64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
    // On macOS this one goes on during sleep; what the others have stands still.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is writable for the call. The clock exists on every kernel that runs the
    // standard library, and the call has no other way to fail.
    unsafe { libc::clock_gettime(CLOCK, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Makes [`generation`] count forks from now on. To be called before a generation is remembered.
pub fn register_fork_handler() -> io::Result<()> {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    unsafe extern "C" fn in_child() {
        GENERATION.fetch_add(1, Ordering::Release);
    }

    // No lock: a fork amid the registration would leave it locked in the child for ever. Two
    // threads that come here at once register twice, and a fork then counts as two, which is as
    // good as one.
    if !REGISTERED.load(Ordering::Acquire) {
        // SAFETY: the handler is a function of this library, which is linked so that it is never
        // unloaded; it does nothing but an atomic addition.
        let error = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        REGISTERED.store(true, Ordering::Release);
    }
    Ok(())
}

/// How many forks lie between the process that loaded the library and this one. What remembers
/// another number belongs to an ancestor.
#[inline]
pub fn generation() -> u64 {
    GENERATION.load(Ordering::Acquire)
}

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Starts a thread on which no handler of the program's will run: all signals are blocked from
/// its first instruction on but those by which the system reports a fault of the thread itself.
/// The name is cut to the 15 bytes that Linux shows.
pub fn spawn_quiet(name: &str, f: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let cut = (0..=name.len().min(15)).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
    let builder = Builder::new().name(name[..cut].replace('\0', ""));
    // A thread inherits the mask of the one that makes it.
    let _restored = SignalMask::quiet()?;
    builder.spawn(f)
}

/// This thread's signal mask as it was; put back when dropped.
struct SignalMask(libc::sigset_t);

impl SignalMask {
    fn quiet() -> io::Result<Self> {
        // SAFETY: a sigset_t is plain data for which all zeros is a value; the functions fill
        // the sets that they are given, and pthread_sigmask changes this thread alone.
        unsafe {
            let mut blocked: libc::sigset_t = mem::zeroed();
            let mut before: libc::sigset_t = mem::zeroed();
            libc::sigfillset(&mut blocked);
            for fault in FAULTS {
                libc::sigdelset(&mut blocked, fault);
            }
            match libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, &mut before) {
                0 => Ok(SignalMask(before)),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        }
    }
}

impl Drop for SignalMask {
    fn drop(&mut self) {
        // SAFETY: the set is the one that pthread_sigmask gave for this thread.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, ptr::null_mut()) };
    }
}

const FAULTS: [libc::c_int; 6] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];

/// A wake descriptor: readable from [`raise`](Signal::raise) until [`clear`](Signal::clear),
/// however often either is called. Non-blocking and close-on-exec.
///
/// It is a pipe, also where there are eventfds: a pipe has a number of its own in the system, by
/// which a child process can tell it from another file that has got its descriptor.
#[derive(Debug)]
pub struct Signal {
    reader: RawFd,
    writer: RawFd,
    /// The system's number for the pipe.
    inode: u64,
    /// The descriptors are no longer this signal's; only in a child process.
    abandoned: AtomicBool,
}

impl Signal {
    /// A signal that is not raised.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        for end in [reader.as_fd(), writer.as_fd()] {
            // SAFETY: the descriptor is open, and the call takes no pointers.
            check(unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })?;
        }
        let inode = inode(reader.as_raw_fd()).ok_or_else(io::Error::last_os_error)?;
        Ok(Signal {
            reader: reader.into_raw_fd(),
            writer: writer.into_raw_fd(),
            inode,
            abandoned: AtomicBool::new(false),
        })
    }

    /// Makes the descriptor readable. May be called from a signal handler; keeps errno.
    pub fn raise(&self) {
        if self.abandoned.load(Ordering::Relaxed) {
            return;
        }
        // SAFETY: errno is this thread's own, and its address is valid as long as the thread
        // lives. One byte is readable. A write that fails finds the pipe full, and then the
        // descriptor is readable as it should be.
        unsafe {
            let errno = errno_location();
            let kept = *errno;
            libc::write(self.writer, [1u8].as_ptr().cast(), 1);
            *errno = kept;
        }
    }

    /// Makes the descriptor unreadable until it is raised again.
    pub fn clear(&self) {
        let mut bytes = [0u8; 1024];
        while !self.abandoned.load(Ordering::Relaxed) {
            // SAFETY: `bytes` is writable for its length.
            let count = unsafe { libc::read(self.reader, bytes.as_mut_ptr().cast(), bytes.len()) };
            // The pipe is empty once a read does not fill the room.
            if count != bytes.len() as isize {
                return;
            }
        }
    }

    /// For a child process after a fork, which shares the pipe with its parent: closes the
    /// descriptors and does nothing more with them from now on, not even in `drop`.
    ///
    /// Where their numbers have gone to other files by now, because the child has closed all
    /// descriptors, as daemons do, those are left alone. Returns whether this was still the pipe.
    pub fn abandon(&self) -> bool {
        let intact = !self.abandoned.swap(true, Ordering::Relaxed) && self.is_intact();
        if intact {
            close(self.reader);
            close(self.writer);
        }
        intact
    }

    fn is_intact(&self) -> bool {
        inode(self.reader) == Some(self.inode) && inode(self.writer) == Some(self.inode)
    }
}

impl AsRawFd for Signal {
    fn as_raw_fd(&self) -> RawFd {
        self.reader
    }
}

impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is open as long as the signal lives, but in a child process that
        // abandons it, which has nothing left that could use what was borrowed.
        unsafe { BorrowedFd::borrow_raw(self.reader) }
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        if !*self.abandoned.get_mut() {
            close(self.reader);
            close(self.writer);
        }
    }
}

/// Has the runtime of this thread watch a signal.
pub fn watch(signal: &Signal) -> io::Result<AsyncFd<BorrowedFd<'_>>> {
    // SAFETY: the signal is borrowed for as long as it is watched and keeps its descriptor open.
    // Only a child process abandons it, in which the runtime's thread does not exist.
    let watched = unsafe { AsyncFd::register_with_interest(signal.as_fd(), Interest::READABLE) };
    Ok(watched?)
}

/// Ends the sending side of a socket; what was written still goes out, and input can be read.
pub fn shutdown_write(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open, and the call takes no pointers.
    check(unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_WR) }).map(drop)
}

/// Whether the system refused something because it, or this process, has no more of it.
pub fn lacks_resources(error: &io::Error) -> bool {
    let resources = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    error.raw_os_error().is_some_and(|code| resources.contains(&code))
}

/// Whether reading would not have to wait: bytes are there, or the end. Asks the system, and not
/// the runtime, which hears of it when its thread next waits.
pub fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd is there for the call.
    unsafe { libc::poll(&mut poll, 1, 0) == 1 }
}

/// Writes one line to the standard error stream, in one system call and without a lock, which a
/// fork could leave locked. What cannot be written is lost.
pub fn write_stderr(line: &[u8]) {
    // SAFETY: `line` is readable for its length.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}

/// For a child process that frees its parent's client: closes the descriptors of the client's
/// tokio runtime, in which `doorbell` is registered, all sockets in there, those in `sockets`,
/// and abandons `doorbell`.
///
/// The runtime and the sockets must be forgotten, never dropped: tokio would take the sockets out
/// of the epoll instance, which the parent still uses. Here it is closed and nothing else. No
/// other than the runtime may poll the doorbell, or its poller is closed as well.
///
/// Where the parent's client was freed before the child's, the runtime is no longer found, and
/// its three descriptors stay open until the child ends.
pub fn close_inherited(doorbell: &Signal, sockets: &[RawFd]) {
    // A child that has closed the doorbell has closed everything, and the numbers mean nothing.
    if !doorbell.is_intact() {
        doorbell.abandon();
        return;
    }
    let mut doomed = inherited::of_runtime(doorbell);
    doomed.extend(sockets.iter().filter(|&&fd| kind(fd) == Some(libc::S_IFSOCK)));
    doomed.sort_unstable();
    doomed.dedup();
    doomed.into_iter().for_each(close);
    doorbell.abandon();
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod inherited {
    //! Finds the descriptors of a tokio runtime, which tokio itself does not tell: an epoll
    //! instance, a duplicate of that, an eventfd by which the runtime is woken, and what the
    //! client has registered.

    use std::fs;
    use std::os::fd::RawFd;

    use super::{Signal, inode, kind};

    pub(super) fn of_runtime(doorbell: &Signal) -> Vec<RawFd> {
        let mut found = Vec::new();
        for epoll in descriptors().into_iter().filter(|&fd| is(fd, "anon_inode:[eventpoll]")) {
            let entries = entries(epoll);
            if entries.iter().any(|e| e.fd == doorbell.reader && e.inode == doorbell.inode) {
                found.push(epoll);
                found.extend(entries.iter().filter(|entry| entry.is_ours()).map(|entry| entry.fd));
            }
        }
        found
    }

    /// One registration in an epoll instance. The number is that of the process that made it: a
    /// parent goes on registering after the fork, so it can mean another file here.
    struct Entry {
        fd: RawFd,
        token: u64,
        inode: u64,
    }

    impl Entry {
        /// Whether this is the runtime's eventfd or one of its sockets, in this process too.
        fn is_ours(&self) -> bool {
            match kind(self.fd) {
                Some(libc::S_IFSOCK) => inode(self.fd) == Some(self.inode),
                // mio gives its own eventfd this token, and tokio an address to everything else.
                Some(0) => self.token == 0 && is(self.fd, "anon_inode:[eventfd]"),
                _ => false,
            }
        }
    }

    fn descriptors() -> Vec<RawFd> {
        let Ok(names) = fs::read_dir("/proc/self/fd") else { return Vec::new() };
        names.filter_map(|name| name.ok()?.file_name().to_str()?.parse().ok()).collect()
    }

    fn is(fd: RawFd, kind: &str) -> bool {
        fs::read_link(format!("/proc/self/fd/{fd}")).is_ok_and(|target| target.as_os_str() == kind)
    }

    /// Reads lines such as "tfd:  5 events:  2019 data:  0  pos:0 ino:40e sdev:10", in which all
    /// but the first number is hexadecimal.
    fn entries(epoll: RawFd) -> Vec<Entry> {
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{epoll}")).unwrap_or_default();
        let entry = |line: &str| {
            let after = |label: &str| line.split_once(label)?.1.split_whitespace().next();
            Some(Entry {
                fd: after("tfd:")?.parse().ok()?,
                token: u64::from_str_radix(after("data:")?, 16).ok()?,
                inode: u64::from_str_radix(after("ino:")?, 16).ok()?,
            })
        };
        text.lines().filter_map(entry).collect()
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod inherited {
    //! A child does not inherit a kqueue, and the runtime there has no other descriptor.

    use std::os::fd::RawFd;

    use super::Signal;

    pub(super) fn of_runtime(_doorbell: &Signal) -> Vec<RawFd> {
        Vec::new()
    }
}

/// The type of file behind a descriptor, if it is open; 0 for those that have none.
fn kind(fd: RawFd) -> Option<libc::mode_t> {
    stat(fd).map(|stat| stat.st_mode & libc::S_IFMT)
}

/// The system's number for the file behind a descriptor; sockets and pipes each have their own.
#[allow(clippy::useless_conversion)] // The number is narrower on some systems.
fn inode(fd: RawFd) -> Option<u64> {
    stat(fd).map(|stat| u64::from(stat.st_ino))
}

fn stat(fd: RawFd) -> Option<libc::stat> {
    // SAFETY: a stat is plain data for which all zeros is a value, and writable for the call.
    unsafe {
        let mut stat: libc::stat = mem::zeroed();
        (libc::fstat(fd, &mut stat) == 0).then_some(stat)
    }
}

/// Closes a descriptor that the caller knows to be the client's own.
fn close(fd: RawFd) {
    // SAFETY: the call takes no pointers; every caller has made sure that nobody else owns `fd`.
    unsafe { libc::close(fd) };
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn errno_location() -> *mut libc::c_int {
    // SAFETY: the functions have no preconditions.
    unsafe {
        #[cfg(any(target_os = "linux", target_os = "dragonfly"))]
        return libc::__errno_location();
        #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
        return libc::__error();
        #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
        return libc::__errno();
        #[cfg(any(target_os = "illumos", target_os = "solaris"))]
        return libc::___errno();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_readable_from_raise_to_clear() {
        let signal = Signal::new().unwrap();
        assert!(!is_readable(signal.as_fd()));
        signal.clear();
        // Far more often than a pipe has room for.
        (0..200_000).for_each(|_| signal.raise());
        assert!(is_readable(signal.as_fd()));
        signal.clear();
        assert!(!is_readable(signal.as_fd()));
        signal.raise();
        assert!(is_readable(signal.as_fd()));
    }

    #[test]
    fn raise_keeps_errno_also_when_the_pipe_is_full() {
        let signal = Signal::new().unwrap();
        for _ in 0..100_000 {
            // SAFETY: errno is this thread's own.
            unsafe { *errno_location() = 4711 };
            signal.raise();
            assert_eq!(io::Error::last_os_error().raw_os_error(), Some(4711));
        }
    }

    #[test]
    fn descriptors_of_a_signal_are_non_blocking_and_close_on_exec() {
        let signal = Signal::new().unwrap();
        for fd in [signal.reader, signal.writer] {
            // SAFETY: the calls take no pointers.
            let (descriptor, file) =
                unsafe { (libc::fcntl(fd, libc::F_GETFD), libc::fcntl(fd, libc::F_GETFL)) };
            assert_eq!(descriptor & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
            assert_eq!(file & libc::O_NONBLOCK, libc::O_NONBLOCK);
        }
    }

    #[test]
    fn a_signal_closes_its_own_descriptors_and_no_others() {
        let signal = Signal::new().unwrap();
        let (reader, inode_before) = (signal.reader, signal.inode);
        drop(signal);
        assert_ne!(inode(reader), Some(inode_before));

        let signal = Signal::new().unwrap();
        let other = std::fs::File::open("/dev/null").unwrap();
        // SAFETY: the number goes to another file, as if all had been closed and opened anew.
        unsafe { libc::dup2(other.as_raw_fd(), signal.reader) };
        let reader = signal.reader;
        let writer = signal.writer;
        assert!(!signal.abandon());
        signal.raise();
        drop(signal);
        assert!(kind(reader).is_some());
        close(reader);
        close(writer);
    }

    #[test]
    fn a_quiet_thread_has_all_signals_blocked_but_faults() {
        fn mask() -> libc::sigset_t {
            // SAFETY: the set is writable for the call, which with no new set only reads.
            unsafe {
                let mut set: libc::sigset_t = mem::zeroed();
                libc::pthread_sigmask(libc::SIG_SETMASK, ptr::null(), &mut set);
                set
            }
        }
        // SAFETY: the set is one that the system gave.
        let blocked = |set: &libc::sigset_t, signal| unsafe { libc::sigismember(set, signal) == 1 };

        let before = mask();
        let thread = spawn_quiet("a name longer than f\u{fc}nfzehn", move || {
            let mask = mask();
            for signal in 1..32 {
                let exempt = [libc::SIGKILL, libc::SIGSTOP].contains(&signal);
                if !exempt {
                    assert_eq!(blocked(&mask, signal), !FAULTS.contains(&signal), "{signal}");
                }
            }
            assert_eq!(std::thread::current().name(), Some("a name longer t"));
        });
        thread.unwrap().join().unwrap();
        let after = mask();
        for signal in 1..32 {
            assert_eq!(blocked(&before, signal), blocked(&after, signal));
        }
    }

    #[test]
    fn the_clock_goes_on() {
        let start = boot_nanos();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let passed = boot_nanos() - start;
        assert!((20_000_000..2_000_000_000).contains(&passed), "{passed}");
    }
}
