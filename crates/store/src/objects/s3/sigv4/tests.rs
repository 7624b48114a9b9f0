//! The example of AWS's documentation, and what it does not show.

use chrono::DateTime;

use super::{Credentials, Presigned};

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        session_token: None,
        region: "us-east-1".into(),
    }
}

fn request() -> Presigned<'static> {
    Presigned {
        method: "GET",
        host: "examplebucket.s3.amazonaws.com",
        path: "/test.txt",
        valid_seconds: 86400,
        ..Presigned::default()
    }
}

/// 24 May 2013, 00:00:00.
fn at() -> DateTime<chrono::Utc> {
    DateTime::from_timestamp(1_369_353_600, 0).unwrap()
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>, "An example".
#[test]
fn signs_as_the_documentation_does() {
    assert_eq!(
        credentials().presign(&request(), at()),
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

#[test]
fn signs_headers_and_the_session_token() {
    let headers = [("x-amz-checksum-sha256".to_owned(), "q83v".to_owned())];
    let signed = credentials().presign(
        &Presigned {
            headers: &headers,
            ..request()
        },
        at(),
    );
    assert!(
        signed.contains("X-Amz-SignedHeaders=host%3Bx-amz-checksum-sha256"),
        "{signed}"
    );
    let of_session = Credentials {
        session_token: Some("a/b=".into()),
        ..credentials()
    };
    let signed = of_session.presign(&request(), at());
    assert!(signed.contains("&X-Amz-Security-Token=a%2Fb%3D&"), "{signed}");
    assert!(!signed.contains("wJalr"), "the secret stays here");
}
