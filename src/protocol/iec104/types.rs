//! The type identifications: one line a type, read by decoder, checks, names and detection
//! (IEC 60870-5-101, 7.2.1 and clause 8; IEC 60870-5-104, clause 8; IEC 60870-5-7).

use super::cause::{self, Causes};
use super::elements::Element::{
    self, Afq, Aid, Bcr, Bsi, Chs, Coi, Cp16, Cp24, Cp56, Dco, Diq, Fbp, Frq, Lof, Los, Lsq, Nof,
    Nos, Nva, Oci, Qcc, Qdp, Qds, Qoi, Qos, Qpa, Qpm, Qrp, Range, Rco, Scd, Sco, Scq, Security,
    Segment, Sep, Short, Siq, Sof, Spe, Srq, Sva, Tsc, Vti,
};

/// One type identification.
#[derive(Debug, PartialEq, Eq)]
pub struct Type {
    /// 1 to 127.
    pub id: u8,
    /// As the standard abbreviates it.
    pub name: &'static str,
    /// The elements of each information object, after its address.
    pub elements: &'static [Element],
    /// Octets of these elements; `None` where the length varies.
    pub octets: Option<u8>,
    /// How many of them an ASDU holds, and how they are addressed.
    pub structure: Structure,
    /// The causes with which it may be sent.
    pub causes: Causes,
    /// What addresses its objects may have.
    pub address: AddressRule,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether its activation is confirmed (causes 7 and 9). A read is answered by the object.
    pub confirmed: bool,
    /// Whether its activation is terminated (cause 10).
    pub terminated: Terminated,
}

/// Whether the end of what an activation began is told with cause 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminated {
    /// Never.
    No,
    /// Commands: some stations tell of it, some do not.
    WhereTheStationDoes,
    /// Interrogations.
    Yes,
}

impl Type {
    /// The fewest octets that its elements can have: of those whose length varies, security has
    /// at least an octet of segmentation, or a user.
    pub fn least(&self) -> usize {
        match self.purpose {
            Purpose::Security => 1,
            _ => self.elements.iter().filter_map(|element| element.octets()).map(usize::from).sum(),
        }
    }
}

/// What the variable structure qualifier may say (IEC 60870-5-101, 7.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structure {
    /// SQ = 0, one object.
    One,
    /// SQ = 0, objects with an address each.
    Several,
    /// The same, or SQ = 1.
    SeveralOrSequence,
    /// SQ = 1: the address of the first object, then elements of consecutive addresses.
    Sequence,
}

impl Structure {
    /// Whether SQ may be as it is.
    #[inline]
    pub const fn allows_sequence(self, sequence: bool) -> bool {
        match self {
            Self::One | Self::Several => !sequence,
            Self::SeveralOrSequence => true,
            Self::Sequence => sequence,
        }
    }

    /// Whether there may be so many objects.
    #[inline]
    pub const fn allows_count(self, count: u8) -> bool {
        !matches!(self, Self::One) || count <= 1
    }
}

/// Which addresses an information object may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRule {
    /// Zero is required: the object is the station itself.
    Zero,
    /// Zero is no point.
    Point,
    /// Type 113: zero with QPA 1 and 2, a parameter's address with QPA 3.
    ByQualifier,
    /// Anything, or there is no address.
    Free,
}

/// What a type is for; with the cause it tells who may send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Process information in monitor direction.
    Process,
    /// A command or set point to the process.
    Command,
    /// System information in monitor direction.
    Station,
    /// System commands: interrogation, read, clock, test, reset.
    System,
    /// Parameters.
    Parameter,
    /// File transfer.
    File,
    /// Security.
    Security,
}

/// The type with this identification; `None` if it is reserved or private.
#[inline]
pub fn by_id(id: u8) -> Option<&'static Type> {
    BY_ID[usize::from(id)]
}

/// Types from here on are private: left to agreement between the stations.
pub const FIRST_PRIVATE: u8 = 128;

/// Names by identification; `""` where it is reserved or private.
pub static NAMES: &[&str; 256] = &names();

const ONE: Structure = Structure::One;
const SEVERAL: Structure = Structure::Several;
const SEQUENCE_TOO: Structure = Structure::SeveralOrSequence;

/// Returned by a remote or local command.
const RETURNED: Causes = Causes::range(11, 12);
/// Interrogated, by the station or a group.
const INTERROGATED: Causes = Causes::range(20, 36);
/// Counters requested, all or a group.
const COUNTERS: Causes = Causes::range(37, 41);
/// The negative answers: unknown type, cause, common address, object address.
const UNKNOWN: Causes = Causes::range(44, 47);
const REQUEST: Causes = Causes::one(cause::REQUEST);
const SPONTANEOUS: Causes = Causes::one(cause::SPONTANEOUS);
const INITIALIZED: Causes = Causes::one(cause::INITIALIZED);
const ACTIVATION: Causes = Causes::range(cause::ACTIVATION, cause::ACTIVATION_CONFIRMATION);
const DEACTIVATION: Causes = Causes::range(cause::DEACTIVATION, cause::DEACTIVATION_CONFIRMATION);
const SECURITY: Causes = Causes::range(14, 16);

