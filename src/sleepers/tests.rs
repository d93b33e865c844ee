use super::*;

#[test]
fn who_came_first_is_woken_first_and_keeps_its_place_until_it_leaves() {
    let mut sleepers = Sleepers::default();
    let (first, second) = (Place::new(), Place::new());
    sleepers.enter(Queue::Room, &first);
    sleepers.enter(Queue::Room, &second);
    let mut woken = Vec::new();
    sleepers.wake_one(Queue::Room, &mut woken);
    assert!(Arc::ptr_eq(&woken[0], &first));
    assert!(sleepers.is_next(Queue::Room, Some(&first)));
    assert!(!sleepers.is_next(Queue::Room, None));
    sleepers.leave(Queue::Room, &first);
    assert!(sleepers.is_next(Queue::Room, Some(&second)));
}

#[test]
fn an_interrupt_reaches_who_was_woken_for_nothing_but_takes_no_answer_back() {
    let mut sleepers = Sleepers::default();
    let (receiver, answered, asleep) = (Place::new(), Place::new(), Place::new());
    sleepers.enter(Queue::Receive, &receiver);
    sleepers.enter(Queue::Call, &answered);
    sleepers.enter(Queue::Call, &asleep);
    let mut woken = Vec::new();
    sleepers.wake_one(Queue::Receive, &mut woken);
    sleepers.wake(&answered, &mut woken);
    assert!(sleepers.interrupt_everybody(&mut woken));
    assert!(receiver.is_interrupted());
    assert!(!answered.is_interrupted());
    assert!(asleep.is_interrupted());
    assert!(!sleepers.interrupt_everybody(&mut woken));
}

#[test]
fn a_sleep_ends_at_its_deadline_whatever_the_doorbell_does() {
    let place = Place::new();
    place.ring();
    let begin = Instant::now();
    place.sleep(Timeout::Limit(Duration::from_millis(60)).deadline());
    assert!(begin.elapsed() >= Duration::from_millis(60));
}
