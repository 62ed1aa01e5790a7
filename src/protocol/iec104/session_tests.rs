//! Two stations that talk, and what is wrong with what they say: every anomaly that takes memory of
//! earlier APDUs, raised alone; and what is none.

use std::time::Duration;

use super::super::{PROTOCOL, stream::Flow};
use super::*;
use crate::event::{Record, Schema};
use crate::flow::Side;
use crate::protocol::{Parser, Shared};

const CONTROL: Direction = Direction::ToServer;
const STATION: Direction = Direction::ToClient;

const STARTDT_ACT: u8 = 0x07;
const STARTDT_CON: u8 = 0x0B;
const STOPDT_ACT: u8 = 0x13;
const STOPDT_CON: u8 = 0x23;
const TESTFR_ACT: u8 = 0x43;
const TESTFR_CON: u8 = 0x83;

/// 2026-11-23 10:00:00 UTC.
const TEN: u64 = 1_795_428_000;

/// Anomalies as `event field value`, and lives of commands as `type ioa steps: outcome`.
#[derive(Default)]
struct Told {
    anomalies: Vec<String>,
    commands: Vec<String>,
}

fn shown(record: &dyn Record, name: &str) -> String {
    let path = record.schema().resolve(name).unwrap();
    match record.value(path.field.into()) {
        Value::Absent => String::new(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Single(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Code(code) => match record.schema().fields[usize::from(path.field)].kind {
            crate::event::Kind::Name(names) => names[usize::from(code)].to_owned(),
            _ => code.to_string(),
        },
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    }
}

impl Records for Told {
    fn emit(&mut self, record: &dyn Record) {
        let tell = |names: &[&str]| {
            let fields = names.iter().map(|name| shown(record, name));
            fields.filter(|field| !field.is_empty()).collect::<Vec<_>>().join(" ")
        };
        if record.schema().name == "anomaly" {
            self.anomalies.push(tell(&["anomaly.event", "anomaly.field", "anomaly.value"]));
        } else if !shown(record, "iec104.command.outcome").is_empty() {
            let mut steps = Vec::new();
            record.each(1, &mut |step| steps.push(shown(step, "")));
            let what = tell(&["iec104.type", "iec104.ca", "iec104.command.ioa"]);
            let outcome = shown(record, "iec104.command.outcome");
            self.commands.push(format!("{what} {}: {outcome}", steps.join(" ")));
        }
    }

    fn wants(&self, _schema: &'static Schema) -> bool {
        false
    }
}

/// A connection between a controlling and a controlled station, as we see it.
struct Link {
    flow: Flow,
    time: Timestamp,
    acknowledged: Acknowledged,
    late: bool,
    /// N(S) of the next I-frame, by direction.
    next: [u16; 2],
}

/// Both stations, with one connection or several.
struct Stations {
    shared: Box<Shared>,
    told: Told,
}

impl Stations {
    fn new() -> Self {
        Self { shared: (PROTOCOL.shared)(), told: Told::default() }
    }

    fn connect(joined: bool) -> Link {
        Self::connect_with(joined, Settings::default())
    }

    fn connect_with(joined: bool, settings: Settings) -> Link {
        let ends = [([10, 20, 0, 10].into(), 40_000), ([10, 30, 0, 1].into(), 2404)];
        let key = FlowKey::new(ends, [0, 0], 6);
        let mut flow = Flow::new(Start { key: &key, client: Side::Lower, joined }, None);
        flow.session.settings = Arc::new(settings);
        let time = Timestamp::from_nanos(TEN * 1_000_000_000);
        Link { flow, time, acknowledged: Acknowledged::All, late: false, next: [0; 2] }
    }

    /// A started link that begins with what is known of the stations.
    fn start_again(&mut self) -> Link {
        let ends = [([10, 20, 0, 10].into(), 40_001), ([10, 30, 0, 1].into(), 2404)];
        let key = FlowKey::new(ends, [0, 0], 6);
        let start = Start { key: &key, client: Side::Lower, joined: false };
        let flow = Flow::new(start, self.shared.downcast_ref());
        let mut link = Link { flow, ..Self::connect(false) };
        self.function(&mut link, CONTROL, STARTDT_ACT);
        self.function(&mut link, STATION, STARTDT_CON);
        link
    }

    /// A started link.
    fn start(&mut self) -> Link {
        let mut link = Self::connect(false);
        self.function(&mut link, CONTROL, STARTDT_ACT);
        self.function(&mut link, STATION, STARTDT_CON);
        link
    }

    fn send(&mut self, link: &mut Link, direction: Direction, bytes: &[u8]) {
        link.time = link.time + Duration::from_millis(10);
        let (time, acknowledged) = (link.time, link.acknowledged);
        let input =
            Input { direction, time, late: link.late, clock_trusted: true, acknowledged, bytes };
        link.flow.data(input, &mut *self.shared, &mut self.told);
    }

    fn function(&mut self, link: &mut Link, direction: Direction, function: u8) {
        self.send(link, direction, &[0x68, 4, function, 0, 0, 0]);
    }

    /// An S-frame with this N(R).
    fn supervise(&mut self, link: &mut Link, direction: Direction, receive: u16) {
        let [low, high] = (receive << 1).to_le_bytes();
        self.send(link, direction, &[0x68, 4, 1, 0, low, high]);
    }

    /// An S-frame that acknowledges everything.
    fn acknowledge(&mut self, link: &mut Link, direction: Direction) {
        let receive = link.next[direction.opposite().index()];
        self.supervise(link, direction, receive);
    }

    /// The next I-frame.
    fn say(&mut self, link: &mut Link, direction: Direction, asdu: &[u8]) {
        let receive = link.next[direction.opposite().index()];
        let send = link.next[direction.index()];
        link.next[direction.index()] = (send + 1) & 0x7FFF;
        self.number(link, direction, send, receive, asdu);
    }

    fn number(
        &mut self,
        link: &mut Link,
        direction: Direction,
        send: u16,
        receive: u16,
        asdu: &[u8],
    ) {
        let [s1, s2] = (send << 1).to_le_bytes();
        let [r1, r2] = (receive << 1).to_le_bytes();
        let length = 4 + asdu.len() as u8;
        self.send(link, direction, &[&[0x68, length, s1, s2, r1, r2], asdu].concat());
    }

    fn miss(&mut self, link: &mut Link, direction: Direction) {
        link.flow.gap(direction, 100, &mut self.told);
    }

    fn end(&mut self, link: &mut Link) {
        link.flow.end([&[], &[]], &mut *self.shared, &mut self.told);
    }

    #[track_caller]
    fn expect(&self, anomalies: &[&str]) {
        assert_eq!(self.told.anomalies, anomalies);
    }

    #[track_caller]
    fn expect_commands(&self, commands: &[&str]) {
        assert_eq!(self.told.commands, commands);
    }
}

impl Link {
    fn pass(&mut self, seconds: u64) {
        self.time = self.time + Duration::from_secs(seconds);
    }
}

/// M_SP_NA_1, spontaneous: point 7 of station 10 is on.
const REPORT: &[u8] = &[1, 1, 3, 0, 10, 0, 7, 0, 0, 1];

/// An ASDU of one object of station 10.
fn asdu(type_id: u8, cause: u8, object: u8, elements: &[u8]) -> Vec<u8> {
    [&[type_id, 1, cause, 0, 10, 0, object, 0, 0], elements].concat()
}

/// C_SC_NA_1 to point 5: on, with S/E.
fn single(cause: u8, octet: u8) -> Vec<u8> {
    asdu(45, cause, 5, &[octet])
}

const EXECUTE_ON: u8 = 0x01;
const SELECT_ON: u8 = 0x81;
const NEGATIVE: u8 = 0x40;

fn known() -> Settings {
    let (t1, t3) = (Some(Duration::from_secs(15)), Some(Duration::from_secs(20)));
    Settings { k: Some(12), w: Some(8), t1, t3, ..Settings::default() }
}

// The link.

#[test]
fn a_link_that_lives_by_the_standard_raises_nothing() {
    let mut both = Stations::new();
    let mut link = Stations::connect_with(false, known());
    both.function(&mut link, CONTROL, STARTDT_ACT);
    both.function(&mut link, STATION, STARTDT_CON);
    for _ in 0..5 {
        both.say(&mut link, CONTROL, &asdu(100, 6, 0, &[20]));
        both.say(&mut link, STATION, &asdu(100, 7, 0, &[20]));
        for _ in 0..6 {
            both.say(&mut link, STATION, REPORT);
        }
        both.acknowledge(&mut link, CONTROL);
        both.say(&mut link, STATION, &asdu(100, 10, 0, &[20]));
        link.pass(14);
        both.acknowledge(&mut link, CONTROL);
    }
    link.pass(20);
    both.function(&mut link, STATION, TESTFR_ACT);
    both.function(&mut link, CONTROL, TESTFR_CON);
    both.function(&mut link, CONTROL, STOPDT_ACT);
    both.say(&mut link, STATION, REPORT);
    both.acknowledge(&mut link, CONTROL);
    both.function(&mut link, STATION, STOPDT_CON);
    both.function(&mut link, CONTROL, STARTDT_ACT);
    both.function(&mut link, STATION, STARTDT_CON);
    both.say(&mut link, STATION, REPORT);
    both.end(&mut link);
    both.expect(&[]);
}

#[test]
fn numbers_wrap() {
    let mut both = Stations::new();
    let mut link = Stations::connect(true);
    link.next = [0, 32_766];
    for _ in 0..5 {
        both.say(&mut link, STATION, REPORT);
        both.acknowledge(&mut link, CONTROL);
    }
    assert_eq!(link.next[STATION.index()], 3);
    both.expect(&[]);
}

#[test]
fn data_before_start_is_told_once() {
    let mut both = Stations::new();
    let mut link = Stations::connect(false);
    both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
    both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
    both.expect(&["data_before_start iec104.ns 0"]);

    let mut both = Stations::new();
    let mut link = Stations::connect(false);
    both.function(&mut link, CONTROL, STARTDT_ACT);
    both.say(&mut link, STATION, REPORT);
    both.function(&mut link, STATION, STARTDT_CON);
    both.expect(&["data_before_start iec104.ns 0"]);
}

#[test]
fn data_after_stop_is_before_the_next_start() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.function(&mut link, CONTROL, STOPDT_ACT);
    both.function(&mut link, STATION, STOPDT_CON);
    both.say(&mut link, STATION, REPORT);
    both.expect(&["data_before_start iec104.ns 0"]);
}

#[test]
fn who_could_not_know_of_the_stop_or_knew_of_the_start_before_us_is_right() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.function(&mut link, CONTROL, STOPDT_ACT);
    both.function(&mut link, STATION, STOPDT_CON);
    link.acknowledged = Acknowledged::Part;
    both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
    both.expect(&[]);

    let mut link = Stations::connect(false);
    both.function(&mut link, CONTROL, STARTDT_ACT);
    link.acknowledged = Acknowledged::Beyond;
    both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
    link.acknowledged = Acknowledged::All;
    both.function(&mut link, STATION, STARTDT_CON);
    both.expect(&[]);
}

