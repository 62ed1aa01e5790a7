//! Information elements bit by bit (IEC 60870-5-101, 7.2.6), and the information object that is
//! made of them.
//!
//! A type is a list of [`Element`]s ([`types`](super::types)). Each element fills its part of an
//! [`InformationObject`]; what no element fills stays absent.

use super::file::File;
use super::qualifier::{self, Qualifier};
use super::time::{Cp16Time2a, Cp24Time2a, Cp56Time2a, TimeTag};
use crate::bytes::{Cursor, Short};
use crate::event::Value;

/// An information element, named as in the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 7.2.6.1: single-point information with quality descriptor.
    Siq,
    /// 7.2.6.2: double-point information with quality descriptor.
    Diq,
    /// 7.2.6.3: quality descriptor.
    Qds,
    /// 7.2.6.4: quality descriptor for events of protection equipment.
    Qdp,
    /// 7.2.6.5: value with transient state indication.
    Vti,
    /// 7.2.6.6: normalized value.
    Nva,
    /// 7.2.6.7: scaled value.
    Sva,
    /// 7.2.6.8: short floating point number.
    Short,
    /// 7.2.6.9: binary counter reading.
    Bcr,
    /// 7.2.6.10: single event of protection equipment.
    Sep,
    /// 7.2.6.11: start events of protection equipment.
    Spe,
    /// 7.2.6.12: output circuit information of protection equipment.
    Oci,
    /// 7.2.6.13: binary state information.
    Bsi,
    /// 7.2.6.14: fixed test bit pattern.
    Fbp,
    /// 7.2.6.15: single command.
    Sco,
    /// 7.2.6.16: double command.
    Dco,
    /// 7.2.6.17: regulating step command.
    Rco,
    /// 7.2.6.18: seven octets of time, the time tag of an object.
    Cp56,
    /// 7.2.6.19: three octets of time, the time tag of an object.
    Cp24,
    /// 7.2.6.20: two octets of elapsed time.
    Cp16,
    /// 7.2.6.21: cause of initialization.
    Coi,
    /// 7.2.6.22: qualifier of interrogation.
    Qoi,
    /// 7.2.6.23: qualifier of counter interrogation.
    Qcc,
    /// 7.2.6.24: qualifier of parameters of measured values.
    Qpm,
    /// 7.2.6.25: qualifier of parameter activation.
    Qpa,
    /// 7.2.6.27: qualifier of reset process.
    Qrp,
    /// 7.2.6.28: file ready qualifier.
    Frq,
    /// 7.2.6.29: section ready qualifier.
    Srq,
    /// 7.2.6.30: select and call qualifier.
    Scq,
    /// 7.2.6.31: last section or segment qualifier.
    Lsq,
    /// 7.2.6.32: acknowledge file or section qualifier.
    Afq,
    /// 7.2.6.33: name of file.
    Nof,
    /// 7.2.6.34: name of section.
    Nos,
    /// 7.2.6.35: length of file or section.
    Lof,
    /// 7.2.6.36: length of segment.
    Los,
    /// 7.2.6.37: checksum.
    Chs,
    /// 7.2.6.38: status of file.
    Sof,
    /// 7.2.6.39: qualifier of set-point command.
    Qos,
    /// 7.2.6.40: status and status change detection.
    Scd,
    /// Test sequence counter (IEC 60870-5-104, 8.2).
    Tsc,
    /// Association of two users (IEC 60870-5-7).
    Aid,
    /// First and last moment of what is asked for (IEC 60870-5-104, 8.4).
    Range,
    /// Octets of a file, as many as the segment's length says.
    Segment,
    /// What a security type carries (IEC 60870-5-7); has no object address.
    Security,
}

/// What a point's state, or the state that a command wants, is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// OFF.
    Off,
    /// ON.
    On,
    /// On the way between the two determined states.
    Intermediate,
    /// It cannot be said.
    Indeterminate,
    /// No command at all.
    NotPermitted,
    /// Next step lower.
    Lower,
    /// Next step higher.
    Higher,
}

