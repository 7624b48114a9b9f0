//! Names of copies, which every operating system takes.

/// Characters that Windows or a program's syntax forbids in names: `<lora:NAME:WEIGHT>` ends a name at a colon.
const FORBIDDEN: [char; 9] = ['<', '>', ':', '"', '/', '\\', '|', '?', '*'];
/// Names of devices on Windows, with any ending.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
/// Bytes of a name without its ending. File systems take 255 with it.
const MAX_BYTES: usize = 180;
/// What a name is that has no character left.
const NAMELESS: &str = "lora";

/// The name of a version's files without their ending: `Zora-v3`.
pub(super) fn stem(model: &str, version: u32) -> String {
    let plain: String = model
        .chars()
        .map(|c| {
            if FORBIDDEN.contains(&c) || c.is_control() {
                '_'
            } else {
                c
            }
        })
        .collect();
    let mut plain = plain.trim_matches(|c: char| c == '.' || c.is_whitespace());
    while plain.len() > MAX_BYTES {
        let mut chars = plain.chars();
        chars.next_back();
        plain = chars.as_str();
    }
    let plain = match plain.trim_end_matches(|c: char| c == '.' || c.is_whitespace()) {
        "" => NAMELESS,
        plain => plain,
    };
    let mark = if is_device(plain) { "_" } else { "" };
    format!("{mark}{plain}-v{version}")
}

/// Whether Windows takes a name for that of a device: `con`, or `com1.anything`.
fn is_device(name: &str) -> bool {
    let first = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_lowercase();
    let port = first.strip_prefix("com").or_else(|| first.strip_prefix("lpt"));
    DEVICES.contains(&first.as_str())
        || port.is_some_and(|n| n.len() == 1 && n.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, stem};

    #[test]
    fn a_name_is_one_that_every_system_takes() {
        for (model, wanted) in [
            ("Zora", "Zora-v1"),
            ("../../etc/passwd", "_.._etc_passwd-v1"),
            ("a<b>c:d\"e/f\\g|h?i*j", "a_b_c_d_e_f_g_h_i_j-v1"),
            (" .hidden. ", "hidden-v1"),
            ("...", "lora-v1"),
            ("con", "_con-v1"),
            ("COM1.x", "_COM1.x-v1"),
            ("company", "company-v1"),
            ("Жора 🎨", "Жора 🎨-v1"),
        ] {
            assert_eq!(stem(model, 1), wanted);
        }
        let long = stem(&"🎨".repeat(80), 12);
        assert!(long.len() <= MAX_BYTES + "-v12".len(), "{}", long.len());
        assert!(long.ends_with("🎨-v12"), "{long}");
    }
}