#[test]
fn an_i_frame_that_is_missing_without_a_hole_is_told_once() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, STATION, REPORT);
    link.next[STATION.index()] += 1;
    both.say(&mut link, STATION, REPORT);
    both.say(&mut link, STATION, REPORT);
    both.acknowledge(&mut link, CONTROL);
    both.expect(&["ns_gap_no_tcp_loss iec104.ns 2"]);
}

#[test]
fn an_i_frame_that_is_missing_in_a_hole_is_nobodys_fault() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, STATION, REPORT);
    link.next[STATION.index()] += 3;
    both.miss(&mut link, STATION);
    both.acknowledge(&mut link, CONTROL);
    both.say(&mut link, STATION, REPORT);
    both.acknowledge(&mut link, CONTROL);
    both.expect(&[]);
}

#[test]
fn an_i_frame_that_comes_again_is_told_whether_it_is_the_same() {
    for (again, detail) in [(REPORT, "the same"), (&single(6, EXECUTE_ON), "other")] {
        let mut both = Stations::new();
        let mut link = both.start();
        both.say(&mut link, STATION, REPORT);
        both.number(&mut link, STATION, 0, 0, again);
        both.say(&mut link, STATION, REPORT);
        assert_eq!(both.told.anomalies[0], "ns_repeat iec104.ns 0", "{detail}");
        both.expect(&["ns_repeat iec104.ns 0"]);
    }
}

