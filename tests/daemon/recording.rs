//! tcpdump, which records an interface.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::world::wait_for;

/// The header of a pcap file, and that of each frame in it.
const FILE_HEADER: u64 = 24;
const FRAME_HEADER: u64 = 16;

pub struct Recording {
    tcpdump: Child,
    path: PathBuf,
}

impl Recording {
    /// Records once this returns.
    pub fn start(interface: &str, path: &Path) -> Self {
        let mut tcpdump = Command::new("tcpdump")
            // Each frame at once, for which its ring has places of the greatest length.
            .args(["-i", interface, "-s", "2048", "-B", "65536", "-U", "--immediate-mode"])
            // It would change its user, who may not write here.
            .args(["-Z", "root", "--time-stamp-precision", "nano", "-w"])
            .arg(path)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(tcpdump.stderr.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap().contains("listening on")));
        // The pipe must stay open until it ends.
        std::thread::spawn(move || said.for_each(drop));
        Self { tcpdump, path: path.to_owned() }
    }

    /// Ends once these frames are recorded.
    pub fn end(mut self, frames: &[Vec<u8>]) -> PathBuf {
        let octets: u64 = frames.iter().map(|frame| FRAME_HEADER + frame.len() as u64).sum();
        wait_for(|| {
            (fs::metadata(&self.path).unwrap().len() >= FILE_HEADER + octets).then_some(())
        });
        kill(Pid::from_raw(self.tcpdump.id() as i32), Signal::SIGINT).unwrap();
        assert!(self.tcpdump.wait().unwrap().success());
        assert_eq!(fs::metadata(&self.path).unwrap().len(), FILE_HEADER + octets);
        self.path.clone()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.tcpdump.kill();
        let _ = self.tcpdump.wait();
    }
}
