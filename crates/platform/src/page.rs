//! Lists in pages: numbered (v1) and by cursor (v2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which numbered page. Within bounds by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageRequest {
    /// From 1.
    pub page: u32,
    /// From 1 to [`PageRequest::MAX_PER_PAGE`].
    pub per_page: u32,
}

impl PageRequest {
    /// Most items on a page.
    pub const MAX_PER_PAGE: u32 = 100;
    /// Items on a page when nobody says.
    pub const DEFAULT_PER_PAGE: u32 = 20;

    /// How many items stand before the page.
    pub fn offset(self) -> i64 {
        (i64::from(self.page) - 1) * i64::from(self.per_page)
    }
}

/// A numbered page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items of this page.
    pub data: Vec<T>,
    /// Number of this page, from 1.
    #[schema(example = 1)]
    pub page: u32,
    /// Items on a full page.
    #[schema(example = 20)]
    pub per_page: u32,
    /// Items in the whole list.
    #[schema(example = 224)]
    pub total: i64,
}

impl<T> Page<T> {
    /// The same page with each item turned into something else.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U> {
        Page {
            data: self.data.into_iter().map(turn).collect(),
            page: self.page,
            per_page: self.per_page,
            total: self.total,
        }
    }
}

/// A place in a list, opaque to clients: the sort key and id of the item before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(String);

/// The text is not a cursor of this list.
#[derive(Debug, thiserror::Error)]
#[error("not a cursor of this list; take end_cursor from the page before, with the same sort")]
pub struct BadCursor;

impl Cursor {
    /// Encodes a place.
    pub fn encode<T: Serialize>(place: &T) -> Self {
        let json = serde_json::to_vec(place).expect("a place is plain data");
        Self(URL_SAFE_NO_PAD.encode(json))
    }

    /// Takes a cursor that a client sent back.
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Decodes the place.
    ///
    /// # Errors
    /// When it was not made by [`Cursor::encode`] of the same type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, BadCursor> {
        let json = URL_SAFE_NO_PAD.decode(&self.0).map_err(|_| BadCursor)?;
        serde_json::from_slice(&json).map_err(|_| BadCursor)
    }

    /// The cursor as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which slice: the `first` items `after` a cursor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CursorRequest {
    /// From 1 to [`PageRequest::MAX_PER_PAGE`].
    pub first: u32,
    /// The end of the slice before.
    pub after: Option<Cursor>,
}

/// A slice of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Slice<T> {
    /// The items.
    pub data: Vec<T>,
    /// Where the slice ends.
    pub page_info: PageInfo,
}

/// Where a slice ends, in the terms of Relay connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PageInfo {
    /// Whether anything follows.
    pub has_next_page: bool,
    /// Ask for the next slice with `after=` this.
    pub end_cursor: Option<String>,
}

impl<T> Slice<T> {
    /// Makes a slice of `first + 1` fetched items: the one too many tells that more follows.
    pub fn of(mut fetched: Vec<T>, first: u32, place: impl Fn(&T) -> Cursor) -> Self {
        let first = first as usize;
        let has_next_page = fetched.len() > first;
        fetched.truncate(first);
        let end_cursor = fetched.last().map(|last| place(last).0);
        Self { data: fetched, page_info: PageInfo { has_next_page, end_cursor } }
    }
}
