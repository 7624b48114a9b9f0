//! Services and reconcilers over a real database, with a provider whose machines are rows in memory and
//! whose agents are the tests themselves.

mod agents;
mod bases;
mod crashes;
mod damage;
mod disk;
mod fixture;
mod generations;
mod jobs;
mod machines;
mod objects;
mod pool;
mod reap;
mod rentals;
mod replicas;
mod runpod;
mod storage;
mod uploads;
mod verify;
