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
    // Where no path leads, any depth is passed over; along a path, there is an end to it.
    let deep = |open: &str, close: &str| {
        format!("{{\"a\": 1, \"b\": {}1{}}}", open.repeat(1000), close.repeat(1000))
    };
    assert_eq!(found(&deep("[", "]"), &["a"]), [(0, json!(1))]);
    assert_eq!(found(&deep("[", "]"), &["a", "b"]), []);
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
