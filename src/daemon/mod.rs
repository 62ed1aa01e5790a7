//! Life on a boundary host: what stands around the threads that capture and write.
//!
//! The order of a start, all of it in the main thread:
//!
//! 1. [`notify::PassedSockets`] takes over what systemd opened; [`notify::Notifier`] opens its own.
//! 2. [`instance::Instance`] claims the state directory.
//! 3. Rings and the [`http::Listener`] are opened.
//! 4. [`sandbox::enter`] closes the sandbox: capabilities, user, files, system calls.
//! 5. Outputs and the folder of evidence are opened, by the user that they belong to. Threads
//!    start; each begins with [`sandbox::enter_thread`].
//! 6. The runtime starts: [`http::Server`], signals, the [`notify::Watchdog`];
//!    [`notify::Notifier::ready`] says so.
//!
//! From then on the main thread alone can open an interface again, inside
//! [`sandbox::with_net_raw`].

use std::time::{SystemTime, UNIX_EPOCH};

mod answers;
mod collect;
mod correlations;
mod error;
mod evidence;
mod honesty;
pub mod http;
pub mod instance;
mod interfaces;
mod life;
mod lines;
mod log;
pub mod metrics;
pub mod notify;
mod outputs;
mod page;
mod reload;
pub mod sandbox;
mod threads;
mod watch;

pub use error::Error;
pub use life::{Start, run};

fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