impl State {
    /// Names by code.
    pub const NAMES: &'static [&'static str; 7] =
        &["off", "on", "intermediate", "indeterminate", "not permitted", "lower", "higher"];

    const SINGLE: [Self; 2] = [Self::Off, Self::On];
    /// DPI, 7.2.6.2.
    const DOUBLE: [Self; 4] = [Self::Intermediate, Self::Off, Self::On, Self::Indeterminate];
    /// ES, 7.2.6.10.
    const EVENT: [Self; 4] = [Self::Indeterminate, Self::Off, Self::On, Self::Indeterminate];
    /// DCS, 7.2.6.16.
    const DOUBLE_COMMAND: [Self; 4] = [Self::NotPermitted, Self::Off, Self::On, Self::NotPermitted];
    /// RCS, 7.2.6.17.
    const STEP_COMMAND: [Self; 4] =
        [Self::NotPermitted, Self::Lower, Self::Higher, Self::NotPermitted];
}

/// The flags of one octet, some of which mean something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    bits: u8,
    defined: u8,
}

impl Flags {
    const fn new(bits: u8, defined: u8) -> Self {
        Self { bits, defined }
    }

    /// The flag, if the element has it. `mask` is one bit.
    #[inline]
    pub const fn get(self, mask: u8) -> Option<bool> {
        if self.defined & mask == 0 { None } else { Some(self.bits & mask != 0) }
    }
}

/// Bits of [`InformationObject::quality`] (7.2.6.3 and 7.2.6.4).
pub mod quality {
    /// OV.
    pub const OVERFLOW: u8 = 0x01;
    /// EI, of protection equipment only.
    pub const ELAPSED_TIME_INVALID: u8 = 0x08;
    /// BL.
    pub const BLOCKED: u8 = 0x10;
    /// SB.
    pub const SUBSTITUTED: u8 = 0x20;
    /// NT.
    pub const NOT_TOPICAL: u8 = 0x40;
    /// IV.
    pub const INVALID: u8 = 0x80;

    pub(super) const OF_POINT: u8 = BLOCKED | SUBSTITUTED | NOT_TOPICAL | INVALID;
    pub(super) const OF_VALUE: u8 = OF_POINT | OVERFLOW;
    pub(super) const OF_PROTECTION: u8 = OF_POINT | ELAPSED_TIME_INVALID;
}

/// Bits of [`InformationObject::start`] (7.2.6.11) and, but for the last two,
/// [`InformationObject::output`] (7.2.6.12).
pub mod protection {
    /// GS: start of operation; GC: command to the output circuit.
    pub const GENERAL: u8 = 0x01;
    /// Phase L1.
    pub const L1: u8 = 0x02;
    /// Phase L2.
    pub const L2: u8 = 0x04;
    /// Phase L3.
    pub const L3: u8 = 0x08;
    /// SIE: earth current.
    pub const EARTH: u8 = 0x10;
    /// SRD: reverse direction.
    pub const REVERSE: u8 = 0x20;

    pub(super) const OUTPUT: u8 = GENERAL | L1 | L2 | L3;
    pub(super) const START: u8 = OUTPUT | EARTH | REVERSE;
}

/// The last octet of a binary counter reading (7.2.6.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter(u8);

impl Counter {
    /// SQ: sequence number of the reading, 0 to 31.
    #[inline]
    pub const fn sequence(self) -> u8 {
        self.0 & 0x1F
    }

