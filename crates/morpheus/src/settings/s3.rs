//! Settings of the bucket. Missing ones are read from the variables of Amazon's own tools.

use serde::Deserialize;
use store::objects::S3Settings;

/// The settings as flags, and as the table `[s3]` of a settings file.
#[derive(Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
pub(super) struct S3Flags {
    /// S3 endpoint for `--objects s3://BUCKET[/PREFIX]` [default: Amazon's in the region]
    #[arg(
        id = "s3_endpoint",
        long = "s3-endpoint",
        env = "MORPHEUS_S3_ENDPOINT",
        value_name = "URL"
    )]
    endpoint: Option<String>,
    /// S3 endpoint for agents and browsers, if they use a different URL
    #[arg(
        id = "s3_public_endpoint",
        long = "s3-public-endpoint",
        env = "MORPHEUS_S3_PUBLIC_ENDPOINT",
        value_name = "URL"
    )]
    public_endpoint: Option<String>,
    /// Its region [default: us-east-1]
    #[arg(
        id = "s3_region",
        long = "s3-region",
        env = "MORPHEUS_S3_REGION",
        value_name = "REGION"
    )]
    region: Option<String>,
    /// Access key id
    #[arg(
        id = "s3_access_key_id",
        long = "s3-access-key-id",
        env = "MORPHEUS_S3_ACCESS_KEY_ID",
        value_name = "ID",
        hide_env_values = true
    )]
    access_key_id: Option<String>,
    /// Secret access key; prefer the variable, because other users can read the command line
    #[arg(
        id = "s3_secret_access_key",
        long = "s3-secret-access-key",
        env = "MORPHEUS_S3_SECRET_ACCESS_KEY",
        value_name = "SECRET",
        hide_env_values = true
    )]
    secret_access_key: Option<String>,
    /// Session token of temporary keys
    #[arg(
        id = "s3_session_token",
        long = "s3-session-token",
        env = "MORPHEUS_S3_SESSION_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    session_token: Option<String>,
}

impl S3Flags {
    /// Fills in missing values from `file`.
    pub(super) fn or(self, file: Self) -> Self {
        Self {
            endpoint: self.endpoint.or(file.endpoint),
            public_endpoint: self.public_endpoint.or(file.public_endpoint),
            region: self.region.or(file.region),
            access_key_id: self.access_key_id.or(file.access_key_id),
            secret_access_key: self.secret_access_key.or(file.secret_access_key),
            session_token: self.session_token.or(file.session_token),
        }
    }

    /// Fills in missing values from Amazon's variables. Keys and token come from one source, all or none.
    pub(super) fn complete(self, variable: impl Fn(&str) -> Option<String>) -> S3Settings {
        let has_keys = self.access_key_id.is_some() || self.secret_access_key.is_some();
        let key = |own: Option<String>, name: &str| own.or_else(|| variable(name).filter(|_| !has_keys));
        S3Settings {
            endpoint: self
                .endpoint
                .or_else(|| variable("AWS_ENDPOINT_URL_S3"))
                .or_else(|| variable("AWS_ENDPOINT_URL")),
            public_endpoint: self.public_endpoint,
            region: self
                .region
                .or_else(|| variable("AWS_REGION"))
                .or_else(|| variable("AWS_DEFAULT_REGION")),
            access_key_id: key(self.access_key_id, "AWS_ACCESS_KEY_ID"),
            secret_access_key: key(self.secret_access_key, "AWS_SECRET_ACCESS_KEY"),
            session_token: key(self.session_token, "AWS_SESSION_TOKEN"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::S3Flags;

    fn amazon(name: &str) -> Option<String> {
        Some(format!("of {name}"))
    }

    #[test]
    fn amazons_variables_fill_in() {
        let settings = S3Flags::default().complete(amazon);
        assert_eq!(settings.endpoint.as_deref(), Some("of AWS_ENDPOINT_URL_S3"));
        assert_eq!(settings.region.as_deref(), Some("of AWS_REGION"));
        assert_eq!(settings.session_token.as_deref(), Some("of AWS_SESSION_TOKEN"));
        assert_eq!(settings.public_endpoint, None);
    }

    #[test]
    fn keys_of_two_places_are_not_mixed() {
        let flags = S3Flags {
            access_key_id: Some("mine".into()),
            region: Some("eu-central-1".into()),
            ..S3Flags::default()
        };
        let settings = flags.complete(amazon);
        assert_eq!(settings.access_key_id.as_deref(), Some("mine"));
        assert_eq!(settings.secret_access_key, None);
        assert_eq!(settings.session_token, None);
        assert_eq!(settings.region.as_deref(), Some("eu-central-1"));
    }

    #[test]
    fn secrets_are_not_printed() {
        let printed = format!("{:?}", S3Flags::default().complete(amazon));
        assert!(
            printed.contains("AWS_REGION") && !printed.contains("KEY"),
            "{printed}"
        );
    }
}
