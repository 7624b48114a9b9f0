//! Dumped training steps of sd-scripts through our text encoders, U-Net, loss, gradients and optimizer.
//!
//! Two steps on tiny-xl are part of the repository (`tools/golden/kohya.py` makes them). Four more, on a base that is
//! too big for it and with both text encoders trained, lie in the folder that `MORPHEUS_GOLDEN` names; without it their
//! tests say that they were skipped.

use std::path::PathBuf;

use trainer::replay::{Replay, Report};

fn on_tiny_xl() -> Replay {
    let crate_folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Replay {
        base: crate_folder.join("../../assets/tiny-xl"),
        golden: crate_folder.join("tests/golden/kohya"),
        learning_rate: 1e-3,
        text_encoder_learning_rate: 0.0,
        convolutions: None,
        v_parameterization: false,
        zero_terminal_snr: false,
        min_snr_gamma: 5.0,
        debiased: false,
        free_running: false,
    }
}

/// Four steps with both text encoders trained.
fn g1() -> Option<Replay> {
    let Some(folder) = std::env::var_os("MORPHEUS_GOLDEN").map(PathBuf::from) else {
        eprintln!("skipped: MORPHEUS_GOLDEN does not name the folder with sd-scripts' dumps");
        return None;
    };
    Some(Replay {
        base: folder.join("kohya-tiny-base.safetensors"),
        golden: folder.join("kohya-g1"),
        text_encoder_learning_rate: 1e-3,
        min_snr_gamma: 0.0,
        ..on_tiny_xl()
    })
}

#[test]
fn steps_on_tiny_xl_equal_those_of_sd_scripts() {
    let report = on_tiny_xl().run().unwrap();
    assert_eq!(report.steps.len(), 2);
    assert_eq!((report.n_unet_modules, report.n_text_modules), (192, 0));
    check(&report);
}

#[test]
fn steps_with_text_encoders_equal_those_of_sd_scripts() {
    let Some(replay) = g1() else { return };
    let report = replay.run().unwrap();
    assert_eq!(report.steps.len(), 4);
    assert_eq!((report.n_unet_modules, report.n_text_modules), (192, 96));
    assert_eq!(report.n_frozen_modules, 0);
    check(&report);
    for step in &report.steps {
        assert!(step.hidden_states.unwrap() < 1e-5, "{step:?}");
    }
}

/// The norm in the dump has the share of the text encoders, which is what a frozen one adds in sd-scripts.
#[test]
fn frozen_text_encoders_are_left_out() {
    let Some(replay) = g1() else { return };
    let replay = Replay {
        text_encoder_learning_rate: 0.0,
        ..replay
    };
    let report = replay.run().unwrap();
    assert_eq!((report.n_unet_modules, report.n_text_modules), (192, 0));
    assert_eq!(report.n_frozen_modules, 96);
    for step in &report.steps {
        assert!(step.gradients < 2e-4 && step.weights < 1e-5, "{step:?}");
    }
}

#[test]
fn a_dump_without_the_convolutions_that_are_asked_for_is_refused() {
    let replay = Replay {
        convolutions: Some((4, 1.0)),
        ..on_tiny_xl()
    };
    let message = replay.run().unwrap_err().to_string();
    assert!(
        message.contains("convolutions of that rank and alpha"),
        "{message}"
    );
}

#[track_caller]
fn check(report: &Report) {
    for step in &report.steps {
        assert!(step.unet_output < 1e-5, "{step:?}");
        assert!(step.loss < 1e-5, "{step:?}");
        // Some gradients of text encoders are 1e-5 of the largest, and have as many digits less.
        assert!(step.gradients < 5e-4, "{step:?}");
        assert!(step.weights < 1e-5, "{step:?}");
    }
}
