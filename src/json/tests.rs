//! Against a walk over the tree that serde_json makes of a document.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// What a path leads to, in order; an object or an array is null, which is nothing itself.
fn found(document: &str, paths: &[&str]) -> Vec<(usize, Value)> {
    let mut all = Paths::default();
    for path in paths {
        all.add(&path.parse().unwrap());
    }
    let mut values = Values::default();
    values.read(document.as_bytes(), &all);
    let mut found = Vec::new();
    values.each(|path, value| {
        let value = match value {
            Some(Scalar::Flag(flag)) => json!(flag),
            Some(Scalar::Integer(number)) => json!(number),
            Some(Scalar::Number(number)) => json!(number),
            Some(Scalar::Text(text)) => json!(text),
            None => Value::Null,
        };
        found.push((path, value));
    });
    found
}

#[test]
fn paths_lead_to_values() {
    const METER: &str = r#"{"seq": 7, "u": [230.1, 229.8], "on": true, "note": "a\"b", "none": null,
        "phases": [{"i": 1}, {"i": 2.5, "x": [9]}], "big": 18446744073709551615, "0": "zero"}"#;
    for (path, expected) in [
        ("seq", json!([7])),
        ("u", json!([null, 230.1, 229.8])),
        ("u[1]", json!([229.8])),
        ("u.1", json!([229.8])),
        ("u[2]", json!([])),
        ("on", json!([true])),
        ("note", json!(["a\"b"])),
        ("none", json!([])),
        ("phases", json!([null, null, null])),
        ("phases.i", json!([1, 2.5])),
        ("phases[1].i", json!([2.5])),
        ("phases.1.x[0]", json!([9])),
        ("phases[0].x", json!([])),
        ("seq.deeper", json!([])),
        ("SEQ", json!([])),
        ("big", json!([18_446_744_073_709_551_615_f64])),
        ("0", json!(["zero"])),
        ("[0]", json!([])),
    ] {
        let values: Vec<_> = found(METER, &[path]).into_iter().map(|(_, value)| value).collect();
        assert_eq!(json!(values), expected, "{path}");
    }
    assert_eq!(found("[[1, 2], 3]", &["[0]"]), [(0, Value::Null), (0, json!(1)), (0, json!(2))]);
    assert_eq!(found("[[1, 2]]", &["[1]"]), []);
}

/// A key that is a number leads on in two ways through each array; a value is one all the same.
#[test]
fn a_value_that_several_ways_lead_to_is_found_once() {
    let path = ["0"; 20].join(".");
    let document = "{\"0\":[[[".repeat(10) + "{\"0\": 1}" + &"]]]}".repeat(10);
    let values = found(&document, &[&path]);
    assert_eq!(values.iter().filter(|(_, value)| *value == json!(1)).count(), 1);
    assert!(values.len() <= 100, "{} values", values.len());
    assert_eq!(found("[[{\"0\": 7}]]", &["0.0"]), [(0, Value::Null), (0, json!(7))]);
}

