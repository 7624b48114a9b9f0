// Generated from crates/server/openapi.json by `npm run generate`. Do not edit.
export const fields = {
  "Parameters": {
    "alpha": {
      "type": "number",
      "description": "Alpha: the LoRA's output is scaled by alpha / rank. Equal to rank means a scale of 1.",
      "maximum": 512,
      "exclusiveMinimum": 0,
      "default": 16
    },
    "batch_size": {
      "type": "integer",
      "description": "Pictures in one forward pass.",
      "minimum": 1,
      "maximum": 64,
      "default": 1
    },
    "bucket_step": {
      "type": "integer",
      "description": "Bucket sides are multiples of this, in pixels.",
      "minimum": 32,
      "maximum": 256,
      "multipleOf": 32,
      "default": 64
    },
    "caption_dropout": {
      "type": "number",
      "description": "Share of the training pictures shown with an empty caption.",
      "minimum": 0,
      "maximum": 1,
      "default": 0
    },
    "checkpoint_every_n_steps": {
      "type": "integer",
      "description": "A checkpoint is stored each time this many steps are done. 0 stores only the last.",
      "minimum": 0,
      "maximum": 1000000,
      "default": 200
    },
    "gradient_accumulation": {
      "type": "integer",
      "description": "Forward passes whose gradients are averaged into one optimizer step.",
      "minimum": 1,
      "maximum": 256,
      "default": 1
    },
    "learning_rate": {
      "type": "number",
      "description": "Learning rate of AdamW at its highest point.",
      "maximum": 1,
      "exclusiveMinimum": 0,
      "default": 0.0001
    },
    "lr_schedule": {
      "type": "string",
      "description": "How the learning rate moves over the steps.",
      "default": "cosine",
      "options": [
        "constant",
        "cosine"
      ]
    },
    "max_gradient_norm": {
      "type": "number",
      "description": "Gradients are scaled down to this norm when they are longer. 0 switches clipping off.",
      "minimum": 0,
      "maximum": 100,
      "default": 1
    },
    "max_tokens": {
      "type": "integer",
      "description": "Tokens of a caption that are read; the rest is cut.",
      "minimum": 75,
      "maximum": 225,
      "multipleOf": 75,
      "default": 75
    },
    "min_snr_gamma": {
      "type": "number",
      "description": "Limits the loss weight of nearly noise-free timesteps (Hang et al. 2023). 0 switches it off; 5 is usual.",
      "minimum": 0,
      "maximum": 20,
      "default": 5
    },
    "n_steps": {
      "type": "integer",
      "description": "Optimizer steps.",
      "minimum": 1,
      "maximum": 1000000,
      "default": 1600
    },
    "n_warmup_steps": {
      "type": "integer",
      "description": "Steps over which the learning rate rises from zero. Must be less than the number of steps.",
      "minimum": 0,
      "maximum": 1000000,
      "default": 0
    },
    "noise_offset": {
      "type": "number",
      "description": "Noise offset: lets the model learn pictures that are darker or brighter than average. 0 is off.",
      "minimum": 0,
      "maximum": 1,
      "default": 0
    },
    "rank": {
      "type": "integer",
      "description": "Rank of the LoRA matrices: how much it can learn, and how large the file gets.",
      "minimum": 1,
      "maximum": 256,
      "default": 16
    },
    "resolution": {
      "type": "integer",
      "description": "Side of a square picture with the area that buckets aim for, in pixels.",
      "minimum": 64,
      "maximum": 2048,
      "multipleOf": 8,
      "default": 1024
    },
    "sample_every_n_steps": {
      "type": "integer",
      "description": "Preview pictures are rendered each time this many steps are done. 0 renders none.",
      "minimum": 0,
      "maximum": 1000000,
      "default": 200
    },
    "seed": {
      "type": "integer",
      "description": "Seed of everything random in the training.",
      "minimum": 0,
      "default": 42
    },
    "weight_decay": {
      "type": "number",
      "description": "Weight decay of AdamW.",
      "minimum": 0,
      "maximum": 1,
      "default": 0.01
    }
  },
  "CreateJob": {
    "base_model": {
      "type": "string",
      "description": "Name of the base model, as `GET /api/v1/base-models` lists it."
    },
    "dataset_id": {
      "type": "string",
      "description": "The pictures to learn from. They are frozen when the job is made; later changes do not reach it."
    },
    "engine": {
      "type": "string",
      "description": "What computes the training.",
      "options": [
        "native",
        "kohya"
      ]
    },
    "estimate_hash": {
      "type": "string",
      "description": "`hash` of the estimate that the user saw. Needed for a provider that rents machines out: if prices or settings have changed since, nothing is launched."
    },
    "limit_micro_usd": {
      "type": "integer",
      "description": "What the job may cost in all, over every machine that it runs on, in micro-dollars. Needed for a provider that rents machines out; the job ends itself, with a checkpoint, before it passes this.",
      "minimum": 1
    },
    "name": {
      "type": "string",
      "description": "Name of the result, from 1 to 80 characters.",
      "maxLength": 80,
      "minLength": 1
    },
    "parameters": {
      "type": "object",
      "description": "Replaces the preset's hyperparameters."
    },
    "preset": {
      "type": "string",
      "description": "What the LoRA is for; gives the defaults of all parameters.",
      "options": [
        "character",
        "style",
        "concept"
      ]
    },
    "priority": {
      "type": "integer",
      "description": "Jobs of a higher priority go first, from -10 to 10; of equal ones the oldest.",
      "minimum": -10,
      "maximum": 10,
      "default": 0
    },
    "project": {
      "type": "string",
      "description": "The project that it belongs to, whose budget it also keeps to; from 1 to 80 characters.",
      "maxLength": 80,
      "minLength": 1
    },
    "provider": {
      "type": "string",
      "description": "Who leases the machine: `local` is this one.",
      "default": "local"
    },
    "rental": {
      "type": "object",
      "description": "Which rented machines it may run on."
    },
    "sample_prompts": {
      "type": "array",
      "description": "Prompts of the preview pictures, at most 16. Left out: captions of the dataset."
    },
    "trigger_word": {
      "type": "string",
      "description": "The word that calls the LoRA up in a prompt; put in front of captions that lack it.",
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
      "description": "Height in pixels. Left out: the base's own.",
      "minimum": 64,
      "maximum": 2048,
      "multipleOf": 8
    },
    "loras": {
      "type": "array",
      "description": "LoRAs to apply, any number of them."
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
      "description": "What it shall not show.",
      "maxLength": 2000
    },
    "prompt": {
      "type": "string",
      "description": "What the picture shall show.",
      "maxLength": 2000
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
      "description": "Seed of the starting noise. Left out: a random one.",
      "minimum": 0
    },
    "width": {
      "type": "integer",
      "description": "Width in pixels. Left out: the base's own.",
      "minimum": 64,
      "maximum": 2048,
      "multipleOf": 8
    }
  },
  "CreateDataset": {
    "name": {
      "type": "string",
      "description": "Its name, from 1 to 80 characters.",
      "maxLength": 80,
      "minLength": 1
    }
  },
  "LoraWeight": {
    "model_version_id": {
      "type": "string",
      "description": "The LoRA."
    },
    "weight": {
      "type": "number",
      "description": "0 leaves the base as it is, 1 is what was trained; may be negative.",
      "minimum": -4,
      "maximum": 4,
      "default": 1
    }
  }
} as const;
