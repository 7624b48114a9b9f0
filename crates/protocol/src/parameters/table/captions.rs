//! How captions are changed before they are read.

macro_rules! captions {
    ({ $next:ident $($rest:ident)* } $($before:tt)*) => { $next! { { $($rest)* } $($before)*
    /// Tokens of a caption that are read; the rest is cut.
    max_tokens: u16 {
        default: 75,
        range: Range::multiples(75, 75, 225),
        presets: {
            (Illustrious | Noobai | NoobaiV | NoobaiFlow | Pony, _) => 225,
        },
        about: {
            group: Group::Captions,
            unit: "tokens",
            // What an absent option means; sd-scripts does not take the number.
            off: Some(Value::Whole(75)),
            kohya: Some("max_token_length"),
            metadata: &["ss_max_token_length"],
            why: "One chunk is enough for a sentence or two.",
            when: "225 for captions of many tags.",
        },
    }

    /// Share of the training pictures shown with an empty caption.
    caption_dropout: f64 {
        default: 0.0,
        range: Range::number(0.0, 1.0),
        presets: {
            (Sdxl, Style) => 0.05,
            (Illustrious | Noobai | NoobaiV | NoobaiFlow | Pony, Style) => 0.05,
        },
        about: {
            group: Group::Captions,
            metadata: &["ss_caption_dropout_rate"],
            why: "A figure belongs to its trigger word.",
            when: "0.05 to 0.1 for a style, which then does not depend on words.",
        },
    }

    /// Every so many epochs, all pictures are shown with an empty caption. 0 is off.
    caption_dropout_every_n_epochs: u32 {
        default: 0,
        range: Range::whole(0, 100_000),
        about: {
            group: Group::Captions,
            since: 4,
            unit: "epochs",
            metadata: &["ss_caption_dropout_every_n_epochs"],
            why: "caption_dropout does the same evenly.",
            when: "If the settings that you follow give it.",
        },
    }

    /// Puts the tags of a caption into another order each time.
    shuffle_tags: bool {
        default: false,
        range: Range::Switch,
        presets: {
            (Illustrious | Noobai | NoobaiV | NoobaiFlow | Pony, _) => true,
        },
        about: {
            group: Group::Captions,
            since: 4,
            why: "Captions of whole sentences would lose their meaning.",
            when: "For captions of tags, as Illustrious, NoobAI and Pony use them: no tag gets its meaning from its place.",
        },
    }

    /// Number of tags at the start that stay in place when tags are shuffled or dropped.
    keep_tokens: u16 {
        default: 0,
        range: Range::whole(0, 255),
        presets: {
            (Illustrious | Noobai | NoobaiV | NoobaiFlow | Pony, _) => 1,
        },
        about: {
            group: Group::Captions,
            since: 4,
            unit: "tags",
            why: "It has no effect unless tags are shuffled or dropped.",
            when: "To keep more than the trigger word, which is always kept in front.",
        },
    }

    /// A mark such as `|||` between the tags that stay and the rest, in place of a number of tags.
    keep_tokens_separator: String {
        default: "",
        range: Range::Text { max_chars: 16 },
        rule: |p| text::check_line(&p.keep_tokens_separator).err().map(|unfit| unfit.to_string()),
        beside: [keep_tokens_separator],
        about: {
            group: Group::Captions,
            since: 4,
            why: "A number is enough if all captions begin alike.",
            when: "If the captions have such a mark. What follows a second one stays at the end.",
        },
    }

    /// What stands between tags.
    tag_separator: String {
        default: ",",
        range: Range::Text { max_chars: 16 },
        rule: |p| separator(&p.tag_separator),
        beside: [tag_separator],
        about: {
            group: Group::Captions,
            since: 4,
            why: "Nearly all captions have commas.",
            when: "If yours have something else.",
        },
    }

    /// What stands between tags that are shuffled and dropped together; afterwards it is read as a comma.
    secondary_separator: String {
        default: "",
        range: Range::Text { max_chars: 16 },
        rule: |p| text::check_line(&p.secondary_separator).err().map(|unfit| unfit.to_string()),
        beside: [secondary_separator],
        about: {
            group: Group::Captions,
            since: 4,
            why: "Few captions have groups of tags.",
            when: "`;;;` is in use, to keep the tags of one figure together.",
        },
    }

    /// Chance that a tag is left out, each time a caption is read.
    tag_dropout: f64 {
        default: 0.0,
        range: Range::number(0.0, 1.0),
        about: {
            group: Group::Captions,
            since: 4,
            metadata: &["ss_caption_tag_dropout_rate"],
            why: "No settings in common use have it.",
            when: "0.1 if a figure comes only when all its tags are said.",
        },
    }

    /// Written in front of every caption.
    caption_prefix: String {
        default: "",
        range: Range::Text { max_chars: 500 },
        rule: |p| text::check_line(&p.caption_prefix).err().map(|unfit| unfit.to_string()),
        beside: [caption_prefix],
        about: {
            group: Group::Captions,
            since: 4,
            why: "The trigger word is added by its own field.",
            when: "For words that the base expects in front, such as its quality tags.",
        },
    }

    /// Written behind every caption.
    caption_suffix: String {
        default: "",
        range: Range::Text { max_chars: 500 },
        rule: |p| text::check_line(&p.caption_suffix).err().map(|unfit| unfit.to_string()),
        beside: [caption_suffix],
        about: {
            group: Group::Captions,
            since: 4,
            why: "Captions already say what the pictures show.",
            when: "For words that all pictures share.",
        },
    }

    /// Reads `{a|b}` in a caption as one of the two, and one line of several, drawn each time.
    wildcards: bool {
        default: false,
        range: Range::Switch,
        about: {
            group: Group::Captions,
            since: 4,
            why: "Braces may be meant as they are.",
            when: "For captions that were written that way.",
        },
    }

    /// Reads `(word:1.3)` in a caption as emphasis.
    weighted_captions: bool {
        default: false,
        range: Range::Switch,
        about: {
            group: Group::Captions,
            since: 4,
            kohya: Some("weighted_captions"),
            why: "Brackets are part of many names of figures.",
            when: "For captions that were written that way.",
        },
    }

    /// Number of tags that are read at the start of the training, when `token_warmup_steps` is set.
    token_warmup_min: u16 {
        default: 1,
        range: Range::whole(1, 255),
        about: {
            group: Group::Captions,
            since: 4,
            unit: "tags",
            why: "It has no effect without token_warmup_steps.",
            when: "If the settings that you follow give it.",
        },
    }

    /// Steps until all tags of a caption are read. 0 reads all from the start.
    token_warmup_steps: u32 {
        default: 0,
        range: Range::whole(0, 1_000_000),
        about: {
            group: Group::Captions,
            since: 4,
            unit: "steps",
            why: "Few settings use it.",
            when: "A tenth of the steps, if the trigger word at the start of the captions is not learned.",
        },
    }
    } };
}

pub(in super::super) use captions;
