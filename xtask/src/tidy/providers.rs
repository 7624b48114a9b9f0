//! Who rents machines out is known in one place: everything else goes through the seam of the crate `rental`.

use super::{Finding, tree::TextFile};

/// The register of providers, and where each has a file and a folder of its name.
const REGISTER: &str = "crates/rental/src/providers.rs";
const FOLDER: &str = "crates/rental/src/providers/";
/// Simulators may name what they simulate.
const SIMULATORS: &str = "crates/sim/src/";

/// Every line of a source that names a provider.
pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    let names: Vec<&str> = files.iter().filter_map(|file| provider(file.name())).collect();
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| is_source(file.name())) {
        for (line, text) in (1..).zip(file.text.lines()) {
            let text = text.to_lowercase();
            if let Some(name) = names.iter().find(|name| text.contains(*name)) {
                let message = format!(
                    "`{name}`: only its own folder names a provider; go through the seam of the crate `rental`"
                );
                findings.push(Finding::error(&file.path, Some(line), message));
            }
        }
    }
    findings
}

/// The provider whose file this is.
fn provider(name: &str) -> Option<&str> {
    let name = name.strip_prefix(FOLDER)?.strip_suffix(".rs")?;
    (!name.contains('/') && name != "tests").then_some(name)
}

/// Sources of the product; tests may name what they test.
fn is_source(name: &str) -> bool {
    let is_rust = name.starts_with("crates/") && name.contains("/src/") && name.ends_with(".rs");
    let is_test = name.ends_with("/fuzz.rs");
    is_rust && !is_test && name != REGISTER && !name.starts_with(FOLDER) && !name.starts_with(SIMULATORS)
}

#[cfg(test)]
mod tests {
    use super::{TextFile, check};

    fn findings(path: &str) -> usize {
        let file = |path: &str, text: &str| TextFile {
            path: path.into(),
            text: text.to_owned(),
        };
        let named = file(path, "//! A file.\nlet x = \"CloudOne\";\n");
        let provider = file("crates/rental/src/providers/cloudone.rs", "//! CloudOne.\n");
        check(&[named, provider]).len()
    }

    #[test]
    fn a_provider_is_named_in_its_own_folder_alone() {
        assert_eq!(findings("crates/agent/src/deadman.rs"), 1);
        assert_eq!(findings("crates/rental/src/deadman/end.rs"), 1);
        assert_eq!(findings("crates/rental/src/providers/cloudone/client.rs"), 0);
        assert_eq!(findings("crates/rental/src/providers.rs"), 0);
        assert_eq!(findings("crates/sim/src/cloudone/routes.rs"), 0);
        assert_eq!(findings("crates/morpheus/tests/it/reap.rs"), 0);
    }
}
