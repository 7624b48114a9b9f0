//! What people write as block weights, and what it means.

use super::*;

#[test]
fn what_block_weights_mean() {
    let weights = |text: &str| text.parse::<BlockWeights>();
    let twelve = weights("0, 1,1,1,.5,2,3,1,1,1,1,1").unwrap();
    for (module, weight) in [
        ("lora_te1_text_model_encoder_layers_0_mlp_fc1", 0.0),
        ("lora_unet_input_blocks_8_1_proj_in", 0.5),
        ("lora_unet_middle_block_1_proj_in", 2.0),
        ("lora_unet_output_blocks_0_1_proj_in", 3.0),
        ("lora_unet_input_blocks_1_0_in_layers_2", 1.0),
    ] {
        assert_eq!(twelve.of(module), weight, "{module}");
    }
    for n in [12, 17, 20, 26] {
        assert!(weights(&vec!["1"; n].join(",")).is_ok(), "{n}");
    }
    let style = weights("style").unwrap();
    assert_eq!(style.of("lora_unet_output_blocks_1_1_proj_in"), 1.0);
    assert_eq!(style.of("lora_unet_output_blocks_0_1_proj_in"), 0.0);
    for (wrong, problem) in [
        ("1,2,3", "these are 3 numbers"),
        ("1", "these are 1 numbers"),
        ("", "no name of a preset"),
        ("IN12=1", "no block `IN12`"),
        ("IN04=1,in04=2", "there twice"),
        ("IN04=nan", "no number"),
        ("IN04=5", "no number from -4 to 4"),
        ("IN04", "no name of a preset"),
        ("IN04=1,MID", "has no `=`"),
    ] {
        let err = weights(wrong).unwrap_err().to_string();
        assert!(
            err.contains(problem) && err.contains("expected 12, 17, 20 or 26"),
            "{wrong}: {err}"
        );
    }
}
