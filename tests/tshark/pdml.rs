//! What tshark says of a capture, as the tree that Wireshark shows (PDML).

use std::path::Path;
use std::process::Command;

/// A dissector's layer in a frame.
#[derive(Debug)]
pub(crate) struct Layer {
    /// The frame's number, from 1.
    pub(crate) frame: u64,
    /// The dissector, such as `iec60870_asdu`.
    pub(crate) protocol: String,
    /// What stands directly below it.
    pub(crate) fields: Vec<Field>,
}

impl Layer {
    /// The first field of this name, at any depth.
    pub(crate) fn find(&self, name: &str) -> Option<&Field> {
        find(&self.fields, name)
    }

    /// The same, as a number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.find(name).map(Field::number)
    }
}

fn find<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find_map(
        |field| {
            if field.name == name { Some(field) } else { find(&field.inner, name) }
        },
    )
}

/// A field and what stands below it.
#[derive(Debug)]
pub(crate) struct Field {
    /// The name for filters; empty for a mere heading.
    pub(crate) name: String,
    /// The value for filters.
    pub(crate) shown: String,
    /// The line for people.
    pub(crate) label: String,
    /// The octets that it was read from; of bits, their value.
    pub(crate) octets: Vec<u8>,
    /// The parts.
    pub(crate) inner: Vec<Field>,
}

impl Field {
    /// What it shows, where that is a number or a flag.
    pub(crate) fn number(&self) -> i64 {
        let number = match (&self.shown[..], self.shown.strip_prefix("0x")) {
            ("True", _) => Ok(1),
            ("False", _) => Ok(0),
            (_, Some(hex)) => i64::from_str_radix(hex, 16),
            (shown, None) => shown.parse(),
        };
        number.unwrap_or_else(|error| panic!("{}: {}: {error}", self.name, self.shown))
    }
}

/// Wireshark reads a station's time as the machine's. This one's is UTC, in summer too: an hour that
/// the station calls one of summer time is not moved.
const TIME_ZONE: &str = "UTC0UTC0,M3.5.0,M10.5.0";

/// What these dissectors of tshark say of the frames of a capture that have the first of them.
/// `None`, and a word about it, where there is no tshark.
pub(crate) fn dissect(capture: &Path, protocols: &[&str]) -> Option<Vec<Layer>> {
    dissect_with(capture, protocols, &[])
}

/// The same, with more arguments.
pub(crate) fn dissect_with(
    capture: &Path,
    protocols: &[&str],
    arguments: &[String],
) -> Option<Vec<Layer>> {
    let mut command = Command::new("tshark");
    command.args(arguments);
    command.arg("-r").arg(capture).args(["-Y", protocols[0], "-T", "pdml"]);
    // The frame's number and whatever is malformed belong to all of them.
    command.args(["-J", &format!("geninfo _ws.malformed {}", protocols.join(" "))]);
    Some(layers(&output(&mut command)?))
}

/// What tshark says of these fields in each frame of a capture, in the innermost of the layers that
/// have them; empty where none has.
pub(crate) fn innermost(capture: &Path, fields: &[&str]) -> Option<Vec<Vec<String>>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args(["-T", "fields", "-E", "occurrence=l"]);
    command.args(fields.iter().flat_map(|field| ["-e", field]));
    let text = output(&mut command)?;
    let rows = text.lines().map(|line| line.split('\t').map(str::to_owned).collect());
    Some(rows.collect())
}

/// The names of all fields of these dissectors.
pub(crate) fn fields_of(protocols: &[&str]) -> Option<Vec<String>> {
    let text = output(Command::new("tshark").args(["-G", "fields"]))?;
    let columns = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    // Letter, title, name, kind, dissector.
    let ours = columns.filter(|columns| columns[0] == "F" && protocols.contains(&columns[4]));
    Some(ours.map(|columns| columns[2].to_owned()).collect())
}

fn output(command: &mut Command) -> Option<String> {
    let output = match command.env("TZ", TIME_ZONE).output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: tshark: {error}");
            return None;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// An element that is not yet closed: a layer by its protocol, or a field.
type Open = (Option<String>, Field);

/// tshark writes every tag on a line of its own, but for line feeds in a value.
fn layers(text: &str) -> Vec<Layer> {
    let (mut layers, mut frame) = (Vec::new(), 0);
    let mut open = Vec::<Open>::new();
    for line in text.split_inclusive(">\n").map(str::trim) {
        if line.starts_with("<proto") || line.starts_with("<field") {
            let field = field(line);
            if field.name == "num" {
                frame = field.number() as u64;
            }
            open.push((line.starts_with("<proto").then(|| field.name.clone()), field));
        } else if !line.starts_with("</proto") && !line.starts_with("</field") {
            continue;
        }
        if line.starts_with("</") || line.ends_with("/>") {
            let (protocol, field) = open.pop().expect("a tag that is open");
            match (open.last_mut(), protocol) {
                (Some((_, parent)), _) => parent.inner.push(field),
                (None, Some(protocol)) => {
                    layers.push(Layer { frame, protocol, fields: field.inner });
                }
                // The octets of the frame as a whole.
                (None, None) => {}
            }
        }
    }
    assert!(open.is_empty(), "tshark was cut short");
    layers
}

fn field(line: &str) -> Field {
    let text = |name| attribute(line, name).unwrap_or_default();
    let digits = text("value");
    let even = if digits.len() % 2 == 0 { digits } else { format!("0{digits}") };
    let octet = |at: usize| u8::from_str_radix(&even[at..at + 2], 16);
    Field {
        name: text("name"),
        shown: text("show"),
        label: text("showname"),
        octets: (0..even.len()).step_by(2).map(octet).collect::<Result<_, _>>().unwrap_or_default(),
        inner: Vec::new(),
    }
}

fn attribute(line: &str, name: &str) -> Option<String> {
    const ESCAPES: [(&str, &str); 5] =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&amp;", "&")];
    let from = line.find(&format!(" {name}=\""))? + name.len() + 3;
    let to = from + line[from..].find('"')?;
    let text = line[from..to].to_owned();
    Some(ESCAPES.iter().fold(text, |text, (escape, plain)| text.replace(escape, plain)))
}
