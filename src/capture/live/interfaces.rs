//! What can be captured from.

use std::os::fd::AsFd;

use ipnet::IpNet;
use pnet::datalink::NetworkInterface;

use super::sys::{Inquiry, inquiry_socket};
use crate::packet::LinkType;

/// A network interface and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its number; 0 if it went away while it was looked at.
    pub index: u32,
    /// Its own MAC address.
    pub mac: Option<[u8; 6]>,
    /// Its IP addresses with the lengths of their prefixes.
    pub addresses: Vec<IpNet>,
    /// Whether somebody switched it on.
    pub up: bool,
    /// Whether it can carry frames: it has a carrier.
    pub running: bool,
    /// Whether it leads back to this host.
    pub loopback: bool,
    /// Octets that a packet may have, if the system says so.
    pub mtu: Option<u32>,
    /// Whether the kernel joins segments that it receives (GRO), if the system says so. Captures
    /// then show packets that were never on the wire, of up to 64 KiB.
    pub receive_offload: Option<bool>,
    /// How its frames begin; `None` if that is not decoded, or the system does not say.
    pub link: Option<LinkType>,
}

/// All interfaces of this host, or of this network namespace, by index. Needs no permission.
pub fn interfaces() -> Vec<Interface> {
    let socket = inquiry_socket().ok();
    let inquiry = socket.as_ref().map(|socket| Inquiry::new(socket.as_fd()));
    let mut found: Vec<_> = pnet::datalink::interfaces()
        .into_iter()
        .map(|interface| described(interface, inquiry.as_ref()))
        .collect();
    found.sort_by_key(|interface| interface.index);
    found
}

/// The names of all interfaces.
pub(super) fn names() -> Vec<String> {
    pnet::datalink::interfaces().into_iter().map(|interface| interface.name).collect()
}

/// How frames of this hardware type begin: `ARPHRD_…` of `linux/if_arp.h`.
pub(super) const fn link_type(hardware: u16) -> Option<LinkType> {
    /// Of `linux/if_arp.h`: IP without a link layer, as modems have it.
    const RAW_IP: u16 = 519;
    match hardware {
        libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => Some(LinkType::Ethernet),
        libc::ARPHRD_NONE
        | RAW_IP
        | libc::ARPHRD_TUNNEL
        | libc::ARPHRD_TUNNEL6
        | libc::ARPHRD_SIT => Some(LinkType::Raw),
        _ => None,
    }
}

fn described(interface: NetworkInterface, inquiry: Option<&Inquiry<'_>>) -> Interface {
    let name = interface.name.as_str();
    let networks = interface.ips.iter();
    Interface {
        index: interface.index,
        mac: interface.mac.map(|mac| mac.octets()),
        addresses: networks
            .filter_map(|network| IpNet::new(network.ip(), network.prefix()).ok())
            .collect(),
        up: interface.is_up(),
        running: interface.is_running(),
        loopback: interface.is_loopback(),
        mtu: inquiry.and_then(|inquiry| inquiry.mtu(name).ok()),
        receive_offload: inquiry.and_then(|inquiry| inquiry.receive_offload(name).ok()),
        link: inquiry.and_then(|inquiry| inquiry.hardware(name).ok()).and_then(link_type),
        name: interface.name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_there_and_is_ethernet() {
        let all = interfaces();
        let loopback = all.iter().find(|interface| interface.loopback).unwrap();
        assert_eq!((loopback.name.as_str(), loopback.link), ("lo", Some(LinkType::Ethernet)));
        assert!(loopback.mtu.is_some_and(|mtu| mtu > 1000), "{loopback:?}");
        assert!(loopback.index > 0, "{loopback:?}");
    }
}
