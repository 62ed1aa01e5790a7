//! The IP header, with extension headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::err::ipv6_exts::HeaderSliceError;
use etherparse::{IpNumber, Ipv6ExtensionSlice, LaxIpSlice};

use super::checksum::{fold, sum};
use super::{Defect, Skip};

/// An IP packet, opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ip<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) protocol: u8,
    /// Time to live, or hop limit.
    pub(super) ttl: u8,
    /// What is above IP, without the padding that the link added.
    pub(super) payload: &'a [u8],
    /// Octets behind it that were not captured.
    pub(super) missing: usize,
    /// The security parameters index of an authentication header (RFC 4302) that was taken off.
    pub(super) authenticated: Option<u32>,
}

pub(super) const TCP: u8 = 6;
const UDP: u8 = 17;

/// Opens the packet that begins with the first of `bytes`.
#[inline(always)]
pub(super) fn decode(bytes: &[u8]) -> Result<Ip<'_>, Skip> {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => ipv4(bytes),
        Some(6) => ipv6(bytes),
        Some(_) => Err(Defect::IpVersion.into()),
        None => Err(Skip::Short(Defect::IpHeader)),
    }
}

/// RFC 791, 3.1:
///
/// ```text
///  0        1        2        4        6         8    9         10        12      16
/// |ver|ihl | tos    | length | ident | flags|off | ttl | proto | checksum | source | destination |
/// ```
#[inline(always)]
fn ipv4(bytes: &[u8]) -> Result<Ip<'_>, Skip> {
    let Some(header) = bytes.first_chunk::<20>() else {
        return Err(Skip::Short(Defect::IpHeader));
    };
    let header_length = usize::from(header[0] & 0x0f) * 4;
    // A checksum of zero was left to the network card, which had not seen the packet yet.
    if header[10..12] != [0, 0] {
        let whole = bytes.get(..header_length.max(20)).ok_or(Skip::Short(Defect::IpHeader))?;
        if fold(sum(whole)) != 0xffff {
            return Err(Defect::IpChecksum.into());
        }
    }
    let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff;
    let protocol = header[9];
    if header_length != 20 || fragment != 0 || !matches!(protocol, TCP | UDP) {
        return uncommon(bytes);
    }
    // Zero where segmentation was left to the network card.
    let total = match usize::from(u16::from_be_bytes([header[2], header[3]])) {
        0 => bytes.len(),
        total => total,
    };
    if total < 20 {
        return Err(Defect::IpLength.into());
    }
    let octets = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
    Ok(Ip {
        source: IpAddr::V4(Ipv4Addr::from(octets(12))),
        destination: IpAddr::V4(Ipv4Addr::from(octets(16))),
        protocol,
        ttl: header[8],
        payload: bytes.get(20..total.min(bytes.len())).unwrap_or_default(),
        missing: total.saturating_sub(bytes.len()),
        authenticated: None,
    })
}

/// RFC 8200, 3:
///
/// ```text
///  0                      4        6      7           8        24
/// |ver|class|flow label  | length | next | hop limit | source | destination |
/// ```
#[inline]
fn ipv6(bytes: &[u8]) -> Result<Ip<'_>, Skip> {
    let Some((header, rest)) = bytes.split_first_chunk::<40>() else {
        return Err(Skip::Short(Defect::IpHeader));
    };
    let protocol = header[6];
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if length == 0 || !matches!(protocol, TCP | UDP) {
        return uncommon(bytes);
    }
    let address = |at: usize| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&header[at..at + 16]);
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    Ok(Ip {
        source: address(8),
        destination: address(24),
        protocol,
        ttl: header[7],
        payload: rest.get(..length.min(rest.len())).unwrap_or_default(),
        missing: length.saturating_sub(rest.len()),
        authenticated: None,
    })
}

/// Options, extension headers, fragments, and protocols that are neither TCP nor UDP.
#[cold]
fn uncommon(bytes: &[u8]) -> Result<Ip<'_>, Skip> {
    let (ip, stop) = LaxIpSlice::from_slice(bytes).map_err(|error| skip(&error))?;
    let payload = ip.payload();
    if payload.fragmented {
        return Err(Skip::Fragment);
    }
    let missing = match &ip {
        LaxIpSlice::Ipv4(ip) => usize::from(ip.header().total_len()),
        LaxIpSlice::Ipv6(ip) => 40 + usize::from(ip.header().payload_length()),
    };
    let missing = if payload.incomplete { missing.saturating_sub(bytes.len()) } else { 0 };
    let extension = is_extension(payload.ip_number);
    match stop {
        Some((HeaderSliceError::Len(_), _)) if missing > 0 => {
            return Err(Skip::Short(Defect::IpExtension));
        }
        Some(_) => return Err(Defect::IpExtension.into()),
        None if extension => return Err(Defect::IpExtension.into()),
        None => {}
    }
    Ok(Ip {
        source: ip.source_addr(),
        destination: ip.destination_addr(),
        protocol: payload.ip_number.0,
        ttl: match &ip {
            LaxIpSlice::Ipv4(ip) => ip.header().ttl(),
            LaxIpSlice::Ipv6(ip) => ip.header().hop_limit(),
        },
        payload: payload.payload,
        missing,
        authenticated: authenticated(&ip),
    })
}

/// Of several authentication headers, the first.
fn authenticated(ip: &LaxIpSlice<'_>) -> Option<u32> {
    match ip {
        LaxIpSlice::Ipv4(ip) => ip.extensions().auth.map(|header| header.spi()),
        LaxIpSlice::Ipv6(ip) => {
            ip.extensions().clone().into_iter().find_map(|extension| match extension {
                Ipv6ExtensionSlice::Authentication(header) => Some(header.spi()),
                _ => None,
            })
        }
    }
}

/// Extension headers left over are more than anybody sends.
fn is_extension(number: IpNumber) -> bool {
    number.is_ipv6_ext_header_value()
        && !matches!(
            number,
            IpNumber::AUTHENTICATION_HEADER | IpNumber::ENCAPSULATING_SECURITY_PAYLOAD
        )
}

fn skip(error: &etherparse::err::ip::LaxHeaderSliceError) -> Skip {
    use etherparse::err::ip::{HeaderError, LaxHeaderSliceError};
    match error {
        LaxHeaderSliceError::Len(_) => Skip::Short(Defect::IpHeader),
        LaxHeaderSliceError::Content(HeaderError::UnsupportedIpVersion { .. }) => {
            Defect::IpVersion.into()
        }
        LaxHeaderSliceError::Content(_) => Defect::IpLength.into(),
    }
}
