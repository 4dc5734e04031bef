use super::super::super::resp::parse;
use super::super::super::slot::slot_of;
use super::*;

/// Keys of three slots: `a` and `{a}…` on node 1, `b` on node 2, `c` on node 1 again.
fn map() -> SlotMap {
    let mut map = SlotMap::default();
    for (key, port) in [("a", 1), ("b", 2), ("c", 1)] {
        map.moved(slot_of(key.as_bytes()), node(port));
    }
    map
}

fn node(port: u16) -> Server {
    Server::Tcp("node".into(), port)
}

fn batch(effect: Effect, write: impl FnOnce(&mut Batch)) -> Batch {
    let mut batch = Batch::default();
    batch.start("test", effect, true);
    write(&mut batch);
    batch
}

fn gets(keys: &[&str]) -> Batch {
    batch(Effect::Read, |batch| {
        for key in keys {
            batch.command("GET", 2).key(key.as_bytes());
        }
    })
}

/// What is sent, as `port: words`, replicas with a star.
fn sent(legs: &[Leg]) -> Vec<String> {
    let text = |leg: &Leg| {
        let mut position = 0;
        let mut words = Vec::new();
        while position < leg.bytes.len() {
            let Reply::Array(parts) = parse(&leg.bytes, &mut position).unwrap() else { panic!() };
            words.extend(parts.iter().map(|part| match part {
                Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                other => panic!("{other:?}"),
            }));
        }
        let Server::Tcp(_, port) = &leg.server else { panic!() };
        format!("{port}{}: {}", if leg.replica { "*" } else { "" }, words.join(" "))
    };
    legs.iter().map(text).collect()
}

/// A door in memory.
struct Door<'a> {
    course: Course<'a>,
    map: SlotMap,
    buffer: Vec<u8>,
}

impl<'a> Door<'a> {
    fn new(batch: &'a Batch) -> Self {
        Door { course: Course::new(batch, true), map: map(), buffer: Vec::new() }
    }

    fn legs(&mut self) -> Vec<Leg> {
        assert!(matches!(self.course.proceed(), Ok(Next::Go { .. })));
        self.course.moved().collect::<Vec<_>>().into_iter().for_each(|(slot, to)| self.map.moved(slot, to));
        self.course.legs(&self.map, ReadFrom::Primary, 0.0).unwrap()
    }

    fn reply(&mut self, leg: &Leg, wire: &str) {
        let from = self.buffer.len();
        self.buffer.extend_from_slice(wire.as_bytes());
        self.course.arrived(leg, &self.buffer, from).unwrap();
    }

    /// All replies in the order of the commands.
    fn done(mut self) -> Vec<String> {
        assert_eq!(self.course.proceed().unwrap(), Next::Done);
        let text = |start: usize| format!("{:?}", parse(&self.buffer, &mut start.clone()).unwrap());
        self.course.finish().into_iter().map(text).collect()
    }
}

#[test]
fn commands_are_grouped_by_node_and_replies_put_in_order() {
    let batch = gets(&["a", "b", "c", "{a}x"]);
    let mut door = Door::new(&batch);
    let legs = door.legs();
    assert_eq!(sent(&legs), ["1: GET a GET c GET {a}x", "2: GET b"]);
    door.reply(&legs[1], ":2\r\n");
    door.reply(&legs[0], ":1\r\n:3\r\n:4\r\n");
    assert_eq!(door.done(), ["Integer(1)", "Integer(2)", "Integer(3)", "Integer(4)"]);
}

#[test]
fn a_moved_slot_is_followed_and_noted() {
    let batch = gets(&["a", "b"]);
    let mut door = Door::new(&batch);
    let legs = door.legs();
    door.reply(&legs[0], &format!("-MOVED {} node:3\r\n", slot_of(b"a")));
    door.reply(&legs[1], ":2\r\n");
    let legs = door.legs();
    assert_eq!(sent(&legs), ["3: GET a"]);
    door.reply(&legs[0], ":1\r\n");
    assert_eq!(door.map.shard(slot_of(b"a")).unwrap().primary, node(3));
    assert_eq!(door.done(), ["Integer(1)", "Integer(2)"]);
}

