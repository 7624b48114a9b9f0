//! Errors of a bucket, with the setting at fault and the fix.

use std::fmt;

use reqwest::Response;

/// A bucket that cannot be used. Its message names the setting and the fix.
#[derive(Debug)]
pub enum BucketError {
    /// The URL has no bucket name.
    Url {
        /// What was given.
        url: String,
    },
    /// A URL is invalid.
    Endpoint {
        /// The setting.
        setting: &'static str,
        /// What was given.
        address: String,
    },
    /// The access key id is missing.
    NoAccessKeyId,
    /// The secret access key is missing.
    NoSecretAccessKey,
    /// The HTTP client could not be created.
    Client {
        /// Why.
        source: reqwest::Error,
    },
    /// No response.
    Unreachable {
        /// The address.
        endpoint: String,
        /// Why.
        source: reqwest::Error,
    },
    /// Nobody answers where agents and browsers are sent to.
    PublicUnreachable {
        /// The address.
        endpoint: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The public address refuses what the internal one grants.
    PublicRefused {
        /// The address.
        endpoint: String,
        /// Its answer.
        status: u16,
    },
    /// There is no such bucket.
    NoBucket {
        /// Its name.
        bucket: String,
        /// The server.
        endpoint: String,
    },
    /// The server does not know the one who asks.
    UnknownKey {
        /// The server.
        endpoint: String,
    },
    /// The signature is wrong.
    WrongSecret {
        /// The server.
        endpoint: String,
    },
    /// The session token is wrong or over.
    Token {
        /// What the server says.
        message: String,
    },
    /// The bucket is in another region.
    WrongRegion {
        /// The bucket.
        bucket: String,
        /// The region that the server names.
        right: Option<String>,
    },
    /// The clocks differ.
    Clock {
        /// The server.
        endpoint: String,
    },
    /// The one who asks may not.
    Denied {
        /// The bucket.
        bucket: String,
        /// What the server says.
        message: String,
    },
    /// Whatever answers is no S3 server.
    NoS3 {
        /// The address.
        endpoint: String,
        /// Its answer.
        status: u16,
    },
    /// What was written is not what is read.
    OtherBytes {
        /// The server.
        endpoint: String,
    },
    /// The answer cannot be read.
    Unreadable {
        /// The server.
        endpoint: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server says no for another reason.
    Refused {
        /// HTTP status.
        status: u16,
        /// S3's word for it.
        code: String,
        /// What the server says.
        message: String,
    },
}

impl BucketError {
    /// What is wrong.
    pub fn what(&self) -> String {
        match self {
            Self::Url { url } => format!("`{url}` has no bucket name"),
            Self::Endpoint { setting, address } => {
                format!("{setting}: `{address}` is not a valid server URL")
            }
            Self::NoAccessKeyId => "the access key id is missing".into(),
            Self::NoSecretAccessKey => "the secret access key is missing".into(),
            Self::Client { .. } => "failed to create an HTTP client".into(),
            Self::Unreachable { endpoint, source } => {
                format!("no S3 server responds at `{endpoint}` ({})", innermost(source))
            }
            Self::PublicUnreachable { endpoint, source } => {
                format!(
                    "no server responds at the public URL `{endpoint}` ({})",
                    innermost(source)
                )
            }
            Self::PublicRefused { endpoint, status } => {
                format!("the public URL `{endpoint}` rejects a signed request with {status}")
            }
            Self::NoBucket { bucket, endpoint } => format!("`{endpoint}` has no bucket `{bucket}`"),
            Self::UnknownKey { endpoint } => format!("`{endpoint}` does not recognize the access key id"),
            Self::WrongSecret { endpoint } => {
                format!("`{endpoint}` rejects the signature: the secret does not match the access key id")
            }
            Self::Token { message } => format!("the session token is not accepted: {message}"),
            Self::WrongRegion { bucket, right } => match right {
                Some(right) => format!("the bucket `{bucket}` is in the region `{right}`"),
                None => format!("the bucket `{bucket}` is in another region"),
            },
            Self::Clock { endpoint } => {
                format!("the clocks of `{endpoint}` and of this machine differ too much")
            }
            Self::Denied { bucket, message } => {
                format!("the key has no access to the bucket `{bucket}`: {message}")
            }
            Self::NoS3 { endpoint, status } => {
                format!("the server at `{endpoint}` is not an S3 server (status {status})")
            }
            Self::OtherBytes { endpoint } => format!("`{endpoint}` returns other bytes than were stored"),
            Self::Unreadable { endpoint, source } => {
                format!("the response of `{endpoint}` cannot be read: {source}")
            }
            Self::Refused {
                status,
                code,
                message,
            } => {
                format!("the S3 server rejected the request with {status} {code}: {message}")
            }
        }
    }

    /// What to do about it.
    pub fn fix(&self) -> String {
        const ENDPOINT: &str = "--s3-endpoint, MORPHEUS_S3_ENDPOINT or AWS_ENDPOINT_URL";
        const PUBLIC: &str = "--s3-public-endpoint or MORPHEUS_S3_PUBLIC_ENDPOINT";
        const REGION: &str = "--s3-region, MORPHEUS_S3_REGION or AWS_REGION";
        const KEY: &str = "--s3-access-key-id, MORPHEUS_S3_ACCESS_KEY_ID or AWS_ACCESS_KEY_ID";
        const SECRET: &str = "MORPHEUS_S3_SECRET_ACCESS_KEY or AWS_SECRET_ACCESS_KEY";
        const TOKEN: &str = "MORPHEUS_S3_SESSION_TOKEN or AWS_SESSION_TOKEN";
        match self {
            Self::Url { .. } => {
                "set --objects (MORPHEUS_OBJECTS) to s3://BUCKET or s3://BUCKET/PREFIX".into()
            }
            Self::Endpoint { setting, .. } => {
                format!("set --{setting} to a full URL, for example https://s3.example.com")
            }
            Self::NoAccessKeyId => format!("set {KEY}"),
            Self::NoSecretAccessKey => format!("set {SECRET}"),
            Self::Client { .. } => "check the certificates of this machine".into(),
            Self::Unreachable { .. } | Self::NoS3 { .. } => format!("correct {ENDPOINT}"),
            Self::PublicUnreachable { .. } | Self::PublicRefused { .. } => {
                format!("correct {PUBLIC}: agents and browsers use it unchanged")
            }
            Self::NoBucket { .. } => "create the bucket, or correct --objects or MORPHEUS_OBJECTS".into(),
            Self::UnknownKey { .. } => format!("correct {KEY}"),
            Self::WrongSecret { .. } => format!("correct {SECRET}; for temporary keys also {TOKEN}"),
            Self::Token { .. } => format!("get new keys, and set {TOKEN}"),
            Self::WrongRegion { right, .. } => match right {
                Some(right) => format!("set {REGION} to `{right}`"),
                None => format!("correct {REGION}"),
            },
            Self::Clock { .. } => "set the clock of this machine, preferably with NTP".into(),
            Self::Denied { .. } => {
                "allow it to list, read, write and delete in this bucket, or use another key".into()
            }
            Self::OtherBytes { .. } => "use another store: something in between changes the data".into(),
            Self::Unreadable { .. } | Self::Refused { .. } => {
                format!("see the S3 server's log, and check {ENDPOINT}")
            }
        }
    }

    /// What an answer that is no success means.
    pub(super) async fn of_answer(bucket: &str, endpoint: &str, answer: Response) -> Self {
        let status = answer.status().as_u16();
        let named_region = answer.headers().get("x-amz-bucket-region");
        let named_region = named_region.and_then(|region| Some(region.to_str().ok()?.to_owned()));
        let xml = answer.text().await.unwrap_or_default();
        let element = |name: &str| {
            let (_, rest) = xml.split_once(&format!("<{name}>"))?;
            Some(rest.split_once('<')?.0.to_owned())
        };
        let (bucket, endpoint) = (bucket.to_owned(), endpoint.to_owned());
        // An answer to HEAD has no body.
        let Some(code) = element("Code") else {
            return match status {
                403 => Self::Denied {
                    bucket,
                    message: "status 403".into(),
                },
                301 | 307 => Self::WrongRegion {
                    bucket,
                    right: named_region,
                },
                _ => Self::NoS3 { endpoint, status },
            };
        };
        let message = element("Message").filter(|message| !message.is_empty());
        let message = message.unwrap_or_else(|| code.clone());
        match code.as_str() {
            "NoSuchBucket" => Self::NoBucket { bucket, endpoint },
            "InvalidAccessKeyId" | "NotSignedUp" => Self::UnknownKey { endpoint },
            "SignatureDoesNotMatch" => Self::WrongSecret { endpoint },
            "InvalidToken" | "ExpiredToken" => Self::Token { message },
            "PermanentRedirect"
            | "TemporaryRedirect"
            | "AuthorizationHeaderMalformed"
            | "AuthorizationQueryParametersError"
            | "IllegalLocationConstraintException" => Self::WrongRegion {
                bucket,
                right: element("Region").or(named_region),
            },
            "RequestTimeTooSkewed" | "RequestExpired" => Self::Clock { endpoint },
            "AccessDenied" => Self::Denied { bucket, message },
            _ => Self::Refused {
                status,
                code,
                message,
            },
        }
    }
}

/// The cause that says it best: `connection refused`, not `error sending request`.
fn innermost(err: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = err;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

impl fmt::Display for BucketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what(), self.fix())
    }
}

impl std::error::Error for BucketError {}