#[test]
fn a_key_that_stands_twice_counts_twice() {
    assert_eq!(found(r#"{"a": 1, "a": 2}"#, &["a"]), [(0, json!(1)), (0, json!(2))]);
}

#[test]
fn of_what_is_no_json_nothing_is_found() {
    for document in ["", "a", r#"{"a": 1"#, r#"{"a": 1}}"#, r#"{"a": 1, "b": 01}"#, r#"{"a": 1} x"#]
    {
        assert_eq!(found(document, &["a"]), [], "{document}");
    }
    let mut paths = Paths::default();
    paths.add(&"a".parse().unwrap());
    let mut values = Values::default();
    values.read(b"{\"a\": 1, \"b\": \"\xff\"}", &paths);
    values.each(|path, value| panic!("{path} {value:?}"));
}

/// One path never changes what another finds.
#[test]
fn what_cannot_be_told_is_that_value_alone() {
    let largest = json!(f64::MAX);
    for (odd, expected) in [
        ("1e400", &largest),
        ("123456789e999999999999", &largest),
        ("-1e400", &json!(f64::MIN)),
        ("1e-400", &json!(0.0)),
        (r#""\ud800""#, &json!("\u{fffd}")),
        (r#""x\uDC00\ud83d\ude00\ud83dy""#, &json!("x\u{fffd}\u{1f600}\u{fffd}y")),
        (r#""\ud83d\u0041\ud800\ud83d\ude00""#, &json!("\u{fffd}A\u{fffd}\u{1f600}")),
    ] {
        for document in [format!(r#"{{"a":1,"b":{odd}}}"#), format!(r#"{{"b":{odd},"a":1}}"#)] {
            assert_eq!(found(&document, &["a"]), [(0, json!(1))], "{document}");
            let both = found(&document, &["a", "b"]);
            assert_eq!(both.len(), 2, "{document}");
            assert!(
                both.contains(&(0, json!(1))) && both.contains(&(1, expected.clone())),
                "{both:?}"
            );
            let excerpt: Value =
                serde_json::from_str(&excerpt_of(&document, &["b"]).unwrap()).unwrap();
            assert_eq!(excerpt, json!({ "b": expected }), "{document}");
        }
    }
    assert_eq!(
        found(r#"{"\udc00":0,"a":1,"\u0062":2}"#, &["a", "b"]),
        [(0, json!(1)), (1, json!(2))]
    );
    assert_eq!(found("\u{feff}{\"a\":1}", &["a"]), [(0, json!(1))], "clause 8.1");
}

#[test]
fn along_a_path_there_is_an_end_to_the_depth_for_that_path_alone() {
    let deep = |open: &str, close: &str| {
        format!("{{\"a\": 1, \"b\": {}1{}}}", open.repeat(1000), close.repeat(1000))
    };
    assert_eq!(found(&deep("[", "]"), &["a"]), [(0, json!(1))]);
    let levels = found(&deep("[", "]"), &["a", "b"]);
    assert_eq!(levels.iter().filter(|(path, _)| *path == 0).collect::<Vec<_>>(), [&(0, json!(1))]);
    // The object is one.
    assert_eq!(levels.iter().filter(|(path, _)| *path == 1).count(), 126);
    let excerpt = excerpt_of(&deep("[", "]"), &["a", "b"]).unwrap();
    assert_eq!(excerpt, format!(r#"{{"a":1,"b":{}{}}}"#, "[".repeat(126), "]".repeat(126)));
}

#[test]
fn a_key_that_stands_twice_has_all_its_values_in_an_excerpt() {
    for (document, expected) in [
        (r#"{"a":1,"a":2}"#, r#"{"a":[1,2]}"#),
        (
            r#"{"a":1,"b":{"x":0},"c":3,"\u0061":[2,[4]],"b":5,"a":[]}"#,
            r#"{"a":[1,2,[4]],"b":[{"x":0},5]}"#,
        ),
        (r#"[{"a":{"b":1,"b":2}},{"a":3}]"#, r#"[{"a":{"b":[1,2]}},{"a":3}]"#),
    ] {
        let excerpt = excerpt_of(document, &["a", "b.x", "b", "a.b"]);
        assert_eq!(excerpt.as_deref(), Some(expected), "{document}");
        for path in ["a", "a.b", "b.x"] {
            let scalars = |document: &str| -> Vec<_> {
                let found = found(document, &[path]).into_iter();
                found.filter(|(_, value)| !value.is_null()).collect()
            };
            assert_eq!(scalars(expected), scalars(document), "{path} in {document}");
        }
    }
    // In time that grows with the octets.
    let many: Vec<_> = (0..6000).map(|number| format!(r#""a":1,"b":{number}"#)).collect();
    let excerpt = excerpt_of(&format!("{{{}}}", many.join(",")), &["a", "b"]).unwrap();
    assert!(excerpt.starts_with(r#"{"a":[1,1,"#) && excerpt.ends_with(",5998,5999]}"));
}

fn excerpt_of(document: &str, paths: &[&str]) -> Option<String> {
    let mut all = Paths::default();
    for path in paths {
        all.add(&path.parse().unwrap());
    }
    let mut out = b"{".to_vec();
    let is_any = excerpt(document.as_bytes(), &all, &mut out);
    assert!(is_any || out == b"{");
    is_any.then(|| String::from_utf8(out[1..].to_vec()).unwrap())
}

#[test]
fn an_excerpt_keeps_the_shape() {
    const METER: &str =
        r#"{"seq": 7, "u": [230.1, 229.8, 230.4], "v": {"x": 1, "y": "é\n"}, "z": 0}"#;
    for (paths, expected) in [
        (&["seq"][..], Some(r#"{"seq":7}"#)),
        (&["u"], Some(r#"{"u":[230.1,229.8,230.4]}"#)),
        (&["u[1]", "z"], Some(r#"{"u":[null,229.8],"z":0}"#)),
        (&["v.y", "v.no", "seq.no"], Some(r#"{"v":{"y":"é\n"}}"#)),
        (&["v"], Some(r#"{"v":{}}"#)),
        (&["no", "v.no", "seq.no", "u[9]"], None),
    ] {
        assert_eq!(excerpt_of(METER, paths).as_deref(), expected, "{paths:?}");
    }
    assert_eq!(excerpt_of("[{\"a\": 1}", &["a"]), None);
}

/// A step of a path as the tests write it.
#[derive(Debug, Clone)]
enum Step {
    Key(&'static str),
    Index(usize),
}

fn naive<'v>(value: &'v Value, path: &[Step], is_exact: bool, found: &mut Vec<&'v Value>) {
    let Some((step, rest)) = path.split_first() else { return leaves(value, found) };
    match (step, value) {
        (Step::Key(key), Value::Object(members)) => {
            if let Some(member) = members.get(*key) {
                naive(member, rest, true, found);
            }
        }
        (Step::Key(key), Value::Array(members)) => {
            for (index, member) in members.iter().enumerate() {
                naive(member, path, false, found);
                if is_exact && index.to_string() == *key {
                    naive(member, rest, true, found);
                }
            }
        }
        (Step::Index(index), Value::Array(members)) if is_exact => {
            if let Some(member) = members.get(*index) {
                naive(member, rest, true, found);
            }
        }
        _ => {}
    }
}

/// The value, and the members of an array, each once.
fn leaves<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    if found.iter().any(|known| std::ptr::eq(*known, value)) {
        return;
    }
    match value {
        Value::Null => {}
        Value::Array(members) => {
            found.push(value);
            for member in members {
                leaves(member, found);
            }
        }
        scalar => found.push(scalar),
    }
}

/// As text; an object or an array is null.
fn written_value(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => Value::Null.to_string(),
        scalar => scalar.to_string(),
    }
}

/// What documents are made of.
const OCTETS: &[u8] = b" \t{}[]:,\"\\u/0019.-+eEtn\x01\x0c\xc3";

struct Nothing;

impl walk::Take for Nothing {
    fn scalar(&mut self, _: &mut dyn Iterator<Item = u32>, _: Option<Scalar<'_>>) {}
    fn open(&mut self, _: &mut dyn Iterator<Item = u32>, _: u8) {}
    fn key(&mut self, _: &str) {}
    fn skip(&mut self) {}
    fn close(&mut self, _: u8) {}
}

const KEYS: &[&str] = &["a", "b", "0", "1"];

fn values() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9..9_i64).prop_map(Value::from),
        prop::sample::select(&[0.5, -2.25, 1e30][..]).prop_map(Value::from),
        prop::sample::select(&["", "x", "é\"\n", "7"][..]).prop_map(Value::from),
    ];
    scalar.prop_recursive(5, 40, 4, |inner| {
        let member = (prop::sample::select(KEYS), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            prop::collection::vec(member, 0..4).prop_map(|members| {
                members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            }),
        ]
    })
}

fn paths() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop::sample::select(KEYS).prop_map(Step::Key),
        1 => (0..3_usize).prop_map(Step::Index),
    ];
    prop::collection::vec(step, 1..5)
}

fn written(path: &[Step]) -> String {
    let steps = path.iter().map(|step| match step {
        Step::Key(key) => format!(".{key}"),
        Step::Index(index) => format!("[{index}]"),
    });
    steps.collect::<String>().trim_start_matches('.').to_owned()
}

proptest! {
    #[test]
    fn paths_lead_where_a_walk_over_the_tree_leads(
        document in values(),
        paths in prop::collection::vec(paths(), 1..6),
    ) {
        let text = document.to_string();
        let names: Vec<String> = paths.iter().map(|path| written(path)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let sorted = |mut values: Vec<String>| { values.sort_unstable(); values };
        let expected = |document: &Value, path: &[Step]| {
            let mut found = Vec::new();
            naive(document, path, true, &mut found);
            sorted(found.into_iter().map(written_value).collect())
        };
        let all = found(&text, &names);
        let excerpt = excerpt_of(&text, &names).map(|text| serde_json::from_str(&text).unwrap());
        prop_assert_eq!(excerpt.is_some(), !all.is_empty());
        for (path, name) in paths.iter().zip(&names) {
            let number = names.iter().position(|other| other == name).unwrap();
            let number = names[..number].iter().enumerate()
                .filter(|(at, other)| !names[..*at].contains(*other)).count();
            let own = all.iter().filter(|(at, _)| *at == number);
            let own = sorted(own.map(|(_, value)| value.to_string()).collect());
            let expected_of = expected(&document, path);
            prop_assert_eq!(&own, &expected_of, "{} in {}", name, text);
            // Whoever looks into the excerpt finds the same.
            let in_excerpt = excerpt.as_ref().map_or(Vec::new(), |of| expected(of, path));
            prop_assert_eq!(in_excerpt, expected_of, "{} in {:?}", name, excerpt);
        }
    }

    /// What the grammar has, and nothing else.
    #[test]
    fn a_document_is_one_if_another_reader_says_so(
        document in values(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(OCTETS)), 0..3),
    ) {
        let mut octets = format!(" {document} ").into_bytes();
        for (place, octet) in flips {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        let text = std::str::from_utf8(&octets);
        let is_json = text.is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
        for path in ["a", "no"] {
            let mut paths = Paths::default();
            paths.add(&path.parse().unwrap());
            let mut take = Nothing;
            let read = walk::walk(&octets, &paths, &mut walk::Memory::default(), &mut take);
            prop_assert_eq!(read, is_json, "{}", String::from_utf8_lossy(&octets));
        }
    }

    #[test]
    fn any_octets_are_read(octets in prop::collection::vec(any::<u8>(), 0..60), flip in any::<prop::sample::Index>()) {
        let mut paths = Paths::default();
        paths.add(&"a[0].b".parse().unwrap());
        let mut values = Values::default();
        values.read(&octets, &paths);
        let mut document = br#"{"a":[{"b":[1,"x",{"c":null}]}],"d":{}}"#.to_vec();
        let place = flip.index(document.len());
        document[place] = octets.first().copied().unwrap_or(0);
        values.read(&document, &paths);
        let mut out = Vec::new();
        if excerpt(&document, &paths, &mut out) {
            prop_assert!(serde_json::from_slice::<Value>(&out).is_ok(), "{:?}", out);
        }
    }
}
