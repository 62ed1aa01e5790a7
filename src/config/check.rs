//! What no key can be asked alone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use ipnet::IpNet;

use super::keys::{Config, Interface, Link, Output, OutputType, Ring, Rotation, Target};
use super::reader::Reader;
use super::unit::Unit;
use super::value::{Listen, Octets, RuleSource};
use crate::document::yaml::Span;
use crate::protocol::{Configured, ServerSettings};

/// What the kernel puts in front of a frame in a block, with room to spare.
const FRAME_OVERHEAD: u64 = 1024;

/// The kernel takes whole pages only.
const PAGE: u64 = 4096;

/// The whole configuration; `unit` is what systemd allows the daemon here.
pub(super) fn whole(config: &Config, unit: &Unit, reader: &mut Reader<'_>) {
    interfaces(&config.interfaces, reader);
    rules(&config.rules, reader);
    servers(&config.protocols, reader);
    names(&config.outputs, reader);
    targets(config, reader);
    for (index, output) in config.outputs.iter().enumerate() {
        if let Target::Syslog { address, .. } = output.target {
            network(index, address, unit, reader);
        }
    }
    if config.outputs.is_empty() && config.http.is_none() {
        let help = Some("give `outputs` a member");
        reader.warn_at(
            "outputs",
            "there is neither an output nor HTTP: nobody will see an alert",
            help,
        );
    }
}

pub(super) fn ring(ring: &Ring, snap_length: Octets, reader: &mut Reader<'_>) {
    let Octets(block) = ring.block_size;
    if block % PAGE != 0 {
        reader.wrong_at("ring.block_size", "a block is whole pages of 4 KiB", None);
    }
    if block < snap_length.0.saturating_add(FRAME_OVERHEAD) {
        let message = "a block has no room for a frame of `snap_length`";
        reader.wrong_at("ring.block_size", message, None);
    }
}

pub(super) fn rotation(rotation: Option<&Rotation>, reader: &mut Reader<'_>) {
    if rotation.is_some_and(|rotation| rotation.size.is_none() && rotation.every.is_none()) {
        reader.wrong_at("rotation", "`rotation` has neither `size` nor `every`", None);
    }
}

/// Each type of output has keys of its own.
pub(super) fn output_keys(kind: OutputType, span: Span, reader: &mut Reader<'_>) {
    use OutputType::{File, Syslog, UnixDatagram, UnixStream};
    const OWN: &[(&str, &[OutputType], bool)] = &[
        ("path", &[File, UnixStream, UnixDatagram], true),
        ("rotation", &[File], false),
        ("address", &[Syslog], true),
        ("protocol", &[Syslog], false),
    ];
    for (key, kinds, required) in OWN {
        let fits = kinds.contains(&kind);
        if fits && *required && !reader.is_given(key) {
            reader.wrong::<()>(span, format!("an output of type `{}` needs `{key}`", kind.name()));
        }
        if !fits && reader.is_given(key) {
            let message = format!("an output of type `{}` has no `{key}`", kind.name());
            reader.wrong_at(key, message, None);
        }
    }
}

fn interfaces(interfaces: &[Interface], reader: &mut Reader<'_>) {
    if interfaces.is_empty() && !reader.is_given("interfaces.0") {
        let help = Some("`interfaces: [{interface: eth1}]`, or `--interface` on the command line");
        reader.warn_at("interfaces", "no interface is named: there is nothing to listen to", help);
    }
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (index, interface) in interfaces.iter().enumerate() {
        for (place, name) in interface.link.names().iter().enumerate() {
            let path = match interface.link {
                Link::Interface(_) => format!("interfaces.{index}.interface"),
                Link::Tap(_) => format!("interfaces.{index}.tap.{place}"),
            };
            if let Some(first) = seen.get(name.as_str()) {
                let at = reader.whereabouts(first);
                reader.wrong_at(&path, format!("`{name}` is listened to already, at {at}"), None);
            } else {
                seen.insert(name, path);
            }
        }
    }
}

