//! The life cycle of a job: one pure function.
