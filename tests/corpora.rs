//! Replays the fuzz corpora through the drivers of the fuzz targets, on any toolchain.

#![allow(clippy::print_stdout, reason = "the file that failed, which a test shows then only")]

#[path = "../fuzz/drivers/mod.rs"]
mod drivers;

use std::fs;
use std::path::Path;

#[test]
fn every_corpus_replays_without_a_finding() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, drive) in drivers::DRIVERS {
        let folder = corpora.join(name);
        let entries = fs::read_dir(&folder).unwrap_or_else(|_| panic!("{name} has no corpus"));
        let mut replayed = 0;
        for entry in entries {
            let path = entry.expect("an entry").path();
            println!("{}", path.display());
            drive(&fs::read(&path).expect("a readable file"));
            replayed += 1;
        }
        assert!(replayed > 0, "the corpus of {name} is empty");
    }
}

#[test]
fn every_prefix_of_a_corpus_file_replays_too() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, drive) in drivers::DRIVERS {
        for entry in fs::read_dir(corpora.join(name)).expect("a corpus") {
            let octets = fs::read(entry.expect("an entry").path()).expect("a readable file");
            for cut in 0..octets.len().min(2048) {
                drive(&octets[..cut]);
            }
        }
    }
}