#[test]
fn a_slot_on_its_way_is_asked_for_once_and_not_noted() {
    let batch = gets(&["a", "{a}x"]);
    let mut door = Door::new(&batch);
    let legs = door.legs();
    door.reply(&legs[0], &format!("-ASK {} node:3\r\n:2\r\n", slot_of(b"a")));
    let legs = door.legs();
    assert_eq!((sent(&legs), legs[0].replies), (vec!["3: ASKING GET a".to_owned()], 2));
    door.reply(&legs[0], "+OK\r\n:1\r\n");
    assert_eq!(door.map.shard(slot_of(b"a")).unwrap().primary, node(1));
    assert_eq!(door.done(), ["Integer(1)", "Integer(2)"]);
}

#[test]
fn a_slot_on_its_way_is_asked_for_anew_after_a_pause() {
    let batch = gets(&["a", "b"]);
    let mut door = Door::new(&batch);
    let legs = door.legs();
    door.reply(&legs[0], &format!("-ASK {} node:3\r\n", slot_of(b"a")));
    door.reply(&legs[1], "-LOADING x\r\n");
    assert_eq!(sent(&door.legs()), ["1: GET a", "2: GET b"]);
}

#[test]
fn a_transaction_is_redirected_as_a_whole() {
    let batch = batch(Effect::Read, |batch| super::super::super::command::get_with_ttl(batch, b"a"));
    let mut door = Door::new(&batch);
    let legs = door.legs();
    assert_eq!(sent(&legs), ["1: MULTI GET a PTTL a EXEC"]);
    let ask = format!("-ASK {} node:3\r\n", slot_of(b"a"));
    door.reply(&legs[0], &format!("+OK\r\n{ask}{ask}-EXECABORT Transaction discarded\r\n"));
    let legs = door.legs();
    assert_eq!(sent(&legs), ["3: ASKING MULTI GET a PTTL a EXEC"]);
    door.reply(&legs[0], "+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:-1\r\n");
    assert_eq!(door.done().last().unwrap(), "Array([Integer(1), Integer(-1)])");
}

#[test]
fn a_write_that_was_sent_again_does_not_overtake_a_later_one() {
    let batch = batch(Effect::Idempotent, |batch| {
        for (key, value) in [("a", "old"), ("b", "x"), ("a", "new")] {
            batch.command("SET", 3).key(key.as_bytes()).arg(value.as_bytes());
        }
    });
    let mut door = Door::new(&batch);
    let legs = door.legs();
    door.reply(&legs[0], "-LOADING Redis is loading\r\n+OK\r\n");
    door.reply(&legs[1], "+OK\r\n");
    let legs = door.legs();
    assert_eq!(sent(&legs), ["1: SET a old SET a new"]);
}

#[test]
fn redirections_come_to_an_end() {
    let batch = gets(&["a"]);
    let mut door = Door::new(&batch);
    let mut hops = 0;
    let failure = loop {
        match door.course.proceed() {
            Err(failure) => break failure,
            Ok(_) => {
                let legs = door.legs();
                door.reply(&legs[0], &format!("-MOVED {} node:{}\r\n", slot_of(b"a"), 3 + hops));
                hops += 1;
            }
        }
    };
    assert_eq!(hops, 6);
    assert!(failure.place.contains("slot 15495"), "{}", failure.place);
    assert!(matches!(failure.problem, Problem::Refused(text) if text.starts_with("MOVED")));
}

