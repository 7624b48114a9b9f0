//! Starts the servers that tests share, runs a command with their addresses in its environment, and ends them.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(err) => {
            eprintln!("services: {err:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<u8> {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        bail!("usage: services COMMAND [ARGUMENT…]");
    };
    let postgres = sim::postgres::Server::start().context("failed to start PostgreSQL")?;
    let redis = sim::redis::Redis::start().context("failed to start Redis")?;
    let s3 =
        sim::s3::Standalone::start(sim::s3::Options::default()).context("failed to start the S3 server")?;
    let status = Command::new(&program)
        .args(arguments)
        .env(sim::postgres::VARIABLE, postgres.url())
        .env(sim::redis::VARIABLE, redis.url())
        .env(sim::s3::VARIABLE, s3.endpoint())
        // Programs that are not Rust cannot read the constants.
        .env("MORPHEUS_TEST_S3_ACCESS_KEY_ID", sim::s3::ACCESS_KEY_ID)
        .env("MORPHEUS_TEST_S3_SECRET_ACCESS_KEY", sim::s3::SECRET_ACCESS_KEY)
        .status()
        .with_context(|| format!("failed to run {}", program.display()))?;
    // As a shell says it: 128 and the number of the signal that ended the command.
    let code = status
        .code()
        .or(status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    Ok(u8::try_from(code).unwrap_or(1))
}
