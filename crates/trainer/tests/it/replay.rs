//! Dumped training steps of sd-scripts through our U-Net, loss, gradients and optimizer.
//!
//! Two steps on tiny-xl are part of the repository (`tools/golden/kohya.py` makes them). Four more, on a base that is
//! too big for it, lie in the folder that `MORPHEUS_GOLDEN` names; without it their test says that it was skipped.

use std::path::PathBuf;

use trainer::replay::{Replay, Report};

#[test]
fn steps_on_tiny_xl_equal_those_of_sd_scripts() {
    let crate_folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let replay = Replay {
        base: crate_folder.join("../../assets/tiny-xl"),
        golden: crate_folder.join("tests/golden/kohya"),
        learning_rate: 1e-3,
        min_snr_gamma: 5.0,
        free_running: false,
    };
    check(&replay.run().unwrap(), 2);
}

#[test]
fn steps_equal_those_of_sd_scripts() {
    let Some(folder) = std::env::var_os("MORPHEUS_GOLDEN").map(PathBuf::from) else {
        eprintln!("skipped: MORPHEUS_GOLDEN does not name the folder with sd-scripts' dumps");
        return;
    };
    let replay = Replay {
        base: folder.join("kohya-tiny-base.safetensors"),
        golden: folder.join("kohya-g1"),
        learning_rate: 1e-3,
        min_snr_gamma: 0.0,
        free_running: false,
    };
    check(&replay.run().unwrap(), 4);
}

#[track_caller]
fn check(report: &Report, n_steps: usize) {
    assert_eq!((report.steps.len(), report.n_modules), (n_steps, 192));
    for step in &report.steps {
        assert!(step.unet_output < 1e-5, "{step:?}");
        assert!(step.loss < 1e-5, "{step:?}");
        assert!(step.gradients < 2e-4, "{step:?}");
        assert!(step.weights < 1e-5, "{step:?}");
    }
}