    /// CY: the counter overflowed since it was last read.
    #[inline]
    pub const fn carry(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// CA: the counter was adjusted since it was last read.
    #[inline]
    pub const fn adjusted(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// IV: the reading is not valid.
    #[inline]
    pub const fn invalid(self) -> bool {
        self.0 & 0x80 != 0
    }
}

/// One information object, decoded. What its type has no element for is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InformationObject<'a> {
    /// IOA, up to three octets.
    pub address: u32,
    /// What it is about: a number or a flag.
    pub value: Value<'static>,
    /// A normalized value before it is divided by 32,768.
    pub raw: Option<i16>,
    /// The value's name.
    pub state: Option<State>,
    /// VTI: the equipment is between two positions.
    pub transient: Option<bool>,
    /// S/E: select rather than execute.
    pub select: Option<bool>,
    /// QU, QL, QOI, RQT, KPA, QPA, QRP, COI, FRQ, SRQ, SCQ, LSQ or AFQ.
    pub qualifier: Option<u8>,
    /// Bits of [`quality`].
    pub quality: Flags,
    /// The time tag.
    pub time: Option<TimeTag>,
    /// A time that something took.
    pub elapsed: Option<Cp16Time2a>,
    /// What a counter reading carries beside its value.
    pub counter: Option<Counter>,
    /// Bits of [`protection`]: what started.
    pub start: Flags,
    /// Bits of [`protection`]: what was commanded.
    pub output: Flags,
    /// CD: which of the 16 states changed.
    pub change: Option<u16>,
    /// FRZ, 0 to 3.
    pub freeze: Option<u8>,
    /// LPC, or BS1 of COI: parameters were changed at the station.
    pub parameter_changed: Option<bool>,
    /// POP: the parameter is not in operation.
    pub out_of_operation: Option<bool>,
    /// AID.
    pub association: Option<u16>,
    /// What it is made of.
    elements: &'static [Element],
    /// Its octets without the address.
    octets: &'a [u8],
}

impl<'a> InformationObject<'a> {
    const EMPTY: Self = Self {
        address: 0,
        value: Value::Absent,
        raw: None,
        state: None,
        transient: None,
        select: None,
        qualifier: None,
        quality: Flags::new(0, 0),
        time: None,
        elapsed: None,
        counter: None,
        start: Flags::new(0, 0),
        output: Flags::new(0, 0),
        change: None,
        freeze: None,
        parameter_changed: None,
        out_of_operation: None,
        association: None,
        elements: &[],
        octets: &[],
    };

    /// Reads `elements` one after another.
    #[inline]
    pub fn decode(
        address: u32,
        elements: &'static [Element],
        cursor: &mut Cursor<'a>,
    ) -> Result<Self, Short> {
        let octets = cursor.rest();
        let mut object = Self { address, elements, octets, ..Self::EMPTY };
        for element in elements {
            object.read(*element, cursor)?;
        }
        Ok(object)
    }

    /// Its elements of file transfer.
    #[inline]
    pub fn file(&self) -> Option<File<'a>> {
        File::new(self.elements, self.octets)
    }

    /// The place of the qualifier's name in [`qualifier::NAMES`]; `None` for values that the
    /// standard gives no meaning.
    #[inline]
    pub fn qualifier_name(&self) -> Option<u8> {
        let value = self.qualifier?;
        self.elements.iter().find_map(|element| element.qualifier())?.name(value)
    }

