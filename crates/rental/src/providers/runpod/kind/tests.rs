use protocol::recipe::Engine;

use super::{KIND, renting};
use crate::{Key, Kind as _, Values};

fn values(set: &[(&'static str, &str)]) -> Values {
    let mut values = Values::default();
    for (name, value) in set {
        values.set_default(name, (*value).to_owned());
    }
    values
}

#[test]
fn real_machines_train_with_what_the_worker_has_on_their_gpu() {
    let real = renting(&values(&[("image", "worker")]), true).unwrap();
    assert_eq!(real.engines, [Engine::Kohya]);
    assert_eq!(real.min_cuda_version.as_deref(), Some("12.8"));
    let simulated = renting(&values(&[("image", "worker")]), false).unwrap();
    assert!(simulated.engines.contains(&Engine::Native));
    assert_eq!(simulated.min_cuda_version, None);
    let set = [
        ("image", "worker"),
        ("engines", "native"),
        ("min-cuda", "13.0"),
        ("disk", "7"),
    ];
    let other = renting(&values(&set), true).unwrap();
    assert_eq!(other.engines, [Engine::Native]);
    assert_eq!(other.min_cuda_version.as_deref(), Some("13.0"));
    assert_eq!(other.disk_gb, 7);
}

#[test]
fn what_is_wrong_is_named() {
    for (name, value, says) in [
        ("disk", "0", "runpod: disk: `0` is not a whole number above 0"),
        (
            "engines",
            "native,other",
            "runpod: engines: there is no engine `other`",
        ),
        ("url", "nowhere", "runpod: url: `nowhere` is not a valid URL"),
    ] {
        let values = values(&[("image", "worker"), (name, value)]);
        let err = KIND.landlord(&values, Key::new("key")).unwrap_err().to_string();
        assert!(err.starts_with(says), "{err}");
    }
    let err = KIND
        .landlord(&values(&[]), Key::new("key"))
        .unwrap_err()
        .to_string();
    assert!(err.contains("--runpod-image"), "{err}");
}

#[test]
fn a_simulator_is_not_the_real_one() {
    for (url, is_real) in [
        ("https://api.runpod.io", true),
        ("https://api.runpod.io/", true),
        ("http://127.0.0.1:7861", false),
    ] {
        let values = values(&[("image", "worker"), ("url", url)]);
        let landlord = KIND.landlord(&values, Key::new("key")).unwrap();
        assert_eq!(landlord.is_real(), is_real, "{url}");
        assert!(!format!("{landlord:?}").contains("\"key\""));
    }
}
