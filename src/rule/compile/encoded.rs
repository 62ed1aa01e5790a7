//! Values that the wire has in Base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Compiler;
use crate::rule::modifier::{Base64, Modifiers, Utf16};
use crate::rule::pattern::Pattern;
use crate::rule::predicate::TextTest;
use crate::rule::yaml::{Meaning, Scalar, Span};

impl Compiler<'_, '_> {
    /// What is asked of a text: any of these. Without an encoding that is one test.
    pub(super) fn text_tests(
        &mut self,
        scalar: &Scalar,
        modifiers: Modifiers,
        span: Span,
    ) -> Option<Vec<TextTest>> {
        let Some(base64) = modifiers.base64 else {
            return self.text_test(scalar, modifiers, span).map(|test| vec![test]);
        };
        if !matches!(scalar.meaning, Meaning::Plain | Meaning::Quoted) {
            let help = Some(format!("write '{}'", scalar.text));
            return self.wrong_with(span, "only text is encoded", help);
        }
        let pattern = Pattern::parse(&scalar.text);
        let Some(literal) = pattern.literal() else {
            let help = "`\\*` and `\\?` are the characters".to_owned();
            return self.wrong_with(span, "what is encoded has no wildcards", Some(help));
        };
        let octets = match modifiers.utf16 {
            None => literal.as_bytes().to_vec(),
            Some(utf16) => in_utf16(literal, utf16),
        };
        let texts = match base64 {
            Base64::Whole => vec![STANDARD.encode(&octets)],
            Base64::Offset => at_offsets(&octets),
        };
        if texts.iter().any(String::is_empty) {
            return self.wrong(span, "too short: it is found in every text");
        }
        let plain = Modifiers { utf16: None, base64: None, ..modifiers };
        let test = |text| Scalar { text, meaning: Meaning::Quoted };
        texts.into_iter().map(|text| self.text_test(&test(text), plain, span)).collect()
    }
}

fn in_utf16(text: &str, utf16: Utf16) -> Vec<u8> {
    let mark = (utf16 == Utf16::Marked).then_some(0xFEFF);
    let units = mark.into_iter().chain(text.encode_utf16());
    match utf16 {
        Utf16::BigEndian => units.flat_map(u16::to_be_bytes).collect(),
        Utf16::LittleEndian | Utf16::Marked => units.flat_map(u16::to_le_bytes).collect(),
    }
}

/// What is certain of the encoding where the octets stand behind none, one or two others of a group of
/// three: the characters that have no bit of what is before or behind.
fn at_offsets(octets: &[u8]) -> Vec<String> {
    let at = |offset: usize| {
        let mut padded = vec![0; offset];
        padded.extend_from_slice(octets);
        let encoded = STANDARD.encode(&padded);
        let (first, last) = ((8 * offset).div_ceil(6), 8 * padded.len() / 6);
        encoded.get(first..last).unwrap_or_default().to_owned()
    };
    (0..3).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As other tools of Sigma have it.
    #[test]
    fn only_what_is_certain_is_looked_for() {
        assert_eq!(at_offsets(b"foobar"), ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"]);
        assert_eq!(at_offsets(b"trip"), ["dHJpc", "RyaX", "0cmlw"]);
        assert_eq!(at_offsets(b"ab"), ["YW", "Fi", "hY"]);
        assert_eq!(at_offsets(b"a"), ["Y", "", "h"]);
    }

    #[test]
    fn utf16_in_either_order() {
        let encoded = |utf16| STANDARD.encode(in_utf16("set", utf16));
        assert_eq!(encoded(Utf16::LittleEndian), "cwBlAHQA");
        assert_eq!(encoded(Utf16::BigEndian), "AHMAZQB0");
        assert_eq!(encoded(Utf16::Marked), "//5zAGUAdAA=");
    }
}