#[test]
fn a_number_that_is_far_off_is_told_once_even_if_it_goes_on_there() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, STATION, REPORT);
    both.number(&mut link, STATION, 9_000, 0, REPORT);
    both.say(&mut link, STATION, REPORT);
    both.expect(&["ns_out_of_window iec104.ns 9000"]);

    let mut both = Stations::new();
    let mut link = both.start();
    link.next[STATION.index()] = 9_000;
    for _ in 0..3 {
        both.say(&mut link, STATION, REPORT);
    }
    both.acknowledge(&mut link, CONTROL);
    both.expect(&["ns_out_of_window iec104.ns 9000"]);
}

#[test]
fn an_acknowledgment_of_what_was_never_sent_is_told() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, STATION, REPORT);
    both.supervise(&mut link, CONTROL, 5);
    both.supervise(&mut link, CONTROL, 1);
    both.expect(&["nr_out_of_window iec104.nr 5"]);
}

#[test]
fn an_acknowledgment_that_goes_back_is_told() {
    let mut both = Stations::new();
    let mut link = both.start();
    for _ in 0..3 {
        both.say(&mut link, STATION, REPORT);
    }
    both.supervise(&mut link, CONTROL, 3);
    both.supervise(&mut link, CONTROL, 2);
    both.supervise(&mut link, CONTROL, 3);
    both.expect(&["nr_out_of_window iec104.nr 2"]);
}

#[test]
fn an_acknowledgment_ahead_of_what_we_saw_waits_for_it() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, STATION, REPORT);
    link.acknowledged = Acknowledged::Beyond;
    both.supervise(&mut link, CONTROL, 3);
    link.acknowledged = Acknowledged::All;
    both.say(&mut link, STATION, REPORT);
    both.say(&mut link, STATION, REPORT);
    both.supervise(&mut link, CONTROL, 3);
    both.expect(&[]);

    link.acknowledged = Acknowledged::Beyond;
    both.supervise(&mut link, CONTROL, 9);
    link.acknowledged = Acknowledged::All;
    both.say(&mut link, STATION, REPORT);
    both.supervise(&mut link, CONTROL, 4);
    both.expect(&["nr_out_of_window iec104.nr 9"]);
}

