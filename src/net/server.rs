//! One server as requests see it.
//!
//! Owns what goes on every request to it, by whatever transport: Host, the program's headers,
//! cookies, authorization. Refuses to know what is asked, and the connection.

#![forbid(unsafe_code)]

use super::cookies::Jar;
use super::dial::Place;
use super::headers::{basic_authorization, check_header};
use crate::error::{Failure, Status};
use crate::url::Url;
use std::fmt;
use tungstenite::http::HeaderMap;

/// Where a server is and what goes on each request to it. Made for each attempt.
pub struct Server {
    /// The program's URL.
    pub url: Url,
    /// Where to connect to.
    pub place: Place,
    /// The program's headers.
    pub headers: Vec<(String, String)>,
    /// The cookies that servers set; None if the program wants none.
    pub jar: Option<Jar>,
}

impl Server {
    /// Writes the lines that are the same on all requests: Host, the program's headers, Cookie
    /// (the program's own and then those of the jar, unless of the same name), and the
    /// Authorization of the URL unless the program has one.
    ///
    /// # Errors
    ///
    /// [`Status::Invalid`] if a header cannot be sent.
    pub fn write_common(&self, target: &str, head: &mut String) -> Result<(), Failure> {
        self.write_but(&[], target, head)
    }

    /// The same without the program's headers of some names: those that a request must have in
    /// a form of its own.
    pub(super) fn write_but(
        &self,
        own: &[&str],
        target: &str,
        head: &mut String,
    ) -> Result<(), Failure> {
        write_line(head, "Host", &self.url.host_header());
        for (name, value) in &self.headers {
            check_header(name, value).map_err(|error| Failure::new(Status::Invalid, error.what))?;
            let is_own = own.iter().any(|own| own.eq_ignore_ascii_case(name));
            if !is_own && !name.eq_ignore_ascii_case("Cookie") {
                write_line(head, name, value);
            }
        }
        if let Some(cookies) = self.cookies(target) {
            write_line(head, "Cookie", &cookies);
        }
        if let (Some((user, password)), false) = (&self.url.userinfo, self.has("Authorization")) {
            write_line(head, "Authorization", &basic_authorization(user, password));
        }
        Ok(())
    }

    /// Keeps the cookies that an answer sets.
    pub fn keep_cookies(&self, target: &str, headers: &HeaderMap) {
        if let Some(jar) = &self.jar {
            jar.store(&self.url, target, headers);
        }
    }

    /// Whether the program has a header of this name.
    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    fn cookies(&self, target: &str) -> Option<String> {
        let is_cookie = |(name, value): &'_ (String, String)| {
            (name.eq_ignore_ascii_case("Cookie") && !value.trim().is_empty())
                .then(|| value.trim().trim_end_matches(';').to_owned())
        };
        let mut all: Vec<String> = self.headers.iter().filter_map(is_cookie).collect();
        let name_of = |pair: &str| pair.split('=').next().unwrap_or_default().trim().to_owned();
        let own: Vec<String> = all.iter().flat_map(|value| value.split(';')).map(name_of).collect();
        let kept = self.jar.as_ref().map_or(Vec::new(), |jar| jar.pairs(&self.url, target));
        let kept = kept.into_iter().filter(|(name, _)| !own.contains(name));
        all.extend(kept.map(|(name, value)| name + "=" + &value));
        (!all.is_empty()).then(|| all.join("; "))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers hold passwords, which must not get into a log by way of a debug text.
        f.debug_tuple("Server").field(&self.url.origin()).finish()
    }
}

fn write_line(head: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        head.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url;

    fn server(url: &str, headers: &[(&str, &str)], jar: Option<Jar>) -> Server {
        let url = url::parse(url).unwrap();
        let place = Place { host: url.host.clone(), port: url.port, tls: None };
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Server { url, place, headers: headers.iter().map(own).collect(), jar }
    }

    fn common(server: &Server) -> String {
        let mut head = String::new();
        server.write_common("/socket.io/?EIO=4", &mut head).unwrap();
        head
    }

    #[test]
    fn host_the_programs_headers_and_authorization_go_on_each_request() {
        let headers = [("X-One", "1"), ("x-two", "ä"), ("X-One", "again")];
        assert_eq!(
            common(&server("http://user:pass@example.org:81", &headers, None)),
            "Host: example.org:81\r\nX-One: 1\r\nx-two: ä\r\nX-One: again\r\n\
             Authorization: Basic dXNlcjpwYXNz\r\n"
        );
        let own = server("http://user:pass@a", &[("authorization", "Bearer x")], None);
        assert_eq!(common(&own), "Host: a\r\nauthorization: Bearer x\r\n");
    }

    #[test]
    fn the_programs_cookies_are_merged_with_those_of_the_server() {
        let jar = Jar::new();
        let headers = [("cookie", "own=1; both=mine;"), ("Cookie", " "), ("Cookie", "more=2")];
        let server = server("http://a", &headers, Some(jar.clone()));
        assert_eq!(common(&server), "Host: a\r\nCookie: own=1; both=mine; more=2\r\n");
        let mut answer = HeaderMap::new();
        for cookie in ["both=theirs; Path=/", "sticky=3; Path=/", "far=4; Path=/elsewhere"] {
            answer.append("set-cookie", cookie.parse().unwrap());
        }
        server.keep_cookies("/socket.io/?EIO=4", &answer);
        assert_eq!(common(&server), "Host: a\r\nCookie: own=1; both=mine; more=2; sticky=3\r\n");
        let without = super::tests::server("http://a", &[], None);
        without.keep_cookies("/", &answer);
        assert_eq!(common(&without), "Host: a\r\n");
        let alone = super::tests::server("http://a", &[], Some(jar));
        assert_eq!(common(&alone), "Host: a\r\nCookie: both=theirs; sticky=3\r\n");
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_invalid() {
        for (name, value) in [("Host", "b"), ("X", "a\r\nY: b"), ("Sec-WebSocket-Key", "k")] {
            let server = server("http://a", &[(name, value)], None);
            let failure = server.write_common("/", &mut String::new()).unwrap_err();
            assert_eq!(failure.status, Status::Invalid);
        }
    }

    #[test]
    fn a_debug_text_holds_no_secret() {
        let server = server("http://u:secret@a", &[("Authorization", "secret")], None);
        assert!(!format!("{server:?}").contains("secret"));
    }
}