const TAGGED: Causes = SPONTANEOUS.and(REQUEST);
const TAGGED_POINT: Causes = TAGGED.and(RETURNED);
const POINT: Causes = TAGGED_POINT.and(Causes::one(cause::BACKGROUND)).and(INTERROGATED);
const MEASURED: Causes =
    TAGGED.and(Causes::range(cause::CYCLIC, cause::BACKGROUND)).and(INTERROGATED);
const COUNTED: Causes = SPONTANEOUS.and(COUNTERS);
const COMMAND: Causes =
    ACTIVATION.and(DEACTIVATION).and(Causes::one(cause::ACTIVATION_TERMINATION)).and(UNKNOWN);
const ACTIVATED: Causes = ACTIVATION.and(UNKNOWN);
const PARAMETER: Causes = ACTIVATED.and(INTERROGATED);
const FILE: Causes = Causes::one(13).and(UNKNOWN);

/// In order of their identifications. Columns: identification, name, elements, structure, causes.
pub static TYPES: &[Type] = &[
    process(1, "M_SP_NA_1", &[Siq], SEQUENCE_TOO, POINT),
    process(2, "M_SP_TA_1", &[Siq, Cp24], SEVERAL, TAGGED_POINT),
    process(3, "M_DP_NA_1", &[Diq], SEQUENCE_TOO, POINT),
    process(4, "M_DP_TA_1", &[Diq, Cp24], SEVERAL, TAGGED_POINT),
    process(5, "M_ST_NA_1", &[Vti, Qds], SEQUENCE_TOO, POINT),
    process(6, "M_ST_TA_1", &[Vti, Qds, Cp24], SEVERAL, TAGGED_POINT),
    process(7, "M_BO_NA_1", &[Bsi, Qds], SEQUENCE_TOO, POINT),
    process(8, "M_BO_TA_1", &[Bsi, Qds, Cp24], SEVERAL, TAGGED),
    process(9, "M_ME_NA_1", &[Nva, Qds], SEQUENCE_TOO, MEASURED),
    process(10, "M_ME_TA_1", &[Nva, Qds, Cp24], SEVERAL, TAGGED),
    process(11, "M_ME_NB_1", &[Sva, Qds], SEQUENCE_TOO, MEASURED),
    process(12, "M_ME_TB_1", &[Sva, Qds, Cp24], SEVERAL, TAGGED),
    process(13, "M_ME_NC_1", &[Short, Qds], SEQUENCE_TOO, MEASURED),
    process(14, "M_ME_TC_1", &[Short, Qds, Cp24], SEVERAL, TAGGED),
    process(15, "M_IT_NA_1", &[Bcr], SEQUENCE_TOO, COUNTED),
    process(16, "M_IT_TA_1", &[Bcr, Cp24], SEVERAL, COUNTED),
    process(17, "M_EP_TA_1", &[Sep, Cp16, Cp24], SEVERAL, SPONTANEOUS),
    process(18, "M_EP_TB_1", &[Spe, Qdp, Cp16, Cp24], ONE, SPONTANEOUS),
    process(19, "M_EP_TC_1", &[Oci, Qdp, Cp16, Cp24], ONE, SPONTANEOUS),
    process(20, "M_PS_NA_1", &[Scd, Qds], SEQUENCE_TOO, POINT),
    process(21, "M_ME_ND_1", &[Nva], SEQUENCE_TOO, MEASURED),
    process(30, "M_SP_TB_1", &[Siq, Cp56], SEVERAL, TAGGED_POINT),
    process(31, "M_DP_TB_1", &[Diq, Cp56], SEVERAL, TAGGED_POINT),
    process(32, "M_ST_TB_1", &[Vti, Qds, Cp56], SEVERAL, TAGGED_POINT),
    process(33, "M_BO_TB_1", &[Bsi, Qds, Cp56], SEVERAL, TAGGED),
    process(34, "M_ME_TD_1", &[Nva, Qds, Cp56], SEVERAL, TAGGED),
    process(35, "M_ME_TE_1", &[Sva, Qds, Cp56], SEVERAL, TAGGED),
    process(36, "M_ME_TF_1", &[Short, Qds, Cp56], SEVERAL, TAGGED),
    process(37, "M_IT_TB_1", &[Bcr, Cp56], SEVERAL, COUNTED),
    process(38, "M_EP_TD_1", &[Sep, Cp16, Cp56], SEVERAL, SPONTANEOUS),
    process(39, "M_EP_TE_1", &[Spe, Qdp, Cp16, Cp56], ONE, SPONTANEOUS),
    process(40, "M_EP_TF_1", &[Oci, Qdp, Cp16, Cp56], ONE, SPONTANEOUS),
    process(41, "S_IT_TC_1", &[Aid, Bcr, Cp56], SEVERAL, COUNTED),
    command(45, "C_SC_NA_1", &[Sco]),
    command(46, "C_DC_NA_1", &[Dco]),
    command(47, "C_RC_NA_1", &[Rco]),
    command(48, "C_SE_NA_1", &[Nva, Qos]),
    command(49, "C_SE_NB_1", &[Sva, Qos]),
    command(50, "C_SE_NC_1", &[Short, Qos]),
    command(51, "C_BO_NA_1", &[Bsi]),
    command(58, "C_SC_TA_1", &[Sco, Cp56]),
    command(59, "C_DC_TA_1", &[Dco, Cp56]),
    command(60, "C_RC_TA_1", &[Rco, Cp56]),
    command(61, "C_SE_TA_1", &[Nva, Qos, Cp56]),
    command(62, "C_SE_TB_1", &[Sva, Qos, Cp56]),
    command(63, "C_SE_TC_1", &[Short, Qos, Cp56]),
    command(64, "C_BO_TA_1", &[Bsi, Cp56]),
    station(70, "M_EI_NA_1", &[Coi], INITIALIZED),
    security(81, "S_CH_NA_1"),
    security(82, "S_RP_NA_1"),
    security(83, "S_AR_NA_1"),
    security(84, "S_KR_NA_1"),
    security(85, "S_KS_NA_1"),
    security(86, "S_KC_NA_1"),
    security(87, "S_ER_NA_1"),
    security(90, "S_US_NA_1"),
    security(91, "S_UQ_NA_1"),
    security(92, "S_UR_NA_1"),
    security(93, "S_UK_NA_1"),
    security(94, "S_UA_NA_1"),
    security(95, "S_UC_NA_1"),
    Type { terminated: Terminated::Yes, ..system(100, "C_IC_NA_1", &[Qoi], COMMAND) },
    Type { terminated: Terminated::Yes, ..system(101, "C_CI_NA_1", &[Qcc], COMMAND) },
    Type {
        address: AddressRule::Point,
        confirmed: false,
        ..system(102, "C_RD_NA_1", &[], REQUEST.and(UNKNOWN))
    },
    system(103, "C_CS_NA_1", &[Cp56], ACTIVATED.and(SPONTANEOUS)),
    system(104, "C_TS_NA_1", &[Fbp], ACTIVATED),
    system(105, "C_RP_NA_1", &[Qrp], ACTIVATED),
    system(106, "C_CD_NA_1", &[Cp16], ACTIVATED.and(SPONTANEOUS)),
    system(107, "C_TS_TA_1", &[Tsc, Cp56], ACTIVATED),
    parameter(110, "P_ME_NA_1", &[Nva, Qpm], AddressRule::Point, PARAMETER),
    parameter(111, "P_ME_NB_1", &[Sva, Qpm], AddressRule::Point, PARAMETER),
    parameter(112, "P_ME_NC_1", &[Short, Qpm], AddressRule::Point, PARAMETER),
    parameter(113, "P_AC_NA_1", &[Qpa], AddressRule::ByQualifier, ACTIVATED.and(DEACTIVATION)),
    file(120, "F_FR_NA_1", &[Nof, Lof, Frq], ONE, FILE),
    file(121, "F_SR_NA_1", &[Nof, Nos, Lof, Srq], ONE, FILE),
    file(122, "F_SC_NA_1", &[Nof, Nos, Scq], ONE, FILE.and(REQUEST)),
    file(123, "F_LS_NA_1", &[Nof, Nos, Lsq, Chs], ONE, FILE),
    file(124, "F_AF_NA_1", &[Nof, Nos, Afq], ONE, FILE),
    file(125, "F_SG_NA_1", &[Nof, Nos, Los, Segment], ONE, FILE),
    file(126, "F_DR_TA_1", &[Nof, Lof, Sof, Cp56], Structure::Sequence, TAGGED),
    file(127, "F_SC_NB_1", &[Nof, Range], ONE, FILE),
];

