//! Qualifiers: one table each, of what its values are called and which of them are reserved
//! (IEC 60870-5-101, 7.2.6.21 to 7.2.6.32, 7.2.6.38 and 7.2.6.39).
//!
//! A qualifier has up to three ranges: values of the standard, values that it reserves, and
//! private ones, which are left to agreement and no violation.

/// One qualifier, or one of the two that share an octet.
#[derive(Debug, PartialEq, Eq)]
pub struct Qualifier {
    /// What the standard calls it.
    pub abbreviation: &'static str,
    /// Its clause in IEC 60870-5-101.
    pub clause: &'static str,
    /// Its lowest bit in the octet.
    shift: u8,
    /// Its bits, once they are moved to the bottom.
    mask: u8,
    /// The values that the standard reserves, as ranges with both ends.
    reserved: &'static [(u8, u8)],
    /// The value that the first of `names` belongs to; the others follow it.
    first: u8,
    /// What its values are called.
    names: &'static [&'static str],
    /// Where `names` begin in [`NAMES`] or [`ERRORS`].
    base: u8,
}

impl Qualifier {
    /// Its value in an octet.
    #[inline]
    pub const fn of(&self, octet: u8) -> u8 {
        octet >> self.shift & self.mask
    }

    /// Whether the standard reserves this value.
    #[inline]
    pub fn reserves(&self, value: u8) -> bool {
        self.reserved.iter().any(|(first, last)| (*first..=*last).contains(&value))
    }

    /// The place of a value's name in [`NAMES`], or in [`ERRORS`]; `None` if it has none.
    pub fn name(&self, value: u8) -> Option<u8> {
        let index = value.checked_sub(self.first)?;
        (usize::from(index) < self.names.len()).then(|| self.base + index)
    }
}

/// QU, in commands.
pub static QU: Qualifier = Qualifier {
    abbreviation: "QU",
    clause: "7.2.6.26",
    shift: 2,
    mask: 0x1F,
    reserved: &[(4, 15)],
    first: 0,
    names: &["no additional definition", "short pulse", "long pulse", "persistent output"],
    base: 0,
};

/// QL, in set points.
pub static QL: Qualifier = Qualifier {
    abbreviation: "QL",
    clause: "7.2.6.39",
    shift: 0,
    mask: 0x7F,
    reserved: &[(1, 63)],
    first: 0,
    names: DEFAULT,
    base: after(&QU),
};

/// QOI: whom an interrogation asks.
pub static QOI: Qualifier = Qualifier {
    abbreviation: "QOI",
    clause: "7.2.6.22",
    shift: 0,
    mask: 0xFF,
    reserved: &[(0, 19), (37, 63)],
    first: 20,
    names: &[
        "station", "group 1", "group 2", "group 3", "group 4", "group 5", "group 6", "group 7",
        "group 8", "group 9", "group 10", "group 11", "group 12", "group 13", "group 14",
        "group 15", "group 16",
    ],
    base: after(&QL),
};

/// RQT: which counters are asked for.
pub static RQT: Qualifier = Qualifier {
    abbreviation: "RQT",
    clause: "7.2.6.23",
    shift: 0,
    mask: 0x3F,
    reserved: &[(0, 0), (6, 31)],
    first: 1,
    names: &[
        "counter group 1",
        "counter group 2",
        "counter group 3",
        "counter group 4",
        "all counters",
    ],
    base: after(&QOI),
};

/// KPA: the kind of a parameter.
pub static KPA: Qualifier = Qualifier {
    abbreviation: "KPA",
    clause: "7.2.6.24",
    shift: 0,
    mask: 0x3F,
    reserved: &[(0, 0), (5, 31)],
    first: 1,
    names: &["threshold", "smoothing factor", "low limit", "high limit"],
    base: after(&RQT),
};

/// QPA: which parameters are activated.
pub static QPA: Qualifier = Qualifier {
    abbreviation: "QPA",
    clause: "7.2.6.25",
    shift: 0,
    mask: 0xFF,
    reserved: &[(0, 0), (4, 127)],
    first: 1,
    names: &["loaded parameters", "parameter of the object", "cyclic transmission of the object"],
    base: after(&KPA),
};

/// QRP: what is reset.
pub static QRP: Qualifier = Qualifier {
    abbreviation: "QRP",
    clause: "7.2.6.27",
    shift: 0,
    mask: 0xFF,
    reserved: &[(0, 0), (3, 127)],
    first: 1,
    names: &["general reset", "reset of pending time-tagged information"],
    base: after(&QPA),
};

/// COI: why a station initialized.
pub static COI: Qualifier = Qualifier {
    abbreviation: "COI",
    clause: "7.2.6.21",
    shift: 0,
    mask: 0x7F,
    reserved: &[(3, 31)],
    first: 0,
    names: &["local power switch on", "local manual reset", "remote reset"],
    base: after(&QRP),
};

/// FRQ: whether a file is ready.
pub static FRQ: Qualifier = Qualifier {
    abbreviation: "FRQ",
    clause: "7.2.6.28",
    shift: 0,
    mask: 0x7F,
    reserved: &[(1, 63)],
    first: 0,
    names: DEFAULT,
    base: QL.base,
};

/// SRQ: whether a section is ready.
pub static SRQ: Qualifier = Qualifier {
    abbreviation: "SRQ",
    clause: "7.2.6.29",
    shift: 0,
    mask: 0x7F,
    reserved: &[(1, 63)],
    first: 0,
    names: DEFAULT,
    base: QL.base,
};

