//! What lies in the mailbox of a rented machine: two objects of the bucket, for a server that nobody can reach.
//!
//! The agent writes its requests into one, the server its answers into the other. Both are always written whole, so
//! that losing, doubling or delaying one of them is harmless: a request is there until its sender has the answer, or
//! has given up, and is the same request as long as its id is.

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
    /// Everything that waits for an answer, the oldest first.
    pub requests: Vec<Request>,
}

/// A `POST` as the agent would send it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its own for each try: a time and random bits.
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

/// An answer as HTTP would have brought it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The request's.
    pub id: Uuid,
    /// HTTP status.
    pub status: u16,
    /// The body; null when there is none.
    pub body: Value,
}
