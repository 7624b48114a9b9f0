//! What a base model predicts, from every place that says it.

use std::fs;

use diffusion::{
    base::{BaseInfo, BaseModel, BaseOptions},
    schedulers::{PredictionType, TimestepSpacing},
};
use protocol::base::Prediction;

use super::{
    draw,
    files::{self, File},
};

/// What is written into the header, and what it means.
const HEADERS: [(&[(&str, &str)], Prediction); 21] = [
    (&[], Prediction::Epsilon),
    (&[("modelspec.prediction_type", "epsilon")], Prediction::Epsilon),
    (&[("modelspec.prediction_type", "v")], Prediction::V),
    (&[("modelspec.prediction_type", "V_Prediction")], Prediction::V),
    (&[("modelspec.prediction_type", "v-prediction")], Prediction::V),
    (&[("modelspec.predict_key", "v")], Prediction::V),
    (&[("modelspec.predict_key", "epsilon")], Prediction::Epsilon),
    (
        &[
            ("modelspec.prediction_type", "v"),
            ("ss_zero_terminal_snr", "True"),
        ],
        Prediction::VZeroSnr,
    ),
    (
        &[
            ("ss_v_parameterization", "True"),
            ("ss_zero_terminal_snr", "True"),
        ],
        Prediction::VZeroSnr,
    ),
    (
        &[
            ("ss_v_parameterization", "True"),
            ("ss_zero_terminal_snr", "False"),
        ],
        Prediction::V,
    ),
    (&[("ss_v_parameterization", "False")], Prediction::Epsilon),
    (
        &[
            ("prediction_type", "\"v_prediction\""),
            ("rescale_betas_zero_snr", "true"),
        ],
        Prediction::VZeroSnr,
    ),
    (&[("v_pred", "true"), ("ztsnr", "true")], Prediction::VZeroSnr),
    (&[("modelspec.prediction_type", "flow")], Prediction::Flow),
    (
        &[("modelspec.prediction_type", "rectified flow")],
        Prediction::Flow,
    ),
    (
        &[("modelspec.prediction_type", "flow_matching")],
        Prediction::Flow,
    ),
    (&[("prediction_type", "flow_prediction")], Prediction::Flow),
    (&[("modelspec.prediction_type", "none")], Prediction::Epsilon),
    (
        &[(
            "sd_merge_models",
            r#"{"ab12": {"name": "a.safetensors", "modelspec.prediction_type": "v", "sd_merge_recipe": null}}"#,
        )],
        Prediction::V,
    ),
    (
        &[(
            "sd_merge_recipe",
            r#"{"metadata": "{\"modelspec.prediction_type\": \"v\", \"zsnr\": true}"}"#,
        )],
        Prediction::VZeroSnr,
    ),
    // Models of both kinds went into it: it says nothing.
    (
        &[(
            "sd_merge_models",
            r#"[{"modelspec.prediction_type": "v"}, {"modelspec.prediction_type": "epsilon"}]"#,
        )],
        Prediction::Epsilon,
    ),
];

#[test]
fn a_header_says_what_is_predicted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base.safetensors");
    let single = File::single();
    for (header, expected) in HEADERS {
        let file = header
            .iter()
            .fold(single.clone(), |file, (key, text)| file.said(key, text));
        file.write(&path);
        let info = BaseInfo::read(&path).unwrap();
        assert_eq!(info.predicts.prediction, expected, "{header:?}");
        assert_eq!(info.predicts.conflicts, Vec::<String>::new(), "{header:?}");
    }
}

#[test]
fn marks_count_more_than_headers_and_a_person_more_than_both() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base.safetensors");
    let marked = File::single().with("v_pred", &[]).with("ztsnr", &[]);
    marked
        .clone()
        .said("modelspec.prediction_type", "epsilon")
        .write(&path);
    let info = BaseInfo::read(&path).unwrap();
    assert_eq!(info.predicts.prediction, Prediction::VZeroSnr);
    assert_eq!(
        info.warnings(),
        [
            "the pair of marks `v_pred` and `ztsnr` says v-prediction with zero terminal SNR, but `modelspec.prediction_type` in its \
             header says epsilon; it is taken as v-prediction with zero terminal SNR"
        ]
    );
    // A header that does not speak of the noise schedule does not contradict.
    marked.said("modelspec.prediction_type", "v").write(&path);
    assert_eq!(BaseInfo::read(&path).unwrap().warnings(), Vec::<String>::new());

    let options = BaseOptions {
        prediction: Some(Prediction::Flow),
        vae: None,
    };
    let set = BaseInfo::read_with(&path, &options).unwrap();
    assert_eq!(set.predicts.prediction, Prediction::Flow);
    assert!(set.predicts.is_set);

    File::single().with("ztsnr", &[]).write(&path);
    let info = BaseInfo::read(&path).unwrap();
    assert_eq!(info.predicts.prediction, Prediction::Epsilon);
    assert!(info.warnings()[0].contains("`ztsnr` is there without `v_pred`"));

    File::single()
        .said("modelspec.prediction_type", "sample")
        .write(&path);
    let error = BaseInfo::read(&path).unwrap_err().to_string();
    assert!(
        error.contains("`modelspec.prediction_type` = `sample`") && error.contains("--prediction"),
        "{error}"
    );
    BaseInfo::read_with(&path, &options).unwrap();
}