/// SCQ: what is selected or called.
pub static SCQ: Qualifier = Qualifier {
    abbreviation: "SCQ",
    clause: "7.2.6.30",
    shift: 0,
    mask: 0x0F,
    reserved: &[(8, 10)],
    first: 0,
    names: &[
        "default",
        "select file",
        "request file",
        "deactivate file",
        "delete file",
        "select section",
        "request section",
        "deactivate section",
    ],
    base: after(&COI),
};

/// LSQ: what a section or segment was the last of.
pub static LSQ: Qualifier = Qualifier {
    abbreviation: "LSQ",
    clause: "7.2.6.31",
    shift: 0,
    mask: 0xFF,
    reserved: &[(0, 0), (5, 127)],
    first: 1,
    names: &[
        "file transfer without deactivation",
        "file transfer with deactivation",
        "section transfer without deactivation",
        "section transfer with deactivation",
    ],
    base: after(&SCQ),
};

/// AFQ: what is acknowledged.
pub static AFQ: Qualifier = Qualifier {
    abbreviation: "AFQ",
    clause: "7.2.6.32",
    shift: 0,
    mask: 0x0F,
    reserved: &[(0, 0), (5, 10)],
    first: 1,
    names: &[
        "positive acknowledgement of file transfer",
        "negative acknowledgement of file transfer",
        "positive acknowledgement of section transfer",
        "negative acknowledgement of section transfer",
    ],
    base: after(&LSQ),
};

/// The upper four bits of SCQ and AFQ: what went wrong.
pub static ERROR: Qualifier = Qualifier {
    abbreviation: "error of SCQ or AFQ",
    clause: "7.2.6.30, 7.2.6.32",
    shift: 4,
    mask: 0x0F,
    reserved: &[(6, 10)],
    first: 0,
    names: ERRORS,
    base: 0,
};

/// STATUS of SOF.
pub static STATUS: Qualifier = Qualifier {
    abbreviation: "SOF",
    clause: "7.2.6.38",
    shift: 0,
    mask: 0x1F,
    reserved: &[(1, 15)],
    first: 0,
    names: &[],
    base: 0,
};

/// Names of errors of file transfer, by code.
pub static ERRORS: &[&str; 6] = &[
    "default",
    "requested memory space not available",
    "checksum failed",
    "unexpected communication service",
    "unexpected name of file",
    "unexpected name of section",
];

/// Names of FRZ (7.2.6.23), by code.
pub static FREEZES: &[&str; 4] =
    &["read", "freeze without reset", "freeze with reset", "counter reset"];

const DEFAULT: &[&str] = &["default"];

/// Those whose names are told under one name of a field. FRQ and SRQ share theirs with QL.
static NAMED: [&Qualifier; 11] = [&QU, &QL, &QOI, &RQT, &KPA, &QPA, &QRP, &COI, &SCQ, &LSQ, &AFQ];

/// Every name of a value of a qualifier.
pub static NAMES: &[&str; after(&AFQ) as usize] = &names();

const fn after(before: &Qualifier) -> u8 {
    before.base + before.names.len() as u8
}

const fn names() -> [&'static str; after(&AFQ) as usize] {
    let mut all = [""; after(&AFQ) as usize];
    let mut table = 0;
    while table < NAMED.len() {
        let mut index = 0;
        while index < NAMED[table].names.len() {
            all[NAMED[table].base as usize + index] = NAMED[table].names[index];
            index += 1;
        }
        table += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All of them, and how many values each has.
    fn all() -> impl Iterator<Item = (&'static Qualifier, u8)> {
        NAMED.into_iter().chain([&FRQ, &SRQ, &ERROR, &STATUS]).map(|table| (table, table.mask))
    }

    #[test]
    fn what_has_a_name_is_not_reserved() {
        for (table, last) in all() {
            for value in 0..=last {
                let named = table.name(value).is_some();
                assert!(!(named && table.reserves(value)), "{} {value}", table.abbreviation);
            }
        }
    }

    #[test]
    fn every_value_below_the_private_ones_is_named_or_reserved() {
        for (table, first_private) in [
            (&QU, 16),
            (&QL, 64),
            (&QOI, 64),
            (&RQT, 32),
            (&KPA, 32),
            (&QPA, 128),
            (&QRP, 128),
            (&COI, 32),
            (&FRQ, 64),
            (&SRQ, 64),
            (&SCQ, 11),
            (&LSQ, 128),
            (&AFQ, 11),
            (&ERROR, 11),
        ] {
            for value in 0..=table.mask {
                let told = table.name(value).is_some() || table.reserves(value);
                assert_eq!(told, value < first_private, "{} {value}", table.abbreviation);
            }
        }
    }

    #[test]
    fn a_name_stands_where_its_value_says() {
        let name = |table: &Qualifier, value| NAMES[usize::from(table.name(value).unwrap())];
        assert_eq!(name(&QU, 3), "persistent output");
        assert_eq!(name(&QL, 0), "default");
        assert_eq!(name(&QOI, 20), "station");
        assert_eq!(name(&QOI, 36), "group 16");
        assert_eq!(name(&RQT, 5), "all counters");
        assert_eq!(name(&KPA, 1), "threshold");
        assert_eq!(name(&QPA, 3), "cyclic transmission of the object");
        assert_eq!(name(&QRP, 1), "general reset");
        assert_eq!(name(&COI, 2), "remote reset");
        assert_eq!(name(&FRQ, 0), "default");
        assert_eq!(name(&SCQ, 7), "deactivate section");
        assert_eq!(name(&LSQ, 1), "file transfer without deactivation");
        assert_eq!(name(&AFQ, 4), "negative acknowledgement of section transfer");
        assert_eq!(ERROR.name(2).map(|code| ERRORS[usize::from(code)]), Some("checksum failed"));
        assert!(NAMES.iter().all(|name| !name.is_empty()));
        let mut names = NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len() + 1, NAMES.len(), "only `default` stands twice");
    }
}
