//! How long everything around a request may take.

use std::time::Duration;

use protocol::limits::{BODY_TIME, HEADER_TIME, IDLE_TIME, WRITE_TIME};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// A silent WebSocket is pinged this often.
    pub ping_every: Duration,
    /// A reader that takes no message for this long is too slow.
    pub send_timeout: Duration,
    /// A reader that was too slow has this long to learn it.
    pub close_timeout: Duration,
    /// Requests and reconcilers have this long to end when the server does.
    pub shutdown_grace: Duration,
    /// The head of a request has this long to come.
    pub header_time: Duration,
    /// A connection without a request is kept for this long.
    pub idle_time: Duration,
    /// In this time a part of a body comes, see `protocol::limits`.
    pub body_time: Duration,
    /// A client that takes nothing of its answer for this long is cut off.
    pub write_time: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            // Proxies commonly cut connections that are silent for 60 s.
            ping_every: Duration::from_secs(20),
            send_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            shutdown_grace: Duration::from_secs(10),
            header_time: HEADER_TIME,
            idle_time: IDLE_TIME,
            body_time: BODY_TIME,
            write_time: WRITE_TIME,
        }
    }
}
