use super::*;

#[test]
fn a_thread_is_inside_until_the_last_guard_is_gone() {
    assert!(!inside());
    let outer = enter();
    let inner = enter();
    drop(inner);
    assert!(inside());
    std::thread::spawn(|| assert!(!inside())).join().unwrap();
    drop(outer);
    assert!(!inside());
}