const fn process(
    id: u8,
    name: &'static str,
    elements: &'static [Element],
    structure: Structure,
    causes: Causes,
) -> Type {
    Type {
        id,
        name,
        elements,
        octets: octets(elements),
        structure,
        causes,
        address: AddressRule::Point,
        purpose: Purpose::Process,
        confirmed: false,
        terminated: Terminated::No,
    }
}

const fn command(id: u8, name: &'static str, elements: &'static [Element]) -> Type {
    Type {
        purpose: Purpose::Command,
        confirmed: true,
        terminated: Terminated::WhereTheStationDoes,
        ..process(id, name, elements, ONE, COMMAND)
    }
}

const fn station(id: u8, name: &'static str, elements: &'static [Element], causes: Causes) -> Type {
    let address = AddressRule::Zero;
    Type { address, purpose: Purpose::Station, ..process(id, name, elements, ONE, causes) }
}

const fn system(id: u8, name: &'static str, elements: &'static [Element], causes: Causes) -> Type {
    Type { purpose: Purpose::System, confirmed: true, ..station(id, name, elements, causes) }
}

const fn parameter(
    id: u8,
    name: &'static str,
    elements: &'static [Element],
    address: AddressRule,
    causes: Causes,
) -> Type {
    Type {
        address,
        purpose: Purpose::Parameter,
        confirmed: true,
        ..process(id, name, elements, ONE, causes)
    }
}

