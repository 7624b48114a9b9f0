//! What a tensor is to its module, by the end of its name.

/// What a tensor is to its module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `[rank, in]` or `[rank, in, kernel, kernel]`
    Down,
    /// `[out, rank]`
    Up,
    /// `[rank, rank, kernel, kernel]`
    Mid,
    /// A number.
    Alpha,
    /// A number that the change is multiplied by.
    Scalar,
    /// DoRA's lengths as LyCORIS stores them: `[out, 1]` or `[1, in]`.
    DoraScale,
    /// DoRA's lengths as PEFT stores them: `[out]` or `[1, out, 1, 1]`.
    PeftMagnitude,
    /// LoHa's factors.
    Hada(Factor),
    /// LoKr's factors.
    Lokr(Factor),
    /// The difference of the weight.
    Diff,
    /// The difference of the bias.
    BiasDiff,
    /// The weight itself.
    SetWeight,
    /// GLoRA's factors: A's and B's halves, and B's core.
    Glora(Factor),
    /// IA³'s factors.
    Ia3,
    /// Whether IA³'s factors belong to the inputs: a number.
    OnInput,
    /// OFT's and BOFT's blocks.
    OftBlocks,
    /// What OFT multiplies outputs by at the end.
    Rescale,
    /// Part of something that is not applied; its name.
    Other(&'static str),
}

/// Which of the factors of LoHa, LoKr or GLoRA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Factor {
    /// The first matrix, whole.
    First,
    /// Its left half.
    FirstA,
    /// Its right half.
    FirstB,
    /// Its core.
    FirstCore,
    /// The second matrix, whole.
    Second,
    /// Its left half.
    SecondA,
    /// Its right half.
    SecondB,
    /// Its core.
    SecondCore,
}

/// Names of tensors within a module, without a final `.weight`.
const ROLES: [(&str, Role); 46] = [
    ("lora_down", Role::Down),
    ("lora_up", Role::Up),
    ("lora_mid", Role::Mid),
    ("lora_A", Role::Down),
    ("lora_B", Role::Up),
    ("lora.down", Role::Down),
    ("lora.up", Role::Up),
    ("lora.mid", Role::Mid),
    ("lora_linear_layer.down", Role::Down),
    ("lora_linear_layer.up", Role::Up),
    ("lora_conv2d_layer.down", Role::Down),
    ("lora_conv2d_layer.up", Role::Up),
    ("alpha", Role::Alpha),
    ("scalar", Role::Scalar),
    ("dora_scale", Role::DoraScale),
    ("lora_magnitude_vector", Role::PeftMagnitude),
    ("hada_w1_a", Role::Hada(Factor::FirstA)),
    ("hada_w1_b", Role::Hada(Factor::FirstB)),
    ("hada_t1", Role::Hada(Factor::FirstCore)),
    ("hada_w2_a", Role::Hada(Factor::SecondA)),
    ("hada_w2_b", Role::Hada(Factor::SecondB)),
    ("hada_t2", Role::Hada(Factor::SecondCore)),
    ("lokr_w1", Role::Lokr(Factor::First)),
    ("lokr_w1_a", Role::Lokr(Factor::FirstA)),
    ("lokr_w1_b", Role::Lokr(Factor::FirstB)),
    ("lokr_t1", Role::Lokr(Factor::FirstCore)),
    ("lokr_w2", Role::Lokr(Factor::Second)),
    ("lokr_w2_a", Role::Lokr(Factor::SecondA)),
    ("lokr_w2_b", Role::Lokr(Factor::SecondB)),
    ("lokr_t2", Role::Lokr(Factor::SecondCore)),
    ("diff", Role::Diff),
    ("diff_b", Role::BiasDiff),
    ("w_norm", Role::Diff),
    ("b_norm", Role::BiasDiff),
    ("set_weight", Role::SetWeight),
    ("oft_blocks", Role::OftBlocks),
    ("rescale", Role::Rescale),
    ("on_input", Role::OnInput),
    ("oft_diag", Role::Other("an OFT")),
    ("a1", Role::Glora(Factor::FirstA)),
    ("a2", Role::Glora(Factor::FirstB)),
    ("b1", Role::Glora(Factor::SecondA)),
    ("b2", Role::Glora(Factor::SecondB)),
    ("bm", Role::Glora(Factor::SecondCore)),
    ("lora_embedding_A", Role::Other("a LoRA of an embedding")),
    ("lora_embedding_B", Role::Other("a LoRA of an embedding")),
];

