//! Life on a boundary host: what stands around the threads that capture and write.
//!
//! The order of a start, all of it in the main thread:
//!
//! 1. [`notify::PassedSockets`] takes over what systemd opened; [`notify::Notifier`] opens its own.
//! 2. [`instance::Instance`] claims the state directory.
//! 3. Rings, [`http::Listener`] and outputs are opened.
//! 4. [`sandbox::enter`] closes the sandbox: capabilities, user, files, system calls.
//! 5. Threads start; each begins with [`sandbox::enter_thread`].
//! 6. The runtime starts: [`http::Server`], signals, the [`notify::Watchdog`];
//!    [`notify::Notifier::ready`] says so.
//!
//! From then on the main thread alone can open an interface again, inside
//! [`sandbox::with_net_raw`].

mod answers;
mod collect;
mod honesty;
pub mod http;
pub mod instance;
mod life;
mod lines;
mod log;
pub mod metrics;
pub mod notify;
mod outputs;
mod page;
pub mod sandbox;
mod watch;

pub use life::{Error, Start, run};
