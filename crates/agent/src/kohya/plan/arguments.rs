//! The command line of `sdxl_train_network.py`.

use std::path::Path;

use dataset::caption::rules::CaptionRules;
use protocol::{
    base::Prediction,
    foreign::sd_scripts::{self, Options, Setting},
    generation::Sampler,
};

use super::{Memory, Plan, Precision, Request, sampler};

/// Every argument, in the order: model, data, network, hyperparameters that sd-scripts takes as they are, optimizer,
/// precision, output.
pub(super) fn list(request: &Request<'_>, plan: &Plan) -> Vec<String> {
    let recipe = request.recipe;
    let p = recipe.parameters();
    let mut args = Arguments::default();

    args.path("pretrained_model_name_or_path", request.base);
    if let Some(vae) = request.vae {
        args.path("vae", vae);
    }
    args.path("tokenizer_cache_dir", request.tokenizers);
    match request.prediction {
        // Rectified flow is refused.
        Prediction::Epsilon | Prediction::Flow => {}
        Prediction::V => args.flag("v_parameterization"),
        Prediction::VZeroSnr => {
            args.flag("v_parameterization");
            args.flag("zero_terminal_snr");
        }
    }

    args.path("dataset_config", &plan.dataset_file);
    // Also in the dataset file, which is what counts; `modelspec.resolution` is taken from here, and is 1024 otherwise.
    args.value("resolution", format!("{0},{0}", p.resolution));
    // It refuses to keep latents of pictures that it changes each time.
    if !p.draws_looks() {
        args.flag("cache_latents");
        args.flag("cache_latents_to_disk");
    }
    // A cached text encoding is that of the caption's file, whatever is to be drawn, by encoders that are not trained.
    if CaptionRules::of(recipe).change_nothing() && !p.trains_text_encoders() {
        args.flag("cache_text_encoder_outputs");
        args.flag("cache_text_encoder_outputs_to_disk");
    }
    args.value("max_data_loader_n_workers", 2);
    args.flag("persistent_data_loader_workers");

    args.options(&sd_scripts::network(p));

    args.options(&sd_scripts::hyperparameters(p));
    args.options(&sd_scripts::optimizer(p));
    // With `--skip_until_initial_step` it loses count after an epoch, and trains too long. Without it, it takes the
    // weights, the optimizer and the place in the schedule from the state, and trains what it is told, counting from 0.
    if let Some(resume) = request.resume {
        args.options(&sd_scripts::schedule_of_all_steps(p));
        args.path("resume", resume.state);
        // Else it refuses a state that has more steps than are left.
        args.value("initial_step", 0);
        args.value("max_train_steps", p.n_steps - resume.step);
    } else {
        args.options(&sd_scripts::schedule(p));
        args.value("max_train_steps", p.n_steps);
        if let Some(lora) = request.start_from {
            args.path("network_weights", lora);
        }
    }
    args.value("gradient_accumulation_steps", request.memory.batches(p).1);

    args.value("mixed_precision", request.precision.word());
    args.flag("no_half_vae");
    // Without it attention takes memory by the square of a picture's area.
    args.flag("sdpa");
    args.flag("gradient_checkpointing");
    if request.memory == Memory::EightBitUnet {
        args.flag("fp8_base_unet");
    }

    args.path("output_dir", &plan.output);
    args.value("output_name", recipe.name());
    args.value("save_model_as", "safetensors");
    args.value(
        "save_precision",
        match request.precision {
            Precision::Full => "float",
            Precision::Bf16 | Precision::Fp16 => "fp16",
        },
    );
    // In steps also where a recipe says epochs: a run that goes on counts epochs from where it begins.
    if plan.checkpoint_every > 0 {
        args.value("save_every_n_steps", plan.checkpoint_every);
        // A distance in steps: the last two are kept.
        args.value("save_last_n_steps", plan.checkpoint_every);
        args.value("save_last_n_steps_state", plan.checkpoint_every);
    }
    args.flag("save_state");
    if let Some((path, _)) = &plan.prompts {
        args.path("sample_prompts", path);
        args.value("sample_every_n_steps", plan.looks_every);
        args.value("sample_sampler", sampler(Sampler::default()));
        if plan.samples_first {
            args.flag("sample_at_first");
        }
    }
    if let Some(trigger) = recipe.trigger_word() {
        args.value("metadata_trigger_phrase", trigger);
    }
    args.path("logging_dir", &plan.logs);
    args.value("log_with", "tensorboard");
    args.flag("console_log_simple");
    args.0
}

/// A command line in the making.
#[derive(Default)]
struct Arguments(Vec<String>);

impl Arguments {
    fn flag(&mut self, name: &str) {
        self.0.push(format!("--{name}"));
    }

    fn value(&mut self, name: &str, value: impl ToString) {
        let value = value.to_string();
        if value.starts_with('-') {
            // argparse takes a word with a dash for the next option.
            self.0.push(format!("--{name}={value}"));
        } else {
            self.0.extend([format!("--{name}"), value]);
        }
    }

    fn options(&mut self, options: &Options) {
        for (name, setting) in options.iter() {
            match setting {
                Setting::Flag => self.flag(name),
                Setting::Value(value) => self.value(name, value),
                Setting::Values(values) => self.values(name, values.iter().cloned()),
            }
        }
    }

    fn path(&mut self, name: &str, value: &Path) {
        self.value(name, value.display());
    }

    fn values(&mut self, name: &str, values: impl IntoIterator<Item = String>) {
        self.0.push(format!("--{name}"));
        self.0.extend(values);
    }
}
