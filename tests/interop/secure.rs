//! TLS in front of each server: everything works as without it.

#![forbid(unsafe_code)]

use std::thread;

use sio::error::Status;

use crate::common::Kind;
use crate::common::tls::{Certificate, TlsFront};
use crate::content::{check_flood, check_mixed};
use crate::harness::{
    LONG, client_with, crc32, emit, eventually, failed, good, join, last_tally, named, noise,
    placeholder, server, tally,
};

with_each_server!(
    traffic_goes_both_ways_through_tls,
    all_that_was_emitted_arrives_before_the_end_through_tls,
    a_certificate_that_is_not_trusted_is_refused,
);

fn traffic_goes_both_ways_through_tls(kind: Kind) {
    let front = TlsFront::start(server(kind).port(), Certificate::Good);
    let client = client_with(&[("tls_ca_file", front.ca_file())]);
    join(&client, &front.named_url());
    emit(&client, "mixed", "[1000,5000]");
    emit(&client, "flood", "[20,300000,true]");
    let name = thread::scope(|scope| {
        let naming = scope.spawn(|| {
            let name = named(&client, "secure");
            for i in 0..300 {
                let bytes = noise(i as u64, i * 977 % 60_000);
                let args = format!("[0,{i},{},{}]", crc32(&bytes), placeholder(0));
                good(&client, client.emit("check", Some(&args), &[&bytes], LONG));
            }
            name
        });
        let (mut mixed, mut flood, mut done) = (0, 0, 0);
        while done < 2 {
            let message = good(&client, client.receive(LONG));
            match message.name() {
                "mixed" => {
                    check_mixed(mixed, 5000, &message).unwrap();
                    mixed += 1;
                }
                "flood" => {
                    check_flood(flood, 300_000, true, &message).unwrap();
                    flood += 1;
                }
                "mixed_done" | "flood_done" => done += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((mixed, flood), (1000, 20));
        naming.join().unwrap()
    });
    let seen = eventually("all arrive", || {
        Some(tally(&client, &name)).filter(|tally| tally["checked"] == 300)
    });
    assert_eq!((&seen["bad"], &seen["misplaced"]), (&0.into(), &0.into()), "{seen}");
    good(&client, client.disconnect(LONG));
    assert!(front.seen().iter().all(|one| one.complete));
}

fn all_that_was_emitted_arrives_before_the_end_through_tls(kind: Kind) {
    let watch = crate::harness::connect(kind);
    let front = TlsFront::start(server(kind).port(), Certificate::Good);
    for count in [1, 50, 1000] {
        let client = client_with(&[("tls_ca_file", front.ca_file())]);
        join(&client, &front.url());
        let name = named(&client, "leaves through tls");
        for i in 0..count {
            emit(&client, "count", &format!("[{i}]"));
        }
        good(&client, client.disconnect(LONG));
        let seen = eventually("all arrive", || {
            Some(last_tally(&watch, &name)).filter(|tally| tally["count"] == count)
        });
        assert_eq!(seen["in_order"], true, "{seen}");
    }
}

fn a_certificate_that_is_not_trusted_is_refused(kind: Kind) {
    let front = TlsFront::start(server(kind).port(), Certificate::SelfSigned);
    let client = client_with(&[("tls_ca_file", front.ca_file())]);
    assert_eq!(failed(client.connect(Some(&front.url()), LONG)), Status::Tls);
    good(&client, client.set("tls_verify", Some("0")));
    join(&client, &front.url());
    good(&client, client.disconnect(LONG));
}
