//! OpenID Connect: where a provider's endpoints and keys are, and whether what it says of somebody can be believed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
    CoreGrantType, CoreIdToken, CoreIdTokenClaims, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalProviderMetadata, AuthType, AuthorizationCode,
    ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EndUserName, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, IdTokenVerifier, IssuerUrl, LocalizedClaim, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl, RequestTokenError, Scope,
    TokenResponse, UserInfoError,
};
use platform::Secret;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use url::Url;

use super::{Exchange, Person, Wish, apple, refused, unavailable};
use crate::settings::{Provider, ProviderKind};
use crate::{Error, Parts};

/// How long it is believed where a provider's endpoints and keys are.
const KEEP: Duration = Duration::hours(1);
/// By what an ID token may be signed: with a key that only the provider has.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// What a provider says of itself besides what the library reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Besides {
    /// Whether it says in each answer who it is (RFC 9207).
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Besides {}

type Metadata = ProviderMetadata<
    Besides,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Where endpoints and keys are, by the provider's name, and since when it is known.
#[derive(Default)]
pub(crate) struct Known(Mutex<HashMap<String, (OffsetDateTime, Arc<Metadata>)>>);

impl Known {
    fn get(&self, provider: &str, since: OffsetDateTime) -> Option<Arc<Metadata>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(provider).filter(|(at, _)| *at > since).map(|(_, metadata)| Arc::clone(metadata))
    }

    fn put(&self, provider: &str, now: OffsetDateTime, metadata: &Arc<Metadata>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(provider.to_owned(), (now, Arc::clone(metadata)));
    }
}

fn issuer(provider: &Provider) -> &str {
    let usual = match provider.kind {
        ProviderKind::Google => "https://accounts.google.com",
        ProviderKind::Apple => "https://appleid.apple.com",
        ProviderKind::Oidc | ProviderKind::Github => "",
    };
    provider.issuer.as_deref().unwrap_or(usual)
}

/// What the provider says of itself, as it was known lately.
async fn metadata(parts: &Parts, provider: &Provider) -> Result<Arc<Metadata>, Error> {
    match parts.federation.known.get(&provider.name, parts.sources.now() - KEEP) {
        Some(metadata) => Ok(metadata),
        None => discover(parts, provider).await,
    }
}

/// What the provider says of itself now (OpenID Connect Discovery, 4). That it says so under its own name is checked.
async fn discover(parts: &Parts, provider: &Provider) -> Result<Arc<Metadata>, Error> {
    let issuer = IssuerUrl::new(issuer(provider).to_owned()).map_err(unavailable)?;
    let metadata = Metadata::discover_async(issuer, &parts.federation.http).await.map_err(unavailable)?;
    let metadata = Arc::new(metadata);
    parts.federation.known.put(&provider.name, parts.sources.now(), &metadata);
    Ok(metadata)
}

fn client(
    provider: &Provider,
    metadata: &Metadata,
    secret: Option<&Secret>,
    callback: &Url,
) -> Result<Client, Error> {
    let secret = secret.map(|secret| ClientSecret::new(secret.expose().to_owned()));
    let id = ClientId::new(provider.client_id.clone());
    let in_body = match metadata.token_endpoint_auth_methods_supported() {
        _ if provider.kind == ProviderKind::Apple => true,
        Some(methods) => {
            methods.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
        }
        None => false,
    };
    let callback = RedirectUrl::new(callback.to_string()).map_err(unavailable)?;
    let client = CoreClient::from_provider_metadata(metadata.clone(), id, secret);
    Ok(client.set_redirect_uri(callback).set_auth_type(if in_body {
        AuthType::RequestBody
    } else {
        AuthType::BasicAuth
    }))
}

/// Where the browser goes.
pub(super) async fn address(parts: &Parts, provider: &Provider, wish: &Wish<'_>) -> Result<Url, Error> {
    let metadata = metadata(parts, provider).await?;
    let client = client(provider, &metadata, None, wish.callback)?;
    let verifier = PkceCodeVerifier::new(wish.verifier.expose().to_owned());
    let state = CsrfToken::new(wish.state.expose().to_owned());
    let nonce = Nonce::new(wish.nonce.expose().to_owned());
    let mut request = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || state, || nonce)
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        .add_scope(Scope::new("email".to_owned()));
    request = match provider.kind {
        // Who asks Apple for an address gets the answer by POST.
        ProviderKind::Apple => {
            request.add_scope(Scope::new("name".to_owned())).add_extra_param("response_mode", "form_post")
        }
        _ => request.add_scope(Scope::new("profile".to_owned())),
    };
    Ok(request.url().0)
}

