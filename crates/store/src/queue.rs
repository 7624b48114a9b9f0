//! The job queue: rows of the database, claimed in one statement, owned by leases with fencing numbers.
