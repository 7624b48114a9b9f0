use std::time::Duration;

use protocol::{
    DeliveryId, OwnerId,
    notice::{Notice, NoticeKind},
};
use store::outbox::{Due, Receiver, Tried};
use tokio::net::TcpListener;

use super::{MailOptions, Next, NoticeOptions, Notices, mail, new_secret, next_step, signature::sign};

/// The example of the reference implementations:
/// <https://github.com/standard-webhooks/standard-webhooks/tree/main/libraries>.
#[test]
fn signs_as_standard_webhooks_does() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    let signature = sign(secret, id, 1_614_265_330, r#"{"test": 2432232314}"#);
    assert_eq!(
        signature.as_deref(),
        Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    );
    assert_eq!(sign("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", id, 0, ""), None);
}

#[test]
fn secrets_differ_and_sign() {
    let (one, other) = (new_secret(), new_secret());
    assert_ne!(one, other);
    assert!(sign(&one, "msg_1", 0, "{}").is_some());
}

fn failed(status: Option<u16>) -> Tried {
    Tried {
        status,
        error: Some("no".to_owned()),
    }
}

#[test]
fn is_tried_again_for_about_a_day() {
    let pauses = |jitter: f64| -> Vec<u64> {
        let steps = (1..).map(|n| next_step(&failed(Some(503)), false, n, jitter));
        let pauses = steps.map_while(|step| match step {
            Next::Again(pause) => Some(pause.as_secs()),
            _ => None,
        });
        pauses.collect()
    };
    assert_eq!(
        pauses(0.5),
        [
            10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 14_400, 14_400, 14_400, 14_400
        ]
    );
    for (jitter, hours) in [(0.0, 16..=17), (0.5, 21..=22), (1.0, 27..=28)] {
        let total: u64 = pauses(jitter).iter().sum();
        assert!(hours.contains(&(total / 3600)), "{total} s at {jitter}");
    }
}

#[test]
fn ends_when_it_arrived_or_cannot_arrive() {
    let arrived = Tried {
        status: Some(204),
        error: None,
    };
    assert_eq!(next_step(&arrived, true, 1, 0.5), Next::Delivered);
    assert_eq!(next_step(&failed(Some(410)), false, 1, 0.5), Next::Disable);
    assert_eq!(next_step(&failed(None), true, 1, 0.5), Next::GiveUp);
    assert_eq!(next_step(&failed(Some(302)), false, 16, 0.5), Next::GiveUp);
    assert_eq!(
        next_step(&failed(None), false, 1, 0.5),
        Next::Again(Duration::from_secs(10))
    );
}

#[test]
fn an_address_inside_is_refused_with_what_allows_it() {
    let notices = Notices::new(NoticeOptions::default());
    for url in [
        "http://127.0.0.1/hook?key=hidden",
        "http://[::1]/",
        "http://169.254.169.254/latest",
    ] {
        let problem = notices.check(url).unwrap_err();
        assert!(
            problem.contains("--allow-webhooks-to") && !problem.contains("hidden"),
            "{problem}"
        );
    }
    assert!(notices.check("https://example.org/hook").is_ok());
    assert!(notices.check("file:///etc/passwd").is_err());
}

#[test]
fn settings_of_mail_are_checked_and_keep_their_password() {
    let to = ["zora@example.org".to_owned()];
    let url = "smtps://zora:hunter2@mail.example.org:465";
    let mail = MailOptions::new(url, "Morpheus <morpheus@example.org>", &to).unwrap();
    assert!(!format!("{mail:?}").contains("hunter2"), "{mail:?}");
    let (to, bad) = (&to[..], ["?".to_owned()]);
    for (url, from, to, expected) in [
        (
            "http://zora:hunter2@mail",
            "a@example.org",
            to,
            "smtp-url: use smtp://",
        ),
        (url, "nobody", to, "mail-from: `nobody`"),
        (url, "a@example.org", &bad[..], "mail-to: `?`"),
        (url, "a@example.org", &[][..], "mail-to: name at least one"),
    ] {
        let problem = MailOptions::new(url, from, to).unwrap_err().to_string();
        assert!(
            problem.starts_with(expected) && !problem.contains("hunter2"),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn a_mail_server_that_says_nothing_is_asked_again_later() -> anyhow::Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("smtp://{}", silent.local_addr()?);
    let options = MailOptions::new(&url, "a@example.org", &["zora@example.org".to_owned()])?;
    let kind = NoticeKind::Test;
    let due = Due {
        id: DeliveryId::new(),
        owner: OwnerId::new(),
        receiver: Receiver::Mail,
        kind,
        body: serde_json::to_string(&Notice::of_server(kind, store::now(), "a test".to_owned()))?,
        job: None,
        n_attempts: 0,
    };
    let sent = mail::send(&options, &due, None, Duration::from_millis(50)).await;
    let problem = sent.err().ok_or_else(|| anyhow::anyhow!("nobody took it"))?;
    assert!(!problem.is_final);
    assert!(problem.text.contains("did not take it"), "{}", problem.text);
    Ok(())
}
