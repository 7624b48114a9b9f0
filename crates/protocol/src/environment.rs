//! What a program that we start gets of our environment: what describes the machine, and nothing that opens something.
//!
//! It is a list of what is let through. Keys come under names that nobody can know all of, and are left out by not being
//! in it.

use std::ffi::OsString;

/// Variables by their names.
const NAMES: &[&str] = &[
    // Where programs, files and the person's own folders are.
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "LD_LIBRARY_PATH",
    // Language and time.
    "LANG",
    "LANGUAGE",
    "TZ",
    // Which graphics cards there are, and how they are used.
    "GPU_DEVICE_ORDINAL",
    // Threads of libraries that compute.
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
    // How other machines are reached. A proxy's address may hold a password, which whoever uses it needs.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    // Where Hugging Face's programs keep files, and from where they fetch them. Their token is not among these.
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_HUB_OFFLINE",
    "HF_ENDPOINT",
    // What programs in Rust say about themselves.
    "RUST_LOG",
    "RUST_BACKTRACE",
];

/// Variables by how their names begin: language, and the settings of drivers and of PyTorch.
const PREFIXES: &[&str] = &[
    "LC_", "CUDA_", "NVIDIA_", "NCCL_", "HIP_", "ROCR_", "ROCM_", "HSA_", "TORCH_", "PYTORCH_",
];

/// Of these variables those that describe the machine, and those that are named besides.
pub fn of_machine(
    variables: impl Iterator<Item = (OsString, OsString)>,
    besides: &[&str],
) -> impl Iterator<Item = (OsString, OsString)> {
    variables.filter(|(name, _)| {
        name.to_str().is_some_and(|name| {
            besides.contains(&name)
                || NAMES.contains(&name)
                || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::of_machine;

    #[test]
    fn keys_are_not_passed_on() {
        let all = [
            "PATH",
            "LC_ALL",
            "CUDA_VISIBLE_DEVICES",
            "MORPHEUS_LOG",
            "MORPHEUS_DATABASE",
            "MORPHEUS_RUNPOD_KEY",
            "RUNPOD_API_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "HF_TOKEN",
            "DATABASE_URL",
            "PGPASSWORD",
            "GITHUB_TOKEN",
            "SSH_AUTH_SOCK",
            "LD_PRELOAD",
        ];
        let variables = all.map(|name| (name.into(), "x".into())).into_iter();
        let passed: Vec<_> = of_machine(variables, &["MORPHEUS_LOG"])
            .map(|(name, _)| name)
            .collect();
        assert_eq!(passed, ["PATH", "LC_ALL", "CUDA_VISIBLE_DEVICES", "MORPHEUS_LOG"]);
    }
}
