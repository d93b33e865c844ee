//! Where a redirect leads, and whether it is followed.
//!
//! Owns the rules: which statuses, and the same server only. Refuses to know how often.

#![forbid(unsafe_code)]

use super::Method;
use crate::net::cookies::address;
use crate::url::Url;

/// What to make of a status that may be a redirect.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// To the same server: the target of the next request.
    Follow(String),
    /// Not followed; why.
    Refuse(&'static str),
}

/// What the answer to a request for `target` at the server says, if it redirects at all.
pub(super) fn redirect(
    url: &Url,
    target: &str,
    method: Method,
    status: u16,
    location: Option<&[u8]>,
) -> Option<Redirect> {
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = location?;
    if status < 307 && method == Method::Post {
        // By the web's customs it would be followed by a GET, and the body be lost.
        return Some(Redirect::Refuse("a POST does not follow it"));
    }
    let base = address(url, target);
    let to = base.as_ref().zip(std::str::from_utf8(location).ok());
    let Some((base, to)) = to.and_then(|(base, to)| Some((base, base.join(to).ok()?))) else {
        return Some(Redirect::Refuse("that is no address"));
    };
    Some(decide(base, &to))
}

fn decide(from: &::url::Url, to: &::url::Url) -> Redirect {
    let secure = match to.scheme() {
        "https" | "wss" => true,
        "http" | "ws" => false,
        _ => return Redirect::Refuse("that is no address of a server"),
    };
    if to.host_str() != from.host_str() {
        return Redirect::Refuse("that is another server; if it is right, connect to it");
    }
    match (from.scheme() == "https", secure) {
        (true, false) => return Redirect::Refuse("that would leave TLS"),
        (false, true) => return Redirect::Refuse("connect to that address if TLS is wanted"),
        _ => {}
    }
    if to.port_or_known_default() != from.port_or_known_default() {
        return Redirect::Refuse("that is another port; if it is right, connect to it");
    }
    Redirect::Follow(match to.query() {
        Some(query) => format!("{}?{query}", to.path()),
        None => to.path().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url;

    fn from(url: &str, location: &str) -> Option<Redirect> {
        let url = url::parse(url).unwrap();
        redirect(&url, "/socket.io/?EIO=4&t=1", Method::Get, 302, Some(location.as_bytes()))
    }

    #[track_caller]
    fn follows(url: &str, location: &str, target: &str) {
        assert_eq!(from(url, location), Some(Redirect::Follow(target.to_owned())));
    }

    #[track_caller]
    fn refuses(url: &str, location: &str, part_of_text: &str) {
        match from(url, location) {
            Some(Redirect::Refuse(why)) => assert!(why.contains(part_of_text), "{why}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_same_server_is_followed_in_every_form_of_an_address() {
        follows("http://a:81", "http://a:81/x/?y=1", "/x/?y=1");
        follows("ws://A:81", "http://a:81/x", "/x");
        follows("http://a", "ws://a:80/x#part", "/x");
        follows("https://a", "wss://a:443/x", "/x");
        follows("http://a", "//a/x?EIO=4", "/x?EIO=4");
        follows("http://a", "/x/?a=%20b&c=%2F", "/x/?a=%20b&c=%2F");
        follows("http://a", "other/", "/socket.io/other/");
        follows("http://a", "../z", "/z");
        follows("http://a", "?EIO=4&t=2", "/socket.io/?EIO=4&t=2");
        follows("http://[::1]:9", "http://[0::1]:9/x", "/x");
        follows("http://a", "http://user:pass@a/x", "/x");
    }

    #[test]
    fn other_servers_ports_and_schemes_are_not_followed() {
        refuses("http://a", "http://b/", "another server");
        refuses("http://a", "//b/", "another server");
        refuses("http://a", "http://b.a/", "another server");
        refuses("http://a", "http://a:81/", "another port");
        refuses("https://a:1", "http://a:1/", "leave TLS");
        refuses("https://a", "ws://a/", "leave TLS");
        refuses("http://a", "https://a/", "if TLS is wanted");
        refuses("http://a", "ftp://a/", "no address of a server");
        refuses("http://a", "mailto:a", "no address of a server");
        refuses("http://a", "http://a:99999/", "no address");
    }

    #[test]
    fn only_redirects_that_keep_the_method_are_followed() {
        let url = url::parse("http://a").unwrap();
        let ask = |method, status, location| redirect(&url, "/", method, status, location);
        for status in [301, 302, 303] {
            assert!(matches!(ask(Method::Get, status, Some(b"/x")), Some(Redirect::Follow(_))));
            assert!(matches!(ask(Method::Post, status, Some(b"/x")), Some(Redirect::Refuse(_))));
        }
        for status in [307, 308] {
            for method in [Method::Get, Method::Post] {
                assert!(matches!(ask(method, status, Some(b"/x")), Some(Redirect::Follow(_))));
            }
        }
        for status in [200, 300, 304, 305, 306, 309, 404] {
            assert_eq!(ask(Method::Get, status, Some(b"/x")), None);
        }
        assert_eq!(ask(Method::Get, 302, None), None);
        assert!(matches!(ask(Method::Get, 302, Some(b"/\xff")), Some(Redirect::Refuse(_))));
    }
}
