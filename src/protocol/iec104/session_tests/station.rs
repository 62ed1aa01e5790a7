//! Who controls, how wide fields are, what time it is.

use super::*;

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

#[test]
fn what_came_earlier_has_no_time_of_its_own() {
    let mut both = Stations::new();
    let mut link = both.start();
    link.late = true;
    both.say(&mut link, CONTROL, &tagged(58, 6, 9, 55));
    both.expect(&[]);
}
