//! Time limits around requests.

use std::time::Duration;

use protocol::limits::{BODY_TIME, HEADER_TIME, IDLE_TIME, IMAGES_TIME, WRITE_TIME};

/// Time limits.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Ping interval of an idle WebSocket.
    pub ping_every: Duration,
    /// A reader that accepts no message for this long is too slow.
    pub send_timeout: Duration,
    /// Time for telling a slow reader why it is disconnected.
    pub close_timeout: Duration,
    /// Requests and reconcilers have this long to end at shutdown.
    pub shutdown_grace: Duration,
    /// Time limit for receiving the head of a request.
    pub header_time: Duration,
    /// Idle connections are kept for this long.
    pub idle_time: Duration,
    /// In this time a part of a body comes, see `protocol::limits`.
    pub body_time: Duration,
    /// A client that reads nothing of a response for this long is disconnected.
    pub write_time: Duration,
    /// A request in the shape of OpenAI's API waits this long for its pictures.
    pub images_time: Duration,
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
            images_time: IMAGES_TIME,
        }
    }
}