    fn read(&mut self, element: Element, cursor: &mut Cursor<'_>) -> Result<(), Short> {
        match element {
            Element::Siq => {
                let octet = cursor.u8()?;
                self.single(octet);
                self.quality = Flags::new(octet, quality::OF_POINT);
            }
            Element::Diq => {
                let octet = cursor.u8()?;
                self.double(octet, State::DOUBLE);
                self.quality = Flags::new(octet, quality::OF_POINT);
            }
            Element::Qds => self.quality = Flags::new(cursor.u8()?, quality::OF_VALUE),
            Element::Qdp => self.quality = Flags::new(cursor.u8()?, quality::OF_PROTECTION),
            Element::Vti => {
                let octet = cursor.u8()?;
                // Seven bits with a sign, -64 to 63: moved to the top of the octet and back.
                self.value = Value::Integer(i64::from((octet << 1) as i8 >> 1));
                self.transient = Some(octet & 0x80 != 0);
            }
            Element::Nva => {
                let raw = cursor.u16_le()? as i16;
                self.value = Value::Double(f64::from(raw) / 32_768.0);
                self.raw = Some(raw);
            }
            Element::Sva => self.value = Value::Integer(i64::from(cursor.u16_le()? as i16)),
            Element::Short => self.value = Value::Single(cursor.f32_le()?),
            Element::Bcr => {
                self.value = Value::Integer(i64::from(cursor.u32_le()? as i32));
                self.counter = Some(Counter(cursor.u8()?));
            }
            Element::Sep => {
                let octet = cursor.u8()?;
                self.double(octet, State::EVENT);
                self.quality = Flags::new(octet, quality::OF_PROTECTION);
            }
            Element::Spe => self.start = Flags::new(cursor.u8()?, protection::START),
            Element::Oci => self.output = Flags::new(cursor.u8()?, protection::OUTPUT),
            Element::Bsi => self.value = Value::Integer(cursor.u32_le()?.into()),
            Element::Fbp | Element::Tsc => self.value = Value::Integer(cursor.u16_le()?.into()),
            Element::Scd => {
                self.value = Value::Integer(cursor.u16_le()?.into());
                self.change = Some(cursor.u16_le()?);
            }
            Element::Sco => {
                let octet = cursor.u8()?;
                self.single(octet);
                self.command(octet);
            }
            Element::Dco => {
                let octet = cursor.u8()?;
                self.double(octet, State::DOUBLE_COMMAND);
                self.command(octet);
            }
            Element::Rco => {
                let octet = cursor.u8()?;
                self.double(octet, State::STEP_COMMAND);
                self.command(octet);
            }
            Element::Qos => {
                let octet = cursor.u8()?;
                self.qualifier = Some(octet & 0x7F);
                self.select = Some(octet & 0x80 != 0);
            }
            Element::Cp56 => self.time = Some(TimeTag::Full(Cp56Time2a(cursor.array()?))),
            Element::Cp24 => self.time = Some(TimeTag::Short(Cp24Time2a(cursor.array()?))),
            Element::Cp16 => self.elapsed = Some(Cp16Time2a(cursor.array()?)),
            Element::Coi => {
                let octet = cursor.u8()?;
                self.qualifier = Some(octet & 0x7F);
                self.parameter_changed = Some(octet & 0x80 != 0);
            }
            Element::Qcc => {
                let octet = cursor.u8()?;
                self.qualifier = Some(octet & 0x3F);
                self.freeze = Some(octet >> 6);
            }
            Element::Qpm => {
                let octet = cursor.u8()?;
                self.qualifier = Some(octet & 0x3F);
                self.parameter_changed = Some(octet & 0x40 != 0);
                self.out_of_operation = Some(octet & 0x80 != 0);
            }
            Element::Qoi | Element::Qpa | Element::Qrp | Element::Lsq => {
                self.qualifier = Some(cursor.u8()?);
            }
            Element::Frq | Element::Srq => {
                self.qualifier = Some(cursor.u8()? & 0x7F);
            }
            Element::Scq | Element::Afq => {
                self.qualifier = Some(cursor.u8()? & 0x0F);
            }
            Element::Aid => self.association = Some(cursor.u16_le()?),
            // Read by `File` when somebody asks.
            Element::Nof
            | Element::Nos
            | Element::Lof
            | Element::Los
            | Element::Chs
            | Element::Sof
            | Element::Range
            | Element::Segment
            | Element::Security => {
                cursor.take(element.octets().map_or(cursor.left(), usize::from))?;
            }
        }
        Ok(())
    }

    /// SPI or SCS: the lowest bit.
    fn single(&mut self, octet: u8) {
        self.value = Value::Boolean(octet & 1 != 0);
        self.state = Some(State::SINGLE[usize::from(octet & 1)]);
    }

    /// DPI, ES, DCS or RCS: the two lowest bits.
    fn double(&mut self, octet: u8, states: [State; 4]) {
        self.value = Value::Integer(i64::from(octet & 3));
        self.state = Some(states[usize::from(octet & 3)]);
    }

    /// QOC (7.2.6.26): the upper six bits of a command.
    fn command(&mut self, octet: u8) {
        self.qualifier = Some(octet >> 2 & 0x1F);
        self.select = Some(octet & 0x80 != 0);
    }
}