#[test]
fn more_than_k_are_only_told_where_k_is_known() {
    for (settings, expected) in
        [(known(), &["k_exceeded iec104.ns 13"][..]), (Settings::default(), &[])]
    {
        let mut both = Stations::new();
        let mut link = Stations::connect_with(false, settings);
        both.function(&mut link, CONTROL, STARTDT_ACT);
        both.function(&mut link, STATION, STARTDT_CON);
        for _ in 0..14 {
            both.say(&mut link, STATION, REPORT);
        }
        both.expect(expected);
    }
}

#[test]
fn more_than_w_are_told_by_an_apdu_that_does_not_acknowledge_them() {
    let mut both = Stations::new();
    let mut link = Stations::connect_with(false, Settings { k: None, ..known() });
    both.function(&mut link, CONTROL, STARTDT_ACT);
    both.function(&mut link, STATION, STARTDT_CON);
    for _ in 0..9 {
        both.say(&mut link, STATION, REPORT);
    }
    // It may be on its way: that it was there is known from here on.
    both.supervise(&mut link, CONTROL, 0);
    both.expect(&[]);
    both.supervise(&mut link, CONTROL, 0);
    both.expect(&["w_exceeded iec104.nr 9"]);
    both.supervise(&mut link, CONTROL, 9);
    both.supervise(&mut link, CONTROL, 9);
    both.expect(&["w_exceeded iec104.nr 9"]);
}

#[test]
fn an_answer_after_t1_is_told_whatever_it_answers() {
    for function in [Some(TESTFR_ACT), None] {
        let mut both = Stations::new();
        let mut link = Stations::connect_with(false, Settings { t3: None, ..known() });
        both.function(&mut link, CONTROL, STARTDT_ACT);
        both.function(&mut link, STATION, STARTDT_CON);
        match function {
            Some(function) => both.function(&mut link, CONTROL, function),
            None => both.say(&mut link, STATION, REPORT),
        }
        link.pass(18);
        match function {
            Some(_) => both.function(&mut link, STATION, TESTFR_CON),
            None => both.acknowledge(&mut link, CONTROL),
        }
        link.pass(18);
        both.function(&mut link, CONTROL, TESTFR_ACT);
        both.expect(&["t1_timeout 18010"]);
    }
}

#[test]
fn a_link_that_nobody_tests_is_told_where_t3_is_known() {
    let mut both = Stations::new();
    let mut link = Stations::connect_with(false, known());
    both.function(&mut link, CONTROL, STARTDT_ACT);
    both.function(&mut link, STATION, STARTDT_CON);
    link.pass(60);
    both.function(&mut link, CONTROL, TESTFR_ACT);
    both.expect(&["t3_test_missing 60010"]);
    let mut link = both.start();
    link.pass(60);
    both.function(&mut link, CONTROL, TESTFR_ACT);
    both.expect(&["t3_test_missing 60010"]);
}

#[test]
fn a_second_start_is_told_and_data_goes_on() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.function(&mut link, CONTROL, STARTDT_ACT);
    both.say(&mut link, STATION, REPORT);
    both.function(&mut link, STATION, STARTDT_CON);
    both.say(&mut link, STATION, REPORT);
    both.expect(&["startdt_repeat iec104.function 7"]);
}

#[test]
fn a_start_from_both_ends_is_told() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.function(&mut link, STATION, STARTDT_ACT);
    both.expect(&["start_from_both iec104.function 7"]);
}

#[test]
fn a_stop_before_all_is_acknowledged_is_told() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, STATION, REPORT);
    both.function(&mut link, CONTROL, STOPDT_ACT);
    both.function(&mut link, STATION, STOPDT_CON);
    both.expect(&["stop_with_unacked iec104.function 1"]);
}

#[test]
fn a_standby_connection_and_one_that_was_joined_raise_nothing() {
    let mut both = Stations::new();
    let mut link = Stations::connect(false);
    for _ in 0..3 {
        both.function(&mut link, CONTROL, TESTFR_ACT);
        both.function(&mut link, STATION, TESTFR_CON);
        link.pass(20);
    }
    let mut link = Stations::connect(true);
    link.next = [700, 9];
    both.say(&mut link, STATION, &single(7, EXECUTE_ON));
    both.say(&mut link, STATION, &single(10, EXECUTE_ON));
    both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
    both.function(&mut link, CONTROL, STARTDT_ACT);
    both.expect(&[]);
}

// Who says what.

