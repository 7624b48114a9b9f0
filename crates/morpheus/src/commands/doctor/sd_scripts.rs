//! The checks of sd-scripts: its folder, its Python, and what that Python can load.

use std::process::{Command, Stdio};

use agent::kohya::Kohya;

use super::Finding;
use crate::kohya::{KohyaFlags, check_dir};

/// Imports what a training needs, and says which of it is missing and what it computes on. Takes a few seconds.
const PROBE: &str = "\
import importlib, json
missing = []
for name in ['torch', 'accelerate', 'diffusers', 'transformers', 'safetensors', 'toml', 'voluptuous', 'tensorboard',
             'cv2', 'imagesize', 'einops', 'rich', 'ftfy']:
    try:
        importlib.import_module(name)
    except Exception:
        missing.append(name)
device, version = 'nothing', '?'
if 'torch' not in missing:
    import torch
    version = torch.__version__
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else 'the processor'
print(json.dumps({'missing': missing, 'device': device, 'torch': version}))
";

#[derive(serde::Deserialize)]
struct Probe {
    missing: Vec<String>,
    device: String,
    torch: String,
}

/// Checks what the flags name; nothing if they name no folder.
pub(super) fn check(flags: &KohyaFlags) -> Vec<Finding> {
    let Some(kohya) = flags.setup() else {
        return Vec::new();
    };
    vec![folder(&kohya), python(&kohya), tokenizers(&kohya)]
}

fn tokenizers(kohya: &Kohya) -> Finding {
    let (name, shown) = ("kohya tokenizers", kohya.tokenizers.display());
    match kohya.missing_tokenizers().as_slice() {
        [] => Finding::ok(name, format!("`{shown}`")),
        missing => Finding::warning(
            name,
            format!(
                "`{shown}` lacks {}; sd-scripts would download them from huggingface.co",
                missing.join(" and ")
            ),
            "deploy/worker/setup.sh creates them on a machine with network access; set their folder with \
                 --kohya-tokenizers",
        ),
    }
}

fn folder(kohya: &Kohya) -> Finding {
    match check_dir(kohya) {
        Ok(()) => Finding::ok("sd-scripts", kohya.dir.display().to_string()),
        Err(_) => Finding::problem(
            "sd-scripts",
            format!("there is no `{}`", kohya.script().display()),
            "set --kohya-dir to a checkout of kohya-ss/sd-scripts",
        ),
    }
}

fn python(kohya: &Kohya) -> Finding {
    let name = "kohya python";
    let shown = kohya.python.display();
    let mut command = Command::new(&kohya.python);
    let output = command.args(["-c", PROBE]).stdin(Stdio::null()).output();
    let output = match output {
        Ok(output) => output,
        Err(err) => {
            return Finding::problem(
                name,
                format!("`{shown}` cannot be started: {err}"),
                "set --kohya-python to the Python of sd-scripts' virtual environment",
            );
        }
    };
    let last = output
        .stdout
        .split(|&byte| byte == b'\n')
        .rfind(|line| !line.is_empty());
    let Some(probe) = last.and_then(|line| serde_json::from_slice::<Probe>(line).ok()) else {
        return Finding::problem(
            name,
            format!("`{shown}` is not a working Python"),
            "set --kohya-python to the Python of sd-scripts' virtual environment",
        );
    };
    if !probe.missing.is_empty() {
        return Finding::problem(
            name,
            format!("`{shown}` lacks {}", probe.missing.join(", ")),
            "install sd-scripts' requirements.txt with it",
        );
    }
    Finding::ok(
        name,
        format!("`{shown}`, torch {} on {}", probe.torch, probe.device),
    )
}
