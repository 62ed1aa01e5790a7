//! Commands and their answers.

use super::*;

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