fn rules(sources: &[RuleSource], reader: &mut Reader<'_>) {
    for (index, source) in sources.iter().enumerate() {
        let RuleSource::Path(path) = source else { continue };
        if let Err(error) = path.metadata() {
            let message = format!("{}: cannot be read: {error}", path.display());
            reader.wrong_at(&format!("rules.{index}"), message, None);
        }
    }
}

/// The first that holds an address counts.
fn servers(configured: &Configured, reader: &mut Reader<'_>) {
    for (protocol, settings) in configured.by_protocol() {
        for (index, some) in settings.iter().enumerate() {
            let (before, _) = settings.split_at(index);
            if before.iter().any(|one| one.networks.is_empty()) || is_covered(some, before) {
                let path = format!("protocols.{}.{index}", protocol.name);
                let message =
                    "this counts for no server: members before it hold all of its addresses";
                reader.warn_at(&path, message, Some("the first one counts: put this before them"));
            }
        }
    }
}

/// Whether each network of `some` is part of one that comes before.
fn is_covered(some: &ServerSettings, before: &[ServerSettings]) -> bool {
    let earlier = || before.iter().flat_map(|one| &one.networks);
    let covered = |network: &IpNet| earlier().any(|one| one.contains(network));
    !some.networks.is_empty() && some.networks.iter().all(covered)
}

fn names(outputs: &[Output], reader: &mut Reader<'_>) {
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (index, output) in outputs.iter().enumerate() {
        let own = format!("outputs.{index}");
        if let Some(first) = seen.get(output.name.as_str()) {
            let message = format!(
                "the output at {} is called `{}` too",
                reader.whereabouts(first),
                output.name
            );
            reader.wrong_at(
                &format!("{own}.name"),
                message,
                Some("give one of them another `name`"),
            );
        } else {
            seen.insert(&output.name, own);
        }
    }
}

/// What is written to, or listened on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Path(PathBuf),
    Address(SocketAddr),
}

fn targets(config: &Config, reader: &mut Reader<'_>) {
    let of_output = |(index, output): (usize, &Output)| match &output.target {
        Target::File { path, .. } | Target::UnixStream { path } | Target::UnixDatagram { path } => {
            (format!("outputs.{index}.path"), Place::Path(identity(path)))
        }
        Target::Syslog { address, .. } => {
            (format!("outputs.{index}.address"), Place::Address(*address))
        }
    };
    let listen = config.http.as_ref().map(|http| match &http.listen {
        Listen::Address(address) => ("http.listen".to_owned(), Place::Address(*address)),
        Listen::Socket(path) => ("http.listen".to_owned(), Place::Path(identity(path))),
    });
    let mut seen: BTreeMap<Place, String> = BTreeMap::new();
    for (path, place) in config.outputs.iter().enumerate().map(of_output).chain(listen) {
        if matches!(&place, Place::Path(file) if is_device(file)) {
            continue;
        }
        if let Some(first) = seen.get(&place) {
            let message = format!("this is used already, at {}", reader.whereabouts(first));
            reader.wrong_at(&path, message, None);
        } else {
            seen.insert(place, path);
        }
    }
}

/// The same for two paths to the same file, as far as one can know before it is there.
fn identity(path: &Path) -> PathBuf {
    let of_parent = || {
        let parent = path.parent()?.canonicalize().ok()?;
        Some(parent.join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(of_parent).unwrap_or_else(|| without_detours(path))
}

/// Without `.` and `..`.
fn without_detours(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => _ = straight.pop(),
            _ => straight.push(component),
        }
    }
    straight
}

/// Such as `/dev/null`, which several may write to.
fn is_device(path: &Path) -> bool {
    path.starts_with("/dev")
}

/// The service is cut off from the network but for what drop-ins allow.
fn network(index: usize, address: SocketAddr, unit: &Unit, reader: &mut Reader<'_>) {
    if unit.allows(address.ip()) {
        return;
    }
    let message =
        format!("the service may not send to {}: its unit has no such drop-in", address.ip());
    let help = "a file in /etc/systemd/system/gridtap.service.d/ with `[Service]`, \
                `RestrictAddressFamilies=AF_INET AF_INET6` and `IPAddressAllow=` with this address";
    reader.warn_at(&format!("outputs.{index}.address"), message, Some(help));
}
