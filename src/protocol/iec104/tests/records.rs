//! What is told of an APDU, and of a station.

use super::*;

#[test]
fn an_apdu_is_told_with_all_its_fields() {
    let apdu = one(30, 3, 258, 9, &[0x81, 0, 0, 0, 0, 1, 1, 0]);
    let told = lines(&apdu).join("\n");
    for part in [
        "iec104 .iec104.frame=Code(0) .iec104.ns=Integer(1) .iec104.nr=Integer(2)",
        " .iec104.type_id=Integer(30) .iec104.type=Code(30) .iec104.cot=Integer(3)",
        " .iec104.cause=Code(3) .iec104.negative=Boolean(false) .iec104.test=Boolean(false)",
        " .iec104.originator=Integer(0) .iec104.ca=Integer(258) .iec104.sq=Boolean(false)",
        " .iec104.count=Integer(1) .iec104.length=Integer(21)",
        " iec104.objects.ioa=Integer(9) iec104.objects.value=Boolean(true)",
        " iec104.objects.state=Code(1) iec104.objects.quality.invalid=Boolean(true)",
        " iec104.objects.time=Time(Timestamp(946684800000000000))",
        " iec104.objects.time_tag.invalid=Boolean(false)",
    ] {
        assert!(told.contains(part), "{part}\nin {told}");
    }
    assert!(!told.contains("function"));
    assert!(!told.contains("select"));
}

#[test]
fn formats_without_an_asdu_have_no_asdu_fields() {
    assert_eq!(
        lines(&[&TESTFR[..], &ACKNOWLEDGE].concat()),
        [
            "iec104 .iec104.frame=Code(2) .iec104.function=Code(4) .iec104.length=Integer(4)",
            "iec104 .iec104.frame=Code(1) .iec104.nr=Integer(1) .iec104.length=Integer(4)",
        ]
    );
}

#[test]
fn one_flat_record_an_object_only_where_somebody_reads_them() {
    let apdu = i_frame(&[1, 0x82, 20, 0, 10, 0, 5, 0, 0, 0, 1]);
    assert_eq!(lines(&apdu).len(), 1);
    let mut stream = Stream::new(false);
    stream.0.out.objects = true;
    stream.feed(&apdu);
    let told = stream.end();
    assert_eq!(told.len(), 3);
    assert!(told[2].starts_with("iec104_object .iec104.frame=Code(0)"));
    assert!(told[2].contains(" .iec104.count=Integer(2)"));
    assert!(told[2].contains(" .iec104.ioa=Integer(6) .iec104.value=Boolean(true)"));
}

#[test]
fn fields_have_the_same_place_in_both_records() {
    let member = IEC104.resolve("iec104.objects.quality.invalid").unwrap();
    let flat = IEC104_OBJECT.resolve("iec104.quality.invalid").unwrap();
    let header = IEC104_OBJECT.resolve("iec104.ioa").unwrap().field;
    assert_eq!(flat.field, header + member.field);
    assert_eq!(IEC104.resolve("iec104.ca"), IEC104_OBJECT.resolve("iec104.ca"));
    assert_eq!(IEC104.resolve("iec104.ca").unwrap(), FieldPath { list: None, field: 11 });
    for schema in PROTOCOL.schemas {
        let mut names: Vec<String> = schema.paths().map(|(name, _, _)| name).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all, "a name stands twice in {}", schema.name);
    }
}

#[test]
fn every_message_type_has_its_own_name() {
    struct Types(Vec<&'static str>);
    impl Records for Types {
        fn emit(&mut self, record: &dyn Record) {
            if record.schema().name == "iec104" {
                let index = usize::from(record.message_type());
                self.0.push(record.schema().message_types[index]);
            }
        }
        fn wants(&self, _schema: &'static Schema) -> bool {
            false
        }
    }
    let cases = [
        (one(45, 6, 1, 1, &[0]), "C_SC_NA_1"),
        (one(127, 13, 1, 1, &[0; 16]), "F_SC_NB_1"),
        (one(0, 6, 1, 1, &[0]), "reserved"),
        (one(57, 6, 1, 1, &[0]), "reserved"),
        (one(128, 6, 1, 1, &[0]), "private"),
        (one(255, 6, 1, 1, &[0]), "private"),
        (i_frame(&[1, 1, 3]), "I"),
        (ACKNOWLEDGE.to_vec(), "S"),
        (vec![0x68, 4, 3, 0, 0, 0], "U"),
        (STARTDT.to_vec(), "STARTDT act"),
        (vec![0x68, 4, 0x83, 0, 0, 0], "TESTFR con"),
    ];
    let mut types = Types(Vec::new());
    let (mut parser, mut shared) = (parser(false), (PROTOCOL.shared)());
    for (bytes, _) in &cases {
        let input = input(Direction::ToServer, bytes);
        assert_eq!(parser.data(input, &mut *shared, &mut types), Progress::all(bytes.len()));
    }
    let expected: Vec<&str> = cases.iter().map(|(_, name)| *name).collect();
    assert_eq!(types.0, expected);
    assert!(IEC104.message_types.len() <= 256);
}

#[test]
fn facts_tell_the_station() {
    let (mut parser, mut shared) = (parser(false), (PROTOCOL.shared)());
    let mut out = Lines::default();
    let mut feed = |direction, bytes: &[u8]| {
        parser.data(input(direction, bytes), &mut *shared, &mut out);
    };
    feed(Direction::ToServer, &one(45, 6, 10, 1, &[1]));
    feed(Direction::ToServer, &one(45, 6, 11, 1, &[1]));
    feed(Direction::ToClient, &one(45, 7, 10, 1, &[1]));
    feed(Direction::ToClient, &one(45, 0x40 | 0x2E, 11, 1, &[1]));
    feed(Direction::ToClient, &i_frame(&[1, 0x83, 20, 0, 10, 0, 5, 0, 0, 0, 1, 1]));
    let (mut facts, mut names) = (Vec::new(), Vec::new());
    parser.facts(&mut |name, fact| {
        facts.push(format!("{name}: {fact:?}"));
        names.push(name);
    });
    assert_eq!(names, PROTOCOL.facts);
    assert_eq!(
        facts,
        [
            "common address: Member(Integer(10))",
            "I-frames sent: Count(3)",
            "I-frames received: Count(2)",
            "objects reported: Count(3)",
            "commands: Count(2)",
        ]
    );
}
