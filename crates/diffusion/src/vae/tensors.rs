//! Every tensor that a VAE of given sizes is made of. `base::tests` holds this list against what is loaded.

use super::VaeConfig;
use crate::weights::Shapes;

impl VaeConfig {
    /// diffusers' names and shapes.
    pub(crate) fn tensors(&self) -> Shapes {
        let mut list = Shapes::default();
        let (first, latent) = (self.channels[0], self.latent_channels);
        let last = self.channels[self.channels.len() - 1];

        list.conv("encoder.conv_in", (3, first), 3);
        let mut channels = first;
        for (i, &width) in self.channels.iter().enumerate() {
            let name = format!("encoder.down_blocks.{i}");
            for j in 0..self.n_res_blocks {
                let in_out = (std::mem::replace(&mut channels, width), width);
                residual(&mut list, &format!("{name}.resnets.{j}"), in_out);
            }
            if i + 1 < self.channels.len() {
                list.conv(&format!("{name}.downsamplers.0.conv"), (width, width), 3);
            }
        }
        self.middle(&mut list, "encoder", last);
        list.norm("encoder.conv_norm_out", last);
        list.conv("encoder.conv_out", (last, 2 * latent), 3);

        list.conv("decoder.conv_in", (latent, last), 3);
        self.middle(&mut list, "decoder", last);
        let mut channels = last;
        for (i, &width) in self.channels.iter().rev().enumerate() {
            let name = format!("decoder.up_blocks.{i}");
            for j in 0..=self.n_res_blocks {
                let in_out = (std::mem::replace(&mut channels, width), width);
                residual(&mut list, &format!("{name}.resnets.{j}"), in_out);
            }
            if i + 1 < self.channels.len() {
                list.conv(&format!("{name}.upsamplers.0.conv"), (width, width), 3);
            }
        }
        list.norm("decoder.conv_norm_out", first);
        list.conv("decoder.conv_out", (first, 3), 3);

        if self.has_quant_conv {
            list.conv("quant_conv", (2 * latent, 2 * latent), 1);
        }
        if self.has_post_quant_conv {
            list.conv("post_quant_conv", (latent, latent), 1);
        }
        list
    }

    fn middle(&self, list: &mut Shapes, side: &str, channels: usize) {
        for i in 0..2 {
            residual(
                list,
                &format!("{side}.mid_block.resnets.{i}"),
                (channels, channels),
            );
        }
        if self.has_attention {
            let name = format!("{side}.mid_block.attentions.0");
            list.norm(&format!("{name}.group_norm"), channels);
            for part in ["to_q", "to_k", "to_v", "to_out.0"] {
                list.linear(&format!("{name}.{part}"), (channels, channels));
            }
        }
    }
}

fn residual(list: &mut Shapes, name: &str, (n_in, n_out): (usize, usize)) {
    list.norm(&format!("{name}.norm1"), n_in);
    list.conv(&format!("{name}.conv1"), (n_in, n_out), 3);
    list.norm(&format!("{name}.norm2"), n_out);
    list.conv(&format!("{name}.conv2"), (n_out, n_out), 3);
    if n_in != n_out {
        list.conv(&format!("{name}.conv_shortcut"), (n_in, n_out), 1);
    }
}