#[test]
fn what_only_the_other_station_says_is_told_once_it_is_sure_who_controls() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, CONTROL, REPORT);
    both.say(&mut link, STATION, &single(6, EXECUTE_ON));
    both.expect(&["direction iec104.cot 3", "direction iec104.cot 6"]);
    both.expect_commands(&[]);

    let mut both = Stations::new();
    let mut link = Stations::connect(true);
    both.say(&mut link, CONTROL, REPORT);
    both.expect(&[]);
    for _ in 0..4 {
        both.say(&mut link, STATION, REPORT);
    }
    both.say(&mut link, CONTROL, REPORT);
    both.expect(&["direction iec104.cot 3"]);
}

#[test]
fn a_station_that_is_said_to_control_too_may_say_anything() {
    let mut both = Stations::new();
    let mut link = Stations::connect_with(false, Settings { reverse: true, ..known() });
    both.function(&mut link, CONTROL, STARTDT_ACT);
    both.function(&mut link, STATION, STARTDT_CON);
    both.say(&mut link, CONTROL, REPORT);
    both.say(&mut link, STATION, &single(6, EXECUTE_ON));
    both.say(&mut link, CONTROL, &single(7, EXECUTE_ON));
    both.say(&mut link, CONTROL, &single(10, EXECUTE_ON));
    both.expect(&[]);
    both.expect_commands(&["C_SC_NA_1 10 5 execute execute_con termination: completed"]);
}

// Widths.

#[test]
fn a_station_of_an_old_profile_is_found_out_and_remembered() {
    // Cause 1, common address 1, object address 2; two objects tell how wide an address is.
    let narrow = |value: u8| [1, 2, 3, 10, 7, 0, value, 9, 0, 1];
    let mut both = Stations::new();
    let mut link = both.start();
    for value in [0, 1, 0, 1] {
        both.say(&mut link, STATION, &narrow(value));
    }
    let before = both.told.anomalies.len();
    assert!((1..=6).contains(&before), "{:?}", both.told.anomalies);
    both.say(&mut link, CONTROL, &[45, 1, 6, 10, 5, 0, EXECUTE_ON]);
    both.say(&mut link, STATION, &[45, 1, 7, 10, 5, 0, EXECUTE_ON]);
    both.say(&mut link, STATION, &narrow(1));
    both.end(&mut link);
    both.expect_commands(&["C_SC_NA_1 10 5 execute execute_con: completed"]);
    assert_eq!(both.told.anomalies.len(), before, "{:?}", both.told.anomalies);

    let mut link = both.start_again();
    both.say(&mut link, STATION, &narrow(1));
    assert_eq!(both.told.anomalies.len(), before, "{:?}", both.told.anomalies);
}

// Commands.

/// From the selection to the termination.
fn whole_life(both: &mut Stations, link: &mut Link) {
    both.say(link, CONTROL, &single(6, SELECT_ON));
    both.say(link, STATION, &single(7, SELECT_ON));
    both.say(link, CONTROL, &single(6, EXECUTE_ON));
    both.say(link, STATION, &single(7, EXECUTE_ON));
    both.say(link, STATION, &single(10, EXECUTE_ON));
}

const WHOLE_LIFE: &str =
    "C_SC_NA_1 10 5 select select_con execute execute_con termination: completed";

#[test]
fn a_command_is_told_once_with_all_its_steps() {
    let mut both = Stations::new();
    let mut link = both.start();
    whole_life(&mut both, &mut link);
    both.end(&mut link);
    both.expect(&[]);
    both.expect_commands(&[WHOLE_LIFE]);
}

#[test]
fn a_command_goes_on_over_another_connection() {
    let mut both = Stations::new();
    let mut link = both.start();
    let mut other = both.start();
    whole_life(&mut both, &mut other);
    both.say(&mut link, CONTROL, &single(6, SELECT_ON));
    both.end(&mut link);
    both.say(&mut other, STATION, &single(7, SELECT_ON));
    both.say(&mut other, CONTROL, &single(6, EXECUTE_ON));
    both.say(&mut other, STATION, &single(7, EXECUTE_ON));
    both.say(&mut other, STATION, &single(10, EXECUTE_ON));
    both.end(&mut other);
    both.expect(&[]);
    both.expect_commands(&[WHOLE_LIFE, WHOLE_LIFE]);
}

#[test]
fn what_is_open_at_the_end_of_the_last_connection_is_told_once_and_may_be_answered_later() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
    both.end(&mut link);
    both.expect_commands(&["C_SC_NA_1 10 5 execute: open"]);
    let mut link = both.start();
    both.say(&mut link, STATION, &single(7, EXECUTE_ON));
    both.say(&mut link, STATION, &single(10, EXECUTE_ON));
    both.end(&mut link);
    both.expect(&[]);
    both.expect_commands(&[
        "C_SC_NA_1 10 5 execute: open",
        "C_SC_NA_1 10 5 execute execute_con termination: completed",
    ]);
}

