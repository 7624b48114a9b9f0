use diffusion::base::{BaseOptions, export_built_in};
use protocol::base::Prediction;

use super::*;
use crate::job::Base;

fn exported() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base");
    export_built_in("tiny-xl", &path).unwrap();
    (folder, path)
}

fn load(path: &Path) -> BaseModel {
    Base::Path(path.to_owned()).load(&BaseOptions::default()).unwrap()
}

#[test]
fn a_base_is_measured_once_for_as_long_as_its_files_stay_the_same() {
    let (folder, path) = exported();
    let measurements = Measurements::at(folder.path());
    let mut model = load(&path);
    assert_eq!(measurements.known(&model.info), None);
    measurements.tell(&mut model).unwrap();
    let measured = model.info.measured.clone().unwrap();
    assert_eq!(measured.is, Some(Prediction::Epsilon));
    assert_eq!(measurements.known(&model.info), Some(measured.clone()));

    // What is kept is what is told: nothing is computed again.
    let file = measurements.path(&model.info).unwrap();
    let other = Measured {
        is: Some(Prediction::Flow),
        ..measured.clone()
    };
    fs::write(&file, serde_json::to_vec(&other).unwrap()).unwrap();
    let mut again = load(&path);
    measurements.tell(&mut again).unwrap();
    assert_eq!(again.info.measured, Some(other.clone()));
    assert_eq!(
        again.info.warnings(),
        ["scheduler_config.json says epsilon, but it behaves like rectified flow; it is taken as epsilon"]
    );

    // An older method's is not, nor is that of other files.
    let older = Measured { method: 0, ..other };
    fs::write(&file, serde_json::to_vec(&older).unwrap()).unwrap();
    assert_eq!(measurements.known(&again.info), None);
    fs::write(&file, serde_json::to_vec(&measured).unwrap()).unwrap();
    let unet = path.join("unet/diffusion_pytorch_model.safetensors");
    let bytes = fs::read(&unet).unwrap();
    fs::write(&unet, bytes).unwrap();
    assert_eq!(measurements.known(&again.info), None);
}

#[test]
fn what_the_server_says_is_not_measured() {
    let (folder, path) = exported();
    let said = Measured {
        method: Measured::METHOD,
        losses: Vec::new(),
        is: Some(Prediction::V),
    };
    let measurements = Measurements::at(folder.path()).said(Some(said.clone()));
    let mut model = load(&path);
    measurements.tell(&mut model).unwrap();
    assert_eq!(model.info.measured, Some(said));
    assert_eq!(measurements.news(&model.info), None);
    // What it found out by itself it reports.
    let alone = Measurements::at(folder.path());
    assert!(matches!(alone.news(&model.info), Some(Report::Measured { .. })));
    assert!(!folder.path().join("measured").exists());
}

#[test]
fn what_is_part_of_the_program_needs_no_measurement() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = BaseModel::built_in("tiny-xl").unwrap();
    Measurements::at(folder.path()).tell(&mut model).unwrap();
    assert_eq!(model.info.measured, None);
}
