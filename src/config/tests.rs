//! What is read, what is told of mistakes, and that the pages say what the reader does.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::given::{environment_name, every_key};
use super::*;
use crate::output::Types;
use crate::protocol::Standard;

/// A file of this text, and above it settings.
fn examined(text: impl AsRef<[u8]>, settings: &[&str], environment: &[(&str, &str)]) -> Examined {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gridtap.yaml");
    fs::write(&path, text).unwrap();
    let sources = Sources {
        file: None,
        environment: environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        settings: settings.iter().map(|text| (*text).to_owned()).collect(),
    };
    let file = GivenFile::read(&path).unwrap();
    examine(Given::new(Some(file), &sources), &Unit::default())
}

fn config(text: &str) -> Config {
    let examined = examined(text, &[], &[]);
    assert_eq!(examined.mistakes, [], "{text}");
    examined.config
}

fn messages(diagnostics: &[Diagnostic]) -> Vec<String> {
    let told = diagnostics.iter().map(ToString::to_string);
    told.map(|told| {
        told.rsplit_once("gridtap.yaml:").map_or(told.clone(), |(_, end)| end.to_owned())
    })
    .collect()
}

fn mistakes(text: &str) -> Vec<String> {
    messages(&examined(text, &[], &[]).mistakes)
}

#[test]
fn the_defaults_have_no_mistake() {
    let examined = examine(Given::new(None, &Sources::default()), &Unit::default());
    assert_eq!(examined.mistakes, []);
    let limits = examined.config.limits.engine(1);
    let of_engine = crate::engine::Limits::default();
    assert_eq!(format!("{limits:?}"), format!("{of_engine:?}"), "the engine has other defaults");
}

#[test]
fn everything_is_read() {
    let config = config(
        "
host: boundary-7
interfaces:
  - {interface: eth1, snap_length: 9KiB, promiscuous: false}
  - tap: [eth2, eth3]
    filter: {ports: [2404], networks: [10.20.0.0/16, 2001:db8::1]}
    ring: {block_size: 2MiB, blocks: 8, block_timeout: 5ms}
threads: 4
duplicates: off
placeholders: {masters: [10.20.0.10, 10.20.0.11], stations: [3]}
limits: {flows: 5000, timeouts: {application: 1d12h}}
outputs:
  - {type: file, path: /tmp/eve.json, rotation: {size: 100MB, every: 24h}}
  - {type: syslog, address: '[::1]:514', protocol: tcp, types: [alert], name: siem, spool: off}
evidence: {packets: 10}
http: off
log_level: debug
",
    );
    let [mirror, tap] = config.interfaces.as_slice() else { panic!("{config:?}") };
    assert_eq!(mirror.link, Link::Interface("eth1".to_owned()));
    assert_eq!((mirror.snap_length, mirror.promiscuous), (9 << 10, false));
    assert_eq!(tap.link.names(), ["eth2", "eth3"]);
    assert_eq!(tap.filter.ports[0].get(), 2404);
    assert_eq!(tap.filter.networks[1].to_string(), "2001:db8::1/128");
    assert_eq!((tap.ring.blocks, tap.ring.block_timeout), (8, Duration::from_millis(5)));
    assert_eq!((config.threads, config.duplicates), (4, None));
    assert_eq!(config.placeholders["stations"], ["3"]);
    assert_eq!(config.limits.engine(2).flows, 2500);
    assert_eq!(config.limits.timeouts.application, Duration::from_secs(36 * 3600));
    let [file, syslog] = config.outputs.as_slice() else { panic!("{config:?}") };
    assert_eq!((file.name.as_str(), file.types.clone()), ("file", Types::default()));
    let rotation = Rotation {
        size: Some(Octets(100_000_000)),
        every: Some(Duration::from_secs(86_400)),
        names: RotatedNames::Numbered,
        keep: 7,
    };
    let path = PathBuf::from("/tmp/eve.json");
    assert_eq!(file.target, Target::File { path, rotation: Some(rotation) });
    let address: SocketAddr = "[::1]:514".parse().unwrap();
    assert_eq!(syslog.target, Target::Syslog { address, protocol: Transport::Tcp });
    assert_eq!((syslog.name.as_str(), syslog.spool), ("siem", None));
    assert!(config.evidence.is_some_and(|evidence| evidence.packets == 10));
    assert_eq!((config.http, config.log_level), (None, LogLevel::Debug));
}

#[test]
fn what_is_commented_out_has_its_default() {
    assert_eq!(config("limits:\n#  flows: 1\noutputs:\nplaceholders:\n"), Config::default());
    assert_eq!(config("# nothing\n"), Config::default());
}

