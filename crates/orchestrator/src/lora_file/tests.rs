use protocol::safetensors::{PREFIX_BYTES, header_range};

use super::*;

fn header(file: &[u8]) -> Header {
    let range = header_range(file, file.len() as u64).unwrap();
    Header::parse(&file[range.start as usize..range.end as usize], file.len() as u64).unwrap()
}

#[track_caller]
fn refused(change: impl FnOnce(&mut BTreeMap<String, Tensor>), wanted: &str) {
    let mut header = header(&sim::files::lora(4, ""));
    change(&mut header.tensors);
    let problem = check_header(&header, 4).unwrap_err();
    assert!(problem.contains(wanted), "{problem}");
}

const MODULE: &str = "lora_unet_middle_block_1_proj_in";

fn named(part: &str) -> String {
    format!("{MODULE}.{part}")
}

#[test]
fn a_lora_has_the_ranks_names_and_shapes_of_one() {
    assert_eq!(check_header(&header(&sim::files::lora(4, "")), 4), Ok(()));
    let other = check_header(&header(&sim::files::lora(8, "")), 4).unwrap_err();
    assert!(other.contains("has the rank 8, but the recipe has 4"), "{other}");
    refused(BTreeMap::clear, "it has no modules");
    refused(
        |tensors| drop(tensors.remove(&named(UP))),
        "has no `lora_up.weight`",
    );
    refused(|tensors| drop(tensors.remove(&named(ALPHA))), "has no `alpha`");
    refused(
        |tensors| {
            let alpha = tensors.remove(&named(ALPHA)).unwrap();
            tensors.insert("model.diffusion_model.out.2.bias".into(), alpha);
        },
        "`model.diffusion_model.out.2.bias` is not from a LoRA",
    );
    refused(
        |tensors| tensors.get_mut(&named(DOWN)).unwrap().dtype = Dtype::I32,
        "has the type I32",
    );
    refused(
        |tensors| tensors.get_mut(&named(DOWN)).unwrap().shape = vec![4, 2, 2],
        "shapes that are invalid for a LoRA",
    );
    refused(
        |tensors| tensors.get_mut(&named(ALPHA)).unwrap().shape = vec![2],
        "not one number",
    );
}

#[test]
fn a_convolutions_lora_is_one() {
    let mut header = header(&sim::files::lora(4, ""));
    header.tensors.get_mut(&named(DOWN)).unwrap().shape = vec![4, 4, 1, 1];
    header.tensors.get_mut(&named(UP)).unwrap().shape = vec![4, 4, 1, 1];
    assert_eq!(check_header(&header, 4), Ok(()));
}

/// What is seen of the file, in pieces of this size.
fn scan(file: &[u8], piece: usize) -> Seen {
    let header = header(file);
    let first = header_range(file, file.len() as u64).unwrap().end;
    assert!(first > PREFIX_BYTES);
    let mut scan = Scan::new(header);
    file[first as usize..]
        .chunks(piece)
        .for_each(|bytes| scan.take(bytes));
    scan.end()
}

#[test]
fn numbers_are_seen_however_the_bytes_come() {
    let sound = sim::files::lora(4, "");
    let tensors = header(&sound).tensors;
    let mut broken = sound.clone();
    let up = tensors[&named(UP)].range.clone();
    broken[up.end as usize - 4..up.end as usize].copy_from_slice(&f32::NAN.to_le_bytes());
    let mut zero = sound.clone();
    zero[up.start as usize..up.end as usize].fill(0);
    for piece in [1, 3, 4, 7, 10_000] {
        assert_eq!(scan(&sound, piece), Seen::default(), "{piece}");
        assert_eq!(scan(&broken, piece).not_finite, Some(named(UP)), "{piece}");
        assert_eq!(
            scan(&zero, piece).zero,
            BTreeSet::from([MODULE.to_owned()]),
            "{piece}"
        );
    }
}

#[test]
fn halves_are_numbers_too() {
    let half = |bits: u16| bits.to_le_bytes();
    assert!(is_finite_number(Dtype::F16, &half(0x7bff)), "the largest");
    assert!(!is_finite_number(Dtype::F16, &half(0xfc00)), "minus infinity");
    assert!(is_finite_number(Dtype::BF16, &half(0x7f7f)), "the largest");
    assert!(!is_finite_number(Dtype::BF16, &half(0x7fc0)), "no number");
    assert!(is_zero_number(Dtype::F16, &half(0x8000)), "minus zero");
    assert!(!is_zero_number(Dtype::BF16, &half(1)), "the smallest");
}
