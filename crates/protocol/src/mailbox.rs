//! The mailbox of a rented machine: two objects in the bucket, for a server that cannot be reached from outside.
//!
//! The agent writes its requests into one, the server its answers into the other. Both are always written whole, so
//! that losing, duplicating or delaying one of them is harmless: a request stays until its sender has the response or
//! has given up, and the id identifies it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// Only requests for these paths are carried.
pub const PATHS: &str = "api/v1/agent/";
/// The object that the agent writes.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Requests {
    /// The agent's token.
    pub token: String,
    /// All requests without a response, the oldest first.
    pub requests: Vec<Request>,
}

/// A `POST` as the agent would send it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Unique for each try: a time and random bits.
    pub id: Uuid,
    /// The path, without a slash in front.
    pub path: String,
    /// The body.
    pub body: Value,
}

/// The object that the server writes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Answers {
    /// Answers to requests that are still in the other object.
    pub answers: Vec<Answer>,
}

/// A response, as over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Id of the request.
    pub id: Uuid,
    /// HTTP status.
    pub status: u16,
    /// The body; null when there is none.
    pub body: Value,
}
