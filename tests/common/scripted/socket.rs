//! What the standard library does not say to sockets.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
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
