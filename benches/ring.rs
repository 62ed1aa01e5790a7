//! Captures from an interface and counts: how much of a processor a ring takes, and whether it
//! loses anything. `benches/flood.py` is what to send with.
//!
//! ```text
//! cargo run --release --example ring -- INTERFACE SECONDS
//! ```

#![allow(clippy::print_stdout, reason = "it is what it is for")]

use std::error::Error;
use std::time::{Duration, Instant};

use gridtap::capture::live::{Duplicates, Live, Ring, RingOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let interface = arguments.next().ok_or("which interface?")?;
    let seconds = arguments.next().ok_or("how many seconds?")?.parse()?;
    let mut live = Live::new(vec![Ring::open(&interface, &RingOptions::default())?]);
    let mut duplicates = Duplicates::new();
    let deduplicate = arguments.next().is_some_and(|word| word == "duplicates");

    let begun = Instant::now();
    let (mut octets, mut duplicated) = (0_u64, 0_u64);
    while begun.elapsed() < Duration::from_secs(seconds) {
        live.turn(Duration::from_millis(100), |_, frame| {
            octets += u64::from(frame.wire_length);
            // A look at the frame, as an engine would take.
            duplicated += u64::from(frame.data.first() == Some(&0xff));
            if deduplicate {
                duplicated += u64::from(duplicates.is_duplicate(&frame));
            }
        })?;
    }
    let processor = processor_time()?.as_secs_f64();
    for counts in live.close() {
        println!("{counts:?}");
        let each = processor * 1e9 / (counts.handled as f64).max(1.0);
        println!(
            "{octets} octets, {duplicated} found; {processor:.3} s of a processor, {each:.0} ns a frame"
        );
    }
    Ok(())
}

/// What this thread took so far: the first number of its scheduler statistics.
fn processor_time() -> Result<Duration, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split_whitespace().next().ok_or("no number")?.parse()?;
    Ok(Duration::from_nanos(nanos))
}
