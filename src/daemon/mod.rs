//! Life on a boundary host: what stands around the threads that capture and write.

pub mod http;
pub mod instance;
pub mod metrics;
pub mod notify;
pub mod sandbox;
