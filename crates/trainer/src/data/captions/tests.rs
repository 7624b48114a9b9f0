use candle_core::Tensor;
use protocol::recipe::ParameterOverrides;

use super::*;
use crate::fixture::{BASE, Fixture};

fn captions(change: impl FnOnce(&mut ParameterOverrides)) -> Captions {
    Captions::of(&Fixture::new(change).recipe)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// `hidden_states * weights`, and the pooled output as it was.
#[test]
fn emphasis_multiplies_hidden_states() {
    for n_tokens in [75, 150] {
        let weighted = captions(|o| {
            o.weighted_captions = Some(true);
            o.max_tokens = Some(n_tokens);
        });
        let letters = captions(|o| o.max_tokens = Some(n_tokens));
        let encoders = &BASE.text_encoders;
        let emphasized = weighted.encode(encoders, "a (cat:1.5) [dog]").unwrap();
        let plain = letters.encode(encoders, "a cat dog").unwrap();
        assert_eq!(values(&emphasized.pooled), values(&plain.pooled));
        let (_, n_positions, width) = plain.context.dims3().unwrap();
        assert_eq!(n_positions, n_tokens as usize + 2);
        let (emphasized, plain) = (values(&emphasized.context), values(&plain.context));
        for (position, (was, is)) in plain.chunks(width).zip(emphasized.chunks(width)).enumerate() {
            let weight = [1.0, 1.0, 1.5, 1.0 / 1.1].get(position).copied().unwrap_or(1.0);
            let expected: Vec<f32> = was.iter().map(|value| value * weight as f32).collect();
            assert_eq!(is, expected, "position {position}");
        }
        // Without brackets nothing differs.
        let (a, b) = (
            weighted.encode(encoders, "zora"),
            letters.encode(encoders, "zora"),
        );
        assert_eq!(values(&a.unwrap().context), values(&b.unwrap().context));
    }
}

#[test]
fn the_oldest_encodings_make_room() {
    let encoding = Arc::new(captions(|_| ()).encode(&BASE.text_encoders, "zora").unwrap());
    let size = size_bytes(&encoding);
    let mut kept = Kept::default();
    for text in ["a", "b", "a", "c", "d"] {
        kept.keep(text, encoding.clone(), 3 * size);
        assert!(kept.n_bytes <= 3 * size);
    }
    let mut texts: Vec<&str> = kept.encodings.keys().map(String::as_str).collect();
    texts.sort_unstable();
    assert_eq!(texts, ["b", "c", "d"]);
    // One that is too large leaves the others alone.
    kept.keep("e", encoding, size - 1);
    assert_eq!(kept.encodings.len(), 3);
}
