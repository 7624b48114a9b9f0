// Generated from crates/server/openapi.json by `npm run generate`. Do not edit.
export const fields = {
  "Parameters": {
    "adaptive_noise_scale": {
      "type": "number",
      "description": "Adds this share of a picture's own average (of its latents) to its noise offset.",
      "minimum": -1,
      "maximum": 1,
      "default": 0,
      "group": "noise",
      "order": 55,
      "when": "About a tenth of the noise offset, if the settings that you follow give it.",
      "why": "Few settings use it."
    },
    "alpha": {
      "type": "number",
      "description": "Alpha: the LoRA's output is scaled by alpha / rank. Equal to rank means a scale of 1.",
      "maximum": 512,
      "exclusiveMinimum": 0,
      "default": 16,
      "group": "network",
      "order": 11,
      "when": "Equal to the rank with Prodigy, or if the settings that you follow say so.",
      "why": "Half of the rank is what most settings for SDXL use; a changed rank keeps the ratio."
    },
    "batch_size": {
      "type": "integer",
      "description": "Pictures in one forward pass.",
      "minimum": 1,
      "maximum": 64,
      "default": 1,
      "group": "basic",
      "order": 8,
      "unit": "pictures",
      "when": "2 to 4 on a GPU with 24 GB or more: smoother steps, and faster for each picture.",
      "why": "One fits into every GPU that can train SDXL."
    },
    "beta1": {
      "type": "number",
      "description": "How long the optimizer remembers earlier gradients: closer to 1 is longer.",
      "minimum": 0,
      "maximum": 0.9999,
      "default": 0.9,
      "group": "optimizer",
      "order": 29,
      "when": "If the settings that you follow give it.",
      "why": "The default of all these optimizers. Adafactor has one among its own arguments."
    },
    "beta2": {
      "type": "number",
      "description": "How long the optimizer remembers how large the gradients were: closer to 1 is longer.",
      "minimum": 0,
      "maximum": 0.999999,
      "default": 0.999,
      "group": "optimizer",
      "order": 30,
      "when": "0.99 for short trainings, as many settings for SDXL have it.",
      "why": "The default of Adam and its like; Lion's is 0.99."
    },
    "block_learning_rates": {
      "type": "array",
      "description": "Factors of the learning rate of single blocks: `IN04=0.5`. 0 leaves a block out.",
      "maxItems": 32,
      "default": [],
      "group": "network",
      "order": 20,
      "when": "Lower for the input blocks if the LoRA takes over compositions.",
      "why": "All blocks learn alike."
    },
    "block_ranks": {
      "type": "array",
      "description": "Ranks of single blocks: `OUT00=64`. 0 leaves a block out.",
      "maxItems": 32,
      "default": [],
      "group": "network",
      "order": 19,
      "when": "If a resized LoRA shows that some blocks need little.",
      "why": "One rank for all is what almost all LoRAs have."
    },
    "bucket_no_upscale": {
      "type": "boolean",
      "description": "Trains a picture that is smaller than the training size at its own size, rounded down to the step, instead of enlarging it.",
      "default": false,
      "group": "pictures",
      "order": 91,
      "when": "If some pictures are small and their blur must not be learned. It makes more buckets with fewer pictures in each.",
      "why": "SDXL draws badly at sizes that it was hardly trained with."
    },
    "bucket_step": {
      "type": "integer",
      "description": "Pictures are sorted into buckets by their shape. The sides of a bucket are multiples of this.",
      "minimum": 32,
      "maximum": 256,
      "multipleOf": 32,
      "default": 64,
      "group": "pictures",
      "order": 88,
      "unit": "pixels",
      "when": "32 cuts less off, and makes more buckets with fewer pictures in each.",
      "why": "The step of SDXL's own sizes."
    },
    "caption_dropout": {
      "type": "number",
      "description": "Share of the training pictures shown with an empty caption.",
      "minimum": 0,
      "maximum": 1,
      "default": 0,
      "group": "captions",
      "order": 62,
      "when": "0.05 to 0.1 for a style, which then does not depend on words.",
      "why": "A figure belongs to its trigger word."
    },
    "caption_dropout_every_n_epochs": {
      "type": "integer",
      "description": "Every so many epochs, all pictures are shown with an empty caption. 0 is off.",
      "minimum": 0,
      "maximum": 100000,
      "default": 0,
      "group": "captions",
      "order": 63,
      "unit": "epochs",
      "when": "If the settings that you follow give it.",
      "why": "caption_dropout does the same evenly."
    },
    "caption_prefix": {
      "type": "string",
      "description": "Written in front of every caption.",
      "maxLength": 500,
      "default": "",
      "group": "captions",
      "order": 70,
      "when": "For words that the base expects in front, such as its quality tags.",
      "why": "The trigger word is added by its own field."
    },
    "caption_suffix": {
      "type": "string",
      "description": "Written behind every caption.",
      "maxLength": 500,
      "default": "",
      "group": "captions",
      "order": 71,
      "when": "For words that all pictures share.",
      "why": "Captions already say what the pictures show."
    },
    "checkpoint_every_n_epochs": {
      "type": "integer",
      "description": "Epochs between two checkpoints. 0 counts in steps.",
      "minimum": 0,
      "maximum": 100000,
      "default": 0,
      "group": "samples",
      "order": 94,
      "unit": "epochs",
      "when": "1 if you compare epochs, as many guides do. It takes the place of the steps.",
      "why": "Steps mean the same time between two checkpoints, whatever the pictures."
    },
    "checkpoint_every_n_steps": {
      "type": "integer",
      "description": "Steps between two checkpoints. 0 stores only the last.",
      "minimum": 0,
      "maximum": 1000000,
      "default": 200,
      "group": "samples",
      "order": 93,
      "unit": "steps",
      "when": "A smaller number for a short training, a larger one if storage is short.",
      "why": "Little is lost with a machine, and there are several to choose from."
    },
    "color_jitter": {
      "type": "boolean",
      "description": "Changes the colors of a third of the views a little: the hue by up to 16 degrees, or gamma by up to 5 %.",
      "default": false,
      "group": "pictures",
      "order": 84,
      "when": "If all pictures have the same tint, from one scanner for instance, and it must not be learned. sd-scripts then encodes every picture anew in each step, which is slower.",
      "why": "Colors belong to a character and to a style, and are learned with them."
    },
    "conv_alpha": {
      "type": "number",
      "description": "Alpha of the convolutions: their output is scaled by this / conv_rank.",
      "maximum": 512,
      "exclusiveMinimum": 0,
      "default": 1,
      "group": "network",
      "order": 17,
      "when": "If the settings that you follow give it.",
      "why": "The same scale as that of the rest."
    },
    "conv_rank": {
      "type": "integer",
      "description": "Rank of the U-Net's 3×3 convolutions; 0 leaves them alone.",
      "minimum": 0,
      "maximum": 256,
      "default": 0,
      "group": "network",
      "order": 16,
      "when": "8 or 16 for a style: textures and lines are in the convolutions.",
      "why": "Figures do well without, and the file stays small."
    },
    "crop_zoom": {
      "type": "number",
      "description": "Up to how much a picture is enlarged before it is cut at a random place.",
      "minimum": 1,
      "maximum": 4,
      "default": 1,
      "engines": [
        "native"
      ],
      "group": "pictures",
      "order": 83,
      "when": "1.5 to 2 to show close-ups of large pictures, each with its own crop told to SDXL. Captions must fit the parts as well.",
      "why": "At 1, random_crop moves within what the bucket would cut off, which is little."
    },
    "debiased": {
      "type": "boolean",
      "description": "Weights the loss by the noise, so that noisy timesteps count as much as others (debiased estimation).",
      "default": false,
      "group": "loss",
      "order": 43,
      "when": "For bases that predict v, in place of min-SNR. Rectified flow has no such weights.",
      "why": "Min-SNR serves the same purpose."
    },
    "eight_bit_base": {
      "type": "boolean",
      "description": "Keeps the frozen U-Net in eight bits (fp8) from the start. Without it, the kohya engine does so when the memory of the GPU is full.",
      "default": false,
      "engines": [
        "kohya"
      ],
      "group": "memory",
      "order": 37,
      "when": "If the GPU has too little memory without, so that no time is lost with a try that fails. It needs mixed precision.",
      "why": "Eight bits round the weights that the LoRA is learned beside."
    },
    "ema_decay": {
      "type": "number",
      "description": "Saves a running average of the weights instead of those of the last step. Closer to 1 averages over more steps; 0 is off.",
      "minimum": 0,
      "maximum": 0.99999,
      "default": 0,
      "engines": [
        "native"
      ],
      "group": "optimizer",
      "order": 35,
      "when": "0.99 to 0.999 with a constant learning rate.",
      "why": "A learning rate that falls to zero has the same effect."
    },
    "epsilon": {
      "type": "number",
      "description": "A tiny number that keeps the optimizer from dividing by zero.",
      "maximum": 0.1,
      "exclusiveMinimum": 0,
      "default": 1e-8,
      "group": "optimizer",
      "order": 31,
      "when": "1e-6 if a training in low precision becomes unstable.",
      "why": "The default of Adam and its like. Lion, Adafactor and CAME do not use it."
    },
    "gradient_accumulation": {
      "type": "integer",
      "description": "Forward passes that are averaged into one step.",
      "minimum": 1,
      "maximum": 256,
      "default": 1,
      "group": "memory",
      "order": 9,
      "when": "Set it to 4 for the effect of a four times larger batch without its memory.",
      "why": "More passes take more time for each step."
    },
    "gradient_checkpointing": {
      "type": "boolean",
      "description": "Takes less memory and more time, with the same numbers: values are computed again instead of kept. The native engine switches it on when the memory is too small without; the kohya engine always uses it.",
      "default": false,
      "group": "memory",
      "order": 36,
      "when": "On if other programs will need memory of this machine while it trains.",
      "why": "It takes about a third more time, and is switched on when it is needed."
    },
    "huber_c": {
      "type": "number",
      "description": "For the Huber and smooth L1 losses: errors below this count squared, larger ones only in proportion.",
      "maximum": 10,
      "exclusiveMinimum": 0,
      "default": 0.1,
      "group": "loss",
      "order": 39,
      "when": "Lower it so that single odd pictures count less. Other losses ignore it.",
      "why": "sd-scripts' default."
    },
    "huber_scale": {
      "type": "number",
      "description": "Multiplies `huber_c`, for the constant and the exponential schedule.",
      "maximum": 100,
      "exclusiveMinimum": 0,
      "default": 1,
      "group": "loss",
      "order": 41,
      "when": "If the settings that you follow give it. Other losses ignore it.",
      "why": "sd-scripts' default."
    },
    "huber_schedule": {
      "type": "string",
      "description": "How `huber_c` changes with the noise of a step.",
      "default": "snr",
      "options": [
        "constant",
        "exponential",
        "snr"
      ],
      "group": "loss",
      "order": 40,
      "when": "If the settings that you follow give it. Other losses ignore it.",
      "why": "sd-scripts' default: wide where there is little noise, and details count."
    },
    "input_perturbation": {
      "type": "number",
      "description": "Adds this much extra noise to the input that the model is not asked to remove, against memorizing (Ning et al. 2023). 0 is off.",
      "minimum": 0,
      "maximum": 1,
      "default": 0,
      "group": "noise",
      "order": 58,
      "when": "0.05 to 0.1 against overcooking.",
      "why": "Most LoRAs are trained without."
    },
    "input_perturbation_random": {
      "type": "boolean",
      "description": "Uses a random input perturbation at each step, between 0 and its value.",
      "default": false,
      "group": "noise",
      "order": 59,
      "when": "If the settings that you follow give it.",
      "why": "sd-scripts' default."
    },
    "keep_tokens": {
      "type": "integer",
      "description": "Number of tags at the start that stay in place when tags are shuffled or dropped.",
      "minimum": 0,
      "maximum": 255,
      "default": 0,
      "group": "captions",
      "order": 65,
      "unit": "tags",
      "when": "To keep more than the trigger word, which is always kept in front.",
      "why": "It has no effect unless tags are shuffled or dropped."
    },
    "keep_tokens_separator": {
      "type": "string",
      "description": "A mark such as `|||` between the tags that stay and the rest, in place of a number of tags.",
      "maxLength": 16,
      "default": "",
      "group": "captions",
      "order": 66,
      "when": "If the captions have such a mark. What follows a second one stays at the end.",
      "why": "A number is enough if all captions begin alike."
    },
    "kind": {
      "type": "string",
      "description": "The kind of LoRA.",
      "default": "lora",
      "options": [
        "lora",
        "dora",
        "loha",
        "lokr",
        "t_lora"
      ],
      "group": "network",
      "only": {
        "dora": [
          "native"
        ],
        "loha": [
          "native"
        ],
        "lokr": [
          "native"
        ],
        "t_lora": [
          "native"
        ]
      },
      "order": 12,
      "when": "DoRA learns closer to full training and costs more time; LoKr makes small files; T-LoRA is for one to five pictures.",
      "why": "Every program reads a plain LoRA, and it is the fastest to train."
    },
    "learning_rate": {
      "type": "number",
      "description": "How fast the U-Net learns, at the highest point of the schedule. An optimizer that finds its own rate multiplies it by this.",
      "maximum": 1,
      "exclusiveMinimum": 0,
      "default": 0.0001,
      "group": "basic",
      "order": 2,
      "when": "Half of it if samples get overcooked early; up to 3e-4 at larger batches. Lion needs about a tenth.",
      "why": "sd-scripts' guide for SDXL. It is 1 for Prodigy and D-Adaptation, which find their own."
    },
    "lokr_factor": {
      "type": "integer",
      "description": "How a LoKr divides each weight: the smaller part of the Kronecker product has at most this many rows. 0 divides it as evenly as possible.",
      "minimum": 0,
      "maximum": 1024,
      "default": 8,
      "engines": [
        "native"
      ],
      "group": "network",
      "order": 13,
      "when": "4 learns more and makes a larger file, 16 less. Other kinds ignore it.",
      "why": "In use for characters: a file of a few megabytes."
    },
    "lora_plus_ratio": {
      "type": "number",
      "description": "How many times faster the second matrix of a LoRA learns than the first (LoRA+, Hayou et al. 2024). 1 trains both alike.",
      "minimum": 1,
      "maximum": 100,
      "default": 1,
      "group": "network",
      "order": 25,
      "when": "16 is its paper's value, with a lower learning rate, if a LoRA learns too slowly.",
      "why": "The learning rates of presets and guides are for matrices that learn alike."
    },
    "loss": {
      "type": "string",
      "description": "How the error of a prediction is measured.",
      "default": "l2",
      "options": [
        "l2",
        "l1",
        "huber",
        "smooth_l1"
      ],
      "group": "loss",
      "order": 38,
      "when": "Huber or smooth L1 if single odd pictures spoil a style.",
      "why": "What the base model was trained with."
    },
    "lr_schedule": {
      "type": "string",
      "description": "How the learning rate moves over the steps.",
      "default": "cosine",
      "options": [
        "constant",
        "linear",
        "cosine",
        "cosine_with_restarts",
        "polynomial",
        "inverse_sqrt",
        "rex"
      ],
      "group": "schedule",
      "only": {
        "rex": [
          "native"
        ]
      },
      "order": 3,
      "when": "Constant if you do not know the length yet and pick a checkpoint; restarts or REX as some guides say.",
      "why": "A cosine settles at the end, so that the last checkpoints differ little."
    },
    "masked_loss": {
      "type": "boolean",
      "description": "Learns only where a picture's mask picture is white; without a mask picture, only where the picture is not transparent.",
      "default": false,
      "group": "pictures",
      "order": 79,
      "when": "If backgrounds or other figures were cut out, made transparent, or painted black in a mask picture so that they are not learned.",
      "why": "It has no effect on opaque pictures without a mask picture. Transparent areas are white, which is learned too."
    },
    "max_bucket_side": {
      "type": "integer",
      "description": "Longest side of a bucket, in pixels. 0 is twice the resolution.",
      "minimum": 0,
      "maximum": 4096,
      "multipleOf": 32,
      "default": 0,
      "group": "pictures",
      "order": 90,
      "unit": "pixels",
      "when": "Lower if your settings say so: sd-scripts' own 1024 cuts off what is left and right of wide pictures. bucket_no_upscale ignores it.",
      "why": "Twice the resolution, 2048 of 1024, is what SDXL was trained with."
    },
    "max_gradient_norm": {
      "type": "number",
      "description": "Limits the gradients of a step: longer ones are scaled down to this norm. 0 is off.",
      "minimum": 0,
      "maximum": 100,
      "default": 1,
      "group": "optimizer",
      "order": 34,
      "when": "0 with Adafactor, which has a limit of its own.",
      "why": "One odd picture cannot throw the training off. sd-scripts' default."
    },
    "max_timestep": {
      "type": "integer",
      "description": "Timesteps from this one on are not trained. High timesteps are the first steps of drawing, which decide the composition.",
      "minimum": 1,
      "maximum": 1000,
      "default": 1000,
      "group": "loss",
      "order": 48,
      "when": "Lower it to learn lines and surfaces, and leave composition to the base model.",
      "why": "All timesteps are needed for a picture."
    },
    "max_tokens": {
      "type": "integer",
      "description": "Tokens of a caption that are read; the rest is cut.",
      "minimum": 75,
      "maximum": 225,
      "multipleOf": 75,
      "default": 75,
      "group": "captions",
      "order": 61,
      "unit": "tokens",
      "when": "225 for captions of many tags.",
      "why": "One chunk is enough for a sentence or two."
    },
    "max_weight_norm": {
      "type": "number",
      "description": "After each step, the change of a layer is scaled down to this size (norm) if it is larger. 0 is off.",
      "minimum": 0,
      "maximum": 100,
      "default": 0,
      "group": "network",
      "order": 24,
      "when": "1 if a LoRA does not go together with others, or breaks pictures at a weight of 1.",
      "why": "A LoRA that is not overcooked stays below such a limit anyway."
    },
    "min_bucket_side": {
      "type": "integer",
      "description": "Shortest side of a bucket, in pixels. 0 is a quarter of the resolution.",
      "minimum": 0,
      "maximum": 2048,
      "multipleOf": 32,
      "default": 0,
      "group": "pictures",
      "order": 89,
      "unit": "pixels",
      "when": "Higher if very long pictures are to be cut instead of shown as narrow strips. bucket_no_upscale ignores it.",
      "why": "A quarter of the resolution, 256 of 1024, is what SDXL was trained with."
    },
    "min_lr_ratio": {
      "type": "number",
      "description": "The schedule ends at this share of the learning rate instead of zero.",
      "minimum": 0,
      "maximum": 1,
      "default": 0,
      "group": "schedule",
      "order": 7,
      "when": "0.1 if the last part of a training should still learn. A constant schedule ignores it.",
      "why": "Zero lets the weights come to rest."
    },
    "min_snr_gamma": {
      "type": "number",
      "description": "Limits the loss weight of nearly noise-free timesteps (Hang et al. 2023). 0 switches it off; 5 is usual.",
      "minimum": 0,
      "maximum": 20,
      "default": 5,
      "group": "loss",
      "order": 42,
      "when": "0 for Pony and for bases that predict v, where the guides leave it out. Rectified flow has no such weights.",
      "why": "Its paper's value: the training converges faster and more evenly."
    },
    "min_timestep": {
      "type": "integer",
      "description": "The lowest timestep that is trained. Low timesteps are the last steps of drawing, which add fine detail.",
      "minimum": 0,
      "maximum": 999,
      "default": 0,
      "group": "loss",
      "order": 47,
      "when": "Raise it to learn composition, and leave fine detail to the base model.",
      "why": "All timesteps are needed for a picture."
    },
    "module_dropout": {
      "type": "number",
      "description": "Chance that the LoRA of a layer is ignored, at each step.",
      "minimum": 0,
      "maximum": 0.95,
      "default": 0,
      "group": "network",
      "order": 23,
      "when": "0.1 against overcooking, in place of network_dropout.",
      "why": "Most LoRAs are trained without."
    },
    "multires_noise_discount": {
      "type": "number",
      "description": "How much of each coarser level of noise is mixed in, as a factor from one level to the next.",
      "minimum": 0,
      "maximum": 1,
      "default": 0.3,
      "group": "noise",
      "order": 57,
      "when": "If the settings that you follow give it. Ignored without levels of noise.",
      "why": "sd-scripts' default."
    },
    "multires_noise_iterations": {
      "type": "integer",
      "description": "Levels of coarser noise that are mixed into the noise (multi-resolution noise). 0 mixes in none.",
      "minimum": 0,
      "maximum": 32,
      "default": 0,
      "group": "noise",
      "order": 56,
      "when": "6 to 10 in place of a noise offset.",
      "why": "It changes the brightness and the large shapes of everything that is drawn."
    },
    "n_cycles": {
      "type": "integer",
      "description": "How often a cosine with restarts starts.",
      "minimum": 1,
      "maximum": 1000,
      "default": 1,
      "group": "schedule",
      "order": 5,
      "when": "3 is in use with cosine_with_restarts. Other schedules ignore it.",
      "why": "One is the same as a cosine without restarts."
    },
    "n_looks": {
      "type": "integer",
      "description": "Looks of each picture that are prepared and shown in turns, where random_crop, color_jitter or random_background draw them.",
      "minimum": 1,
      "maximum": 64,
      "default": 8,
      "engines": [
        "native"
      ],
      "group": "pictures",
      "order": 86,
      "unit": "looks",
      "when": "More for few pictures that are shown in many epochs.",
      "why": "Each is encoded once before the training, which takes time and a little memory."
    },
    "n_prior_pictures": {
      "type": "integer",
      "description": "Regularization pictures that the base model draws of `prior_prompt` before the training, so that other figures stay as they are.",
      "minimum": 0,
      "maximum": 1000,
      "default": 0,
      "engines": [
        "native"
      ],
      "group": "pictures",
      "order": 76,
      "unit": "pictures",
      "when": "As many as there are pictures, if other figures begin to look like the one that is trained.",
      "why": "Regularization pictures take half of the training's time."
    },
    "n_steps": {
      "type": "integer",
      "description": "Optimizer steps.",
      "minimum": 1,
      "maximum": 1000000,
      "default": 1600,
      "group": "basic",
      "order": 0,
      "unit": "steps",
      "when": "Set it instead of the views if you copy settings that are given in steps.",
      "why": "Follows from the views, the batch size and the gradient accumulation."
    },
    "n_views": {
      "type": "integer",
      "description": "Views: how many pictures the training sees, each picture counted again every time.",
      "minimum": 0,
      "maximum": 100000000,
      "default": 0,
      "group": "basic",
      "order": 1,
      "unit": "views",
      "when": "More if the LoRA is too weak at the end, fewer if it is overcooked before the end.",
      "why": "What was found to be enough for the preset; it means the same at every batch size."
    },
    "n_warmup_steps": {
      "type": "integer",
      "description": "Steps over which the learning rate rises from zero. Must be less than the number of steps.",
      "minimum": 0,
      "maximum": 1000000,
      "default": 0,
      "group": "schedule",
      "order": 4,
      "unit": "steps",
      "when": "More, up to a tenth, if the loss jumps at the start.",
      "why": "A twentieth of the steps, as most guides for SDXL have it: the first gradients are the noisiest."
    },
    "network_dropout": {
      "type": "number",
      "description": "Chance that a value inside the LoRA is ignored, at each step.",
      "minimum": 0,
      "maximum": 0.95,
      "default": 0,
      "group": "network",
      "order": 21,
      "when": "0.1 to 0.3 against overcooking with very few pictures.",
      "why": "Most LoRAs are trained without."
    },
    "noise_offset": {
      "type": "number",
      "description": "Noise offset: lets the model learn pictures that are darker or brighter than average. 0 is off.",
      "minimum": 0,
      "maximum": 1,
      "default": 0,
      "group": "noise",
      "order": 53,
      "when": "0.03 to 0.1 for night scenes and flat white; never for bases with zero terminal SNR.",
      "why": "It shifts the brightness of everything that is drawn."
    },
    "noise_offset_random": {
      "type": "boolean",
      "description": "Uses a random noise offset for each picture, between 0 and `noise_offset`.",
      "default": false,
      "group": "noise",
      "order": 54,
      "when": "If a noise offset makes all pictures too contrasty.",
      "why": "sd-scripts' default."
    },
    "optimizer": {
      "type": "string",
      "description": "The optimizer.",
      "default": "adamw",
      "options": [
        "adamw",
        "adamw_8bit",
        "adafactor",
        "lion",
        "prodigy",
        "prodigy_schedule_free",
        "d_adaptation",
        "adamw_schedule_free",
        "came"
      ],
      "group": "optimizer",
      "order": 28,
      "when": "Prodigy if you do not want to choose a learning rate; 8-bit AdamW or Adafactor to save memory.",
      "why": "AdamW is the best understood, and the state of a LoRA is small."
    },
    "optimizer_arguments": {
      "type": "array",
      "description": "Settings that only this optimizer has, each as `name=value`: `d_coef=2` for Prodigy.",
      "maxItems": 32,
      "default": [],
      "group": "optimizer",
      "items": {
        "adafactor": [
          {
            "default": false,
            "help": "Computes the learning rate from the number of steps, and ignores the recipe's.",
            "name": "relative_step"
          },
          {
            "default": false,
            "help": "Multiplies the learning rate with the size of the weights.",
            "name": "scale_parameter"
          },
          {
            "default": false,
            "help": "Starts a learning rate that is computed from the steps near zero.",
            "name": "warmup_init"
          },
          {
            "default": 1,
            "help": "A step whose root mean square is larger is scaled down to this.",
            "name": "clip_threshold"
          },
          {
            "default": -0.8,
            "help": "How slowly the mean of the squared gradients moves: the power of the number of steps.",
            "name": "decay_rate"
          },
          {
            "default": 0,
            "help": "How slowly the mean of the gradients moves; 0 keeps none, which saves memory.",
            "name": "beta1"
          },
          {
            "default": 1e-30,
            "help": "Added to the squared gradients.",
            "name": "eps1"
          },
          {
            "default": 0.001,
            "help": "The least size of weights that scale_parameter counts with.",
            "name": "eps2"
          }
        ],
        "adamw": [],
        "adamw_8bit": [
          {
            "default": 4096,
            "help": "Matrices with fewer values keep their state in 32 bits.",
            "name": "min_8bit_size"
          }
        ],
        "adamw_schedule_free": [
          {
            "default": 0,
            "help": "Counts later steps more in the average: the power of their number.",
            "name": "r"
          },
          {
            "default": 2,
            "help": "Counts steps of a warm-up less in the average: the power of their learning rate.",
            "name": "weight_lr_power"
          }
        ],
        "came": [
          {
            "default": 0.9999,
            "help": "How slowly the mean moves by which steps are trusted.",
            "name": "beta3"
          },
          {
            "default": 1,
            "help": "A step whose root mean square is larger is scaled down to this.",
            "name": "clip_threshold"
          },
          {
            "default": 1e-30,
            "help": "Added to the squared gradients.",
            "name": "eps1"
          },
          {
            "default": 1e-16,
            "help": "Added to the squared differences of the steps.",
            "name": "eps2"
          }
        ],
        "d_adaptation": [
          {
            "default": 0.000001,
            "help": "Where the search for the learning rate starts.",
            "name": "d0"
          },
          {
            "default": null,
            "help": "By which factor the learning rate may grow at most in one step.",
            "name": "growth_rate"
          },
          {
            "default": false,
            "help": "Corrects the first means for their start at zero, which acts like a warm-up.",
            "name": "use_bias_correction"
          },
          {
            "default": true,
            "help": "Weight decay acts on the weights, and not through their gradients.",
            "name": "decouple"
          }
        ],
        "lion": [],
        "prodigy": [
          {
            "default": 1,
            "help": "A factor of the learning rate that is found; 2 is in use for short trainings.",
            "name": "d_coef"
          },
          {
            "default": 0.000001,
            "help": "Where the search for the learning rate starts.",
            "name": "d0"
          },
          {
            "default": null,
            "help": "By which factor the learning rate may grow at most in one step.",
            "name": "growth_rate"
          },
          {
            "default": false,
            "help": "Keeps a warm-up from raising the learning rate that is found.",
            "name": "safeguard_warmup"
          },
          {
            "default": false,
            "help": "Corrects the first means for their start at zero, which acts like a warm-up.",
            "name": "use_bias_correction"
          },
          {
            "default": true,
            "help": "Weight decay acts on the weights, and not through their gradients.",
            "name": "decouple"
          },
          {
            "default": 0,
            "help": "How slowly the mean moves that the learning rate is found by; 0 is the square root of beta2.",
            "name": "beta3"
          },
          {
            "default": 1,
            "help": "The learning rate is found by every value of a matrix, or with 11 by each 11th, which saves memory in the kohya engine.",
            "name": "slice_p"
          }
        ],
        "prodigy_schedule_free": [
          {
            "default": 1,
            "help": "A factor of the learning rate that is found; 2 is in use for short trainings.",
            "name": "d_coef"
          },
          {
            "default": 0.000001,
            "help": "Where the search for the learning rate starts.",
            "name": "d0"
          },
          {
            "default": 0,
            "help": "The search for the learning rate ends after so many steps; 0 never ends it.",
            "name": "prodigy_steps"
          }
        ]
      },
      "order": 33,
      "when": "If the settings that you follow give them.",
      "why": "The defaults of the authors, but for Adafactor, which takes its learning rate from the recipe."
    },
    "output_preservation": {
      "type": "number",
      "description": "Keeps pictures without the trigger word as the base model draws them: how much a change there counts. 0 is off; otherwise a step takes about twice as long.",
      "minimum": 0,
      "maximum": 10,
      "default": 0,
      "engines": [
        "native"
      ],
      "group": "loss",
      "order": 46,
      "when": "1 if other figures begin to look like the trained one.",
      "why": "It doubles the time of a step."
    },
    "polynomial_power": {
      "type": "number",
      "description": "The power of a polynomial schedule.",
      "maximum": 10,
      "exclusiveMinimum": 0,
      "default": 1,
      "group": "schedule",
      "order": 6,
      "when": "Above 1 it falls fast at first, below 1 late. Other schedules ignore it.",
      "why": "1 is a straight line."
    },
    "prior_loss_weight": {
      "type": "number",
      "description": "How much a regularization picture counts beside the others.",
      "minimum": 0,
      "maximum": 100,
      "default": 1,
      "group": "pictures",
      "order": 78,
      "when": "Less if the LoRA learns too little beside them.",
      "why": "It has no effect without regularization pictures; with them, they count as much as the others."
    },
    "prior_prompt": {
      "type": "string",
      "description": "What the regularization pictures show: the kind of figure, without the trigger word.",
      "maxLength": 500,
      "default": "",
      "engines": [
        "native"
      ],
      "group": "pictures",
      "order": 77,
      "when": "`1girl, solo` for a girl, for instance.",
      "why": "It has no effect without n_prior_pictures."
    },
    "random_background": {
      "type": "boolean",
      "description": "Lays pictures with a transparent background on random colors instead of white.",
      "default": false,
      "engines": [
        "native"
      ],
      "group": "pictures",
      "order": 85,
      "when": "If cut-out figures are always drawn on white although the prompt says otherwise.",
      "why": "White is what the caption can name (`white background`), so that it stays changeable."
    },
    "random_crop": {
      "type": "boolean",
      "description": "Cuts a picture at a random place instead of around its center.",
      "default": false,
      "group": "pictures",
      "order": 82,
      "when": "For styles with large pictures, where each part is an example too. sd-scripts then encodes every picture anew in each step, which is slower.",
      "why": "The center is where the subject mostly is. At its edges a picture loses what its caption names."
    },
    "random_flip": {
      "type": "boolean",
      "description": "Mirrors each picture, with its mask, half of the time.",
      "default": false,
      "group": "pictures",
      "order": 81,
      "when": "For styles, and for subjects that look the same from both sides: it is like twice the pictures.",
      "why": "A character loses what is on one side: a scar, a parting, an emblem. Letters are mirrored, too."
    },
    "rank": {
      "type": "integer",
      "description": "Rank of the LoRA matrices: how much it can learn, and how large the file gets.",
      "minimum": 1,
      "maximum": 256,
      "default": 16,
      "group": "basic",
      "order": 10,
      "when": "8 for a single simple figure, 64 for a style with many pictures. A larger one also overcooks sooner.",
      "why": "Enough for a figure with its outfits."
    },
    "rank_dropout": {
      "type": "number",
      "description": "Chance that a rank of the LoRA is ignored, for each picture at each step.",
      "minimum": 0,
      "maximum": 0.95,
      "default": 0,
      "group": "network",
      "order": 22,
      "when": "0.1 against overcooking, in place of network_dropout.",
      "why": "Most LoRAs are trained without."
    },
    "resize_interpolation": {
      "type": "string",
      "description": "How pictures are scaled to their buckets.",
      "default": "auto",
      "options": [
        "auto",
        "lanczos",
        "bicubic",
        "bilinear",
        "area",
        "nearest"
      ],
      "group": "pictures",
      "order": 92,
      "when": "nearest for pixel art; others if the settings that you follow give them.",
      "why": "Averaging over areas loses nothing when a picture shrinks, and Lanczos is the sharpest when it grows."
    },
    "resolution": {
      "type": "integer",
      "description": "Training size: pictures keep their shape, with about as many pixels as a square with this side.",
      "minimum": 64,
      "maximum": 2048,
      "multipleOf": 8,
      "default": 1024,
      "group": "basic",
      "order": 87,
      "unit": "pixels",
      "when": "768 to save time and memory for a first try; it costs detail.",
      "why": "What the base model was trained with."
    },
    "sample_at_start": {
      "type": "boolean",
      "description": "Also renders the sample pictures before the first step, which shows the base model alone.",
      "default": false,
      "group": "samples",
      "order": 99,
      "when": "Switch it off where a preview takes long and you know what the base model draws.",
      "why": "They show what the training changes. Without previews there are none before it either."
    },
    "sample_every_n_epochs": {
      "type": "integer",
      "description": "Epochs between two rows of sample pictures. 0 counts in steps.",
      "minimum": 0,
      "maximum": 100000,
      "default": 0,
      "group": "samples",
      "order": 96,
      "unit": "epochs",
      "when": "1 if you compare epochs, as many guides do. It takes the place of the steps.",
      "why": "Steps mean the same time between two rows of previews, whatever the pictures."
    },
    "sample_every_n_steps": {
      "type": "integer",
      "description": "Steps between two rows of sample pictures. 0 renders none.",
      "minimum": 0,
      "maximum": 1000000,
      "default": 200,
      "group": "samples",
      "order": 95,
      "unit": "steps",
      "when": "A larger number if rendering takes too much of the time.",
      "why": "Often enough to see where it begins to overcook."
    },
    "scale_v_loss": {
      "type": "boolean",
      "description": "Weights the loss of a base that predicts v as if it predicted noise.",
      "default": false,
      "group": "loss",
      "order": 44,
      "when": "For such a base, if structure is learned and detail is not; in place of the debiased loss.",
      "why": "Only bases that predict v have a use for it."
    },
    "secondary_separator": {
      "type": "string",
      "description": "What stands between tags that are shuffled and dropped together; afterwards it is read as a comma.",
      "maxLength": 16,
      "default": "",
      "group": "captions",
      "order": 68,
      "when": "`;;;` is in use, to keep the tags of one figure together.",
      "why": "Few captions have groups of tags."
    },
    "seed": {
      "type": "integer",
      "description": "Seed of everything random in the training.",
      "minimum": 0,
      "maximum": 4294967295,
      "default": 42,
      "group": "noise",
      "order": 60,
      "when": "Change it to see whether a result was luck.",
      "why": "The same seed gives the same training again."
    },
    "shuffle_tags": {
      "type": "boolean",
      "description": "Puts the tags of a caption into another order each time.",
      "default": false,
      "group": "captions",
      "order": 64,
      "when": "For captions of tags, as Illustrious, NoobAI and Pony use them: no tag gets its meaning from its place.",
      "why": "Captions of whole sentences would lose their meaning."
    },
    "t_lora_min_rank": {
      "type": "integer",
      "description": "The rank that a T-LoRA has left at the noisiest timestep.",
      "minimum": 1,
      "maximum": 256,
      "default": 8,
      "engines": [
        "native"
      ],
      "group": "network",
      "order": 14,
      "when": "Lower if the LoRA copies the poses and places of its few pictures. Other kinds ignore it.",
      "why": "Half of the rank, as its paper has it."
    },
    "t_lora_power": {
      "type": "number",
      "description": "How fast the rank of a T-LoRA falls towards noise: the power of the share of timesteps that are left.",
      "maximum": 10,
      "exclusiveMinimum": 0,
      "default": 1,
      "engines": [
        "native"
      ],
      "group": "network",
      "order": 15,
      "when": "Above 1 the rank falls sooner. Other kinds ignore it.",
      "why": "A straight line, as its paper has it."
    },
    "tag_dropout": {
      "type": "number",
      "description": "Chance that a tag is left out, each time a caption is read.",
      "minimum": 0,
      "maximum": 1,
      "default": 0,
      "group": "captions",
      "order": 69,
      "when": "0.1 if a figure comes only when all its tags are said.",
      "why": "No settings in common use have it."
    },
    "tag_separator": {
      "type": "string",
      "description": "What stands between tags.",
      "maxLength": 16,
      "default": ",",
      "group": "captions",
      "order": 67,
      "when": "If yours have something else.",
      "why": "Nearly all captions have commas."
    },
    "text_encoder_1_learning_rate": {
      "type": "number",
      "description": "Learning rate of the first text encoder (CLIP-L). 0 freezes it.",
      "minimum": 0,
      "maximum": 1,
      "default": 0,
      "group": "text_encoders",
      "order": 26,
      "when": "About a tenth of the learning rate if a new trigger word is not learned, mostly for characters.",
      "why": "Frozen text encoders keep understanding everything else, and cost no time."
    },
    "text_encoder_2_learning_rate": {
      "type": "number",
      "description": "Learning rate of the second text encoder (OpenCLIP bigG). 0 freezes it.",
      "minimum": 0,
      "maximum": 1,
      "default": 0,
      "group": "text_encoders",
      "order": 27,
      "when": "The same as the first, which is all that the kohya engine can do.",
      "why": "Frozen text encoders keep understanding everything else, and cost no time."
    },
    "timestep_bias": {
      "type": "number",
      "description": "Middle of the logit-normal distribution of timesteps: above 0 favors noisy ones, below 0 those of fine detail.",
      "minimum": -5,
      "maximum": 5,
      "default": 0,
      "engines": [
        "native"
      ],
      "group": "loss",
      "order": 50,
      "when": "Above 0 for composition, below 0 for detail. Other distributions ignore it.",
      "why": "As in the paper on Stable Diffusion 3."
    },
    "timestep_distribution": {
      "type": "string",
      "description": "Which timesteps are trained more often than others.",
      "default": "uniform",
      "options": [
        "uniform",
        "logit_normal",
        "mode",
        "cosine_map"
      ],
      "engines": [
        "native"
      ],
      "group": "loss",
      "order": 49,
      "when": "logit_normal for a base with rectified flow, as Stable Diffusion 3 was trained.",
      "why": "SDXL was trained with all timesteps equally often."
    },
    "timestep_scale": {
      "type": "number",
      "description": "Width of the logit-normal distribution of timesteps (smaller stays closer to its middle), or the scale of `mode`.",
      "minimum": -1,
      "maximum": 5,
      "default": 1,
      "engines": [
        "native"
      ],
      "group": "loss",
      "order": 51,
      "when": "If the settings that you follow give it. Other distributions ignore it.",
      "why": "As in the paper on Stable Diffusion 3."
    },
    "timestep_shift": {
      "type": "number",
      "description": "Moves all timesteps toward noise by this factor, as larger pictures need it. 1 changes nothing.",
      "minimum": 0.1,
      "maximum": 20,
      "default": 1,
      "engines": [
        "native"
      ],
      "group": "loss",
      "order": 52,
      "when": "2.5 or 3 for a base with rectified flow, if its authors say so.",
      "why": "As SDXL was trained."
    },
    "token_warmup_min": {
      "type": "integer",
      "description": "Number of tags that are read at the start of the training, when `token_warmup_steps` is set.",
      "minimum": 1,
      "maximum": 255,
      "default": 1,
      "group": "captions",
      "order": 74,
      "unit": "tags",
      "when": "If the settings that you follow give it.",
      "why": "It has no effect without token_warmup_steps."
    },
    "token_warmup_steps": {
      "type": "integer",
      "description": "Steps until all tags of a caption are read. 0 reads all from the start.",
      "minimum": 0,
      "maximum": 1000000,
      "default": 0,
      "group": "captions",
      "order": 75,
      "unit": "steps",
      "when": "A tenth of the steps, if the trigger word at the start of the captions is not learned.",
      "why": "Few settings use it."
    },
    "trained_blocks": {
      "type": "array",
      "description": "The only blocks of the U-Net that are trained, by name: `IN04`, `MID`, `OUT00`, or as diffusers has them, `up_blocks.0.attentions.0`. `b_lora_content` and `b_lora_style` stand for the blocks of B-LoRA. None trains all.",
      "maxItems": 32,
      "default": [],
      "group": "network",
      "order": 18,
      "when": "b_lora_content for a figure and b_lora_style for a style, if the two are to be combined freely.",
      "why": "All blocks learn together what belongs together."
    },
    "unmasked_weight": {
      "type": "number",
      "description": "How much the masked parts of a picture still count: 0 not at all, 1 as much as the rest.",
      "minimum": 0,
      "maximum": 1,
      "default": 0,
      "group": "pictures",
      "order": 80,
      "when": "0.1, OneTrainer's default, if figures grow parts where nothing was ever learned.",
      "why": "As in sd-scripts, what is masked out does not count at all."
    },
    "v_like_loss": {
      "type": "number",
      "description": "Adds this much of a loss as if the base predicted v, for a base that predicts noise. 0 adds nothing.",
      "minimum": 0,
      "maximum": 10,
      "default": 0,
      "group": "loss",
      "order": 45,
      "when": "If the settings that you follow give it.",
      "why": "Few settings use it."
    },
    "validate_every_n_epochs": {
      "type": "integer",
      "description": "Epochs between two measurements of the validation loss. 0 counts in steps.",
      "minimum": 0,
      "maximum": 100000,
      "default": 0,
      "engines": [
        "native"
      ],
      "group": "samples",
      "order": 98,
      "unit": "epochs",
      "when": "1 for a curve that has a point for each epoch.",
      "why": "It is measured with every checkpoint."
    },
    "validate_every_n_steps": {
      "type": "integer",
      "description": "Steps between two measurements of the validation loss, on the pictures that are held out. 0 measures it with every checkpoint.",
      "minimum": 0,
      "maximum": 1000000,
      "default": 0,
      "engines": [
        "native"
      ],
      "group": "samples",
      "order": 97,
      "unit": "steps",
      "when": "A smaller number for a finer curve. Each measurement takes five passes over the held-out pictures.",
      "why": "A checkpoint is what you would choose by it."
    },
    "weight_decay": {
      "type": "number",
      "description": "How strongly each step pulls the weights back toward zero.",
      "minimum": 0,
      "maximum": 1,
      "default": 0.01,
      "group": "optimizer",
      "order": 32,
      "when": "0.1 to hold back overcooking, as many settings for SDXL have it.",
      "why": "PyTorch's default."
    },
    "weighted_captions": {
      "type": "boolean",
      "description": "Reads `(word:1.3)` in a caption as emphasis.",
      "default": false,
      "group": "captions",
      "order": 73,
      "when": "For captions that were written that way.",
      "why": "Brackets are part of many names of figures."
    },
    "wildcards": {
      "type": "boolean",
      "description": "Reads `{a|b}` in a caption as one of the two, and one line of several, drawn each time.",
      "default": false,
      "group": "captions",
      "order": 72,
      "when": "For captions that were written that way.",
      "why": "Braces may be meant as they are."
    }
  },
  "CreateJob": {
    "base_model": {
      "type": "string",
      "description": "Name of the base model, as `GET /api/v1/base-models` lists it."
    },
    "dataset_id": {
      "type": "string",
      "description": "The dataset to train on. It is frozen when the job is created; later changes do not affect the job."
    },
    "engine": {
      "type": "string",
      "description": "The training engine.",
      "options": [
        "native",
        "kohya"
      ]
    },
    "estimate_hash": {
      "type": "string",
      "description": "`hash` of the estimate that the user saw. Required for a provider with paid machines: if prices or settings have changed since, the job is rejected."
    },
    "family": {
      "type": "string",
      "options": [
        "tiny",
        "sdxl",
        "illustrious",
        "noobai",
        "noobai_v",
        "noobai_flow",
        "pony"
      ]
    },
    "limit_micro_usd": {
      "type": "integer",
      "description": "Total cost limit of the job across all its machines, in micro-dollars. Required for a provider with paid machines; the job stops with a checkpoint before it exceeds the limit.",
      "minimum": 1
    },
    "n_epochs": {
      "type": "integer",
      "description": "Length of the training in epochs, in place of `n_views` and `n_steps` of the parameters.",
      "minimum": 1,
      "maximum": 100000
    },
    "name": {
      "type": "string",
      "description": "Name of the resulting model, 1 to 80 characters.",
      "maxLength": 80,
      "minLength": 1
    },
    "note": {
      "type": "string",
      "description": "Why the job is run, for people; at most 200 characters on one line.",
      "maxLength": 200
    },
    "parameters": {
      "type": "object",
      "description": "Overrides of the preset's hyperparameters."
    },
    "preset": {
      "type": "string",
      "description": "What the LoRA is for; sets the defaults of all parameters.",
      "options": [
        "character",
        "style",
        "concept"
      ]
    },
    "priority": {
      "type": "integer",
      "description": "Priority, from -10 to 10. Higher runs first; the oldest first among equals.",
      "minimum": -10,
      "maximum": 10,
      "default": 0
    },
    "project": {
      "type": "string",
      "description": "The project of the job, whose budget also applies; 1 to 80 characters.",
      "maxLength": 80,
      "minLength": 1
    },
    "provider": {
      "type": "string",
      "description": "The provider of the machine: `local` is the server's own machine.",
      "default": "local"
    },
    "rental": {
      "type": "object",
      "description": "Requirements for the rented machine."
    },
    "sample_prompts": {
      "type": "array",
      "description": "The preview pictures, at most 16: each a prompt, or an object with a prompt and what else is chosen. If omitted, captions of the dataset are used.",
      "maxItems": 16
    },
    "start_from": {
      "type": "string"
    },
    "trigger_word": {
      "type": "string",
      "description": "The word that activates the LoRA in a prompt; prepended to captions that lack it.",
      "maxLength": 80
    }
  },
  "CreateGeneration": {
    "base_model": {
      "type": "string",
      "description": "Name of the base model."
    },
    "drawing_session_id": {
      "type": "string"
    },
    "guidance": {
      "type": "number",
      "description": "Classifier-free guidance: how closely the prompt is followed. 1 switches it off.",
      "minimum": 1,
      "maximum": 30,
      "default": 5
    },
    "height": {
      "type": "integer",
      "description": "Height in pixels. If omitted, that of the base model.",
      "minimum": 64,
      "maximum": 2048,
      "multipleOf": 8
    },
    "literal": {
      "type": "boolean",
      "description": "Read brackets, `BREAK` and LoRA tags in both prompts as letters.",
      "default": false
    },
    "loras": {
      "type": "array",
      "description": "LoRAs to apply.",
      "maxItems": 64
    },
    "n_steps": {
      "type": "integer",
      "description": "Denoising steps.",
      "minimum": 1,
      "maximum": 150,
      "default": 25
    },
    "negative_prompt": {
      "type": "string",
      "description": "What the picture should not show. Read like the prompt, without LoRAs.",
      "maxLength": 4000
    },
    "prompt": {
      "type": "string",
      "description": "What the picture should show. `(x)`, `[x]` and `(x:1.3)` set emphasis, `BREAK` begins a new chunk, and `<lora:NAME:WEIGHT>` adds a LoRA: the tag leaves the prompt, and the LoRA joins `loras`.",
      "maxLength": 4000
    },
    "sampler": {
      "type": "string",
      "description": "How noise is turned into a picture.",
      "options": [
        "euler",
        "euler_a",
        "ddim",
        "dpmpp2m"
      ]
    },
    "seed": {
      "type": "integer",
      "description": "Seed of the initial noise, up to 18446744073709551615. Random if it is omitted or -1. One above 9007199254740991 is written as a string, so that JavaScript keeps all of its digits.",
      "minimum": -1
    },
    "width": {
      "type": "integer",
      "description": "Width in pixels. If omitted, that of the base model.",
      "minimum": 64,
      "maximum": 2048,
      "multipleOf": 8
    }
  },
  "CreateDataset": {
    "name": {
      "type": "string",
      "description": "Its name, 1 to 80 characters.",
      "maxLength": 80,
      "minLength": 1
    }
  },
  "LoraWeight": {
    "model_version_id": {
      "type": "string",
      "description": "The LoRA."
    },
    "partial": {
      "type": "boolean",
      "description": "Applies what of the file fits the base model and leaves the rest out. Without it, a LoRA of which a part cannot be applied is refused, with the reasons."
    },
    "weight": {
      "type": "number",
      "description": "Weight: 0 leaves the base unchanged, 1 applies the LoRA as trained; may be negative.",
      "minimum": -4,
      "maximum": 4,
      "default": 1
    }
  },
  "SamplePrompt": {
    "guidance": {
      "type": "number",
      "description": "Classifier-free guidance; 5 if omitted.",
      "minimum": 1,
      "maximum": 30
    },
    "height": {
      "type": "integer",
      "description": "Height in pixels. If omitted, the training's resolution.",
      "minimum": 64,
      "maximum": 2048,
      "multipleOf": 8
    },
    "lora_weight": {
      "type": "number",
      "description": "How strongly the LoRA is applied; 1 if omitted. The kohya engine applies it at 1.",
      "minimum": -4,
      "maximum": 4
    },
    "n_steps": {
      "type": "integer",
      "description": "Denoising steps; 20 if omitted.",
      "minimum": 1,
      "maximum": 150
    },
    "negative_prompt": {
      "type": "string",
      "description": "What it should not show. If omitted, nothing is said of it, as the base model is used without a negative prompt.",
      "maxLength": 4000
    },
    "prompt": {
      "type": "string",
      "description": "What the picture shows.",
      "maxLength": 4000
    },
    "sampler": {
      "type": "string",
      "options": [
        "euler",
        "euler_a",
        "ddim",
        "dpmpp2m"
      ]
    },
    "seed": {
      "type": "integer",
      "description": "Seed of the initial noise, up to 18446744073709551615. Random if it is omitted or -1. One above 9007199254740991 is written as a string, so that JavaScript keeps all of its digits.",
      "minimum": -1
    },
    "width": {
      "type": "integer",
      "description": "Width in pixels. If omitted, the training's resolution.",
      "minimum": 64,
      "maximum": 2048,
      "multipleOf": 8
    }
  },
  "UpdateItem": {
    "caption": {
      "type": "string",
      "description": "The new caption, of at most 64 KiB.",
      "maxLength": 65536,
      "default": null
    },
    "expected_caption": {
      "type": "string",
      "description": "The caption that the new one replaces. With it, a caption that somebody else has changed in the meantime is kept: the request is rejected (412), and the response has the current caption in `current`.",
      "default": null
    },
    "group": {
      "type": "string",
      "description": "The new group, of at most 80 characters; empty for none.",
      "maxLength": 80,
      "default": null
    },
    "regularization": {
      "type": "boolean",
      "description": "Whether it is a regularization picture.",
      "default": null
    },
    "repeats": {
      "type": "integer",
      "description": "How many times an epoch shows it.",
      "minimum": 1,
      "maximum": 1000,
      "default": null
    },
    "split": {
      "type": "string",
      "default": null,
      "options": [
        "train",
        "held_out"
      ]
    }
  }
} as const;