#[test]
fn later_sources_win_key_by_key() {
    let text =
        "limits: {flows: 1000, stream_memory: 1MiB}\noutputs: [{type: unix_stream, path: /a}]";
    let environment = [
        ("GRIDTAP_LIMITS_FLOWS", "2000"),
        ("GRIDTAP_LIMITS_STREAM_MEMORY", "2MiB"),
        ("GRIDTAP_HTTP_LISTEN", "[::1]:9104"),
        ("GRIDTAP_INTERFACES", "[{interface: eth0}]"),
        ("GRIDTAP_HOST", ""),
        ("GRIDTAP_CONFIG", "/elsewhere"),
        ("PATH", "/bin"),
    ];
    let settings =
        ["limits.flows=3000", "outputs.0.path=/b", "evidence.size=1MiB", "host='7'", "threads=2"];
    let examined = examined(text, &settings, &environment);
    assert_eq!((examined.mistakes, examined.warnings), (vec![], vec![]));
    let config = examined.config;
    assert_eq!((config.limits.flows, config.limits.stream_memory), (3000, Octets(2 << 20)));
    let listen = Listen::Address("[::1]:9104".parse().unwrap());
    assert_eq!(config.http.map(|http| http.listen), Some(listen));
    assert_eq!(config.interfaces[0].link.names(), ["eth0"]);
    assert_eq!(config.outputs[0].target, Target::UnixStream { path: "/b".into() });
    assert_eq!(config.evidence.map(|evidence| evidence.size), Some(Octets(1 << 20)));
    assert_eq!((config.host.as_deref(), config.threads), (Some("7"), 2));
}

#[test]
fn mistakes_tell_where_the_value_came_from() {
    let environment = [("GRIDTAP_LIMITS_FLOWS", "many"), ("GRIDTAP_TREADS", "secret")];
    let settings = ["limits.flow=1", "outputs.3.path=/a", "threads", "rules=[a", "threads=99"];
    let examined = examined("", &settings, &environment);
    assert_eq!(
        messages(&examined.mistakes),
        [
            "environment:1:22: `flows` is a whole number, and this is text",
            "command line:1:1: there is no key `limits.flow` (did you mean `limits.flows`?)",
            "command line:1:1: there is no `outputs.3.path`: the list is shorter",
            "command line:1:1: this is no `KEY=VALUE` (as in `limits.flows=1000`)",
            "command line:1:7: unclosed bracket '['",
            "command line:1:9: `threads` is at least 1 and at most 64",
        ]
    );
    let warning = "environment:1:1: warning: no key is set by the variable `GRIDTAP_TREADS` \
                   (did you mean `GRIDTAP_THREADS`?)";
    assert!(messages(&examined.warnings).contains(&warning.to_owned()));
    assert!(!examined.warnings.iter().any(|warning| warning.source_line.contains("secret")));
}

#[test]
fn a_mistake_that_shows_later_has_its_place() {
    let examined = examined("interfaces:\n  - interface: eth9\n", &["threads=3"], &[]);
    let at = |path| messages(&[examined.origins.mistake(path, "gone")]).remove(0);
    assert_eq!(at("interfaces.0.interface"), "2:16: gone");
    assert_eq!(at("interfaces.0.ring.blocks"), "2:5: gone");
    assert_eq!(at("threads"), "command line:1:9: gone");
    assert_eq!(at("http.listen"), "1:1: gone");
}

/// What is configured for the servers of `iec104`, as one line a member.
fn servers(config: &Config) -> Vec<String> {
    let (protocol, settings) =
        config.protocols.by_protocol().find(|(protocol, _)| protocol.name == "iec104").unwrap();
    let told = settings.iter().map(|some| {
        let table = protocol.parameters.table.iter().zip(&some.values);
        let values = table.filter(|(parameter, value)| **value != parameter.default.value());
        let values = values.map(|(parameter, value)| match value {
            Some(value) => format!(" {}={value}", parameter.name),
            None => format!(" {}=off", parameter.name),
        });
        format!("{:?}:{}", some.networks, values.collect::<String>())
    });
    told.collect()
}

#[test]
fn what_protocols_register_is_read() {
    let config = config(
        "
protocols:
  iec104:
    - {servers: [10.30.7.1], k: 20, w: 15, t1: 1m, reverse: true, time_zone: '-03:30'}
    - {servers: [10.30.0.0/16, '2001:db8::/32'], t3: 48h, time_zone: +01:00, cause_octets: 1}
    - {k: off, time_tolerance: 500ms}
",
    );
    assert_eq!(
        servers(&config),
        [
            "[10.30.7.1/32]: k=20 w=15 t1=60000000 reverse=1 time_zone=-210",
            "[10.30.0.0/16, 2001:db8::/32]: t3=172800000000 time_zone=60 cause_octets=1",
            "[]: time_tolerance=500000",
        ]
    );
    let examined = examined(
        "protocols: {iec104: [{k: 7}]}",
        &["protocols.iec104.0.w=5"],
        &[("GRIDTAP_PROTOCOLS_IEC104", "[{k: 9}]")],
    );
    assert_eq!(messages(&examined.mistakes), Vec::<String>::new());
    assert_eq!(servers(&examined.config), ["[]: k=9 w=5"]);
}

