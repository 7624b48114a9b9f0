//! Trainings of everything that can be trained.

use protocol::{parameters::LoraKind, recipe::ParameterOverrides};

use super::*;

#[test]
fn text_encoders_and_convolutions_are_trained_saved_judged_and_resumed() {
    let fixture = Fixture::new(|o| {
        o.text_encoder_1_learning_rate = Some(5e-5);
        o.text_encoder_2_learning_rate = Some(1e-4);
        o.conv_rank = Some(2);
        o.max_tokens = Some(150);
        o.sample_every_n_steps = Some(6);
    });
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (ended, whole) = fixture.train(folders[0].path(), None);
    let trained = completed(ended);
    let check = |name: &str| {
        let checks = &trained.verdict.checks;
        checks.iter().find(|check| check.name == name).unwrap().passed
    };
    for name in ["opens", "complete", "finite", "non_zero", "weight_zero"] {
        assert!(check(name), "{:?}", trained.verdict);
    }
    let tensors = candle_core::safetensors::load(&trained.lora, &diffusion::device::HOST).unwrap();
    let down = &tensors["lora_unet_input_blocks_1_0_in_layers_2.lora_down.weight"];
    assert_eq!(down.dims(), [2, 32, 3, 3]);
    let moved = |key: &str| {
        let up = tensors[&format!("{key}.lora_up.weight")].flatten_all().unwrap();
        let up = up
            .to_dtype(candle_core::DType::F32)
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        up.iter().any(|value| *value != 0.0)
    };
    let last = BASE.text_encoders.first.config().n_layers - 1;
    assert!(moved("lora_te1_text_model_encoder_layers_0_mlp_fc1"));
    assert!(!moved(&format!(
        "lora_te1_text_model_encoder_layers_{last}_mlp_fc1"
    )));
    assert!(moved("lora_te2_text_model_encoder_layers_0_self_attn_v_proj"));

    let checkpoint = folders[0].path().join("checkpoint-000002.safetensors");
    let (ended, rest) = fixture.train(folders[1].path(), Some(&checkpoint));
    assert_eq!(numbers(&rest), numbers(&whole)[2..]);
    assert_eq!(
        completed(ended).metadata["sshs_model_hash"],
        trained.metadata["sshs_model_hash"]
    );
}

/// Every kind of LoRA with everything that is drawn by chance, and blocks that are computed again.
#[test]
fn every_kind_is_trained_judged_and_resumed_bit_for_bit() {
    for kind in [
        LoraKind::Lora,
        LoraKind::Dora,
        LoraKind::Loha,
        LoraKind::Lokr,
        LoraKind::TLora,
    ] {
        let has_ranks = matches!(kind, LoraKind::Lora | LoraKind::TLora);
        let settings = |o: &mut ParameterOverrides| {
            o.kind = Some(kind);
            o.lokr_factor = Some(4);
            o.conv_rank = Some(2);
            o.module_dropout = Some(0.2);
            o.network_dropout = Some(if has_ranks { 0.1 } else { 0.0 });
            o.rank_dropout = Some(if has_ranks { 0.1 } else { 0.0 });
            o.max_weight_norm = Some(0.5);
            o.n_steps = Some(4);
        };
        let fixture = Fixture::new(settings);
        let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let (ended, whole) = fixture.train(folders[0].path(), None);
        let trained = completed(ended);
        for name in ["opens", "complete", "finite", "weight_zero"] {
            let check = trained.verdict.checks.iter().find(|check| check.name == name);
            assert!(check.unwrap().passed, "{kind:?}: {:?}", trained.verdict);
        }
        let checkpoint = folders[0].path().join("checkpoint-000002.safetensors");
        let (ended, rest) = fixture.train(folders[1].path(), Some(&checkpoint));
        assert_eq!(numbers(&rest), numbers(&whole)[2..], "{kind:?}");
        let hash = |trained: &Trained| trained.metadata["sshs_model_hash"].clone();
        assert_eq!(hash(&completed(ended)), hash(&trained), "{kind:?}");

        let recomputing = Fixture::new(|o| {
            settings(o);
            o.gradient_checkpointing = Some(true);
        });
        let (ended, again) = recomputing.train(folders[2].path(), None);
        assert_eq!(numbers(&again), numbers(&whole), "{kind:?}");
        assert_eq!(hash(&completed(ended)), hash(&trained), "{kind:?}");
    }
}

