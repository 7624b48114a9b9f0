//! What presets say for each family of base models, and what they ask.

use super::*;

#[test]
fn every_preset_is_valid_for_every_engine() {
    for family in Family::ALL {
        for preset in Preset::ALL {
            for &engine in Engine::ALL {
                let request = RecipeRequest {
                    engine,
                    preset,
                    base_model: "base".into(),
                    name: "zora".into(),
                    ..RecipeRequest::default()
                };
                let recipe = Recipe::resolve(request, family)
                    .unwrap_or_else(|err| panic!("{family:?} {engine:?}: {err}"));
                assert_eq!(*recipe.parameters(), Parameters::of(preset, family));
                assert_eq!(recipe.parameters().notes(), [], "{family:?} {preset:?}");
            }
        }
    }
}

#[test]
fn presets_are_the_ones_with_a_source() {
    let mut table = String::new();
    for family in Family::ALL {
        for preset in Preset::ALL {
            let (p, default) = (Parameters::of(preset, family), Parameters::default());
            let values = p.values().zip(default.values());
            let differing: Vec<String> = values
                .filter(|((_, value), (_, default))| value != default)
                .map(|((definition, value), _)| format!("{} {value}", definition.name))
                .collect();
            table += &format!("{family:?} {preset:?}: {}\n", differing.join(", "));
        }
    }
    expect![[r#"
        Tiny Character: n_steps 465, n_views 3720, learning_rate 0.001, batch_size 8, resolution 128, bucket_step 32, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        Tiny Style: n_steps 400, n_views 3200, learning_rate 0.002, batch_size 8, resolution 128, bucket_step 32, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        Tiny Concept: n_steps 465, n_views 3720, learning_rate 0.001, batch_size 8, resolution 128, bucket_step 32, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        Sdxl Character: n_views 1600, n_warmup_steps 80, rank 32, sample_at_start true
        Sdxl Style: n_steps 3000, n_views 3000, n_warmup_steps 150, rank 32, caption_dropout 0.05, sample_at_start true
        Sdxl Concept: n_steps 1500, n_views 1500, n_warmup_steps 75, rank 32, sample_at_start true
        Illustrious Character: n_steps 400, n_views 1600, learning_rate 0.0003, n_warmup_steps 20, batch_size 4, alpha 8, text_encoder_1_learning_rate 0.00003, text_encoder_2_learning_rate 0.00003, beta2 0.99, weight_decay 0.1, max_tokens 225, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        Illustrious Style: n_steps 1000, n_views 4000, learning_rate 0.0003, n_warmup_steps 50, batch_size 4, alpha 8, conv_rank 16, conv_alpha 8, beta2 0.99, weight_decay 0.1, max_tokens 225, caption_dropout 0.05, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        Illustrious Concept: n_steps 400, n_views 1600, learning_rate 0.0003, n_warmup_steps 20, batch_size 4, alpha 8, text_encoder_1_learning_rate 0.00003, text_encoder_2_learning_rate 0.00003, beta2 0.99, weight_decay 0.1, max_tokens 225, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        Noobai Character: n_steps 400, n_views 1600, learning_rate 0.0003, n_warmup_steps 20, batch_size 4, alpha 8, text_encoder_1_learning_rate 0.00003, text_encoder_2_learning_rate 0.00003, beta2 0.99, weight_decay 0.1, max_tokens 225, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        Noobai Style: n_steps 1000, n_views 4000, learning_rate 0.0003, n_warmup_steps 50, batch_size 4, alpha 8, conv_rank 16, conv_alpha 8, beta2 0.99, weight_decay 0.1, max_tokens 225, caption_dropout 0.05, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        Noobai Concept: n_steps 400, n_views 1600, learning_rate 0.0003, n_warmup_steps 20, batch_size 4, alpha 8, text_encoder_1_learning_rate 0.00003, text_encoder_2_learning_rate 0.00003, beta2 0.99, weight_decay 0.1, max_tokens 225, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        NoobaiV Character: n_steps 400, n_views 1600, learning_rate 0.0003, n_warmup_steps 20, batch_size 4, alpha 8, text_encoder_1_learning_rate 0.00003, text_encoder_2_learning_rate 0.00003, beta2 0.99, weight_decay 0.1, min_snr_gamma 0, debiased true, max_tokens 225, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        NoobaiV Style: n_steps 1000, n_views 4000, learning_rate 0.0003, n_warmup_steps 50, batch_size 4, alpha 8, conv_rank 16, conv_alpha 8, beta2 0.99, weight_decay 0.1, min_snr_gamma 0, debiased true, max_tokens 225, caption_dropout 0.05, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        NoobaiV Concept: n_steps 400, n_views 1600, learning_rate 0.0003, n_warmup_steps 20, batch_size 4, alpha 8, text_encoder_1_learning_rate 0.00003, text_encoder_2_learning_rate 0.00003, beta2 0.99, weight_decay 0.1, min_snr_gamma 0, debiased true, max_tokens 225, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        NoobaiFlow Character: n_steps 400, n_views 1600, learning_rate 0.0003, n_warmup_steps 20, batch_size 4, alpha 8, text_encoder_1_learning_rate 0.00003, text_encoder_2_learning_rate 0.00003, beta2 0.99, weight_decay 0.1, min_snr_gamma 0, max_tokens 225, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        NoobaiFlow Style: n_steps 1000, n_views 4000, learning_rate 0.0003, n_warmup_steps 50, batch_size 4, alpha 8, conv_rank 16, conv_alpha 8, beta2 0.99, weight_decay 0.1, min_snr_gamma 0, max_tokens 225, caption_dropout 0.05, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        NoobaiFlow Concept: n_steps 400, n_views 1600, learning_rate 0.0003, n_warmup_steps 20, batch_size 4, alpha 8, text_encoder_1_learning_rate 0.00003, text_encoder_2_learning_rate 0.00003, beta2 0.99, weight_decay 0.1, min_snr_gamma 0, max_tokens 225, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        Pony Character: n_steps 400, n_views 1600, learning_rate 1, batch_size 4, rank 32, alpha 32, text_encoder_1_learning_rate 1, text_encoder_2_learning_rate 1, optimizer `prodigy`, beta2 0.99, weight_decay 0.5, min_snr_gamma 0, noise_offset 0.03, max_tokens 225, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        Pony Style: n_steps 1000, n_views 4000, learning_rate 1, batch_size 4, rank 32, alpha 32, optimizer `prodigy`, beta2 0.99, weight_decay 0.5, min_snr_gamma 0, noise_offset 0.03, max_tokens 225, caption_dropout 0.05, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
        Pony Concept: n_steps 400, n_views 1600, learning_rate 1, batch_size 4, rank 32, alpha 32, text_encoder_1_learning_rate 1, text_encoder_2_learning_rate 1, optimizer `prodigy`, beta2 0.99, weight_decay 0.5, min_snr_gamma 0, noise_offset 0.03, max_tokens 225, shuffle_tags true, keep_tokens 1, checkpoint_every_n_steps 100, sample_every_n_steps 100, sample_at_start true
    "#]]
    .assert_eq(&table);
}

#[test]
fn every_question_has_answers_that_are_valid() {
    for family in Family::ALL {
        for preset in Preset::ALL {
            for question in Question::of(preset, family) {
                let mut usual = None;
                for answer in question.answers {
                    let request = RecipeRequest {
                        preset,
                        base_model: "base".into(),
                        name: "zora".into(),
                        overrides: answer.parameters,
                        ..RecipeRequest::default()
                    };
                    let recipe = Recipe::resolve(request, family).unwrap();
                    usual.get_or_insert_with(|| recipe.parameters().clone());
                }
                // The first answer is what the preset takes for granted.
                assert_eq!(usual, Some(Parameters::of(preset, family)), "{}", question.text);
            }
        }
    }
}
