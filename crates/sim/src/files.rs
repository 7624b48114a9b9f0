//! Files as an agent uploads them, without an engine that makes them.

/// A small LoRA of one module: a safetensors file with kohya's names. Others for other texts.
pub fn lora(rank: usize, salt: &str) -> Vec<u8> {
    let module = "lora_unet_middle_block_1_proj_in";
    let (half, side) = (rank * 4 * 4, 4);
    let header = serde_json::json!({
        "__metadata__": { "ss_network_dim": rank.to_string(), "salt": salt },
        format!("{module}.lora_down.weight"): {
            "dtype": "F32", "shape": [rank, side], "data_offsets": [0, half],
        },
        format!("{module}.lora_up.weight"): {
            "dtype": "F32", "shape": [side, rank], "data_offsets": [half, 2 * half],
        },
        format!("{module}.alpha"): {
            "dtype": "F32", "shape": [], "data_offsets": [2 * half, 2 * half + 4],
        },
    });
    let header = header.to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    for _ in 0..2 * rank * side + 1 {
        file.extend_from_slice(&0.5_f32.to_le_bytes());
    }
    file
}

/// What a reader of headers takes for a PNG of 8 × 8 pixels. Others for other texts.
pub fn png(salt: &str) -> Vec<u8> {
    let mut file =
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x08\0\0\0\x08\x08\x02\0\0\0\x4b\x6d\x29\xdc".to_vec();
    file.extend_from_slice(salt.as_bytes());
    file
}
