//! `gridtap interfaces`: what can be captured from, and its state.

use std::io::{self, Write};

use anstyle::Style;
use clap::Args;
use serde_json::{Value, json};

use super::{Exit, Failure};
use crate::capture::live::{Interface, interfaces};
use crate::packet::LinkType;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let interfaces = interfaces();
    let mut out = super::stdout();
    if arguments.json {
        let described: Vec<_> = interfaces.iter().map(described).collect();
        writeln!(out, "{:#}", Value::from(described))?;
    } else {
        show(&interfaces, &mut out)?;
    }
    Ok(Exit::Done)
}

/// What is in a column, for one interface.
type Column = (&'static str, fn(&Interface) -> String);

const COLUMNS: &[Column] = &[
    ("interface", |interface| interface.name.clone()),
    ("state", |interface| state(interface).to_owned()),
    ("frames", |interface| frames(interface).to_owned()),
    ("MTU", |interface| interface.mtu.map_or_else(String::new, |mtu| mtu.to_string())),
    ("GRO", |interface| match interface.receive_offload {
        Some(true) => "on".to_owned(),
        Some(false) => "off".to_owned(),
        None => String::new(),
    }),
    ("MAC address", |interface| mac(interface).unwrap_or_default()),
    ("addresses", |interface| addresses(interface).join(", ")),
];

fn show(interfaces: &[Interface], out: &mut dyn Write) -> io::Result<()> {
    const QUIET: Style = Style::new().dimmed();
    let rows: Vec<Vec<String>> = interfaces
        .iter()
        .map(|interface| COLUMNS.iter().map(|(_, cell)| cell(interface)).collect())
        .collect();
    let head: Vec<_> = COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let widths: Vec<_> = (0..COLUMNS.len())
        .map(|column| {
            let cells = rows.iter().chain([&head]).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        })
        .collect();
    writeln!(out, "{QUIET}{}{QUIET:#}", line(&head, &widths))?;
    rows.iter().try_for_each(|row| writeln!(out, "{}", line(row, &widths)))
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let cells = cells.iter().zip(widths).map(|(cell, width)| format!("  {cell:<width$}"));
    cells.collect::<String>().trim_end().to_owned()
}

const fn state(interface: &Interface) -> &'static str {
    match (interface.up, interface.running) {
        (true, true) => "up",
        (true, false) => "no carrier",
        (false, _) => "down",
    }
}

/// How frames begin; some interfaces have frames that are not decoded.
const fn frames(interface: &Interface) -> &'static str {
    match interface.link {
        Some(_) if interface.loopback => "loopback",
        Some(LinkType::Raw) => "IP",
        Some(_) => "Ethernet",
        None => "not decoded",
    }
}

/// None on a loopback interface, which has zeros.
fn mac(interface: &Interface) -> Option<String> {
    let octets = interface.mac.filter(|octets| *octets != [0; 6])?;
    Some(octets.map(|octet| format!("{octet:02x}")).join(":"))
}

fn addresses(interface: &Interface) -> Vec<String> {
    interface.addresses.iter().map(ToString::to_string).collect()
}

fn described(interface: &Interface) -> Value {
    json!({
        "name": interface.name,
        "index": interface.index,
        "up": interface.up,
        "running": interface.running,
        "loopback": interface.loopback,
        "decoded": interface.link.is_some(),
        "mtu": interface.mtu,
        "gro": interface.receive_offload,
        "mac": mac(interface),
        "addresses": addresses(interface),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface() -> Interface {
        Interface {
            name: "eth1".to_owned(),
            index: 3,
            mac: Some([2, 0, 10, 20, 0, 1]),
            addresses: vec!["10.20.0.1/16".parse().unwrap(), "fe80::1/64".parse().unwrap()],
            up: true,
            running: false,
            loopback: false,
            mtu: Some(9000),
            receive_offload: Some(true),
            link: Some(LinkType::Ethernet),
        }
    }

    #[test]
    fn the_table_is_aligned() {
        let other = Interface {
            name: "tun-carrier".to_owned(),
            mac: None,
            addresses: Vec::new(),
            up: false,
            mtu: None,
            receive_offload: None,
            link: Some(LinkType::Raw),
            ..interface()
        };
        let mut out = anstream::StripStream::new(Vec::new());
        show(&[interface(), other], &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out.into_inner()).unwrap(),
            "  interface    state       frames    MTU   GRO  MAC address        addresses\n  \
               eth1         no carrier  Ethernet  9000  on   02:00:0a:14:00:01  10.20.0.1/16, fe80::1/64\n  \
               tun-carrier  down        IP\n"
        );
    }

    #[test]
    fn json_says_the_same() {
        let json = described(&interface());
        assert_eq!(json["addresses"], json!(["10.20.0.1/16", "fe80::1/64"]));
        assert_eq!((&json["gro"], &json["mac"]), (&json!(true), &json!("02:00:0a:14:00:01")));
    }
}
