//! Reading golden files and comparing with them.

use std::path::{Path, PathBuf};

use candle_core::Tensor;
use diffusion::{device::HOST, weights::TensorFile};

/// The folder of golden files.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// An open golden file.
pub(crate) struct Golden(TensorFile);

impl Golden {
    pub(crate) fn open(path: &Path) -> Self {
        Self(TensorFile::open(path).unwrap())
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::open(&folder().join(name))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.info(name).is_some()
    }

    pub(crate) fn tensor(&self, name: &str) -> Tensor {
        let shape = self
            .0
            .info(name)
            .unwrap_or_else(|| panic!("no `{name}`"))
            .shape
            .clone();
        Tensor::from_vec(self.0.read(name).unwrap(), shape, &HOST).unwrap()
    }

    /// Checks that no number is further off than `tolerance` times the largest one.
    #[track_caller]
    pub(crate) fn check(&self, name: &str, found: &Tensor, tolerance: f32) {
        let expected = self.tensor(name);
        assert_eq!(found.dims(), expected.dims(), "{name}");
        let largest = max_abs(&expected);
        let error = max_abs(&(found - &expected).unwrap());
        assert!(
            error <= tolerance * largest,
            "{name}: off by {error:e} where the largest number is {largest}, allowed {tolerance:e} of it"
        );
    }
}

/// The largest absolute value; NaN counts as infinite.
pub(crate) fn max_abs(x: &Tensor) -> f32 {
    let values: Vec<f32> = x.flatten_all().unwrap().to_vec1().unwrap();
    values
        .into_iter()
        .map(|x| if x.is_nan() { f32::INFINITY } else { x.abs() })
        .fold(0.0, f32::max)
}
