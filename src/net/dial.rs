//! The way to a connected stream of bytes.
//!
//! Owns the lookup of names on a thread of its own, and the attempts at all addresses that a
//! name has; TLS follows when the server is to be spoken to so. Refuses to know what is said
//! over the socket, and any deadline: whoever drops the future has given up, and nothing of it
//! stays but, for as long as the system takes, a lookup that holds nothing of the client's.

#![forbid(unsafe_code)]

use crate::error::{Failure, Phase, Status};
use crate::net::stream::Stream;
use crate::net::tls::{self, Trust};
use crate::sys;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Sleep;

/// Where a server is, and whether to speak TLS with it.
#[derive(Clone, Debug)]
pub struct Place {
    /// A name or an address, an IPv6 one without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Whom to trust, if over TLS. A certificate has to be for `host`.
    pub tls: Option<Arc<Trust>>,
}

/// Connects to a place, with TCP_NODELAY set.
///
/// `progress` hears of each step as it begins: [`Phase::Resolve`], if there is a name to look
/// up, [`Phase::Connect`], and over TLS [`Phase::Tls`]. Certificates are read before, so that
/// options that are wrong are known whether or not the server can be reached.
///
/// # Errors
///
/// [`Status::Unreachable`] if the name is not known or no address accepts, with a text that says
/// what happened at each; [`Status::Tls`] if the server is not to be trusted or the handshake
/// fails, with a text that says why; [`Status::Invalid`] if a file that the options of TLS name is
/// not what it should be; [`Status::System`] if the system had no thread or descriptor left.
pub async fn dial(place: &Place, mut progress: impl FnMut(Phase)) -> Result<Stream, Failure> {
    let (host, port) = (place.host.as_str(), place.port);
    let credentials = match &place.tls {
        Some(trust) => Some(trust.credentials().await?),
        None => None,
    };
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => {
            progress(Phase::Resolve);
            resolve(host, port).await?
        }
    };
    progress(Phase::Connect);
    let target =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let tcp = connect_any(&target, take_turns(addresses)).await?;
    let Some(credentials) = credentials else { return Ok(Stream::plain(tcp)) };
    progress(Phase::Tls);
    tls::handshake(tcp, host, target, &credentials).await
}

/// Looks a name up. The system's lookup cannot be interrupted, so it has a thread to itself,
/// which is left alone when nobody waits for its result any more.
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let (sender, receiver) = oneshot::channel();
    let name = host.to_owned();
    let lookup = move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Vec::from_iter);
        // Nobody may be waiting any more; then the result is for nobody.
        let _ = sender.send(found);
    };
    if let Err(error) = sys::spawn_quiet("sio-lookup", lookup) {
        let text = format!("no thread for looking up {host}: {error}");
        return Err(failure(Status::System, Phase::Resolve, text, Some(&error)));
    }
    let (text, error) = match receiver.await {
        Ok(Ok(addresses)) if !addresses.is_empty() => return Ok(addresses),
        Ok(Ok(_)) => (format!("the name {host} has no address"), None),
        Ok(Err(error)) => (format!("looking up the name {host} failed: {error}"), Some(error)),
        Err(_) => (format!("looking up the name {host} ended without a result"), None),
    };
    Err(failure(status_of(error.as_ref()), Phase::Resolve, text, error.as_ref()))
}

/// Orders addresses so that IPv6 and IPv4 take turns, beginning with the kind that the system
/// put first: one that leads nowhere then costs one delay and not one for each address.
fn take_turns(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut ordered = VecDeque::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        match (first.next(), second.next()) {
            (None, None) => return ordered,
            (one, other) => ordered.extend(one.into_iter().chain(other)),
        }
    }
}

/// Connects to whichever address accepts first. A next address is tried when the one before it
/// has failed, or has not answered for [`HEAD_START`]; none is given up while it may still answer.
async fn connect_any(target: &str, addresses: VecDeque<SocketAddr>) -> Result<TcpStream, Failure> {
    let mut race = Race { waiting: addresses, running: Vec::new(), failed: Vec::new() };
    let mut head_start = pin!(tokio::time::sleep(Duration::ZERO));
    match poll_fn(|context| race.poll(context, head_start.as_mut())).await {
        Some(stream) => Ok(stream),
        None => Err(race.into_failure(target)),
    }
}

struct Race {
    waiting: VecDeque<SocketAddr>,
    running: Vec<Attempt>,
    failed: Vec<(SocketAddr, io::Error)>,
}

struct Attempt {
    address: SocketAddr,
    connecting: Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>,
}

