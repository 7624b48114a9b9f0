use super::{PictureError, seen};

#[test]
fn a_search_that_panics_refuses_its_page() {
    assert_eq!(seen(|| 3).unwrap(), 3);
    let puzzling = seen(|| -> u8 { panic!("nobody thought of this page") });
    assert!(matches!(puzzling, Err(PictureError::Puzzling)), "{puzzling:?}");
}