#[test]
fn the_schedule_goes_with_the_prediction() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base.safetensors");
    File::single().write(&path);
    let with = |prediction| {
        let options = BaseOptions {
            prediction: Some(prediction),
            vae: None,
        };
        BaseModel::open_with(path.to_str().unwrap(), &options)
            .unwrap()
            .scheduler
    };
    let zero = with(Prediction::VZeroSnr);
    assert_eq!(zero.prediction_type, PredictionType::VPrediction);
    // The last timestep, which is pure noise, has to be visited (Lin et al. 2023).
    assert!(zero.rescale_betas_zero_snr && zero.timestep_spacing == TimestepSpacing::Trailing);
    let plain = with(Prediction::V);
    assert!(!plain.rescale_betas_zero_snr && plain.timestep_spacing == TimestepSpacing::Leading);
    assert_eq!(with(Prediction::Flow).prediction(), Prediction::Flow);
}

#[test]
fn the_file_of_a_folders_scheduler_says_it() {
    let cases: [(&str, Result<Prediction, &str>); 11] = [
        (r#"{"prediction_type": "epsilon"}"#, Ok(Prediction::Epsilon)),
        (r#"{"prediction_type": "v_prediction"}"#, Ok(Prediction::V)),
        (
            r#"{"prediction_type": "v_prediction", "rescale_betas_zero_snr": true}"#,
            Ok(Prediction::VZeroSnr),
        ),
        (
            r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0, "base_shift": 0.5}"#,
            Ok(Prediction::Flow),
        ),
        (
            r#"{"_class_name": "DPMSolverMultistepScheduler", "prediction_type": "flow_prediction", "use_flow_sigmas": true, "flow_shift": 2.5}"#,
            Ok(Prediction::Flow),
        ),
        (r#"{"prediction_type": "sample"}"#, Err("sample")),
        (
            r#"{"rescale_betas_zero_snr": true}"#,
            Err("rescale_betas_zero_snr"),
        ),
        (r#"{"_class_name": "EDMEulerScheduler"}"#, Err("EDM")),
        (
            r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": true}"#,
            Err("use_dynamic_shifting"),
        ),
        (
            r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 0.0}"#,
            Err("shift is 0"),
        ),
        (r#"{"trained_betas": [0.1]}"#, Err("trained_betas")),
    ];
    let folder = tempfile::tempdir().unwrap();
    files::folder(folder.path(), &[]);
    for (text, expected) in cases {
        fs::write(folder.path().join("scheduler/scheduler_config.json"), text).unwrap();
        let found = BaseInfo::read(folder.path());
        match expected {
            Ok(prediction) => assert_eq!(found.unwrap().predicts.prediction, prediction, "{text}"),
            Err(word) => {
                let error = found.unwrap_err().to_string();
                assert!(
                    error.contains(word) && error.contains("scheduler_config.json"),
                    "{text}: {error}"
                );
            }
        }
    }
    fs::write(
        folder.path().join("scheduler/scheduler_config.json"),
        r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}"#,
    )
    .unwrap();
    let base = BaseModel::load(folder.path()).unwrap();
    assert!((base.scheduler.shift - 3.0).abs() < 1e-12);
    assert!(draw(&base).iter().all(|value| value.is_finite()));
}

#[test]
fn what_it_does_is_measured() {
    let mut base = BaseModel::built_in("tiny-xl").unwrap();
    let measured = base.measure().unwrap();
    assert_eq!(measured.is, Some(Prediction::Epsilon), "{measured:#?}");
    let predictions: Vec<Prediction> = measured.losses.iter().map(|reading| reading.prediction).collect();
    assert_eq!(predictions, Prediction::ALL);
    base.info.measured = Some(measured.clone());
    assert_eq!(base.info.warnings(), Vec::<String>::new());
    // A file that says something else is reported; what it says counts.
    base.info.predicts.prediction = Prediction::V;
    assert_eq!(
        base.info.warnings(),
        ["scheduler_config.json says v-prediction, but it behaves like epsilon; it is taken as v-prediction"]
    );

    let options = BaseOptions {
        prediction: Some(Prediction::Flow),
        vae: None,
    };
    let mut set = BaseModel::open_with("tiny-xl", &options).unwrap();
    // It does what it does, whatever it is taken for.
    let again = set.measure().unwrap();
    assert_eq!(again.is, measured.is);
    set.info.measured = Some(again);
    assert_eq!(set.scheduler.prediction(), Prediction::Flow);
    assert_eq!(
        set.info.warnings(),
        ["the setting says rectified flow, but it behaves like epsilon; it is taken as rectified flow"]
    );
}