/// The reader gives a default the number that its protocol takes for it, and every range holds it.
#[test]
fn hosts_read_streams_as_is_configured() {
    use crate::flow::{Checksums, HostPolicy, Overlaps, Urgent};
    let policies = config(
        "
streams:
  overlaps: bsd
  checksums: ignore
  hosts:
    - {networks: [10.30.0.0/16], overlaps: windows}
    - {networks: [10.0.0.0/8], urgent: inline, checksums: strict}
",
    )
    .streams
    .policies();
    for (host, overlaps, urgent, checksums) in [
        ("10.30.7.1", Overlaps::Windows, Urgent::OutOfBand, Checksums::Honour),
        ("10.31.7.1", Overlaps::Linux, Urgent::Inline, Checksums::Strict),
        ("192.0.2.1", Overlaps::Bsd, Urgent::OutOfBand, Checksums::Ignore),
    ] {
        let policy = HostPolicy { overlaps, urgent, checksums };
        assert_eq!(policies.of(host.parse().unwrap()), policy, "{host}");
    }
    assert_eq!(config("{}").streams.policies(), crate::flow::HostPolicies::default());
}

#[test]
fn defaults_of_protocols_are_what_they_say() {
    let member = config("protocols: {iec104: [{}]}");
    assert_eq!(servers(&member), ["[]:"]);
    for protocol in crate::protocol::REGISTRY {
        for parameter in protocol.parameters.table {
            let (Standard::Is(_, text) | Standard::Unknown(text)) = parameter.default;
            config(&format!("protocols: {{{}: [{{{}: {text}}}]}}", protocol.name, parameter.name));
            let bound = parameter.at_most.unwrap_or(parameter.name);
            assert!(protocol.parameters.table.iter().any(|other| other.name == bound));
        }
    }
}

#[test]
fn mistakes_in_what_protocols_register_have_their_place() {
    for (text, said) in [
        ("iec104: [{k: 0}]", "1:26: `k` is at least 1 and at most 32767"),
        ("iec104: [{t1: 15}]", "1:27: this number has no unit"),
        ("iec104: [{t1: 5m}]", "1:27: `t1` is at least 1s and at most 255s"),
        ("iec104: [{k: 8, w: 12}]", "1:32: `w` is greater than `k`"),
        (
            "iec104: [{revers: true}]",
            "1:23: there is no key `revers` in `protocols.iec104.0` (did you mean `reverse`?)",
        ),
        ("iec104: [{reverse: 1}]", "1:32: `reverse` is `true` or `false`, and this is a number"),
        ("iec104: [{time_zone: 1h}]", "1:34: `time_zone` is an offset from UTC, such as `+01:00`"),
        ("iec104: [{time_zone: +1:00}]", "1:34: `time_zone` is an offset from UTC"),
        ("iec104: [{time_zone: +01:60}]", "1:34: `time_zone` is an offset from UTC"),
        ("iec104: [{time_zone: -12:15}]", "1:34: `time_zone` is at least -12:00 and at most"),
        ("iec104: [{servers: [10.30.0.1/16]}]", "1:33: `10.30.0.1/16` has bits beyond its prefix"),
        ("iec104: [7]", "1:22: `iec104` is a map of keys, and this is a number"),
        ("iec104: {k: 8}", "1:22: `iec104` is a list, and this is a map"),
        ("iec105: []", "1:13: there is no key `iec105` in `protocols` (did you mean `iec104`?)"),
        ("ftp: []", "1:13: there is no key `ftp` in `protocols` (there are `iec104`"),
        ("mqtt: [{topic_levels: 0}]", "1:35: `topic_levels` is at least 1 and at most 65536"),
    ] {
        let found = mistakes(&format!("protocols: {{{text}}}"));
        assert!(found.len() == 1 && found[0].starts_with(said), "{text}: {found:?}");
    }
}

#[test]
fn servers_that_nothing_is_left_of_are_warned_of() {
    let warned = |members: &str| {
        let text =
            format!("protocols: {{iec104: [{members}]}}\noutputs: [{{type: file, path: a}}]");
        let settings = ["interfaces=[{interface: eth0}]"];
        messages(&examined(text, &settings, &[]).warnings)
    };
    let one = "{servers: [10.30.7.0/24]}";
    let all = "{servers: [10.30.0.0/16]}";
    assert_eq!(warned(&format!("{one}, {all}, {{}}")), Vec::<String>::new());
    for members in [format!("{all}, {one}"), format!("{{}}, {one}"), "{}, {}".to_owned()] {
        let found = warned(&members);
        assert!(found.len() == 1 && found[0].contains("counts for no server"), "{found:?}");
    }
}

