use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

/// A file with this header and so many bytes of tensors.
fn file(header: &str, n_bytes: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.resize(file.len() + n_bytes, 0);
    file
}

fn read(file: &[u8]) -> Result<Header, HeaderError> {
    let range = header_range(&file[..file.len().min(8)], file.len() as u64)?;
    Header::parse(&file[range.start as usize..range.end as usize], file.len() as u64)
}

#[track_caller]
fn refused(file: &[u8], expected: Expect) {
    expected.assert_eq(&read(file).unwrap_err().to_string());
}

const TWO: &str = r#"{"__metadata__":{"ss_network_dim":"4"},
    "a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},
    "b":{"dtype":"F32","shape":[],"data_offsets":[12,16]}}"#;

#[test]
fn tensors_are_found() {
    let header = read(&file(TWO, 16)).unwrap();
    let first = 8 + TWO.len() as u64;
    assert_eq!(header.metadata["ss_network_dim"], "4");
    assert_eq!(header.tensors["a"].range, first..first + 12);
    assert_eq!(
        (header.tensors["b"].dtype, header.tensors["b"].shape.len()),
        (Dtype::F32, 0)
    );
}

#[test]
fn what_is_no_safetensors_file_is_told() {
    refused(b"not", expect!["the file ends after 3 bytes, before its header"]);
    refused(
        b"not a lora",
        expect![
            "its header length of 8028827837223169902 bytes exceeds the file (10 bytes) or the limit (16777216 bytes)"
        ],
    );
    let err = read(&file("[1]", 0)).unwrap_err().to_string();
    assert!(
        err.contains("invalid type: sequence, expected an object of tensors"),
        "{err}"
    );
}

#[test]
fn tensors_fill_the_file() {
    refused(
        &file(TWO, 15),
        expect!["its tensors end at byte 183, but the file ends at byte 182"],
    );
    refused(
        &file(TWO, 17),
        expect!["its tensors end at byte 183, but the file ends at byte 184"],
    );
    let gap = TWO.replace("[12,16]", "[16,20]");
    refused(
        &file(&gap, 20),
        expect!["its tensor `b` does not begin where the previous one ends"],
    );
    let overlap = TWO.replace("[12,16]", "[8,12]");
    refused(
        &file(&overlap, 12),
        expect!["its tensor `b` does not begin where the previous one ends"],
    );
}

#[test]
fn shapes_are_as_large_as_their_bytes() {
    for shape in ["[2,4]", "[18446744073709551615,2]", "[1,1,1,1,1,1,1,1,6]"] {
        let wrong = TWO.replace("[2,3]", shape);
        let err = read(&file(&wrong, 16)).unwrap_err();
        assert!(
            matches!(&err, HeaderError::Tensor { name, .. } if name == "a"),
            "{err}"
        );
    }
    let backwards = TWO.replace("[0,12]", "[12,0]");
    assert!(matches!(
        read(&file(&backwards, 16)),
        Err(HeaderError::Tensor { .. })
    ));
}

#[test]
fn nothing_is_said_twice() {
    let twice = TWO.replace("\"b\"", "\"a\"");
    let err = read(&file(&twice, 16)).unwrap_err().to_string();
    assert!(err.contains("it has the tensor `a` twice"), "{err}");
}

proptest! {
    /// Whatever is done to a file, it is read or refused, and what is read lies within the file.
    #[test]
    fn a_changed_file_is_read_or_refused(
        changes in proptest::collection::vec((0..200_usize, any::<u8>()), 1..6),
        cut in 0..200_usize,
    ) {
        let mut file = file(TWO, 16);
        for (place, byte) in changes {
            let place = place % file.len();
            file[place] = byte;
        }
        file.truncate(file.len().saturating_sub(cut).max(1));
        if let Ok(header) = read(&file) {
            for tensor in header.tensors.values() {
                prop_assert!(tensor.range.end <= file.len() as u64);
            }
        }
    }
}

#[test]
fn texts_join_the_metadata_and_the_tensors_stay() {
    let tensors: Vec<u8> = (0..16).collect();
    let mut before = file(TWO, 0);
    before.extend_from_slice(&tensors);
    let range = header_range(&before[..8], before.len() as u64).unwrap();
    let header = &before[range.start as usize..range.end as usize];
    let texts = BTreeMap::from([("title".to_owned(), "Zora".to_owned())]);
    let mut after = with_metadata(header, &texts).unwrap();
    assert_eq!(after.len() % 8, 0, "tensors begin at a multiple of eight");
    after.extend_from_slice(&tensors);
    let (first, second) = (read(&before).unwrap(), read(&after).unwrap());
    assert_eq!(second.metadata["title"], "Zora");
    assert_eq!(second.metadata["ss_network_dim"], "4");
    for (name, tensor) in &first.tensors {
        let moved = &second.tensors[name];
        let bytes = |file: &[u8], range: &std::ops::Range<u64>| {
            file[range.start as usize..range.end as usize].to_vec()
        };
        assert_eq!(
            bytes(&before, &tensor.range),
            bytes(&after, &moved.range),
            "{name}"
        );
        assert_eq!((moved.dtype, &moved.shape), (tensor.dtype, &tensor.shape));
    }
    let without = with_metadata(
        br#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#,
        &texts,
    )
    .unwrap();
    assert_eq!(
        read(&[without, vec![0; 4]].concat()).unwrap().metadata["title"],
        "Zora"
    );
}
