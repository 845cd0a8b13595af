//! The fields of a request, as Stripe takes them: nested ones are `outer[inner]`.

use std::borrow::Cow;

use url::form_urlencoded;

/// Fields in their order: a request that is sent again must be the same.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(Cow<'static, str>, String)>);

impl Form {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// With this field.
    #[expect(clippy::needless_pass_by_value, reason = "numbers, ids and texts alike")]
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.push((Cow::Borrowed(name), value.to_string()));
        self
    }

    /// With this field if there is a value.
    pub(super) fn with_some(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// With something written on the object.
    pub(super) fn metadata(self, key: &str, value: impl ToString) -> Self {
        self.metadata_of("metadata", key, value)
    }

    /// With something written on an object within the object.
    #[expect(clippy::needless_pass_by_value, reason = "numbers, ids and texts alike")]
    pub(super) fn metadata_of(mut self, within: &str, key: &str, value: impl ToString) -> Self {
        self.0.push((Cow::Owned(format!("{within}[{key}]")), value.to_string()));
        self
    }

    /// With all of another object in the answer, in place of its id.
    pub(super) fn expand(self, what: &'static str) -> Self {
        self.with("expand[]", what)
    }

    pub(super) fn encoded(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}