#[test]
fn an_execution_without_the_selection_that_the_point_always_had_is_told() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, CONTROL, &asdu(45, 6, 6, &[EXECUTE_ON]));
    both.say(&mut link, STATION, &asdu(45, 7, 6, &[EXECUTE_ON]));
    whole_life(&mut both, &mut link);
    both.say(&mut link, CONTROL, &asdu(45, 6, 6, &[EXECUTE_ON]));
    both.expect(&[]);
    both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
    both.expect(&["execute_without_select iec104.objects.value true"]);
}

#[test]
fn an_execution_that_differs_from_its_selection_is_told() {
    let mut both = Stations::new();
    let mut link = both.start();
    let value = |select: u8, value: u8| [value, 0, select];
    both.say(&mut link, CONTROL, &asdu(49, 6, 5, &value(0x80, 100)));
    both.say(&mut link, STATION, &asdu(49, 7, 5, &value(0x80, 100)));
    both.say(&mut link, CONTROL, &asdu(49, 6, 5, &value(0, 150)));
    both.say(&mut link, STATION, &asdu(49, 7, 5, &value(0, 150)));
    // lib60870 repeats the selection here.
    both.say(&mut link, STATION, &asdu(49, 10, 5, &value(0x80, 100)));
    both.expect(&["execute_differs_from_select iec104.objects.value 150"]);
}

#[test]
fn no_answer_in_time_is_told() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
    link.pass(31);
    both.function(&mut link, CONTROL, TESTFR_ACT);
    both.expect(&["unconfirmed iec104.command.ioa 5"]);
    both.expect_commands(&["C_SC_NA_1 10 5 execute: unconfirmed"]);
}

#[test]
fn an_answer_that_may_have_been_in_a_hole_is_not_missed() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
    both.miss(&mut link, STATION);
    link.pass(31);
    both.function(&mut link, CONTROL, TESTFR_ACT);
    link.pass(31);
    both.function(&mut link, CONTROL, TESTFR_ACT);
    both.expect(&[]);
    both.expect_commands(&["C_SC_NA_1 10 5 execute: unconfirmed"]);
}

#[test]
fn a_selection_that_nothing_follows_is_no_violation() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, CONTROL, &single(6, SELECT_ON));
    both.say(&mut link, STATION, &single(7, SELECT_ON));
    link.pass(61);
    both.function(&mut link, CONTROL, TESTFR_ACT);
    both.expect(&[]);
    both.expect_commands(&["C_SC_NA_1 10 5 select select_con: unexecuted"]);
}

#[test]
fn a_termination_is_missed_only_from_a_station_that_sends_them() {
    let mut both = Stations::new();
    let mut link = both.start();
    let direct = |both: &mut Stations, link: &mut Link| {
        both.say(link, CONTROL, &single(6, EXECUTE_ON));
        both.say(link, STATION, &single(7, EXECUTE_ON));
        link.pass(121);
        both.function(link, CONTROL, TESTFR_ACT);
    };
    direct(&mut both, &mut link);
    both.expect(&[]);
    // It is known now that it does not.
    both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
    both.say(&mut link, STATION, &single(7, EXECUTE_ON));
    both.expect_commands(&["C_SC_NA_1 10 5 execute execute_con: completed"; 2]);
    // It does after all.
    both.say(&mut link, STATION, &single(10, EXECUTE_ON));
    direct(&mut both, &mut link);
    both.expect(&["not_terminated iec104.command.ioa 5"]);
}

#[test]
fn an_answer_to_nothing_is_told() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, STATION, &single(7, EXECUTE_ON));
    both.expect(&["confirmation_without_command iec104.objects.value true"]);
}

#[test]
fn an_answer_that_says_something_else_is_told() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
    both.say(&mut link, STATION, &single(7, 0));
    both.expect(&["confirmation_differs iec104.objects.value false"]);
}

#[test]
fn a_refusal_may_be_followed_by_its_reason() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
    both.say(&mut link, STATION, &single(7 | NEGATIVE, EXECUTE_ON));
    both.say(&mut link, STATION, &single(0x2F | NEGATIVE, EXECUTE_ON));
    both.expect(&[]);
    both.expect_commands(&["C_SC_NA_1 10 5 execute execute_con: rejected"]);
}

#[test]
fn a_command_that_is_taken_back_is_over_with_the_confirmation_of_that() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, CONTROL, &single(6, SELECT_ON));
    both.say(&mut link, STATION, &single(7, SELECT_ON));
    both.say(&mut link, CONTROL, &single(8, SELECT_ON));
    both.say(&mut link, STATION, &single(9, SELECT_ON));
    both.expect(&[]);
    both.expect_commands(&[
        "C_SC_NA_1 10 5 select select_con deactivate deactivate_con: cancelled",
    ]);
}