/// Relatives of LoRA that are not applied, by a part of their tensors' names.
const RELATIVES: [(&str, &str); 16] = [
    (".boft_", "a BOFT"),
    (".oft_R", "an OFT of PEFT"),
    (".oft_r", "an OFT of PEFT"),
    (".oft_s", "an OFT of PEFT"),
    (".ia3_", "an IA3 of PEFT"),
    (".q_layer", "a T-LoRA"),
    (".p_layer", "a T-LoRA"),
    (".lambda_layer", "a T-LoRA"),
    (".vera_", "a VeRA"),
    (".lora_E", "an AdaLoRA"),
    (".ranknum", "an AdaLoRA"),
    (".fourierft_", "a FourierFT"),
    (".hra_", "an HRA"),
    (".vblora_", "a VB-LoRA"),
    (".reshape_weight", "a change of a layer's size"),
    (".set_bias", "a change of the bias by another bias"),
];

/// Splits the name of a tensor into that of its module and the tensor's role. None if it ends in nothing that a LoRA has.
pub fn split(key: &str) -> Option<(&str, Role)> {
    if let Some((module, kind)) = RELATIVES
        .into_iter()
        .find_map(|(mark, kind)| Some((&key[..key.find(mark)?], kind)))
    {
        return Some((module, Role::Other(kind)));
    }
    let bare = key.strip_suffix(".weight").unwrap_or(key);
    // `lora_B.bias` shares its module and its role with `lora_B.weight`, but is something else.
    if let Some(module) = key.strip_suffix(".bias") {
        let module = [".lora_B", ".lora_up"]
            .into_iter()
            .find_map(|end| module.strip_suffix(end))?;
        return Some((module, Role::Other("a LoRA with a bias of its own (lora_bias)")));
    }
    // LyCORIS calls the factors of an IA³ the module's weight.
    let starts = ["lora_unet_", "lora_te1_", "lora_te2_", "lycoris_"];
    let is_module = key != bare && !bare.contains('.') && starts.iter().any(|start| bare.starts_with(start));
    let ia3 = is_module.then_some((bare, Role::Ia3));
    ia3.or_else(|| by_end(bare)).or_else(|| {
        // PEFT puts the adapter's name between: `lora_A.default.weight`.
        let (bare, adapter) = bare.rsplit_once('.')?;
        let is_peft =
            bare.ends_with("lora_A") || bare.ends_with("lora_B") || bare.ends_with("lora_magnitude_vector");
        (is_peft || adapter == "default").then(|| by_end(bare))?
    })
}

/// The end of a tensor's name after its module's, as LyCORIS writes it: without the name of an adapter.
pub(super) fn end(key: &str) -> String {
    let Some((module, role)) = split(key) else {
        return key.to_owned();
    };
    let own = key.get(module.len() + 1..).unwrap_or_default();
    let mut of_role = ROLES
        .into_iter()
        .filter(|(_, of)| *of == role)
        .map(|(end, _)| end);
    // Those of norms are two names for one thing; those of a GLoRA and an IA³ end in `weight`.
    let is_theirs = matches!(role, Role::Ia3 | Role::Glora(_)) || of_role.clone().any(|end| end == own);
    match is_theirs {
        true => own.to_owned(),
        false => of_role.next().unwrap_or(own).to_owned(),
    }
}

fn by_end(bare: &str) -> Option<(&str, Role)> {
    ROLES.into_iter().find_map(|(end, role)| {
        let module = bare.strip_suffix(end)?;
        // Attention processors: `to_q_lora.down`.
        let is_processor = end.starts_with("lora.");
        let module = module
            .strip_suffix('.')
            .or_else(|| module.strip_suffix('_').filter(|_| is_processor))?;
        (!module.is_empty()).then_some((module, role))
    })
}
