use super::*;

#[test]
fn a_cache_that_is_named_twice_is_looked_at_once() {
    let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
    assert_eq!(distinct(paths(&["/a", "/b", "/a", "/b/"])), paths(&["/a", "/b"]));
}
