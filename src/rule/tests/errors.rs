//! Every mistake is told, at its place, with the nearest right name.

use super::fake::{load, mistakes, rule};
use super::*;

fn item(item: &str) -> String {
    format!("  s: {{{item}}}\n  condition: s")
}

#[test]
fn mistakes_in_fields_and_values() {
    for (detection, message) in [
        (
            "thing.caus: activation",
            "`thing` records have no field `thing.caus` (did you mean `thing.cause`?)",
        ),
        (
            "thing.ioa: 1",
            "`thing` records have no field `thing.ioa` (it is a field of `service: thing_object`)",
        ),
        (
            "thing.objects|topic: a/#",
            "`thing` records have no field `thing.objects` (it is a list; its members have `thing.objects.ioa`, `thing.objects.value`)",
        ),
        (
            "thing.cause: activaton",
            "`thing.cause` is never `activaton` (did you mean `activation`?)",
        ),
        ("thing.cause: 99", "`thing.cause` has no name for 99"),
        ("thing.cause: off", "`off` without quotes is a boolean to many tools (write 'off')"),
        (
            "thing.cause|gt: 2",
            "`thing.cause` is one of a set of names: this comparison means nothing (names have no order; write the names, or use the field with the number)",
        ),
        (
            "thing.ca: many",
            "`thing.ca` is a whole number, and this is text (a whole number stands here)",
        ),
        (
            "thing.ca: 1.5",
            "`thing.ca` is a whole number, and this is a fraction (a whole number stands here)",
        ),
        (
            "thing.ca|contains: 1",
            "`thing.ca` is a number: this comparison means nothing (numbers have `lt`, `lte`, `gt` and `gte`)",
        ),
        (
            "thing.ca|hour: 1",
            "`thing.ca` is a number: this comparison means nothing (numbers have `lt`, `lte`, `gt` and `gte`)",
        ),
        ("thing.time|hour: 24", "this part of `thing.time` is never 24 (it is 0 to 23)"),
        (
            "thing.time|hour: night",
            "`thing.time` is compared by a number, and this is text (a whole number stands here)",
        ),
        (
            "thing.topic|fieldref: thing.ca",
            "`thing.topic` and `thing.ca` are never alike (text is compared with text, numbers with numbers, flags with flags, moments with moments)",
        ),
        (
            "thing.topic|fieldref: thing.detial",
            "`thing` records have no field `thing.detial` (did you mean `thing.detail`?)",
        ),
        ("thing.topic|fieldref: 5", "`fieldref` is with the name of a field, not a number"),
        (
            "thing.topic|fieldref: thing.tags",
            "`thing.tags` may have several values: none is compared",
        ),
        (
            "thing.ca|fieldref: thing.objects.ioa",
            "`thing.objects.ioa` may have several values: none is compared (use `service: thing_object`: one record for each member)",
        ),
        (
            "thing.json.a|fieldref: thing.topic",
            "`thing.json.a` may have several values: none is compared",
        ),
        (
            "thing.ca|fieldref|contains: thing.ca",
            "`thing.ca` is no text: this comparison means nothing",
        ),
        (
            "thing.cause|base64: activation",
            "`thing.cause` is one of a set of names: it is never in Base64",
        ),
        ("thing.topic|base64: 5", "only text is encoded (write '5')"),
        (
            "thing.topic|base64: 'a*'",
            "what is encoded has no wildcards (`\\*` and `\\?` are the characters)",
        ),
        ("thing.topic|base64offset|contains: a", "too short: it is found in every text"),
        (
            "thing.topic|windash: -a",
            "`windash` is not supported (there are no command lines on the wire)",
        ),
        ("thing.ca|cased: 1", "`thing.ca` is a number: case means nothing"),
        ("thing.ca|all: [1, 2]", "`thing.ca` has one value: it is never all of these"),
        ("thing.ca|gt: 5, thing.ca|lt: 3", "`thing.ca` never meets all that is asked of it here"),
        (
            "thing.peer: 10.0.0.1, thing.peer|cidr: 10.1.0.0/16",
            "`thing.peer` never meets all that is asked of it here",
        ),
        (
            "thing.peer|cidr|all: [10.0.0.0/16, 10.1.0.0/16]",
            "`thing.peer` has one value: it is never all of these",
        ),
        ("'': 5", "a field has a name (for a word anywhere in the record, write it without a key)"),
        (
            "thing.negative: 1",
            "`thing.negative` is a flag, and this is a number (`true` or `false` stands here)",
        ),
        (
            "thing.value: .nan",
            "`thing.value` is a number, and this is no number (a number stands here)",
        ),
        ("thing.peer: 10.0.0.300", "`10.0.0.300` is no address (as in 10.20.0.10 or 2001:db8::1)"),
        (
            "thing.peer: '10.0.*'",
            "`10.0.*` is no address (addresses have no wildcards: write a network, and `cidr` behind the field)",
        ),
        ("thing.peer: 10.0.0.0/8", "`10.0.0.0/8` is a network (write `thing.peer|cidr`)"),
        (
            "thing.peer|cidr: 10.0.0.1/8",
            "`10.0.0.1/8` has bits beyond its prefix (the network is 10.0.0.0/8)",
        ),
        (
            "thing.peer|startswith: '10.'",
            "`thing.peer` is an address: this comparison means nothing (compare it with an address, or with a network by `cidr`)",
        ),
        (
            "thing.time|lt: yesterday",
            "`yesterday` is no moment (as in 2026-11-30T06:30:00Z, 2026-11-30T07:30:00.5+01:00 or 2026-11-30)",
        ),
        (
            "thing.time|gt: 1795900000",
            "`1795900000` is no moment (as in 2026-11-30T06:30:00Z, 2026-11-30T07:30:00.5+01:00 or 2026-11-30)",
        ),
        (
            "thing.time|gt: '2026-02-30'",
            "`2026-02-30` is no moment (as in 2026-11-30T06:30:00Z, 2026-11-30T07:30:00.5+01:00 or 2026-11-30)",
        ),
        (
            "thing.time|gt: 1969-12-31T23:59:59Z",
            "`thing.time` is never near 1969-12-31T23:59:59Z (moments are from 1970 to 2554)",
        ),
        (
            "thing.time: 2026-11-30T06:30:00.0000001Z",
            "`2026-11-30T06:30:00.0000001Z` is too fine (records have microseconds)",
        ),
        (
            "thing.time|contains: '2026'",
            "`thing.time` is a moment: this comparison means nothing (moments have `lt`, `lte`, `gt` and `gte`, and `minute`, `hour`, `day`, `week`, `month` and `year`)",
        ),
        ("thing.topic|exists: yes", "`exists` is `true` or `false`"),
        ("thing.topic: true", "`true` without quotes is a boolean to many tools (write 'true')"),
        ("thing.topic|contains: null", "nothing to compare with: a plain `null` asks for absence"),
        ("thing.topic: {a: b}", "a field is compared with plain values, not with a map"),
        ("thing.topic: []", "no values to compare with"),
        ("thing.topic|re: '('", "the regular expression cannot be used: unclosed group"),
        (
            "thing.topic|re: '(?=x)'",
            "the regular expression cannot be used: look-around, including look-ahead and look-behind, is not supported",
        ),
        ("thing.topic|re: '(\\w{50}){50}{50}'", "the regular expression takes too much memory"),
        ("thing.topic|expand: plain", "there is no placeholder in this value (as in '%masters%')"),
        (
            "thing.topic|topic: 'a+/b'",
            "`a+/b` is no topic filter (`+` stands alone in its level, as in `a/+/b`)",
        ),
        (
            "thing.topic|topic: [a, 'a/#/b']",
            "`a/#/b` is no topic filter (`#` stands alone in the last level, as in `a/#`)",
        ),
        ("thing.tags|topic: ''", "`` is no topic filter (it is empty)"),
        (
            "thing.tags|topic: $share/g",
            "`$share/g` is no topic filter (a share has a name without wildcards and a filter, as in `$share/name/a/#`)",
        ),
        ("thing.topic|topic: \"a\\0\"", "`a\0` is no topic filter (topics have no U+0000)"),
        (
            "thing.topic|topic: null",
            "there is no topic filter here (for YAML, `#` begins a comment: write '#')",
        ),
        (
            "thing.topic|topic: true",
            "`true` without quotes is a boolean to many tools (write 'true')",
        ),
        (
            "thing.detail|topic: a/#",
            "`thing.detail` is no topic: `topic` means nothing (topics are `thing.topic`, `thing.tags`)",
        ),
        (
            "src_ip|topic: a/#",
            "`src_ip` is no topic: `topic` means nothing (topics are `thing.topic`, `thing.tags`)",
        ),
        (
            "thing.topic|gt: a",
            "`thing.topic` is a topic: this comparison means nothing (topics have `topic`, and `contains`, `startswith`, `endswith` and `re`)",
        ),
        (
            "thing.json: 1",
            "`thing.json` is a document, not a field (name a path in it, as in `thing.json.meter.voltage`)",
        ),
        ("thing.json.a..b: 1", "`thing.json.a..b` leads nowhere (a step of the path is empty)"),
        (
            "'thing.json.a[x]': 1",
            "`thing.json.a[x]` leads nowhere (`[` begins an index, as in `phases[0].voltage`)",
        ),
        (
            "thing.jsn.a: 1",
            "`thing` records have no field `thing.jsn.a` (did you mean `thing.json.a`?)",
        ),
        (
            "thing.json.a|cidr: 10.0.0.0/8",
            "`thing.json.a` is in a document: this comparison means nothing (compare it as text or as a number)",
        ),
        (
            "thing.json.a|topic: a/#",
            "`thing.json.a` is no topic: `topic` means nothing (topics are `thing.topic`, `thing.tags`)",
        ),
        (
            "thing.json.a|gt: many",
            "`thing.json.a` is a number, and this is text (a number stands here)",
        ),
        ("thing.topic|contians: x", "there is no modifier `contians` (did you mean `contains`?)"),
        (
            "thing.objects.ioa: 1, thing.objects.value: 2",
            "`thing.objects.ioa` and `thing.objects.value` could be met by two different members of the list (use `service: thing_object`: one record for each member)",
        ),
        (
            "thing.objects.ioa|gt: 1, thing.objects.ioa|lt: 3",
            "two conditions on `thing.objects.ioa` could be met by two different members of the list (use `service: thing_object`: one record for each member)",
        ),
    ] {
        assert_eq!(mistakes(&item(detection)), [message], "{detection}");
    }
}

