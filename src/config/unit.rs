//! What the service's unit and its drop-ins allow. The shipped unit cuts the daemon off from the
//! network; a syslog server needs a drop-in, and a forgotten one shows only as an output that
//! never gets through.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

/// Where systemd looks for units, the most important first.
const FOLDERS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// What the lines of the unit and of its drop-ins say of the network.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Unit {
    installed: bool,
    families: Vec<String>,
    allowed: Vec<String>,
}

impl Unit {
    /// As it is installed on this machine.
    pub(super) fn installed() -> Self {
        Self::in_folders(FOLDERS.iter().map(Path::new))
    }

    pub(super) fn in_folders<'p>(folders: impl Iterator<Item = &'p Path>) -> Self {
        let mut unit = Self::default();
        for folder in folders {
            if let Ok(text) = fs::read_to_string(folder.join("gridtap.service")) {
                unit.installed = true;
                unit.read(&text);
            }
            let drop_ins = fs::read_dir(folder.join("gridtap.service.d"));
            for entry in drop_ins.into_iter().flatten().flatten() {
                if entry.path().extension().is_some_and(|end| end == "conf") {
                    unit.read(&fs::read_to_string(entry.path()).unwrap_or_default());
                }
            }
        }
        unit
    }

    fn read(&mut self, text: &str) {
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else { continue };
            let words = value.split_whitespace().map(str::to_owned);
            match key.trim() {
                "RestrictAddressFamilies" => self.families.extend(words),
                "IPAddressAllow" => self.allowed.extend(words),
                _ => {}
            }
        }
    }

    /// Whether the service may send to `address`. Where it is not installed, nothing stops us.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        let family = if address.is_ipv4() { "AF_INET" } else { "AF_INET6" };
        !self.installed
            || self.families.iter().any(|allowed| allowed == family)
                && self.allowed.iter().any(|allowed| covers(allowed, address))
    }
}

/// As systemd.resource-control(5) has it.
fn covers(allowed: &str, address: IpAddr) -> bool {
    match allowed {
        "any" => true,
        "localhost" => address.is_loopback(),
        "link-local" => match address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        },
        "multicast" => address.is_multicast(),
        _ => {
            let network = allowed.parse().or_else(|_| allowed.parse::<IpAddr>().map(IpNet::from));
            network.is_ok_and(|network| network.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = "[Service]\nRestrictAddressFamilies=AF_UNIX AF_PACKET AF_NETLINK\n\
                           IPAddressDeny=any\nIPAddressAllow=localhost\n";

    #[test]
    fn a_drop_in_opens_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let unit = || Unit::in_folders([folder.path()].into_iter());
        let [server, other] = ["192.0.2.7", "192.0.3.7"].map(|address| address.parse().unwrap());
        assert!(unit().allows(server), "without a unit nothing stops us");

        fs::write(folder.path().join("gridtap.service"), SHIPPED).unwrap();
        assert!(!unit().allows(server));

        let drop_ins = folder.path().join("gridtap.service.d");
        fs::create_dir(&drop_ins).unwrap();
        let drop_in = "[Service]\nRestrictAddressFamilies=AF_INET\nIPAddressAllow=192.0.2.0/24\n";
        fs::write(drop_ins.join("syslog.txt"), drop_in).unwrap();
        assert!(!unit().allows(server), "not a .conf file");
        fs::write(drop_ins.join("syslog.conf"), drop_in).unwrap();
        assert!(unit().allows(server) && !unit().allows(other));
        assert!(!unit().allows("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn words_of_systemd() {
        let covers = |allowed, address: &str| covers(allowed, address.parse().unwrap());
        assert!(covers("any", "10.0.0.1") && covers("10.0.0.1", "10.0.0.1"));
        assert!(covers("localhost", "::1") && !covers("localhost", "10.0.0.1"));
        assert!(covers("link-local", "169.254.1.1") && covers("multicast", "224.0.0.1"));
        assert!(!covers("nonsense", "10.0.0.1"));
    }
}
