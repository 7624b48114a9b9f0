// Generated from crates/server/openapi.json by `npm run generate`. Do not edit.
export const fields = {
  "Parameters": {
    "alpha": {
      "type": "number",
      "description": "Alpha: the LoRA's output is scaled by alpha / rank. Equal to rank means a scale of 1.",
      "maximum": 512,
      "exclusiveMinimum": 0,
      "default": 16,
      "group": "advanced",
      "order": 3
    },
    "batch_size": {
      "type": "integer",
      "description": "Pictures in one forward pass.",
      "minimum": 1,
      "maximum": 64,
      "default": 1,
      "group": "basic",
      "order": 6,
      "unit": "pictures"
    },
    "bucket_step": {
      "type": "integer",
      "description": "Bucket sides are multiples of this, in pixels.",
      "minimum": 32,
      "maximum": 256,
      "multipleOf": 32,
      "default": 64,
      "group": "advanced",
      "order": 14,
      "unit": "pixels"
    },
    "caption_dropout": {
      "type": "number",
      "description": "Share of the training pictures shown with an empty caption.",
      "minimum": 0,
      "maximum": 1,
      "default": 0,
      "group": "advanced",
      "order": 12
    },
    "checkpoint_every_n_steps": {
      "type": "integer",
      "description": "A checkpoint is stored each time this many steps are done. 0 stores only the last.",
      "minimum": 0,
      "maximum": 1000000,
      "default": 200,
      "group": "advanced",
      "order": 16,
      "unit": "steps"
    },
    "gradient_accumulation": {
      "type": "integer",
      "description": "Forward passes whose gradients are averaged into one optimizer step.",
      "minimum": 1,
      "maximum": 256,
      "default": 1,
      "group": "advanced",
      "order": 7
    },
    "learning_rate": {
      "type": "number",
      "description": "Learning rate of AdamW at its highest point.",
      "maximum": 1,
      "exclusiveMinimum": 0,
      "default": 0.0001,
      "group": "basic",
      "order": 1
    },
    "lr_schedule": {
      "type": "string",
      "description": "How the learning rate moves over the steps.",
      "default": "cosine",
      "options": [
        "constant",
        "cosine"
      ],
      "group": "advanced",
      "order": 4
    },
    "max_gradient_norm": {
      "type": "number",
      "description": "Gradients are scaled down to this norm when they are longer. 0 switches clipping off.",
      "minimum": 0,
      "maximum": 100,
      "default": 1,
      "group": "advanced",
      "order": 8
    },
    "max_tokens": {
      "type": "integer",
      "description": "Tokens of a caption that are read; the rest is cut.",
      "minimum": 75,
      "maximum": 225,
      "multipleOf": 75,
      "default": 75,
      "group": "advanced",
      "order": 15,
      "unit": "tokens"
    },
    "min_snr_gamma": {
      "type": "number",
      "description": "Limits the loss weight of nearly noise-free timesteps (Hang et al. 2023). 0 switches it off; 5 is usual.",
      "minimum": 0,
      "maximum": 20,
      "default": 5,
      "group": "advanced",
      "order": 10
    },
    "n_steps": {
      "type": "integer",
      "description": "Optimizer steps.",
      "minimum": 1,
      "maximum": 1000000,
      "default": 1600,
      "group": "basic",
      "order": 0,
      "unit": "steps"
    },
    "n_warmup_steps": {
      "type": "integer",
      "description": "Steps over which the learning rate rises from zero. Must be less than the number of steps.",
      "minimum": 0,
      "maximum": 1000000,
      "default": 0,
      "group": "advanced",
      "order": 5,
      "unit": "steps"
    },
    "noise_offset": {
      "type": "number",
      "description": "Noise offset: lets the model learn pictures that are darker or brighter than average. 0 is off.",
      "minimum": 0,
      "maximum": 1,
      "default": 0,
      "group": "advanced",
      "order": 11
    },
    "rank": {
      "type": "integer",
      "description": "Rank of the LoRA matrices: how much it can learn, and how large the file gets.",
      "minimum": 1,
      "maximum": 256,
      "default": 16,
      "group": "basic",
      "order": 2
    },
    "resolution": {
      "type": "integer",
      "description": "Side of a square picture with the area that buckets aim for, in pixels.",
      "minimum": 64,
      "maximum": 2048,
      "multipleOf": 8,
      "default": 1024,
      "group": "basic",
      "order": 13,
      "unit": "pixels"
    },
    "sample_every_n_steps": {
      "type": "integer",
      "description": "Preview pictures are rendered each time this many steps are done. 0 renders none.",
      "minimum": 0,
      "maximum": 1000000,
      "default": 200,
      "group": "advanced",
      "order": 17,
      "unit": "steps"
    },
    "seed": {
      "type": "integer",
      "description": "Seed of everything random in the training.",
      "minimum": 0,
      "maximum": 4294967295,
      "default": 42,
      "group": "advanced",
      "order": 18
    },
    "weight_decay": {
      "type": "number",
      "description": "Weight decay of AdamW.",
      "minimum": 0,
      "maximum": 1,
      "default": 0.01,
      "group": "advanced",
      "order": 9
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
    "limit_micro_usd": {
      "type": "integer",
      "description": "Total cost limit of the job across all its machines, in micro-dollars. Required for a provider with paid machines; the job stops with a checkpoint before it exceeds the limit.",
      "minimum": 1
    },
    "name": {
      "type": "string",
      "description": "Name of the resulting model, 1 to 80 characters.",
      "maxLength": 80,
      "minLength": 1
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
      "description": "Prompts of the preview pictures, at most 16. If omitted, captions of the dataset are used.",
      "maxItems": 16
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
  }
} as const;