const fn file(
    id: u8,
    name: &'static str,
    elements: &'static [Element],
    structure: Structure,
    causes: Causes,
) -> Type {
    let address = AddressRule::Free;
    Type { address, purpose: Purpose::File, ..process(id, name, elements, structure, causes) }
}

const fn security(id: u8, name: &'static str) -> Type {
    let address = AddressRule::Free;
    Type { address, purpose: Purpose::Security, ..process(id, name, &[Security], ONE, SECURITY) }
}

const fn octets(elements: &[Element]) -> Option<u8> {
    let mut sum = 0;
    let mut index = 0;
    while index < elements.len() {
        match elements[index].octets() {
            Some(octets) => sum += octets,
            None => return None,
        }
        index += 1;
    }
    Some(sum)
}

static BY_ID: [Option<&'static Type>; 256] = {
    let mut by_id = [None; 256];
    let mut index = 0;
    while index < TYPES.len() {
        by_id[TYPES[index].id as usize] = Some(&TYPES[index]);
        index += 1;
    }
    by_id
};

const fn names() -> [&'static str; 256] {
    let mut names = [""; 256];
    let mut index = 0;
    while index < TYPES.len() {
        names[TYPES[index].id as usize] = TYPES[index].name;
        index += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_stands_once_and_in_order() {
        for pair in TYPES.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} before {}", pair[0].name, pair[1].name);
        }
        assert_eq!(TYPES.len(), 81);
        assert_eq!(by_id(45).map(|found| found.name), Some("C_SC_NA_1"));
        for reserved in [0, 22, 29, 42, 44, 52, 57, 65, 69, 71, 80, 88, 89, 96, 99, 108, 114, 119] {
            assert!(by_id(reserved).is_none(), "{reserved}");
        }
        assert!((FIRST_PRIVATE..=255).all(|id| by_id(id).is_none()));
    }

    #[test]
    fn objects_are_as_long_as_the_standard_draws_them() {
        // IEC 60870-5-101, 7.3 and IEC 60870-5-104, 8: without the object's address.
        for (id, octets) in [
            (1, 1),
            (8, 8),
            (16, 8),
            (18, 7),
            (20, 5),
            (21, 2),
            (32, 9),
            (36, 12),
            (38, 10),
            (40, 11),
            (41, 14),
            (50, 5),
            (63, 12),
            (64, 11),
            (70, 1),
            (102, 0),
            (107, 9),
            (113, 1),
            (121, 7),
            (126, 13),
            (127, 16),
        ] {
            assert_eq!(by_id(id).and_then(|found| found.octets), Some(octets), "type {id}");
        }
        assert!([81, 95, 125].into_iter().all(|id| by_id(id).unwrap().octets.is_none()));
    }

    #[test]
    fn what_is_terminated_is_confirmed() {
        let ids = |wanted: fn(&Type) -> bool| -> Vec<u8> {
            TYPES.iter().filter(|found| wanted(found)).map(|found| found.id).collect()
        };
        let commands: Vec<u8> = (45..=51).chain(58..=64).collect();
        let confirmed: Vec<u8> =
            commands.iter().copied().chain([100, 101]).chain(103..=107).chain(110..=113).collect();
        assert_eq!(ids(|found| found.confirmed), confirmed);
        assert_eq!(ids(|found| found.terminated == Terminated::WhereTheStationDoes), commands);
        assert_eq!(ids(|found| found.terminated == Terminated::Yes), [100, 101]);
    }

    #[test]
    fn a_name_tells_the_direction() {
        for found in TYPES {
            let first = found.name.as_bytes()[0];
            let expected: &[u8] = match found.purpose {
                Purpose::Process => b"MS",
                Purpose::Station => b"M",
                Purpose::Command | Purpose::System => b"C",
                Purpose::Parameter => b"P",
                Purpose::File => b"F",
                Purpose::Security => b"S",
            };
            assert!(expected.contains(&first), "{}", found.name);
        }
    }
}
