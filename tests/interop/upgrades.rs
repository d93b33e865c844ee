//! The upgrade with each server while events flow both ways: none is lost, doubled, or out of order.

#![forbid(unsafe_code)]

use std::thread;

use crate::common::Kind;
use crate::content::{check_flood, check_mixed};
use crate::harness::{
    LONG, call, connect, crc32, emit, eventually, first, good, last_tally, named, next, noise,
    placeholder, round_trip, tally,
};

with_each_server!(upgrade:
    numbered_events_cross_the_upgrade_both_ways,
    binary_crosses_the_upgrade_both_ways,
    calls_and_questions_cross_the_upgrade,
    both_sides_know_of_the_upgrade,
    leaving_amid_the_upgrade_loses_nothing,
);

/// The upgrade begins with the connection, so what follows connect at once goes across it.
const ROUNDS: usize = 3;

fn numbered_events_cross_the_upgrade_both_ways(kind: Kind) {
    const COUNT: usize = 2000;
    for _ in 0..ROUNDS {
        let client = connect(kind);
        emit(&client, "flood", &format!("[{COUNT},10,false]"));
        let name = thread::scope(|scope| {
            let naming = scope.spawn(|| {
                let name = named(&client, "crosses");
                for i in 0..COUNT {
                    emit(&client, "count", &format!("[{i}]"));
                }
                name
            });
            for i in 0..COUNT {
                check_flood(i, 10, false, &next(&client, "flood")).unwrap();
            }
            next(&client, "flood_done");
            naming.join().unwrap()
        });
        eventually("the upgrade", || (client.transport() == "websocket").then_some(()));
        let seen = eventually("all arrive", || {
            Some(tally(&client, &name)).filter(|tally| tally["count"] == COUNT)
        });
        assert_eq!(seen["in_order"], true, "{seen}");
        assert_eq!(first(&call(&client, "transport", "[]")), "websocket");
    }
}

fn binary_crosses_the_upgrade_both_ways(kind: Kind) {
    const COUNT: usize = 300;
    for _ in 0..ROUNDS {
        let client = connect(kind);
        emit(&client, "mixed", &format!("[{COUNT},3000]"));
        let name = thread::scope(|scope| {
            let naming = scope.spawn(|| {
                let name = named(&client, "crosses in bytes");
                for i in 0..COUNT {
                    let bytes = noise(i as u64, i * 31 % 3000);
                    let args = format!("[0,{i},{},{}]", crc32(&bytes), placeholder(0));
                    good(&client, client.emit("check", Some(&args), &[&bytes], LONG));
                }
                name
            });
            for i in 0..COUNT {
                check_mixed(i, 3000, &next(&client, "mixed")).unwrap();
            }
            next(&client, "mixed_done");
            naming.join().unwrap()
        });
        let seen = eventually("all arrive", || {
            Some(tally(&client, &name)).filter(|tally| tally["checked"] == COUNT)
        });
        assert_eq!((&seen["bad"], &seen["misplaced"]), (&0.into(), &0.into()), "{seen}");
        eventually("the upgrade", || (client.transport() == "websocket").then_some(()));
    }
}

fn calls_and_questions_cross_the_upgrade(kind: Kind) {
    for _ in 0..ROUNDS {
        let client = connect(kind);
        thread::scope(|scope| {
            for number in 0..4 {
                let client = &client;
                scope.spawn(move || {
                    for i in 0..50 {
                        let args = format!("[{number},{i}]");
                        assert_eq!(call(client, "echo_ack", &args).args(), args);
                    }
                });
            }
            scope.spawn(|| {
                for i in 0..50 {
                    emit(&client, "ask", &format!("[{i}]"));
                    let question = next(&client, "question");
                    good(&client, question.ack(Some(&format!("[{i},\"yes\"]")), &[]));
                    assert_eq!(crate::harness::json(next(&client, "answer").args())[0], i);
                }
            });
        });
        eventually("the upgrade", || (client.transport() == "websocket").then_some(()));
        round_trip(&client);
    }
}

fn both_sides_know_of_the_upgrade(kind: Kind) {
    let client = connect(kind);
    let sid = client.sid();
    eventually("the upgrade", || (client.transport() == "websocket").then_some(()));
    eventually("the server knows", || {
        (first(&call(&client, "transport", "[]")) == "websocket").then_some(())
    });
    assert_eq!(client.sid(), sid, "it is the same session");
}

fn leaving_amid_the_upgrade_loses_nothing(kind: Kind) {
    let watch = connect(kind);
    eventually("the upgrade", || (watch.transport() == "websocket").then_some(()));
    for pause in [0, 0, 1, 2, 3, 5, 8, 13, 21] {
        let client = connect(kind);
        let name = named(&client, "leaves amid");
        for i in 0..50 {
            emit(&client, "count", &format!("[{i}]"));
        }
        thread::sleep(std::time::Duration::from_millis(pause));
        good(&client, client.disconnect(LONG));
        let seen = eventually("all arrive", || {
            Some(last_tally(&watch, &name)).filter(|tally| tally["count"] == 50)
        });
        assert_eq!(seen["in_order"], true, "{seen}");
    }
}
