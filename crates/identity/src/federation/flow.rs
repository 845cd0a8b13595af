//! The way to a provider and back.
//!
//! `state` names the flow and travels through the provider; the binding stays in the browser. One without the other is
//! worth nothing: nobody can have somebody else's browser end a login that they began (login CSRF; RFC 9700, 4.7).

use std::time::Duration;

use platform::Secret;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Begin, Begun, CameBack, Exchange, Finished, Person, Returned, Wish, people, refused};
use crate::challenge::{self, Purpose};
use crate::sessions::first_factor_shown;
use crate::{Actor, Client, Error, Parts, UserId, sessions};

/// How long somebody may take at the provider.
const TIME: Duration = Duration::from_secs(10 * 60);
/// How long all that the provider is asked may take together.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the verifier is sealed for.
const PURPOSE: &str = "pkce_verifier";
/// Longest path to return to, in bytes.
const LONGEST_PATH: usize = 2_000;
/// Characters of a secret of ours: 256 bits in base64url.
const SECRET_LENGTH: usize = 43;
/// Longest name of somebody at a provider (OpenID Connect Core, 2).
const LONGEST_SUBJECT: usize = 255;

/// What is remembered until the browser comes back. Secrets are hashed, or sealed when they are needed again.
#[derive(Serialize, Deserialize)]
struct Flow {
    provider: String,
    callback: Url,
    return_to: String,
    binding: Vec<u8>,
    nonce: Vec<u8>,
    verifier: Vec<u8>,
}

pub(super) async fn begin(
    parts: &Parts,
    actor: &Actor,
    provider: &str,
    wish: &Begin,
) -> Result<Begun, Error> {
    let linking = if wish.link {
        let person = actor.person()?;
        let mut connection = parts.database.pool().acquire().await?;
        sessions::demand_fresh(&mut connection, actor, parts.sources.now()).await?;
        Some(person)
    } else {
        None
    };
    let provider = super::provider(parts, provider)?;
    let return_to = local_path(&wish.return_to).ok_or_else(|| {
        Error::invalid("return_to", "invalid", "return_to has to be a path of this site, such as /account")
    })?;
    // The same for all flows of a browser, so that two tabs do not spoil each other's.
    let kept = wish.binding.clone().filter(|binding| binding.expose().len() >= SECRET_LENGTH);
    let binding = kept.unwrap_or_else(|| parts.sources.secret());
    let (nonce, verifier) = (parts.sources.secret(), parts.sources.secret());
    let flow = Flow {
        provider: provider.name.clone(),
        callback: wish.callback.clone(),
        return_to,
        binding: binding.hash(),
        nonce: nonce.hash(),
        verifier: parts.settings.vault.seal(&parts.sources, PURPOSE, verifier.expose().as_bytes()),
    };
    let state = challenge::open(parts, Purpose::FederatedLogin, linking, &flow, TIME).await?;
    let wish = Wish { callback: &wish.callback, state: &state, nonce: &nonce, verifier: &verifier };
    let address = in_time(super::address(parts, provider, &wish)).await?;
    Ok(Begun { address, binding })
}

pub(super) async fn finish(
    parts: &Parts,
    actor: &Actor,
    client: &Client,
    provider: &str,
    back: &CameBack,
) -> Returned {
    let (return_to, outcome) = match take(parts, provider, back).await {
        Ok((flow, linking)) => {
            let outcome = go_on(parts, actor, client, &flow, linking, back).await;
            (flow.return_to, outcome)
        }
        Err(error) => ("/".to_owned(), Err(error)),
    };
    if let Err(error) = &outcome {
        metrics::counter!("souk_logins_total", "outcome" => "failed").increment(1);
        tracing::info!(provider, error = error as &dyn std::error::Error, "a login elsewhere failed");
    }
    Returned { return_to, outcome }
}

/// Ends the flow before anything is asked of the provider: whoever brings the same back again comes too late.
async fn take(parts: &Parts, provider: &str, back: &CameBack) -> Result<(Flow, Option<UserId>), Error> {
    let state = back.state.as_ref().ok_or(Error::BadToken)?;
    let mut tx = parts.database.begin().await?;
    let taken = challenge::take::<Flow>(parts, &mut tx, Purpose::FederatedLogin, state).await?;
    tx.commit(parts.sources.now()).await?;
    let flow = taken.state;
    let same_browser = back.binding.as_ref().is_some_and(|binding| binding.hash() == flow.binding);
    if !same_browser || flow.provider != provider {
        return Err(Error::BadToken);
    }
    Ok((flow, taken.user_id))
}

async fn go_on(
    parts: &Parts,
    actor: &Actor,
    client: &Client,
    flow: &Flow,
    linking: Option<UserId>,
    back: &CameBack,
) -> Result<Finished, Error> {
    if let Some(user) = linking
        && actor.person()? != user
    {
        return Err(Error::BadToken);
    }
    if let Some(error) = &back.error {
        return Err(refused(error));
    }
    let code = back.code.as_ref().ok_or_else(|| refused("there is no code in its answer"))?;
    let person = who(parts, flow, code, back.issuer.as_deref()).await?;
    let subject = &person.subject;
    if !(1..=LONGEST_SUBJECT).contains(&subject.len()) || subject.chars().any(char::is_control) {
        return Err(refused("it does not say who you are"));
    }
    match linking {
        Some(user) => {
            people::link(parts, actor, user, &flow.provider, &person).await?;
            Ok(Finished::Linked)
        }
        None => {
            let user = people::sign_in(parts, &client.origin, &flow.provider, &person).await?;
            Ok(Finished::SignIn(first_factor_shown(parts, client, user).await?))
        }
    }
}

async fn who(parts: &Parts, flow: &Flow, code: &Secret, issuer: Option<&str>) -> Result<Person, Error> {
    let provider = super::provider(parts, &flow.provider)?;
    let verifier = parts.settings.vault.open(PURPOSE, &flow.verifier)?;
    let verifier = Secret::presented(&String::from_utf8(verifier).map_err(Error::stored)?);
    let exchange =
        Exchange { callback: &flow.callback, code, verifier: &verifier, nonce: &flow.nonce, issuer };
    in_time(super::person(parts, provider, &exchange)).await
}

async fn in_time<T>(asking: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|late| Err(super::unavailable(late)))
}

/// A path of our own, as a browser will read it: nothing that leads to another site, however it is written.
fn local_path(text: &str) -> Option<String> {
    let plain = text.starts_with('/')
        && text.len() <= LONGEST_PATH
        && !text.contains(['\\', '#'])
        && !text.chars().any(char::is_control);
    let here = Url::parse("http://here.invalid").ok()?;
    let url = here.join(text).ok().filter(|url| plain && url.origin() == here.origin())?;
    let path = url[url::Position::BeforePath..].to_owned();
    (!path.starts_with("//")).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_our_own_are_returned_to() {
        for (given, kept) in [
            ("/", "/"),
            ("/account?tab=logins", "/account?tab=logins"),
            ("/a/../b", "/b"),
            ("/é t", "/%C3%A9%20t"),
        ] {
            assert_eq!(local_path(given).as_deref(), Some(kept));
        }
        for bad in [
            "",
            "account",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/.//evil.example",
            "/%2e//evil.example",
            "/a/..//evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            " //evil.example",
            "/x#y",
            "/x\r\nSet-Cookie: a=b",
        ] {
            assert_eq!(local_path(bad), None, "{bad:?}");
        }
    }
}
