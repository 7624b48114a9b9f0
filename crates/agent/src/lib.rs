//! Runs an engine on this machine for a server: claim, fetch, train, stream events, upload.