#[test]
fn units_are_explicit() {
    for (text, said) in [
        ("duplicates: 10", "this number has no unit"),
        ("duplicates: 10ms5s", "`s` is no unit of time, or stands in the wrong order"),
        ("duplicates: 10min", "`min` is no unit"),
        ("duplicates: fast", "is a duration, such as"),
        ("duplicates: 99999999999999999999ms", "is a duration"),
        ("duplicates: 9999999999999d9h", "longer than anything lasts"),
        ("duplicates: 2s", "`duplicates` is at least 1us and at most 1s"),
        ("limits: {stream_memory: 256}", "this number has no unit"),
        ("limits: {stream_memory: 256Mb}", "`Mb` is no unit of size"),
        ("limits: {stream_memory: -1MiB}", "is a size"),
        ("limits: {stream_memory: 99999999999TiB}", "more than there is"),
        ("threads: 4294967296", "a number from 0 to 4294967295"),
    ] {
        let found = mistakes(text);
        assert!(found.len() == 1 && found[0].contains(said), "{text}: {found:?}");
    }
}

#[test]
fn relative_paths_begin_at_the_file() {
    let examined = examined("state_directory: state", &[], &[]);
    assert!(examined.config.state_directory.is_absolute());
    assert!(examined.config.state_directory.ends_with("state"));
}

#[test]
fn a_missing_drop_in_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gridtap.service"), "[Service]\n").unwrap();
    let unit = Unit::in_folders([folder.path()].into_iter());
    let settings = vec!["outputs=[{type: syslog, address: '192.0.2.1:514'}]".to_owned()];
    let sources = Sources { settings, ..Sources::default() };
    let warnings = examine(Given::new(None, &sources), &unit).warnings;
    let warned = |warning: &Diagnostic| warning.message.contains("may not send to 192.0.2.1");
    assert!(warnings.iter().any(warned), "{warnings:?}");
}

#[test]
fn each_variable_sets_one_key() {
    let mut names = Vec::new();
    every_key(&mut |path, _| names.push(environment_name(path)));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count > 30 && !names.contains(&"GRIDTAP_CONFIG".to_owned()), "{names:?}");
}

/// Commented keys are right when they are no comment any more.
#[test]
fn the_example_is_right_commented_and_uncommented() {
    let example = pages::example();
    let prose = |line: &str| {
        let comment = line.trim_start().strip_prefix('#');
        comment
            .is_some_and(|text| text.is_empty() || text.starts_with(' ') && !text.starts_with("  "))
    };
    let uncommented: String = example
        .lines()
        .filter(|line| !prose(line))
        .map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line)))
        .map(|line| line.replace("[builtin, rules]", "[builtin]"))
        .collect();
    let whole = config(&uncommented);
    assert_eq!((whole.interfaces.len(), whole.outputs.len()), (2, 2), "{uncommented}");
    assert!(whole.evidence.is_some());
    let commented = config(&example);
    assert_eq!(Config { outputs: Vec::new(), ..commented.clone() }, Config::default());
    assert_eq!(commented.outputs.len(), 1);
    let mut missing = Vec::new();
    every_key(&mut |path, key| {
        if !uncommented.contains(&format!("{}:", key.name())) {
            missing.push(path.to_owned());
        }
    });
    assert_eq!(missing, Vec::<String>::new());
}

/// What an editor or a full disk leaves.
#[test]
fn nothing_that_is_cut_or_changed_panics() {
    let example = pages::example().replace("\n#", "\n");
    let (_, example) = example.split_at(example.find("\noutputs:").unwrap());
    let whole = example.as_bytes();
    for end in 0..whole.len() {
        let mut changed = whole.to_vec();
        changed[end] = b":[{'\n\t&*\xFF"[end % 9];
        for octets in [&whole[..end], &changed] {
            let found = examined(octets, &[], &[]);
            assert!(found.mistakes.iter().all(|mistake| !mistake.render(false).is_empty()));
        }
    }
}

/// With `GRIDTAP_BLESS=1` they are written anew.
#[test]
fn the_pages_are_those_of_the_repository() {
    let pages =
        [("docs/configuration.md", pages::reference()), ("systemd/gridtap.yaml", pages::example())];
    for (name, page) in pages {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        if std::env::var_os("GRIDTAP_BLESS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &page).unwrap();
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(there == page, "{name} is not what the tables say: GRIDTAP_BLESS=1 writes it anew");
    }
}
