//! Numbers, start and stop, timers.

use super::*;

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
