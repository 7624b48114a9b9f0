use super::*;

fn tensor(name: &str, shape: &[usize], values: &[f32]) -> (String, Tensor) {
    (
        name.to_owned(),
        Tensor::from_slice(values, shape, &diffusion::device::HOST).unwrap(),
    )
}

#[test]
fn is_laid_out_like_the_library_does_it() {
    let tensors = [tensor("b", &[2], &[1.0, -2.5]), tensor("a", &[], &[0.5])];
    let metadata = BTreeMap::from([("k".to_owned(), "\"v\" ü".to_owned())]);
    let mut ours = Vec::new();
    TensorFile::new(&tensors, Precision::F32)
        .write(&metadata, &mut ours)
        .unwrap();

    let raw: Vec<_> = [("b", vec![2], [1.0_f32, -2.5].as_slice()), ("a", vec![], &[0.5])]
        .into_iter()
        .map(|(name, shape, values)| {
            (
                name,
                shape,
                values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>(),
            )
        })
        .collect();
    let views = raw.iter().map(|(name, shape, bytes)| {
        (
            *name,
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap(),
        )
    });
    let theirs = safetensors::serialize(views, Some(metadata.clone().into_iter().collect())).unwrap();
    // Keys may come in another order within the header; its length and the data are the same.
    assert_eq!(ours.len(), theirs.len());
    assert_eq!(ours[ours.len() - 12..], theirs[theirs.len() - 12..]);
    let read = safetensors::SafeTensors::deserialize(&ours).unwrap();
    assert_eq!(read.tensor("a").unwrap().data(), 0.5_f32.to_le_bytes());
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("step.safetensors");
    write_atomically(&path, |out| out.write_all(b"old")).unwrap();
    let err = write_atomically(&path, |out| {
        out.write_all(&[0; 3 << 20])?;
        Err(io::ErrorKind::StorageFull.into())
    })
    .unwrap_err();
    assert_eq!(err.to_string(), format!("failed to write `{}`", path.display()));
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    write_atomically(&path, |out| out.write_all(b"new")).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
}

#[test]
fn a_file_may_be_read_by_whom_the_umask_allows() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (plain, path) = (folder.path().join("plain"), folder.path().join("atomic"));
    std::fs::write(&plain, "x").unwrap();
    super::write_atomically(&path, |out| out.write_all(b"x")).unwrap();
    assert_eq!(path.metadata().unwrap().mode(), plain.metadata().unwrap().mode());
}
