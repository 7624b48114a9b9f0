//! Environment variables for child processes: those that describe the machine, and no secrets.
//!
//! It is an allow list: secrets can have any name, so a variable that is not listed is not passed
//! on.

use std::ffi::OsString;

/// Allowed variables.
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

/// Allowed prefixes: language, and the settings of drivers and of PyTorch.
const PREFIXES: &[&str] = &[
    "LC_", "CUDA_", "NVIDIA_", "NCCL_", "HIP_", "ROCR_", "ROCM_", "HSA_", "TORCH_", "PYTORCH_",
];

/// The allowed ones of these variables, and those named in addition.
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
            "MORPHEUS_PROVIDER_KEY",
            "PROVIDER_API_KEY",
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