impl Element {
    /// Octets; `None` where the length is told elsewhere.
    pub const fn octets(self) -> Option<u8> {
        Some(match self {
            Self::Segment | Self::Security => return None,
            Self::Siq
            | Self::Diq
            | Self::Qds
            | Self::Qdp
            | Self::Vti
            | Self::Sep
            | Self::Spe
            | Self::Oci
            | Self::Sco
            | Self::Dco
            | Self::Rco
            | Self::Coi
            | Self::Qoi
            | Self::Qcc
            | Self::Qpm
            | Self::Qpa
            | Self::Qrp
            | Self::Frq
            | Self::Srq
            | Self::Scq
            | Self::Lsq
            | Self::Afq
            | Self::Nos
            | Self::Los
            | Self::Chs
            | Self::Sof
            | Self::Qos => 1,
            Self::Nva | Self::Sva | Self::Fbp | Self::Cp16 | Self::Nof | Self::Tsc | Self::Aid => 2,
            Self::Cp24 | Self::Lof => 3,
            Self::Short | Self::Bsi | Self::Scd => 4,
            Self::Bcr => 5,
            Self::Cp56 => 7,
            Self::Range => 14,
        })
    }

    /// The qualifier that it is or has.
    pub const fn qualifier(self) -> Option<&'static Qualifier> {
        Some(match self {
            Self::Sco | Self::Dco | Self::Rco => &qualifier::QU,
            Self::Qos => &qualifier::QL,
            Self::Qoi => &qualifier::QOI,
            Self::Qcc => &qualifier::RQT,
            Self::Qpm => &qualifier::KPA,
            Self::Qpa => &qualifier::QPA,
            Self::Qrp => &qualifier::QRP,
            Self::Coi => &qualifier::COI,
            Self::Frq => &qualifier::FRQ,
            Self::Srq => &qualifier::SRQ,
            Self::Scq => &qualifier::SCQ,
            Self::Lsq => &qualifier::LSQ,
            Self::Afq => &qualifier::AFQ,
            _ => return None,
        })
    }

    /// The bits that the standard reserves and wants zero: a mask for each octet from the first;
    /// behind the last all are used.
    pub const fn reserved(self) -> &'static [u8] {
        match self {
            Self::Siq | Self::Qds => &[0x0E],
            Self::Diq => &[0x0C],
            Self::Qdp => &[0x07],
            Self::Sep => &[0x04],
            Self::Spe => &[0xC0],
            Self::Oci => &[0xF0],
            Self::Sco => &[0x02],
            Self::Cp56 => &[0, 0, 0, 0x60, 0, 0xF0, 0x80],
            Self::Range => &[0, 0, 0, 0x60, 0, 0xF0, 0x80, 0, 0, 0, 0x60, 0, 0xF0, 0x80],
            _ => &[],
        }
    }

    /// As the standard abbreviates it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Siq => "SIQ",
            Self::Diq => "DIQ",
            Self::Qds => "QDS",
            Self::Qdp => "QDP",
            Self::Vti => "VTI",
            Self::Nva => "NVA",
            Self::Sva => "SVA",
            Self::Short => "R32-IEEE STD 754",
            Self::Bcr => "BCR",
            Self::Sep => "SEP",
            Self::Spe => "SPE",
            Self::Oci => "OCI",
            Self::Bsi => "BSI",
            Self::Fbp => "FBP",
            Self::Sco => "SCO",
            Self::Dco => "DCO",
            Self::Rco => "RCO",
            Self::Cp56 | Self::Range => "CP56Time2a",
            Self::Cp24 => "CP24Time2a",
            Self::Cp16 => "CP16Time2a",
            Self::Coi => "COI",
            Self::Qoi => "QOI",
            Self::Qcc => "QCC",
            Self::Qpm => "QPM",
            Self::Qpa => "QPA",
            Self::Qrp => "QRP",
            Self::Frq => "FRQ",
            Self::Srq => "SRQ",
            Self::Scq => "SCQ",
            Self::Lsq => "LSQ",
            Self::Afq => "AFQ",
            Self::Nof => "NOF",
            Self::Nos => "NOS",
            Self::Lof => "LOF",
            Self::Los => "LOS",
            Self::Chs => "CHS",
            Self::Sof => "SOF",
            Self::Qos => "QOS",
            Self::Scd => "SCD",
            Self::Tsc => "TSC",
            Self::Aid => "AID",
            Self::Segment => "segment",
            Self::Security => "security",
        }
    }
}

#[cfg(test)]
#[path = "elements_tests.rs"]
mod tests;
