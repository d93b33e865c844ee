//! The cookies that servers set, for as long as a client lives.
//!
//! Owns what is kept of them and what goes back (RFC 6265: domain, path, secure, expiry), and
//! the limits of both. Refuses to know the program's own cookies, and which requests there are.

#![forbid(unsafe_code)]

use crate::url::Url;
use cookie_store::{Cookie, CookieDomain, CookieStore};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tungstenite::http::HeaderMap;

/// The cookies of one client; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Jar(Arc<Mutex<CookieStore>>);

impl Jar {
    /// An empty jar.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a Cookie header for a request to the server at `url`; None if no cookie
    /// belongs there. `path` is the target of the request, with or without its query.
    pub fn header(&self, url: &Url, path: &str) -> Option<String> {
        let pairs: Vec<String> =
            self.pairs(url, path).into_iter().map(|(name, value)| name + "=" + &value).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The names and values of the cookies that belong to a request, those with the longest
    /// path first (RFC 6265, section 5.4).
    pub fn pairs(&self, url: &Url, path: &str) -> Vec<(String, String)> {
        let store = self.lock();
        let Some(address) = address(url, path) else { return Vec::new() };
        let mut cookies = store.matches(&address);
        cookies
            .sort_by(|a, b| b.path.len().cmp(&a.path.len()).then_with(|| a.name().cmp(b.name())));
        let pair = |cookie: &&Cookie<'_>| (cookie.name().to_owned(), cookie.value().to_owned());
        cookies.iter().map(pair).collect()
    }

    /// Keeps what the answer to a request set. What is no cookie, is not for this server, or is
    /// beyond the limits is left out.
    pub fn store(&self, url: &Url, path: &str, headers: &HeaderMap) {
        let mut set = headers.get_all("set-cookie").into_iter().peekable();
        if set.peek().is_none() {
            return;
        }
        let Some(address) = address(url, path) else { return };
        let mut store = self.lock();
        for value in set {
            let Ok(text) = std::str::from_utf8(value.as_bytes()) else { continue };
            if text.len() > COOKIE_LIMIT {
                continue;
            }
            if let Ok(cookie) = Cookie::parse(text, &address) {
                keep(&mut store, cookie.into_owned(), &address);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, CookieStore> {
        // Nothing is done under the lock that could leave the store in a state of its own.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address of a request as the web writes it; a WebSocket's cookies are those of HTTP. None
/// for the few hosts that the rules of the web do not know.
pub(super) fn address(url: &Url, target: &str) -> Option<::url::Url> {
    let scheme = if url.secure { "https" } else { "http" };
    ::url::Url::parse(&format!("{scheme}://{}{target}", url.host_header())).ok()
}

fn keep(store: &mut CookieStore, cookie: Cookie<'static>, address: &::url::Url) {
    if is_for_a_whole_country(&cookie.domain, address) {
        return;
    }
    let Some(domain) = cookie.domain.as_cow().map(|domain| domain.into_owned()) else { return };
    let replaces = store.contains_any(&domain, &cookie.path, cookie.name());
    // Those that have expired stay in the store until they are taken out.
    let expired: Vec<_> = store.iter_any().filter(|old| old.is_expired()).map(place).collect();
    for (domain, path, name) in expired {
        store.remove(&domain, &path, &name);
    }
    let of_host = store.iter_any().filter(|old| old.domain.matches(address)).count();
    let is_full = of_host >= HOST_LIMIT || store.iter_any().count() >= JAR_LIMIT;
    if !is_full || replaces {
        let place = place(&cookie);
        // A cookie that the rules do not allow is left out.
        if let Ok(cookie_store::StoreAction::ExpiredExisting) = store.insert(cookie, address) {
            store.remove(&place.0, &place.1, &place.2);
        }
    }
}

/// Where the store has a cookie: domain, path and name.
fn place(cookie: &Cookie<'_>) -> (String, String, String) {
    let domain = cookie.domain.as_cow().map(|domain| domain.into_owned()).unwrap_or_default();
    (domain, String::from(&cookie.path), cookie.name().to_owned())
}

/// Whether a cookie would go to all servers of a top-level domain, so far as that can be told
/// without a list of them (RFC 6265, section 5.3, step 5).
fn is_for_a_whole_country(domain: &CookieDomain, address: &::url::Url) -> bool {
    let CookieDomain::Suffix(suffix) = domain else { return false };
    !suffix.contains('.') && !domain.host_is_identical(address)
}

/// The longest Set-Cookie that is taken, in bytes, and the numbers of cookies that are kept for
/// one host and in all (RFC 6265, section 6.1, names the first two).
const COOKIE_LIMIT: usize = 4096;
const HOST_LIMIT: usize = 50;
const JAR_LIMIT: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url;
    use std::time::Duration;

    fn set(jar: &Jar, at: &str, path: &str, cookies: &[&str]) {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append("set-cookie", cookie.parse().unwrap());
        }
        jar.store(&url::parse(at).unwrap(), path, &headers);
    }

    fn sent(jar: &Jar, at: &str, path: &str) -> String {
        jar.header(&url::parse(at).unwrap(), path).unwrap_or_default()
    }

    #[test]
    fn cookies_come_back_to_their_server_only() {
        let jar = Jar::new();
        set(&jar, "http://a.example:81", "/socket.io/?EIO=4", &["io=1; Path=/; HttpOnly"]);
        assert_eq!(sent(&jar, "http://a.example", "/socket.io/?x=y"), "io=1");
        assert_eq!(sent(&jar, "ws://A.example:5000", "/"), "io=1");
        assert_eq!(sent(&jar, "http://b.example", "/"), "");
        assert_eq!(sent(&jar, "http://b.a.example", "/"), "");
        assert_eq!(sent(&jar.clone(), "wss://a.example", "/"), "io=1");
    }

    #[test]
    fn a_domain_takes_in_the_hosts_below_it() {
        let jar = Jar::new();
        set(&jar, "http://a.example.org", "/", &["x=1; Domain=.Example.org", "y=2; Domain=b.org"]);
        assert_eq!(sent(&jar, "http://c.example.org", "/"), "x=1");
        assert_eq!(sent(&jar, "http://example.org", "/"), "x=1");
        assert_eq!(sent(&jar, "http://notexample.org", "/"), "");
        assert_eq!(sent(&jar, "http://b.org", "/"), "");
        set(&jar, "http://a.example.org", "/", &["z=3; Domain=org"]);
        assert_eq!(sent(&jar, "http://b.org", "/"), "");
        set(&jar, "http://localhost", "/", &["l=1; Domain=localhost"]);
        assert_eq!(sent(&jar, "http://localhost", "/"), "l=1");
    }

    #[test]
    fn addresses_have_cookies_too() {
        for host in ["http://127.0.0.1:5000", "http://[::1]:5000", "http://[fe80::1%25eth0]"] {
            let jar = Jar::new();
            set(&jar, host, "/", &["a=b"]);
            assert_eq!(sent(&jar, host, "/"), "a=b", "{host}");
            assert_eq!(sent(&jar, "http://127.0.0.2", "/"), "");
        }
    }

    #[test]
    fn the_path_says_where_a_cookie_belongs_and_the_longest_goes_first() {
        let jar = Jar::new();
        let cookies =
            ["a=root; Path=/", "b=deep; Path=/socket.io", "c=other; Path=/x", "d=default"];
        set(&jar, "http://a", "/socket.io/?EIO=4", &cookies);
        assert_eq!(sent(&jar, "http://a", "/socket.io/?t=1"), "b=deep; d=default; a=root");
        assert_eq!(sent(&jar, "http://a", "/socket.iox"), "a=root");
        assert_eq!(sent(&jar, "http://a", "/x/"), "c=other; a=root");
    }

    #[test]
    fn a_secure_cookie_goes_by_tls_only() {
        let jar = Jar::new();
        set(&jar, "https://a.example", "/", &["s=1; Secure"]);
        assert_eq!(sent(&jar, "http://a.example", "/"), "");
        assert_eq!(sent(&jar, "wss://a.example", "/"), "s=1");
    }

    #[test]
    fn a_cookie_expires_and_can_be_taken_back() {
        let jar = Jar::new();
        let expired = "old=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT";
        set(&jar, "http://a", "/", &["a=1", "b=2; Max-Age=1", "c=3; Max-Age=-1", expired]);
        assert_eq!(sent(&jar, "http://a", "/"), "a=1; b=2");
        std::thread::sleep(Duration::from_millis(1100));
        assert_eq!(sent(&jar, "http://a", "/"), "a=1");
        set(&jar, "http://a", "/", &["a=; Max-Age=0"]);
        assert_eq!(sent(&jar, "http://a", "/"), "");
        assert_eq!(jar.lock().iter_any().count(), 0);
    }

    #[test]
    fn a_cookie_replaces_the_one_of_its_name_domain_and_path() {
        let jar = Jar::new();
        set(&jar, "http://a", "/", &["a=1", "a=2"]);
        set(&jar, "http://a", "/", &["a=\"3 4\""]);
        assert_eq!(sent(&jar, "http://a", "/"), "a=\"3 4\"");
    }

    #[test]
    fn what_is_kept_is_limited() {
        let jar = Jar::new();
        let cookies: Vec<String> = (0..60).map(|n| format!("n{n:02}=v")).collect();
        set(&jar, "http://a", "/", &cookies.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(sent(&jar, "http://a", "/").split("; ").count(), HOST_LIMIT);
        // One that is there can still change, and one that goes makes room.
        set(&jar, "http://a", "/", &["n00=w", "n01=; Max-Age=0", "new=1"]);
        let kept = sent(&jar, "http://a", "/");
        assert!(kept.contains("n00=w") && kept.contains("new=1") && !kept.contains("n01"));
        assert_eq!(kept.split("; ").count(), HOST_LIMIT);
        set(&jar, "http://b", "/", &[&format!("big={}", "x".repeat(COOKIE_LIMIT))]);
        assert_eq!(sent(&jar, "http://b", "/"), "");
        for host in 0..30 {
            let cookies: Vec<&str> = cookies.iter().map(String::as_str).collect();
            set(&jar, &format!("http://host{host}"), "/", &cookies);
        }
        assert_eq!(jar.lock().iter_any().count(), JAR_LIMIT);
    }

    #[test]
    fn what_is_no_cookie_is_left_out() {
        let jar = Jar::new();
        set(&jar, "http://a", "/", &["", "=", "novalue", "; Path=/", "x\u{e4}=1", "ok=1"]);
        assert!(sent(&jar, "http://a", "/").contains("ok=1"));
        let mut headers = HeaderMap::new();
        headers
            .append("set-cookie", tungstenite::http::HeaderValue::from_bytes(b"e=\xff").unwrap());
        jar.store(&url::parse("http://b").unwrap(), "/", &headers);
        assert_eq!(sent(&jar, "http://b", "/"), "");
    }
}
