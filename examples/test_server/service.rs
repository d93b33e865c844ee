//! What goes before each HTTP request, as at the door of a load balancer.
//!
//! Owns: which TCP connections a session uses, how many polls of it were answered, and the sticky
//! cookie. socketioxide shows none of this to a handler.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use hyper::header::{COOKIE, HeaderValue, SET_COOKIE};
use hyper::service::Service;
use hyper::{Method, Request, Response, Uri};

use crate::connection::Connection;
use crate::records::locked;

/// The sessions that polled, by the id of their engine.
#[derive(Clone, Default)]
pub(crate) struct Sessions(Arc<Mutex<HashMap<String, Arc<Session>>>>);

/// What is known of one of them.
#[derive(Default)]
pub(crate) struct Session {
    polls: AtomicU64,
    connections: Mutex<Vec<Weak<Connection>>>,
    cut: AtomicBool,
}

impl Sessions {
    pub(crate) fn session(&self, sid: &str) -> Arc<Session> {
        locked(&self.0).entry(sid.to_owned()).or_default().clone()
    }
}

impl Session {
    /// How many polls have been answered.
    pub(crate) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    /// Ends its connections without a word of the protocols above. Requests that come later, by
    /// other connections, do not find it any more.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
        for connection in locked(&self.connections).iter().filter_map(Weak::upgrade) {
            connection.cut();
        }
    }

    fn came_by(&self, connection: &Arc<Connection>) {
        let mut connections = locked(&self.connections);
        connections.retain(|known| known.upgrade().is_some_and(|c| !Arc::ptr_eq(&c, connection)));
        connections.push(Arc::downgrade(connection));
    }
}

/// A service that hands each request the connection it came by, and all sessions.
pub(crate) struct Door<S> {
    pub(crate) inner: S,
    pub(crate) connection: Arc<Connection>,
    pub(crate) sessions: Sessions,
    /// The name of the cookie that a session needs.
    pub(crate) cookie: Option<String>,
}

const COOKIE_VALUE: &str = "oxide";

impl<S, B, R> Service<Request<B>> for Door<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn call(&self, mut request: Request<B>) -> Self::Future {
        let session = sid(request.uri()).map(|sid| self.sessions.session(sid));
        let is_poll = session.is_some() && request.method() == Method::GET;
        let extensions = request.extensions_mut();
        extensions.insert(self.connection.clone());
        extensions.insert(self.sessions.clone());
        let mut set_cookie = None;
        if let Some(session) = &session {
            session.came_by(&self.connection);
        } else if let Some(name) = &self.cookie {
            set_cookie = Some(format!("{name}={COOKIE_VALUE}; Path=/; HttpOnly"));
        }
        let gone = |session: &Arc<Session>| session.cut.load(Ordering::Relaxed);
        if session.as_ref().is_some_and(|session| gone(session) || self.lacks_cookie(&request)) {
            // To a session that nobody knows, which is how it is with a server behind a balancer.
            *request.uri_mut() = stray(request.uri());
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if let Some(session) = session.filter(|_| is_poll) {
                session.polls.fetch_add(1, Ordering::Relaxed);
            }
            if let Some(Ok(value)) = set_cookie.map(|cookie| HeaderValue::from_str(&cookie)) {
                response.headers_mut().append(SET_COOKIE, value);
            }
            Ok(response)
        })
    }
}

impl<S> Door<S> {
    fn lacks_cookie<B>(&self, request: &Request<B>) -> bool {
        let Some(name) = &self.cookie else { return false };
        let wanted = format!("{name}={COOKIE_VALUE}");
        let cookies = request.headers().get_all(COOKIE).iter();
        let mut pairs = cookies.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(';'));
        !pairs.any(|pair| pair.trim() == wanted)
    }
}

fn sid(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix("sid="))
}

fn stray(uri: &Uri) -> Uri {
    let text = uri.to_string();
    let sid = sid(uri).unwrap_or_default();
    let stray = text.replace(&format!("sid={sid}"), "sid=AAAAAAAAAAAAAAAA");
    stray.parse().unwrap_or_default()
}
