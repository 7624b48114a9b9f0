//! Description of this machine, for a server with jobs for different machines.

use std::{
    io,
    process::{Command, Stdio},
};

use protocol::{
    machine::{DeviceKind, LoraKind, Machine, Protocol},
    recipe::Engine,
};

/// Describes this machine.
pub fn describe(
    name: Option<String>,
    labels: Vec<String>,
    has_sd_scripts: bool,
    has_diffusers: bool,
) -> Machine {
    let gpu = first_gpu();
    let mut engines = vec![Engine::Native];
    let mut devices = vec![DeviceKind::Cpu];
    if has_sd_scripts {
        engines.push(Engine::Kohya);
        if gpu.is_some() {
            devices.push(DeviceKind::Cuda);
        }
    }
    Machine {
        name: name.unwrap_or_else(host_name),
        labels,
        memory_gb: gpu.as_ref().map(|gpu| gpu.memory_gb),
        gpu: gpu.map(|gpu| gpu.name),
        engines,
        devices,
        lora_kinds: vec![
            LoraKind::Lora,
            LoraKind::Dora,
            LoraKind::Loha,
            LoraKind::Lokr,
            LoraKind::TLora,
        ],
        has_diffusers: Some(has_diffusers),
        protocol: Protocol::CURRENT,
    }
}

fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() {
        "a machine".to_owned()
    } else {
        name
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Gpu {
    name: String,
    memory_gb: u32,
}

/// The first GPU of NVIDIA's driver. A machine without the driver has none that could train.
fn first_gpu() -> Option<Gpu> {
    let answer = Command::new("nvidia-smi")
        .args(["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"])
        .stdin(Stdio::null())
        .output();
    match answer {
        Ok(answer) if answer.status.success() => read_gpu(&String::from_utf8_lossy(&answer.stdout)),
        Ok(answer) => {
            tracing::warn!(status = %answer.status, "nvidia-smi failed; this machine counts as one without a GPU");
            None
        }
        Err(err) if err.kind() == io::ErrorKind::NotFound => None,
        Err(err) => {
            tracing::warn!(error = %err, "nvidia-smi could not be started; this machine counts as one without a GPU");
            None
        }
    }
}

/// The first line of nvidia-smi's answer: a name and mebibytes. A card of 24 GB shows a little more or less.
fn read_gpu(answer: &str) -> Option<Gpu> {
    let (name, mebibytes) = answer.lines().next()?.rsplit_once(',')?;
    let mebibytes: f64 = mebibytes.trim().parse().ok()?;
    let name = name.trim().to_owned();
    Some(Gpu {
        name,
        memory_gb: (mebibytes / 1024.0).round() as u32,
    })
}

#[cfg(test)]
mod tests {
    use super::{Gpu, describe, read_gpu};

    #[test]
    fn cards_are_read_as_their_driver_writes_them() {
        let read = |name: &str, memory_gb| {
            Some(Gpu {
                name: name.to_owned(),
                memory_gb,
            })
        };
        assert_eq!(
            read_gpu("NVIDIA GeForce RTX 4090, 24564\nNVIDIA GeForce RTX 3090, 24576\n"),
            read("NVIDIA GeForce RTX 4090", 24)
        );
        assert_eq!(
            read_gpu("NVIDIA H100 80GB HBM3, 81559\n"),
            read("NVIDIA H100 80GB HBM3", 80)
        );
        for nothing in ["", "No devices were found\n", "a card, [N/A]\n"] {
            assert_eq!(read_gpu(nothing), None);
        }
    }

    #[test]
    fn a_machine_has_a_name() {
        let machine = describe(None, vec!["quiet".to_owned()], true, true);
        assert!(!machine.name.is_empty());
        assert_eq!(machine.engines.len(), 2);
        assert_eq!(machine.has_diffusers, Some(true));
        assert_eq!(
            describe(Some("attic".to_owned()), Vec::new(), false, false).name,
            "attic"
        );
    }
}
