//! Clients of providers against simulated ones, over HTTP.

mod runpod;