#[test]
fn a_cluster_that_is_not_ready_is_waited_for_but_not_by_everyone() {
    let batch = gets(&["a"]);
    let mut door = Door::new(&batch);
    let legs = door.legs();
    door.reply(&legs[0], "-CLUSTERDOWN The cluster is down\r\n");
    let next = door.course.proceed().unwrap();
    assert_eq!(next, Next::Go { look: true, pause: FIRST_PAUSE });
    let mut hasty = Door { course: Course::new(&batch, false), ..Door::new(&batch) };
    let legs = hasty.legs();
    hasty.reply(&legs[0], "-CLUSTERDOWN The cluster is down\r\n");
    let failure = hasty.course.proceed().unwrap_err();
    assert_eq!(failure.place, "node:1, slot 15495");
}

#[test]
fn a_node_that_is_gone_is_an_error_unless_another_has_its_slots() {
    let batch = gets(&["a", "b"]);
    let refused = || Problem::Connect("connection refused".into());
    let mut door = Door::new(&batch);
    let legs = door.legs();
    door.reply(&legs[1], ":2\r\n");
    door.course.failed(&legs[0], refused());
    assert_eq!(door.course.proceed().unwrap(), Next::Go { look: true, pause: Duration::ZERO });
    let failure = door.course.legs(&door.map, ReadFrom::Primary, 0.0).unwrap_err();
    assert_eq!(failure.place, "node:1, slot 15495");
    door.map.moved(slot_of(b"a"), node(2));
    let legs = door.course.legs(&door.map, ReadFrom::Primary, 0.0).unwrap();
    assert_eq!(sent(&legs), ["2: GET a"]);
}

#[test]
fn what_may_have_been_done_is_not_sent_again() {
    let lost = || Problem::Lost("connection reset".into());
    for (effect, again) in [(Effect::Once, false), (Effect::Idempotent, true), (Effect::Read, true)] {
        let batch = batch(effect, |batch| {
            batch.command("X", 2).key(b"a");
        });
        let mut door = Door::new(&batch);
        let legs = door.legs();
        door.course.failed(&legs[0], lost());
        assert_eq!(door.course.proceed().is_ok(), again, "{effect:?}");
        let mut door = Door::new(&batch);
        let legs = door.legs();
        door.course.failed(&legs[0], Problem::ReplyLimit(Duration::from_secs(1)));
        assert!(door.course.proceed().is_err(), "{effect:?}: the time is gone");
    }
}

#[test]
fn a_replica_that_cannot_answer_leaves_it_to_its_primary() {
    let batch = gets(&["a"]);
    for trouble in ["-MASTERDOWN x\r\n", "-LOADING x\r\n", ""] {
        let mut door = Door::new(&batch);
        let leg = door.course.whole(node(9), true);
        match trouble {
            "" => door.course.failed(&leg, Problem::Connect("connection refused".into())),
            text => door.reply(&leg, text),
        }
        assert!(matches!(door.course.proceed(), Ok(Next::Go { pause: Duration::ZERO, .. })));
        let legs = door.course.legs(&door.map, ReadFrom::Any, 0.9).unwrap();
        assert_eq!(sent(&legs), ["1: GET a"]);
    }
}

#[test]
fn a_slot_that_nobody_has_is_looked_for_and_then_an_error() {
    let batch = gets(&["d"]);
    let mut door = Door::new(&batch);
    assert!(door.legs().is_empty());
    assert!(matches!(door.course.proceed(), Ok(Next::Go { look: true, .. })));
    while door.course.proceed().is_ok() {
        assert!(door.course.legs(&door.map, ReadFrom::Primary, 0.0).unwrap().is_empty());
    }
}

#[test]
fn errors_that_are_answers_are_left_alone() {
    let batch = gets(&["a"]);
    let mut door = Door::new(&batch);
    let legs = door.legs();
    door.reply(&legs[0], "-WRONGTYPE x\r\n");
    assert_eq!(first_redirect(b"+OK\r\n-WRONGTYPE x\r\n", 2, &node(1)), None);
    let (redirect, text) = first_redirect(b"+OK\r\n-LOADING x\r\n", 2, &node(1)).unwrap();
    assert_eq!((redirect, text.as_str()), (Redirect::Loading, "LOADING x"));
    assert_eq!(door.done().len(), 1);
}
