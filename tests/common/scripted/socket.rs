//! What the standard library does not say to sockets.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Makes the next close of the socket a reset.
pub fn reset_at_close(stream: &TcpStream) -> io::Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    set_option(stream, libc::SO_LINGER, linger)
}

/// Sets the receive buffer, in bytes, of every connection that the listener will accept.
pub fn set_receive_buffer(listener: &TcpListener, bytes: usize) -> io::Result<()> {
    set_option(listener, libc::SO_RCVBUF, bytes as libc::c_int)
}

fn set_option<T>(socket: &impl AsRawFd, option: libc::c_int, value: T) -> io::Result<()> {
    let size = size_of::<T>() as libc::socklen_t;
    // SAFETY: the descriptor is open while it is borrowed, and `value` has `size` bytes.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            std::ptr::from_ref(&value).cast(),
            size,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A port at 127.0.0.1 that nobody else is given, and where connections are refused until somebody
/// who knows its number listens there. Linux lets a socket be bound beside one that does not listen.
pub struct ReservedPort {
    number: u16,
    _socket: OwnedFd,
}

impl ReservedPort {
    /// One that was free.
    pub fn any() -> io::Result<ReservedPort> {
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
        // SAFETY: plain numbers are passed.
        let descriptor = unsafe { libc::socket(libc::AF_INET, kind, 0) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor has just been opened, and nobody else knows it.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        set_option(&socket, libc::SO_REUSEADDR, 1 as libc::c_int)?;
        // SAFETY: all zeros are a valid address of no family.
        let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        address.sin_family = libc::AF_INET as libc::sa_family_t;
        address.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        let mut size = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        let pointer = std::ptr::from_mut(&mut address).cast();
        // SAFETY: the descriptor is open, and the address has `size` bytes.
        let bound = unsafe { libc::bind(descriptor, pointer, size) };
        // SAFETY: the same.
        let named = unsafe { libc::getsockname(descriptor, pointer, &mut size) };
        if bound < 0 || named < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(ReservedPort { number: u16::from_be(address.sin_port), _socket: socket })
    }

    pub fn number(&self) -> u16 {
        self.number
    }

    /// Listens there; the end of the listener leaves the port reserved.
    pub fn listen(&self) -> io::Result<TcpListener> {
        TcpListener::bind(("127.0.0.1", self.number))
    }

    /// Where a client finds who listens there.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.number)
    }
}

/// An address where a TCP connection does not come about: neither accepted nor refused.
pub struct Blackhole {
    address: SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Blackhole {
    /// # Panics
    ///
    /// If the system cannot be brought to it.
    pub fn start() -> Blackhole {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        // SAFETY: the descriptor is open. A second `listen` only changes the length of the queue.
        let result = unsafe { libc::listen(listener.as_raw_fd(), 0) };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
        // Connections that nobody accepts fill the queue; Linux lets the next one wait.
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            waiting.push(stream);
            assert!(waiting.len() < 100, "the system accepts connections without end");
        }
        Blackhole { address, _listener: listener, _waiting: waiting }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