#[test]
fn an_interrogation_tells_who_answered() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, CONTROL, &asdu(100, 6, 0, &[20]));
    both.say(&mut link, STATION, &asdu(100, 7, 0, &[20]));
    both.say(&mut link, STATION, &[1, 0x83, 20, 0, 10, 0, 5, 0, 0, 1, 1, 1]);
    both.say(&mut link, STATION, REPORT);
    both.say(&mut link, STATION, &asdu(100, 10, 0, &[20]));
    both.expect(&[]);
    both.expect_commands(&["C_IC_NA_1 10 0 execute execute_con termination: completed"]);
}

#[test]
fn a_command_to_all_has_a_life_for_each_that_answers() {
    let mut both = Stations::new();
    let mut link = both.start();
    let all = |cause: u8, station: u8, high: u8| [100, 1, cause, 0, station, high, 0, 0, 0, 20];
    both.say(&mut link, CONTROL, &all(6, 0xFF, 0xFF));
    for station in [10, 11] {
        both.say(&mut link, STATION, &all(7, station, 0));
    }
    for station in [11, 10] {
        both.say(&mut link, STATION, &all(10, station, 0));
    }
    link.pass(200);
    both.function(&mut link, CONTROL, TESTFR_ACT);
    both.expect(&[]);
    both.expect_commands(&[
        "C_IC_NA_1 11 0 execute execute_con termination: completed",
        "C_IC_NA_1 10 0 execute execute_con termination: completed",
    ]);
}

#[test]
fn set_points_may_overtake_their_confirmations() {
    let mut both = Stations::new();
    let mut link = both.start();
    let value = |value: u8| asdu(49, 6, 5, &[value, 0, 0]);
    let con = |value: u8| asdu(49, 7, 5, &[value, 0, 0]);
    both.say(&mut link, CONTROL, &value(1));
    both.say(&mut link, CONTROL, &value(2));
    for round in 3..20 {
        both.say(&mut link, CONTROL, &value(round));
        both.say(&mut link, STATION, &con(round - 2));
    }
    both.expect(&[]);
}

#[test]
fn the_order_of_the_directions_is_told_by_what_they_acknowledge() {
    // The confirmation of the selection is seen after the execution that followed it.
    let mut both = Stations::new();
    let mut link = both.start();
    both.number(&mut link, CONTROL, 0, 0, &single(6, SELECT_ON));
    both.number(&mut link, CONTROL, 1, 1, &single(6, EXECUTE_ON));
    both.number(&mut link, STATION, 0, 1, &single(7, SELECT_ON));
    both.number(&mut link, STATION, 1, 2, &single(7, EXECUTE_ON));
    both.number(&mut link, STATION, 2, 2, &single(10, EXECUTE_ON));
    both.expect_commands(&[
        "C_SC_NA_1 10 5 select execute select_con execute_con termination: completed",
    ]);
    let numbers = |told: &&String| told.starts_with("nr_out");
    assert!(both.told.anomalies.iter().all(|told| numbers(&told)), "{:?}", both.told.anomalies);
}

#[test]
fn an_answer_that_is_seen_before_its_command_waits_for_it() {
    let mut both = Stations::new();
    let mut link = both.start();
    link.acknowledged = Acknowledged::Beyond;
    both.number(&mut link, STATION, 0, 1, &single(7, EXECUTE_ON));
    link.acknowledged = Acknowledged::All;
    both.number(&mut link, CONTROL, 0, 0, &single(6, EXECUTE_ON));
    link.pass(200);
    both.function(&mut link, CONTROL, TESTFR_ACT);
    both.expect(&[]);
    both.expect_commands(&["C_SC_NA_1 10 5 execute execute_con: completed"]);
}

#[test]
fn an_object_that_is_seen_before_it_is_asked_for_answers_too() {
    let mut both = Stations::new();
    let mut link = both.start();
    link.acknowledged = Acknowledged::Beyond;
    both.number(&mut link, STATION, 0, 1, &asdu(1, 5, 7, &[1]));
    link.acknowledged = Acknowledged::All;
    both.number(&mut link, CONTROL, 0, 0, &asdu(102, 5, 7, &[]));
    both.expect(&[]);
    both.expect_commands(&["C_RD_NA_1 10 7 execute: completed"]);
}

#[test]
fn of_one_direction_alone_no_answer_is_missed() {
    let mut both = Stations::new();
    let mut link = both.start();
    link.acknowledged = Acknowledged::Beyond;
    for _ in 0..3 {
        both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
        link.pass(60);
    }
    both.end(&mut link);
    both.expect(&[]);
    both.expect_commands(&["C_SC_NA_1 10 5 execute: open"; 3]);
}

#[test]
fn an_answer_too_late_is_told_as_that_alone() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
    link.pass(45);
    both.say(&mut link, STATION, &single(7, EXECUTE_ON));
    both.expect(&["unconfirmed iec104.command.ioa 5"]);
}

#[test]
fn a_second_confirmation_is_told() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, CONTROL, &single(6, EXECUTE_ON));
    both.say(&mut link, STATION, &single(7, EXECUTE_ON));
    both.say(&mut link, STATION, &single(7, EXECUTE_ON));
    both.expect(&["confirmation_without_command iec104.objects.value true"]);
}

