//! Every tensor that a U-Net of given sizes is made of. `base::tests` holds this list against what is loaded.

use super::{
    UnetConfig,
    config::{Block, Step, TransformerPlan},
};
use crate::weights::Shapes;

impl UnetConfig {
    /// Names in the original single-file layout without `model.diffusion_model.`, and shapes.
    pub(crate) fn tensors(&self) -> Shapes {
        let mut list = Shapes::default();
        let (c, time) = (self.model_channels(), self.time_dim());
        list.linear("time_embed.0", (c, time));
        list.linear("time_embed.2", (time, time));
        list.linear("label_emb.0.0", (self.vector_dim, time));
        list.linear("label_emb.0.2", (time, time));
        list.conv("input_blocks.0.0", (self.in_channels, c), 3);
        let plan = self.plan();
        for step in plan.down.iter().chain(&plan.up) {
            match step {
                Step::Block(block) => self.block(&mut list, block),
                Step::Resample { name, channels } => list.conv(name, (*channels, *channels), 3),
            }
        }
        self.block(&mut list, &plan.middle);
        let middle = plan.middle.out_channels;
        self.residual(&mut list, "middle_block.2", (middle, middle));
        list.norm("out.0", c);
        list.conv("out.2", (c, self.out_channels), 3);
        list
    }

    fn block(&self, list: &mut Shapes, block: &Block) {
        let channels = (block.in_channels, block.out_channels);
        self.residual(list, &format!("{}.0", block.name), channels);
        if let Some(transformer) = &block.transformer {
            self.transformer(list, transformer);
        }
    }

    fn residual(&self, list: &mut Shapes, name: &str, (n_in, n_out): (usize, usize)) {
        list.norm(&format!("{name}.in_layers.0"), n_in);
        list.conv(&format!("{name}.in_layers.2"), (n_in, n_out), 3);
        list.linear(&format!("{name}.emb_layers.1"), (self.time_dim(), n_out));
        list.norm(&format!("{name}.out_layers.0"), n_out);
        list.conv(&format!("{name}.out_layers.3"), (n_out, n_out), 3);
        if n_in != n_out {
            list.conv(&format!("{name}.skip_connection"), (n_in, n_out), 1);
        }
    }

    fn transformer(&self, list: &mut Shapes, plan: &TransformerPlan) {
        let (name, c) = (&plan.name, plan.channels);
        list.norm(&format!("{name}.norm"), c);
        list.linear(&format!("{name}.proj_in"), (c, c));
        list.linear(&format!("{name}.proj_out"), (c, c));
        for i in 0..plan.depth {
            let name = format!("{name}.transformer_blocks.{i}");
            for norm in ["norm1", "norm2", "norm3"] {
                list.norm(&format!("{name}.{norm}"), c);
            }
            for (attention, context) in [("attn1", c), ("attn2", self.context_dim)] {
                list.matrix(&format!("{name}.{attention}.to_q"), (c, c));
                list.matrix(&format!("{name}.{attention}.to_k"), (context, c));
                list.matrix(&format!("{name}.{attention}.to_v"), (context, c));
                list.linear(&format!("{name}.{attention}.to_out.0"), (c, c));
            }
            list.linear(&format!("{name}.ff.net.0.proj"), (c, 8 * c));
            list.linear(&format!("{name}.ff.net.2"), (4 * c, c));
        }
    }
}
