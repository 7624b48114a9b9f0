//! Sessions and the audit log, on both databases.

use chrono::TimeDelta;
use protocol::audit::AuditAction;
use store::{
    audit::{self, Actor, Filter},
    tokens::{self, Browser, Ended, NewSession, Reach, Standing, TokenKind},
};

use crate::fixture::TestStore;

async fn sign_in(test: &TestStore, secret: &str) -> anyhow::Result<Result<NewSession, Standing>> {
    let tx = test.store.begin().await?;
    let until = store::now() + TimeDelta::days(30);
    let made = tokens::sign_in(&tx, secret, until, Browser::default()).await?;
    tx.commit().await?;
    Ok(made)
}

pub(crate) async fn sessions_end_with_their_tokens(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    let tx = store.begin().await?;
    let week = store::now() + TimeDelta::days(7);
    let token = tokens::create_user(&tx, owner, "week", Some(week)).await?;
    let over = tokens::create_user(&tx, owner, "over", Some(store::now() - TimeDelta::seconds(1))).await?;
    let login = tokens::create_login(&tx, owner, store::now() + TimeDelta::days(1)).await?;
    tx.commit().await?;

    let session = sign_in(&test, &token.secret).await?.expect("the token is good");
    assert_eq!(session.expires_at, week, "no longer than the token");
    let owners = sign_in(&test, &login.secret).await?.expect("the address is good");
    assert!(owners.expires_at > week);
    let used = sign_in(&test, &login.secret).await?.unwrap_err();
    assert_eq!(
        used,
        Standing::Ended {
            kind: TokenKind::Login,
            why: Ended::Used
        }
    );
    let end = over.token.expires_at.expect("it has one");
    let expired = sign_in(&test, &over.secret).await?.unwrap_err();
    assert_eq!(
        expired,
        Standing::Ended {
            kind: TokenKind::Token,
            why: Ended::Expired(end)
        }
    );
    // What is in a cookie makes no other one.
    assert_eq!(
        sign_in(&test, &session.secret).await?.unwrap_err(),
        Standing::Unknown
    );

    let tx = store.begin().await?;
    assert_eq!(tokens::reach(&tx, session.id).await?, Reach::Until(week));
    assert_eq!(tokens::reach(&tx, owners.id).await?, Reach::Unlimited);
    let revoked = tokens::revoke(&tx, owner, token.token.id).await?;
    assert_eq!((revoked.name.as_str(), revoked.n_sessions), ("week", 1));
    assert_eq!(tokens::reach(&tx, session.id).await?, Reach::Ended);
    tx.commit().await?;
    assert!(!tokens::is_valid(store, session.id).await?);
    assert!(tokens::is_valid(store, owners.id).await?);
    let left = tokens::list_sessions(store, owner, Some(owners.id)).await?;
    assert_eq!(left.len(), 1);
    assert!(left[0].is_current && left[0].signed_in_with == "login address");
    Ok(())
}

/// However they come together: whoever was signed in first is signed out, and nobody waits in a circle.
pub(crate) async fn signing_in_and_out_do_not_pass_each_other(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    for _ in 0..10 {
        let tx = store.begin().await?;
        let login = tokens::create_login(&tx, owner, store::now() + TimeDelta::days(1)).await?;
        let token = tokens::create_user(&tx, owner, "t", None).await?;
        tx.commit().await?;
        let out = async {
            let tx = store.begin().await?;
            let ended = tokens::sign_out_everywhere(&tx, owner).await?;
            tx.commit().await?;
            anyhow::Ok(ended)
        };
        let delete = async {
            let tx = store.begin().await?;
            tokens::revoke(&tx, owner, token.token.id).await?;
            tx.commit().await?;
            anyhow::Ok(())
        };
        let (by_login, by_token, out, delete) = tokio::join!(
            sign_in(&test, &login.secret),
            sign_in(&test, &token.secret),
            out,
            delete
        );
        out?;
        delete?;
        if let Ok(session) = by_token? {
            assert!(!tokens::is_valid(store, session.id).await?, "its token is gone");
        }
        // The address was used before it was ended, or not at all; it is not used again.
        let was_used = by_login?.is_ok();
        let again = sign_in(&test, &login.secret).await?.unwrap_err();
        assert!(
            matches!(again, Standing::Ended { why, .. } if (why == Ended::Used) == was_used),
            "{again:?}"
        );
    }
    Ok(())
}

pub(crate) async fn the_log_is_kept_for_its_time(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    let tx = store.begin().await?;
    let actor = Actor {
        address: Some("192.0.2.7".to_owned()),
        ..Actor::named("token\u{1b}[31m ci")
    };
    audit::acting(
        actor,
        audit::record(&tx, AuditAction::TokenMade, &"x".repeat(5000), ""),
    )
    .await?;
    audit::record(&tx, AuditAction::BudgetSet, "a\0b", "").await?;
    tx.commit().await?;
    // What was not committed did not happen.
    let tx = store.begin().await?;
    audit::record(&tx, AuditAction::BudgetSet, "never", "").await?;
    drop(tx);
    let entries = audit::list(store, owner, &Filter::default(), 10).await?;
    assert_eq!(entries.len(), 2);
    let (newest, oldest) = (&entries[0], &entries[1]);
    assert_eq!(
        (newest.actor.as_str(), newest.subject.as_deref()),
        ("server", Some("ab"))
    );
    assert_eq!(oldest.actor, "token[31m ci", "no control characters");
    assert_eq!(oldest.subject.as_ref().map(String::len), Some(200));
    assert_eq!(audit::n_before(store, oldest.at).await?, 0);
    assert_eq!(audit::forget_before(store, newest.at).await?, 1);
    let left = audit::list(store, owner, &Filter::default(), 10).await?;
    assert_eq!(left.len(), 1);
    Ok(())
}
