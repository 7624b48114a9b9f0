//! Attempts: one try of a job or a generation on one machine, with its lease and fence.