/// Who came back with this code.
pub(super) async fn person(
    parts: &Parts,
    provider: &Provider,
    exchange: &Exchange<'_>,
) -> Result<Person, Error> {
    let metadata = metadata(parts, provider).await?;
    says_who_it_is(&metadata, exchange.issuer)?;
    let secret = secret(parts, provider)?;
    let client = client(provider, &metadata, Some(&secret), exchange.callback)?;
    let response = client
        .exchange_code(AuthorizationCode::new(exchange.code.expose().to_owned()))
        .map_err(unavailable)?
        .set_pkce_verifier(PkceCodeVerifier::new(exchange.verifier.expose().to_owned()))
        .request_async(&parts.federation.http)
        .await
        .map_err(|error| match error {
            RequestTokenError::ServerResponse(answer) => refused(answer.error().as_ref()),
            other => unavailable(other),
        })?;
    let token = response.id_token().ok_or_else(|| refused("there is no ID token in its answer"))?;
    let access = response.access_token();
    let claims = match verified(parts, provider, &metadata, token, access, exchange) {
        // It may have a new key since.
        Err(ClaimsVerificationError::SignatureVerification(_)) => {
            let metadata = discover(parts, provider).await?;
            verified(parts, provider, &metadata, token, access, exchange)
        }
        other => other,
    };
    let claims = claims.map_err(|error| refused(&format!("its ID token is not good: {error}")))?;
    let mut person = Person {
        issuer: metadata.issuer().to_string(),
        subject: claims.subject().to_string(),
        email: claims.email().and_then(|email| email.parse().ok()),
        email_verified: claims.email_verified() == Some(true),
        name: name(claims.name()),
    };
    if claims.email().is_none() && metadata.userinfo_endpoint().is_some() {
        // A provider may tell these here alone (OpenID Connect Core, 5.4); that it is of the same person is checked.
        let more: CoreUserInfoClaims = client
            .user_info(access.clone(), Some(claims.subject().clone()))
            .map_err(unavailable)?
            .request_async(&parts.federation.http)
            .await
            .map_err(|error| match error {
                UserInfoError::ClaimsVerification(error) => {
                    refused(&format!("its profile is not good: {error}"))
                }
                other => unavailable(other),
            })?;
        person.email = more.email().and_then(|email| email.parse().ok());
        person.email_verified = more.email_verified() == Some(true);
        person.name = person.name.or_else(|| name(more.name()));
    }
    Ok(person)
}

fn name(claim: Option<&LocalizedClaim<EndUserName>>) -> Option<String> {
    claim.and_then(|name| name.get(None)).map(|name| name.to_string())
}

fn secret(parts: &Parts, provider: &Provider) -> Result<Secret, Error> {
    match &provider.apple {
        Some(key) => {
            let (id, pem) = (&provider.client_id, &provider.client_secret);
            apple::client_secret(id, pem, key, parts.sources.now()).map_err(unavailable)
        }
        None => Ok(provider.client_secret.clone()),
    }
}

/// An answer of another provider is not taken for one of this (RFC 9207, 2.4).
fn says_who_it_is(metadata: &Metadata, said: Option<&str>) -> Result<(), Error> {
    let says_always = metadata.additional_metadata().authorization_response_iss_parameter_supported;
    let fits = match said {
        Some(said) => said == metadata.issuer().as_str(),
        None => !says_always,
    };
    if fits { Ok(()) } else { Err(refused("its answer is another provider's")) }
}

/// What an ID token says, if it is to be believed (OpenID Connect Core, 3.1.3.7): from this provider, for us, for this
/// login, signed by a key of the provider's, and not expired.
fn verified(
    parts: &Parts,
    provider: &Provider,
    metadata: &Metadata,
    token: &CoreIdToken,
    access: &AccessToken,
    exchange: &Exchange<'_>,
) -> Result<CoreIdTokenClaims, ClaimsVerificationError> {
    let now = SystemTime::from(parts.sources.now());
    let client_id = ClientId::new(provider.client_id.clone());
    // Of a public client's tokens none is taken that is signed with a shared secret.
    let verifier = IdTokenVerifier::new_public_client(
        client_id.clone(),
        metadata.issuer().clone(),
        metadata.jwks().clone(),
    )
    .set_allowed_algs(ALGORITHMS)
    .set_time_fn(move || now.into());
    let nonce = |nonce: Option<&Nonce>| match nonce {
        Some(nonce) if Secret::presented(nonce.secret()).hash() == exchange.nonce => Ok(()),
        _ => Err("it is of another login".to_owned()),
    };
    let claims = token.claims(&verifier, nonce)?;
    if claims.authorized_party().is_some_and(|party| *party != client_id) {
        return Err(ClaimsVerificationError::InvalidAudience("it was given to somebody else".to_owned()));
    }
    if let Some(hash) = claims.access_token_hash() {
        let algorithm = token.signing_alg().map_err(ClaimsVerificationError::SignatureVerification)?;
        let key = token.signing_key(&verifier).map_err(ClaimsVerificationError::SignatureVerification)?;
        let expected = AccessTokenHash::from_token(access, algorithm, key)
            .map_err(|error| ClaimsVerificationError::Other(error.to_string()))?;
        if expected != *hash {
            return Err(ClaimsVerificationError::Other("it is of another access token".to_owned()));
        }
    }
    Ok(claims.clone())
}
