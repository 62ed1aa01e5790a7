//! Multiplies a small capture into a large one, to measure with.
//!
//! ```text
//! cargo run --release --example multiply -- pcaps/demo.pcap big.pcap --packets 1000000 --flows 8000 --port 2404
//! ```

mod multiplier;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use gridtap::capture::{PcapWriter, Source};
use gridtap::packet::LinkType;

use multiplier::{Flows, Made, Plan};

/// Repeats the TCP flows of a capture between other addresses, many at the same time.
#[derive(Parser)]
struct Arguments {
    /// A capture with TCP over Ethernet.
    input: PathBuf,
    /// The pcap file to write.
    output: PathBuf,
    /// Write at least so many packets: whole flows, each of the input equally often.
    #[arg(long, default_value_t = 1_000_000)]
    packets: u64,
    /// So many flows at the same time.
    #[arg(long, default_value_t = 8_000)]
    flows: usize,
    /// Only flows to or from these TCP ports.
    #[arg(long)]
    port: Vec<u16>,
    /// Nanoseconds from one packet to the next.
    #[arg(long, default_value_t = 5_000)]
    spacing: u64,
}

fn main() -> ExitCode {
    let told = multiply(&Arguments::parse());
    let code = if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let line = told.unwrap_or_else(|error| format!("multiply: {error}"));
    // Nobody is left to tell if this fails.
    let _ = writeln!(io::stderr(), "{line}");
    code
}

fn multiply(arguments: &Arguments) -> Result<String, String> {
    let mut source = Source::open(&[&arguments.input]).map_err(|error| error.to_string())?;
    let flows = Flows::read(&mut source, &arguments.port)
        .map_err(|error| format!("{}: {error}", arguments.input.display()))?;
    let plan = Plan {
        packets: arguments.packets,
        concurrent: arguments.flows,
        spacing: arguments.spacing,
    };
    let made = write(&flows, plan, arguments)
        .map_err(|error| format!("{}: {error}", arguments.output.display()))?;
    let (input_flows, input_packets) = flows.size();
    let Made { packets, octets, flows: made_flows, copies } = made;
    Ok(format!(
        "{input_flows} flows of {input_packets} packets ({} packets left out) \
         \u{d7} {copies} = {made_flows} flows of {packets} packets, {} octets each on average",
        flows.left_out,
        octets / packets,
    ))
}

fn write(flows: &Flows, plan: Plan, arguments: &Arguments) -> io::Result<Made> {
    let file = BufWriter::with_capacity(1 << 20, File::create(&arguments.output)?);
    let mut writer = PcapWriter::new(file, LinkType::Ethernet)?;
    let made = flows.multiply(plan, |time, frame| writer.write(time, frame.len() as u32, frame))?;
    writer.finish()?;
    Ok(made)
}