impl Race {
    /// Ready with the first connection, or with None when every address has failed.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut head_start: Pin<&mut Sleep>,
    ) -> Poll<Option<TcpStream>> {
        loop {
            let failed_before = self.failed.len();
            if let Some(stream) = self.poll_attempts(context) {
                return Poll::Ready(Some(stream));
            }
            let one_failed = self.failed.len() > failed_before;
            let is_over = head_start.as_mut().poll(context).is_ready();
            match self.waiting.pop_front() {
                Some(address) if one_failed || is_over || self.running.is_empty() => {
                    let connecting = Box::pin(connect(address));
                    self.running.push(Attempt { address, connecting });
                    head_start.as_mut().reset(tokio::time::Instant::now() + HEAD_START);
                }
                Some(address) => {
                    self.waiting.push_front(address);
                    return Poll::Pending;
                }
                None if self.running.is_empty() => return Poll::Ready(None),
                None => return Poll::Pending,
            }
        }
    }

    fn poll_attempts(&mut self, context: &mut Context<'_>) -> Option<TcpStream> {
        let mut index = 0;
        while index < self.running.len() {
            match self.running[index].connecting.as_mut().poll(context) {
                Poll::Pending => index += 1,
                Poll::Ready(Ok(stream)) => return Some(stream),
                Poll::Ready(Err(error)) => {
                    let Attempt { address, .. } = self.running.remove(index);
                    self.failed.push((address, error));
                }
            }
        }
        None
    }

    fn into_failure(self, target: &str) -> Failure {
        let each: Vec<String> =
            self.failed.iter().map(|(address, error)| format!("{address}: {error}")).collect();
        let text = format!("could not connect to {target}: {}", each.join("; "));
        // The first address is the one that the system prefers, so its error says most.
        let error = self.failed.first().map(|(_, error)| error);
        failure(status_of(error), Phase::Connect, text, error)
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whether the server or this machine is to blame.
fn status_of(error: Option<&io::Error>) -> Status {
    match error {
        Some(error) if sys::lacks_resources(error) => Status::System,
        _ => Status::Unreachable,
    }
}

fn failure(status: Status, phase: Phase, text: String, error: Option<&io::Error>) -> Failure {
    let mut failure = Failure::new(status, text).in_phase(phase);
    failure.details.os_error = error.and_then(io::Error::raw_os_error);
    failure
}

/// How long an address has the network to itself before the next one is tried beside it (RFC
/// 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
    use std::time::Instant;
    use tokio::net::TcpSocket;
    use tokio::time::timeout;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn place(host: &str, port: u16) -> Place {
        Place { host: host.to_owned(), port, tls: None }
    }

    fn listen(address: impl Into<IpAddr>) -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind(SocketAddr::new(address.into(), 0))?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    /// An address on this machine where nobody listens, nor will while the socket lives.
    fn closed() -> (TcpSocket, SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    /// A listener whose queue is full: the system answers no further attempt to connect.
    async fn silent() -> (tokio::net::TcpListener, Vec<TcpStream>, SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(Ok(stream)) =
            timeout(Duration::from_millis(100), TcpStream::connect(address)).await
        {
            queued.push(stream);
        }
        (listener, queued, address)
    }

    #[test]
    fn an_address_is_dialed_without_a_lookup_and_without_delay_of_small_writes() {
        let (_listener, address) = listen(Ipv4Addr::LOCALHOST).unwrap();
        let mut phases = Vec::new();
        run(async {
            let place = place("127.0.0.1", address.port());
            let stream = dial(&place, |phase| phases.push(phase)).await.unwrap();
            assert!(stream.socket().nodelay().unwrap());
            assert_eq!(stream.socket().peer_addr().unwrap(), address);
        });
        assert_eq!(phases, [Phase::Connect]);
    }

    #[test]
    fn localhost_is_found_whichever_address_listens() {
        let known: Vec<SocketAddr> = ("localhost", 1).to_socket_addrs().unwrap().collect();
        let loopbacks = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
        for loopback in loopbacks {
            // Not every machine has both, or knows both by that name.
            if !known.contains(&SocketAddr::new(loopback, 1)) {
                continue;
            }
            let Ok((_listener, address)) = listen(loopback) else { continue };
            let mut phases = Vec::new();
            let place = place("localhost", address.port());
            let stream = run(dial(&place, |phase| phases.push(phase))).unwrap();
            assert_eq!(stream.socket().peer_addr().unwrap(), address);
            assert_eq!(phases, [Phase::Resolve, Phase::Connect]);
        }
    }

    #[test]
    fn of_two_loopback_addresses_the_one_that_listens_is_found() {
        for loopback in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
            // Not every machine has both.
            let Ok((_listener, address)) = listen(loopback) else { continue };
            let both = [IpAddr::from(Ipv6Addr::LOCALHOST), IpAddr::from(Ipv4Addr::LOCALHOST)];
            let addresses = both.map(|ip| SocketAddr::new(ip, address.port()));
            let stream = run(connect_any("localhost", VecDeque::from(addresses))).unwrap();
            assert_eq!(stream.peer_addr().unwrap(), address);
        }
    }

    #[test]
    fn a_refused_connection_is_unreachable_and_names_each_address() {
        let (_socket, closed) = closed();
        let port = closed.port();
        for host in ["127.0.0.1", "localhost"] {
            let failure = run(dial(&place(host, port), |_| {})).unwrap_err();
            assert_eq!(failure.status, Status::Unreachable);
            assert_eq!(failure.details.phase, Some(Phase::Connect));
            assert_eq!(failure.details.os_error, Some(libc::ECONNREFUSED));
            assert!(failure.text.starts_with(&format!("could not connect to {host}:{port}: ")));
            assert!(failure.text.contains(&format!("127.0.0.1:{port}: ")), "{}", failure.text);
        }
    }

    #[test]
    fn the_next_address_is_tried_at_once_when_one_fails() {
        let (_listener, address) = listen(Ipv4Addr::LOCALHOST).unwrap();
        let (nobody, no_one) = (closed(), closed());
        let addresses = VecDeque::from([nobody.1, no_one.1, address]);
        let begun = Instant::now();
        let stream = run(connect_any("a", addresses)).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        assert!(begun.elapsed() < HEAD_START);
    }

    #[test]
    fn the_next_address_is_tried_beside_one_that_does_not_answer() {
        let (_listener, address) = listen(Ipv4Addr::LOCALHOST).unwrap();
        run(async {
            let (_silent, _queued, unanswered) = silent().await;
            let begun = Instant::now();
            let (_socket, closed) = closed();
            let addresses = VecDeque::from([unanswered, closed, address]);
            let stream = connect_any("a", addresses).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), address);
            assert!((HEAD_START..2 * HEAD_START).contains(&begun.elapsed()));
        });
    }

    #[test]
    fn dropping_gives_up_a_connection_that_does_not_come() {
        run(async {
            let (_silent, _queued, unanswered) = silent().await;
            let begun = Instant::now();
            let place = place("127.0.0.1", unanswered.port());
            let mut dialing = Box::pin(dial(&place, |_| {}));
            assert!(timeout(Duration::from_millis(100), &mut dialing).await.is_err());
            assert!(begun.elapsed() < Duration::from_millis(300));
            let pending = pending_attempts(unanswered.port());
            drop(dialing);
            assert!(pending == 0 || pending_attempts(unanswered.port()) < pending);
        });
    }

    /// How many sockets of this machine wait for an answer from a port, where that can be seen.
    fn pending_attempts(port: u16) -> usize {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let remote = format!(":{port:04X}");
        let is_pending = |line: &&str| {
            let mut fields = line.split_whitespace().skip(2);
            fields.next().is_some_and(|to| to.ends_with(&remote)) && fields.next() == Some("02")
        };
        table.lines().filter(is_pending).count()
    }

    #[test]
    fn dropping_gives_up_a_lookup_at_once() {
        run(async {
            let begun = Instant::now();
            let place = place("no-such-name.invalid", 80);
            let dialing = dial(&place, |_| {});
            // A first poll starts the lookup.
            let _ = timeout(Duration::ZERO, dialing).await;
            assert!(begun.elapsed() < Duration::from_millis(200));
        });
    }

    #[test]
    fn a_name_that_is_not_known_is_unreachable_in_the_lookup() {
        let mut phases = Vec::new();
        let place = place("no-such-name.invalid", 80);
        let failure = run(dial(&place, |phase| phases.push(phase))).unwrap_err();
        assert_eq!(failure.status, Status::Unreachable);
        assert_eq!(failure.details.phase, Some(Phase::Resolve));
        assert!(failure.text.contains("no-such-name.invalid"), "{}", failure.text);
        assert_eq!(phases, [Phase::Resolve]);
    }

    #[test]
    fn the_two_kinds_of_addresses_take_turns() {
        let v4 = |last| SocketAddr::from(([10, 0, 0, last], 1));
        let v6 = |last| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, last], 1));
        let ordered = |addresses: &[SocketAddr]| Vec::from(take_turns(addresses.to_vec()));
        assert_eq!(ordered(&[]), []);
        assert_eq!(ordered(&[v6(1), v6(2), v6(3), v4(1)]), [v6(1), v4(1), v6(2), v6(3)],);
        assert_eq!(ordered(&[v4(1), v6(1), v4(2)]), [v4(1), v6(1), v4(2)]);
        assert_eq!(ordered(&[v4(1), v4(2), v6(1)]), [v4(1), v6(1), v4(2)]);
    }

    #[test]
    fn exhausted_resources_are_not_the_servers_fault() {
        let error = |code| io::Error::from_raw_os_error(code);
        assert_eq!(status_of(Some(&error(libc::EMFILE))), Status::System);
        assert_eq!(status_of(Some(&error(libc::ECONNREFUSED))), Status::Unreachable);
        assert_eq!(status_of(None), Status::Unreachable);
    }
}