#[test]
fn an_execution_that_was_in_a_hole_is_nobodys_fault() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, CONTROL, &single(6, SELECT_ON));
    both.say(&mut link, STATION, &single(7, SELECT_ON));
    both.miss(&mut link, CONTROL);
    link.next[CONTROL.index()] += 1;
    both.say(&mut link, STATION, &single(7, EXECUTE_ON));
    both.say(&mut link, STATION, &single(10, EXECUTE_ON));
    both.expect(&[]);
    both.expect_commands(&["C_SC_NA_1 10 5 select select_con execute_con termination: completed"]);
}

#[test]
fn an_answer_that_was_in_a_hole_does_not_make_the_link_late() {
    let mut both = Stations::new();
    let mut link = Stations::connect_with(false, known());
    both.function(&mut link, CONTROL, STARTDT_ACT);
    both.function(&mut link, STATION, STARTDT_CON);
    both.function(&mut link, CONTROL, TESTFR_ACT);
    link.pass(18);
    link.acknowledged = Acknowledged::Beyond;
    both.function(&mut link, CONTROL, TESTFR_ACT);
    both.expect(&[]);
}

#[test]
fn what_came_earlier_has_no_time_of_its_own() {
    let mut both = Stations::new();
    let mut link = both.start();
    link.late = true;
    both.say(&mut link, CONTROL, &tagged(58, 6, 9, 55));
    both.expect(&[]);
}

#[test]
fn what_there_was_no_room_for_accuses_nobody() {
    let mut both = Stations::new();
    let mut link = both.start();
    let command = |object: u16, cause| {
        let [low, high] = object.to_le_bytes();
        [45, 1, cause, 0, 10, 0, low, high, 1, EXECUTE_ON]
    };
    for object in 0..1_000 {
        both.say(&mut link, CONTROL, &command(object, 6));
    }
    for object in 0..1_000 {
        both.say(&mut link, STATION, &command(object, 7));
    }
    both.expect(&[]);
}

#[test]
fn a_read_is_over_with_the_object() {
    let mut both = Stations::new();
    let mut link = both.start();
    both.say(&mut link, CONTROL, &asdu(102, 5, 7, &[]));
    both.say(&mut link, STATION, &asdu(1, 5, 7, &[1]));
    both.expect(&[]);
    both.expect_commands(&["C_RD_NA_1 10 7 execute: completed"]);
}

#[test]
fn what_is_commanded_at_once_is_bounded() {
    let mut both = Stations::new();
    let mut link = both.start();
    for object in 0..1_000_u16 {
        let [low, high] = object.to_le_bytes();
        both.say(&mut link, CONTROL, &[45, 1, 6, 0, 10, 0, low, high, 1, EXECUTE_ON]);
        both.acknowledge(&mut link, STATION);
    }
    assert_eq!(both.told.commands.len(), 1_000 - 256);
    both.end(&mut link);
    assert_eq!(both.told.commands.len(), 1_000);
}

// Time tags.

/// C_SC_TA_1 or M_SP_TB_1 with a time of 2026-11-23 at this hour and minute.
fn tagged(type_id: u8, cause: u8, hour: u8, minute: u8) -> Vec<u8> {
    asdu(type_id, cause, 5, &[1, 0, 0, minute, hour, 23, 11, 26])
}

#[test]
fn a_time_that_cannot_be_now_is_told_of_commands_in_any_time_zone() {
    let settings = |time_zone| Settings { time_zone, ..Settings::default() };
    let skewed = |minutes: i64| vec![format!("time_skew iec104.objects.time {}", minutes * 60)];
    for (settings, type_id, cause, hour, minute, expected) in [
        (settings(None), 58, 6, 10, 0, vec![]),
        (settings(None), 58, 6, 13, 45, vec![]),
        (settings(None), 58, 6, 10, 5, skewed(5)),
        (settings(None), 58, 6, 9, 55, skewed(-5)),
        (settings(None), 58, 7, 9, 55, vec![]),
        (settings(Some(60)), 58, 6, 11, 0, vec![]),
        (settings(Some(60)), 58, 6, 10, 0, skewed(-60)),
        (settings(None), 30, 3, 2, 7, vec![]),
        (settings(Some(0)), 30, 3, 2, 7, vec![]),
        (settings(Some(0)), 30, 3, 10, 7, skewed(7)),
    ] {
        let mut both = Stations::new();
        let mut link = Stations::connect_with(true, settings);
        link.time = link.time - Duration::from_millis(10);
        let direction = if cause == 6 { CONTROL } else { STATION };
        both.say(&mut link, direction, &tagged(type_id, cause, hour, minute));
        assert_eq!(both.told.anomalies, expected, "type {type_id} cause {cause} {hour}:{minute}");
    }
}
