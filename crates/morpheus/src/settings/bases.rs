//! Base models of the settings: `NAME=SOURCE[,prediction=WORD][,vae=SOURCE]` as a flag, and the table `[bases]` of the
//! file, whose entries are a source, or a table of `source`, `prediction` and `vae`.

use std::{collections::BTreeMap, fmt, path::Path};

use anyhow::{anyhow, bail};
use protocol::{
    address::masked,
    base::{BaseSource, InvalidSource, Prediction, UnknownPrediction, check_name, vae_source},
};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use store::bases::Said;

use crate::paths;

/// A base model of the settings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeclaredBase {
    /// Where it comes from.
    pub(crate) source: BaseSource,
    /// What is said about it, whatever its files say.
    pub(crate) said: Said,
}

/// The same as a table of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    source: BaseSource,
    prediction: Option<Prediction>,
    vae: Option<String>,
}

impl<'de> Deserialize<'de> for DeclaredBase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrTable)
    }
}

struct TextOrTable;

impl<'de> Visitor<'de> for TextOrTable {
    type Value = DeclaredBase;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source of a base model, or a table of `source`, `prediction` and `vae`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<DeclaredBase, E> {
        let source: Result<BaseSource, InvalidSource> = text.parse();
        Ok(DeclaredBase {
            source: source.map_err(E::custom)?,
            said: Said::default(),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DeclaredBase, A::Error> {
        let table = Table::deserialize(MapAccessDeserializer::new(map))?;
        let vae = table.vae.as_deref().map(vae_source).transpose();
        Ok(DeclaredBase {
            source: table.source,
            said: Said {
                prediction: table.prediction,
                vae: vae.map_err(|reason| de::Error::custom(format!("vae: {reason}")))?,
            },
        })
    }
}

impl DeclaredBase {
    fn paths(&mut self) -> impl Iterator<Item = &mut String> {
        let sources = [Some(&mut self.source), self.said.vae.as_mut()];
        sources.into_iter().flatten().filter_map(|source| match source {
            BaseSource::Path(path) => Some(path),
            BaseSource::Url { .. } | BaseSource::Hub { .. } | BaseSource::Edit(_) => None,
        })
    }

    /// Paths in a file are meant from where the file is.
    pub(super) fn resolve_from(&mut self, folder: &Path) {
        for path in self.paths() {
            *path = folder.join(&*path).display().to_string();
        }
    }
}

/// Adds the base models of the flags to those of the file, checks their names, and makes all paths absolute.
pub(super) fn complete(
    mut bases: BTreeMap<String, DeclaredBase>,
    flags: &[String],
) -> anyhow::Result<BTreeMap<String, DeclaredBase>> {
    // Not parsed by clap, which would print the whole value, including secrets in a URL.
    let mut last: Option<String> = None;
    for text in flags {
        match text.split_once('=') {
            // Values are split at commas: what is said about a base model comes after it.
            Some((option @ ("prediction" | "vae"), value)) => {
                let base = last.as_ref().and_then(|name| bases.get_mut(name));
                let base = base.ok_or_else(|| {
                    anyhow!("--base: {option}=… comes after a base model, NAME=SOURCE,{option}=…")
                })?;
                let name = last.as_deref().unwrap_or_default();
                if option == "vae" {
                    let vae = vae_source(value).map_err(|reason| anyhow!("--base: {name}: vae: {reason}"))?;
                    base.said.vae = Some(vae);
                } else {
                    let prediction: Result<_, UnknownPrediction> = value.parse();
                    base.said.prediction = Some(prediction.map_err(|err| anyhow!("--base: {name}: {err}"))?);
                }
            }
            // An address may hold a `=` of its own.
            Some((name, source)) if !name.is_empty() && !name.contains(['/', ':']) => {
                let source = source.parse();
                let source = source.map_err(|err: InvalidSource| anyhow!("--base: {name}: {err}"))?;
                let said = Said::default();
                bases.insert(name.to_owned(), DeclaredBase { source, said });
                last = Some(name.to_owned());
            }
            _ => bail!(
                "--base: must be NAME=SOURCE, for example sdxl={}",
                if text.contains([':', '/']) {
                    masked(text)
                } else {
                    "/models/sdxl.safetensors".to_owned()
                }
            ),
        }
    }
    for (name, base) in &mut bases {
        check_name(name).map_err(|reason| anyhow!("base model name `{name}`: {reason}"))?;
        if let BaseSource::Edit(_) = base.source {
            bail!(
                "base model `{name}`: the result of an edit is registered on its model's page or through the API, not in \
                 the settings: use a path, https://… or hf:OWNER/REPOSITORY here"
            );
        }
        for path in base.paths() {
            *path = paths::absolute(Path::new(path)).display().to_string();
        }
    }
    Ok(bases)
}

#[cfg(test)]
mod tests {
    use protocol::base::Prediction;

    use super::{super::tests::resolve, *};

    fn of_file(text: &str) -> anyhow::Result<BTreeMap<String, DeclaredBase>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("morpheus.toml");
        std::fs::write(&file, text).unwrap();
        Ok(resolve(&["--config", file.to_str().unwrap()])?.bases)
    }

    #[test]
    fn what_is_said_about_a_base_follows_it() {
        let flag = "noob=/models/noob.safetensors,prediction=v-zero-snr,vae=hf:a/b:vae.safetensors";
        let settings = resolve(&["--base", flag, "--base", "other=/x"]).unwrap();
        let noob = &settings.bases["noob"];
        assert_eq!(noob.source, BaseSource::Path("/models/noob.safetensors".into()));
        assert_eq!(noob.said.prediction, Some(Prediction::VZeroSnr));
        let vae = noob.said.vae.as_ref().unwrap();
        assert_eq!(vae.to_string(), "hf:a/b:vae.safetensors");
        assert_eq!(settings.bases["other"].said, Said::default());
    }

    #[test]
    fn a_table_of_the_file_says_the_same() {
        let bases = of_file(
            "[bases]\nplain = '/x'\n[bases.noob]\nsource = '/noob.safetensors'\nprediction = 'v'\nvae = '/vae.safetensors'\n",
        )
        .unwrap();
        assert_eq!(bases["plain"].said, Said::default());
        assert_eq!(bases["noob"].said.prediction, Some(Prediction::V));
        let vae = BaseSource::Path("/vae.safetensors".into());
        assert_eq!(bases["noob"].said.vae, Some(vae));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_would_be_right() {
        for (flag, said) in [
            ("prediction=v", "comes after a base model"),
            (
                "x=/x,prediction=vee",
                "unknown prediction `vee`, expected epsilon, v, v-zero-snr or flow",
            ),
            ("x=/x,vae=hf:a/b", "name the file of the VAE"),
            ("x=/x,vae=", "must be a path"),
            (
                "x=edit:0195d1a0-0000-7000-8000-000000000001",
                "not in the settings",
            ),
        ] {
            let err = format!("{:#}", resolve(&["--base", flag]).map(drop).unwrap_err());
            assert!(err.contains(said), "{flag}: {err}");
        }
        for (text, said) in [
            ("[bases.x]\nsource = '/x'\nprediktion = 'v'\n", "prediktion"),
            ("[bases.x]\nprediction = 'v'\n", "source"),
            (
                "[bases.x]\nsource = '/x'\nvae = 'hf:a/b'\n",
                "name the file of the VAE",
            ),
            ("[bases]\nx = 1\n", "the source of a base model, or a table"),
        ] {
            let err = format!("{:#}", of_file(text).map(drop).unwrap_err());
            assert!(err.contains(said), "{text}: {err}");
        }
    }
}