#[test]
fn numbers_beyond_what_a_field_can_be() {
    const WORD: &str = "-9223372036854775808 to 9223372036854775807";
    for (detection, message) in [
        ("thing.type_id: 300", "`thing.type_id` is never 300 (it is 0 to 255)"),
        ("thing.type_id: [1, '256']", "`thing.type_id` is never 256 (it is 0 to 255)"),
        ("thing.type_id|neq: -1", "`thing.type_id` is never -1 (it is 0 to 255)"),
        ("thing.type_id: 1e20", "`thing.type_id` is never 1e20 (it is 0 to 255)"),
        ("thing.type_id|gt: 255", "`thing.type_id` is never above 255 (it is 0 to 255)"),
        ("thing.type_id|gte: 255.5", "`thing.type_id` is never at least 255.5 (it is 0 to 255)"),
        ("thing.type_id|lt: 0", "`thing.type_id` is never below 0 (it is 0 to 255)"),
        ("thing.type_id|lt: 256", "`thing.type_id` is always below 256 (it is 0 to 255)"),
        ("thing.type_id|gt: -0.5", "`thing.type_id` is always above -0.5 (it is 0 to 255)"),
        (
            "thing.ca: 9223372036854775808",
            &format!("`thing.ca` is never 9223372036854775808 (it is {WORD})"),
        ),
        (
            "thing.ca: '-99999999999999999999'",
            &format!("`thing.ca` is never -99999999999999999999 (it is {WORD})"),
        ),
        (
            "thing.ca: 0x10000000000000000",
            &format!("`thing.ca` is never 0x10000000000000000 (it is {WORD})"),
        ),
        ("thing.ca|gte: 1e30", &format!("`thing.ca` is never at least 1e30 (it is {WORD})")),
        ("thing.ca|lt: 1e30", &format!("`thing.ca` is always below 1e30 (it is {WORD})")),
        (
            "thing.value: 9007199254740993",
            "`thing.value` cannot tell 9007199254740993 from its neighbours (whole numbers are exact from -9007199254740992 to 9007199254740992)",
        ),
        (
            "thing.value|gt: -99999999999999999999",
            "`thing.value` cannot tell -99999999999999999999 from its neighbours (whole numbers are exact from -9007199254740992 to 9007199254740992)",
        ),
        (
            "thing.value|lt: -1e400",
            "no number is as far from zero as -1e400 (the farthest is 1.7976931348623157e308)",
        ),
        (
            "thing.json.a|gt: 1e400",
            "no number is as far from zero as 1e400 (the farthest is 1.7976931348623157e308)",
        ),
    ] {
        assert_eq!(mistakes(&item(detection)), [message], "{detection}");
    }
    for right in [
        "thing.type_id: [0, 255]",
        "thing.type_id|gte: 0",
        "thing.type_id|lt: 0.5",
        "thing.ca: [-9223372036854775808, 9223372036854775807]",
        "thing.value: [1e30, -9007199254740992, .inf]",
    ] {
        assert_eq!(mistakes(&item(right)), Vec::<String>::new(), "{right}");
    }
}

