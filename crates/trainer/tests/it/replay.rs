//! Dumped training steps of sd-scripts through our U-Net, loss, gradients and optimizer.
//!
//! The dump is too big for the repository: `MORPHEUS_GOLDEN` names its folder, without it the test says that it was
//! skipped.

use std::path::PathBuf;

use trainer::replay::Replay;

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
    let report = replay.run().unwrap();
    assert_eq!((report.steps.len(), report.n_modules), (4, 192));
    for step in report.steps {
        assert!(step.unet_output < 1e-5, "{step:?}");
        assert!(step.loss < 1e-5, "{step:?}");
        assert!(step.gradients < 2e-4, "{step:?}");
        assert!(step.weights < 1e-5, "{step:?}");
    }
}
