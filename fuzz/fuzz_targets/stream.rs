#![no_main]

#[path = "../drivers/mod.rs"]
mod drivers;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| drivers::segments(octets));
