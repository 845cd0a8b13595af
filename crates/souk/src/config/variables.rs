//! Settings from the environment.

use std::env;

use anyhow::{Context, bail};
use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

/// Variables that begin with `SOUK_` but are no settings: the first names the file, the others steer scripts.
const NO_SETTINGS: [&str; 3] = ["SOUK_CONFIG", "SOUK_BOOTSTRAP_POSTGRES", "SOUK_INSTALL_DENY"];
const PREFIX: &str = "SOUK_";
/// Where many programs look for their database and their mail server; `SOUK_DATABASE_URL` and `SOUK_SMTP_URL` win over
/// them.
const PLAIN: [&str; 2] = ["DATABASE_URL", "SMTP_URL"];

/// What the environment says. An empty variable says nothing.
pub(super) struct Variables(Dict);

impl Variables {
    /// Reads those that name one of these settings. What is a text stays one, whatever it looks like; a list has
    /// commas.
    ///
    /// # Errors
    /// Names a variable that is no setting.
    pub(super) fn read(settings: &serde_json::Map<String, serde_json::Value>) -> anyhow::Result<Self> {
        let mut found = Dict::new();
        for (name, value) in env::vars_os().filter(|(_, value)| !value.is_empty()) {
            let Some(name) = name.to_str() else { continue };
            let key = match name.strip_prefix(PREFIX) {
                Some(key) if !NO_SETTINGS.contains(&name) => key.to_lowercase(),
                None if PLAIN.contains(&name) && !is_set(&format!("{PREFIX}{name}")) => name.to_lowercase(),
                _ => continue,
            };
            let Some(default) = settings.get(&key).filter(|_| name == name.to_uppercase()) else {
                bail!("the environment has {name}, which is no setting");
            };
            let value = value.to_str().with_context(|| format!("{name} is not UTF-8"))?;
            found.insert(key, read(value, default));
        }
        Ok(Self(found))
    }
}

/// A value in the kind of its default; a text if it is not of that kind, which is told when it is used.
fn read(text: &str, default: &serde_json::Value) -> Value {
    let read = match default {
        serde_json::Value::Number(_) => text.parse::<u64>().ok().map(Value::from),
        serde_json::Value::Bool(_) => text.parse::<bool>().ok().map(Value::from),
        serde_json::Value::Array(_) => {
            Some(text.split(',').map(str::trim).map(Value::from).collect::<Vec<_>>().into())
        }
        _ => None,
    };
    read.unwrap_or_else(|| Value::from(text))
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

impl Provider for Variables {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Map::from([(Profile::Default, self.0.clone())]))
    }
}
