//! The interfaces that are watched: opened at the start, and again when they come back.

use super::error::Error;
use super::log;
use super::sandbox;
use crate::capture::live::{Filter, Ring, RingOptions};
use crate::config::{self, Config};

/// The interfaces, in the order of the configuration.
#[derive(Debug)]
pub(super) struct Interfaces {
    all: Vec<Interface>,
    /// Rings of each: one a thread.
    threads: usize,
}

/// An interface, and how its rings are opened.
#[derive(Debug)]
struct Interface {
    name: String,
    options: RingOptions,
    /// Nothing is captured from it: it is looked for.
    missing: bool,
}

impl Interfaces {
    /// Opens the rings of all interfaces that are there, for each thread its own. One that is not
    /// there, or down, may come later: a host boots in any order, and a card can be pulled.
    pub(super) fn open(config: &Config) -> Result<(Self, Vec<Vec<Ring>>), Error> {
        let threads = config.threads.max(1) as usize;
        let mut of_threads: Vec<Vec<Ring>> = (0..threads).map(|_| Vec::new()).collect();
        let mut all = configured(config)?;
        for interface in &mut all {
            match Ring::open_group(&interface.name, threads, &interface.options) {
                Ok(rings) => {
                    of_threads.iter_mut().zip(rings).for_each(|(of, ring)| of.push(ring));
                }
                Err(error) if error.is_no_input() => {
                    log::warn(&format!("{error}; it is waited for"));
                    interface.missing = true;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok((Self { all, threads }, of_threads))
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.all.iter().map(|interface| interface.name.clone()).collect()
    }

    /// The rings of this interface are dead.
    pub(super) fn lost(&mut self, name: &str) {
        if let Some(interface) = self.all.iter_mut().find(|interface| interface.name == name) {
            interface.missing = true;
        }
    }

    /// Opens the rings of interfaces that are there again, each for the thread of this number.
    pub(super) fn look_for_missing(&mut self, mut found: impl FnMut(usize, Ring)) {
        for interface in self.all.iter_mut().filter(|interface| interface.missing) {
            let open = || Ring::open_group(&interface.name, self.threads, &interface.options);
            let Ok(Ok(rings)) = sandbox::with_net_raw(open) else { continue };
            rings.into_iter().enumerate().for_each(|(thread, ring)| found(thread, ring));
            interface.missing = false;
        }
    }
}

fn configured(config: &Config) -> Result<Vec<Interface>, Error> {
    let mut all = Vec::new();
    for interface in &config.interfaces {
        for name in interface.link.names() {
            let options = options(name, interface)?;
            all.push(Interface { name: name.clone(), options, missing: false });
        }
    }
    if all.is_empty() { Err(Error::NoInterface) } else { Ok(all) }
}

fn options(name: &str, interface: &config::Interface) -> Result<RingOptions, Error> {
    let ports: Vec<u16> = interface.filter.ports.iter().map(|port| port.get()).collect();
    let filter = Filter::new(&ports, &interface.filter.networks)
        .map_err(|error| Error::Filter { interface: name.to_owned(), error })?;
    let config::Ring { block_size, blocks, block_timeout } = interface.ring;
    Ok(RingOptions {
        block_size: block_size.0 as usize,
        blocks: blocks as usize,
        block_timeout,
        snap_length: interface.snap_length,
        promiscuous: interface.promiscuous,
        filter,
    })
}