/// A LoRA that changes nothing has nothing to preserve; one that has learned something is held back.
#[test]
fn what_is_said_without_the_trigger_word_is_compared_with_the_base() {
    let run = |strength: f64| {
        let fixture = Fixture::new(|o| {
            o.output_preservation = Some(strength);
            o.n_steps = Some(4);
            o.n_warmup_steps = Some(0);
            o.learning_rate = Some(1e-3);
        });
        let folder = tempfile::tempdir().unwrap();
        let (ended, events) = fixture.train(folder.path(), None);
        completed(ended);
        steps(&events)
    };
    let (plain, preserving) = (run(0.0), run(5.0));
    // Up to the last bits: the base is asked about the whole batch, and the network about its parts.
    assert!((preserving[0].loss / plain[0].loss - 1.0).abs() < 1e-6);
    assert!((preserving[0].gradient_norm / plain[0].gradient_norm - 1.0).abs() < 1e-4);
    assert!(preserving[1].loss > plain[1].loss, "{preserving:?}");
}

#[test]
fn preserving_needs_a_trigger_word() {
    let request = protocol::recipe::RecipeRequest {
        name: "test".into(),
        base_model: "tiny-xl".into(),
        overrides: ParameterOverrides {
            output_preservation: Some(1.0),
            ..ParameterOverrides::default()
        },
        ..protocol::recipe::RecipeRequest::default()
    };
    let errors = Recipe::resolve(request, protocol::preset::BaseClass::Tiny).unwrap_err();
    let message = format!("{errors:?}");
    assert!(
        message.contains("parameters.output_preservation") && message.contains("needs a trigger word"),
        "{message}"
    );
}

/// Whatever the base predicts, it is trained, judged and said.
#[test]
fn every_prediction_is_trained() {
    use diffusion::base::{BaseModel, BaseOptions};
    use protocol::base::Prediction;

    let fixture = Fixture::new(|o| {
        o.n_steps = Some(3);
        o.min_snr_gamma = Some(0.0);
        o.sample_every_n_steps = Some(3);
    });
    let mut losses = Vec::new();
    for (prediction, said, zero_snr) in [
        (Prediction::Epsilon, "epsilon", "False"),
        (Prediction::V, "v", "False"),
        (Prediction::VZeroSnr, "v", "True"),
        (Prediction::Flow, "flow", "False"),
    ] {
        let options = BaseOptions {
            prediction: Some(prediction),
            ..BaseOptions::default()
        };
        let base = BaseModel::open_with("tiny-xl", &options).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let job = TrainJob {
            recipe: &fixture.recipe,
            base: &base,
            manifest: &fixture.drawn.manifest,
            pictures: &|item| fixture.file(item),
            folder: folder.path(),
            start_from: None,
            resume_from: None,
            is_start_drawn: false,
            recomputes: false,
            judging: JudgeShare::NONE,
        };
        let mut events = Vec::new();
        let trained = completed(train(&job, |event| events.push(event), || None));
        assert_eq!(
            trained.metadata["modelspec.prediction_type"], said,
            "{prediction}"
        );
        assert_eq!(trained.metadata["ss_zero_terminal_snr"], zero_snr, "{prediction}");
        assert!(trained.verdict.validation.is_some(), "{prediction}");
        losses.push(steps(&events)[0].loss);
    }
    // A model of noise is farther from the velocities.
    assert!(losses[1..].iter().all(|loss| *loss > losses[0]), "{losses:?}");
}
