//! Text embeddings (textual inversions) in LoRA files and in files of their own.

use candle_core::Tensor;
use prompt::{OwnWord, Prompt, Reading, tokenizer::FIRST_OWN};

use super::*;
use crate::{
    device::tensor,
    embeddings::Embeddings,
    graph::AdapterSet,
    networks::{Encoder, Native, Networks as _},
    text_encoder::{EncodedText, TextEncoder},
    tokenizer::{Padding, Tokenizer},
};

/// What both encoders say of a prompt.
fn said(base: &BaseModel, adapters: &AdapterSet, text: &str) -> [Vec<f32>; 3] {
    let mut networks = Native { base, adapters };
    let prompt = Prompt::read_with(text, Reading::Language, networks.words());
    let chunk = &prompt.chunks[0];
    let mut ask = |encoder, padding| networks.encode(encoder, &[chunk.ids(padding)]).unwrap();
    let first = ask(Encoder::First, Padding::End);
    let EncodedText { hidden, pooled } = ask(Encoder::Second, base.text_encoders.second_padding);
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
    [values(&first.hidden), values(&hidden), values(&pooled.unwrap())]
}

#[test]
fn a_word_with_the_vectors_of_others_says_the_same_as_they_do() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let tokens = Tokenizer.encode("smiling portrait");
    let of = |encoder: &TextEncoder| encoder.look_up(tokens.clone()).unwrap();
    let zora = Embedding {
        word: "zora".to_owned(),
        first: of(&base.text_encoders.first),
        second: of(&base.text_encoders.second),
    };
    let other = Embedding {
        word: "ink".to_owned(),
        first: tensor(vec![0.5; 32], [1, 32]).unwrap(),
        second: tensor(vec![0.5; 64], [1, 64]).unwrap(),
    };
    let mut adapters = AdapterSet::new();
    // The second word's tokens begin behind the first one's.
    adapters.set_embeddings(Embeddings::new([&other, &zora]).unwrap());
    let expected = said(&base, &AdapterSet::new(), "a smiling portrait, blue");
    assert_eq!(said(&base, &adapters, "a zora, blue"), expected);
    assert_eq!(said(&base, &adapters, "a smiling portrait, blue"), expected);
    assert_ne!(said(&base, &adapters, "a ink, blue"), expected);
    assert_ne!(said(&base, &AdapterSet::new(), "a zora, blue"), expected);
}

#[test]
fn the_words_of_a_file_are_those_of_its_weight() {
    let folder = tempfile::tempdir().unwrap();
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let path = folder.path().join("lora.safetensors");
    let lora = |first: usize, second: usize| {
        write(
            &path,
            &[
                (DOWN, &[2, 64], 1.0),
                (UP, &[64, 2], 1.0),
                ("bundle_emb.zora.v2.clip_l", &[2, first], 1.0),
                ("bundle_emb.zora.v2.clip_g", &[2, second], 1.0),
            ],
        );
        Lora::open(&path).unwrap()
    };
    let fitting = lora(32, 64);
    fitting.check(&base).unwrap();
    let summary = fitting.summary_for(&base);
    assert_eq!((summary.n_modules, summary.notes()), (1, vec![]));
    assert_eq!(summary.trigger_words, ["zora.v2"]);
    let words = |loras: &[(&Lora, f32)]| {
        let adapters = adapters(&base, loras.iter().copied()).unwrap();
        adapters.embeddings().words().to_vec()
    };
    let expected = [OwnWord {
        word: "zora.v2".to_owned(),
        token: FIRST_OWN,
        n_tokens: 2,
    }];
    assert_eq!(words(&[(&fitting, 0.5)]), expected);
    assert_eq!(words(&[(&fitting, 0.5), (&fitting, 1.0)]), expected);
    assert_eq!(words(&[(&fitting, 0.0)]), []);

    // One for a full SDXL: the LoRA fits, and the word is as before.
    let foreign = lora(768, 1280);
    foreign.check(&base).unwrap();
    assert_eq!(words(&[(&foreign, 1.0)]), []);
    let notes = foreign.summary_for(&base).notes();
    assert!(
        notes[0].starts_with("`zora.v2` is a text embedding of 768 and 1280 numbers"),
        "{notes:?}"
    );
}

#[test]
fn an_embedding_by_itself_is_called_up_by_the_name_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let at = |name: &str, first: f32| {
        let path = folder.path().join(name);
        // A single vector may be stored without its first dimension.
        write(&path, &[("clip_l", &[32], first), ("clip_g", &[64], 1.0)]);
        Lora::open(&path).unwrap()
    };
    let zora = at("zora.safetensors", 0.5);
    assert!(!zora.is_zero().unwrap());
    zora.check(&base).unwrap();
    let set = adapters(&base, [(&zora, 1.0)]).unwrap();
    assert_eq!(set.embeddings().words()[0].word, "zora");
    assert!(!set.is_empty());
    let other = at("Zora.safetensors", 1.0);
    let err = adapters(&base, [(&zora, 1.0), (&other, 1.0)]).unwrap_err();
    assert!(
        err.to_string().contains("both have a text embedding for `Zora`"),
        "{err}"
    );
    let err = edit::Source::open(zora.path()).unwrap_err();
    assert!(err.to_string().contains("of which no LoRA can be made"), "{err}");
    let path = folder.path().join("nan.safetensors");
    write(
        &path,
        &[("clip_l", &[1, 32], f32::NAN), ("clip_g", &[1, 64], 1.0)],
    );
    let err = Lora::open(&path).unwrap_err();
    assert!(err.to_string().contains("holds NaN or infinity"), "{err}");
}
