//! Settings of notices: mail, and where webhooks may be.

use anyhow::bail;
use orchestrator::{MailOptions, Range, Ranges};
use serde::Deserialize;

/// The settings as flags, and as the table `[notices]` of a settings file.
#[derive(Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NoticeFlags {
    /// SMTP server for mail about jobs: smtp://USER:PASSWORD@HOST:587?tls=required or smtps://USER:PASSWORD@HOST:465; prefer
    /// the variable, because other users can read the command line [default: no mail is sent]
    #[arg(
        id = "smtp_url",
        long = "smtp-url",
        env = "MORPHEUS_SMTP_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    smtp_url: Option<String>,
    /// Sender of mail about jobs
    #[arg(
        id = "mail_from",
        long = "mail-from",
        env = "MORPHEUS_MAIL_FROM",
        value_name = "ADDRESS"
    )]
    mail_from: Option<String>,
    /// Who gets mail about jobs. May be repeated
    #[arg(
        id = "mail_to",
        long = "mail-to",
        env = "MORPHEUS_MAIL_TO",
        value_name = "ADDRESS",
        value_delimiter = ','
    )]
    mail_to: Vec<String>,
    /// Range of private addresses that webhooks may be at, such as 10.0.0.0/8, in addition to public ones. May be repeated
    #[arg(
        id = "allow_webhooks_to",
        long = "allow-webhooks-to",
        env = "MORPHEUS_ALLOW_WEBHOOKS_TO",
        value_name = "RANGE",
        value_delimiter = ','
    )]
    allow_webhooks_to: Vec<Range>,
}

/// The settings, checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct NoticeSettings {
    /// Addresses that webhooks may be at beside the public ones.
    pub(crate) webhooks_to: Ranges,
    /// Mail about jobs.
    pub(crate) mail: Option<MailOptions>,
}

impl NoticeFlags {
    /// Fills in missing values from `file`; ranges add up.
    pub(super) fn or(self, file: Self) -> Self {
        let mut allow_webhooks_to = file.allow_webhooks_to;
        allow_webhooks_to.extend(self.allow_webhooks_to);
        Self {
            smtp_url: self.smtp_url.or(file.smtp_url),
            mail_from: self.mail_from.or(file.mail_from),
            mail_to: if self.mail_to.is_empty() {
                file.mail_to
            } else {
                self.mail_to
            },
            allow_webhooks_to,
        }
    }

    /// Checks the settings of mail, all or none of which must be there.
    pub(super) fn complete(self) -> anyhow::Result<NoticeSettings> {
        let mail = match (self.smtp_url, self.mail_from, self.mail_to.as_slice()) {
            (None, None, []) => None,
            (Some(url), Some(from), to @ [_, ..]) => Some(MailOptions::new(&url, &from, to)?),
            _ => bail!("mail needs all of --smtp-url, --mail-from and --mail-to: add what is missing"),
        };
        Ok(NoticeSettings {
            webhooks_to: self.allow_webhooks_to.into_iter().collect(),
            mail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::resolve;

    #[test]
    fn mail_needs_its_three_settings() {
        let all = [
            "--smtp-url",
            "smtp://a:secret@mail:25",
            "--mail-from",
            "a@example.org",
            "--mail-to",
            "b@example.org,c@example.org",
        ];
        assert!(resolve(&all).unwrap().notices.mail.is_some());
        assert!(resolve(&[]).unwrap().notices.mail.is_none());
        for n in [2, 4] {
            let err = resolve(&all[..n]).unwrap_err().to_string();
            assert!(err.contains("--mail-to") && !err.contains("secret"), "{err}");
        }
    }

    #[test]
    fn ranges_of_webhooks_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("morpheus.toml");
        std::fs::write(&file, "[notices]\nallow_webhooks_to = ['10.0.0.0/8']\n").unwrap();
        let settings = resolve(&[
            "--config",
            file.to_str().unwrap(),
            "--allow-webhooks-to",
            "192.168.1.20",
        ]);
        let ranges = settings.unwrap().notices.webhooks_to;
        let ranges: Vec<String> = ranges.iter().map(|range| range.to_string()).collect();
        assert_eq!(ranges, ["10.0.0.0/8", "192.168.1.20/32"]);
    }
}
