//! The outputs as they are configured.

use std::io;
use std::sync::Arc;

use super::error::Error;
use super::log;
use super::sandbox::{self, Role};
use crate::config::{Config, LogLevel, Octets, Output, RotatedNames, Target, Transport};
use crate::output::Types;
use crate::output::delivery::{
    Change, Delivery, Facility, FileOptions, FileTarget, Limits, Listener, Names, Options,
    Rotation, Spool, Syslog, SyslogOptions, Target as Receiver, UnixDatagramTarget,
    UnixStreamTarget,
};

/// An output that was opened while we could still do so.
pub(super) struct Opened {
    output: Output,
    target: Box<dyn Receiver>,
    spool: Option<Spool>,
}

/// An output at work.
pub(super) struct Running {
    pub(super) types: Types,
    pub(super) delivery: Arc<Delivery>,
    /// The most octets in its queue.
    pub(super) queue: u64,
}

/// Where nothing is configured, somebody looks: alerts are shown.
fn standard_output() -> Output {
    Output {
        name: "stdout".to_owned(),
        target: Target::File { path: "/dev/stdout".into(), rotation: None },
        types: "alert".parse().unwrap_or_default(),
        queue: Octets(Limits::default().octets as u64),
        spool: None,
    }
}

/// Opens files and spools, by the user that they belong to.
pub(super) fn open(config: &Config) -> Result<Vec<Opened>, Error> {
    let folder = config.state_directory.join("spool");
    let shown = [standard_output()];
    let outputs = if config.outputs.is_empty() { &shown[..] } else { &config.outputs };
    outputs
        .iter()
        .map(|output| {
            let failed = |error| Error::Output { name: output.name.clone(), error };
            let spool = output.spool.map(|limit| {
                std::fs::create_dir_all(&folder)?;
                Spool::open(&folder.join(&output.name), limit.0)
            });
            let target = target(output, config.host.as_deref()).map_err(failed)?;
            Ok(Opened { output: output.clone(), target, spool: spool.transpose().map_err(failed)? })
        })
        .collect()
}

/// Starts their threads, each confined. `network` is whether one of them needs it.
pub(super) fn start(opened: Vec<Opened>, network: bool) -> Result<Vec<Running>, Error> {
    let listener: Listener = Arc::new(|change: &Change| {
        let level = if change.kind.is_bad() { LogLevel::Error } else { LogLevel::Info };
        log::log(level, &change.to_string());
    });
    let start = |Opened { output, target, spool }| {
        let Output { name, types, queue, .. } = output;
        let limits = Limits { octets: queue.0 as usize, ..Limits::default() };
        let options = Options { name: name.clone(), limits, listener: Arc::clone(&listener) };
        let confine =
            move || sandbox::enter_thread(Role::Output, network).map_err(io::Error::other);
        let delivery = Delivery::start_after(confine, options, target, spool)
            .map_err(|error| Error::Output { name, error })?;
        Ok(Running { types, delivery: Arc::new(delivery), queue: queue.0 })
    };
    opened.into_iter().map(start).collect()
}

fn target(output: &Output, host: Option<&str>) -> io::Result<Box<dyn Receiver>> {
    Ok(match &output.target {
        Target::File { path, rotation } => {
            let rotation = rotation.as_ref().map(|rotation| Rotation {
                size: rotation.size.map(|size| size.0),
                every: rotation.every,
                names: match rotation.names {
                    RotatedNames::Numbered => Names::Numbered,
                    RotatedNames::Timed => Names::Timed,
                },
                keep: rotation.keep as usize,
            });
            Box::new(FileTarget::open(FileOptions { rotation, ..FileOptions::new(path) })?)
        }
        Target::UnixStream { path } => Box::new(UnixStreamTarget::new(path)),
        Target::UnixDatagram { path } => Box::new(UnixDatagramTarget::new(path)),
        Target::Syslog { address, protocol } => {
            let host = host.map_or_else(host_name, str::to_owned);
            let options = SyslogOptions { server: *address, facility: Facility::default(), host };
            match protocol {
                Transport::Udp => Box::new(Syslog::udp(&options)),
                Transport::Tcp => Box::new(Syslog::tcp(&options)),
            }
        }
    })
}

/// What the system calls itself.
fn host_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}