#[test]
fn mistakes_in_selections() {
    for (detection, message) in [
        ("  s: {thing.ca: 1}", "`detection` has no `condition`"),
        ("  s: {}\n  condition: s", "the selection is empty"),
        ("  s: []\n  condition: s", "the selection is empty"),
        ("  s:\n  condition: s", "the selection is empty"),
        ("  s: [[a]]\n  condition: s", "a list in a list means nothing"),
        (
            "  s: {thing.ca: 1}\n  t: {thing.ca: 2}\n  condition: s",
            "the selection `t` is not used in the condition",
        ),
        ("  s: {thing.ca: 1}\n  condition: [s]", "`condition` is text, and this is a list"),
        (
            "  s: {thing.ca: 1}\n  timeframe: 5m\n  condition: s",
            "`timeframe` is no part of a detection any more (write a correlation rule)",
        ),
        ("  s: {thing.ca: 1, thing.ca: 2}\n  condition: s", "the key `thing.ca` stands here twice"),
    ] {
        assert_eq!(mistakes(detection), [message], "{detection}");
    }
}

#[test]
fn mistakes_in_the_head() {
    let right = rule(1, &item("thing.ca: 1")).text;
    for (from, to, message) in [
        ("title: Rule 1\n", "", "the rule has no `title`"),
        ("title: Rule 1", "title: ''", "the title is empty"),
        (
            "title: Rule 1",
            r#"title: "\e]0;gone\a""#,
            "`title` has the control character U+001B in it",
        ),
        ("title: Rule 1", "title: a\u{202E}b", "`title` has the control character U+202E in it"),
        ("title: Rule 1", r#"title: "a\nb""#, "the title is one line, without tabs"),
        (
            "title: Rule 1",
            r#"title: x
falsepositives: [fine, "a\x9bb"]"#,
            "`an entry of this list` has the control character U+009B in it",
        ),
        ("title: Rule 1", "titel: Rule 1\ntitle: x", "there is no key `titel` in a Sigma rule"),
        ("title: Rule 1", "title: x\nstatus: stabel", "there is no status `stabel`"),
        ("title: Rule 1", "title: x\nlevel: severe", "there is no level `severe`"),
        ("title: Rule 1", "title: x\ndate: 2026/11/23", "`2026/11/23` is no date"),
        ("title: Rule 1", "title: x\ndate: 2026-02-30", "`2026-02-30` is no date"),
        ("title: Rule 1", "title: x\ntags: [T0855]", "`T0855` is no tag"),
        (
            "title: Rule 1",
            "title: x\nexamples: [{capture: x, alerts: -1}]",
            "an example is `{capture: FILE, alerts: NUMBER}`",
        ),
        (
            "title: Rule 1",
            "title: x\nexamples: [{capture: x, alerts: 1, placeholders: [a]}]",
            "`placeholders` is a map of names and lists: `{masters: [10.0.0.1]}`",
        ),
        (
            "title: Rule 1",
            "title: x\nexamples: [{capture: x, alerts: 1, placeholders: {masters: [10.0.0.1]}}]",
            "the rule has no placeholder `%masters%`",
        ),
        ("title: Rule 1", "title: x\naction: global", "`action` went out of Sigma with version 2"),
        ("8000-0", "8000-x", "`00000000-0000-4000-8000-x00000000001` is no UUID"),
        ("product: gridtap", "product: windows", "the rule is not about gridtap's records"),
        ("service: thing", "service: thin", "there is no service `thin`"),
        (", service: thing", "", "`logsource` has no `service`"),
    ] {
        let text = right.replace(from, to);
        assert_ne!(text, right);
        let found = load(&[Source { name: "a.yml".to_owned(), text }]).expect_err(message);
        let messages: Vec<_> = found.iter().map(|found| found.message.as_str()).collect();
        assert_eq!(messages, [message], "{found:?}");
    }
}

#[test]
fn all_mistakes_of_all_files_at_once() {
    let one =
        rule(1, "  s: {thing.caa: 1, thing.topc: x}\n  t: {thing.ca|gtt: 1}\n  condition: s and u");
    // The same identity, too.
    let two = rule(1, &item("thing.ca: x"));
    let found = load(&[one, two]).expect_err("wrong");
    let places: Vec<_> =
        found.iter().map(|found| (found.file.as_str(), found.line, found.column)).collect();
    assert_eq!(
        places,
        [
            ("rules/1.yml", 5, 7),
            ("rules/1.yml", 5, 21),
            ("rules/1.yml", 6, 16),
            ("rules/1.yml", 7, 20),
            ("rules/1.yml", 2, 5),
            ("rules/1.yml", 5, 17),
        ]
    );
}

/// What is wrong in these documents, by line.
fn told(sources: &[Source]) -> Vec<String> {
    let found = load(sources).err().unwrap_or_default();
    found.iter().map(|found| format!("{}: {}", found.line, found.message)).collect()
}

#[test]
fn one_mistake_in_a_correlation_hides_no_other() {
    let right = rule(1, &item("thing.ca: 1"));
    let correlation = |number: u32, rules: &str, more: &str| Source {
        name: format!("rules/c{number}.yml"),
        text: format!(
            "title: C {number}\nid: 00000000-0000-4000-9000-{number:012}\ncorrelation:\n  rules: {rules}\n{more}"
        ),
    };
    let known = "00000000-0000-4000-8000-000000000001";
    let broken = correlation(
        1,
        &format!("[{known}, nobody]"),
        "  type: value_count\n  timespan: 5x\n  group-by: [thing.caa]\n  \
         condition: {field: thing.topc, gte: many}\n  aliases: {}\n",
    );
    assert_eq!(
        told(&[right.clone(), broken.clone()]),
        [
            "4: there is no rule `nobody`",
            "6: `5x` is no timespan",
            &*format!("7: records of `{known}` have no field `thing.caa`"),
            &*format!("8: records of `{known}` have no field `thing.topc`"),
            "8: `gte` is a whole number",
        ]
    );
    // What is of it is not told of its mistakes, nor that it goes round in circles.
    let of_it = correlation(
        2,
        "[00000000-0000-4000-9000-000000000001]",
        "  type: event_count\n  timespan: 5m\n  condition: {gte: 5, lt: 3}\n",
    );
    assert_eq!(told(&[right, broken, of_it])[5..], ["7: no number is within all of these bounds"]);
    let wrong = rule(3, &item("thing.ca: 1"));
    let wrong = Source { text: wrong.text.replace("service: thing", "service: thin"), ..wrong };
    let of_wrong = correlation(
        3,
        "[00000000-0000-4000-8000-000000000003]",
        "  type: event_count\n  timespan: 5m\n  condition: {gte: 5}\n",
    );
    assert_eq!(told(&[wrong, of_wrong]), ["3: there is no service `thin`"]);
}

#[test]
fn a_filter_of_no_rule_is_looked_at_all_the_same() {
    for service in ["{product: gridtap, service: thing}", "{product: gridtap}"] {
        let text = format!(
            "title: A filter\nid: 00000000-0000-4000-a000-000000000001\nlogsource: {service}\nfilter:\n  \
             rules: [nobody]\n  selection: {{thing.ca: x, thing.topc: y}}\n  condition: not selection\n"
        );
        let filter = Source { name: "rules/filter.yml".to_owned(), text };
        assert_eq!(
            told(&[filter]),
            [
                "5: there is no rule `nobody`",
                "6: `thing.ca` is a whole number, and this is text",
                "6: `thing` records have no field `thing.topc`",
            ]
        );
    }
}

#[test]
fn identities_are_unique() {
    let (one, two) = (rule(1, &item("thing.ca: 1")), rule(1, &item("thing.ca: 2")));
    let two = Source { name: "other.yml".to_owned(), ..two };
    let found = load(&[one, two]).expect_err("twice");
    assert_eq!(found[0].to_string(), "other.yml:2:5: another rule in rules/1.yml has this id");
}

#[test]
fn a_mistake_is_drawn_with_its_line() {
    let found = load(&[rule(1, &item("thing.caus: activation"))]).expect_err("wrong");
    let drawn = found[0].render(false);
    assert!(drawn.contains("rules/1.yml:5:7"), "{drawn}");
    assert!(drawn.contains("s: {thing.caus: activation}"), "{drawn}");
    assert!(drawn.contains("^^^^^^^^^^"), "{drawn}");
    assert!(drawn.contains("help: did you mean `thing.cause`?"), "{drawn}");
}

#[test]
fn no_text_panics() {
    let right =
        rule(1, "  s: {thing.topic|re|i: 'a', thing.ca|gte: 1}\n  condition: 1 of s* and not s")
            .text;
    for cut in 0..right.len() {
        let text = right[..cut].to_owned();
        _ = load(&[Source { name: String::new(), text }]);
        let mut bytes = right.clone().into_bytes();
        bytes[cut] = b"{}[]:|*&!%\n"[cut % 11];
        let text = String::from_utf8_lossy(&bytes).into_owned();
        _ = load(&[Source { name: String::new(), text }]);
    }
}

#[test]
fn mistakes_in_the_placeholders_of_an_example() {
    let head = rule(1, &item("thing.peer|expand: '%masters%'")).text;
    let told = |placeholders: &str| {
        let examples =
            format!("examples: [{{capture: x, alerts: 1, placeholders: {placeholders}}}]");
        let text = format!("{head}\n{examples}\n");
        let found = load(&[Source { name: "x.yml".to_owned(), text }]);
        let found = found.err().unwrap_or_default();
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let line = head.lines().count() + 2;
    assert_eq!(told("{masters: [10.0.0.1, 10.0.0.2]}"), Vec::<String>::new());
    for (placeholders, column, message) in [
        (
            "{mastres: [10.0.0.1]}",
            51,
            "the rule has no placeholder `%mastres%` (did you mean `masters`?)",
        ),
        ("{masters: []}", 60, "a placeholder without a value"),
        ("{masters: 10.0.0.1}", 60, "a list stands here, not text"),
        ("{masters: [{}]}", 61, "`an entry of this list` is text, and this is a map"),
    ] {
        assert_eq!(told(placeholders), [format!("x.yml:{line}:{column}: {message}")]);
    }
}
